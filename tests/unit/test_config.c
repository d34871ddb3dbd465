/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/config/config.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum tap_kind { TAP_FILE, TAP_SERIAL };
enum level { LEVEL_DEBUG, LEVEL_INFO };

struct tap {
    enum tap_kind kind;
    char name[16];
    char path[64];
    uint32_t baud;
};

struct spool {
    uint64_t size_bytes;
    uint32_t sector_bytes;
};

struct kafka {
    char brokers[64];
    uint32_t n_properties;
    struct conf_pair properties[4];
};

struct sample {
    uint64_t device_id;
    uint64_t max_age_ms;
    uint16_t port;
    bool verbose;
    enum level level;
    struct spool spool;
    bool has_kafka;
    struct kafka kafka;
    uint32_t n_addresses;
    char addresses[3][24];
    uint32_t n_taps;
    struct tap taps[2];
};

static const char *check_address(const char *text)
{
    return strchr(text, ':') == NULL ? "an address is host:port" : NULL;
}

static void check_spool(const void *section, struct conf_place *place)
{
    const struct spool *spool = section;
    if (spool->size_bytes < 4u * (uint64_t)spool->sector_bytes) {
        conf_complain(place, "size", "must hold at least 4 sectors of %u bytes",
                      (unsigned)spool->sector_bytes);
    }
}

static const char *const levels[] = {"debug", "info", NULL};

static const struct conf_field file_fields[] = {
    {.key = "path",
     .type = CONF_STRING,
     CONF_AT(struct tap, path),
     .required = true,
     .min = 1,
     .help = "The file."},
};
static const struct conf_field serial_fields[] = {
    {.key = "path", .type = CONF_STRING, CONF_AT(struct tap, path), .required = true, .help = "The device."},
    {.key = "baud",
     .type = CONF_UINT,
     CONF_AT(struct tap, baud),
     .fallback = "38400",
     .min = 300,
     .max = 921600,
     .help = "Bits a second."},
};
static const struct conf_table file_table = {CONF_FIELDS(file_fields)};
static const struct conf_table serial_table = {CONF_FIELDS(serial_fields)};
static const struct conf_variant tap_kinds[] = {{"file", &file_table}, {"serial", &serial_table}};
static const struct conf_field tap_fields[] = {
    {.key = "name", .type = CONF_STRING, CONF_AT(struct tap, name), .fallback = "ais", .help = "Its name."},
};
static const struct conf_table tap_table = {CONF_FIELDS(tap_fields),
                                            CONF_VARIANTS("type", tap_kinds, struct tap, kind)};
static const struct conf_field spool_fields[] = {
    {.key = "size",
     .type = CONF_SIZE,
     CONF_AT(struct spool, size_bytes),
     .fallback = "64MiB",
     .help = "Of the whole ring."},
    {.key = "sector",
     .type = CONF_SIZE,
     CONF_AT(struct spool, sector_bytes),
     .fallback = "64KiB",
     .help = "Of one \"sector\"."},
};
static const struct conf_table spool_table = {CONF_FIELDS(spool_fields), .check = check_spool};
static const struct conf_field kafka_fields[] = {
    {.key = "brokers",
     .type = CONF_STRING,
     CONF_AT(struct kafka, brokers),
     .required = true,
     .help = "Where."},
    {.key = "properties",
     .type = CONF_PAIRS,
     CONF_LIST_AT(struct kafka, properties, n_properties),
     .help = "Of librdkafka."},
};
static const struct conf_table kafka_table = {CONF_FIELDS(kafka_fields)};
static const struct conf_field fields[] = {
    {.key = "device_id",
     .type = CONF_UINT,
     CONF_AT(struct sample, device_id),
     .required = true,
     .min = 1,
     .help = "Given at enrolment."},
    {.key = "max_age",
     .type = CONF_DURATION,
     CONF_AT(struct sample, max_age_ms),
     .fallback = "5s",
     .min = 100,
     .max = 3600000,
     .help = "Of a batch."},
    {.key = "port", .type = CONF_UINT, CONF_AT(struct sample, port), .fallback = "5684", .help = "UDP."},
    {.key = "verbose", .type = CONF_BOOL, CONF_AT(struct sample, verbose), .help = "Says more."},
    {.key = "level",
     .type = CONF_ENUM,
     CONF_AT(struct sample, level),
     .names = levels,
     .fallback = "info",
     .help = "Of the log."},
    {.key = "spool",
     .type = CONF_SECTION,
     CONF_AT(struct sample, spool),
     .table = &spool_table,
     .help = "The ring."},
    {.key = "kafka",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct sample, kafka, has_kafka),
     .table = &kafka_table,
     .help = "The broker."},
    {.key = "addresses",
     .type = CONF_STRINGS,
     CONF_LIST_AT(struct sample, addresses, n_addresses),
     .check_text = check_address,
     .help = "Tried in turn."},
    {.key = "taps",
     .type = CONF_LIST,
     CONF_LIST_AT(struct sample, taps, n_taps),
     .table = &tap_table,
     .min = 1,
     .help = "Where data comes from."},
};
static const struct conf_table table = {CONF_FIELDS(fields), .size_bytes = sizeof(struct sample)};

