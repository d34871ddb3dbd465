/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/crypto.h"
#include "firmware/crypto/internal.h"

#include <mbedtls/pk.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>
#include <string.h>

enum { KEY_BITS = 256, POINT_BYTES = 65 };

/* RFC 5480: AlgorithmIdentifier {id-ecPublicKey, secp256r1} and the head of the BIT STRING; the point
 * follows. */
static const uint8_t spki_head[CRYPTO_SPKI_BYTES - POINT_BYTES] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};

static struct hr_status spki_of(uint32_t key_id, uint8_t out[CRYPTO_SPKI_BYTES])
{
    size_t written = 0;
    psa_status_t status =
        psa_export_public_key(key_id, out + sizeof spki_head, CRYPTO_SPKI_BYTES - sizeof spki_head, &written);
    if (status != PSA_SUCCESS || written != POINT_BYTES) {
        return hr_status_of(HR_IO);
    }
    memcpy(out, spki_head, sizeof spki_head);
    return hr_ok();
}

static void hash_spki(const uint8_t spki[CRYPTO_SPKI_BYTES], uint8_t out[WIRE_DIGEST_BYTES])
{
    struct hr_bytes part = hr_bytes_of(spki, CRYPTO_SPKI_BYTES);
    wire_sha256(crypto_hash(), &part, 1, out);
}

static struct hr_status sign(void *ctx, struct hr_bytes message, uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    const struct crypto_signer *signer = ctx;
    uint8_t made[WIRE_SIGNATURE_BYTES];
    size_t written = 0;
    psa_status_t status = psa_sign_message(signer->key_id, PSA_ALG_DETERMINISTIC_ECDSA(PSA_ALG_SHA_256),
                                           message.data, message.len_bytes, made, sizeof made, &written);
    if (status != PSA_SUCCESS || written != sizeof made) {
        return hr_status_of(HR_IO);
    }
    memcpy(signature, made, sizeof made);
    return hr_ok();
}

static struct hr_status import_private(const mbedtls_pk_context *parsed, uint32_t *key_id)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    if (mbedtls_pk_get_psa_attributes(parsed, PSA_KEY_USAGE_SIGN_MESSAGE, &attributes) != 0 ||
        psa_get_key_type(&attributes) != PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1) ||
        psa_get_key_bits(&attributes) != KEY_BITS) {
        return hr_status_of(HR_MALFORMED);
    }
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE);
    psa_set_key_algorithm(&attributes, PSA_ALG_DETERMINISTIC_ECDSA(PSA_ALG_SHA_256));
    mbedtls_svc_key_id_t imported = MBEDTLS_SVC_KEY_ID_INIT;
    if (mbedtls_pk_import_into_psa(parsed, &attributes, &imported) != 0) {
        return hr_status_of(HR_IO);
    }
    *key_id = imported;
    return hr_ok();
}

struct hr_status crypto_signer_load(struct crypto_signer *signer, struct hr_bytes key, uint16_t key_epoch)
{
    if (!crypto_is_started()) {
        return hr_status_of(HR_DENIED);
    }
    mbedtls_pk_context parsed;
    mbedtls_pk_init(&parsed);
    uint32_t key_id = 0;
    int failed = mbedtls_pk_parse_key(&parsed, key.data, key.len_bytes, NULL, 0, mbedtls_psa_get_random,
                                      MBEDTLS_PSA_RANDOM_STATE);
    struct hr_status status = failed == 0 ? import_private(&parsed, &key_id) : hr_status_of(HR_MALFORMED);
    mbedtls_pk_free(&parsed);
    HR_TRY(status);

    status = spki_of(key_id, signer->spki);
    if (!hr_is_ok(status)) {
        (void)psa_destroy_key(key_id);
        return status;
    }
    signer->key_id = key_id;
    signer->port = (struct port_sign){.key_epoch = key_epoch, .sign = sign, .ctx = signer};
    hash_spki(signer->spki, signer->port.spki_sha256);
    return hr_ok();
}

