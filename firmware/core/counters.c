/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/counters.h"

#include "proto/base/assert.h"

#include <string.h>

void fw_text_copy(char *out, size_t capacity_bytes, const char *text)
{
    size_t len_bytes = strlen(text);
    if (len_bytes >= capacity_bytes) {
        len_bytes = capacity_bytes - 1;
    }
    memcpy(out, text, len_bytes);
    out[len_bytes] = '\0';
}

void fw_counters_to_stats(const char *source, const struct fw_counter *table, size_t n_counters,
                          const void *base, struct edge_stats *out)
{
    HR_ASSERT(n_counters <= EDGE_STATS_MAX_COUNTERS);
    memset(out, 0, sizeof *out);
    fw_text_copy(out->source, sizeof out->source, source);
    for (size_t i = 0; i < n_counters; i++) {
        fw_text_copy(out->counter[i].name, sizeof out->counter[i].name, table[i].name);
        memcpy(&out->counter[i].value, (const uint8_t *)base + table[i].offset_bytes, sizeof(uint64_t));
    }
    out->n_counters = (uint16_t)n_counters;
}
