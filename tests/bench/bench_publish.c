/* SPDX-License-Identifier: Apache-2.0
 *
 * What publishing costs beside raw produce: records per second and CPU of the whole process (librdkafka's
 * threads included) per record, one JSON object a line, medians of rounds in which every kind has its turn
 * against the same broker.
 *
 *     bench_publish BROKERS FILE.nmea RECORDS_PER_BATCH N_BATCHES
 *     bench_publish BROKERS FILE.nmea RECORDS_PER_BATCH N_BATCHES count KIND N
 *
 * Kinds: raw, raw_headers and raw_transactional send messages that were made before, the very keys, values
 * and headers that the publisher sends; publisher reads batches out of memory, normalizes, encodes and
 * publishes them with the Kafka sink in transactions of 256 batches, as the aggregator does by default;
 * publisher_nowhere is the same with a sink that drops everything. The second form does one kind N times and
 * nothing else, for counting instructions. */
#include "aggregator/core/publish.h"
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/schema_registry/schema.h"
#include "aggregator/sinks/kafka/kafka.h"
#include "proto/base/assert.h"
#include "tests/bench/bench_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PASSES = 2, PASS_ROUNDS = 3, ROUNDS = PASSES * PASS_ROUNDS };
enum { TRANSACTION_BATCHES = 256, PARTITIONS = 12 };

enum kind { PLAIN, HEADERS, TRANSACTIONAL, PUBLISHER, NOWHERE, N_KINDS };

static const char *const kind_names[N_KINDS] = {"raw", "raw_headers", "raw_transactional", "publisher",
                                                "publisher_nowhere"};

static struct norm_ais ais_normalizer;
static const char *const raw_topics[RAW_TOPICS] = {"bench.events", "bench.batches"};

static void log_kafka(void *ctx, enum sink_kafka_level level, const char *event, const char *text)
{
    (void)ctx;
    if (level == SINK_KAFKA_ERROR) {
        (void)fprintf(stderr, "%s: %s\n", event, text);
    }
}

/* The sink of the aggregator's topics. With `making` those of the raw producers are made too; otherwise it
 * has nothing to do with them, and does not look there for its own records. */
static struct sink kafka(const char *brokers, bool making)
{
    const struct sink_kafka_topic topics[] = {
        {"marine.ais.raw", ais_normalizer.normalizer.schemas[0], 1},
        {norm_device_schema.topic, &norm_device_schema, 2},
        {"ingestion.ais.raw.v1", NULL, 0},
        {"ingestion.device.raw.v1", NULL, 0},
        {raw_topics[0], NULL, 0},
        {raw_topics[1], NULL, 0},
    };
    struct sink_kafka_declared declared[HR_ARRAY_LEN(topics) + 1];
    for (size_t i = 0; i < HR_ARRAY_LEN(topics); i++) {
        declared[i] = (struct sink_kafka_declared){topics[i].name, PARTITIONS, 1, NULL, 0};
    }
    declared[HR_ARRAY_LEN(topics)] = (struct sink_kafka_declared){"headrace.cursor", 1, 1, NULL, 0};
    const struct sink_kafka_property properties[] = {{"bootstrap.servers", brokers}};
    const struct sink_kafka_config config = {
        .properties = properties,
        .n_properties = HR_ARRAY_LEN(properties),
        .topics = topics,
        .n_topics = HR_ARRAY_LEN(topics) - (making ? 0 : RAW_TOPICS),
        .cursor_topic = "headrace.cursor",
        .declared = declared,
        .n_declared = HR_ARRAY_LEN(declared),
        .transaction_max_batches = TRANSACTION_BATCHES,
        .transaction_timeout_ms = 300000, /* a loaded machine's broker may be slow */
        .log = log_kafka,
    };
    struct sink out;
    HR_ASSERT(hr_is_ok(sink_kafka_open(&config, &out)));
    return out;
}

/* ---- publishers ---- */

