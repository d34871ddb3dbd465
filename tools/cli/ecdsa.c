/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/x509.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdio.h>

enum { DIGEST_BYTES = 32, NUMBER_BYTES = 32, DER_MAX_BYTES = 80 };

struct hr_status cli_key_sign_digest(EVP_PKEY *key, const uint8_t digest[32], uint8_t out[64])
{
    uint8_t der[DER_MAX_BYTES];
    size_t len = sizeof der;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool made = context != NULL && EVP_PKEY_sign_init(context) == 1 &&
                EVP_PKEY_sign(context, der, &len, digest, DIGEST_BYTES) == 1;
    EVP_PKEY_CTX_free(context);
    const uint8_t *at = der;
    ECDSA_SIG *signature = made ? d2i_ECDSA_SIG(NULL, &at, (long)len) : NULL;
    made = signature != NULL &&
           BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, NUMBER_BYTES) == NUMBER_BYTES &&
           BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + NUMBER_BYTES, NUMBER_BYTES) == NUMBER_BYTES;
    ECDSA_SIG_free(signature);
    if (!made) {
        (void)fputs("headrace: the key can't sign: not a P-256 key?\n", stderr);
        ERR_clear_error();
    }
    return hr_status_of(made ? HR_OK : HR_IO);
}

/* DER of r and s; 0: no memory. */
static int der_of(const uint8_t signature[64], uint8_t out[DER_MAX_BYTES])
{
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, NUMBER_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(signature + NUMBER_BYTES, NUMBER_BYTES, NULL);
    int len = 0;
    if (numbers != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(numbers, r, s) == 1) {
        len = i2d_ECDSA_SIG(numbers, &out); /* at most 72 bytes */
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(numbers);
    return len;
}

struct hr_status cli_spki_verify_digest(const uint8_t spki[CLI_SPKI_BYTES], const uint8_t digest[32],
                                        const uint8_t signature[64])
{
    uint8_t der[DER_MAX_BYTES];
    const uint8_t *at = spki;
    int len = der_of(signature, der);
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, CLI_SPKI_BYTES);
    EVP_PKEY_CTX *context = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool good = len > 0 && context != NULL && EVP_PKEY_is_a(key, "EC") == 1 &&
                EVP_PKEY_verify_init(context) == 1 &&
                EVP_PKEY_verify(context, der, (size_t)len, digest, DIGEST_BYTES) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return hr_status_of(good ? HR_OK : HR_DENIED);
}
