/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/trust_file.h"

#include "aggregator/verify/verify.h"
#include "tools/cli/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct hr_status verify(void *ctx, const uint8_t spki[TRUST_SPKI_BYTES],
                               const uint8_t digest[WIRE_DIGEST_BYTES],
                               const uint8_t signature[TRUST_ECDSA_BYTES])
{
    (void)ctx;
    return cli_spki_verify_digest(spki, digest, signature);
}

static const struct trust_verify verifier = {.verify = verify};

/* ---- reading ---- */

static struct hr_status index_bundles(struct cli_trust_file *file)
{
    struct hr_bytes left = hr_bytes_of(file->bytes, file->len_bytes);
    file->n_bundles = 0;
    while (left.len_bytes > 0) {
        struct hr_bytes one;
        struct trust_bundle *bundle = &file->bundles[file->n_bundles];
        if (file->n_bundles == CLI_TRUST_MAX_BUNDLES || !hr_is_ok(trust_next(left, &one)) ||
            !hr_is_ok(trust_decode(one, bundle)) || bundle->version != file->n_bundles + 1) {
            (void)fprintf(stderr, "headrace: %s: what stands at byte %zu is not trust bundle %" PRIu32 "\n",
                          file->path, file->len_bytes - left.len_bytes, file->n_bundles + 1);
            return hr_status_of(HR_MALFORMED);
        }
        left = hr_bytes_of(left.data + one.len_bytes, left.len_bytes - one.len_bytes);
        file->n_bundles++;
    }
    return hr_ok();
}

struct hr_status cli_trust_read(const char *path, struct cli_trust_file *out)
{
    out->path = path;
    out->len_bytes = 0;
    struct hr_status status = cli_file_read(path, out->bytes, sizeof out->bytes, &out->len_bytes);
    if (!hr_is_ok(status) && !hr_is(status, HR_NOT_FOUND)) {
        return status;
    }
    return index_bundles(out);
}

bool cli_trust_is_complete(const struct cli_trust_file *file, uint32_t i)
{
    enum trust_refusal why;
    const struct trust_bundle *bundle = &file->bundles[i];
    return hr_is_ok(i == 0 ? trust_check_first(bundle, verify_hash(), &verifier)
                           : trust_check_next(&file->bundles[i - 1], bundle, verify_hash(), &verifier, &why));
}

const struct trust_bundle *cli_trust_newest(const struct cli_trust_file *file)
{
    uint32_t n = file->n_bundles;
    while (n > 0 && !cli_trust_is_complete(file, n - 1)) {
        n--;
    }
    return n > 0 ? &file->bundles[n - 1] : NULL;
}

void cli_trust_begin(const struct trust_bundle *bundle, struct image_identity *identity)
{
    const struct hr_bytes whole = trust_whole(bundle);
    identity->trust_version = bundle->version;
    wire_sha256(verify_hash(), &whole, 1, identity->trust_digest);
}

bool cli_trust_is_signed_by(const struct trust_bundle *bundle, const uint8_t spki[TRUST_SPKI_BYTES])
{
    struct trust_bundle alone = *bundle;
    alone.threshold = 1;
    alone.n_signers = 1;
    alone.signers[0] = spki;
    return hr_is_ok(trust_check_first(&alone, verify_hash(), &verifier));
}

/* ---- signing ---- */

struct signatures {
    uint8_t n;
    uint8_t bytes[TRUST_MAX_SIGNATURES][TRUST_SIGNATURE_BYTES]; /* rising by who signed */
};

