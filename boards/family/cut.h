/* SPDX-License-Identifier: Apache-2.0
 *
 * Where power goes in a test. Programs and erases of a board's memory are numbered from 1 since boot; builds
 * with HEADRACE_FAULTS end the emulator at the one that its command line names (cut=17:torn), so that a test
 * can start it again on the same memory. In a release nothing ever goes. cut_faults.c or cut_none.c is
 * linked.
 *
 * Builds with HEADRACE_FAULTS also end it at the named places of proto/base/failpoint.h: failpoint=NAME:K
 * when it is passed for the K-th time, from 1 (failpoint_faults.c). */
#ifndef BOARD_CUT_H
#define BOARD_CUT_H

#include <stdint.h>

enum board_cut { BOARD_CUT_NONE, BOARD_CUT_BEFORE, BOARD_CUT_TORN, BOARD_CUT_AFTER };

enum { BOARD_CUT_EXIT_CODE = 88 }; /* of the emulator */

/* What happens at operation n_op. [loop] */
enum board_cut board_cut_at(uint32_t n_op);
/* Ends the power; every store before it counts. */
_Noreturn void board_cut_power(void);

#endif
