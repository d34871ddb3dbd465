/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 of bytes that come piece by piece and are nowhere as a whole; for the rest there is hash.h. */
#ifndef WIRE_HASH_STREAM_H
#define WIRE_HASH_STREAM_H

#include "proto/wire/hash.h"

/* What a hash under way is. The implementation's own; an all-zero one holds nothing. */
struct wire_hash_state {
    uint64_t words[48];
};

/* begin, any number of add, and end, which writes the SHA-256; drop in place of end gives it up and may be
 * called at any time, also twice. The functions can't fail: an implementation whose library fails asserts.
 * Each state is for one thread. [any] */
struct wire_hash_stream {
    void (*begin)(struct wire_hash_state *state);
    void (*add)(struct wire_hash_state *state, struct hr_bytes bytes);
    void (*end)(struct wire_hash_state *state, uint8_t out[WIRE_DIGEST_BYTES]);
    void (*drop)(struct wire_hash_state *state);
};

#endif
