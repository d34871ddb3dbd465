/* SPDX-License-Identifier: Apache-2.0
 *
 * YAML files into plain structs, by a table. The table says every key once: its type, range, default, place
 * in the struct and help. Loading reports every mistake of a file at once, each as file:line:key: message,
 * and fills the struct only when there is none. This room owns libyaml; nobody else sees its types. Strings,
 * lists and maps are fixed arrays inside the caller's struct, so a loaded configuration owns no memory and is
 * copied by assignment. YAML anchors, aliases, tags and several documents are refused. For programs on Linux;
 * it allocates while it loads and frees before it returns. Functions are [any], without shared state.
 *
 *   struct tap { uint32_t kind; char path[256]; uint32_t baud; };
 *   struct config { uint64_t max_age_ms; uint32_t n_taps; struct tap taps[8]; };
 *
 *   static const struct conf_field serial_fields[] = {
 *       {.key = "path", .type = CONF_STRING, CONF_AT(struct tap, path), .required = true, .help = "The
 * device."},
 *       {.key = "baud", .type = CONF_UINT, CONF_AT(struct tap, baud), .fallback = "38400", .min = 300,
 *        .max = 921600, .help = "Bits a second."},
 *   };
 *   static const struct conf_table serial_table = {CONF_FIELDS(serial_fields)};
 *   static const struct conf_variant tap_kinds[] = {{"file", &file_table}, {"serial", &serial_table}};
 *   static const struct conf_table tap_table = {CONF_VARIANTS("type", tap_kinds, struct tap, kind)};
 *   static const struct conf_field fields[] = {
 *       {.key = "max_age", .type = CONF_DURATION, CONF_AT(struct config, max_age_ms), .fallback = "5s",
 *        .min = 100, .help = "A batch is sealed at this age."},
 *       {.key = "taps", .type = CONF_LIST, CONF_LIST_AT(struct config, taps, n_taps), .table = &tap_table,
 *        .min = 1, .help = "Where data comes from."},
 *   };
 *   static const struct conf_table table = {CONF_FIELDS(fields), .size_bytes = sizeof(struct config)}; */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include "proto/base/assert.h"
#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <stddef.h>
#include <stdio.h>

enum {
    CONF_FILE_MAX_BYTES = 1024 * 1024,
    CONF_MAX_DEPTH = 12,      /* of nested maps and lists in a file */
    CONF_MAX_NODES = 20000,   /* scalars, maps and lists in a file */
    CONF_MAX_FIELDS = 64,     /* in one map, variants included */
    CONF_MAX_ERRORS = 64,     /* reported one by one; further ones are counted */
    CONF_KEY_MAX_CHARS = 127, /* of a whole path such as taps[3].path */
    CONF_MESSAGE_MAX_CHARS = 255,
    CONF_PAIR_KEY_MAX_CHARS = 95,
    CONF_PAIR_VALUE_MAX_CHARS = 1023,
};

enum conf_type {
    CONF_STRING, /* char[n]: at most n - 1 bytes of UTF-8 without control characters; min: least length */
    CONF_BOOL,   /* bool: true or false */
    CONF_UINT,   /* uint8_t to uint64_t: decimal, or hexadecimal after 0x */
    CONF_REAL, /* double: decimal, with a sign and an exponent or not; finite; min and max aren't looked at */
    CONF_DURATION, /* uint32_t or uint64_t, milliseconds: 250ms, 5s, 2m, 1h, 7d, 0 */
    CONF_SIZE,     /* uint32_t or uint64_t, bytes: 512, 512B, 64KiB, 64MiB, 2GiB */
    CONF_ENUM,     /* uint32_t or an enum from 0: the index in names */
    CONF_STRINGS,  /* char[n][m] with a count: list of strings */
    CONF_SECTION,  /* a struct: a nested map, read by table */
    CONF_LIST,     /* struct[n] with a count: list of maps, each read by table */
    CONF_PAIRS,    /* struct conf_pair[n] with a count: a free map of strings; see conf_pair */
};

/* One entry of a free map. The value of a key that ends in _file is a path: the entry becomes the key without
 * _file and the content of that file without its last line end, so that secrets stay out of configuration
 * files. */
struct conf_pair {
    char key[CONF_PAIR_KEY_MAX_CHARS + 1];
    char value[CONF_PAIR_VALUE_MAX_CHARS + 1];
};

struct conf_table;

