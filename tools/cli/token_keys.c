/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/token_keys.h"

#include "aggregator/token/token.h"
#include "tools/cli/files.h"
#include "tools/cli/passphrase.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_MAX_TOKENS = CLI_REPEAT_MAX };

struct opened {
    struct token_reference where;
    struct token *token;
};

/* The PIN of a token that was opened: a token is opened again to see whether a new key has stayed in it. */
struct kept {
    char token[TOKEN_LABEL_CHARS]; /* as the key's file or the option calls it */
    char pin[TOKEN_PIN_CHARS];
};

static struct opened opened[OPEN_MAX_TOKENS];
static size_t n_opened;
static struct kept kept[OPEN_MAX_TOKENS];
static const char *other_module;
static const char *other_token;
static struct opened *made_in;
static struct token_reference made;

static struct hr_status tell(const char *path, struct hr_status status, const struct token_why *why)
{
    if (why->text[0] != '\0') {
        (void)fprintf(stderr, "headrace: %s: %s\n", path, why->text);
    }
    return status;
}

static void close_all(void)
{
    for (size_t i = 0; i < n_opened; i++) {
        token_close(opened[i].token);
    }
    n_opened = 0;
}

static void end(void)
{
    close_all();
    OPENSSL_cleanse(kept, sizeof kept);
}

/* The place of this token's PIN, which is empty when it was not opened yet. */
static struct kept *kept_for(const char *token)
{
    size_t i = 0;
    while (i + 1 < OPEN_MAX_TOKENS && kept[i].token[0] != '\0' && strcmp(kept[i].token, token) != 0) {
        i++;
    }
    if (strcmp(kept[i].token, token) != 0) { /* the last place is for whoever came last */
        OPENSSL_cleanse(&kept[i], sizeof kept[i]);
        (void)snprintf(kept[i].token, sizeof kept[i].token, "%s", token);
    }
    return &kept[i];
}

/* context is its place. */
static struct hr_status give_pin(void *context, const char *label, char pin[TOKEN_PIN_CHARS])
{
    struct kept *at = context;
    if (at->pin[0] == '\0') {
        HR_TRY(cli_pin(label, at->pin));
    }
    memcpy(pin, at->pin, sizeof at->pin);
    return hr_ok();
}

/* The token of the reference, opened when it is not yet. */
static struct hr_status open_token(const struct token_reference *where, const char *path, struct opened **out)
{
    static bool is_end_known;
    struct token_why why;
    for (size_t i = 0; i < n_opened; i++) {
        if (strcmp(opened[i].where.module, where->module) == 0 &&
            strcmp(opened[i].where.token, where->token) == 0) {
            *out = &opened[i];
            return hr_ok();
        }
    }
    if (n_opened == OPEN_MAX_TOKENS) {
        (void)fprintf(stderr, "headrace: %s: more than %d tokens at once\n", path, OPEN_MAX_TOKENS);
        return hr_status_of(HR_FULL);
    }
    struct opened *place = &opened[n_opened];
    struct kept *pin = kept_for(where->token);
    struct hr_status status = token_open(where, give_pin, pin, &place->token, &why);
    if (!hr_is_ok(status)) {
        OPENSSL_cleanse(pin, sizeof *pin); /* a wrong PIN is not tried again */
        return tell(path, status, &why);
    }
    if (!is_end_known) {
        (void)atexit(end); /* registered behind the module, so it runs before the module's own end */
        is_end_known = true;
    }
    place->where = *where;
    n_opened++;
    *out = place;
    return hr_ok();
}

void cli_token_override(const struct cli_arguments *given, size_t first)
{
    other_module = cli_option_or(given, first, NULL);
    other_token = cli_option_or(given, first + 1, NULL);
}

bool cli_token_is_named(const char *path)
{
    char text[TOKEN_REFERENCE_CHARS];
    return token_reference_line(path, text);
}

static struct hr_status read_reference(const char *path, struct token_reference *out)
{
    char text[TOKEN_REFERENCE_CHARS] = "";
    struct token_why why;
    (void)token_reference_line(path, text);
    struct hr_status status = token_reference_read(text, out, &why);
    return hr_is_ok(status) ? status : tell(path, status, &why);
}