static struct conf_report report;
static struct sample loaded;

static struct hr_status parse(const char *text)
{
    memset(&loaded, 0xEE, sizeof loaded);
    return conf_parse("t.yaml", hr_bytes_of(text, strlen(text)), &table, &loaded, &report);
}

static void assert_error(uint32_t index, uint32_t line, const char *key, const char *message)
{
    assert_true(index < report.n_errors);
    assert_string_equal(report.errors[index].message, message);
    assert_string_equal(report.errors[index].key, key);
    assert_int_equal(report.errors[index].line, line);
}

/* A file whose one mistake is `line`, in line 3. */
static void assert_mistake(const char *line, const char *key, const char *message)
{
    char text[512];
    (void)snprintf(text, sizeof text, "device_id: 1\ntaps: [{type: file, path: x}]\n%s\n", line);
    assert_code(parse(text), HR_MALFORMED);
    assert_int_equal(report.n_errors, 1);
    assert_error(0, 3, key, message);
    static const struct sample zeros;
    assert_memory_equal(&loaded, &zeros, sizeof zeros);
}

static void smallest_file_is_filled_up_with_the_defaults(void **state)
{
    (void)state;
    assert_ok(parse("device_id: 1\ntaps: [{type: serial, path: /dev/ttyS0}]\n"));
    assert_int_equal(report.n_errors, 0);
    assert_true(loaded.device_id == 1);
    assert_true(loaded.max_age_ms == 5000);
    assert_int_equal(loaded.port, 5684);
    assert_false(loaded.verbose);
    assert_int_equal(loaded.level, LEVEL_INFO);
    assert_true(loaded.spool.size_bytes == 67108864);
    assert_int_equal(loaded.spool.sector_bytes, 65536);
    assert_false(loaded.has_kafka);
    assert_int_equal(loaded.n_addresses, 0);
    assert_int_equal(loaded.n_taps, 1);
    assert_int_equal(loaded.taps[0].kind, TAP_SERIAL);
    assert_string_equal(loaded.taps[0].name, "ais");
    assert_string_equal(loaded.taps[0].path, "/dev/ttyS0");
    assert_int_equal(loaded.taps[0].baud, 38400);
}

static void every_type_of_value_is_read(void **state)
{
    (void)state;
    assert_ok(parse("device_id: 0xFFFFFFFFFFFFFFFF\n"
                    "max_age: 2m\n"
                    "port: 65535\n"
                    "verbose: true\n"
                    "level: debug\n"
                    "spool: {size: 2GiB, sector: 4096}\n"
                    "kafka:\n"
                    "  brokers: \"a:9092,b:9092\"\n"
                    "  properties:\n"
                    "    security.protocol: ssl\n"
                    "    linger.ms: 5\n"
                    "addresses: ['one:1', two:2]\n"
                    "taps:\n"
                    "- {type: file, name: replay, path: \"/x y\"}\n"
                    "- type: serial\n"
                    "  baud: 9600\n"
                    "  path: d\n"));
    assert_true(loaded.device_id == UINT64_MAX);
    assert_true(loaded.max_age_ms == 120000);
    assert_int_equal(loaded.port, 65535);
    assert_true(loaded.verbose);
    assert_int_equal(loaded.level, LEVEL_DEBUG);
    assert_true(loaded.spool.size_bytes == 2147483648u);
    assert_int_equal(loaded.spool.sector_bytes, 4096);
    assert_true(loaded.has_kafka);
    assert_string_equal(loaded.kafka.brokers, "a:9092,b:9092");
    assert_int_equal(loaded.kafka.n_properties, 2);
    assert_string_equal(loaded.kafka.properties[0].key, "security.protocol");
    assert_string_equal(loaded.kafka.properties[0].value, "ssl");
    assert_string_equal(loaded.kafka.properties[1].key, "linger.ms");
    assert_string_equal(loaded.kafka.properties[1].value, "5");
    assert_int_equal(loaded.n_addresses, 2);
    assert_string_equal(loaded.addresses[1], "two:2");
    assert_int_equal(loaded.taps[0].kind, TAP_FILE);
    assert_string_equal(loaded.taps[0].name, "replay");
    assert_string_equal(loaded.taps[0].path, "/x y");
    assert_int_equal(loaded.taps[1].baud, 9600);
}

