/* SPDX-License-Identifier: Apache-2.0
 *
 * Why a boot began. The reset controllers of these boards are not modelled in QEMU, so the reason is left in
 * RAM that no start clears: a word for each reason that the software knows, and one that says "running",
 * which only a watchdog leaves behind. */
#ifndef BOARD_RESET_H
#define BOARD_RESET_H

#include "boards/family/board.h"

/* Takes the reason of this boot and notes that the firmware runs. Once. */
void board_reset_start(void);
/* Notes the reason and resets. [any] */
_Noreturn void board_reset_because(enum board_reset reason);

#endif
