/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of the authority that are in a PKCS#11 token. Their .key file then holds no key but says where it is,
 * in one line: a PKCS#11 URI (RFC 7512). So each key may have a token of its own, and verbs need no option. A
 * token is opened once in a run and closed at its end. Failures are told on stderr. */
#ifndef CLI_TOKEN_KEYS_H
#define CLI_TOKEN_KEYS_H

#include "tools/cli/options.h"
#include "tools/cli/x509.h"

/* Where a new key goes. Borrowed. */
struct cli_token_place {
    const char *module;
    const char *token; /* label or serial number */
    bool beside;       /* also when there is a key of that label */
};

/* What a verb that signs has in its table of options. */
#define CLI_TOKEN_OPTIONS                                                                                    \
    {"--pkcs11", "MODULE", false, 1,                                                                         \
     "The key is in a token: its PKCS#11 module, if not as the key's file "                                  \
     "says."},                                                                                               \
        {"--token", "LABEL", false, 1, "Likewise the token's label or serial number."}

/* Takes the two options, the first of which is at `first`: keys are looked for there from now on, whatever
 * their files say. Borrowed until the end. */
void cli_token_override(const struct cli_arguments *given, size_t first);

/* Does this file say where a key is, and hold none? False also when it can't be read. */
bool cli_token_is_named(const char *path);
/* Where it says so. Static until the next call. HR_MALFORMED. */
HR_MUST_USE struct hr_status cli_token_place_of(const char *path, struct cli_token_place *out);

/* HR_NOT_FOUND: module, token or key are not there; HR_DENIED: the PIN; HR_MALFORMED: the file. */
HR_MUST_USE struct hr_status cli_token_key_read(const char *path, EVP_PKEY **out);

/* Opens it, so that a wrong PIN is told before anything is made. */
HR_MUST_USE struct hr_status cli_token_try(const struct cli_token_place *place);
/* Makes a key there, and the text of its file. */
HR_MUST_USE struct hr_status cli_token_key_new(const struct cli_token_place *place, const char *label,
                                               EVP_PKEY **out, struct cli_pem *file);
/* Is that key in the token to stay? Opens it again, for a token may find too late that it is full. No key of
 * any token is in use. HR_NOT_FOUND: no. */
HR_MUST_USE struct hr_status cli_token_key_prove(void);
/* The end of what cli_token_key_new began: its file is written, or the key is destroyed. */
void cli_token_key_settle(bool is_written);

#endif
