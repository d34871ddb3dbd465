/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/normalize/telemetry/telemetry.h"
#include "aggregator/normalize/trust/trust.h"
#include "aggregator/schema_registry/schema.h"
#include "proto/base/assert.h"
#include "tests/support/test_assert.h"

#include <avro.h>
#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { FIELDS_MAX = 128, VALUE_MAX_BYTES = 16384, TEXT_MAX_BYTES = 80 };

static const struct norm_schema *const our_schemas[] = {&norm_ais_schema, &norm_device_schema,
                                                        &norm_telemetry_schema, &norm_trust_schema};

static void tables_say_what_the_avsc_files_say(void **state)
{
    char why[SCHEMA_WHY_CHARS];

    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(our_schemas); i++) {
        assert_true(hr_is_ok(schema_check(our_schemas[i], why, sizeof(why))));
    }
}

static const char *string_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* avro-c ignores logical types, defaults and docs, so another JSON parser looks at them. */
static void avsc_files_have_logical_types_defaults_and_docs(void **state)
{
    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(our_schemas); i++) {
        const struct norm_schema *schema = our_schemas[i];
        struct hr_bytes text;

        assert_true(hr_is_ok(schema_text(schema->name, &text)));
        cJSON *record = cJSON_ParseWithLength((const char *)text.data, text.len_bytes);
        const cJSON *fields = cJSON_GetObjectItemCaseSensitive(record, "fields");

        assert_string_equal(string_of(record, "namespace"), "headrace");
        for (int f = 0; f < cJSON_GetArraySize(fields); f++) {
            const cJSON *field = cJSON_GetArrayItem(fields, f);
            const cJSON *type = cJSON_GetObjectItemCaseSensitive(field, "type");
            const char *logical = schema->fields[f].logical;

            assert_true(strlen(string_of(field, "doc")) > 5);
            if (schema->fields[f].nullable) {
                /* Old readers and writers can do without the field: BACKWARD compatibility of what comes
                 * later. */
                assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(field, "default")));
                type = cJSON_GetArrayItem(type, 1);
            }
            if (logical == NULL) {
                assert_true(cJSON_IsString(type));
            } else {
                assert_string_equal(string_of(type, "logicalType"), logical);
            }
        }
        cJSON_Delete(record);
    }
}

static void a_table_that_differs_is_refused_with_the_reason(void **state)
{
    static struct norm_field fields[FIELDS_MAX];
    struct norm_schema schema = norm_device_schema;
    char why[SCHEMA_WHY_CHARS];

    (void)state;
    memcpy(fields, norm_device_schema.fields, norm_device_schema.n_fields * sizeof(fields[0]));
    schema.fields = fields;
    assert_true(hr_is_ok(schema_check(&schema, why, sizeof(why))));

    fields[3].name = "tenant";
    assert_true(hr_is(schema_check(&schema, why, sizeof(why)), HR_MALFORMED));
    assert_string_equal(why, "field 3 is tenant_id in the .avsc and tenant in the table");
    fields[3].name = "tenant_id";
    fields[4].type = NORM_STRING;
    assert_true(hr_is(schema_check(&schema, why, sizeof(why)), HR_MALFORMED));
    assert_string_equal(why, "field schema_version is long in the .avsc and string in the table");
    fields[4].type = NORM_LONG;
    fields[4].nullable = true;
    assert_true(hr_is(schema_check(&schema, why, sizeof(why)), HR_MALFORMED));
    fields[4].nullable = false;
    schema.n_fields--;
    assert_true(hr_is(schema_check(&schema, why, sizeof(why)), HR_MALFORMED));
    schema.name = "no_such_schema";
    assert_true(hr_is(schema_check(&schema, why, sizeof(why)), HR_NOT_FOUND));
}

