/* SPDX-License-Identifier: Apache-2.0
 *
 * Private keys that stay in a PKCS#11 token: found, used through OpenSSL, and made there. libp11 gives them
 * as an EVP_PKEY that signs like any other; what libp11 has not (keys on elliptic curves are made in the
 * token) is asked of the module itself. Nothing is printed: `why` tells, and is empty when whoever gives the
 * PIN has told. A process loads a module once, however many of its tokens are open. [one thread] */
#ifndef TOKEN_TOKEN_H
#define TOKEN_TOKEN_H

#include "proto/base/status.h"

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TOKEN_PATH_CHARS = 512,
    TOKEN_LABEL_CHARS = 33, /* PKCS#11: 32 bytes */
    TOKEN_OBJECT_CHARS = 128,
    TOKEN_ID_MAX_BYTES = 32,
    TOKEN_PIN_CHARS = 256,
    TOKEN_REFERENCE_CHARS = 1024,
    TOKEN_WHY_CHARS = 512,
    TOKEN_MAX_MODULES = 4,
};

struct token_why {
    char text[TOKEN_WHY_CHARS];
};

/* Where a key is: a PKCS#11 URI (RFC 7512) taken apart. No secret. */
struct token_reference {
    char module[TOKEN_PATH_CHARS];   /* module-path: the library that speaks to the token */
    char token[TOKEN_LABEL_CHARS];   /* the token's label, or its serial number */
    bool is_serial;                  /* the URI says serial= and not token= */
    char object[TOKEN_OBJECT_CHARS]; /* the key's label; empty: the id alone says which */
    uint8_t id[TOKEN_ID_MAX_BYTES];  /* CKA_ID, which counts when there is one */
    size_t id_len_bytes;
    char pin_file[TOKEN_PATH_CHARS]; /* pin-source: a file with the PIN; empty: who opens it is asked */
};

/* The first line of a key's file when it begins like such a URI; false: another file, or none that can be
 * read. */
bool token_reference_line(const char *path, char out[TOKEN_REFERENCE_CHARS]);
/* Of the text up to its first line's end. HR_MALFORMED: no such URI, without module-path or token, one that
 * names no key, or with a PIN in it. */
HR_MUST_USE struct hr_status token_reference_read(const char *text, struct token_reference *out,
                                                  struct token_why *why);
/* The URI, of a private key. HR_FULL: it does not fit. */
HR_MUST_USE struct hr_status token_reference_write(const struct token_reference *reference,
                                                   char out[TOKEN_REFERENCE_CHARS]);

/* Gives the PIN of the token; it is wiped after use. Not called for a token with a keypad of its own, or when
 * the reference has a pin_file. */
typedef struct hr_status (*token_ask)(void *context, const char *label, char pin[TOKEN_PIN_CHARS]);

struct token;

/* Finds the token of the reference and logs in, with one try of the PIN; ask is NULL when nobody can be
 * asked. HR_NOT_FOUND: no such module or token, or several of that label; HR_DENIED: the PIN, or its file,
 * which others may read or which is not there; HR_IO; or what ask says. */
HR_MUST_USE struct hr_status token_open(const struct token_reference *where, token_ask ask, void *context,
                                        struct token **out, struct token_why *why);
void token_close(struct token *token); /* after its keys are freed; NULL is none */

/* The private key; the caller frees it, before token_close. HR_NOT_FOUND: none, or several of that label and
 * no id. */
HR_MUST_USE struct hr_status token_key_find(struct token *token, const struct token_reference *which,
                                            EVP_PKEY **out, struct token_why *why);

/* Makes a P-256 key that the token never gives away, with its public key beside it, and fills the
 * reference's id. HR_DENIED: read only, or there is a key of that label and no `beside`; HR_FULL; HR_IO.
 * After a failure there is no new key. */
HR_MUST_USE struct hr_status token_key_make(struct token *token, struct token_reference *which, bool beside,
                                            struct token_why *why);
/* Destroys the key of the id and its public key, in vain perhaps: what was made and is not used. */
void token_key_unmake(struct token *token, const struct token_reference *which);

#endif
