/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/config/internal.h"

#include <string.h>

static void print_map(const struct conf_table *table, const char *title, FILE *out);

static void print_string(const char *text, FILE *out)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        bool escaped = *text == '"' || *text == '\\';
        (void)fprintf(out, escaped ? "\\%c" : "%c", *text);
    }
    (void)fputc('"', out);
}

static void print_names(const char *const *names, FILE *out)
{
    (void)fputs("\"enum\":[", out);
    for (size_t i = 0; names[i] != NULL; i++) {
        (void)fputs(i == 0 ? "" : ",", out);
        print_string(names[i], out);
    }
    (void)fputc(']', out);
}

static void print_uint(const struct conf_field *field, FILE *out)
{
    /* 0x17 is a number to one YAML reader and a string to another. */
    (void)fprintf(out, "\"type\":[\"integer\",\"string\"],\"minimum\":%llu", (unsigned long long)field->min);
    if (field->max != 0) {
        (void)fprintf(out, ",\"maximum\":%llu", (unsigned long long)field->max);
    }
}

static void print_list(const struct conf_field *field, FILE *out)
{
    (void)fprintf(out, "\"type\":\"array\",\"minItems\":%llu,\"maxItems\":%zu,\"items\":",
                  (unsigned long long)field->min, field->capacity);
    if (field->type == CONF_STRINGS) {
        (void)fprintf(out, "{\"type\":\"string\",\"minLength\":1,\"maxLength\":%zu}", field->size_bytes - 1);
    } else {
        print_map(field->table, NULL, out);
    }
}

static void print_type(const struct conf_field *field, FILE *out)
{
    switch (field->type) {
    case CONF_STRING:
        (void)fprintf(out, "\"type\":\"string\",\"minLength\":%llu,\"maxLength\":%zu",
                      (unsigned long long)field->min, field->size_bytes - 1);
        return;
    case CONF_BOOL:
        (void)fputs("\"type\":\"boolean\"", out);
        return;
    case CONF_UINT:
        print_uint(field, out);
        return;
    case CONF_REAL:
        (void)fputs("\"type\":\"number\"", out);
        return;
    case CONF_DURATION:
        (void)fputs("\"type\":[\"string\",\"integer\"],\"pattern\":\"^(0|[0-9]+(ms|s|m|h|d))$\"", out);
        return;
    case CONF_SIZE:
        (void)fputs("\"type\":[\"string\",\"integer\"],\"pattern\":\"^[0-9]+(B|KiB|MiB|GiB)?$\"", out);
        return;
    case CONF_ENUM:
        print_names(field->names, out);
        return;
    case CONF_STRINGS:
    case CONF_LIST:
        print_list(field, out);
        return;
    case CONF_PAIRS:
        (void)fprintf(out,
                      "\"type\":\"object\",\"maxProperties\":%zu,\"additionalProperties\":{\"type\":"
                      "[\"string\",\"number\",\"boolean\"]}",
                      field->capacity);
        return;
    case CONF_SECTION:
        break;
    }
    HR_ASSERT(false && "a section is printed as a map");
}

static void print_field(const struct conf_field *field, FILE *out)
{
    print_string(field->key, out);
    (void)fputc(':', out);
    if (field->type == CONF_SECTION) {
        print_map(field->table, field->help, out);
        return;
    }
    (void)fputc('{', out);
    print_type(field, out);
    if (field->help != NULL) {
        (void)fputs(",\"description\":", out);
        print_string(field->help, out);
    }
    if (field->fallback != NULL) {
        bool bare = field->type == CONF_BOOL || field->type == CONF_UINT || field->type == CONF_REAL;
        (void)fputs(",\"default\":", out);
        if (bare) {
            (void)fputs(field->fallback, out);
        } else {
            print_string(field->fallback, out);
        }
    }
    (void)fputc('}', out);
}

/* "properties" and "required" of one table; a variant's key is pinned to its name. */
static void print_fields(const struct conf_table *table, const char *variant_key, const char *variant,
                         FILE *out)
{
    const char *separator = "";
    (void)fputs("\"properties\":{", out);
    if (variant != NULL) {
        print_string(variant_key, out);
        (void)fputs(":{\"const\":", out);
        print_string(variant, out);
        (void)fputc('}', out);
        separator = ",";
    }
    for (size_t i = 0; i < table->n_fields; i++, separator = ",") {
        (void)fputs(separator, out);
        print_field(&table->fields[i], out);
    }
    (void)fputs("},\"required\":[", out);
    separator = "";
    if (variant != NULL) {
        print_string(variant_key, out);
        separator = ",";
    }
    for (size_t i = 0; i < table->n_fields; i++) {
        bool needed = table->fields[i].required;
        (void)fputs(needed ? separator : "", out);
        if (needed) {
            print_string(table->fields[i].key, out);
            separator = ",";
        }
    }
    (void)fputc(']', out);
}

static void print_variants(const struct conf_table *table, FILE *out)
{
    if (table->variant_key == NULL) {
        return;
    }
    (void)fputs(",\"oneOf\":[", out);
    for (size_t i = 0; i < table->n_variants; i++) {
        (void)fputs(i == 0 ? "{" : ",{", out);
        print_fields(table->variants[i].table, table->variant_key, table->variants[i].name, out);
        print_variants(table->variants[i].table, out);
        (void)fputc('}', out);
    }
    (void)fputc(']', out);
}

/* unevaluatedProperties rather than additionalProperties: it sees through oneOf. */
static void print_map(const struct conf_table *table, const char *title, FILE *out)
{
    (void)fputs("{\"type\":\"object\",", out);
    if (title != NULL) {
        (void)fputs("\"description\":", out);
        print_string(title, out);
        (void)fputc(',', out);
    }
    print_fields(table, NULL, NULL, out);
    print_variants(table, out);
    (void)fputs(table->is_open ? "}" : ",\"unevaluatedProperties\":false}", out);
}

void conf_print_schema(const struct conf_table *table, const char *title, FILE *out)
{
    (void)fputs("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":", out);
    print_string(title, out);
    (void)fputs(",\"$ref\":\"#/$defs/file\",\"$defs\":{\"file\":", out);
    print_map(table, NULL, out);
    (void)fputs("}}\n", out);
}