/* Avro 1.11 specification, "Binary Encoding": the examples of long and string, and by hand the rest. */
static void values_encode_as_the_specification_says(void **state)
{
    static const struct norm_field fields[] = {
        {"a", NORM_LONG, false, NULL},   {"b", NORM_LONG, false, NULL},   {"c", NORM_LONG, false, NULL},
        {"d", NORM_STRING, false, NULL}, {"e", NORM_DOUBLE, false, NULL}, {"f", NORM_BOOLEAN, true, NULL},
        {"g", NORM_BOOLEAN, true, NULL}, {"h", NORM_LONG, false, NULL},   {"i", NORM_BYTES, true, NULL},
    };
    const struct norm_value values[] = {
        {.as.number = 0},
        {.as.number = -64},
        {.as.number = 64},
        {.as.bytes = hr_bytes_of("foo", 3)},
        {.as.real = -2.0},
        {.is_null = true},
        {.as.flag = true},
        {.as.number = INT64_MIN},
        {.as.bytes = hr_bytes_of("", 0)},
    };
    static const uint8_t wanted[] = {0x00, 0x7F, 0x80, 0x01, 0x06, 'f',  'o',  'o',  0,    0,    0,
                                     0,    0,    0,    0,    0xC0, 0x00, 0x02, 0x01, 0xFF, 0xFF, 0xFF,
                                     0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x02, 0x00};
    const struct norm_schema schema = {.name = "x", .fields = fields, .n_fields = HR_ARRAY_LEN(fields)};
    const struct norm_event event = {.schema = &schema, .values = values};
    uint8_t bytes[256];
    size_t len_bytes = 0;

    (void)state;
    assert_true(hr_is_ok(schema_encode(&event, bytes, sizeof(bytes), &len_bytes)));
    assert_int_equal(len_bytes, sizeof(wanted));
    assert_memory_equal(bytes, wanted, sizeof(wanted));
}

struct null_event {
    struct norm_value value;
};

static void encode_null(void *ctx)
{
    const struct null_event *broken = ctx;
    static const struct norm_field field = {"a", NORM_LONG, false, NULL};
    const struct norm_schema schema = {.name = "x", .fields = &field, .n_fields = 1};
    const struct norm_event event = {.schema = &schema, .values = &broken->value};
    uint8_t bytes[64];
    size_t len_bytes;

    hr_ignore(schema_encode(&event, bytes, sizeof(bytes), &len_bytes));
}

static void a_null_where_the_schema_has_none_is_our_own_bug(void **state)
{
    struct null_event broken = {.value.is_null = true};

    (void)state;
    assert_true(test_asserts(encode_null, &broken));
}

/* xorshift64: the seed is printed, and the same seed gives the same events. */
static uint64_t random_next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void values_fill(const struct norm_schema *schema, uint64_t *random, struct norm_value *values,
                        char *texts)
{
    for (uint16_t i = 0; i < schema->n_fields; i++) {
        char *text = texts + (size_t)i * TEXT_MAX_BYTES;
        size_t len_bytes = random_next(random) % TEXT_MAX_BYTES;

        values[i] =
            (struct norm_value){.is_null = schema->fields[i].nullable && random_next(random) % 3 == 0};
        switch (schema->fields[i].type) {
        case NORM_LONG:
            /* Numbers of every length. */
            values[i].as.number = (int64_t)random_next(random) >> (random_next(random) % 64);
            break;
        case NORM_DOUBLE:
            values[i].as.real = (double)(int64_t)random_next(random) / 600000.0;
            break;
        case NORM_BOOLEAN:
            values[i].as.flag = random_next(random) % 2 == 0;
            break;
        case NORM_STRING:
        case NORM_BYTES:
            for (size_t c = 0; c < len_bytes; c++) {
                text[c] = (char)(' ' + random_next(random) % 95);
            }
            values[i].as.bytes = hr_bytes_of(text, len_bytes);
            break;
        }
    }
}

