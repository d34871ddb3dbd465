/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of the operators as Avro: the tables against schemas/avro, and what avro-c makes of our bytes. */
#include "aggregator/normalize/iso/event.h"
#include "aggregator/schema_registry/schema.h"
#include "proto/base/assert.h"
#include "tests/support/iso_lab.h"
#include "tests/support/test_cmocka.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

enum { VALUE_BYTES = 4096, JSON_BYTES = 16384 };

static void tables_say_what_the_avsc_files_say(void **state)
{
    char why[SCHEMA_WHY_CHARS] = "";
    (void)state;
    for (int product = 0; product < NORM_ISO_PRODUCT_COUNT; product++) {
        for (int iso = 0; iso < NORM_ISO_COUNT; iso++) {
            const struct norm_schema *schema =
                norm_iso_schema((enum norm_iso)iso, (enum norm_iso_product)product);
            uint32_t id = 0;
            assert_ok(schema_check(schema, why, sizeof why));
            assert_ok(schema_offline_id(schema->name, schema->version, &id));
            assert_true(schema->n_fields <= NORM_ISO_EVENT_FIELDS_MAX);
            const char *dot = strrchr(schema->topic, '.');
            assert_string_equal(dot + 1, norm_iso_code((enum norm_iso)iso));
        }
    }
}

/* The first row of what was read, through our encoder and avro-c's decoder. */
static cJSON *encoded_row(void)
{
    static uint8_t bytes[VALUE_BYTES];
    static char json[JSON_BYTES];
    struct norm_value values[NORM_ISO_EVENT_FIELDS_MAX];
    const struct norm_iso_row *row = &iso_lab.rows[0].row;
    const struct norm_schema *schema = norm_iso_schema(row->feed->iso, row->feed->product);
    const struct norm_event event = {.schema = schema, .values = values};
    struct hr_bytes text;
    struct schema_decoder *decoder = NULL;
    size_t len = 0;
    size_t json_len = 0;
    for (size_t i = 0; i < NORM_COMMON_COUNT; i++) {
        bool is_text = schema->fields[i].type == NORM_STRING;
        values[i] = is_text ? norm_chars("x", 1) : norm_long(7);
    }
    norm_iso_values(row, iso_lab.rows[0].key, values);
    assert_ok(schema_encode(&event, bytes, sizeof bytes, &len));
    assert_ok(schema_text(schema->name, &text));
    assert_ok(schema_decoder_open(text, &decoder));
    assert_ok(schema_decoder_json(decoder, hr_bytes_of(bytes, len), json, sizeof json, &json_len));
    schema_decoder_close(decoder);
    cJSON *object = cJSON_ParseWithLength(json, json_len);
    assert_non_null(object);
    assert_int_equal(cJSON_GetArraySize(object), schema->n_fields);
    return object;
}

static const char *text_at(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static double number_at(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static bool is_null_at(const cJSON *object, const char *name)
{
    return cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(object, name));
}

static void a_price_is_written_with_its_contract(void **state)
{
    (void)state;
    iso_lab_read_text(
        "nyiso_da_lmp", "",
        "Time Stamp,Name,PTID,LBMP ($/MWHr),Marginal Cost Losses ($/MWHr),Marginal Cost Congestion "
        "($/MWHr)\n07/01/2025 12:00,LONGIL,61762,50.00,2.00,-8.00\n");
    cJSON *object = encoded_row();
    assert_string_equal(text_at(object, "feed"), "nyiso_da_lmp");
    assert_string_equal(text_at(object, "observation_key"),
                        "nyiso/da_lmp/DAM/energy/price//zone/61762//2025-07-01T16:00:00Z/60");
    assert_string_equal(text_at(object, "iso_code"), "nyiso");
    assert_string_equal(text_at(object, "iso_market"), "DAM");
    assert_string_equal(text_at(object, "iso_product"), "da_lmp");
    assert_string_equal(text_at(object, "iso_location_type"), "zone");
    assert_string_equal(text_at(object, "iso_location_id"), "61762");
    assert_string_equal(text_at(object, "iso_location_name"), "LONGIL");
    assert_string_equal(text_at(object, "iso_timezone"), "America/New_York");
    assert_string_equal(text_at(object, "iso_unit"), "USD/MWh");
    assert_true(number_at(object, "iso_interval_minutes") == 60);
    assert_true(number_at(object, "interval_start") == 1751385600e6);
    assert_true(number_at(object, "interval_end") == 1751389200e6);
    assert_true(number_at(object, "value") == 50);
    assert_true(number_at(object, "energy") == 40);
    assert_true(number_at(object, "congestion") == 8);
    assert_true(number_at(object, "loss") == 2);
    assert_true(is_null_at(object, "ghg") && is_null_at(object, "published_at") &&
                is_null_at(object, "iso_region"));
    assert_true(cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "energy_derived")));
    cJSON_Delete(object);
}

static void a_forecast_is_written_with_when_it_was_made(void **state)
{
    (void)state;
    iso_lab_read_text(
        "isone_load_forecast", "",
        "{\"HourlyLoadForecasts\":{\"HourlyLoadForecast\":{\"BeginDate\":\"2024-03-10T00:00:00.000-05:00\","
        "\"CreationDate\":\"2024-03-08T04:07:43.000-05:00\",\"LoadMw\":10940}}}");
    cJSON *object = encoded_row();
    assert_true(number_at(object, "published_at") == 1709888863e6);
    assert_true(number_at(object, "value") == 10940);
    assert_string_equal(text_at(object, "iso_curve_role"), "forecast");
    assert_non_null(strstr(text_at(object, "observation_key"), "@2024-03-08T09:07:43Z"));
    cJSON_Delete(object);
}

