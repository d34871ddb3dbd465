/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/config/internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"", 1}, {"B", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}, {NULL, 0},
};

/* The number at the start of text and where it ends; false: there is none, or it has more than 64 bits. */
static bool read_digits(const char *text, uint64_t *value, const char **rest)
{
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
    const char *start = hexadecimal ? text + 2 : text;
    size_t n_digits = strspn(start, digits);
    if (n_digits == 0) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    *value = strtoull(start, &end, hexadecimal ? 16 : 10);
    *rest = start + n_digits;
    return errno == 0;
}

static uint64_t greatest(const struct conf_field *field)
{
    uint64_t width_max = field->size_bytes >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * field->size_bytes)) - 1;
    return field->max != 0 && field->max < width_max ? field->max : width_max;
}

/* "5s" for 5000 with the units of durations: the largest unit that divides value. */
static void print_number(const struct unit *units, uint64_t value, char out[32])
{
    const struct unit *best = units;
    for (const struct unit *unit = units; unit != NULL && unit->name != NULL; unit++) {
        if (value != 0 && value % unit->factor == 0) {
            best = unit;
        }
    }
    (void)snprintf(out, 32, "%llu%s", (unsigned long long)(value / (best == NULL ? 1 : best->factor)),
                   best == NULL ? "" : best->name);
}

static void store_uint(void *to, size_t size_bytes, uint64_t value)
{
    uint8_t value8 = (uint8_t)value;
    uint16_t value16 = (uint16_t)value;
    uint32_t value32 = (uint32_t)value;
    const void *from = size_bytes == 1   ? (const void *)&value8
                       : size_bytes == 2 ? (const void *)&value16
                       : size_bytes == 4 ? (const void *)&value32
                                         : (const void *)&value;
    HR_ASSERT(size_bytes == 1 || size_bytes == 2 || size_bytes == 4 || size_bytes == 8);
    memcpy(to, from, size_bytes);
}

/* Reads a number with one of the units (NULL: none), in range. */
static bool read_number(const struct conf_field *field, const char *text, const struct unit *units,
                        const char *wanted, void *to, char complaint[CONF_COMPLAINT_MAX_CHARS])
{
    uint64_t value = 0;
    const char *rest = "";
    bool read = read_digits(text, &value, &rest);
    const struct unit *unit = units;
    while (unit != NULL && unit->name != NULL && strcmp(unit->name, rest) != 0) {
        unit++;
    }
    bool unit_known = units == NULL ? rest[0] == '\0' : unit->name != NULL;
    bool bare_zero = value == 0 && rest[0] == '\0';
    if (!read || !(unit_known || bare_zero)) {
        (void)snprintf(complaint, CONF_COMPLAINT_MAX_CHARS, "\"%.60s\" is not %s", text, wanted);
        return false;
    }
    uint64_t factor = units == NULL || bare_zero ? 1 : unit->factor;
    uint64_t max = greatest(field);
    if (value > UINT64_MAX / factor || value * factor < field->min || value * factor > max) {
        char least[32];
        char most[32];
        print_number(units, field->min, least);
        print_number(units, max, most);
        bool bounded = field->max != 0 || field->size_bytes < 8;
        (void)snprintf(complaint, CONF_COMPLAINT_MAX_CHARS, "%.60s is out of range: %s%s%s%s", text,
                       bounded ? "" : "at least ", least, bounded ? " to " : "", bounded ? most : "");
        return false;
    }
    store_uint(to, field->size_bytes, value * factor);
    return true;
}

static bool read_real(const char *text, void *to, char complaint[CONF_COMPLAINT_MAX_CHARS])
{
    char *end = NULL;
    double value = strtod(text, &end);
    /* strtod would also take blanks, hexadecimal, infinity and what is no number. */
    bool is_decimal = text[0] != '\0' && strspn(text, "+-.0123456789eE") == strlen(text);
    if (!is_decimal || *end != '\0' || !isfinite(value)) {
        (void)snprintf(complaint, CONF_COMPLAINT_MAX_CHARS, "\"%.60s\" is not a decimal number", text);
        return false;
    }
    memcpy(to, &value, sizeof value);
    return true;
}

