/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys in PKCS#11 tokens, with SoftHSM as the token. */
#include "aggregator/token/token.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"

#include <dirent.h>
#include <openssl/x509.h>
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"

static const char pin[] = "4711-user";
static const char so_pin[] = "0815-officer";

struct bench {
    struct temp_folder folder;
    struct token_why why;
};

/* ---- tokens are begun without the room's help ---- */

static void *bytes(const char *text)
{
    static char copies[4][64];
    static size_t at;
    char *copy = copies[at++ % 4];
    (void)snprintf(copy, sizeof copies[0], "%s", text);
    return copy;
}

static CK_FUNCTION_LIST *module_begin(void)
{
    CK_FUNCTION_LIST *module = p11_kit_module_load(MODULE, P11_KIT_MODULE_UNMANAGED);
    assert_non_null(module); /* Debian's softhsm2, of tools/dev/packages */
    assert_int_equal(p11_kit_module_initialize(module), CKR_OK);
    return module;
}

static void module_end(CK_FUNCTION_LIST *module)
{
    assert_int_equal(p11_kit_module_finalize(module), CKR_OK);
    p11_kit_module_release(module);
}

/* SoftHSM always has one. */
static CK_SLOT_ID free_slot(CK_FUNCTION_LIST *module)
{
    CK_SLOT_ID slots[8];
    CK_ULONG n = 8;
    CK_TOKEN_INFO info = {.flags = CKF_TOKEN_INITIALIZED};
    CK_ULONG i = 0;
    assert_int_equal(module->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
    for (; i < n && (info.flags & CKF_TOKEN_INITIALIZED) != 0; i++) {
        assert_int_equal(module->C_GetTokenInfo(slots[i], &info), CKR_OK);
    }
    assert_int_equal(info.flags & CKF_TOKEN_INITIALIZED, 0);
    return slots[i - 1];
}

static void add_token(const char *label)
{
    CK_FUNCTION_LIST *module = module_begin();
    CK_SESSION_HANDLE session;
    unsigned char padded[32];
    memset(padded, ' ', sizeof padded);
    memcpy(padded, label, strlen(label));
    CK_SLOT_ID slot = free_slot(module);
    assert_int_equal(module->C_InitToken(slot, bytes(so_pin), sizeof so_pin - 1, padded), CKR_OK);
    assert_int_equal(module->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
                     CKR_OK);
    assert_int_equal(module->C_Login(session, CKU_SO, bytes(so_pin), sizeof so_pin - 1), CKR_OK);
    assert_int_equal(module->C_InitPIN(session, bytes(pin), sizeof pin - 1), CKR_OK);
    module_end(module);
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    char path[2 * TEMP_PATH_CHARS];
    if (bench == NULL) {
        return -1;
    }
    temp_folder_make(&bench->folder);
    (void)temp_folder_file(&bench->folder, "softhsm2.conf", path);
    FILE *file = fopen(path, "we");
    if (file == NULL || fprintf(file, "directories.tokendir = %s\n", bench->folder.path) < 0 ||
        fclose(file) != 0 || setenv("SOFTHSM2_CONF", path, 1) != 0) {
        return -1;
    }
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    DIR *folder = opendir(bench->folder.path);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct temp_folder token; /* a folder of files */
        int len = snprintf(token.path, sizeof token.path, "%.200s/%.50s", bench->folder.path, entry->d_name);
        if (len > 0 && entry->d_type == DT_DIR && entry->d_name[0] != '.') {
            temp_folder_remove(&token);
        }
    }
    (void)closedir(folder);
    temp_folder_remove(&bench->folder);
    free(bench);
    return 0;
}

/* ---- what the room is asked ---- */

static struct hr_status say(void *context, const char *label, char out[TOKEN_PIN_CHARS])
{
    (void)label;
    (void)snprintf(out, TOKEN_PIN_CHARS, "%s", (const char *)context);
    return hr_ok();
}

static struct hr_status say_nothing(void *context, const char *label, char out[TOKEN_PIN_CHARS])
{
    (void)context, (void)label, (void)out;
    return hr_status_of(HR_CLOSED);
}

