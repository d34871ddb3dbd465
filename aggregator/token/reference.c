/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/token/internal.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hr_status token_because(struct token_why *why, enum hr_code code, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    (void)vsnprintf(why->text, sizeof why->text, text, arguments);
    va_end(arguments);
    return hr_status_of(code);
}

const char *token_reason(unsigned long rv)
{
    return p11_kit_strerror(rv);
}

bool token_reference_line(const char *path, char out[TOKEN_REFERENCE_CHARS])
{
    FILE *file = fopen(path, "re");
    bool has = file != NULL && fgets(out, TOKEN_REFERENCE_CHARS, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    return has && strncmp(out, P11_KIT_URI_SCHEME ":", P11_KIT_URI_SCHEME_LEN + 1) == 0;
}

/* False: longer than fits, or with a zero in it, behind which nobody would look. */
static bool keep(char *out, size_t capacity, const void *text, size_t len)
{
    bool fits = len < capacity && memchr(text, '\0', len) == NULL;
    if (fits) {
        memcpy(out, text, len);
        out[len] = '\0';
    }
    return fits;
}

static bool take_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE type, void *out, size_t capacity, size_t *len)
{
    const CK_ATTRIBUTE *found = p11_kit_uri_get_attribute(uri, type);
    *len = found != NULL ? found->ulValueLen : 0;
    bool fits = *len <= capacity;
    if (fits && *len > 0) {
        memcpy(out, found->pValue, *len);
    }
    return fits;
}

/* A label or, when there is none, a serial number: both padded with spaces in the struct, or zero. */
static bool take_token(P11KitUri *uri, struct token_reference *out)
{
    const CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri);
    bool has_label = token->label[0] != '\0';
    const unsigned char *text = has_label ? token->label : token->serialNumber;
    size_t most = has_label ? sizeof token->label : sizeof token->serialNumber;
    size_t len = text[0] != '\0' ? p11_kit_space_strlen(text, most) : 0;
    out->is_serial = !has_label;
    return len > 0 && keep(out->token, sizeof out->token, text, len);
}

/* "/file" or "file:/file"; RFC 7512 knows programs too, which nobody starts here. */
static bool take_pin_file(P11KitUri *uri, struct token_reference *out)
{
    static const char scheme[] = "file:";
    const char *source = p11_kit_uri_get_pin_source(uri);
    if (source == NULL) {
        return true;
    }
    source += strncmp(source, scheme, sizeof scheme - 1) == 0 ? sizeof scheme - 1 : 0;
    return source[0] == '/' && keep(out->pin_file, sizeof out->pin_file, source, strlen(source));
}

static bool take(P11KitUri *uri, struct token_reference *out)
{
    size_t len = 0;
    const char *module = p11_kit_uri_get_module_path(uri);
    bool good = module != NULL && keep(out->module, sizeof out->module, module, strlen(module)) &&
                take_token(uri, out) && take_pin_file(uri, out) && p11_kit_uri_get_pin_value(uri) == NULL &&
                take_attribute(uri, CKA_LABEL, out->object, sizeof out->object - 1, &len);
    out->object[good ? len : 0] = '\0';
    return good && strlen(out->object) == len &&
           take_attribute(uri, CKA_ID, out->id, sizeof out->id, &out->id_len_bytes) &&
           (len > 0 || out->id_len_bytes > 0);
}

struct hr_status token_reference_read(const char *text, struct token_reference *out, struct token_why *why)
{
    char line[TOKEN_REFERENCE_CHARS];
    struct token_reference read = {.module = ""};
    size_t len = strcspn(text, "\r\n");
    P11KitUri *uri = p11_kit_uri_new();
    bool good = uri != NULL && keep(line, sizeof line, text, len) &&
                p11_kit_uri_parse(line, P11_KIT_URI_FOR_ANY, uri) == P11_KIT_URI_OK &&
                p11_kit_uri_any_unrecognized(uri) == 0 && take(uri, &read);
    p11_kit_uri_free(uri);
    if (!good) {
        return token_because(
            why, HR_MALFORMED,
            "not a PKCS#11 URI of a key: pkcs11:token=LABEL;object=KEY?module-path=FILE, and "
            "perhaps &pin-source=file:FILE");
    }
    *out = read;
    return hr_ok();
}

static bool fill(P11KitUri *uri, const struct token_reference *reference)
{
    struct token_reference copy = *reference; /* attributes are not const in PKCS#11 */
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE attributes[] = {{CKA_CLASS, &class, sizeof class},
                                 {CKA_LABEL, copy.object, strlen(copy.object)},
                                 {CKA_ID, copy.id, copy.id_len_bytes}};
    CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri);
    unsigned char *name = copy.is_serial ? token->serialNumber : token->label;
    size_t name_bytes = copy.is_serial ? sizeof token->serialNumber : sizeof token->label;
    if (strlen(copy.token) > name_bytes) {
        return false;
    }
    memset(name, ' ', name_bytes);
    memcpy(name, copy.token, strlen(copy.token));
    p11_kit_uri_set_module_path(uri, copy.module);
    if (copy.pin_file[0] != '\0') {
        p11_kit_uri_set_pin_source(uri, copy.pin_file);
    }
    bool filled = true;
    for (size_t i = 0; filled && i < sizeof attributes / sizeof attributes[0]; i++) {
        filled =
            attributes[i].ulValueLen == 0 || p11_kit_uri_set_attribute(uri, &attributes[i]) == P11_KIT_URI_OK;
    }
    return filled;
}

struct hr_status token_reference_write(const struct token_reference *reference,
                                       char out[TOKEN_REFERENCE_CHARS])
{
    P11KitUri *uri = p11_kit_uri_new();
    char *text = NULL;
    bool written = uri != NULL && fill(uri, reference) &&
                   p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &text) == P11_KIT_URI_OK &&
                   keep(out, TOKEN_REFERENCE_CHARS, text, strlen(text));
    free(text);
    p11_kit_uri_free(uri);
    return hr_status_of(written ? HR_OK : HR_FULL);
}
