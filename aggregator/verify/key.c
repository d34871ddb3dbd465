/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/verify/verify.h"

#include "proto/base/assert.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    HALF_BYTES = WIRE_SIGNATURE_BYTES / 2,
    DER_SIGNATURE_MAX_BYTES = 2 + 2 * (2 + 1 + HALF_BYTES),
};

struct verify_key {
    atomic_uint n_holders;
    EVP_PKEY *pkey;
    /* A context that is ready to verify, when no thread is using it. Making one costs 2.6 of the 61
     * microseconds of a verification; a context can't be shared, so whoever finds none makes his own. */
    _Atomic(EVP_PKEY_CTX *) spare;
    uint8_t spki_sha256[WIRE_DIGEST_BYTES];
};

struct hr_status verify_key_parse(struct hr_bytes spki, struct verify_key **out)
{
    /* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 04 ... (RFC 5480 section 2). One form
     * and no other, so that a key has one SPKI hash. */
    static const uint8_t prefix[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                     0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
                                     0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    if (spki.len_bytes != VERIFY_SPKI_BYTES || memcmp(spki.data, prefix, sizeof prefix) != 0) {
        return hr_status_of(HR_MALFORMED);
    }
    struct verify_key *key = calloc(1, sizeof *key);
    if (key == NULL) {
        return hr_status_of(HR_IO);
    }
    atomic_init(&key->n_holders, 1);
    const unsigned char *at = spki.data;
    key->pkey = d2i_PUBKEY(NULL, &at, (long)spki.len_bytes); /* refuses a point that is not on the curve */
    ERR_clear_error();
    if (key->pkey == NULL) {
        free(key);
        return hr_status_of(HR_MALFORMED);
    }
    wire_sha256(verify_hash(), &spki, 1, key->spki_sha256);
    *out = key;
    return hr_ok();
}

void verify_key_free(struct verify_key *key)
{
    if (key != NULL && atomic_fetch_sub(&key->n_holders, 1) == 1) {
        EVP_PKEY_CTX_free(atomic_load(&key->spare));
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

struct verify_key *verify_key_share(const struct verify_key *key)
{
    struct verify_key *shared = (struct verify_key *)(uintptr_t)key; /* only the count changes, atomically */
    (void)atomic_fetch_add(&shared->n_holders, 1);
    return shared;
}

const uint8_t *verify_key_spki_sha256(const struct verify_key *key)
{
    return key->spki_sha256;
}

/* 1 <= value < n, the order of P-256 (SEC 2 section 2.4.2), big-endian. */
static bool is_in_range(const uint8_t value[HALF_BYTES])
{
    static const uint8_t zero[HALF_BYTES];
    static const uint8_t order[HALF_BYTES] = {
        0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};
    return memcmp(value, zero, HALF_BYTES) != 0 && memcmp(value, order, HALF_BYTES) < 0;
}

/* Writes a positive big-endian number as a DER INTEGER; returns the bytes written. */
static size_t put_der_integer(const uint8_t value[HALF_BYTES], uint8_t *out)
{
    size_t skip = 0;
    while (skip < HALF_BYTES - 1 && value[skip] == 0) {
        skip++;
    }
    size_t pad = value[skip] >> 7;
    size_t len_bytes = HALF_BYTES - skip;
    out[0] = 0x02;
    out[1] = (uint8_t)(pad + len_bytes);
    out[2] = 0;
    memcpy(out + 2 + pad, value + skip, len_bytes);
    return 2 + pad + len_bytes;
}

static EVP_PKEY_CTX *take_context(struct verify_key *key)
{
    EVP_PKEY_CTX *context = atomic_exchange(&key->spare, NULL);
    if (context == NULL) {
        context = EVP_PKEY_CTX_new(key->pkey, NULL);
        HR_ASSERT(context != NULL && EVP_PKEY_verify_init(context) == 1);
    }
    return context;
}

struct hr_status verify_message(const struct verify_key *key, struct hr_bytes message,
                                const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    uint8_t digest[WIRE_DIGEST_BYTES];
    wire_sha256(verify_hash(), &message, 1, digest);
    return verify_digest(key, digest, signature);
}

struct hr_status verify_digest(const struct verify_key *key, const uint8_t digest[WIRE_DIGEST_BYTES],
                               const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    if (!is_in_range(signature) || !is_in_range(signature + HALF_BYTES)) {
        return hr_status_of(HR_DENIED);
    }
    uint8_t der[DER_SIGNATURE_MAX_BYTES];
    size_t len_bytes = 2;
    len_bytes += put_der_integer(signature, der + len_bytes);
    len_bytes += put_der_integer(signature + HALF_BYTES, der + len_bytes);
    der[0] = 0x30;
    der[1] = (uint8_t)(len_bytes - 2);

    /* Only the spare context changes, and that atomically: the key is constant to its users. */
    struct verify_key *shared = (struct verify_key *)(uintptr_t)key;
    EVP_PKEY_CTX *context = take_context(shared);
    int answer = EVP_PKEY_verify(context, der, len_bytes, digest, WIRE_DIGEST_BYTES);
    EVP_PKEY_CTX_free(atomic_exchange(&shared->spare, context));
    if (answer != 1) {
        ERR_clear_error(); /* a refused signature leaves entries in the thread's error queue */
        return hr_status_of(HR_DENIED);
    }
    return hr_ok();
}

struct hr_status verify_signature(const struct verify_key *key, const uint8_t header[WIRE_HEADER_BYTES],
                                  const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(header, key->spki_sha256, tbs);
    return verify_message(key, hr_bytes_of(tbs, sizeof tbs), signature);
}

bool verify_proof_holds(struct hr_bytes spki, struct hr_bytes message,
                        const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    struct verify_key *key;
    if (!hr_is_ok(verify_key_parse(spki, &key))) {
        return false;
    }
    bool holds = hr_is_ok(verify_message(key, message, signature));
    verify_key_free(key);
    return holds;
}