static void every_mistake_of_a_file_is_told_at_once_in_the_order_of_lines(void **state)
{
    (void)state;
    assert_code(parse("max_age: 20ms\n"                       /* 1, and device_id is missing */
                      "levell: info\n"                        /* 2 */
                      "port: 70000\n"                         /* 3 */
                      "port: 1\n"                             /* 4 */
                      "verbose: yes\n"                        /* 5 */
                      "kafka: {}\n"                           /* 6 */
                      "addresses:\n"                          /* 7 */
                      "  - here\n"                            /* 8 */
                      "taps:\n"                               /* 9 */
                      "  - {type: serial, baud: 1, pth: x}\n" /* 10 */
                      "  - {type: fil}\n"),                   /* 11 */
                HR_MALFORMED);
    assert_int_equal(report.n_errors, 12);
    assert_error(0, 1, "device_id", "is required and missing");
    assert_error(1, 1, "max_age", "20ms is out of range: 100ms to 1h");
    assert_error(2, 2, "levell", "unknown key; did you mean level?");
    assert_error(3, 3, "port", "70000 is out of range: 0 to 65535");
    assert_error(4, 4, "port", "stands twice; first in line 3");
    assert_error(5, 5, "verbose", "\"yes\" is not true or false");
    assert_error(6, 6, "kafka.brokers", "is required and missing");
    assert_error(7, 8, "addresses[0]", "\"here\": an address is host:port");
    assert_error(8, 10, "taps[0].pth", "unknown key; did you mean path?");
    assert_error(9, 10, "taps[0].path", "is required and missing");
    assert_error(10, 10, "taps[0].baud", "1 is out of range: 300 to 921600");
    assert_error(11, 11, "taps[1].type", "\"fil\" is none of file, serial");
}

static void each_mistake_has_its_message(void **state)
{
    (void)state;
    assert_mistake("port: -1", "port", "\"-1\" is not a whole number");
    assert_mistake("port: 12 apples", "port", "\"12 apples\" is not a whole number");
    assert_mistake("port: 0x", "port", "\"0x\" is not a whole number");
    assert_mistake("port: 99999999999999999999", "port", "\"99999999999999999999\" is not a whole number");
    assert_mistake("port: [1]", "port", "is a list, and a single value is wanted");
    assert_mistake("port:", "port", "has no value");
    assert_mistake("max_age: 5", "max_age", "\"5\" is not a duration such as 250ms, 5s, 2m, 1h or 7d");
    assert_mistake("max_age: 5 s", "max_age", "\"5 s\" is not a duration such as 250ms, 5s, 2m, 1h or 7d");
    assert_mistake("max_age: 400000000000000000d", "max_age",
                   "400000000000000000d is out of range: 100ms to 1h");
    assert_mistake("level: loud", "level", "\"loud\" is none of debug, info");
    assert_mistake("spool: {size: 64MB}", "spool.size",
                   "\"64MB\" is not a size such as 512, 64KiB, 64MiB or 2GiB");
    assert_mistake("spool: {sector: 8GiB}", "spool.sector", "8GiB is out of range: 0 to 4294967295B");
    assert_mistake("spool: {size: 128KiB}", "spool.size", "must hold at least 4 sectors of 65536 bytes");
    assert_mistake("spool: 5", "spool", "is a single value, and a map is wanted");
    assert_mistake("addresses: a:1", "addresses", "is a single value, and a list is wanted");
    assert_mistake("addresses: [a:1, b:1, c:1, d:1]", "addresses", "has more than 3 entries");
    assert_mistake("addresses: [aaaaaaaaaaaaaaaaaaaaaaaaaaaa:1]", "addresses[0]",
                   "has 30 characters, 1 to 23 are allowed");
    assert_mistake("addresses: ['']", "addresses[0]", "has 0 characters, 1 to 23 are allowed");
    assert_mistake("addresses: [\"a\\tb:1\"]", "addresses[0]", "has a control character (0x09)");
    assert_mistake("addresses: [{}]", "addresses[0]", "is a map, and a single value is wanted");
    assert_mistake("kafka: {brokers: a, properties: {a: [1]}}", "kafka.properties.a",
                   "is a list, and a single value is wanted");
    assert_mistake("kafka: {brokers: a, properties: {a: 1, b: 2, c: 3, d: 4, e: 5}}", "kafka.properties",
                   "has more than 4 entries");
    assert_mistake("kafka: {brokers: a, properties: {a: 1, a: 2}}", "kafka.properties.a",
                   "stands twice; first in line 3");
    assert_mistake("kafka: {brokers: a, properties: {a_file: /nonexistent/x}}", "kafka.properties.a_file",
                   "/nonexistent/x: No such file or directory");
    assert_mistake("completely_else: 1", "completely_else", "unknown key");
}

