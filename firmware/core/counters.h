/* SPDX-License-Identifier: Apache-2.0
 *
 * Named counters of a struct, as a table, so that what is counted is said once. [any] */
#ifndef FW_COUNTERS_H
#define FW_COUNTERS_H

#include "proto/edge/record.h"

#include <stddef.h>

/* One uint64_t member of a struct of counters; the name has at most EDGE_STATS_NAME_MAX_CHARS characters. */
struct fw_counter {
    const char *name;
    size_t offset_bytes;
};

/* Fills a Stats record from the counters of the struct at `base`. Asserts at most EDGE_STATS_MAX_COUNTERS of
 * them. */
void fw_counters_to_stats(const char *source, const struct fw_counter *table, size_t n_counters,
                          const void *base, struct edge_stats *out);

/* Copies text, cut to fit, and ends it with a zero. */
void fw_text_copy(char *out, size_t capacity_bytes, const char *text);

#endif
