/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/x509.h"

#include "proto/base/assert.h"
#include "tools/cli/passphrase.h"
#include "tools/cli/token_keys.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

enum { SERIAL_BITS = 127, BACKDATE_S = 86400, DAY_S = 86400, NAMES_MAX_CHARS = 1024, PBKDF2_ROUNDS = 600000 };

static struct hr_status complain(const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    (void)fprintf(stderr, "headrace: %s: %s\n", what, reason != NULL ? reason : "no reason given");
    ERR_clear_error();
    return hr_status_of(HR_IO);
}

struct hr_status cli_key_new(EVP_PKEY **out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (key == NULL) {
        return complain("can't make a key");
    }
    *out = key;
    return hr_ok();
}

struct wanted_passphrase {
    char path[1024];
    bool is_missing; /* it was told */
};

/* For OpenSSL: the passphrase of a key's file; -1: there is none. */
static int give_passphrase(char *out, int capacity, int is_writing, void *ctx)
{
    struct wanted_passphrase *wanted = ctx;
    const char *text = NULL;
    size_t len = 0;
    (void)is_writing;
    /* OpenSSL asks twice before it gives up. */
    if (wanted->is_missing || !hr_is_ok(cli_passphrase(wanted->path, false, &text, &len)) ||
        len > (size_t)capacity) {
        wanted->is_missing = true;
        return -1;
    }
    memcpy(out, text, len);
    return (int)len;
}

struct hr_status cli_key_read(const char *path, EVP_PKEY **out)
{
    struct wanted_passphrase wanted = {.is_missing = false};
    (void)snprintf(wanted.path, sizeof wanted.path, "%s", path);
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *key = file != NULL ? PEM_read_bio_PrivateKey(file, NULL, give_passphrase, &wanted) : NULL;
    BIO_free(file);
    if (key == NULL && cli_key_is_encrypted(path)) {
        if (!wanted.is_missing) {
            (void)fprintf(stderr,
                          "headrace: %s: not with this passphrase, or the file is damaged: say it again with "
                          "the right one, or fetch the file from its second place; nothing was signed\n",
                          path);
        }
        ERR_clear_error();
        return hr_status_of(HR_IO);
    }
    if (key == NULL && cli_token_is_named(path)) {
        ERR_clear_error();
        return cli_token_key_read(path, out);
    }
    if (key == NULL) {
        return complain(path);
    }
    *out = key;
    return hr_ok();
}

bool cli_key_is_encrypted(const char *path)
{
    char line[64] = "";
    FILE *file = fopen(path, "re");
    bool has = file != NULL && fgets(line, sizeof line, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    return has && strncmp(line, "-----BEGIN ENCRYPTED", strlen("-----BEGIN ENCRYPTED")) == 0;
}

/* Takes what was written to the memory, and frees it. */
static struct hr_status take_pem(BIO *memory, bool written, struct cli_pem *out)
{
    char *text = NULL;
    long len = memory != NULL && written ? BIO_get_mem_data(memory, &text) : 0;
    if (len <= 0 || (size_t)len > sizeof(out->text)) {
        BIO_free(memory);
        return complain("can't write PEM");
    }
    memcpy(out->text, text, (size_t)len);
    out->len_bytes = (size_t)len;
    BIO_free(memory);
    return hr_ok();
}

struct hr_status cli_key_pem(EVP_PKEY *key, struct cli_pem *out)
{
    BIO *memory = BIO_new(BIO_s_secmem());
    bool written =
        memory != NULL && PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1;
    return take_pem(memory, written, out);
}

/* NULL: OpenSSL could not. The older way to write PKCS#8 has 2,048 rounds and can't have more. */
static X509_SIG *encrypt(EVP_PKEY *key, const char *passphrase, size_t len)
{
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
    X509_ALGOR *how = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), PBKDF2_ROUNDS, NULL, 0, NULL, NID_hmacWithSHA256);
    X509_SIG *encrypted =
        plain != NULL && how != NULL ? PKCS8_set0_pbe(passphrase, (int)len, plain, how) : NULL;
    if (encrypted == NULL) {
        X509_ALGOR_free(how); /* otherwise it is part of what came out */
    }
    PKCS8_PRIV_KEY_INFO_free(plain);
    return encrypted;
}