/* What avro-c says the field holds, against what we encoded. */
static void field_compare(avro_value_t *record, size_t index, const struct norm_field *field,
                          const struct norm_value *ours)
{
    avro_value_t value;
    const char *name = NULL;
    int64_t number = 0;
    double real = 0;
    int flag = 0;
    const char *text = NULL;
    const void *bytes = NULL;
    size_t len_bytes = 0;

    assert_int_equal(avro_value_get_by_index(record, index, &value, &name), 0);
    assert_string_equal(name, field->name);
    if (field->nullable) {
        int branch = -1;

        assert_int_equal(avro_value_get_discriminant(&value, &branch), 0);
        assert_int_equal(branch, ours->is_null ? 0 : 1);
        assert_int_equal(avro_value_get_current_branch(&value, &value), 0);
    }
    if (ours->is_null) {
        return;
    }
    switch (field->type) {
    case NORM_LONG:
        assert_int_equal(avro_value_get_long(&value, &number), 0);
        assert_int_equal(number, ours->as.number);
        break;
    case NORM_DOUBLE:
        assert_int_equal(avro_value_get_double(&value, &real), 0);
        assert_memory_equal(&real, &ours->as.real, sizeof(real));
        break;
    case NORM_BOOLEAN:
        assert_int_equal(avro_value_get_boolean(&value, &flag), 0);
        assert_int_equal(flag, ours->as.flag);
        break;
    case NORM_STRING:
        assert_int_equal(avro_value_get_string(&value, &text, &len_bytes), 0);
        assert_int_equal(len_bytes - 1, ours->as.bytes.len_bytes);
        assert_memory_equal(text, ours->as.bytes.data, len_bytes - 1);
        break;
    case NORM_BYTES:
        assert_int_equal(avro_value_get_bytes(&value, &bytes, &len_bytes), 0);
        assert_int_equal(len_bytes, ours->as.bytes.len_bytes);
        assert_memory_equal(bytes, ours->as.bytes.data, len_bytes);
        break;
    }
}

static void avro_c_reads_every_value_that_we_encode(void **state)
{
    static struct norm_value values[FIELDS_MAX];
    static char texts[FIELDS_MAX * TEXT_MAX_BYTES];
    static uint8_t bytes[VALUE_MAX_BYTES];
    uint64_t random = (uint64_t)time(NULL) | 1;
    uint64_t n_fields = 0;

    (void)state;
    print_message("seed %llu\n", (unsigned long long)random);
    for (size_t s = 0; s < HR_ARRAY_LEN(our_schemas); s++) {
        const struct norm_schema *schema = our_schemas[s];
        const struct norm_event event = {.schema = schema, .values = values};
        struct hr_bytes text;
        avro_schema_t avro;
        avro_value_t record;

        assert_true(hr_is_ok(schema_text(schema->name, &text)));
        assert_int_equal(avro_schema_from_json_length((const char *)text.data, text.len_bytes, &avro), 0);
        avro_value_iface_t *iface = avro_generic_class_from_schema(avro);

        assert_int_equal(avro_generic_value_new(iface, &record), 0);
        for (int round = 0; round < 500; round++) {
            size_t len_bytes = 0;

            values_fill(schema, &random, values, texts);
            assert_true(hr_is_ok(schema_encode(&event, bytes, sizeof(bytes), &len_bytes)));
            avro_reader_t reader = avro_reader_memory((const char *)bytes, (int64_t)len_bytes);
            char more;

            assert_int_equal(avro_value_read(reader, &record), 0);
            assert_int_not_equal(avro_read(reader, &more, 1), 0);
            for (uint16_t f = 0; f < schema->n_fields; f++, n_fields++) {
                field_compare(&record, f, &schema->fields[f], &values[f]);
            }
            avro_reader_free(reader);
            (void)avro_value_reset(&record);
        }
        avro_value_decref(&record);
        avro_value_iface_decref(iface);
        avro_schema_decref(avro);
    }
    print_message("%llu fields compared\n", (unsigned long long)n_fields);
}

