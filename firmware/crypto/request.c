/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/request.h"

#include "firmware/crypto/internal.h"

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <stdio.h>
#include <string.h>

enum { SUBJECT_MAX_CHARS = 96 };

struct hr_status crypto_transport_key_make(char out[CRYPTO_KEY_PEM_MAX_BYTES])
{
    if (!crypto_is_started()) {
        return hr_status_of(HR_IO);
    }
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    bool made = mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0 &&
                mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), mbedtls_psa_get_random,
                                    MBEDTLS_PSA_RANDOM_STATE) == 0 &&
                mbedtls_pk_write_key_pem(&key, (unsigned char *)out, CRYPTO_KEY_PEM_MAX_BYTES) == 0;
    mbedtls_pk_free(&key);
    return hr_status_of(made ? HR_OK : HR_IO);
}

static bool parse_key(const char *pem, mbedtls_pk_context *out)
{
    mbedtls_pk_init(out);
    return crypto_is_started() &&
           mbedtls_pk_parse_key(out, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0,
                                mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE) == 0;
}

struct hr_status crypto_request_make(const char *key_pem, const char *common_name,
                                     uint8_t out[CRYPTO_REQUEST_MAX_BYTES], size_t *len_bytes)
{
    char subject[SUBJECT_MAX_CHARS];
    mbedtls_pk_context key;
    mbedtls_x509write_csr request;
    (void)snprintf(subject, sizeof subject, "CN=%s", common_name);
    if (!parse_key(key_pem, &key)) {
        mbedtls_pk_free(&key);
        return hr_status_of(HR_MALFORMED);
    }
    mbedtls_x509write_csr_init(&request);
    mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
    mbedtls_x509write_csr_set_key(&request, &key);
    int len = mbedtls_x509write_csr_set_subject_name(&request, subject) == 0
                  ? mbedtls_x509write_csr_der(&request, out, CRYPTO_REQUEST_MAX_BYTES, mbedtls_psa_get_random,
                                              MBEDTLS_PSA_RANDOM_STATE)
                  : 0;
    mbedtls_x509write_csr_free(&request);
    mbedtls_pk_free(&key);
    if (len <= 0) {
        return hr_status_of(HR_IO);
    }
    memmove(out, out + CRYPTO_REQUEST_MAX_BYTES - len, (size_t)len); /* mbedTLS writes from the end */
    *len_bytes = (size_t)len;
    return hr_ok();
}

bool crypto_certificate_is_of_pem(struct hr_bytes certificate, const char *key_pem)
{
    mbedtls_pk_context key;
    mbedtls_x509_crt parsed;
    mbedtls_x509_crt_init(&parsed);
    bool is_of =
        parse_key(key_pem, &key) &&
        mbedtls_x509_crt_parse_der(&parsed, certificate.data, certificate.len_bytes) == 0 &&
        parsed.raw.len == certificate.len_bytes &&
        mbedtls_pk_check_pair(&parsed.pk, &key, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE) == 0;
    mbedtls_x509_crt_free(&parsed);
    mbedtls_pk_free(&key);
    return is_of;
}

struct hr_status crypto_certificate_file_read(const char *path, struct crypto_certificate_facts *out)
{
    mbedtls_x509_crt parsed;
    mbedtls_x509_crt_init(&parsed);
    const bool read = mbedtls_x509_crt_parse_file(&parsed, path) == 0;
    if (read) {
        crypto_facts_of(&parsed, out);
    }
    mbedtls_x509_crt_free(&parsed);
    return hr_status_of(read ? HR_OK : HR_IO);
}