struct hr_status cli_token_place_of(const char *path, struct cli_token_place *out)
{
    static struct token_reference reference;
    HR_TRY(read_reference(path, &reference));
    *out = (struct cli_token_place){.module = reference.module, .token = reference.token};
    return hr_ok();
}

/* False: longer than fits. */
static bool put(char *out, size_t capacity, const char *text)
{
    int len = text != NULL ? snprintf(out, capacity, "%s", text) : 0;
    return len >= 0 && (size_t)len < capacity;
}

static bool point_at(struct token_reference *reference, const char *module, const char *token)
{
    bool fits = put(reference->module, sizeof reference->module, module) &&
                put(reference->token, sizeof reference->token, token);
    if (!fits) {
        (void)fputs("headrace: --pkcs11 or --token is too long\n", stderr);
    } else if (reference->module[0] != '/') { /* other verbs are said in other folders */
        (void)fprintf(stderr, "headrace: %s: the PKCS#11 module is a file with its whole path\n",
                      reference->module);
    }
    return fits && reference->module[0] == '/';
}

static struct hr_status find_key(struct token *token, const struct token_reference *which, const char *path,
                                 EVP_PKEY **out)
{
    struct token_why why;
    struct hr_status status = token_key_find(token, which, out, &why);
    return hr_is_ok(status) ? status : tell(path, status, &why);
}

struct hr_status cli_token_key_read(const char *path, EVP_PKEY **out)
{
    struct token_reference reference;
    struct opened *place = NULL;
    HR_TRY(read_reference(path, &reference));
    if (other_token != NULL) {
        reference.pin_file[0] = '\0'; /* that of another one */
    }
    if (!point_at(&reference, other_module, other_token)) {
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(open_token(&reference, path, &place));
    return find_key(place->token, &reference, path, out);
}

static struct hr_status write_reference(const struct token_reference *reference, struct cli_pem *out)
{
    char text[TOKEN_REFERENCE_CHARS];
    struct hr_status status = token_reference_write(reference, text);
    if (!hr_is_ok(status)) {
        (void)fputs("headrace: the names of module, token and key are too long together\n", stderr);
        return status;
    }
    out->len_bytes = (size_t)snprintf(out->text, sizeof out->text, "%s\n", text);
    return hr_ok();
}

struct hr_status cli_token_try(const struct cli_token_place *place)
{
    struct token_reference reference = {.module = ""};
    struct opened *unused = NULL;
    return point_at(&reference, place->module, place->token)
               ? open_token(&reference, "the authority's keys", &unused)
               : hr_status_of(HR_MALFORMED);
}

struct hr_status cli_token_key_new(const struct cli_token_place *place, const char *label, EVP_PKEY **out,
                                   struct cli_pem *file)
{
    struct token_reference reference = {.module = ""};
    struct token_why why;
    if (!point_at(&reference, place->module, place->token) ||
        !put(reference.object, sizeof reference.object, label)) {
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(open_token(&reference, label, &made_in));
    (void)put(reference.pin_file, sizeof reference.pin_file, made_in->where.pin_file);
    struct hr_status status = token_key_make(made_in->token, &reference, place->beside, &why);
    if (!hr_is_ok(status)) {
        return tell(label, status, &why);
    }
    made = reference;
    status = find_key(made_in->token, &reference, label, out);
    if (hr_is_ok(status)) {
        status = write_reference(&reference, file);
    }
    if (!hr_is_ok(status)) {
        cli_token_key_settle(false);
    }
    return status;
}

struct hr_status cli_token_key_prove(void)
{
    EVP_PKEY *key = NULL;
    struct token_why why;
    if (made.id_len_bytes == 0) {
        return hr_ok();
    }
    close_all();
    HR_TRY(open_token(&made, made.object, &made_in));
    struct hr_status status = token_key_find(made_in->token, &made, &key, &why);
    EVP_PKEY_free(key);
    if (!hr_is_ok(status)) {
        (void)fprintf(
            stderr,
            "headrace: %s: token '%s' said that it made the key, but has not kept it: is it full, or its "
            "storage? Nothing was written\n",
            made.object, made.token);
    }
    return status;
}

void cli_token_key_settle(bool is_written)
{
    if (made.id_len_bytes > 0 && !is_written && n_opened > 0) {
        token_key_unmake(made_in->token, &made);
    }
    made.id_len_bytes = 0;
}
