/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOARD_HARDWARE_H
#define BOARD_HARDWARE_H

/* Brings the core to board_info.core_hz and gives the devices their clocks: board.c. */
void board_hardware_start(void);

#endif