static struct token_reference in(const char *token, const char *object)
{
    struct token_reference made = {.module = MODULE};
    (void)snprintf(made.token, sizeof made.token, "%s", token);
    (void)snprintf(made.object, sizeof made.object, "%s", object);
    return made;
}

static struct token *opened(struct bench *bench, const char *label)
{
    struct token *token = NULL;
    struct token_reference where = in(label, "");
    assert_int_equal(token_open(&where, say, bytes(pin), &token, &bench->why).code, HR_OK);
    return token;
}

static enum hr_code open_code(struct bench *bench, const char *module, const char *label,
                              const char *with_pin)
{
    struct token *token = NULL;
    struct token_reference where = in(label, "");
    (void)snprintf(where.module, sizeof where.module, "%s", module);
    enum hr_code code = token_open(&where, say, bytes(with_pin), &token, &bench->why).code;
    assert_null(token);
    return code;
}

static bool signs(EVP_PKEY *key)
{
    static const uint8_t text[] = "what was said";
    uint8_t signature[80];
    size_t len = sizeof signature;
    uint8_t spki[91];
    uint8_t *end = spki;
    const uint8_t *begin = spki;
    assert_int_equal(i2d_PUBKEY(key, NULL), sizeof spki);
    (void)i2d_PUBKEY(key, &end);
    EVP_PKEY *public_key = d2i_PUBKEY(NULL, &begin, sizeof spki);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(context, signature, &len, text, sizeof text) == 1;
    EVP_MD_CTX_free(context);
    context = EVP_MD_CTX_new();
    good = good && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, public_key) == 1 &&
           EVP_DigestVerify(context, signature, len, text, sizeof text) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public_key);
    return good;
}

static enum hr_code find_code(struct bench *bench, struct token *token, const struct token_reference *which)
{
    EVP_PKEY *key = NULL;
    enum hr_code code = token_key_find(token, which, &key, &bench->why).code;
    assert_true(code != HR_OK || signs(key));
    EVP_PKEY_free(key);
    return code;
}

/* ---- tests ---- */

static void a_reference_is_read_as_it_was_written(void **state)
{
    struct bench *bench = *state;
    struct token_reference wanted = in("a token; of two words", "key=1?&");
    struct token_reference read;
    char text[TOKEN_REFERENCE_CHARS];
    wanted.id_len_bytes = TOKEN_ID_MAX_BYTES;
    for (size_t i = 0; i < TOKEN_ID_MAX_BYTES; i++) {
        wanted.id[i] = (uint8_t)(i * 9);
    }
    for (int i = 0; i < 2; i++) {
        wanted.is_serial = i == 1;
        (void)snprintf(wanted.token, sizeof wanted.token, "%s", i == 1 ? "0123456789abcdef" : "a; b");
        assert_int_equal(token_reference_write(&wanted, text).code, HR_OK);

        assert_int_equal(token_reference_read(text, &read, &bench->why).code, HR_OK);
        assert_string_equal(read.module, wanted.module);
        assert_string_equal(read.token, wanted.token);
        assert_string_equal(read.object, wanted.object);
        assert_int_equal(read.is_serial, wanted.is_serial);
        assert_int_equal(read.id_len_bytes, wanted.id_len_bytes);
        assert_memory_equal(read.id, wanted.id, wanted.id_len_bytes);
    }
    (void)snprintf(wanted.token, sizeof wanted.token,
                   "01234567890123456"); /* a serial number has 16 at most */
    assert_int_equal(token_reference_write(&wanted, text).code, HR_FULL);
}