static void a_buffer_that_is_too_small_is_full_and_never_overrun(void **state)
{
    static struct norm_value values[FIELDS_MAX];
    static char texts[FIELDS_MAX * TEXT_MAX_BYTES];
    uint64_t random = 12345;
    const struct norm_event event = {.schema = &norm_ais_schema, .values = values};
    size_t len_bytes = 0;
    size_t n_full = 0;

    (void)state;
    values_fill(&norm_ais_schema, &random, values, texts);
    for (size_t capacity = 0; capacity < VALUE_MAX_BYTES; capacity += 7) {
        uint8_t *exact = malloc(capacity + 1); /* the sanitizer watches its end */
        size_t found = 999999;
        struct hr_status status = schema_encode(&event, exact, capacity, &found);

        if (hr_is_ok(status)) {
            assert_true(found <= capacity);
            len_bytes = found;
        } else {
            assert_true(hr_is(status, HR_FULL));
            assert_int_equal(found, 999999);
            assert_int_equal(len_bytes, 0); /* once big enough, always */
            n_full++;
        }
        free(exact);
    }
    assert_true(n_full > 0 && len_bytes > 0);
}

static void framing_is_a_zero_and_the_id_big_endian(void **state)
{
    static const uint8_t framed[] = {0x00, 0x48, 0x52, 0x00, 0x01, 0xAA};
    uint8_t frame[SCHEMA_FRAMING_BYTES];
    uint32_t id = 0;
    struct hr_bytes value;

    (void)state;
    schema_frame(0x48520001, frame);
    assert_memory_equal(frame, framed, sizeof(frame));
    assert_true(hr_is_ok(schema_unframe(hr_bytes_of(framed, sizeof(framed)), &id, &value)));
    assert_int_equal(id, 0x48520001);
    assert_int_equal(value.len_bytes, 1);
    assert_int_equal(value.data[0], 0xAA);
    assert_true(hr_is(schema_unframe(hr_bytes_of(framed, 4), &id, &value), HR_MALFORMED));
    assert_true(hr_is(schema_unframe(hr_bytes_of(framed + 1, 5), &id, &value), HR_MALFORMED));
}

static cJSON *fields_of(const char *name)
{
    struct hr_bytes text;
    assert_true(hr_is_ok(schema_text(name, &text)));
    cJSON *record = cJSON_ParseWithLength((const char *)text.data, text.len_bytes);
    assert_non_null(record);
    cJSON *fields = cJSON_DetachItemFromObjectCaseSensitive(record, "fields");
    assert_non_null(fields);
    cJSON_Delete(record);
    return fields;
}

/* Values of version 1 are decoded with its own text. A newer version may add common fields with a default;
 * fields of its own only behind the old ones and nullable, because what events say is compared across
 * versions (norm_content_of). */
static void older_versions_of_a_schema_stay_readable_and_only_grow(void **state)
{
    static const struct {
        uint32_t id;
        const char *old, *now;
    } rows[] = {{0x48520000, "headrace_device_events.1", "headrace_device_events"},
                {0x48520001, "marine_ais_raw.1", "marine_ais_raw"}};

    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        const char *name = NULL;
        assert_true(hr_is_ok(schema_offline_name(rows[i].id, &name)));
        assert_string_equal(name, rows[i].old);
        cJSON *old = fields_of(rows[i].old);
        cJSON *now = fields_of(rows[i].now);
        const cJSON *at = now->child;
        const cJSON *field;
        cJSON_ArrayForEach(field, old)
        {
            for (; at != NULL && !cJSON_Compare(at, field, true); at = at->next) {
                assert_non_null(cJSON_GetObjectItemCaseSensitive(at, "default"));
            }
            HR_ASSERT(at != NULL); /* each field of the old one is there, in its order */
            at = at->next;
        }
        for (; at != NULL; at = at->next) {
            assert_true(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(at, "default")));
        }
        cJSON_Delete(old);
        cJSON_Delete(now);
    }
}