static uint64_t monotonic_us(void *ctx)
{
    (void)ctx;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static const char *tenant_of(void *ctx, uint64_t device_id)
{
    (void)ctx, (void)device_id;
    return "bench";
}

struct publisher {
    struct agg_publish publish;
    uint64_t *n_leaves;
    struct ledger ledger;
    struct sink sink;
};

static const struct agg_clock bench_clock = {NULL, monotonic_us, NULL};

/* Publishes what the ledger has. One that fails on the way is no measurement. */
static void publish_all(struct publisher *publisher)
{
    struct agg_publish *publish = &publisher->publish;
    while (publish->phase == AGG_PUBLISH_RECOVERING || publish->next_leaf < *publisher->n_leaves) {
        uint32_t wait_ms = agg_publish_step(publish);
        if (publish->phase == AGG_PUBLISH_HALTED || publish->stats.recoveries > 1) {
            (void)fputs("bench_publish: a transaction failed; the lines before say why\n", stderr);
            exit(4);
        }
        if (wait_ms > 0 && publish->phase == AGG_PUBLISH_RECOVERING) {
            (void)usleep(wait_ms * 1000u);
        }
    }
}

/* A publisher of a log of so many leaves, which are published when this returns. */
static struct publisher *open_publisher(struct sink sink, uint64_t *n_leaves)
{
    struct publisher *publisher = calloc(1, sizeof *publisher);
    HR_ASSERT(publisher != NULL);
    publisher->sink = sink;
    publisher->n_leaves = n_leaves;
    publisher->ledger = memory_ledger(n_leaves);
    static const struct normalizer *normalizers[2];
    normalizers[0] = &ais_normalizer.normalizer;
    normalizers[1] = norm_device();
    const struct agg_publish_config config = {
        .ledger = &publisher->ledger,
        .sink = &publisher->sink,
        .clock = &bench_clock,
        .encoder = &schema_encoder,
        .normalizers = normalizers,
        .n_normalizers = HR_ARRAY_LEN(normalizers),
        .tenant_of = tenant_of,
        .transaction_max_batches = TRANSACTION_BATCHES,
        .transaction_max_bytes = 4 << 20,
        .recover_timeout_ms = 60000,
        .retry_max_ms = 1000,
    };
    agg_publish_init(&publisher->publish, &config);
    publish_all(publisher);
    return publisher;
}

/* ---- one kind, and what it took ---- */

struct bench {
    const char *brokers;
    uint32_t records_per_batch;
    uint32_t n_batches;
    struct raw_messages messages;
    uint64_t n_leaves; /* of the log that goes to Kafka */
    uint64_t n_nowhere;
    struct raw_producer *raw; /* what is open */
    struct publisher *publisher;
};

static void open_kind(struct bench *bench, enum kind kind)
{
    if (kind <= TRANSACTIONAL) {
        static const enum raw_kind kinds[] = {RAW_PLAIN, RAW_HEADERS, RAW_TRANSACTIONAL};
        bench->raw = raw_open(kinds[kind], bench->brokers, raw_topics);
        return;
    }
    bench->publisher = kind == PUBLISHER ? open_publisher(kafka(bench->brokers, false), &bench->n_leaves)
                                         : open_publisher(memory_sink(NULL), &bench->n_nowhere);
}

static void run_kind(struct bench *bench, enum kind kind)
{
    if (kind <= TRANSACTIONAL) {
        size_t per_batch = bench->messages.n_messages / bench->n_batches;
        raw_produce(bench->raw, &bench->messages, per_batch * TRANSACTION_BATCHES);
        return;
    }
    *bench->publisher->n_leaves += bench->n_batches;
    publish_all(bench->publisher);
}

static void close_kind(struct bench *bench, enum kind kind)
{
    if (kind <= TRANSACTIONAL) {
        raw_close(bench->raw);
        return;
    }
    if (bench->publisher->sink.close != NULL) {
        bench->publisher->sink.close(bench->publisher->sink.ctx);
    }
    free(bench->publisher);
}

static double cpu_us(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double values[ROUNDS])
{
    double sorted[ROUNDS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof *sorted, compare);
    return sorted[ROUNDS / 2];
}

static void print_kind(const struct bench *bench, enum kind kind, double cpu[N_KINDS][ROUNDS],
                       double wall[N_KINDS][ROUNDS])
{
    double records = (double)bench->n_batches * bench->records_per_batch;
    double cpu_us_taken = median(cpu[kind]);
    double wall_us = median(wall[kind]);
    (void)printf("{\"name\":\"publish\",\"kind\":\"%s\",\"records_per_batch\":%u,\"cpu_us_per_record\":%.3f,"
                 "\"records_per_s\":%.0f,\"reference\":\"raw\",\"cpu_ratio\":%.3f,\"rate_ratio\":%.3f}\n",
                 kind_names[kind], bench->records_per_batch, cpu_us_taken / records, records * 1e6 / wall_us,
                 cpu_us_taken / median(cpu[PLAIN]), median(wall[PLAIN]) / wall_us);
}

/* A few rounds of a kind, after one to warm up; only its client is open, as idle ones take CPU too. */
static void measure_kind(struct bench *bench, enum kind kind, double cpu[PASS_ROUNDS],
                         double wall[PASS_ROUNDS])
{
    open_kind(bench, kind);
    run_kind(bench, kind);
    for (size_t round = 0; round < PASS_ROUNDS; round++) {
        double cpu_began = cpu_us();
        uint64_t began = monotonic_us(NULL);
        run_kind(bench, kind);
        wall[round] = (double)(monotonic_us(NULL) - began);
        cpu[round] = cpu_us() - cpu_began;
    }
    close_kind(bench, kind);
}

static void measure(struct bench *bench)
{
    static double cpu[N_KINDS][ROUNDS];
    static double wall[N_KINDS][ROUNDS];
    for (size_t round = 0; round < ROUNDS; round += PASS_ROUNDS) {
        for (enum kind kind = PLAIN; kind < N_KINDS; kind++) {
            measure_kind(bench, kind, cpu[kind] + round, wall[kind] + round);
        }
    }
    for (enum kind kind = PLAIN; kind < N_KINDS; kind++) {
        print_kind(bench, kind, cpu, wall);
    }
}

/* What the publisher would send, and how large it is. */
static void make_messages(struct bench *bench)
{
    uint64_t n_leaves = 0;
    struct publisher *keeper = open_publisher(memory_sink(&bench->messages), &n_leaves);
    n_leaves = bench->n_batches;
    publish_all(keeper);
    free(keeper);
    uint64_t n_bytes = 0;
    for (size_t i = 0; i < bench->messages.n_messages; i++) {
        n_bytes += bench->messages.message[i].key_len_bytes + bench->messages.message[i].value_len_bytes;
    }
    (void)printf("{\"name\":\"publish_messages\",\"records_per_batch\":%u,\"records\":%u,\"messages\":%zu,"
                 "\"bytes_per_message\":%.1f}\n",
                 bench->records_per_batch, bench->n_batches * bench->records_per_batch,
                 bench->messages.n_messages, (double)n_bytes / (double)bench->messages.n_messages);
    (void)fflush(stdout);
}

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: %s does not hold\n", file, line, expression);
    abort();
}