static bool is_signer(const struct trust_bundle *bundle, const uint8_t spki[TRUST_SPKI_BYTES])
{
    for (size_t i = 0; i < bundle->n_signers; i++) {
        if (memcmp(bundle->signers[i], spki, TRUST_SPKI_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* Where the signature of this signer stands or belongs. */
static size_t place_of(const struct signatures *all, const uint8_t id[WIRE_DIGEST_BYTES])
{
    size_t at = 0;
    while (at < all->n && memcmp(all->bytes[at], id, WIRE_DIGEST_BYTES) < 0) {
        at++;
    }
    return at;
}

static struct hr_status add_signature(struct signatures *all, struct hr_bytes body, EVP_PKEY *key,
                                      const uint8_t spki[TRUST_SPKI_BYTES], size_t *n_new)
{
    uint8_t made[TRUST_SIGNATURE_BYTES];
    uint8_t digest[WIRE_DIGEST_BYTES];
    trust_signer_id(verify_hash(), spki, made);
    trust_digest(verify_hash(), body, spki, digest);
    size_t at = place_of(all, made);
    bool is_there = at < all->n && memcmp(all->bytes[at], made, WIRE_DIGEST_BYTES) == 0;
    if (!is_there && all->n == TRUST_MAX_SIGNATURES) {
        return hr_status_of(HR_FULL);
    }
    HR_TRY(cli_key_sign_digest(key, digest, made + WIRE_DIGEST_BYTES));
    if (!is_there) {
        memmove(all->bytes[at + 1], all->bytes[at], (all->n - at) * sizeof all->bytes[0]);
        all->n++;
        (*n_new)++;
    }
    memcpy(all->bytes[at], made, sizeof made);
    return hr_ok();
}

static struct hr_status sign_all(const struct cli_trust_file *file, const struct trust_bundle *bundle,
                                 EVP_PKEY *const *keys, size_t n_keys, struct signatures *all, size_t *n_new)
{
    const struct trust_bundle *before = bundle->version > 1 ? &file->bundles[bundle->version - 2] : bundle;
    for (size_t i = 0; i < n_keys; i++) {
        uint8_t spki[CLI_SPKI_BYTES];
        HR_TRY(cli_key_spki(keys[i], spki));
        if (!is_signer(bundle, spki) && !is_signer(before, spki)) {
            (void)fprintf(stderr,
                          "headrace: key %zu is no signer of version %" PRIu32 " or of the one before\n",
                          i + 1, bundle->version);
            continue;
        }
        HR_TRY(add_signature(all, bundle->body, keys[i], spki, n_new));
    }
    return hr_ok();
}

static struct hr_status encode(const struct trust_bundle *bundle, uint8_t out[TRUST_MAX_BYTES],
                               size_t *len_bytes)
{
    struct hr_status status = trust_encode(bundle, out, TRUST_MAX_BYTES, len_bytes);
    if (!hr_is_ok(status)) {
        (void)fputs(
            hr_is(status, HR_FULL)
                ? "headrace: the trust bundle has more than 4,096 bytes: fewer authorities will do\n"
                : "headrace: the trust bundle: a threshold above the number of signers, a signer that "
                  "is there twice, a certificate of more than 640 bytes, or an odd name\n",
            stderr);
    }
    return status;
}

struct hr_status cli_trust_sign(struct cli_trust_file *file, struct trust_bundle *bundle,
                                EVP_PKEY *const *keys, size_t n_keys, size_t *n_new)
{
    uint8_t body[TRUST_MAX_BYTES];
    uint8_t whole[TRUST_MAX_BYTES];
    size_t len_bytes = 0;
    struct signatures all = {.n = bundle->n_signatures};
    struct trust_bundle made;
    if (all.n > 0) {
        memcpy(all.bytes, bundle->signatures, all.n * sizeof all.bytes[0]);
    }
    bundle->n_signatures = 0;
    HR_TRY(encode(bundle, body, &len_bytes));
    HR_TRY(trust_decode(hr_bytes_of(body, len_bytes), &made));
    *n_new = 0;
    HR_TRY(sign_all(file, &made, keys, n_keys, &all, n_new));
    made.n_signatures = all.n;
    made.signatures = all.bytes[0];
    HR_TRY(encode(&made, whole, &len_bytes));

    size_t at = 0;
    for (uint32_t i = 0; i + 1 < made.version; i++) {
        at += trust_whole(&file->bundles[i]).len_bytes;
    }
    if (at + len_bytes > sizeof file->bytes || made.version > CLI_TRUST_MAX_BUNDLES) {
        (void)fprintf(stderr, "headrace: %s has as many bundles as it can\n", file->path);
        return hr_status_of(HR_FULL);
    }
    memcpy(file->bytes + at, whole, len_bytes);
    file->len_bytes = at + len_bytes;
    HR_TRY(cli_file_write(file->path, hr_bytes_of(file->bytes, file->len_bytes), false, true));
    return index_bundles(file);
}
