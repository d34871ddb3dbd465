/* SPDX-License-Identifier: Apache-2.0
 *
 * How many pages there are, out of an answer as it comes: the first number of a given name in a JSON text,
 * which operators print beside the rows ("totalPages": 7). Nothing else of the text is understood, or kept.
 * [any] */
#ifndef POLL_TOTAL_H
#define POLL_TOTAL_H

#include "proto/base/bytes.h"
#include "proto/feeds/feeds.h"

struct poll_total {
    const char *name; /* kept */
    uint32_t n_matched;
    enum { POLL_TOTAL_NAME, POLL_TOTAL_COLON, POLL_TOTAL_VALUE, POLL_TOTAL_DIGITS, POLL_TOTAL_OVER } state;
    bool is_found;
    uint32_t number; /* UINT32_MAX: that or more */
};

void poll_total_begin(struct poll_total *total, const char *name);
/* The next bytes of the text. */
void poll_total_see(struct poll_total *total, struct hr_bytes bytes);
/* Pages of the whole, at least 1; 0: the text has no such number. */
uint32_t poll_total_pages(const struct poll_total *total, const struct feeds_pages *pages);

#endif
