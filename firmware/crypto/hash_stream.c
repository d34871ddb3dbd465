/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/hash_stream.h"

#include "proto/base/assert.h"

#include <psa/crypto.h>
#include <stdalign.h>

_Static_assert(sizeof(psa_hash_operation_t) <= sizeof(struct wire_hash_state) &&
                   alignof(psa_hash_operation_t) <= alignof(struct wire_hash_state),
               "a hash under way fits");

static psa_hash_operation_t *operation_of(struct wire_hash_state *state)
{
    return (psa_hash_operation_t *)(void *)state;
}

static void begin(struct wire_hash_state *state)
{
    *operation_of(state) = psa_hash_operation_init();
    HR_ASSERT(psa_hash_setup(operation_of(state), PSA_ALG_SHA_256) == PSA_SUCCESS);
}

static void add(struct wire_hash_state *state, struct hr_bytes bytes)
{
    HR_ASSERT(psa_hash_update(operation_of(state), bytes.data, bytes.len_bytes) == PSA_SUCCESS);
}

static void end(struct wire_hash_state *state, uint8_t out[WIRE_DIGEST_BYTES])
{
    size_t written = 0;
    HR_ASSERT(psa_hash_finish(operation_of(state), out, WIRE_DIGEST_BYTES, &written) == PSA_SUCCESS);
    HR_ASSERT(written == WIRE_DIGEST_BYTES);
}

static void drop(struct wire_hash_state *state)
{
    HR_ASSERT(psa_hash_abort(operation_of(state)) == PSA_SUCCESS);
}

const struct wire_hash_stream *crypto_hash_stream(void)
{
    static const struct wire_hash_stream stream = {begin, add, end, drop};
    return &stream;
}
