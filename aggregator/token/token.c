/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/token/internal.h"

#include <libp11.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CKR_PIN_INCORRECT = 0xA0,
    CKR_PIN_INVALID = 0xA1,
    CKR_PIN_LEN_RANGE = 0xA2,
    CKR_PIN_LOCKED = 0xA4
}; /* of libp11 no header has them */

/* A module that is loaded; one token that fails must not take the others with it. */
struct module {
    PKCS11_CTX *context; /* NULL: a free place */
    PKCS11_SLOT *slots;
    unsigned n_slots;
    unsigned users;
    bool is_loaded;
    char path[TOKEN_PATH_CHARS];
};

static struct module modules[TOKEN_MAX_MODULES];

struct token {
    struct module *module;
    PKCS11_SLOT *slot; /* one of the module's */
};

const char *token_module(const struct token *token)
{
    return token->module->path;
}

const char *token_label(const struct token *token)
{
    return token->slot->token->label;
}

unsigned long token_slot(const struct token *token)
{
    return PKCS11_get_slotid_from_slot(token->slot);
}

/* What the module returned when libp11 failed; 0: it was not the module's failure. The queue is empty then.
 */
static unsigned long last_rv(void)
{
    unsigned long error = ERR_peek_last_error();
    bool is_of_module = ERR_GET_LIB(error) == ERR_get_CKR_code(); /* the number of that library of errors */
    ERR_clear_error();
    return is_of_module ? (unsigned long)ERR_GET_REASON(error) : 0;
}

static const char *last_reason(void)
{
    const char *said = ERR_reason_error_string(ERR_peek_last_error());
    unsigned long rv = last_rv();
    return rv != 0 ? token_reason(rv) : said != NULL ? said : "no reason given";
}

/* ---- the module and the token ---- */

/* One user less; the last one unloads it. */
static void leave(struct module *module)
{
    if (module == NULL || --module->users > 0) {
        return;
    }
    if (module->slots != NULL) {
        PKCS11_release_all_slots(module->context, module->slots, module->n_slots);
    }
    if (module->is_loaded) {
        PKCS11_CTX_unload(module->context);
    }
    PKCS11_CTX_free(module->context);
    ERR_clear_error();
    *module = (struct module){.context = NULL};
}

/* The place of a module that is loaded, or a free one; NULL: there is none. */
static struct module *place_of(const char *path)
{
    struct module *place = NULL;
    for (size_t i = 0; i < TOKEN_MAX_MODULES; i++) {
        if (modules[i].users > 0 && strcmp(modules[i].path, path) == 0) {
            return &modules[i];
        }
        place = modules[i].users == 0 ? &modules[i] : place;
    }
    return place;
}

static struct hr_status load(struct module *module, struct token_why *why)
{
    if (access(module->path, R_OK) != 0) {
        return token_because(why, HR_NOT_FOUND,
                             "%s: there is no such PKCS#11 module: install the token's package (that of "
                             "SoftHSM is softhsm2), or name the right file by --pkcs11",
                             module->path);
    }
    module->is_loaded = PKCS11_CTX_load(module->context, module->path) == 0;
    if (!module->is_loaded) {
        return token_because(why, HR_IO, "%s can't be used as a PKCS#11 module: %s", module->path,
                             last_reason());
    }
    if (PKCS11_enumerate_slots(module->context, &module->slots, &module->n_slots) != 0) {
        module->slots = NULL;
        return token_because(why, HR_IO, "%s tells no tokens: %s", module->path, last_reason());
    }
    return hr_ok();
}

/* Leave with leave(). */
static struct hr_status enter(const char *path, struct module **out, struct token_why *why)
{
    struct module *module = place_of(path);
    if (module == NULL) {
        return token_because(why, HR_FULL, "more than %d PKCS#11 modules at once", TOKEN_MAX_MODULES);
    }
    if (module->users == 0) {
        module->context = PKCS11_CTX_new();
        (void)snprintf(module->path, sizeof module->path, "%s", path);
    }
    if (module->context == NULL) {
        return token_because(why, HR_IO, "no memory");
    }
    module->users++;
    struct hr_status status = module->users == 1 ? load(module, why) : hr_ok();
    if (!hr_is_ok(status)) {
        leave(module);
        return status;
    }
    *out = module;
    return hr_ok();
}

