/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/renew/renew.h"

#include "aggregator/token/token.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERIAL_BITS = 127, DAY_S = 86400 };

struct renew_issuer {
    X509 *certificate;
    EVP_PKEY *key;
    struct token *token; /* that the key is in; NULL: none */
};

/* ---- the request ---- */

static bool take_spki(EVP_PKEY *key, uint8_t out[RENEW_SPKI_BYTES])
{
    char group[32] = "";
    size_t len = 0;
    unsigned char *at = out;
    return key != NULL && EVP_PKEY_is_a(key, "EC") == 1 &&
           EVP_PKEY_get_group_name(key, group, sizeof group, &len) == 1 && strcmp(group, "prime256v1") == 0 &&
           i2d_PUBKEY(key, NULL) == RENEW_SPKI_BYTES && i2d_PUBKEY(key, &at) == RENEW_SPKI_BYTES;
}

static bool take_name(const X509_REQ *request, char out[RENEW_NAME_MAX_CHARS + 1])
{
    X509_NAME *subject = X509_REQ_get_subject_name(request);
    out[0] = '\0';
    if (X509_NAME_entry_count(subject) == 0) {
        return true;
    }
    int len = X509_NAME_get_text_by_NID(subject, NID_commonName, out, RENEW_NAME_MAX_CHARS + 1);
    return len > 0 && len <= RENEW_NAME_MAX_CHARS && strlen(out) == (size_t)len;
}

struct hr_status renew_request_read(struct hr_bytes der, struct renew_request *out)
{
    const unsigned char *at = der.data;
    X509_REQ *request =
        der.len_bytes <= RENEW_REQUEST_MAX_BYTES ? d2i_X509_REQ(NULL, &at, (long)der.len_bytes) : NULL;
    EVP_PKEY *key = request != NULL ? X509_REQ_get0_pubkey(request) : NULL;
    struct renew_request read;
    bool good = request != NULL && at == der.data + der.len_bytes && take_spki(key, read.spki) &&
                take_name(request, read.common_name) && X509_REQ_verify(request, key) == 1;
    X509_REQ_free(request);
    ERR_clear_error();
    if (!good) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = read;
    return hr_ok();
}

struct hr_status renew_certificate_ends(struct hr_bytes der, int64_t *utc_ms)
{
    const unsigned char *at = der.data;
    X509 *certificate = der.len_bytes != 0 ? d2i_X509(NULL, &at, (long)der.len_bytes) : NULL;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0;
    int seconds = 0;
    bool good = certificate != NULL && epoch != NULL &&
                ASN1_TIME_diff(&days, &seconds, epoch, X509_get0_notAfter(certificate)) == 1;
    X509_free(certificate);
    ASN1_TIME_free(epoch);
    ERR_clear_error();
    if (!good) {
        return hr_status_of(HR_MALFORMED);
    }
    *utc_ms = ((int64_t)days * DAY_S + seconds) * 1000;
    return hr_ok();
}

/* ---- the issuer ---- */

static struct hr_status complain(const char *path, char *why, size_t why_capacity)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    (void)snprintf(why, why_capacity, "%s: %s", path, reason != NULL ? reason : "no reason given");
    ERR_clear_error();
    return hr_status_of(HR_IO);
}

/* For OpenSSL, which would ask at the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL sets the types of these parameters. */
static int no_passphrase(char *out, int capacity, int is_writing, void *ctx)
{
    (void)out, (void)capacity, (void)is_writing, (void)ctx;
    return 0;
}

/* Nobody is asked for its PIN: its file stands in the reference. */
static struct hr_status open_in_token(struct renew_issuer *issuer, const char *path, const char *line,
                                      char *why, size_t why_capacity)
{
    struct token_reference where;
    struct token_why cause;
    struct hr_status status = token_reference_read(line, &where, &cause);
    if (hr_is_ok(status)) {
        status = token_open(&where, NULL, NULL, &issuer->token, &cause);
    }
    if (hr_is_ok(status)) {
        status = token_key_find(issuer->token, &where, &issuer->key, &cause);
    }
    if (!hr_is_ok(status)) {
        (void)snprintf(why, why_capacity, "%s: %s", path, cause.text);
        return hr_status_of(HR_IO);
    }
    return hr_ok();
}

static bool is_encrypted(const char *path)
{
    char line[64] = "";
    FILE *file = fopen(path, "re");
    const bool has = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    return has && strncmp(line, "-----BEGIN ENCRYPTED", strlen("-----BEGIN ENCRYPTED")) == 0;
}

