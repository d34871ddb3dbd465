/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/cursor.h"
#include "proto/trust/trust.h"

#include <string.h>

void trust_signer_id(const struct wire_hash *hash, const uint8_t spki[TRUST_SPKI_BYTES],
                     uint8_t out[WIRE_DIGEST_BYTES])
{
    struct hr_bytes part = hr_bytes_of(spki, TRUST_SPKI_BYTES);
    wire_sha256(hash, &part, 1, out);
}

void trust_digest(const struct wire_hash *hash, struct hr_bytes body, const uint8_t spki[TRUST_SPKI_BYTES],
                  uint8_t out[WIRE_DIGEST_BYTES])
{
    /* CBOR: array(4), "Signature1", bstr {1: -7}, bstr(51) external_aad, bstr payload (RFC 9052, 4.4). */
    static const uint8_t before_aad[] = {0x84, 0x6A, 'S', 'i',  'g',  'n',  'a',  't',  'u',
                                         'r',  'e',  '1', 0x43, 0xA1, 0x01, 0x26, 0x58, 0x33};
    static const char domain[] = "edge.trustbundle.v1";
    uint8_t id[WIRE_DIGEST_BYTES];
    uint8_t length[3];
    struct hr_writer writer = hr_writer_over(length, sizeof length);
    HR_ASSERT(body.len_bytes <= TRUST_MAX_BYTES);
    if (body.len_bytes > UINT8_MAX) {
        hr_write_u8(&writer, 0x59);
        hr_write_u16(&writer, (uint16_t)body.len_bytes);
    } else {
        hr_write_u8(&writer, 0x58);
        hr_write_u8(&writer, (uint8_t)body.len_bytes);
    }
    trust_signer_id(hash, spki, id);
    const struct hr_bytes parts[] = {hr_bytes_of(before_aad, sizeof before_aad),
                                     hr_bytes_of(domain, sizeof domain - 1), hr_bytes_of(id, sizeof id),
                                     hr_bytes_of(length, writer.at), body};
    wire_sha256(hash, parts, HR_ARRAY_LEN(parts), out);
}

/* The signature that says it is of this signer; NULL: there is none. */
static const uint8_t *signature_of(const struct trust_bundle *bundle, const uint8_t id[WIRE_DIGEST_BYTES])
{
    for (size_t i = 0; i < bundle->n_signatures; i++) {
        const uint8_t *at = bundle->signatures + i * TRUST_SIGNATURE_BYTES;
        if (memcmp(at, id, WIRE_DIGEST_BYTES) == 0) {
            return at + WIRE_DIGEST_BYTES;
        }
    }
    return NULL;
}

/* Signers are counted, not signatures, and decoding saw that no key is two of them. HR_DENIED: too few. */
static struct hr_status count(const struct trust_bundle *signers, const struct trust_bundle *bundle,
                              const struct wire_hash *hash, const struct trust_verify *verify)
{
    uint8_t n_good = 0;
    for (size_t i = 0; i < signers->n_signers && n_good < signers->threshold; i++) {
        uint8_t digest[WIRE_DIGEST_BYTES];
        trust_signer_id(hash, signers->signers[i], digest);
        const uint8_t *signature = signature_of(bundle, digest);
        if (signature == NULL) {
            continue;
        }
        trust_digest(hash, bundle->body, signers->signers[i], digest);
        struct hr_status status = verify->verify(verify->ctx, signers->signers[i], digest, signature);
        if (!hr_is_ok(status) && !hr_is(status, HR_DENIED)) {
            return hr_status_of(HR_IO);
        }
        n_good = (uint8_t)(n_good + (hr_is_ok(status) ? 1 : 0));
    }
    return hr_status_of(n_good >= signers->threshold ? HR_OK : HR_DENIED);
}

struct hr_status trust_check_first(const struct trust_bundle *bundle, const struct wire_hash *hash,
                                   const struct trust_verify *verify)
{
    return count(bundle, bundle, hash, verify);
}

struct hr_status trust_check_next(const struct trust_bundle *current, const struct trust_bundle *next,
                                  const struct wire_hash *hash, const struct trust_verify *verify,
                                  enum trust_refusal *why)
{
    if (next->version <= current->version || next->version - current->version > 1) {
        *why = next->version <= current->version ? TRUST_STALE : TRUST_SKIPPED;
        return hr_status_of(HR_DENIED);
    }
    *why = TRUST_NOT_BY_OLD;
    HR_TRY(count(current, next, hash, verify));
    *why = TRUST_NOT_BY_NEW;
    return count(next, next, hash, verify);
}

const char *trust_refusal_name(enum trust_refusal why)
{
    static const char *const names[] = {[TRUST_STALE] = "stale",
                                        [TRUST_SKIPPED] = "skipped",
                                        [TRUST_NOT_BY_OLD] = "not_by_old_signers",
                                        [TRUST_NOT_BY_NEW] = "not_by_new_signers"};
    return names[why];
}