static bool has_token(const PKCS11_SLOT *slot)
{
    return slot->token != NULL && slot->token->initialized != 0;
}

static bool is_called(const PKCS11_SLOT *slot, const char *name)
{
    return has_token(slot) &&
           (strcmp(slot->token->label, name) == 0 || strcmp(slot->token->serialnr, name) == 0);
}

/* "'a' (serial number 12), 'b' (...)": tokens of that name, or all of them when name is NULL. */
static void list_tokens(const struct module *module, const char *name, char *out, size_t capacity)
{
    size_t at = 0;
    (void)snprintf(out, capacity, "none");
    for (unsigned i = 0; i < module->n_slots && at < capacity; i++) {
        const PKCS11_SLOT *slot = &module->slots[i];
        if (has_token(slot) && (name == NULL || is_called(slot, name))) {
            int used = snprintf(out + at, capacity - at, "%s'%s' (serial number %s)", at > 0 ? ", " : "",
                                slot->token->label, slot->token->serialnr);
            at += used > 0 ? (size_t)used : 0;
        }
    }
}

static struct hr_status choose(struct module *module, const char *name, PKCS11_SLOT **out,
                               struct token_why *why)
{
    char list[256];
    unsigned n = 0;
    for (unsigned i = 0; i < module->n_slots; i++) {
        if (is_called(&module->slots[i], name)) {
            *out = &module->slots[i];
            n++;
        }
    }
    list_tokens(module, n > 1 ? name : NULL, list, sizeof list);
    if (n == 0) {
        return token_because(why, HR_NOT_FOUND, "token '%s' is not there: is it plugged in? %s has: %s", name,
                             module->path, list);
    }
    if (n > 1) {
        return token_because(why, HR_NOT_FOUND,
                             "%u tokens are called '%s'; say --token with the serial number of one: %s", n,
                             name, list);
    }
    return hr_ok();
}

/* ---- the PIN ---- */

static struct hr_status explain_login(const struct token *token, unsigned long rv, struct token_why *why)
{
    const char *label = token_label(token);
    if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE) {
        return token_because(
            why, HR_DENIED,
            "token '%s': the PIN is wrong; it was tried once%s. Look for the right one before "
            "the next try: tokens lock after a few wrong ones",
            label, token_pin_state(token));
    }
    if (rv == CKR_PIN_LOCKED) {
        return token_because(why, HR_DENIED,
                             "token '%s': the PIN is locked after wrong ones; whoever has the token's SO PIN "
                             "sets a new one (pkcs11-tool --init-pin)",
                             label);
    }
    return token_because(why, HR_DENIED, "token '%s' does not let in: %s", label,
                         rv != 0 ? token_reason(rv) : "no reason given");
}

static struct hr_status get_pin(const struct token *token, const char *file, token_ask ask, void *context,
                                char out[TOKEN_PIN_CHARS], struct token_why *why)
{
    if (file[0] != '\0') {
        return token_pin_read(file, out, why);
    }
    if (ask == NULL) {
        return token_because(
            why, HR_DENIED,
            "token '%s' wants a PIN, and nobody can be asked: name its file in the key's URI, "
            "&pin-source=file:/FILE",
            token_label(token));
    }
    return ask(context, token_label(token), out);
}

