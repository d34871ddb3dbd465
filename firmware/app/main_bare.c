/* SPDX-License-Identifier: Apache-2.0
 *
 * The firmware of a microcontroller board: static objects, wiring, and one loop. */
#include "boards/family/board.h"
#include "firmware/app/device.h"

static struct app_device device;

int main(void)
{
    board_start();
    board_watchdog_start();
    app_device_start(&device);
    board_watchdog_feed();
    for (;;) {
        app_device_turn(&device);
        board_watchdog_feed();
    }
}