void crypto_signer_unload(struct crypto_signer *signer)
{
    /* A volatile key that can't be destroyed goes with the process. */
    (void)psa_destroy_key(signer->key_id);
    signer->key_id = 0;
}

static struct hr_status verify(void *ctx, uint16_t key_epoch, const uint8_t header[WIRE_HEADER_BYTES],
                               const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    const struct crypto_verifier *verifier = ctx;
    if (key_epoch != verifier->key_epoch) {
        return hr_status_of(HR_NOT_FOUND);
    }
    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(header, verifier->spki_sha256, tbs);
    psa_status_t status = psa_verify_message(verifier->key_id, PSA_ALG_ECDSA(PSA_ALG_SHA_256), tbs,
                                             sizeof tbs, signature, WIRE_SIGNATURE_BYTES);
    if (status == PSA_ERROR_INVALID_SIGNATURE) {
        return hr_status_of(HR_DENIED);
    }
    return status == PSA_SUCCESS ? hr_ok() : hr_status_of(HR_IO);
}

/* HR_MALFORMED: no P-256 key with an uncompressed point on the curve. HR_IO: the key store is full. */
static struct hr_status import_public(const uint8_t spki[CRYPTO_SPKI_BYTES], psa_key_usage_t usage,
                                      mbedtls_svc_key_id_t *out)
{
    if (memcmp(spki, spki_head, sizeof spki_head) != 0) {
        return hr_status_of(HR_MALFORMED);
    }
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_usage_flags(&attributes, usage);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    psa_status_t status = psa_import_key(&attributes, spki + sizeof spki_head, POINT_BYTES, out);
    if (status == PSA_ERROR_INSUFFICIENT_MEMORY) {
        return hr_status_of(HR_IO);
    }
    return hr_status_of(status == PSA_SUCCESS ? HR_OK : HR_MALFORMED);
}

struct hr_status crypto_verify_digest(const uint8_t spki[CRYPTO_SPKI_BYTES],
                                      const uint8_t digest[WIRE_DIGEST_BYTES],
                                      const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    if (!crypto_is_started()) {
        return hr_status_of(HR_IO);
    }
    mbedtls_svc_key_id_t key = MBEDTLS_SVC_KEY_ID_INIT;
    struct hr_status imported = import_public(spki, PSA_KEY_USAGE_VERIFY_HASH, &key);
    if (!hr_is_ok(imported)) {
        return hr_status_of(hr_is(imported, HR_MALFORMED) ? HR_DENIED : HR_IO);
    }
    psa_status_t status = psa_verify_hash(key, PSA_ALG_ECDSA(PSA_ALG_SHA_256), digest, WIRE_DIGEST_BYTES,
                                          signature, WIRE_SIGNATURE_BYTES);
    (void)psa_destroy_key(key);
    if (status == PSA_ERROR_INVALID_SIGNATURE) {
        return hr_status_of(HR_DENIED);
    }
    return hr_status_of(status == PSA_SUCCESS ? HR_OK : HR_IO);
}

struct hr_status crypto_verifier_load(struct crypto_verifier *verifier, const uint8_t spki[CRYPTO_SPKI_BYTES],
                                      uint16_t key_epoch)
{
    if (!crypto_is_started()) {
        return hr_status_of(HR_DENIED);
    }
    mbedtls_svc_key_id_t imported = MBEDTLS_SVC_KEY_ID_INIT;
    HR_TRY(import_public(spki, PSA_KEY_USAGE_VERIFY_MESSAGE, &imported));
    verifier->key_id = imported;
    verifier->key_epoch = key_epoch;
    hash_spki(spki, verifier->spki_sha256);
    verifier->port = (struct port_verify){verify, verifier};
    return hr_ok();
}

void crypto_verifier_unload(struct crypto_verifier *verifier)
{
    (void)psa_destroy_key(verifier->key_id);
    verifier->key_id = 0;
}