static void what_is_no_reference_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "pkcs11:",
        "pkcs11:token=a;object=b",                              /* no module */
        "pkcs11:object=b?module-path=/m.so",                    /* no token */
        "pkcs11:token=a?module-path=/m.so",                     /* no key */
        "pkcs11:token=a;object=%zz?module-path=/m.so",          /* no hexadecimal */
        "pkcs11:token=a;object=b;colour=red?module-path=/m.so", /* who knows what that says */
        "pkcs11:token=a;id=012345678901234567890123456789012?module-path=/m.so", /* of 33 bytes */
        "pkcs11:token=a;object=%00?module-path=/m.so",                           /* what is behind a zero */
        "-----BEGIN PRIVATE KEY-----",
        "pkcs11:token=a;object=b?module-path=/m.so&pin-value=1234",       /* where everybody looks */
        "pkcs11:token=a;object=b?module-path=/m.so&pin-source=%7C/bin/x", /* a program */
    };
    struct bench *bench = *state;
    struct token_reference read = {.module = "as before"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(token_reference_read(wrong[i], &read, &bench->why).code, HR_MALFORMED);
        assert_string_equal(read.module, "as before");
    }
    assert_int_equal(
        token_reference_read("pkcs11:token=a;object=b?module-path=/m.so\nmore", &read, &bench->why).code,
        HR_OK);
    assert_string_equal(read.module, "/m.so");
    assert_string_equal(read.pin_file, "");
    for (int i = 0; i < 2; i++) {
        char text[128];
        (void)snprintf(text, sizeof text, "pkcs11:token=a;object=b?module-path=/m.so&pin-source=%s/p%%20q",
                       i == 0 ? "" : "file:");
        assert_int_equal(token_reference_read(text, &read, &bench->why).code, HR_OK);
        assert_string_equal(read.pin_file, "/p q");
    }
}

static void a_pin_comes_from_the_file_of_the_reference(void **state)
{
    static const struct {
        const char *text; /* NULL: there is no file */
        mode_t mode;
        enum hr_code code;
        const char *said;
    } cases[] = {
        {"4711-user\nmore\n", 0600, HR_OK, ""},
        {"4711-user", 0400, HR_OK, ""},
        {"4711-user\n", 0640, HR_DENIED, "open to others"},
        {"\n4711-user\n", 0600, HR_DENIED, "has no PIN"},
        {"", 0600, HR_DENIED, "has no PIN"},
        {"4711\n", 0600, HR_DENIED, "the PIN is wrong"},
        {NULL, 0600, HR_DENIED, "No such file"},
    };
    struct bench *bench = *state;
    struct token_reference where = in("one", "");
    char path[2 * TEMP_PATH_CHARS];
    add_token("one");
    (void)snprintf(where.pin_file, sizeof where.pin_file, "%s",
                   temp_folder_file(&bench->folder, "pin", path));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct token *token = NULL;
        (void)unlink(path);
        FILE *file = cases[i].text != NULL ? fopen(path, "we") : NULL;
        if (file != NULL) {
            assert_true(fputs(cases[i].text, file) >= 0 && fclose(file) == 0 &&
                        chmod(path, cases[i].mode) == 0);
        }
        assert_int_equal(token_open(&where, say_nothing, NULL, &token, &bench->why).code, cases[i].code);
        assert_non_null(strstr(bench->why.text, cases[i].said));
        token_close(token);
    }
    struct token *token = NULL;
    where.pin_file[0] = '\0';
    assert_int_equal(token_open(&where, NULL, NULL, &token, &bench->why).code, HR_DENIED);
    assert_non_null(strstr(bench->why.text, "pin-source"));
}

static void a_key_signs_and_is_found_by_id_or_label(void **state)
{
    struct bench *bench = *state;
    add_token("one");
    struct token *token = opened(bench, "one");
    struct token_reference key = in("one", "issuer");
    assert_int_equal(token_key_make(token, &key, false, &bench->why).code, HR_OK);
    assert_int_equal(find_code(bench, token, &key), HR_OK);
    struct token_reference other = in("one", "issuer");
    assert_int_equal(find_code(bench, token, &other), HR_OK);
    assert_int_equal(token_key_make(token, &other, false, &bench->why).code, HR_DENIED);
    assert_non_null(strstr(bench->why.text, "--force"));
    assert_int_equal(token_key_make(token, &other, true, &bench->why).code, HR_OK);
    assert_int_equal(find_code(bench, token, &key), HR_OK);
    assert_int_equal(find_code(bench, token, &other), HR_OK);
    struct token_reference label = in("one", "issuer");
    assert_int_equal(find_code(bench, token, &label), HR_NOT_FOUND); /* which of the two? */
    token_key_unmake(token, &other);
    token_close(token);
    token = opened(bench, "one");
    assert_int_equal(find_code(bench, token, &other), HR_NOT_FOUND);
    assert_int_equal(find_code(bench, token, &key), HR_OK);
    label = in("one", "nobody");
    assert_int_equal(find_code(bench, token, &label), HR_NOT_FOUND);
    token_close(token);
}

