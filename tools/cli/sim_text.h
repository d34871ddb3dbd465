/* SPDX-License-Identifier: Apache-2.0
 *
 * Text that grows, for the documents of a simulator: what is printed as operators print it. */
#ifndef CLI_SIM_TEXT_H
#define CLI_SIM_TEXT_H

#include "proto/feeds/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is an empty one. Once memory ran out it stays as it was, and says so. */
struct cli_sim_text {
    char *data; /* owned; not terminated */
    size_t len_bytes;
    size_t capacity_bytes;
    bool is_out_of_memory;
};

void cli_sim_text_bytes(struct cli_sim_text *text, const void *data, size_t len_bytes);
/* printf's; a piece has at most 1,023 bytes. */
void cli_sim_text_add(struct cli_sim_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

enum cli_sim_digits {
    CLI_SIM_FIXED,   /* 0.50: all decimals */
    CLI_SIM_TRIMMED, /* 0.5: no zeros at the end */
    CLI_SIM_BARE,    /* .5: nor one in front */
};

/* `value` in units of the last of `decimals` decimals, at most 9. */
void cli_sim_text_number(struct cli_sim_text *text, int64_t value, unsigned decimals,
                         enum cli_sim_digits digits);

/* A local time by a pattern of %Y %m %d %H %M %S and plain characters; %n and %e are month and day without a
 * leading zero. */
void cli_sim_text_time(struct cli_sim_text *text, const struct feeds_local *local, const char *pattern);

/* The other way: the digits of a pattern with %Y %m %d %H %M %S as a wall clock, seconds counted as if it
 * were UTC; what the pattern doesn't name is the first day and midnight. Returns what follows in the text, or
 * NULL when it doesn't begin so. */
const char *cli_sim_stamp_read(const char *text, const char *pattern, int64_t *local_s);

/* Frees, and is empty again. */
void cli_sim_text_free(struct cli_sim_text *text);

#endif
