/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/config/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

struct tap {
    uint32_t kind;
    char path[24];
    uint32_t baud;
};

struct everything {
    uint64_t id;
    uint64_t age_ms;
    uint32_t size_bytes;
    uint8_t small;
    bool flag;
    uint32_t level;
    bool has_section;
    struct tap section;
    uint32_t n_names;
    char names[3][8];
    uint32_t n_taps;
    struct tap taps[3];
    uint32_t n_pairs;
    struct conf_pair pairs[3];
};

static const char *const levels[] = {"debug", "info", NULL};
static const struct conf_field file_fields[] = {
    {.key = "path", .type = CONF_STRING, CONF_AT(struct tap, path), .required = true, .min = 1},
};
static const struct conf_field serial_fields[] = {
    {.key = "baud", .type = CONF_UINT, CONF_AT(struct tap, baud), .fallback = "300", .min = 300},
};
static const struct conf_table file_table = {CONF_FIELDS(file_fields)};
static const struct conf_table serial_table = {CONF_FIELDS(serial_fields)};
static const struct conf_variant kinds[] = {{"file", &file_table}, {"serial", &serial_table}};
static const struct conf_table tap_table = {CONF_VARIANTS("type", kinds, struct tap, kind)};
static const struct conf_field fields[] = {
    {.key = "id", .type = CONF_UINT, CONF_AT(struct everything, id)},
    {.key = "age", .type = CONF_DURATION, CONF_AT(struct everything, age_ms), .max = 3600000},
    {.key = "size", .type = CONF_SIZE, CONF_AT(struct everything, size_bytes)},
    {.key = "small", .type = CONF_UINT, CONF_AT(struct everything, small)},
    {.key = "flag", .type = CONF_BOOL, CONF_AT(struct everything, flag)},
    {.key = "level", .type = CONF_ENUM, CONF_AT(struct everything, level), .names = levels},
    {.key = "section",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct everything, section, has_section),
     .table = &tap_table},
    {.key = "names", .type = CONF_STRINGS, CONF_LIST_AT(struct everything, names, n_names)},
    {.key = "taps", .type = CONF_LIST, CONF_LIST_AT(struct everything, taps, n_taps), .table = &tap_table},
    {.key = "pairs", .type = CONF_PAIRS, CONF_LIST_AT(struct everything, pairs, n_pairs)},
};
static const struct conf_table table = {CONF_FIELDS(fields), .size_bytes = sizeof(struct everything)};

static void check_taken(const struct everything *out)
{
    HR_ASSERT(out->age_ms <= 3600000 && out->level <= 1);
    HR_ASSERT(out->n_names <= 3 && out->n_taps <= 3 && out->n_pairs <= 3);
    for (uint32_t i = 0; i < out->n_names; i++) {
        HR_ASSERT(memchr(out->names[i], '\0', sizeof out->names[i]) != NULL && out->names[i][0] != '\0');
    }
    for (uint32_t i = 0; i < out->n_taps; i++) {
        HR_ASSERT(out->taps[i].kind <= 1 && (out->taps[i].kind == 0 || out->taps[i].baud >= 300));
    }
}

static void check_zeros(const struct everything *out)
{
    const uint8_t *bytes = (const uint8_t *)out;
    for (size_t i = 0; i < sizeof *out; i++) {
        HR_ASSERT(bytes[i] == 0);
    }
}

/* Either the struct is filled within its ranges, or it is zeros and at least one error is told, in one line.
 * A path to a secret is not followed: the fuzzer must not read the disk. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static struct everything out;
    static struct conf_report report;
    for (size_t i = 0; i + 5 <= len_bytes; i++) {
        if (memcmp(data + i, "_file", 5) == 0) {
            return 0;
        }
    }
    struct hr_status status = conf_parse("fuzz", hr_bytes_of(data, len_bytes), &table, &out, &report);
    if (hr_is_ok(status)) {
        HR_ASSERT(report.n_errors == 0);
        check_taken(&out);
        return 0;
    }
    HR_ASSERT(hr_is(status, HR_MALFORMED) && report.n_errors > 0);
    check_zeros(&out);
    for (uint32_t i = 0; i < report.n_errors && i < CONF_MAX_ERRORS; i++) {
        HR_ASSERT(report.errors[i].message[0] != '\0' && strpbrk(report.errors[i].message, "\r\n") == NULL);
        HR_ASSERT(strpbrk(report.errors[i].key, "\r\n") == NULL);
    }
    return 0;
}