static struct hr_status login(struct token *token, const char *pin_file, token_ask ask, void *context,
                              struct token_why *why)
{
    const PKCS11_TOKEN *facts = token->slot->token;
    char pin[TOKEN_PIN_CHARS] = "";
    if (facts->loginRequired == 0) {
        return hr_ok();
    }
    if (facts->userPinLocked != 0) {
        return explain_login(token, CKR_PIN_LOCKED, why);
    }
    bool has_keypad = facts->secureLogin != 0;
    if (!has_keypad) {
        struct hr_status asked = get_pin(token, pin_file, ask, context, pin, why);
        if (!hr_is_ok(asked)) {
            OPENSSL_cleanse(pin, sizeof pin);
            return asked;
        }
    }
    bool is_in = PKCS11_login(token->slot, 0, has_keypad ? NULL : pin) == 0;
    OPENSSL_cleanse(pin, sizeof pin);
    unsigned long rv = is_in ? 0 : last_rv();
    return is_in ? hr_ok() : explain_login(token, rv, why);
}

struct hr_status token_open(const struct token_reference *where, token_ask ask, void *context,
                            struct token **out, struct token_why *why)
{
    why->text[0] = '\0';
    struct token *token = calloc(1, sizeof *token);
    if (token == NULL) {
        return token_because(why, HR_IO, "no memory");
    }
    struct hr_status status = enter(where->module, &token->module, why);
    if (token->module != NULL) {
        status = choose(token->module, where->token, &token->slot, why);
    }
    if (token->slot != NULL && hr_is_ok(status)) {
        status = login(token, where->pin_file, ask, context, why);
    }
    if (!hr_is_ok(status)) {
        token_close(token);
        return status;
    }
    *out = token;
    return hr_ok();
}

void token_close(struct token *token)
{
    if (token != NULL) {
        leave(token->module);
        free(token);
    }
}

/* ---- keys ---- */

static bool is_label(const PKCS11_KEY *key, const char *label)
{
    return key->label != NULL && strcmp(key->label, label) == 0;
}

static bool is_meant(const PKCS11_KEY *key, const struct token_reference *which)
{
    return which->id_len_bytes > 0
               ? key->id_len == which->id_len_bytes && memcmp(key->id, which->id, key->id_len) == 0
               : is_label(key, which->object);
}

size_t token_count_label(struct token *token, const char *label)
{
    PKCS11_KEY *keys = NULL;
    unsigned n_keys = 0;
    size_t n = 0;
    if (PKCS11_enumerate_keys(token->slot->token, &keys, &n_keys) != 0) {
        n_keys = 0;
        ERR_clear_error();
    }
    for (unsigned i = 0; i < n_keys; i++) {
        n += is_label(&keys[i], label) ? 1 : 0;
    }
    return n;
}

struct hr_status token_key_find(struct token *token, const struct token_reference *which, EVP_PKEY **out,
                                struct token_why *why)
{
    PKCS11_KEY *keys = NULL;
    PKCS11_KEY *found = NULL;
    unsigned n_keys = 0;
    unsigned n_found = 0;
    if (PKCS11_enumerate_keys(token->slot->token, &keys, &n_keys) != 0) {
        return token_because(why, HR_IO, "token '%s' does not list its keys: %s", token_label(token),
                             last_reason());
    }
    for (unsigned i = 0; i < n_keys; i++) {
        if (is_meant(&keys[i], which)) {
            found = &keys[i];
            n_found++;
        }
    }
    if (n_found != 1) {
        return token_because(why, HR_NOT_FOUND,
                             n_found == 0
                                 ? "token '%s' has no private key '%s'%s: is it another token of that "
                                   "name, or was the key deleted?"
                                 : "token '%s' has several private keys '%s'%s: add ;id=%%XX... of one "
                                   "to the URI (pkcs11-tool --list-objects shows the ids)",
                             token_label(token), which->object,
                             which->id_len_bytes > 0 ? " of the id that is looked for" : "");
    }
    EVP_PKEY *key = PKCS11_get_private_key(found);
    if (key == NULL) {
        return token_because(
            why, HR_IO, "key '%s' of token '%s' can't be used: %s. Its public key must be in the token too",
            which->object, token_label(token), last_reason());
    }
    *out = key;
    return hr_ok();
}
