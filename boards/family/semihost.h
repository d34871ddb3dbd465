/* SPDX-License-Identifier: Apache-2.0
 *
 * What an image of the tests says to the emulator (ARM's "Semihosting for AArch32 and AArch64"). Only builds
 * with HEADRACE_FAULTS hold it: without an emulator that listens each call is a fault. */
#ifndef BOARD_SEMIHOST_H
#define BOARD_SEMIHOST_H

#include <stdbool.h>
#include <stddef.h>

/* Ends the emulator with this exit code. */
_Noreturn void board_semihost_exit(int code);
/* The words given to the emulator for the image, ended by a zero. False: none, or more than fit. */
bool board_semihost_command(char *out, size_t capacity_bytes);

#endif
