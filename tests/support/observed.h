/* SPDX-License-Identifier: Apache-2.0
 *
 * For simulations: a normalizer of observations that have revisions, and what must come of them. A Chunk
 * record is a document of rows, two bytes each: which observation, and what is said of it. */
#ifndef OBSERVED_H
#define OBSERVED_H

#include "aggregator/io/normalizer.h"

enum {
    OBSERVED_ROWS_MAX = 8,
    OBSERVED_FORGOTTEN = 248, /* observations from here on ended too long ago to have revisions */
};

/* What was said last, as one reads the rows in the order of the log. Zeros: nothing. */
struct observed_model {
    struct norm_said said[256];
};

extern const struct norm_schema observed_schema; /* feed "sim.observed", its own field is observed_value() */
extern const struct normalizer observed_normalizer;

static inline int64_t observed_value(uint8_t content, uint32_t revision)
{
    return content + 1000 * (int64_t)revision;
}

/* True when the row is an event; *value is what it says. */
bool observed_expect(struct observed_model *model, const uint8_t row[2], int64_t *value);

#endif