static bool read_bool(const char *text, void *to, char complaint[CONF_COMPLAINT_MAX_CHARS])
{
    bool value = strcmp(text, "true") == 0;
    if (!value && strcmp(text, "false") != 0) {
        (void)snprintf(complaint, CONF_COMPLAINT_MAX_CHARS, "\"%.60s\" is not true or false", text);
        return false;
    }
    memcpy(to, &value, sizeof value);
    return true;
}

static bool read_enum(const struct conf_field *field, const char *text, void *to,
                      char complaint[CONF_COMPLAINT_MAX_CHARS])
{
    int len = snprintf(complaint, CONF_COMPLAINT_MAX_CHARS, "\"%.40s\" is none of", text);
    for (uint32_t i = 0; field->names[i] != NULL; i++) {
        if (strcmp(field->names[i], text) == 0) {
            store_uint(to, field->size_bytes, i);
            return true;
        }
        if (len >= 0 && len < CONF_COMPLAINT_MAX_CHARS) {
            len += snprintf(complaint + len, (size_t)(CONF_COMPLAINT_MAX_CHARS - len), "%s %s",
                            i == 0 ? "" : ",", field->names[i]);
        }
    }
    return false;
}

static bool read_string(const struct conf_field *field, const char *text, void *to,
                        char complaint[CONF_COMPLAINT_MAX_CHARS])
{
    size_t len_bytes = strlen(text);
    if (len_bytes >= field->size_bytes || len_bytes < field->min) {
        (void)snprintf(complaint, CONF_COMPLAINT_MAX_CHARS, "has %zu characters, %llu to %zu are allowed",
                       len_bytes, (unsigned long long)field->min, field->size_bytes - 1);
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F) {
            (void)snprintf(complaint, CONF_COMPLAINT_MAX_CHARS, "has a control character (0x%02x)",
                           (unsigned)(unsigned char)*at);
            return false;
        }
    }
    const char *wrong = field->check_text == NULL ? NULL : field->check_text(text);
    if (wrong != NULL) {
        (void)snprintf(complaint, CONF_COMPLAINT_MAX_CHARS, "\"%.80s\": %s", text, wrong);
        return false;
    }
    memset(to, 0, field->size_bytes);
    memcpy(to, text, len_bytes);
    return true;
}

bool conf_value_read(const struct conf_field *field, const char *text, void *to,
                     char complaint[CONF_COMPLAINT_MAX_CHARS])
{
    switch (field->type) {
    case CONF_STRING:
    case CONF_STRINGS:
        return read_string(field, text, to, complaint);
    case CONF_BOOL:
        return read_bool(text, to, complaint);
    case CONF_UINT:
        return read_number(field, text, NULL, "a whole number", to, complaint);
    case CONF_REAL:
        return read_real(text, to, complaint);
    case CONF_DURATION:
        return read_number(field, text, duration_units, "a duration such as 250ms, 5s, 2m, 1h or 7d", to,
                           complaint);
    case CONF_SIZE:
        return read_number(field, text, size_units, "a size such as 512, 64KiB, 64MiB or 2GiB", to,
                           complaint);
    case CONF_ENUM:
        return read_enum(field, text, to, complaint);
    case CONF_SECTION:
    case CONF_LIST:
    case CONF_PAIRS:
        break;
    }
    HR_ASSERT(false && "only scalars are read here");
    return false;
}

/* Edits (insert, delete, replace, swap of neighbours counts two) from a to b, by one row of the usual table.
 */
static size_t edits_between(const char *a, const char *b)
{
    size_t row[CONF_KEY_MAX_CHARS + 1];
    size_t len_a = strlen(a);
    size_t len_b = strlen(b);
    if (len_a > CONF_KEY_MAX_CHARS || len_b > CONF_KEY_MAX_CHARS) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= len_b; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= len_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len_b; j++) {
            size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < shorter ? replaced : shorter;
        }
    }
    return row[len_b];
}

const char *conf_nearest(const char *text, const char *const *names)
{
    const char *nearest = NULL;
    /* A third of the letters wrong is still a typing error; more is another word. */
    size_t least = strlen(text) / 3 + 2;
    for (; *names != NULL; names++) {
        size_t edits = edits_between(text, *names);
        if (edits < least) {
            least = edits;
            nearest = *names;
        }
    }
    return nearest;
}