static struct hr_status read_key(struct renew_issuer *issuer, const char *path, char *why,
                                 size_t why_capacity)
{
    char line[TOKEN_REFERENCE_CHARS];
    if (token_reference_line(path, line)) {
        return open_in_token(issuer, path, line, why, why_capacity);
    }
    BIO *file = BIO_new_file(path, "r");
    issuer->key = file != NULL ? PEM_read_bio_PrivateKey(file, NULL, no_passphrase, NULL) : NULL;
    BIO_free(file);
    if (issuer->key == NULL && is_encrypted(path)) {
        ERR_clear_error();
        (void)snprintf(
            why, why_capacity,
            "%s: is under a passphrase, and nobody is here to ask: give a copy without one of mode 0600 "
            "(`openssl pkey -in ... -out ...`), or a key in a token",
            path);
        return hr_status_of(HR_IO);
    }
    return issuer->key != NULL ? hr_ok() : complain(path, why, why_capacity);
}

static struct hr_status read_files(struct renew_issuer *issuer, const char *certificate_path,
                                   const char *key_path, char *why, size_t why_capacity)
{
    BIO *file = BIO_new_file(certificate_path, "r");
    issuer->certificate = file != NULL ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
    BIO_free(file);
    if (issuer->certificate == NULL) {
        return complain(certificate_path, why, why_capacity);
    }
    HR_TRY(read_key(issuer, key_path, why, why_capacity));
    if (X509_check_ca(issuer->certificate) != 1 ||
        EVP_PKEY_eq(X509_get0_pubkey(issuer->certificate), issuer->key) != 1) {
        ERR_clear_error();
        (void)snprintf(why, why_capacity, "%s: no authority's certificate, or %s is not its key",
                       certificate_path, key_path);
        return hr_status_of(HR_IO);
    }
    return hr_ok();
}

struct hr_status renew_issuer_open(const char *certificate_path, const char *key_path,
                                   struct renew_issuer **out, char *why, size_t why_capacity)
{
    struct renew_issuer *issuer = calloc(1, sizeof *issuer);
    if (issuer == NULL) {
        (void)snprintf(why, why_capacity, "no memory");
        return hr_status_of(HR_IO);
    }
    struct hr_status status = read_files(issuer, certificate_path, key_path, why, why_capacity);
    if (!hr_is_ok(status)) {
        renew_issuer_close(issuer);
        return status;
    }
    *out = issuer;
    return hr_ok();
}

void renew_issuer_close(struct renew_issuer *issuer)
{
    if (issuer != NULL) {
        X509_free(issuer->certificate);
        EVP_PKEY_free(issuer->key);
        token_close(issuer->token);
    }
    free(issuer);
}

/* ---- the certificate ---- */

static bool set_serial(X509 *certificate)
{
    BIGNUM *serial = BN_new();
    bool set = serial != NULL && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
               BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL;
    BN_free(serial);
    return set;
}

/* As `headrace device enrol` gives them: few and short, they cross the air in every handshake. */
static bool add_extensions(X509 *certificate, X509 *issuer)
{
    static const struct {
        int nid;
        const char *value;
    } wanted[] = {{NID_key_usage, "critical,digitalSignature"},
                  {NID_ext_key_usage, "clientAuth"},
                  {NID_authority_key_identifier, "keyid"}};
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    bool added = true;
    for (size_t i = 0; added && i < sizeof wanted / sizeof wanted[0]; i++) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, wanted[i].nid, wanted[i].value);
        added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
        X509_EXTENSION_free(extension);
    }
    return added;
}

static bool fill(X509 *certificate, const struct renew_issuer *issuer, EVP_PKEY *key, const char *common_name,
                 uint32_t days)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1,
                                      -1, 0) == 1 &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -DAY_S) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * DAY_S) != NULL &&
           X509_set_pubkey(certificate, key) == 1 && add_extensions(certificate, issuer->certificate) &&
           X509_sign(certificate, issuer->key, EVP_sha256()) > 0;
}

struct hr_status renew_issue(struct renew_issuer *issuer, const struct renew_request *request,
                             const char *common_name, uint32_t days, uint8_t out[RENEW_CERTIFICATE_MAX_BYTES],
                             size_t *len_bytes)
{
    const unsigned char *at = request->spki;
    unsigned char *end = out;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, RENEW_SPKI_BYTES);
    X509 *certificate = X509_new();
    bool made = key != NULL && certificate != NULL && fill(certificate, issuer, key, common_name, days);
    int len = made ? i2d_X509(certificate, NULL) : 0;
    made = len > 0 && len <= RENEW_CERTIFICATE_MAX_BYTES && i2d_X509(certificate, &end) == len;
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    *len_bytes = made ? (size_t)len : 0;
    return hr_status_of(made ? HR_OK : HR_IO);
}