static void a_private_key_is_not_told(void **state)
{
    struct bench *bench = *state;
    CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n = 0;
    CK_SESSION_HANDLE session;
    unsigned char value[64];
    add_token("one");
    struct token *token = opened(bench, "one");
    struct token_reference key = in("one", "issuer");
    assert_int_equal(token_key_make(token, &key, false, &bench->why).code, HR_OK);

    /* The same process, so it is logged in. */
    CK_FUNCTION_LIST *module = p11_kit_module_load(MODULE, P11_KIT_MODULE_UNMANAGED);
    CK_SLOT_ID slots[8];
    CK_ULONG n_slots = 8;
    assert_int_equal(module->C_GetSlotList(CK_TRUE, slots, &n_slots), CKR_OK);
    assert_int_equal(
        module->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    CK_ATTRIBUTE wanted = {CKA_CLASS, &private_key, sizeof private_key};
    assert_int_equal(module->C_FindObjectsInit(session, &wanted, 1), CKR_OK);
    assert_int_equal(module->C_FindObjects(session, found, 2, &n), CKR_OK);
    assert_int_equal(module->C_FindObjectsFinal(session), CKR_OK);
    assert_int_equal(n, 1);
    CK_ATTRIBUTE secret = {CKA_VALUE, value, sizeof value};
    assert_int_equal(module->C_GetAttributeValue(session, found[0], &secret, 1), CKR_ATTRIBUTE_SENSITIVE);
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE looser = {CKA_EXTRACTABLE, &yes, sizeof yes};
    assert_int_not_equal(module->C_SetAttributeValue(session, found[0], &looser, 1), CKR_OK);
    assert_int_equal(module->C_CloseSession(session), CKR_OK);
    p11_kit_module_release(module);
    token_close(token);
}

static void a_token_that_does_not_open_says_why_and_leaves_the_others(void **state)
{
    struct bench *bench = *state;
    add_token("one");
    add_token("two");
    struct token *token = opened(bench, "one");
    struct token_reference key = in("one", "issuer");
    assert_int_equal(token_key_make(token, &key, false, &bench->why).code, HR_OK);
    EVP_PKEY *used = NULL;
    assert_int_equal(token_key_find(token, &key, &used, &bench->why).code, HR_OK);

    assert_int_equal(open_code(bench, "/none.so", "one", pin), HR_NOT_FOUND);
    assert_non_null(strstr(bench->why.text, "/none.so"));
    assert_int_equal(open_code(bench, "/etc/passwd", "one", pin), HR_IO);
    assert_int_equal(open_code(bench, MODULE, "three", pin), HR_NOT_FOUND);
    assert_non_null(strstr(bench->why.text, "'two' (serial number "));
    assert_int_equal(open_code(bench, MODULE, "two", "wrong"), HR_DENIED);
    assert_non_null(strstr(bench->why.text, "tried once"));
    assert_int_equal(open_code(bench, MODULE, "two", "x"), HR_DENIED); /* too short to be one */
    struct token *other = NULL;
    struct token_reference where = in("two", "");
    assert_int_equal(token_open(&where, say_nothing, NULL, &other, &bench->why).code, HR_CLOSED);
    assert_string_equal(bench->why.text, "");
    assert_null(other);
    other = opened(bench, "two");
    assert_int_equal(find_code(bench, other, &key), HR_NOT_FOUND);
    token_close(other);

    assert_true(signs(used));
    EVP_PKEY_free(used);
    token_close(token);
    add_token("two"); /* a second one of that label */
    assert_int_equal(open_code(bench, MODULE, "two", pin), HR_NOT_FOUND);
    assert_non_null(strstr(bench->why.text, "2 tokens are called 'two'"));
    token_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reference_is_read_as_it_was_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_reference_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pin_comes_from_the_file_of_the_reference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_signs_and_is_found_by_id_or_label, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_private_key_is_not_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_that_does_not_open_says_why_and_leaves_the_others, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
