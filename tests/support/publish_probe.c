/* SPDX-License-Identifier: Apache-2.0
 *
 * The publisher over a ledger whose content follows from leaf numbers alone, so that a test knows what must
 * come out and can kill this process at any moment and start it again.
 *
 *     publish_probe kafka BROKERS LEAVES [ORIGIN]      publish_probe files DIR LEAVES [ORIGIN]
 *
 * Leaf i is a batch of device 1 + i % 5, seq i / 5, with 1 + i % 7 AIS records, each of its own MMSI. It ends
 * with 0 when all leaves are delivered or after SIGTERM, with 4 when the publisher has halted. */
#include "aggregator/core/publish.h"
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/schema_registry/schema.h"
#include "aggregator/sinks/files/files.h"
#include "aggregator/sinks/kafka/kafka.h"
#include "proto/base/assert.h"
#include "proto/wire/merkle.h"
#include "tests/support/test_hash.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_DEVICES = 5, MAX_RECORDS = 7, ENVELOPE_BYTES = 1024, RECEIVED_MS_PER_LEAF = 20 };

struct probe {
    uint64_t n_leaves;
    int64_t first_received_ms;
    char origin[64];
};

static uint64_t monotonic_us(void *ctx)
{
    (void)ctx;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static int64_t utc_ms(void *ctx)
{
    (void)ctx;
    return 0; /* the publisher asks only for monotonic time */
}

/* A type 1 position whose MMSI says which leaf and record it is. */
static void make_record(uint64_t leaf, uint32_t index, struct edge_record *out)
{
    memset(out, 0, sizeof *out);
    out->kind = EDGE_AIS;
    out->dt_ms = index;
    struct edge_ais *ais = &out->as.ais;
    uint32_t mmsi = (uint32_t)(leaf * MAX_RECORDS + index);
    ais->payload[0] = (uint8_t)(1u << 2);
    ais->payload[1] = (uint8_t)(mmsi >> 22);
    ais->payload[2] = (uint8_t)(mmsi >> 14);
    ais->payload[3] = (uint8_t)(mmsi >> 6);
    ais->payload[4] = (uint8_t)(mmsi << 2);
    ais->payload_chars = 28;
    ais->channel = 'A';
    memcpy(ais->talker, "AI", 2);
}

/* The envelope of a leaf; unsigned, since a publisher reads what is committed and checks no signature. */
static size_t make_envelope(uint64_t leaf, uint8_t out[ENVELOPE_BYTES])
{
    size_t at = WIRE_PREFIX_BYTES;
    struct wire_header header = {
        .device_id = 1 + leaf % N_DEVICES,
        .batch_seq = (uint32_t)(leaf / N_DEVICES),
        .n_records = (uint16_t)(1 + leaf % MAX_RECORDS),
        .boot_id = 1,
        .schema_id = WIRE_SCHEMA_ID,
    };
    for (uint32_t i = 0; i < header.n_records; i++) {
        struct edge_record record;
        size_t len_bytes = 0;
        make_record(leaf, i, &record);
        struct hr_status encoded =
            edge_record_encode(&record, out + at + 1, ENVELOPE_BYTES - at - 1, &len_bytes);
        HR_ASSERT(hr_is_ok(encoded) && len_bytes < 0x80);
        out[at] = (uint8_t)len_bytes;
        at += 1 + len_bytes;
    }
    header.payload_len_bytes = (uint16_t)(at - WIRE_PREFIX_BYTES);
    memset(out + WIRE_HEADER_BYTES, 0, WIRE_SIGNATURE_BYTES);
    wire_header_encode(&header, out);
    return at;
}

static struct hr_status probe_size(void *ctx, uint64_t *n_leaves)
{
    *n_leaves = ((struct probe *)ctx)->n_leaves;
    return hr_ok();
}

static struct hr_status probe_read(void *ctx, uint64_t from, uint32_t max_batches, size_t max_bytes,
                                   void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                   void *each_ctx)
{
    (void)max_bytes;
    const struct probe *probe = ctx;
    if (from >= probe->n_leaves) {
        return hr_status_of(HR_NOT_FOUND);
    }
    for (uint64_t leaf = from; leaf < probe->n_leaves && leaf - from < max_batches; leaf++) {
        uint8_t envelope[ENVELOPE_BYTES];
        struct ledger_batch batch = {
            .leaf = leaf,
            .device_id = 1 + leaf % N_DEVICES,
            .seq = (uint32_t)(leaf / N_DEVICES),
            .received_utc_ms = probe->first_received_ms + (int64_t)leaf * RECEIVED_MS_PER_LEAF,
            .envelope = hr_bytes_of(envelope, make_envelope(leaf, envelope)),
        };
        wire_batch_digest(test_hash(), envelope, batch.digest);
        each(each_ctx, &batch);
    }
    return hr_ok();
}

static struct hr_status probe_anchor(void *ctx, uint64_t device_id, uint32_t boot_id, uint64_t leaf,
                                     struct edge_time_anchor *out)
{
    (void)ctx, (void)device_id, (void)boot_id, (void)leaf, (void)out;
    return hr_status_of(HR_NOT_FOUND);
}

static const char *probe_origin(void *ctx)
{
    return ((struct probe *)ctx)->origin;
}

static const char *tenant_of(void *ctx, uint64_t device_id)
{
    (void)ctx, (void)device_id;
    return "test";
}

static void log_kafka(void *ctx, enum sink_kafka_level level, const char *event, const char *text)
{
    (void)ctx, (void)level;
    (void)fprintf(stderr, "%s: %s\n", event, text);
}

static void log_files(void *ctx, const char *event, const char *text)
{
    (void)ctx;
    (void)fprintf(stderr, "%s: %s\n", event, text);
}

static struct norm_ais ais_normalizer;

static struct hr_status open_kafka(const char *brokers, uint32_t max_batches, struct sink *out)
{
    struct sink_kafka_topic topics[] = {
        {"marine.ais.raw", ais_normalizer.normalizer.schemas[0], 0},
        {norm_device_schema.topic, &norm_device_schema, 0},
        {"ingestion.ais.raw.v1", NULL, 0},
        {"ingestion.device.raw.v1", NULL, 0},
    };
    for (size_t i = 0; i < 2; i++) {
        HR_TRY(schema_offline_id(topics[i].schema->name, topics[i].schema->version, &topics[i].schema_id));
    }
    const char *timeout_ms = getenv("HEADRACE_PROBE_TIMEOUT_MS");
    const char *transaction_ms = getenv("HEADRACE_PROBE_TRANSACTION_MS");
    const struct sink_kafka_property properties[] = {
        {"bootstrap.servers", brokers},
        {"socket.timeout.ms", timeout_ms != NULL ? timeout_ms : "5000"},
        {"reconnect.backoff.max.ms", "500"}};
    static const struct sink_kafka_property cleaned[] = {{"cleanup.policy", "compact"}};
    struct sink_kafka_declared declared[HR_ARRAY_LEN(topics) + 1];
    for (size_t i = 0; i < HR_ARRAY_LEN(topics); i++) {
        declared[i] = (struct sink_kafka_declared){topics[i].name, 4, 1, NULL, 0};
    }
    const char *cursor = getenv("HEADRACE_PROBE_CURSOR");
    cursor = cursor != NULL ? cursor : "headrace.cursor";
    declared[HR_ARRAY_LEN(topics)] = (struct sink_kafka_declared){cursor, 1, 1, cleaned, 1};
    const struct sink_kafka_config config = {
        .properties = properties,
        .n_properties = HR_ARRAY_LEN(properties),
        .topics = topics,
        .n_topics = HR_ARRAY_LEN(topics),
        .cursor_topic = cursor,
        .declared = declared,
        .n_declared = HR_ARRAY_LEN(declared),
        .transaction_max_batches = max_batches,
        .transaction_timeout_ms =
            transaction_ms != NULL ? (uint32_t)strtoul(transaction_ms, NULL, 10) : 60000,
        .log = log_kafka,
    };
    return sink_kafka_open(&config, out);
}

static struct hr_status open_files(const char *directory, struct sink *out)
{
    const struct sink_files_topic topics[] = {
        {"marine.ais.raw", "marine_ais_raw"},
        {norm_device_schema.topic, norm_device_schema.name},
        {"ingestion.ais.raw.v1", "ingestion_raw"},
        {"ingestion.device.raw.v1", "ingestion_raw"},
    };
    const struct sink_files_config config = {
        .directory = directory, .topics = topics, .n_topics = HR_ARRAY_LEN(topics), .log = log_files};
    return sink_files_open(&config, out);
}

static volatile sig_atomic_t terminated;

static void on_signal(int number)
{
    (void)number;
    terminated = 1;
}

static int run(struct agg_publish *publish, uint64_t n_leaves)
{
    while (terminated == 0 && publish->phase != AGG_PUBLISH_HALTED &&
           !(publish->phase == AGG_PUBLISH_RUNNING && publish->next_leaf == n_leaves)) {
        uint32_t wait_ms = agg_publish_step(publish);
        if (wait_ms > 0) {
            (void)poll(NULL, 0, wait_ms > 100 ? 100 : (int)wait_ms);
        }
    }
    (void)printf(
        "{\"phase\":\"%s\",\"next_leaf\":%llu,\"events\":%llu,\"transactions\":%llu,\"recoveries\":%llu,"
        "\"failures\":%llu}\n",
        publish->phase == AGG_PUBLISH_HALTED ? "halted" : "done", (unsigned long long)publish->next_leaf,
        (unsigned long long)publish->stats.events, (unsigned long long)publish->stats.transactions,
        (unsigned long long)publish->stats.recoveries, (unsigned long long)publish->stats.failures);
    return publish->phase == AGG_PUBLISH_HALTED ? 4 : 0;
}

int main(int argc, char **argv)
{
    enum { TRANSACTION_BATCHES = 16 };
    if (argc < 4) {
        (void)fputs("usage: publish_probe kafka BROKERS | files DIR  LEAVES [ORIGIN]\n", stderr);
        return 3;
    }
    /* When leaf 0 was received: given, so that every run of one test says the same and no broker finds it too
     * old. */
    const char *first_received = getenv("HEADRACE_PROBE_BASE_MS");
    struct probe probe = {
        .n_leaves = strtoull(argv[3], NULL, 10),
        .first_received_ms = first_received == NULL ? 1700000000000 : strtoll(first_received, NULL, 10),
    };
    (void)snprintf(probe.origin, sizeof probe.origin, "%s",
                   argc > 4 ? argv[4] : "00000000000000000000000000000001");
    norm_ais_init(&ais_normalizer);
    struct sink sink;
    bool kafka = strcmp(argv[1], "kafka") == 0;
    struct hr_status opened =
        kafka ? open_kafka(argv[2], TRANSACTION_BATCHES, &sink) : open_files(argv[2], &sink);
    if (!hr_is_ok(opened)) {
        return 3;
    }
    const struct ledger ledger = {.size = probe_size,
                                  .read = probe_read,
                                  .anchor_at = probe_anchor,
                                  .origin = probe_origin,
                                  .ctx = &probe};
    const struct agg_clock clock = {utc_ms, monotonic_us, NULL};
    const struct normalizer *const normalizers[] = {&ais_normalizer.normalizer, norm_device()};
    const struct agg_publish_config config = {
        .ledger = &ledger,
        .sink = &sink,
        .clock = &clock,
        .encoder = &schema_encoder,
        .normalizers = normalizers,
        .n_normalizers = HR_ARRAY_LEN(normalizers),
        .tenant_of = tenant_of,
        .transaction_max_batches = TRANSACTION_BATCHES,
        .transaction_max_bytes = 1 << 20,
        .recover_timeout_ms = 20000,
        .retry_max_ms = 1000,
    };
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGTERM, &action, NULL);
    static struct agg_publish publish;
    agg_publish_init(&publish, &config);
    int code = run(&publish, probe.n_leaves);
    sink.close(sink.ctx);
    return code;
}