struct conf_field {
    const char *key; /* one level, as it stands in the file */
    enum conf_type type;
    bool required;
    const char *fallback; /* what an absent scalar is read as; NULL: zero or empty. Asserted to be valid */
    const char *help;     /* one sentence for the schema and the manual */
    size_t offset_bytes;  /* CONF_AT, CONF_LIST_AT or CONF_SECTION_AT fill these four */
    size_t size_bytes;
    size_t capacity;
    size_t count_offset_bytes; /* uint32_t count of a list; of a section the bool that tells it was given, or
                                  none */
    uint64_t min;              /* least number, string length or list length */
    uint64_t max;              /* greatest number; 0: as much as the member holds */
    const char *const *names;  /* of an enum, ending in NULL */
    const struct conf_table *table;          /* of a section or of the elements of a list */
    const char *(*check_text)(const char *); /* of strings: NULL, or what is wrong, as static text */
};

#define CONF_NOWHERE ((size_t)-1)
#define CONF_AT(type, member)                                                                                \
    .offset_bytes = offsetof(type, member), .size_bytes = sizeof(((type *)0)->member), .capacity = 1,        \
    .count_offset_bytes = CONF_NOWHERE
#define CONF_LIST_AT(type, member, count_member)                                                             \
    .offset_bytes = offsetof(type, member), .size_bytes = sizeof(((type *)0)->member[0]),                    \
    .capacity = sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]),                                \
    .count_offset_bytes = offsetof(type, count_member)
/* A section that may be left out: the bool tells whether it was there, and its fields are required only then.
 * A section by CONF_AT is always read, as an empty map when it is absent. */
#define CONF_SECTION_AT(type, member, given_member)                                                          \
    .offset_bytes = offsetof(type, member), .size_bytes = sizeof(((type *)0)->member), .capacity = 1,        \
    .count_offset_bytes = offsetof(type, given_member)

/* Where the map stands that a check looks at; only for conf_complain. */
struct conf_place;

struct conf_variant {
    const char *name;
    const struct conf_table *table; /* the further keys of this variant; may have variants itself */
};

/* What a map may hold: its fields, and those of the variant that variant_key names. Offsets in a variant's
 * table are from the start of the same struct. */
struct conf_table {
    const struct conf_field *fields;
    size_t n_fields;
    size_t size_bytes; /* of the struct; of the table given to conf_load */
    const char *variant_key;
    const struct conf_variant *variants;
    size_t n_variants;
    size_t variant_offset_bytes; /* uint32_t or enum: the index of the variant */
    bool is_open;                /* keys that it doesn't name are somebody else's: passed over, not unknown */
    /* NULL, or checks that take more than one field. Called when all fields of the map are right. */
    void (*check)(const void *section, struct conf_place *place);
};

#define CONF_FIELDS(array) .fields = (array), .n_fields = HR_ARRAY_LEN(array)
#define CONF_VARIANTS(name, array, type, member)                                                             \
    .variant_key = (name), .variants = (array), .n_variants = HR_ARRAY_LEN(array),                           \
    .variant_offset_bytes = offsetof(type, member)

struct conf_error {
    uint32_t line; /* from 1; 0: the file as a whole */
    char key[CONF_KEY_MAX_CHARS + 1];
    char message[CONF_MESSAGE_MAX_CHARS + 1];
};

struct conf_report {
    char file[256];
    uint32_t n_errors; /* all of them; the first CONF_MAX_ERRORS stand in errors */
    struct conf_error errors[CONF_MAX_ERRORS];
};

/* Loads the file at path. HR_MALFORMED: it has the mistakes that report tells. HR_NOT_FOUND: no such file.
 * HR_IO: it can't be read. In each failure report has at least one error, and *out (table->size_bytes) is all
 * zeros. */
HR_MUST_USE struct hr_status conf_load(const char *path, const struct conf_table *table, void *out,
                                       struct conf_report *report);
/* The same over text in memory; `name` stands for the file in messages. */
HR_MUST_USE struct hr_status conf_parse(const char *name, struct hr_bytes text,
                                        const struct conf_table *table, void *out,
                                        struct conf_report *report);

/* From a check: adds an error at `key` of the map that is looked at (at the map itself when key is NULL or
 * was not given in the file). */
void conf_complain(struct conf_place *place, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes each error as file:line:key: message, a line each. */
void conf_report_print(const struct conf_report *report, FILE *out);

/* Writes the table as a JSON Schema (draft 2020-12), for editors and the manual. */
void conf_print_schema(const struct conf_table *table, const char *title, FILE *out);

#endif
