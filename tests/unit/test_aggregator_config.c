/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/base64.h"
#include "aggregator/config/config.h"
#include "aggregator/config/registry_entry.h"

#include "proto/base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The public key of RFC 6979 A.2.5 as a SubjectPublicKeyInfo in DER. */
static const char rfc6979_public_key[] =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk"
    "8vGyDC1+n1F3o8KU1EYimQ==";

static void base64_follows_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *text;
    } vectors[] = {{"f", "Zg=="},        {"fo", "Zm8="},          {"foo", "Zm9v"},
                   {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},   {"foobar", "Zm9vYmFy"},
                   {"\xFF\xFE", "//4="}, {"\xFB\xEF\xBE", "++++"}};
    for (size_t i = 0; i < HR_ARRAY_LEN(vectors); i++) {
        char text[16];
        uint8_t bytes[16];
        size_t len_bytes = 0;
        config_base64_encode(hr_bytes_of(vectors[i].bytes, strlen(vectors[i].bytes)), text, sizeof(text));
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(config_base64_decode(vectors[i].text, bytes, sizeof(bytes), &len_bytes).code, HR_OK);
        assert_int_equal(len_bytes, strlen(vectors[i].bytes));
        assert_memory_equal(bytes, vectors[i].bytes, len_bytes);
    }
}

static void base64_refuses_what_is_not_exactly_it(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z g=", "Zm9v\n", "=Zg=", "Zg==Zg==", "Zm-_"};
    for (size_t i = 0; i < HR_ARRAY_LEN(bad); i++) {
        uint8_t bytes[16];
        size_t len_bytes = 77;
        assert_int_equal(config_base64_decode(bad[i], bytes, sizeof(bytes), &len_bytes).code, HR_MALFORMED);
        assert_int_equal(len_bytes, 77);
    }
    uint8_t two[2];
    size_t len_bytes = 77;
    assert_int_equal(config_base64_decode("Zm9v", two, sizeof(two), &len_bytes).code, HR_FULL);
    assert_int_equal(len_bytes, 77);
}

static void listen_addresses_are_numeric_and_have_a_scheme(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        const char *address; /* NULL: refused */
        uint16_t port;
        bool tcp;
    } rows[] = {
        {"coaps://0.0.0.0", "0.0.0.0", 5684, false},
        {"coaps://192.0.2.1:1", "192.0.2.1", 1, false},
        {"coaps+tcp://127.0.0.1:65535", "127.0.0.1", 65535, true},
        {"coaps://[::]", "::", 5684, false},
        {"coaps+tcp://[2001:db8::1]:0", "2001:db8::1", 0, true},
        {"coap://127.0.0.1", NULL, 0, false},
        {"coaps://", NULL, 0, false},
        {"coaps://host.example", NULL, 0, false},
        {"coaps://::1", NULL, 0, false},
        {"coaps://[127.0.0.1]", NULL, 0, false},
        {"coaps://[::1", NULL, 0, false},
        {"coaps://127.0.0.1:", NULL, 0, false},
        {"coaps://127.0.0.1:65536", NULL, 0, false},
        {"coaps://127.0.0.1:+1", NULL, 0, false},
        {"coaps://127.0.0.1:1/b", NULL, 0, false},
        {"127.0.0.1", NULL, 0, false},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        struct config_listen listen = {.port = 7};
        bool parsed = config_listen_parse(rows[i].uri, &listen);
        assert_int_equal(parsed, rows[i].address != NULL);
        if (parsed) {
            assert_string_equal(listen.address, rows[i].address);
            assert_int_equal(listen.port, rows[i].port);
            assert_int_equal(listen.tcp, rows[i].tcp);
        } else {
            assert_int_equal(listen.port, 7);
        }
    }
}

/* ---- files, in a folder of the test's own ---- */

struct folder {
    char path[64];
    char file[96];
};

