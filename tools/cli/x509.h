/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and certificates of the transport (RFC 5280, P-256 with SHA-256 throughout), by way of OpenSSL. Every
 * failure is told on stderr with OpenSSL's reason and leaves nothing behind; keys and certificates that come
 * out belong to the caller. */
#ifndef CLI_X509_H
#define CLI_X509_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

enum { CLI_PEM_MAX_BYTES = 4096, CLI_DER_MAX_BYTES = 2048, CLI_SPKI_BYTES = 91 };

/* Text of a key or certificate. A private key's should be wiped after use: cli_pem_wipe. */
struct cli_pem {
    char text[CLI_PEM_MAX_BYTES];
    size_t len_bytes;
};

/* The same as DER. */
struct cli_der {
    uint8_t bytes[CLI_DER_MAX_BYTES];
    size_t len_bytes;
};

enum cli_role {
    CLI_ROLE_ROOT,     /* signs itself, and issuers */
    CLI_ROLE_ISSUER,   /* signs devices or servers; path length 0 */
    CLI_ROLE_SERVER,   /* extended key usage serverAuth */
    CLI_ROLE_DEVICE,   /* extended key usage clientAuth */
    CLI_ROLE_OPERATOR, /* likewise, with the unit */
};

struct cli_token_place;

struct cli_certificate {
    enum cli_role role;
    const char *common_name;
    const char *unit;         /* organizational unit; NULL: none. Of an operator: what he may do */
    const char *const *names; /* of a server: DNS names and IP addresses */
    size_t n_names;
    int days;
    bool is_encrypted;    /* its key; of a root or an issuer */
    const char *key_name; /* under a passphrase of its own, when there is one: "root-b"; NULL: none */
    const struct cli_token_place *place; /* the token in which its key is made; NULL: a file */
};

/* Who signs. A root's own certificate has none. */
struct cli_issuer {
    const char *name; /* "server-ca": of its files */
    X509 *certificate;
    EVP_PKEY *key;
};

HR_MUST_USE struct hr_status cli_key_new(EVP_PKEY **out);
/* Of an encrypted key the passphrase is found as passphrase.h says, of one in a token as token_keys.h says.
 */
HR_MUST_USE struct hr_status cli_key_read(const char *path, EVP_PKEY **out);
/* Is the key in this file encrypted? False also when it can't be read. */
bool cli_key_is_encrypted(const char *path);
/* PKCS#8, AES-256-CBC with a key of PBKDF2 (HMAC-SHA-256, 600,000 rounds). Errors of cli_passphrase. */
HR_MUST_USE struct hr_status cli_key_encrypted_pem(EVP_PKEY *key, const char *what, struct cli_pem *out);
HR_MUST_USE struct hr_status cli_key_pem(EVP_PKEY *key, struct cli_pem *out); /* PKCS#8, not encrypted */
HR_MUST_USE struct hr_status cli_key_public_pem(EVP_PKEY *key,
                                                struct cli_pem *out); /* SubjectPublicKeyInfo */
HR_MUST_USE struct hr_status cli_key_spki(EVP_PKEY *key, uint8_t out[CLI_SPKI_BYTES]); /* the same in DER */

HR_MUST_USE struct hr_status cli_key_der(EVP_PKEY *key, struct cli_der *out); /* ECPrivateKey, RFC 5915 */
HR_MUST_USE struct hr_status cli_pem_key(const struct cli_pem *pem, EVP_PKEY **out);
HR_MUST_USE struct hr_status cli_pem_certificate(const struct cli_pem *pem, X509 **out);

/* issuer is NULL for a root. HR_MALFORMED: a name that fits no certificate. */
HR_MUST_USE struct hr_status cli_certificate_issue(const struct cli_certificate *wanted,
                                                   EVP_PKEY *subject_key, const struct cli_issuer *issuer,
                                                   X509 **out);
/* ES256 over a SHA-256. HR_IO: the key can't. */
HR_MUST_USE struct hr_status cli_key_sign_digest(EVP_PKEY *key, const uint8_t digest[32], uint8_t out[64]);
/* HR_DENIED: no P-256 key, or not its signature; nothing is told. */
HR_MUST_USE struct hr_status cli_spki_verify_digest(const uint8_t spki[CLI_SPKI_BYTES],
                                                    const uint8_t digest[32], const uint8_t signature[64]);

HR_MUST_USE struct hr_status cli_certificate_read(const char *path, X509 **out);
HR_MUST_USE struct hr_status cli_certificate_pem(X509 *certificate, struct cli_pem *out);
HR_MUST_USE struct hr_status cli_certificate_der(X509 *certificate, struct cli_der *out);

void cli_pem_wipe(struct cli_pem *pem);

#endif