static void lists_and_variants_ask_for_what_they_need(void **state)
{
    (void)state;
    assert_code(parse("device_id: 1\n"), HR_MALFORMED);
    assert_int_equal(report.n_errors, 1);
    assert_error(0, 1, "taps", "needs at least 1 entries");
    assert_code(parse("device_id: 1\ntaps: []\n"), HR_MALFORMED);
    assert_error(0, 2, "taps", "needs at least 1 entries");
    assert_code(parse("device_id: 1\ntaps:\n- path: x\n"), HR_MALFORMED);
    assert_int_equal(report.n_errors, 1); /* whether path is wrong can't be known */
    assert_error(0, 3, "taps[0].type", "is missing; one of file, serial");
    assert_code(parse("device_id: 1\ntaps:\n- {type: file, path: x, baud: 300}\n"), HR_MALFORMED);
    assert_error(0, 3, "taps[0].baud", "unknown key");
    assert_code(parse("device_id: 1\ntaps:\n- 5\n"), HR_MALFORMED);
    assert_error(0, 3, "taps[0]", "is a single value, and a map is wanted");
}

static void text_that_is_no_yaml_is_told_with_its_line(void **state)
{
    (void)state;
    assert_code(parse("device_id: 1\ntaps: [1\nport: {"), HR_MALFORMED);
    assert_error(0, 3, "", "not valid YAML: did not find expected ',' or ']' while parsing a flow sequence");
    assert_code(parse("a: &x 1\nb: *x\n"), HR_MALFORMED);
    assert_error(0, 2, "", "YAML aliases (*name) are not used here");
    assert_code(parse("a: 1\nb: !!int 1\n"), HR_MALFORMED);
    assert_error(0, 2, "", "YAML tags are not used here");
    assert_code(parse("a: 1\n---\nb: 1\n"), HR_MALFORMED);
    assert_error(0, 2, "", "a second document starts here");
    assert_code(parse("? [a]\n: 1\n"), HR_MALFORMED);
    assert_error(0, 1, "", "a key must be a plain word");
    assert_code(parse("a: \"x\\0y\"\n"), HR_MALFORMED);
    assert_error(0, 1, "", "a NUL character stands in the value");
    assert_code(parse("[[[[[[[[[[[[[[[[[[[[\n"), HR_MALFORMED);
    assert_error(0, 1, "", "nested deeper than 12 levels");
    assert_code(parse("- a\n"), HR_MALFORMED);
    assert_error(0, 1, "", "is a list, and a map is wanted");
    assert_code(parse(""), HR_MALFORMED);
    assert_error(0, 1, "device_id", "is required and missing");
}

static void size_of_a_file_is_bounded(void **state)
{
    (void)state;
    size_t len_bytes = 2 * CONF_MAX_NODES + 64;
    char *text = malloc(len_bytes + 1);
    assert_non_null(text);
    memcpy(text, "a: [", 4);
    for (size_t i = 4; i < len_bytes; i++) {
        text[i] = i % 2 == 0 ? '1' : ',';
    }
    text[len_bytes] = '\0';
    assert_code(parse(text), HR_MALFORMED);
    assert_error(0, 1, "", "more than 20000 values in one file");
    free(text);
}

static void errors_beyond_those_kept_are_counted(void **state)
{
    (void)state;
    char text[4096] = "";
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "unknown%u: 1\n", i);
    }
    assert_code(parse(text), HR_MALFORMED);
    assert_int_equal(report.n_errors, 202);
    char *printed = NULL;
    size_t printed_len = 0;
    FILE *out = open_memstream(&printed, &printed_len);
    assert_non_null(out);
    conf_report_print(&report, out);
    (void)fclose(out);
    assert_non_null(strstr(printed, "t.yaml:1:unknown0: unknown key\n"));
    assert_non_null(strstr(printed, "t.yaml: and 138 more errors\n"));
    free(printed);
}

static void message_never_breaks_its_line(void **state)
{
    (void)state;
    assert_code(parse("\"a\\nb\": 1\nport: \"1\\n2\"\n"), HR_MALFORMED);
    for (uint32_t i = 0; i < report.n_errors; i++) {
        assert_null(strchr(report.errors[i].key, '\n'));
        assert_null(strchr(report.errors[i].message, '\n'));
    }
}

