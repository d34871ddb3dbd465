/* SPDX-License-Identifier: Apache-2.0
 *
 * Which schema reads what which other one wrote: cases by hand, after "Schema Resolution" of the Avro 1.11
 * specification. tests/system/test_schemas.py compares with Avro's own checker. */
#include "aggregator/schema_registry/compat/compat.h"
#include "aggregator/schema_registry/schema.h"
#include "proto/base/assert.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

static char told[1024];

static void keep(void *ctx, const struct schema_break *found)
{
    size_t len = strlen(told);
    (void)ctx;
    assert_true(strlen(found->text) > 0);
    (void)snprintf(told + len, sizeof told - len, "%s%s %s", len == 0 ? "" : "; ", found->field,
                   schema_rule_name(found->rule));
}

static struct hr_status check(const char *reader, const char *writer, uint32_t *n_breaks)
{
    told[0] = '\0';
    return schema_compat_check(hr_bytes_of(reader, strlen(reader)), hr_bytes_of(writer, strlen(writer)), keep,
                               NULL, n_breaks);
}

/* `wanted` is "" for none, or each as "field RULE", parted by "; ". */
static void expect(const char *reader, const char *writer, const char *wanted)
{
    uint32_t n_breaks = 99;
    uint32_t n_wanted = wanted[0] == '\0' ? 0 : 1;
    for (const char *at = wanted; *at != '\0'; at++) {
        n_wanted += *at == ';' ? 1 : 0;
    }
    assert_ok(check(reader, writer, &n_breaks));
    assert_string_equal(told, wanted);
    assert_int_equal(n_breaks, n_wanted);
}

#define RECORD(fields)                 "{\"type\":\"record\",\"name\":\"r\",\"namespace\":\"n\",\"fields\":[" fields "]}"
#define FIELD(name, type)              "{\"name\":\"" name "\",\"type\":" type "}"
#define FIELD_OR(name, type, fallback) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" fallback "}"

static void a_new_field_needs_a_default_and_an_old_one_may_go(void **state)
{
    (void)state;
    expect(RECORD(FIELD("a", "\"long\"")), RECORD(FIELD("a", "\"long\"")), "");
    expect(RECORD(FIELD("a", "\"long\"")), RECORD(FIELD("a", "\"long\"") "," FIELD("b", "\"string\"")), "");
    expect(RECORD(FIELD("a", "\"long\"") "," FIELD("b", "\"string\"")), RECORD(FIELD("a", "\"long\"")),
           "r.b READER_FIELD_MISSING_DEFAULT_VALUE");
    expect(RECORD(FIELD("a", "\"long\"") "," FIELD_OR("b", "\"string\"", "\"\"")),
           RECORD(FIELD("a", "\"long\"")), "");
    expect(RECORD(FIELD_OR("b", "[\"null\",\"string\"]", "null")), RECORD(""), "");
    expect(RECORD("{\"name\":\"b\",\"aliases\":[\"x\",\"a\"],\"type\":\"long\"}"),
           RECORD(FIELD("a", "\"long\"")), "");
    expect(RECORD("{\"name\":\"b\",\"aliases\":[\"a\"],\"type\":\"boolean\"}"),
           RECORD(FIELD("a", "\"long\"")), "r.b TYPE_MISMATCH");
}

static void only_the_promotions_of_the_specification_are_read(void **state)
{
    (void)state;
    static const char *const types[] = {"null",  "boolean", "int",    "long",
                                        "float", "double",  "string", "bytes"};
    /* reader, then the writers that it reads besides itself */
    static const char *const reads[] = {"", "", "", "int", "int long", "int long float", "bytes", "string"};
    for (size_t r = 0; r < HR_ARRAY_LEN(types); r++) {
        for (size_t w = 0; w < HR_ARRAY_LEN(types); w++) {
            char reader[128];
            char writer[128];
            (void)snprintf(reader, sizeof reader, RECORD(FIELD("a", "\"%s\"")), types[r]);
            (void)snprintf(writer, sizeof writer, RECORD(FIELD("a", "\"%s\"")), types[w]);
            bool is_read = r == w || strstr(reads[r], types[w]) != NULL;
            expect(reader, writer, is_read ? "" : "r.a TYPE_MISMATCH");
        }
    }
}

static void each_branch_that_was_written_must_be_read(void **state)
{
    (void)state;
    expect(RECORD(FIELD("a", "[\"null\",\"long\"]")), RECORD(FIELD("a", "\"long\"")), "");
    expect(RECORD(FIELD("a", "[\"null\",\"double\"]")), RECORD(FIELD("a", "[\"long\",\"null\"]")), "");
    expect(RECORD(FIELD("a", "\"long\"")), RECORD(FIELD("a", "[\"null\",\"long\"]")), "r.a TYPE_MISMATCH");
    expect(RECORD(FIELD("a", "[\"null\",\"long\"]")), RECORD(FIELD("a", "[\"null\",\"string\",\"long\"]")),
           "r.a MISSING_UNION_BRANCH");
    expect(RECORD(FIELD("a", "\"double\"")), RECORD(FIELD("a", "[\"int\",\"float\"]")), "");
    /* Within the branch of the same kind, what is wrong there is told. */
    expect("[\"null\"," RECORD(FIELD("a", "\"long\"")) "]", RECORD(FIELD("b", "\"long\"")),
           "r.a READER_FIELD_MISSING_DEFAULT_VALUE");
}

