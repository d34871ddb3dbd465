/* SPDX-License-Identifier: Apache-2.0 */
#include "boards/family/board.h"
#include "boards/family/clock.h"
#include "boards/family/hardware.h"
#include "boards/family/reset.h"
#include "boards/family/serial.h"

void board_start(void)
{
    board_reset_start();
    board_hardware_start();
    board_clock_start();
    board_serial_start();
}
