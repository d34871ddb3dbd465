/* SPDX-License-Identifier: Apache-2.0
 *
 * Our patch of librdkafka (tools/cmake/DEPENDENCIES.md): headers need no allocation each, and arrive as they
 * were whatever their number and size, in one write or in many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { ANNOUNCED = 11, WAIT_MS = 120000 };

/* librdkafka is linked statically: what it asks the allocator for comes through here. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
static _Thread_local size_t n_allocations;

void *__wrap_malloc(size_t size)
{
    n_allocations++;
    return __real_malloc(size);
}

static void headers_that_were_announced_are_not_allocated_each(void **state)
{
    (void)state;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(ANNOUNCED);
    n_allocations = 0;
    for (int i = 0; i < ANNOUNCED; i++) {
        assert_int_equal(rd_kafka_header_add(headers, "batch_seq", -1, "0123456789", -1),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    assert_int_equal(n_allocations, 0);
    rd_kafka_headers_destroy(headers);
}

/* Removed, copied, and more of them than were announced: each is there, and is freed (the sanitizer looks).
 */
static void headers_beyond_what_was_announced_are_kept(void **state)
{
    (void)state;
    char value[200];
    memset(value, 'x', sizeof value);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
    for (int i = 0; i < 40; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "h%d", i);
        assert_int_equal(rd_kafka_header_add(headers, name, -1, value, i * 5), RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    assert_int_equal(rd_kafka_header_remove(headers, "h0"), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_header_remove(headers, "h39"), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_headers_t *copy = rd_kafka_headers_copy(headers);
    rd_kafka_headers_destroy(headers);
    assert_int_equal(rd_kafka_header_cnt(copy), 38);
    for (int i = 1; i < 39; i++) {
        char name[16];
        const void *got = NULL;
        size_t size = 0;
        (void)snprintf(name, sizeof name, "h%d", i);
        assert_int_equal(rd_kafka_header_get_last(copy, name, &got, &size), RD_KAFKA_RESP_ERR_NO_ERROR);
        assert_int_equal(size, (size_t)i * 5);
        assert_memory_equal(got, value, size);
    }
    rd_kafka_headers_destroy(copy);
}

/* ---- over the wire ---- */

/* The n-th message has n headers; each has a value of its own length, some are empty and some are null. With
 * 11 of them and 90 bytes each they are more than one write takes. */
static const void *value_of(int n, int i, char text[128], size_t *size)
{
    *size = (size_t)(n * 7 + i * 3) % 97;
    memset(text, 'a' + i, *size);
    if (i % 5 == 3) {
        *size = 0;
    }
    return i % 5 == 4 ? NULL : text;
}

enum { N_MESSAGES = 48 };

static void send_all(rd_kafka_t *producer)
{
    char body[] = "v";
    for (int n = 0; n < N_MESSAGES; n++) {
        rd_kafka_headers_t *headers = rd_kafka_headers_new(ANNOUNCED);
        for (int i = 0; i < n; i++) {
            char text[128];
            char name[16];
            size_t size;
            const void *value = value_of(n, i, text, &size);
            int len = snprintf(name, sizeof name, "name%d", i);
            assert_int_equal(
                rd_kafka_header_add(headers, name, len, value, value == NULL ? 0 : (ssize_t)size),
                RD_KAFKA_RESP_ERR_NO_ERROR);
        }
        const rd_kafka_vu_t fields[] = {
            {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = "t"},
            {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
            {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {body, sizeof body}},
            {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        };
        assert_null(rd_kafka_produceva(producer, fields, sizeof fields / sizeof fields[0]));
    }
    assert_int_equal(rd_kafka_flush(producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void check_message(const rd_kafka_message_t *message, int n)
{
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_resp_err_t found = rd_kafka_message_headers(message, &headers);
    if (n == 0) {
        assert_int_equal(found, RD_KAFKA_RESP_ERR__NOENT);
        return;
    }
    assert_int_equal(found, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_header_cnt(headers), n);
    for (int i = 0; i < n; i++) {
        char text[128];
        char wanted_name[16];
        const char *name = NULL;
        const void *got = NULL;
        size_t size;
        size_t wanted_size;
        const void *wanted = value_of(n, i, text, &wanted_size);
        (void)snprintf(wanted_name, sizeof wanted_name, "name%d", i);
        assert_int_equal(rd_kafka_header_get_all(headers, (size_t)i, &name, &got, &size),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
        assert_string_equal(name, wanted_name);
        assert_int_equal(wanted == NULL, got == NULL);
        if (wanted != NULL) {
            assert_int_equal(size, wanted_size);
            assert_memory_equal(got, wanted, wanted_size);
        }
    }
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *brokers)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *const settings[][2] = {{"client.id", "headers"},
                                       {"group.id", "headers"},
                                       {"compression.codec", "zstd"},
                                       {"linger.ms", "50"}};
    size_t n_settings = type == RD_KAFKA_PRODUCER ? 4 : 2;
    if (brokers != NULL) {
        assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why),
                         RD_KAFKA_CONF_OK);
    }
    for (size_t i = 0; i < n_settings; i++) {
        if (i == 1 && type == RD_KAFKA_PRODUCER) {
            continue;
        }
        assert_int_equal(rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why),
                         RD_KAFKA_CONF_OK);
    }
    rd_kafka_t *kafka = rd_kafka_new(type, conf, why, sizeof why);
    assert_non_null(kafka);
    return kafka;
}

static void headers_arrive_as_they_were_sent(void **state)
{
    (void)state;
    rd_kafka_t *owner = client(RD_KAFKA_PRODUCER, NULL);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, 1);
    assert_non_null(cluster);
    const char *brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, "t", 1, 1), RD_KAFKA_RESP_ERR_NO_ERROR);

    rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, brokers);
    send_all(producer);
    rd_kafka_destroy(producer);

    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, brokers);
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(partitions, "t", 0)->offset = 0;
    assert_int_equal(rd_kafka_assign(consumer, partitions), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(partitions);
    for (int n = 0; n < N_MESSAGES; n++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, WAIT_MS);
        assert_non_null(message);
        assert_int_equal(message->err, RD_KAFKA_RESP_ERR_NO_ERROR);
        check_message(message, n);
        rd_kafka_message_destroy(message);
    }
    assert_int_equal(rd_kafka_consumer_close(consumer), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(consumer);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_that_were_announced_are_not_allocated_each),
        cmocka_unit_test(headers_beyond_what_was_announced_are_kept),
        cmocka_unit_test(headers_arrive_as_they_were_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
