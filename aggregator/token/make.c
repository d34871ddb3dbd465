/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/token/internal.h"

#include <openssl/rand.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <string.h>

enum { NEW_ID_BYTES = 16 };

/* The module again, by its own functions: libp11 has initialized it and logged in, which counts for the whole
 * process. */
struct session {
    CK_FUNCTION_LIST *module;
    CK_SESSION_HANDLE handle;
};

static CK_RV open_session(const struct token *token, struct session *out)
{
    out->module = p11_kit_module_load(token_module(token), P11_KIT_MODULE_UNMANAGED);
    if (out->module == NULL) {
        return CKR_GENERAL_ERROR;
    }
    CK_RV rv = out->module->C_OpenSession(token_slot(token), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                          &out->handle);
    if (rv != CKR_OK) {
        p11_kit_module_release(out->module);
        out->module = NULL;
    }
    return rv;
}

static void close_session(struct session *session)
{
    (void)session->module->C_CloseSession(session->handle);
    p11_kit_module_release(session->module);
}

const char *token_pin_state(const struct token *token)
{
    CK_TOKEN_INFO info = {.flags = 0};
    CK_FUNCTION_LIST *module = p11_kit_module_load(token_module(token), P11_KIT_MODULE_UNMANAGED);
    if (module != NULL) {
        if (module->C_GetTokenInfo(token_slot(token), &info) != CKR_OK) {
            info.flags = 0;
        }
        p11_kit_module_release(module);
    }
    return (info.flags & CKF_USER_PIN_LOCKED) != 0      ? " (now it is locked)"
           : (info.flags & CKF_USER_PIN_FINAL_TRY) != 0 ? " (one try is left)"
                                                        : "";
}

static CK_RV generate(const struct session *session, struct token_reference *which, CK_OBJECT_HANDLE *made)
{
    static CK_BYTE p256[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}; /* OID, RFC 5480 */
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    CK_MECHANISM how = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public_key[] = {
        {CKA_TOKEN, &yes, sizeof yes},
        {CKA_VERIFY, &yes, sizeof yes},
        {CKA_EC_PARAMS, p256, sizeof p256},
        {CKA_LABEL, which->object, strlen(which->object)},
        {CKA_ID, which->id, which->id_len_bytes},
    };
    CK_ATTRIBUTE private_key[] = {
        {CKA_TOKEN, &yes, sizeof yes},
        {CKA_PRIVATE, &yes, sizeof yes},
        {CKA_SENSITIVE, &yes, sizeof yes},
        {CKA_EXTRACTABLE, &no, sizeof no},
        {CKA_SIGN, &yes, sizeof yes},
        {CKA_LABEL, which->object, strlen(which->object)},
        {CKA_ID, which->id, which->id_len_bytes},
    };
    CK_OBJECT_HANDLE public_handle = CK_INVALID_HANDLE;
    return session->module->C_GenerateKeyPair(
        session->handle, &how, public_key, sizeof public_key / sizeof public_key[0], private_key,
        sizeof private_key / sizeof private_key[0], &public_handle, made);
}

/* Did the token do as it was told? */
static bool is_kept_in(const struct session *session, CK_OBJECT_HANDLE key)
{
    CK_BBOOL sensitive = CK_FALSE;
    CK_BBOOL extractable = CK_TRUE;
    CK_ATTRIBUTE facts[] = {{CKA_SENSITIVE, &sensitive, sizeof sensitive},
                            {CKA_EXTRACTABLE, &extractable, sizeof extractable}};
    return session->module->C_GetAttributeValue(session->handle, key, facts, 2) == CKR_OK &&
           sensitive == CK_TRUE && extractable == CK_FALSE;
}

static void destroy(const struct session *session, const struct token_reference *which)
{
    enum { AT_ONCE = 4 };
    struct token_reference copy = *which; /* attributes are not const in PKCS#11 */
    CK_ATTRIBUTE wanted = {CKA_ID, copy.id, copy.id_len_bytes};
    CK_OBJECT_HANDLE found[AT_ONCE];
    CK_ULONG n = 0;
    CK_RV rv = session->module->C_FindObjectsInit(session->handle, &wanted, 1);
    if (rv == CKR_OK) {
        rv = session->module->C_FindObjects(session->handle, found, AT_ONCE, &n);
        (void)session->module->C_FindObjectsFinal(session->handle);
    }
    for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++) {
        (void)session->module->C_DestroyObject(session->handle, found[i]);
    }
}

static struct hr_status explain(const struct token *token, CK_RV rv, struct token_why *why)
{
    const char *label = token_label(token);
    switch (rv) {
    case CKR_TOKEN_WRITE_PROTECTED:
    case CKR_SESSION_READ_ONLY:
        return token_because(why, HR_DENIED, "token '%s' is read only: no key can be made in it", label);
    case CKR_DEVICE_MEMORY:
        return token_because(why, HR_FULL, "token '%s' is full: delete keys of it, or take another", label);
    case CKR_MECHANISM_INVALID:
    case CKR_CURVE_NOT_SUPPORTED:
    case CKR_DOMAIN_PARAMS_INVALID:
        return token_because(why, HR_IO, "token '%s' can't make keys on P-256", label);
    default:
        return token_because(why, HR_IO,
                             "token '%s' made no key: %s. Is it full, or may its storage not be written to?",
                             label, token_reason(rv));
    }
}

static struct hr_status make(const struct token *token, const struct session *session,
                             struct token_reference *which, struct token_why *why)
{
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    CK_RV rv = generate(session, which, &made);
    if (rv != CKR_OK) {
        return explain(token, rv, why);
    }
    if (!is_kept_in(session, made)) {
        destroy(session, which);
        return token_because(why, HR_DENIED,
                             "token '%s' would give away the keys that it makes: it is no place "
                             "for an authority",
                             token_label(token));
    }
    return hr_ok();
}

struct hr_status token_key_make(struct token *token, struct token_reference *which, bool beside,
                                struct token_why *why)
{
    struct session session = {.module = NULL};
    if (!beside && token_count_label(token, which->object) > 0) {
        return token_because(why, HR_DENIED,
                             "token '%s' has a key '%s' already, of another authority or of a run that was "
                             "interrupted; --force makes another one beside it",
                             token_label(token), which->object);
    }
    which->is_serial = strcmp(which->token, token_label(token)) != 0;
    which->id_len_bytes = NEW_ID_BYTES;
    if (RAND_bytes(which->id, NEW_ID_BYTES) != 1) {
        return token_because(why, HR_IO, "no random numbers");
    }
    CK_RV rv = open_session(token, &session);
    if (rv != CKR_OK) {
        return explain(token, rv, why);
    }
    struct hr_status status = make(token, &session, which, why);
    close_session(&session);
    return status;
}

void token_key_unmake(struct token *token, const struct token_reference *which)
{
    struct session session = {.module = NULL};
    if (which->id_len_bytes > 0 && open_session(token, &session) == CKR_OK) {
        destroy(&session, which);
        close_session(&session);
    }
}
