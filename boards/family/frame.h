/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOARD_FRAME_H
#define BOARD_FRAME_H

#include <stdint.h>

/* What the core puts on the stack at an exception (ARMv7-M Architecture Reference Manual, B1.5.6). */
struct board_frame {
    uint32_t r0_to_r3[4];
    uint32_t r12;
    uint32_t lr;
    uint32_t pc;
    uint32_t psr;
};

#endif
