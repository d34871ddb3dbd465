/* SPDX-License-Identifier: Apache-2.0
 *
 * What a commit and a read cost on either ledger, one JSON object a line, medians of rounds.
 *
 *     bench_ledger sqlite FOLDER
 *     bench_ledger postgres SOCKET_FOLDER PASSWORD_FILE      a server of tools/dev/postgres
 *     bench_ledger fill LEDGER.db FILE.nmea RECORDS_PER_BATCH N_BATCHES      measures nothing: a backlog for
 * others
 *
 * A batch is 1,009 bytes, as 31 AIS positions are, of one of 1,000 devices. Wall time counts the server and
 * the disk in; CPU is that of this thread, so not the server's. The reference is a write and fdatasync of
 * 4 KB in FOLDER, or beside the password file. */
#include "aggregator/ledger/postgres/ledger_postgres.h"
#include "aggregator/ledger/sqlite/ledger_sqlite.h"
#include "proto/base/assert.h"
#include "tests/bench/bench_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 9, ENVELOPE_BYTES = 1009, N_DEVICES = 1000, MAX_GROUP = LEDGER_COMMIT_MAX_BATCHES };

static double now_us(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

/* What a disk asks for any durable step. */
static double sync_us(const char *folder)
{
    static const uint8_t block[4096];
    char path[512];
    (void)snprintf(path, sizeof path, "%s/bench-probe", folder);
    FILE *file = fopen(path, "wbe");
    HR_ASSERT(file != NULL);
    double began = now_us(CLOCK_MONOTONIC);
    for (int i = 0; i < 16; i++) {
        HR_ASSERT(fwrite(block, 1, sizeof block, file) == sizeof block && fflush(file) == 0);
        HR_ASSERT(fdatasync(fileno(file)) == 0);
    }
    double took = (now_us(CLOCK_MONOTONIC) - began) / 16;
    HR_ASSERT(fclose(file) == 0 && unlink(path) == 0);
    return took;
}

static uint8_t envelopes[MAX_GROUP][ENVELOPE_BYTES];

/* Commits groups of batches that follow each other, device by device; *next is the leaf to come. */
static void commit_groups(const struct ledger *ledger, uint32_t group, uint32_t n_groups, uint64_t *next)
{
    static struct ledger_batch batches[MAX_GROUP];
    static struct ledger_stream streams[MAX_GROUP];
    for (uint32_t g = 0; g < n_groups; g++) {
        for (uint32_t i = 0; i < group; i++) {
            uint64_t device_id = 1 + *next % N_DEVICES;
            uint32_t seq = (uint32_t)(*next / N_DEVICES);
            memcpy(envelopes[i], next, sizeof *next);
            batches[i] = (struct ledger_batch){.device_id = device_id,
                                               .seq = seq,
                                               .received_utc_ms = 1700000000000,
                                               .envelope = hr_bytes_of(envelopes[i], ENVELOPE_BYTES)};
            memcpy(batches[i].digest, next, sizeof *next);
            streams[i] = (struct ledger_stream){.device_id = device_id, .cum_seq = seq};
            (*next)++;
        }
        const struct ledger_commit change = {
            .batches = batches, .n_batches = group, .streams = streams, .n_streams = group};
        HR_ASSERT(hr_is_ok(ledger->commit(ledger->ctx, &change)));
    }
}

static void bench_commits(const char *name, const struct ledger *ledger, const char *folder, uint64_t *next)
{
    static const uint32_t groups[] = {1, 16, 64, 256};
    for (size_t g = 0; g < HR_ARRAY_LEN(groups); g++) {
        double wall[ROUNDS];
        double cpu[ROUNDS];
        double sync[ROUNDS];
        double ratio[ROUNDS];
        uint32_t n_groups = groups[g] >= 64 ? 8 : 32;
        for (size_t i = 0; i < ROUNDS; i++) {
            double wall_began = now_us(CLOCK_MONOTONIC);
            double cpu_began = now_us(CLOCK_THREAD_CPUTIME_ID);
            commit_groups(ledger, groups[g], n_groups, next);
            double n = (double)(groups[g] * n_groups);
            cpu[i] = (now_us(CLOCK_THREAD_CPUTIME_ID) - cpu_began) / n;
            wall[i] = (now_us(CLOCK_MONOTONIC) - wall_began) / n;
            sync[i] = sync_us(folder);
            ratio[i] = wall[i] * groups[g] / sync[i];
        }
        double median_wall = median(wall);
        (void)printf("{\"name\":\"ledger_commit\",\"ledger\":\"%s\",\"group\":%u,\"wall_us_per_batch\":%.1f,"
                     "\"cpu_us_per_batch\":%.1f,\"commits_per_s\":%.0f,\"batches_per_s\":%.0f,"
                     "\"reference\":\"fdatasync of 4 KB\",\"fdatasync_4k_us\":%.0f,\"commit_ratio\":%.3f}\n",
                     name, groups[g], median_wall, median(cpu), 1e6 / (median_wall * groups[g]),
                     1e6 / median_wall, median(sync), median(ratio));
        (void)fflush(stdout);
    }
}

struct reading {
    const struct ledger *ledger;
    uint64_t n;
    bool asks_anchors;
};

static void take(void *ctx, const struct ledger_batch *batch)
{
    struct reading *reading = ctx;
    struct edge_time_anchor anchor;
    reading->n++;
    if (reading->asks_anchors) {
        HR_ASSERT(
            hr_is(reading->ledger->anchor_at(reading->ledger->ctx, batch->device_id, 1, batch->leaf, &anchor),
                  HR_NOT_FOUND));
    }
}

/* As a publisher reads: 256 batches a transaction, and an anchor for each. */
static void bench_reads(const char *name, const struct ledger *ledger, uint64_t n_leaves, bool asks_anchors)
{
    double wall[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        struct reading reading = {.ledger = ledger, .asks_anchors = asks_anchors};
        double began = now_us(CLOCK_MONOTONIC);
        while (reading.n < n_leaves) {
            HR_ASSERT(hr_is_ok(ledger->read(ledger->ctx, reading.n, 256, (size_t)4 << 20, take, &reading)));
        }
        wall[i] = (now_us(CLOCK_MONOTONIC) - began) / (double)reading.n;
    }
    (void)printf("{\"name\":\"%s\",\"ledger\":\"%s\",\"wall_us_per_batch\":%.1f}\n",
                 asks_anchors ? "ledger_read_with_anchors" : "ledger_read", name, median(wall));
    (void)fflush(stdout);
}

static void bench(const char *name, const struct ledger *ledger, const char *folder)
{
    uint64_t next = 0;
    HR_ASSERT(hr_is_ok(ledger->size(ledger->ctx, &next)));
    bench_commits(name, ledger, folder, &next);
    bench_reads(name, ledger, next, false);
    bench_reads(name, ledger, next, true);
    ledger->close(ledger->ctx);
}

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: %s does not hold\n", file, line, expression);
    abort();
}