static void write_entry(struct folder *folder, const char *name, const char *text)
{
    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/headrace-config-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    (void)snprintf(folder->file, sizeof(folder->file), "%s/%s", folder->path, name);
    FILE *file = fopen(folder->file, "w");
    if (file == NULL) {
        fail_msg("%s can't be written", folder->file);
        return;
    }
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void remove_entry(const struct folder *folder)
{
    assert_int_equal(unlink(folder->file), 0);
    assert_int_equal(rmdir(folder->path), 0);
}

static void kafka_section_is_read_alone_and_as_strictly_as_ever(void **state)
{
    (void)state;
    static struct config_aggregator config;
    static struct conf_report report;
    struct folder folder;
    write_entry(&folder, "a.yaml",
                "listen: [nonsense]\nsinks:\n  files: {dir: /nowhere}\n"
                "  kafka: {replication: 1, properties: {bootstrap.servers: \"h:1\"}}\n");
    assert_int_equal(config_load_kafka(folder.file, &config, &report).code, HR_OK);
    assert_int_equal(config.sinks.kafka.n_properties, 1);
    assert_string_equal(config.sinks.kafka.properties[0].value, "h:1");
    assert_string_equal(config.sinks.kafka.cursor_topic, "headrace.cursor");
    assert_int_equal(config.sinks.kafka.replication, 1);
    remove_entry(&folder);
    write_entry(&folder, "a.yaml",
                "sinks:\n  kafka: {copies: 1, properties: {bootstrap.servers: \"h:1\"}}\n");
    assert_int_equal(config_load_kafka(folder.file, &config, &report).code, HR_MALFORMED);
    assert_string_equal(report.errors[0].key, "sinks.kafka.copies");
    remove_entry(&folder);
    write_entry(&folder, "a.yaml", "sinks: {files: {dir: /nowhere}}\n");
    assert_int_equal(config_load_kafka(folder.file, &config, &report).code, HR_MALFORMED);
    assert_string_equal(report.errors[0].key, "sinks.kafka");
    remove_entry(&folder);
}

static struct ledger_device full_device(void)
{
    struct ledger_device device = {.device_id = INT64_MAX,
                                   .name = "a \"quoted\" \\ name",
                                   .tenant = "t-1",
                                   .state = LEDGER_DEVICE_QUARANTINED,
                                   .revision = UINT32_MAX,
                                   .reason = "fork: #1, see: [notes] & *more*",
                                   .n_keys = LEDGER_DEVICE_MAX_KEYS};
    for (uint16_t i = 0; i < device.n_keys; i++) {
        struct ledger_key *key = &device.keys[i];
        *key = (struct ledger_key){.epoch = (uint16_t)(i + 1),
                                   .from_stream = i,
                                   .from_seq = i * 100u,
                                   .to_stream = i == 7 ? UINT32_MAX : i,
                                   .to_seq = i == 7 ? UINT32_MAX : i * 100u + 1,
                                   .revoked = i % 2 == 1};
        size_t len_bytes = 0;
        assert_int_equal(
            config_base64_decode(rfc6979_public_key, key->spki, sizeof(key->spki), &len_bytes).code, HR_OK);
        key->spki_len_bytes = (uint16_t)len_bytes;
    }
    return device;
}

static void a_registry_entry_reads_back_as_it_was_written(void **state)
{
    (void)state;
    const struct ledger_device written = full_device();
    char text[8192] = "";
    FILE *memory = fmemopen(text, sizeof(text), "w");
    if (memory == NULL) {
        fail_msg("no memory");
        return;
    }
    config_registry_print(&written, memory);
    assert_int_equal(fclose(memory), 0);
    struct folder folder;
    write_entry(&folder, "9223372036854775807.yaml", text);
    struct ledger_device read;
    static struct conf_report report;
    struct hr_status status = config_registry_load(folder.file, &read, &report);
    if (!hr_is_ok(status)) {
        conf_report_print(&report, stderr);
    }
    assert_int_equal(status.code, HR_OK);
    assert_int_equal(read.device_id, written.device_id);
    assert_string_equal(read.name, written.name);
    assert_string_equal(read.tenant, written.tenant);
    assert_int_equal(read.state, written.state);
    assert_int_equal(read.revision, written.revision);
    assert_string_equal(read.reason, written.reason);
    assert_int_equal(read.n_keys, written.n_keys);
    for (uint16_t i = 0; i < read.n_keys; i++) {
        const struct ledger_key *a = &read.keys[i];
        const struct ledger_key *b = &written.keys[i];
        assert_int_equal(a->epoch, b->epoch);
        assert_memory_equal(a->spki, b->spki, LEDGER_SPKI_MAX_BYTES);
        assert_int_equal(a->from_stream, b->from_stream);
        assert_int_equal(a->from_seq, b->from_seq);
        assert_int_equal(a->to_stream, b->to_stream);
        assert_int_equal(a->to_seq, b->to_seq);
        assert_int_equal(a->revoked, b->revoked);
    }
    remove_entry(&folder);
}

static void mistakes_of_a_registry_entry_are_told_and_nothing_is_written(void **state)
{
    (void)state;
    static const char head[] = "device_id: 5\nname: x\nstate: active\nrevision: 1\n";
    static const struct {
        const char *file;
        const char *keys;
        const char *told; /* is in one of the messages */
    } rows[] = {
        {"6.yaml", "", "5.yaml"},
        {"05.yaml", "", "5.yaml"},
        {"5.yaml", "record_keys:\n  - {epoch: 1, public_key: AAAA}\n", "P-256"},
        {"5.yaml", "record_keys:\n  - {epoch: 1}\n", "missing"},
        {"5.yaml", "record_keys:\n  - {epoch: 1, public_key: K}\n  - {epoch: 1, public_key: K}\n",
         "two keys"},
        {"5.yaml", "record_keys:\n  - {epoch: 1, public_key: K, to_stream: 0, to_seq: 0}\n",
         "before it begins"},
        {"5.yaml", "owner: me\n", "owner"},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        char text[1024];
        size_t at = (size_t)snprintf(text, sizeof(text), "%s", head);
        for (const char *c = rows[i].keys; *c != '\0'; c++) {
            at += (size_t)snprintf(text + at, sizeof(text) - at, *c == 'K' ? "%s" : "%.1s",
                                   *c == 'K' ? rfc6979_public_key : c);
        }
        struct folder folder;
        write_entry(&folder, rows[i].file, text);
        struct ledger_device device = {.revision = 77};
        static struct conf_report report;
        assert_int_equal(config_registry_load(folder.file, &device, &report).code, HR_MALFORMED);
        assert_int_equal(device.revision, 77);
        bool told = false;
        for (uint32_t e = 0; e < report.n_errors; e++) {
            told = told || strstr(report.errors[e].message, rows[i].told) != NULL ||
                   strstr(report.errors[e].key, rows[i].told) != NULL;
        }
        if (!told) {
            conf_report_print(&report, stderr);
        }
        assert_true(told);
        remove_entry(&folder);
    }
    struct ledger_device device;
    static struct conf_report report;
    assert_int_equal(config_registry_load("/nowhere/5.yaml", &device, &report).code, HR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_follows_rfc_4648),
        cmocka_unit_test(base64_refuses_what_is_not_exactly_it),
        cmocka_unit_test(listen_addresses_are_numeric_and_have_a_scheme),
        cmocka_unit_test(kafka_section_is_read_alone_and_as_strictly_as_ever),
        cmocka_unit_test(a_registry_entry_reads_back_as_it_was_written),
        cmocka_unit_test(mistakes_of_a_registry_entry_are_told_and_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