static void a_constraint_may_have_no_price(void **state)
{
    (void)state;
    iso_lab_read_text(
        "pjm_da_constraint", "",
        "{\"links\":[{\"href\":\"https://api.pjm.com/api/v1/da_transconstraints?x\"}],\"items\":[{"
        "\"datetime_beginning_utc\":\"2024-09-02T16:00:00\",\"datetime_ending_utc\":\"2024-09-02T17:00:00\","
        "\"monitored_facility\":\"A\",\"contingency_facility\":\"B\"}]}");
    cJSON *object = encoded_row();
    assert_true(is_null_at(object, "value") && is_null_at(object, "limit_mw"));
    assert_string_equal(text_at(object, "contingency"), "B");
    assert_string_equal(text_at(object, "iso_subject"), "binding");
    cJSON_Delete(object);
}

/* As the publisher computes it. */
static uint64_t content_of(const struct norm_iso_row *row)
{
    static uint8_t bytes[VALUE_BYTES];
    struct norm_value values[NORM_ISO_EVENT_FIELDS_MAX];
    const struct norm_schema *schema = norm_iso_schema(row->feed->iso, row->feed->product);
    const struct norm_event event = {.schema = schema, .values = values, .key = row->location_id};
    size_t len = 0;
    size_t own_at = 0;
    for (size_t i = 0; i < NORM_COMMON_COUNT; i++) {
        values[i] = schema->fields[i].type == NORM_STRING ? norm_chars("x", 1) : norm_long(7);
    }
    norm_iso_values(row, "key", values);
    assert_ok(schema_encoder.encode(&event, NORM_COMMON_COUNT, bytes, sizeof bytes, &len, &own_at));
    return norm_content_of(&event, hr_bytes_of(bytes + own_at, len - own_at));
}

static void a_row_in_quarantine_says_the_same_as_without(void **state)
{
    static char long_reason[200];
    (void)state;
    memset(long_reason, 'r', sizeof long_reason - 1);
    static const char *const feeds[] = {"caiso_da_lmp", "nyiso_rt_lmp", "pjm_load"};
    for (size_t i = 0; i < HR_ARRAY_LEN(feeds); i++) {
        struct norm_iso_row row = {.feed = norm_iso_feed_of(hr_bytes_of(feeds[i], strlen(feeds[i]))),
                                   .market = hr_bytes_of("M", 1),
                                   .location_id = hr_bytes_of("N1", 2),
                                   .subject = "s",
                                   .curve_role = "r",
                                   .unit = "u",
                                   .value = 31.5,
                                   .has = NORM_ISO_HAS_VALUE};
        uint64_t content = content_of(&row);
        row.quarantine = "seasonal+ewma";
        assert_true(content_of(&row) == content);
        row.quarantine = long_reason; /* whose length takes two bytes */
        assert_true(content_of(&row) == content);
        row.value = 31.25;
        assert_true(content_of(&row) != content);
        row.quarantine = NULL;
        assert_true(content_of(&row) != content);
    }
}

/* Nobody publishes market_curve yet; whoever will must find the contract of the others in it. */
static void a_market_curve_begins_with_the_contract_of_all_operators(void **state)
{
    const struct norm_schema *schema = norm_iso_schema(NORM_CAISO, NORM_ISO_DA_SCHEDULE);
    struct schema_decoder *decoder = NULL;
    struct hr_bytes texts[2];
    cJSON *records[2];
    uint32_t id = 0;
    (void)state;
    assert_ok(schema_offline_id("market_curve", 1, &id));
    assert_ok(schema_text("market_curve", &texts[0]));
    assert_ok(schema_text(schema->name, &texts[1]));
    assert_ok(schema_decoder_open(texts[0], &decoder)); /* avro-c takes it */
    schema_decoder_close(decoder);
    for (int i = 0; i < 2; i++) {
        records[i] = cJSON_ParseWithLength((const char *)texts[i].data, texts[i].len_bytes);
        assert_non_null(records[i]);
    }
    const cJSON *curve = cJSON_GetObjectItemCaseSensitive(records[0], "fields");
    const cJSON *schedule = cJSON_GetObjectItemCaseSensitive(records[1], "fields");
    int n_shared = cJSON_GetArraySize(schedule) - 1; /* all but value */
    assert_true(cJSON_GetArraySize(curve) > n_shared + 3);
    for (int f = 0; f < n_shared; f++) {
        static const char *const parts[] = {"name", "type", "default"};
        for (size_t part = 0; part < HR_ARRAY_LEN(parts); part++) {
            const cJSON *ours = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(curve, f), parts[part]);
            const cJSON *theirs =
                cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(schedule, f), parts[part]);
            assert_true((ours == NULL && theirs == NULL) || cJSON_Compare(ours, theirs, true));
        }
    }
    for (int f = 0; f < cJSON_GetArraySize(curve); f++) {
        const cJSON *doc = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(curve, f), "doc");
        assert_true(cJSON_IsString(doc) && strlen(doc->valuestring) > 5);
    }
    cJSON_Delete(records[0]);
    cJSON_Delete(records[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_market_curve_begins_with_the_contract_of_all_operators),
        cmocka_unit_test(a_row_in_quarantine_says_the_same_as_without),
        cmocka_unit_test(tables_say_what_the_avsc_files_say),
        cmocka_unit_test(a_price_is_written_with_its_contract),
        cmocka_unit_test(a_forecast_is_written_with_when_it_was_made),
        cmocka_unit_test(a_constraint_may_have_no_price),
    };
    return cmocka_run_group_tests(tests, iso_lab_start, iso_lab_stop);
}