static void say(void *ctx, const char *text)
{
    (void)ctx;
    (void)fprintf(stderr, "bench_ledger: %s\n", text);
}

/* ---- a backlog ---- */

struct copying {
    struct ledger_batch batches[LEDGER_COMMIT_MAX_BATCHES];
    struct ledger_stream streams[LEDGER_COMMIT_MAX_BATCHES];
    size_t n_batches;
};

static void copy(void *ctx, const struct ledger_batch *batch)
{
    struct copying *copying = ctx;
    copying->batches[copying->n_batches] = *batch;
    struct ledger_stream *stream = &copying->streams[copying->n_batches++];
    *stream = (struct ledger_stream){.device_id = batch->device_id, .cum_seq = batch->seq, .boot_id = 1};
    memcpy(stream->cum_digest, batch->digest, WIRE_DIGEST_BYTES);
}

/* Batches of messages of a recording, in a ledger as an aggregator leaves it that has published none. */
static void fill(const struct ledger *ledger, const char *recording, uint32_t records_per_batch,
                 uint64_t n_batches)
{
    static struct copying copying;
    memory_make(recording, records_per_batch, (uint32_t)n_batches);
    static struct ledger_device devices[MEMORY_DEVICES];
    for (size_t i = 0; i < MEMORY_DEVICES; i++) {
        devices[i] = (struct ledger_device){
            .device_id = i + 1, .name = "bench", .tenant = "bench", .state = LEDGER_DEVICE_ACTIVE};
    }
    const struct ledger_commit enrolment = {.devices = devices, .n_devices = MEMORY_DEVICES};
    HR_ASSERT(hr_is_ok(ledger->commit(ledger->ctx, &enrolment)));
    struct ledger memory = memory_ledger(&n_batches);
    for (uint64_t leaf = 0; leaf < n_batches; leaf += copying.n_batches) {
        copying.n_batches = 0;
        HR_ASSERT(
            hr_is_ok(memory.read(memory.ctx, leaf, LEDGER_COMMIT_MAX_BATCHES, SIZE_MAX, copy, &copying)));
        const struct ledger_commit change = {.batches = copying.batches,
                                             .n_batches = copying.n_batches,
                                             .streams = copying.streams,
                                             .n_streams = copying.n_batches};
        HR_ASSERT(hr_is_ok(ledger->commit(ledger->ctx, &change)));
    }
    ledger->close(ledger->ctx);
}

int main(int argc, char **argv)
{
    struct ledger ledger;
    if (argc == 6 && strcmp(argv[1], "fill") == 0) {
        const struct ledger_sqlite_config config = {.path = argv[2], .log = say};
        HR_ASSERT(hr_is_ok(ledger_sqlite_open(&config, &ledger)));
        fill(&ledger, argv[3], (uint32_t)strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "sqlite") == 0) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/ledger.db", argv[2]);
        const struct ledger_sqlite_config config = {.path = path, .log = say};
        HR_ASSERT(hr_is_ok(ledger_sqlite_open(&config, &ledger)));
        bench("sqlite", &ledger, argv[2]);
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "postgres") == 0) {
        const struct ledger_postgres_config config = {.host = argv[2],
                                                      .port = 5432,
                                                      .database = "headrace",
                                                      .user = "headrace",
                                                      .password_file = argv[3],
                                                      .sslmode = "disable",
                                                      .schema = "bench",
                                                      .connect_timeout_ms = 5000,
                                                      .commit_timeout_ms = 30000,
                                                      .log = say};
        char folder[512];
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(argv[3], '/') - argv[3]), argv[3]);
        HR_ASSERT(hr_is_ok(ledger_postgres_open(&config, &ledger)));
        bench("postgres", &ledger, folder);
        return 0;
    }
    (void)fputs(
        "usage: bench_ledger sqlite FOLDER | postgres SOCKET_FOLDER PASSWORD_FILE | fill LEDGER.db FILE.nmea "
        "RECORDS_PER_BATCH N_BATCHES\n",
        stderr);
    return 3;
}