/* A file under a name of its own, removed by the caller. */
static void write_file(char path[32], const char *content, size_t len_bytes)
{
    static const char pattern[] = "/tmp/headrace-conf-XXXXXX";
    memcpy(path, pattern, sizeof pattern);
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, content, len_bytes), len_bytes);
    assert_int_equal(close(descriptor), 0);
}

static void file_is_loaded_and_a_missing_or_endless_one_is_told(void **state)
{
    (void)state;
    static const char text[] = "device_id: 3\ntaps: [{type: file, path: x}]\n";
    char path[32];
    write_file(path, text, sizeof text - 1);
    assert_ok(conf_load(path, &table, &loaded, &report));
    assert_true(loaded.device_id == 3);
    assert_int_equal(unlink(path), 0);

    assert_code(conf_load(path, &table, &loaded, &report), HR_NOT_FOUND);
    assert_true(loaded.device_id == 0);
    assert_error(0, 0, "", "No such file or directory");
    assert_code(conf_load("/", &table, &loaded, &report), HR_IO);
    assert_int_equal(report.n_errors, 1);
    assert_code(conf_load("/dev/zero", &table, &loaded, &report), HR_MALFORMED);
    assert_error(0, 0, "", "the file is too long");
}

static void secret_comes_from_its_file_without_the_line_end(void **state)
{
    (void)state;
    char path[32];
    char text[256];
    write_file(path, "s3cret\r\n", 8);
    (void)snprintf(text, sizeof text,
                   "device_id: 1\ntaps: [{type: file, path: x}]\n"
                   "kafka: {brokers: a, properties: {sasl.password_file: %s}}\n",
                   path);
    assert_ok(parse(text));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(loaded.kafka.n_properties, 1);
    assert_string_equal(loaded.kafka.properties[0].key, "sasl.password");
    assert_string_equal(loaded.kafka.properties[0].value, "s3cret");
}

static void parse_with_a_wrong_default(void *ctx)
{
    static const struct conf_field wrong[] = {
        {.key = "port", .type = CONF_UINT, CONF_AT(struct sample, port), .fallback = "70000"}};
    static const struct conf_table wrong_table = {CONF_FIELDS(wrong), .size_bytes = sizeof(struct sample)};
    hr_ignore(conf_parse("t", hr_bytes_of("", 0), &wrong_table, ctx, &report));
}

static void table_with_a_default_that_it_would_refuse_asserts(void **state)
{
    (void)state;
    assert_true(test_asserts(parse_with_a_wrong_default, &loaded));
}

static void schema_says_what_the_table_says(void **state)
{
    (void)state;
    char *schema = NULL;
    size_t schema_len = 0;
    FILE *out = open_memstream(&schema, &schema_len);
    assert_non_null(out);
    conf_print_schema(&table, "sample", out);
    (void)fclose(out);
    static const char *const wanted[] = {
        "\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"sample\"",
        "\"required\":[\"device_id\"]",
        "\"level\":{\"enum\":[\"debug\",\"info\"],\"description\":\"Of the log.\",\"default\":\"info\"}",
        "\"baud\":{\"type\":[\"integer\",\"string\"],\"minimum\":300,\"maximum\":921600,",
        "\"oneOf\":[{\"properties\":{\"type\":{\"const\":\"file\"},\"path\":",
        "\"description\":\"Of one \\\"sector\\\".\"",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(wanted); i++) {
        assert_non_null(strstr(schema, wanted[i]));
    }
    free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smallest_file_is_filled_up_with_the_defaults),
        cmocka_unit_test(every_type_of_value_is_read),
        cmocka_unit_test(every_mistake_of_a_file_is_told_at_once_in_the_order_of_lines),
        cmocka_unit_test(each_mistake_has_its_message),
        cmocka_unit_test(lists_and_variants_ask_for_what_they_need),
        cmocka_unit_test(text_that_is_no_yaml_is_told_with_its_line),
        cmocka_unit_test(size_of_a_file_is_bounded),
        cmocka_unit_test(errors_beyond_those_kept_are_counted),
        cmocka_unit_test(message_never_breaks_its_line),
        cmocka_unit_test(file_is_loaded_and_a_missing_or_endless_one_is_told),
        cmocka_unit_test(secret_comes_from_its_file_without_the_line_end),
        cmocka_unit_test(table_with_a_default_that_it_would_refuse_asserts),
        cmocka_unit_test(schema_says_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
