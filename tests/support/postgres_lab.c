/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/postgres_lab.h"

#include "proto/base/assert.h"
#include "tests/support/test_cmocka.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEVICES = 4, PATIENCE_TURNS = 600, PATIENCE_MS = 200 };

static void keep_log(void *ctx, const char *text)
{
    struct postgres_lab *lab = ctx;
    HR_ASSERT(pthread_mutex_lock(&lab->lock) == 0);
    int n = snprintf(lab->logged + lab->logged_bytes, sizeof lab->logged - lab->logged_bytes, "%s\n", text);
    lab->logged_bytes += n > 0 ? (size_t)n : 0;
    HR_ASSERT(lab->logged_bytes < sizeof lab->logged);
    HR_ASSERT(pthread_mutex_unlock(&lab->lock) == 0);
    if (getenv("HEADRACE_TEST_VERBOSE") != NULL) {
        (void)fprintf(stderr, "ledger: %s\n", text);
    }
}

void postgres_lab_start(struct postgres_lab *lab, const char *preload)
{
    HR_ASSERT(pthread_mutex_init(&lab->lock, NULL) == 0);
    postgres_server_start(&lab->server, preload);
}

void postgres_lab_stop(struct postgres_lab *lab)
{
    postgres_server_stop(&lab->server);
    HR_ASSERT(pthread_mutex_destroy(&lab->lock) == 0);
}

void postgres_lab_renew(struct postgres_lab *lab)
{
    static unsigned n;
    (void)snprintf(lab->schema, sizeof lab->schema, "log_%u", n++);
    lab->host[0] = '\0';
    lab->commit_timeout_ms = 0;
    lab->logged_bytes = 0;
    lab->logged[0] = '\0';
}

static struct ledger_postgres_config config_of(struct postgres_lab *lab)
{
    struct ledger_postgres_config config = postgres_server_config(&lab->server, lab->schema);
    config.host = lab->host[0] == '\0' ? config.host : lab->host;
    config.commit_timeout_ms =
        lab->commit_timeout_ms == 0 ? config.commit_timeout_ms : lab->commit_timeout_ms;
    config.log = keep_log;
    config.log_ctx = lab;
    return config;
}

struct hr_status postgres_lab_open(struct postgres_lab *lab, struct ledger *out)
{
    struct ledger_postgres_config config = config_of(lab);
    return ledger_postgres_open(&config, out);
}

void postgres_lab_sql(struct postgres_lab *lab, const char *sql)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "SET search_path TO \"%s\"; %s", lab->schema, sql);
    HR_ASSERT(n > 0 && (size_t)n < sizeof text);
    postgres_server_sql(&lab->server, text);
}

uint32_t postgres_lab_logged(struct postgres_lab *lab, const char *text)
{
    uint32_t n = 0;
    HR_ASSERT(pthread_mutex_lock(&lab->lock) == 0);
    for (const char *at = strstr(lab->logged, text); at != NULL; at = strstr(at + 1, text)) {
        n++;
    }
    HR_ASSERT(pthread_mutex_unlock(&lab->lock) == 0);
    return n;
}

struct hr_status postgres_lab_commit(const struct ledger *ledger, uint64_t device_id, uint32_t first_seq)
{
    uint8_t envelopes[PG_LAB_GROUP][PG_LAB_ENVELOPE_BYTES];
    struct ledger_batch batches[PG_LAB_GROUP];
    for (uint32_t i = 0; i < PG_LAB_GROUP; i++) {
        batches[i] = ledger_suite_batch(device_id, 0, first_seq + i, envelopes[i], PG_LAB_ENVELOPE_BYTES);
    }
    struct ledger_stream row = {.device_id = device_id, .cum_seq = first_seq + PG_LAB_GROUP - 1};
    struct ledger_commit change = {
        .batches = batches, .n_batches = PG_LAB_GROUP, .streams = &row, .n_streams = 1};
    struct hr_status status = ledger->commit(ledger->ctx, &change);
    if (hr_is_ok(status)) {
        uint64_t n_leaves = 0;
        assert_ok(ledger->size(ledger->ctx, &n_leaves));
        assert_int_equal(batches[PG_LAB_GROUP - 1].leaf + 1, n_leaves);
    } else {
        assert_true(batches[0].leaf == UINT64_MAX);
    }
    return status;
}

void postgres_lab_commit_surely(const struct ledger *ledger, uint64_t device_id, uint32_t first_seq)
{
    struct hr_status status = postgres_lab_commit(ledger, device_id, first_seq);
    for (int i = 0; i < PATIENCE_TURNS && (hr_is(status, HR_AGAIN) || hr_is(status, HR_FULL)); i++) {
        (void)poll(NULL, 0, PATIENCE_MS);
        status = postgres_lab_commit(ledger, device_id, first_seq);
    }
    assert_ok(status);
}

struct check {
    uint64_t next_leaf;
    uint32_t n_batches[MAX_DEVICES];
    uint32_t stream_end[MAX_DEVICES];
};

static void check_batch(void *ctx, const struct ledger_batch *batch)
{
    struct check *check = ctx;
    uint8_t bytes[PG_LAB_ENVELOPE_BYTES];
    assert_true(batch->leaf == check->next_leaf);
    assert_in_range(batch->device_id, PG_LAB_DEVICE, PG_LAB_DEVICE + MAX_DEVICES - 1);
    uint32_t *seq = &check->n_batches[batch->device_id - PG_LAB_DEVICE];
    struct ledger_batch want = ledger_suite_batch(batch->device_id, 0, *seq, bytes, sizeof bytes);
    assert_int_equal(batch->seq, *seq);
    assert_int_equal(batch->stream, 0);
    assert_true(batch->received_utc_ms == want.received_utc_ms);
    assert_memory_equal(batch->digest, want.digest, WIRE_DIGEST_BYTES);
    assert_int_equal(batch->envelope.len_bytes, sizeof bytes);
    assert_memory_equal(batch->envelope.data, bytes, sizeof bytes);
    (*seq)++;
    check->next_leaf++;
}

static void check_stream(void *ctx, const struct ledger_stream *stream)
{
    struct check *check = ctx;
    assert_in_range(stream->device_id, PG_LAB_DEVICE, PG_LAB_DEVICE + MAX_DEVICES - 1);
    check->stream_end[stream->device_id - PG_LAB_DEVICE] = stream->cum_seq + 1;
}

uint64_t postgres_lab_check(struct postgres_lab *lab, const uint32_t *n_batches, uint32_t n_devices)
{
    struct ledger_postgres_config config = config_of(lab);
    config.host = lab->server.socket;
    config.commit_timeout_ms = 120000;
    struct ledger reader;
    assert_ok(ledger_postgres_open_reader(&config, &reader));
    uint64_t size = 0;
    struct check check = {0};
    assert_ok(reader.size(reader.ctx, &size));
    while (check.next_leaf < size) {
        assert_ok(reader.read(reader.ctx, check.next_leaf, 1000, 1 << 20, check_batch, &check));
    }
    assert_true(check.next_leaf == size);
    assert_ok(reader.load_streams(reader.ctx, check_stream, &check));
    for (uint32_t i = 0; i < n_devices; i++) {
        assert_int_equal(check.n_batches[i], n_batches[i]);
        assert_int_equal(check.stream_end[i], n_batches[i]);
    }
    reader.close(reader.ctx);
    return size;
}