struct hr_status cli_key_encrypted_pem(EVP_PKEY *key, const char *what, struct cli_pem *out)
{
    const char *passphrase = NULL;
    size_t len = 0;
    HR_TRY(cli_passphrase(what, true, &passphrase, &len));
    X509_SIG *encrypted = encrypt(key, passphrase, len);
    BIO *memory = BIO_new(BIO_s_mem());
    bool written = encrypted != NULL && memory != NULL && PEM_write_bio_PKCS8(memory, encrypted) == 1;
    X509_SIG_free(encrypted);
    return take_pem(memory, written, out);
}

struct hr_status cli_key_public_pem(EVP_PKEY *key, struct cli_pem *out)
{
    BIO *memory = BIO_new(BIO_s_mem());
    return take_pem(memory, memory != NULL && PEM_write_bio_PUBKEY(memory, key) == 1, out);
}

struct hr_status cli_key_spki(EVP_PKEY *key, uint8_t out[CLI_SPKI_BYTES])
{
    if (i2d_PUBKEY(key, NULL) != CLI_SPKI_BYTES) {
        return complain("not a P-256 key");
    }
    unsigned char *at = out;
    (void)i2d_PUBKEY(key, &at);
    return hr_ok();
}

struct hr_status cli_certificate_read(const char *path, X509 **out)
{
    BIO *file = BIO_new_file(path, "r");
    X509 *certificate = file != NULL ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
    BIO_free(file);
    if (certificate == NULL) {
        return complain(path);
    }
    *out = certificate;
    return hr_ok();
}

struct hr_status cli_certificate_pem(X509 *certificate, struct cli_pem *out)
{
    BIO *memory = BIO_new(BIO_s_mem());
    return take_pem(memory, memory != NULL && PEM_write_bio_X509(memory, certificate) == 1, out);
}

struct hr_status cli_key_der(EVP_PKEY *key, struct cli_der *out)
{
    int len = i2d_PrivateKey(key, NULL);
    unsigned char *at = out->bytes;
    if (len <= 0 || (size_t)len > sizeof(out->bytes) || i2d_PrivateKey(key, &at) != len) {
        return complain("can't write a key as DER");
    }
    out->len_bytes = (size_t)len;
    return hr_ok();
}

struct hr_status cli_certificate_der(X509 *certificate, struct cli_der *out)
{
    int len = i2d_X509(certificate, NULL);
    unsigned char *at = out->bytes;
    if (len <= 0 || (size_t)len > sizeof(out->bytes) || i2d_X509(certificate, &at) != len) {
        return complain("can't write a certificate as DER");
    }
    out->len_bytes = (size_t)len;
    return hr_ok();
}

struct hr_status cli_pem_key(const struct cli_pem *pem, EVP_PKEY **out)
{
    BIO *memory = BIO_new_mem_buf(pem->text, (int)pem->len_bytes);
    EVP_PKEY *key = memory != NULL ? PEM_read_bio_PrivateKey(memory, NULL, NULL, NULL) : NULL;
    BIO_free(memory);
    if (key == NULL) {
        return complain("can't read a key");
    }
    *out = key;
    return hr_ok();
}

struct hr_status cli_pem_certificate(const struct cli_pem *pem, X509 **out)
{
    BIO *memory = BIO_new_mem_buf(pem->text, (int)pem->len_bytes);
    X509 *certificate = memory != NULL ? PEM_read_bio_X509(memory, NULL, NULL, NULL) : NULL;
    BIO_free(memory);
    if (certificate == NULL) {
        return complain("can't read a certificate");
    }
    *out = certificate;
    return hr_ok();
}

void cli_pem_wipe(struct cli_pem *pem)
{
    OPENSSL_cleanse(pem, sizeof(*pem));
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *serial = BN_new();
    bool set = serial != NULL && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
               BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL;
    BN_free(serial);
    return set;
}

static bool add_name(X509_NAME *subject, const char *kind, const char *value)
{
    return X509_NAME_add_entry_by_txt(subject, kind, MBSTRING_UTF8, (const unsigned char *)value, -1, -1,
                                      0) == 1;
}

static bool set_names(X509 *certificate, const struct cli_certificate *wanted, X509 *issuer)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    return (wanted->unit == NULL || add_name(subject, "OU", wanted->unit)) &&
           add_name(subject, "CN", wanted->common_name) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