static enum kind kind_of(const char *name)
{
    for (enum kind kind = PLAIN; kind < N_KINDS; kind++) {
        if (strcmp(kind_names[kind], name) == 0) {
            return kind;
        }
    }
    (void)fprintf(stderr, "bench_publish: no kind %s\n", name);
    exit(3);
}

int main(int argc, char **argv)
{
    if (argc != 5 && (argc != 8 || strcmp(argv[5], "count") != 0)) {
        (void)fputs("usage: bench_publish BROKERS FILE.nmea RECORDS_PER_BATCH N_BATCHES [count KIND N]\n",
                    stderr);
        return 3;
    }
    static struct bench bench;
    bench.brokers = argv[1];
    bench.records_per_batch = (uint32_t)strtoul(argv[3], NULL, 10);
    bench.n_batches = (uint32_t)strtoul(argv[4], NULL, 10);
    norm_ais_init(&ais_normalizer);
    memory_make(argv[2], bench.records_per_batch, bench.n_batches);
    make_messages(&bench);
    if (argc == 8) {
        enum kind kind = kind_of(argv[6]);
        open_kind(&bench, kind);
        for (long i = strtol(argv[7], NULL, 10); i > 0; i--) {
            run_kind(&bench, kind);
        }
        return 0;
    }
    bench.publisher = open_publisher(kafka(bench.brokers, true), &bench.n_leaves);
    close_kind(&bench, PUBLISHER);
    measure(&bench);
    return 0;
}
