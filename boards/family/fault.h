/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BOARD_FAULT_H
#define BOARD_FAULT_H

/* Of faults that the core finds: tells where on the console, and resets. [isr] */
void board_fault_interrupt(void);

#endif
