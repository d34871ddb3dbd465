/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/hash_stream.h"

#include "proto/base/assert.h"

#include <psa/crypto.h>
#include <string.h>

_Static_assert(sizeof(psa_hash_operation_t) <= sizeof(struct wire_hash_state), "a hash under way fits");

static psa_hash_operation_t load(const struct wire_hash_state *state)
{
    psa_hash_operation_t operation;
    memcpy(&operation, state, sizeof operation);
    return operation;
}

static void store(struct wire_hash_state *state, const psa_hash_operation_t *operation)
{
    memcpy(state, operation, sizeof *operation);
}

static void begin(struct wire_hash_state *state)
{
    psa_hash_operation_t operation = psa_hash_operation_init();
    HR_ASSERT(psa_hash_setup(&operation, PSA_ALG_SHA_256) == PSA_SUCCESS);
    store(state, &operation);
}

static void add(struct wire_hash_state *state, struct hr_bytes bytes)
{
    psa_hash_operation_t operation = load(state);
    HR_ASSERT(psa_hash_update(&operation, bytes.data, bytes.len_bytes) == PSA_SUCCESS);
    store(state, &operation);
}

static void end(struct wire_hash_state *state, uint8_t out[WIRE_DIGEST_BYTES])
{
    psa_hash_operation_t operation = load(state);
    size_t written = 0;
    HR_ASSERT(psa_hash_finish(&operation, out, WIRE_DIGEST_BYTES, &written) == PSA_SUCCESS);
    HR_ASSERT(written == WIRE_DIGEST_BYTES);
    store(state, &operation);
}

static void drop(struct wire_hash_state *state)
{
    psa_hash_operation_t operation = load(state);
    HR_ASSERT(psa_hash_abort(&operation) == PSA_SUCCESS);
    store(state, &operation);
}

const struct wire_hash_stream *crypto_hash_stream(void)
{
    static const struct wire_hash_stream stream = {begin, add, end, drop};
    return &stream;
}
