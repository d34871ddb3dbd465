/* SPDX-License-Identifier: Apache-2.0
 *
 * What a feed's last answers were: validators for conditional requests (RFC 9110, 13.1), and SHA-256 of the
 * bodies, so that the same content is not sent twice. The oldest of POLL_MEMORY_PLACES is forgotten first.
 * [any] */
#ifndef POLL_MEMORY_H
#define POLL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POLL_MEMORY_PLACES = 16, POLL_SHA256_BYTES = 32, POLL_ETAG_CAPACITY = 80, POLL_DATE_CAPACITY = 32 };

struct poll_answer {
    uint64_t request; /* poll_request_hash of its URL; 0: no answer */
    uint8_t sha256[POLL_SHA256_BYTES];
    uint32_t len_bytes;
    uint32_t n_pages;              /* as it told; 0: it did not */
    char etag[POLL_ETAG_CAPACITY]; /* empty: none, or one that does not fit */
    char last_modified[POLL_DATE_CAPACITY];
};

struct poll_memory {
    struct poll_answer answers[POLL_MEMORY_PLACES];
    uint32_t next;
};

/* FNV-1a of a URL, never 0. */
uint64_t poll_request_hash(const char *url);

/* The last answer to that request, or NULL; borrowed until the next call. */
const struct poll_answer *poll_memory_find(const struct poll_memory *memory, uint64_t request);

/* True: the answer has the content of the last one to the same request. It is remembered in either case. */
bool poll_memory_take(struct poll_memory *memory, const struct poll_answer *answer);

#endif