static void offline_ids_are_one_to_one(void **state)
{
    uint32_t id = 0;
    const char *name = NULL;

    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(our_schemas); i++) {
        assert_true(hr_is_ok(schema_offline_id(our_schemas[i]->name, our_schemas[i]->version, &id)));
        assert_true(id >= 0x48520000);
        assert_true(hr_is_ok(schema_offline_name(id, &name)));
        assert_string_equal(name, our_schemas[i]->name);
    }
    assert_true(hr_is(schema_offline_id("marine_ais_raw", 99, &id), HR_NOT_FOUND));
    assert_true(hr_is(schema_offline_name(1, &name), HR_NOT_FOUND));
}

static void values_become_json_and_foreign_bytes_are_refused(void **state)
{
    static const char schema[] =
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"long\"]},"
        "{\"name\":\"b\",\"type\":\"string\"},{\"name\":\"c\",\"type\":\"bytes\"},"
        "{\"name\":\"d\",\"type\":\"double\"},{\"name\":\"e\",\"type\":{\"type\":\"array\",\"items\":"
        "\"boolean\"}},"
        "{\"name\":\"f\",\"type\":{\"type\":\"enum\",\"name\":\"n\",\"symbols\":[\"x\",\"y\"]}}]}";
    static const uint8_t value[] = {0x02, 0x05, 0x06, 'a',  '"',  '\n', 0x04, 0xDE, 0xAD, 0x9A, 0x99,
                                    0x99, 0x99, 0x99, 0x99, 0xB9, 0x3F, 0x04, 0x01, 0x00, 0x00, 0x02};
    static const char wanted[] =
        "{\"a\":-3,\"b\":\"a\\\"\\u000a\",\"c\":\"dead\",\"d\":0.1,\"e\":[true,false],\"f\":\"y\"}";
    struct schema_decoder *decoder = NULL;
    char json[256];
    size_t len_bytes = 0;

    (void)state;
    assert_true(hr_is_ok(schema_decoder_open(hr_bytes_of(schema, sizeof(schema) - 1), &decoder)));
    const struct hr_bytes whole = hr_bytes_of(value, sizeof(value));

    assert_true(hr_is_ok(schema_decoder_json(decoder, whole, json, sizeof(json), &len_bytes)));
    assert_int_equal(len_bytes, sizeof(wanted) - 1);
    assert_memory_equal(json, wanted, len_bytes);
    assert_true(hr_is(schema_decoder_json(decoder, whole, json, 20, &len_bytes), HR_FULL));
    for (size_t cut = 0; cut < sizeof(value); cut++) {
        assert_true(
            hr_is(schema_decoder_json(decoder, hr_bytes_of(value, cut), json, sizeof(json), &len_bytes),
                  HR_MALFORMED));
    }
    uint8_t longer[sizeof(value) + 1] = {0};

    memcpy(longer, value, sizeof(value));
    assert_true(hr_is(
        schema_decoder_json(decoder, hr_bytes_of(longer, sizeof(longer)), json, sizeof(json), &len_bytes),
        HR_MALFORMED));
    schema_decoder_close(decoder);
    assert_true(hr_is(schema_decoder_open(hr_bytes_of("\"long\"", 6), &decoder), HR_MALFORMED));
    assert_true(hr_is(schema_decoder_open(hr_bytes_of("{", 1), &decoder), HR_MALFORMED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_say_what_the_avsc_files_say),
        cmocka_unit_test(avsc_files_have_logical_types_defaults_and_docs),
        cmocka_unit_test(a_table_that_differs_is_refused_with_the_reason),
        cmocka_unit_test(values_encode_as_the_specification_says),
        cmocka_unit_test(a_null_where_the_schema_has_none_is_our_own_bug),
        cmocka_unit_test(avro_c_reads_every_value_that_we_encode),
        cmocka_unit_test(a_buffer_that_is_too_small_is_full_and_never_overrun),
        cmocka_unit_test(framing_is_a_zero_and_the_id_big_endian),
        cmocka_unit_test(older_versions_of_a_schema_stay_readable_and_only_grow),
        cmocka_unit_test(offline_ids_are_one_to_one),
        cmocka_unit_test(values_become_json_and_foreign_bytes_are_refused),
    };

    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
