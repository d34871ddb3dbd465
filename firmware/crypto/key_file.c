/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/x509_crt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_FILE_MAX_BYTES = CRYPTO_KEY_FILE_MAX_BYTES, NOT_THE_OWNERS = 0077 };

static __attribute__((format(printf, 3, 4))) struct hr_status
refuse(struct crypto_fault *fault, enum hr_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return hr_status_of(code);
}

/* Below 0: it can't be opened, and *status and *fault say why. */
static int open_file(const char *path, struct crypto_fault *fault, struct hr_status *status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *status = refuse(fault, errno == ENOENT ? HR_NOT_FOUND : HR_IO, "%s: %s", path, strerror(errno));
    }
    return fd;
}

static struct hr_status check_mode(int fd, const char *path, bool private_key, struct crypto_fault *fault)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return refuse(fault, HR_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return refuse(fault, HR_IO, "%s: not a regular file", path);
    }
    if (private_key && (info.st_mode & NOT_THE_OWNERS) != 0) {
        return refuse(
            fault, HR_DENIED,
            "%s: a private key that others may use (mode %04o); make it its owner's only: chmod 600", path,
            (unsigned)info.st_mode & 07777u);
    }
    return hr_ok();
}

static struct hr_status fill(int fd, const char *path, uint8_t *out, size_t capacity_bytes, size_t *len_bytes,
                             struct crypto_fault *fault)
{
    size_t at = 0;
    for (;;) {
        ssize_t got = read(fd, out + at, capacity_bytes - at);
        if (got < 0) {
            return refuse(fault, HR_IO, "%s: %s", path, strerror(errno));
        }
        if (got == 0) {
            break;
        }
        at += (size_t)got;
        if (at == capacity_bytes) {
            return refuse(fault, HR_MALFORMED, "%s: longer than the %zu bytes that it may have", path,
                          capacity_bytes);
        }
    }
    *len_bytes = at;
    return hr_ok();
}

/* Mode and content are those of one open file, so that it can't be exchanged in between. */
static struct hr_status read_key_file(const char *path, uint8_t out[KEY_FILE_MAX_BYTES], size_t *len_bytes,
                                      struct crypto_fault *fault)
{
    struct hr_status status = hr_ok();
    int fd = open_file(path, fault, &status);
    if (fd < 0) {
        return status;
    }
    status = check_mode(fd, path, true, fault);
    if (hr_is_ok(status)) {
        status = fill(fd, path, out, KEY_FILE_MAX_BYTES, len_bytes, fault);
    }
    (void)close(fd);
    return status;
}

struct hr_status crypto_key_file_read(const char *path, uint8_t out[CRYPTO_KEY_FILE_MAX_BYTES + 1],
                                      size_t *len_bytes, struct crypto_fault *fault)
{
    HR_TRY(read_key_file(path, out, len_bytes, fault));
    out[*len_bytes] = 0;
    return hr_ok();
}

struct hr_status crypto_signer_load_file(struct crypto_signer *signer, const char *path, uint16_t key_epoch,
                                         struct crypto_fault *fault)
{
    uint8_t text[KEY_FILE_MAX_BYTES + 1];
    size_t len_bytes = 0;
    HR_TRY(read_key_file(path, text, &len_bytes, fault));
    /* PEM needs its terminating zero counted, DER must not have one. */
    text[len_bytes] = 0;
    struct hr_status status = crypto_signer_load(signer, hr_bytes_of(text, len_bytes + 1), key_epoch);
    if (hr_is(status, HR_MALFORMED)) {
        status = crypto_signer_load(signer, hr_bytes_of(text, len_bytes), key_epoch);
    }
    mbedtls_platform_zeroize(text, sizeof text);
    if (hr_is(status, HR_MALFORMED)) {
        return refuse(fault, HR_MALFORMED, "%s: not an unencrypted P-256 private key in PEM or DER", path);
    }
    if (!hr_is_ok(status)) {
        return refuse(fault, status.code, "%s: the key store refused the key", path);
    }
    return status;
}

static struct hr_status parse_certificates(const char *path, mbedtls_x509_crt *out,
                                           struct crypto_fault *fault)
{
    struct hr_status status = hr_ok();
    int fd = open_file(path, fault, &status);
    if (fd < 0) {
        return status;
    }
    status = check_mode(fd, path, false, fault);
    (void)close(fd);
    HR_TRY(status);
    int failed = mbedtls_x509_crt_parse_file(out, path);
    if (failed != 0) {
        return refuse(fault, HR_MALFORMED, "%s: not a certificate in PEM (mbedTLS -0x%04x)", path,
                      (unsigned)(failed > 0 ? failed : -failed));
    }
    return hr_ok();
}

struct hr_status crypto_certificates_check(const char *path, struct crypto_fault *fault)
{
    mbedtls_x509_crt certificates;
    mbedtls_x509_crt_init(&certificates);
    struct hr_status status = parse_certificates(path, &certificates, fault);
    mbedtls_x509_crt_free(&certificates);
    return status;
}

struct hr_status crypto_certificate_check_der(struct hr_bytes der)
{
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    bool is_one = mbedtls_x509_crt_parse_der(&certificate, der.data, der.len_bytes) == 0 &&
                  certificate.raw.len == der.len_bytes && certificate.next == NULL;
    mbedtls_x509_crt_free(&certificate);
    return hr_status_of(is_one ? HR_OK : HR_MALFORMED);
}

struct hr_status crypto_certificate_pem(struct hr_bytes der, char *out, size_t capacity_bytes,
                                        size_t *len_bytes)
{
    size_t with_nul = 0;
    if (mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", der.data,
                                 der.len_bytes, (unsigned char *)out, capacity_bytes, &with_nul) != 0) {
        return hr_status_of(HR_FULL);
    }
    *len_bytes = with_nul - 1;
    return hr_ok();
}

static struct hr_status check_pair(mbedtls_x509_crt *certificate, const char *certificate_path,
                                   const char *key_path, struct crypto_fault *fault)
{
    uint8_t text[KEY_FILE_MAX_BYTES + 1];
    size_t len_bytes = 0;
    HR_TRY(read_key_file(key_path, text, &len_bytes, fault));
    text[len_bytes] = 0;
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    int unparsed = mbedtls_pk_parse_key(&key, text, len_bytes + 1, NULL, 0, mbedtls_psa_get_random,
                                        MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_platform_zeroize(text, sizeof text);
    int unpaired = unparsed != 0 ? unparsed
                                 : mbedtls_pk_check_pair(&certificate->pk, &key, mbedtls_psa_get_random,
                                                         MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_pk_free(&key);
    if (unparsed != 0) {
        return refuse(fault, HR_MALFORMED, "%s: not an unencrypted private key in PEM", key_path);
    }
    if (unpaired != 0) {
        return refuse(fault, HR_DENIED, "%s: not the key of the certificate in %s", key_path,
                      certificate_path);
    }
    return hr_ok();
}

struct hr_status crypto_key_pair_check(const char *certificate_path, const char *key_path,
                                       struct crypto_fault *fault)
{
    mbedtls_x509_crt certificate;
    mbedtls_x509_crt_init(&certificate);
    struct hr_status status = parse_certificates(certificate_path, &certificate, fault);
    if (hr_is_ok(status)) {
        status = check_pair(&certificate, certificate_path, key_path, fault);
    }
    mbedtls_x509_crt_free(&certificate);
    return status;
}