static void names_symbols_sizes_and_elements_are_compared(void **state)
{
    (void)state;
    expect("{\"type\":\"fixed\",\"name\":\"f\",\"size\":16}",
           "{\"type\":\"fixed\",\"name\":\"f\",\"size\":8}", "f FIXED_SIZE_MISMATCH");
    expect("{\"type\":\"fixed\",\"name\":\"f\",\"size\":8}", "{\"type\":\"fixed\",\"name\":\"g\",\"size\":8}",
           "f NAME_MISMATCH");
    expect("{\"type\":\"fixed\",\"name\":\"f\",\"aliases\":[\"g\"],\"size\":8}",
           "{\"type\":\"fixed\",\"name\":\"g\",\"size\":8}", "");
    expect("{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"]}",
           "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}", "e MISSING_ENUM_SYMBOLS");
    expect("{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\"],\"default\":\"A\"}",
           "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}", "");
    expect(RECORD(FIELD("a", "{\"type\":\"array\",\"items\":\"int\"}")),
           RECORD(FIELD("a", "{\"type\":\"array\",\"items\":\"long\"}")), "r.a.items TYPE_MISMATCH");
    expect(RECORD(FIELD("a", "{\"type\":\"map\",\"values\":\"long\"}")),
           RECORD(FIELD("a", "{\"type\":\"map\",\"values\":\"int\"}")), "");
    expect(RECORD(FIELD("a", "{\"type\":\"map\",\"values\":\"long\"}")),
           RECORD(FIELD("a", "{\"type\":\"array\",\"items\":\"long\"}")), "r.a TYPE_MISMATCH");
}

static void the_same_number_with_another_meaning_is_told(void **state)
{
    (void)state;
#define TIME(unit) "{\"type\":\"long\",\"logicalType\":\"timestamp-" unit "\"}"
    expect(RECORD(FIELD("a", TIME("micros"))), RECORD(FIELD("a", TIME("micros"))), "");
    expect(RECORD(FIELD("a", TIME("millis"))), RECORD(FIELD("a", TIME("micros"))),
           "r.a LOGICAL_TYPE_MISMATCH");
    expect(RECORD(FIELD("a", "[\"null\"," TIME("millis") "]")), RECORD(FIELD("a", "\"long\"")),
           "r.a LOGICAL_TYPE_MISMATCH");
}

static void references_and_types_in_themselves_are_followed(void **state)
{
    (void)state;
    static const char list[] = "{\"type\":\"record\",\"name\":\"list\",\"namespace\":\"n\",\"fields\":["
                               "{\"name\":\"v\",\"type\":\"long\"},"
                               "{\"name\":\"next\",\"type\":[\"null\",\"%s\"]}]}";
    char one[256];
    char other[256];
    (void)snprintf(one, sizeof one, list, "list");
    (void)snprintf(other, sizeof other, list, "n.list");
    expect(one, other, "");
    expect(RECORD(FIELD("a", "{\"type\":\"fixed\",\"name\":\"id\",\"size\":4}") "," FIELD("b", "\"id\"")),
           RECORD(FIELD("a", "{\"type\":\"fixed\",\"name\":\"id\",\"size\":4}") "," FIELD("b", "\"long\"")),
           "r.b TYPE_MISMATCH");
}

static void what_is_no_schema_is_malformed_and_too_deep_is_full(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "{",
        "7",
        "{}",
        "\"unknown\"",
        "{\"type\":\"record\",\"name\":\"r\"}",
        "{\"type\":\"record\",\"fields\":[]}",
        RECORD("{\"name\":\"a\"}"),
        RECORD("{\"type\":\"long\"}"),
        RECORD(FIELD("a", "\"r2\"")),
        RECORD(FIELD("a", "{\"type\":\"record\",\"name\":\"r\",\"fields\":[]}")),
    };
    uint32_t n_breaks = 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        assert_code(check(wrong[i], wrong[i], &n_breaks), HR_MALFORMED);
    }
    char deep[2048] = "";
    for (int i = 0; i < 40; i++) {
        (void)snprintf(deep + strlen(deep), sizeof deep - strlen(deep), "{\"type\":\"array\",\"items\":");
    }
    (void)snprintf(deep + strlen(deep), sizeof deep - strlen(deep), "\"int\"");
    for (int i = 0; i < 40; i++) {
        (void)snprintf(deep + strlen(deep), sizeof deep - strlen(deep), "}");
    }
    assert_code(check(deep, deep, &n_breaks), HR_FULL);
}

static void every_schema_of_the_build_reads_its_older_versions(void **state)
{
    (void)state;
    const char *name = NULL;
    struct hr_bytes text;
    uint32_t n_older = 0;
    for (size_t i = 0; schema_nth(i, &name, &text); i++) {
        char base[96];
        struct hr_bytes newest;
        uint32_t n_breaks = 0;
        (void)snprintf(base, sizeof base, "%.*s", (int)strcspn(name, "."), name);
        assert_ok(schema_text(base, &newest));
        told[0] = '\0';
        assert_ok(schema_compat_check(newest, text, keep, NULL, &n_breaks));
        assert_string_equal(told, "");
        n_older += strchr(name, '.') != NULL ? 1 : 0;
    }
    assert_true(n_older >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_field_needs_a_default_and_an_old_one_may_go),
        cmocka_unit_test(only_the_promotions_of_the_specification_are_read),
        cmocka_unit_test(each_branch_that_was_written_must_be_read),
        cmocka_unit_test(names_symbols_sizes_and_elements_are_compared),
        cmocka_unit_test(the_same_number_with_another_meaning_is_told),
        cmocka_unit_test(references_and_types_in_themselves_are_followed),
        cmocka_unit_test(what_is_no_schema_is_malformed_and_too_deep_is_full),
        cmocka_unit_test(every_schema_of_the_build_reads_its_older_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