/* "DNS:agg.example,IP:192.0.2.1" */
static struct hr_status write_alternative_names(const struct cli_certificate *wanted, char *out,
                                                size_t capacity)
{
    size_t at = 0;
    for (size_t i = 0; i < wanted->n_names; i++) {
        uint8_t address[16];
        const char *name = wanted->names[i];
        bool is_address = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
        if (name[0] == '\0' || strchr(name, ',') != NULL) {
            (void)fprintf(stderr, "headrace: '%s' is neither a DNS name nor an address\n", name);
            return hr_status_of(HR_MALFORMED);
        }
        int used =
            snprintf(out + at, capacity - at, "%s%s:%s", i > 0 ? "," : "", is_address ? "IP" : "DNS", name);
        if (used < 0 || (size_t)used >= capacity - at) {
            (void)fputs("headrace: too many names for one certificate\n", stderr);
            return hr_status_of(HR_MALFORMED);
        }
        at += (size_t)used;
    }
    return hr_ok();
}

struct extension {
    int nid;
    const char *value;
};

struct profile {
    struct extension extensions[5];
    size_t n_extensions;
};

/* By role. Devices' are few and short: they cross the air in every handshake. */
static const struct profile profiles[] = {
    [CLI_ROLE_ROOT] = {{{NID_basic_constraints, "critical,CA:TRUE"},
                        {NID_key_usage, "critical,keyCertSign,cRLSign"},
                        {NID_subject_key_identifier, "hash"}},
                       3},
    [CLI_ROLE_ISSUER] = {{{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                          {NID_key_usage, "critical,keyCertSign,cRLSign"},
                          {NID_subject_key_identifier, "hash"},
                          {NID_authority_key_identifier, "keyid"}},
                         4},
    [CLI_ROLE_SERVER] = {{{NID_key_usage, "critical,digitalSignature"},
                          {NID_ext_key_usage, "serverAuth"},
                          {NID_authority_key_identifier, "keyid"}},
                         3},
    [CLI_ROLE_DEVICE] = {{{NID_key_usage, "critical,digitalSignature"},
                          {NID_ext_key_usage, "clientAuth"},
                          {NID_authority_key_identifier, "keyid"}},
                         3},
    [CLI_ROLE_OPERATOR] = {{{NID_key_usage, "critical,digitalSignature"},
                            {NID_ext_key_usage, "clientAuth"},
                            {NID_authority_key_identifier, "keyid"}},
                           3},
};

static bool fill_certificate(X509 *certificate, const struct cli_certificate *wanted, EVP_PKEY *subject_key,
                             X509 *issuer)
{
    bool filled = X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
                  set_names(certificate, wanted, issuer) &&
                  X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATE_S) != NULL &&
                  X509_gmtime_adj(X509_getm_notAfter(certificate), (long)wanted->days * DAY_S) != NULL &&
                  X509_set_pubkey(certificate, subject_key) == 1;
    const struct profile *profile = &profiles[wanted->role];
    for (size_t i = 0; filled && i < profile->n_extensions; i++) {
        filled = add_extension(certificate, issuer, profile->extensions[i].nid, profile->extensions[i].value);
    }
    return filled;
}

struct hr_status cli_certificate_issue(const struct cli_certificate *wanted, EVP_PKEY *subject_key,
                                       const struct cli_issuer *issuer, X509 **out)
{
    HR_ASSERT((issuer == NULL) == (wanted->role == CLI_ROLE_ROOT));
    char names[NAMES_MAX_CHARS] = "";
    if (issuer != NULL && EVP_PKEY_eq(X509_get0_pubkey(issuer->certificate), issuer->key) != 1) {
        (void)fprintf(stderr, "headrace: %s: its .key is not that of its .crt; nothing was signed\n",
                      issuer->name);
        return hr_status_of(HR_DENIED);
    }
    HR_TRY(write_alternative_names(wanted, names, sizeof(names)));
    X509 *certificate = X509_new();
    if (certificate == NULL) {
        return complain("can't make a certificate");
    }
    bool issued = fill_certificate(certificate, wanted, subject_key,
                                   issuer != NULL ? issuer->certificate : certificate);
    if (issued && wanted->n_names > 0) {
        issued = add_extension(certificate, certificate, NID_subject_alt_name, names);
    }
    issued = issued && X509_sign(certificate, issuer != NULL ? issuer->key : subject_key, EVP_sha256()) > 0;
    if (!issued) {
        X509_free(certificate);
        return complain("can't issue the certificate");
    }
    *out = certificate;
    return hr_ok();
}
