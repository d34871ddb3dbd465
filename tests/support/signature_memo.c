/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/signature_memo.h"

#include "proto/base/assert.h"

#include <string.h>

enum { N_ENTRIES = 1 << 16 };

enum kind { OF_SIGNER = 1, OF_ENVELOPE, OF_PROOF };

struct entry {
    bool is_used;
    uint8_t input[WIRE_DIGEST_BYTES];
    uint8_t output[WIRE_SIGNATURE_BYTES];
};

static struct entry entries[N_ENTRIES];
static uint32_t n_used;

static struct memo_signer {
    struct port_sign real;
    uint8_t number;
} memo_signers[KEYS_MODEL_MAX];

/* The entry of that input, or the free one that it takes. Never full: what does not fit is a failure. */
static struct entry *entry_of(uint8_t kind, struct hr_bytes a, struct hr_bytes b, struct hr_bytes c)
{
    uint8_t digest[WIRE_DIGEST_BYTES];
    const struct hr_bytes parts[] = {hr_bytes_of(&kind, 1), a, b, c};
    wire_sha256(crypto_hash(), parts, HR_ARRAY_LEN(parts), digest);
    uint32_t at = (uint32_t)digest[0] << 8 | digest[1];
    while (entries[at].is_used && memcmp(entries[at].input, digest, sizeof digest) != 0) {
        at = (at + 1) % N_ENTRIES;
    }
    if (!entries[at].is_used) {
        n_used++;
        HR_ASSERT(n_used < N_ENTRIES);
        memcpy(entries[at].input, digest, sizeof digest);
    }
    return &entries[at];
}

static struct hr_status sign(void *ctx, struct hr_bytes message, uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    const struct memo_signer *signer = ctx;
    struct entry *entry = entry_of(OF_SIGNER, hr_bytes_of(&signer->number, 1), message, hr_bytes_of(NULL, 0));
    if (!entry->is_used) {
        HR_TRY(signer->real.sign(signer->real.ctx, message, entry->output));
        entry->is_used = true;
    }
    memcpy(signature, entry->output, WIRE_SIGNATURE_BYTES);
    return hr_ok();
}

void signature_memo_sign(struct keys_pool *pool)
{
    for (uint32_t i = 0; i < KEYS_MODEL_MAX; i++) {
        memo_signers[i] = (struct memo_signer){.real = pool->signers[i].port, .number = (uint8_t)i};
        pool->signers[i].port.sign = sign;
        pool->signers[i].port.ctx = &memo_signers[i];
    }
}

enum wire_ack_status signature_memo_verdict(const struct verify_key *key, struct hr_bytes spki,
                                            struct hr_bytes envelope)
{
    struct entry *entry = entry_of(OF_ENVELOPE, spki, envelope, hr_bytes_of(NULL, 0));
    if (!entry->is_used) {
        struct verify_result result;
        verify_envelope(key, envelope, &result);
        entry->output[0] = (uint8_t)result.verdict;
        entry->is_used = true;
    }
    return (enum wire_ack_status)entry->output[0];
}

bool signature_memo_holds(struct hr_bytes spki, struct hr_bytes message,
                          const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    struct entry *entry = entry_of(OF_PROOF, spki, message, hr_bytes_of(signature, WIRE_SIGNATURE_BYTES));
    if (!entry->is_used) {
        entry->output[0] = verify_proof_holds(spki, message, signature) ? 1 : 0;
        entry->is_used = true;
    }
    return entry->output[0] == 1;
}
