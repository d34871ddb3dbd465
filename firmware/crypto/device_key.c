/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/device_key.h"

#include "firmware/crypto/internal.h"
#include "proto/base/wipe.h"

#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <string.h>

enum { KEY_BITS = 256, SCALAR_BYTES = 32, POINT_BYTES = 65 };

/* RFC 5915: version 1 and the scalar; the curve; the head of the point. */
static const uint8_t before_scalar[] = {0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20};
static const uint8_t before_point[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
                                       0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00};
_Static_assert(sizeof before_scalar + SCALAR_BYTES + sizeof before_point + POINT_BYTES == CRYPTO_KEY_BYTES,
               "the parts are the key");

struct hr_status crypto_random_fill(uint8_t *out, size_t len_bytes)
{
    if (!crypto_is_started()) {
        return hr_status_of(HR_IO);
    }
    return hr_status_of(psa_generate_random(out, len_bytes) == PSA_SUCCESS ? HR_OK : HR_IO);
}

static struct hr_status export_key(mbedtls_svc_key_id_t key_id, uint8_t out[CRYPTO_KEY_BYTES])
{
    uint8_t *at = out;
    size_t n_scalar = 0;
    size_t n_point = 0;
    memcpy(at, before_scalar, sizeof before_scalar);
    at += sizeof before_scalar;
    psa_status_t status = psa_export_key(key_id, at, SCALAR_BYTES, &n_scalar);
    at += SCALAR_BYTES;
    memcpy(at, before_point, sizeof before_point);
    at += sizeof before_point;
    if (status == PSA_SUCCESS) {
        status = psa_export_public_key(key_id, at, POINT_BYTES, &n_point);
    }
    const bool good = status == PSA_SUCCESS && n_scalar == SCALAR_BYTES && n_point == POINT_BYTES;
    if (!good) {
        hr_wipe(out, CRYPTO_KEY_BYTES);
    }
    return hr_status_of(good ? HR_OK : HR_IO);
}

struct hr_status crypto_key_new(uint8_t out[CRYPTO_KEY_BYTES])
{
    if (!crypto_is_started()) {
        return hr_status_of(HR_DENIED);
    }
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, KEY_BITS);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT);
    mbedtls_svc_key_id_t key_id = MBEDTLS_SVC_KEY_ID_INIT;
    if (psa_generate_key(&attributes, &key_id) != PSA_SUCCESS) {
        return hr_status_of(HR_IO);
    }
    struct hr_status status = export_key(key_id, out);
    (void)psa_destroy_key(key_id);
    return status;
}

/* Parses one certificate where it stands. Free it (mbedtls_x509_crt_free) in any case. */
static struct hr_status parse(struct hr_bytes der, mbedtls_x509_crt *out)
{
    mbedtls_x509_crt_init(out);
    const int failed = mbedtls_x509_crt_parse_der_nocopy(out, der.data, der.len_bytes);
    return hr_status_of(failed == 0 && out->raw.len == der.len_bytes ? HR_OK : HR_MALFORMED);
}

struct hr_status crypto_certificate_is_of(struct hr_bytes certificate, const uint8_t spki[CRYPTO_SPKI_BYTES])
{
    mbedtls_x509_crt parsed;
    struct hr_status status = parse(certificate, &parsed);
    if (hr_is_ok(status) &&
        (parsed.pk_raw.len != CRYPTO_SPKI_BYTES || memcmp(parsed.pk_raw.p, spki, CRYPTO_SPKI_BYTES) != 0)) {
        status = hr_status_of(HR_DENIED);
    }
    mbedtls_x509_crt_free(&parsed);
    return status;
}

struct hr_status crypto_certificate_names(struct hr_bytes certificate, const char *common_name)
{
    mbedtls_x509_crt parsed;
    struct hr_status status = parse(certificate, &parsed);
    const mbedtls_x509_name *name = &parsed.subject;
    const size_t n_chars = strlen(common_name);
    if (hr_is_ok(status) && (name->next != NULL || MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) != 0 ||
                             name->val.len != n_chars || memcmp(name->val.p, common_name, n_chars) != 0)) {
        status = hr_status_of(HR_DENIED);
    }
    mbedtls_x509_crt_free(&parsed);
    return status;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
    int32_t y = month <= 2 ? year - 1 : year;
    int32_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + of_year - 719468;
}

static uint64_t seconds_of(const mbedtls_x509_time *moment)
{
    int64_t seconds = days_of(moment->year, moment->mon, moment->day) * 86400 + (int64_t)moment->hour * 3600 +
                      (int64_t)moment->min * 60 + moment->sec;
    return seconds > 0 ? (uint64_t)seconds : 1;
}

void crypto_facts_of(const mbedtls_x509_crt *certificate, struct crypto_certificate_facts *out)
{
    const struct hr_bytes spki = hr_bytes_of(certificate->pk_raw.p, certificate->pk_raw.len);
    out->begins_s = seconds_of(&certificate->valid_from);
    out->ends_s = seconds_of(&certificate->valid_to);
    wire_sha256(crypto_hash(), &spki, 1, out->spki_sha256);
}

struct hr_status crypto_certificate_read(struct hr_bytes certificate, struct crypto_certificate_facts *out)
{
    mbedtls_x509_crt parsed;
    struct hr_status status = parse(certificate, &parsed);
    if (hr_is_ok(status)) {
        crypto_facts_of(&parsed, out);
    }
    mbedtls_x509_crt_free(&parsed);
    return status;
}

void crypto_device_name(uint64_t device_id, char out[CRYPTO_DEVICE_NAME_CHARS + 1])
{
    static const char prefix[] = "headrace-device-";
    static const char digits[] = "0123456789abcdef";
    memcpy(out, prefix, sizeof prefix - 1);
    for (size_t i = 0; i < CRYPTO_DEVICE_NAME_CHARS - (sizeof prefix - 1); i++) {
        out[sizeof prefix - 1 + i] = digits[device_id >> (60 - 4 * i) & 15u];
    }
    out[CRYPTO_DEVICE_NAME_CHARS] = '\0';
}

struct hr_status crypto_certificate_signs(struct hr_bytes certificate)
{
    mbedtls_x509_crt parsed;
    struct hr_status status = parse(certificate, &parsed);
    if (hr_is_ok(status) && parsed.MBEDTLS_PRIVATE(ca_istrue) == 0) {
        status = hr_status_of(HR_MALFORMED);
    }
    mbedtls_x509_crt_free(&parsed);
    return status;
}
