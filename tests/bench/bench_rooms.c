/* SPDX-License-Identifier: Apache-2.0
 *
 * What each room costs, one JSON object a line: CPU time of this thread, medians of repeated rounds, and the
 * ratio to a reference measured between the same rounds. See tests/bench/README.md; tests/bench/run puts all
 * together.
 *
 *     bench_rooms FILE.nmea [PART ...]     parts: tap decode seal verify; all without one
 *     bench_rooms FILE.nmea count N        decodes the file N times and nothing else, for counting
 * instructions */
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/norm.h"
#include "aggregator/schema_registry/schema.h"
#include "aggregator/verify/verify.h"
#include "firmware/core/spool.h"
#include "firmware/crypto/crypto.h"
#include "firmware/taps/ais/tap_ais.h"
#include "proto/base/assert.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 7, SECTOR_BYTES = 256 * 1024, N_SECTORS = 16, MAX_BATCHES = 4096 };
enum { SMALL_RECORDS = 31, LARGE_RECORDS = 500, VALUE_BYTES = 16384 };

static double cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

/* One figure and its reference, measured in turn, round by round. */
struct figure {
    const char *name;
    const char *unit; /* what one item is */
    const char *reference;
    double item_ns[ROUNDS];
    double reference_ns[ROUNDS];
    double ratio[ROUNDS];
};

static void print_figure(struct figure *figure)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        figure->ratio[i] = figure->item_ns[i] / figure->reference_ns[i];
    }
    double item = median(figure->item_ns, ROUNDS);
    (void)printf("{\"name\":\"%s\",\"unit\":\"%s\",\"ns\":%.1f,\"per_s\":%.0f,\"reference\":\"%s\","
                 "\"reference_ns\":%.1f,\"ratio\":%.3f}\n",
                 figure->name, figure->unit, item, 1e9 / item, figure->reference,
                 median(figure->reference_ns, ROUNDS), median(figure->ratio, ROUNDS));
    (void)fflush(stdout);
}

/* ---- AIS ---- */

struct recording {
    uint8_t *bytes;
    size_t len_bytes;
    uint64_t n_lines;
};

static struct recording load(const char *path)
{
    struct recording recording = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        (void)fprintf(stderr, "bench_rooms: %s can't be read; give an NMEA recording\n", path);
        exit(3);
    }
    recording.len_bytes = (size_t)ftell(file);
    rewind(file);
    recording.bytes = malloc(recording.len_bytes);
    HR_ASSERT(recording.bytes != NULL);
    HR_ASSERT(fread(recording.bytes, 1, recording.len_bytes, file) == recording.len_bytes);
    (void)fclose(file);
    for (size_t i = 0; i < recording.len_bytes; i++) {
        recording.n_lines += recording.bytes[i] == '\n';
    }
    return recording;
}

/* Where messages go: counted, kept for the other parts, or all the way to Avro. */
struct pipeline {
    uint64_t n_messages;
    uint64_t n_bytes;
    bool to_avro;
    struct edge_record record;
    struct norm_ais normalizer;
    struct norm_input input;
    struct ledger_batch batch;
    uint8_t value[VALUE_BYTES];
};

static void on_event(void *ctx, const struct norm_event *event)
{
    struct pipeline *pipeline = ctx;
    size_t len_bytes = 0;
    struct hr_status encoded = schema_encode(event, pipeline->value, sizeof pipeline->value, &len_bytes);
    HR_ASSERT(hr_is_ok(encoded));
    pipeline->n_bytes += len_bytes;
}

static void on_message(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    (void)uptime_ms;
    struct pipeline *pipeline = ctx;
    pipeline->n_messages++;
    if (!pipeline->to_avro) {
        return;
    }
    struct norm_emit emit = {on_event, pipeline};
    pipeline->record.kind = EDGE_AIS;
    pipeline->record.as.ais = *ais;
    pipeline->normalizer.normalizer.record(pipeline->normalizer.normalizer.ctx, &pipeline->input,
                                           &pipeline->record, 0, &emit);
}

static void decode(struct pipeline *pipeline, const struct recording *recording)
{
    static struct tap_ais tap;
    static struct tap_ais_stream stream;
    const struct tap_ais_config config = {0};
    const struct tap_ais_sink sink = {on_message, pipeline};
    tap_ais_init(&tap, &config, &sink);
    tap_ais_stream_init(&stream, 0);
    tap_ais_feed(&tap, &stream, hr_bytes_of(recording->bytes, recording->len_bytes), 0);
    tap_ais_end_stream(&tap, &stream, 0);
}

/* Reading every byte once, as the floor of anything that looks at the input. */
static double read_bytes_ns(const struct recording *recording)
{
    double began = cpu_ns();
    uint64_t sum = 0;
    for (size_t i = 0; i < recording->len_bytes; i++) {
        sum = sum * 31 + recording->bytes[i];
    }
    double took = cpu_ns() - began;
    /* The sum is used, so that the loop is not optimized away. */
    return sum == 1 ? took + 1 : took;
}

static struct pipeline *new_pipeline(bool to_avro)
{
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    HR_ASSERT(pipeline != NULL);
    pipeline->to_avro = to_avro;
    norm_ais_init(&pipeline->normalizer);
    pipeline->input.batch = &pipeline->batch;
    pipeline->input.tenant = "bench";
    return pipeline;
}

static void bench_decode(const struct recording *recording, bool to_avro)
{
    struct figure figure = {.name = to_avro ? "ais_to_avro" : "ais_tap",
                            .unit = to_avro ? "message" : "sentence",
                            .reference = "reading the bytes once"};
    struct pipeline *pipeline = new_pipeline(to_avro);
    for (size_t i = 0; i < ROUNDS; i++) {
        pipeline->n_messages = 0;
        double began = cpu_ns();
        decode(pipeline, recording);
        double items = to_avro ? (double)pipeline->n_messages : (double)recording->n_lines;
        figure.item_ns[i] = (cpu_ns() - began) / items;
        figure.reference_ns[i] = read_bytes_ns(recording) / items;
    }
    print_figure(&figure);
    free(pipeline);
}

/* ---- sealing: a spool over plain memory, so that only our own work is counted ---- */

static struct hr_status memory_read(void *ctx, uint32_t address, void *out, uint32_t len_bytes)
{
    memcpy(out, (const uint8_t *)ctx + address, len_bytes);
    return hr_ok();
}

static struct hr_status memory_program(void *ctx, uint32_t address, const void *data, uint32_t len_bytes)
{
    memcpy((uint8_t *)ctx + address, data, len_bytes);
    return hr_ok();
}

static struct hr_status memory_erase(void *ctx, uint32_t sector)
{
    memset((uint8_t *)ctx + (size_t)sector * SECTOR_BYTES, 0xFF, SECTOR_BYTES);
    return hr_ok();
}

static struct hr_status memory_sync(void *ctx)
{
    (void)ctx;
    return hr_ok();
}

struct sealed {
    struct hr_bytes envelope[MAX_BATCHES];
    uint32_t n_batches;
    struct crypto_signer signer;
};

/* A P-256 key in DER, made by OpenSSL for this run. */
static void make_signer(struct crypto_signer *signer)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t *der = NULL;
    int len = key == NULL ? -1 : i2d_PrivateKey(key, &der);
    HR_ASSERT(len > 0);
    struct hr_status loaded = crypto_signer_load(signer, hr_bytes_of(der, (size_t)len), 1);
    HR_ASSERT(hr_is_ok(loaded));
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

static uint32_t position_record(uint32_t n, uint8_t out[64])
{
    struct edge_record record = {.dt_ms = n % 120, .kind = EDGE_AIS};
    record.as.ais.payload_chars = 28;
    record.as.ais.channel = n % 2 == 0 ? 'A' : 'B';
    memcpy(record.as.ais.talker, "AI", 2);
    for (uint32_t i = 0; i < 21; i++) {
        record.as.ais.payload[i] = (uint8_t)(n * 2654435761u >> (i % 24));
    }
    record.as.ais.payload[0] = 4;
    size_t len_bytes = 0;
    HR_ASSERT(hr_is_ok(edge_record_encode(&record, out, 64, &len_bytes)));
    return (uint32_t)len_bytes;
}

/* Fills the open batch up to n_records; fewer when the sector has no room for more. */
static uint32_t fill_batch(struct fw_spool *spool, uint32_t first, uint32_t n_records)
{
    for (uint32_t k = 0; k < n_records; k++) {
        uint8_t record[64];
        uint32_t len = position_record(first + k, record);
        struct hr_status appended = fw_spool_append(spool, hr_bytes_of(record, len));
        if (hr_is(appended, HR_FULL)) {
            return k;
        }
        HR_ASSERT(hr_is_ok(appended));
    }
    return n_records;
}

static void keep_batch(struct sealed *sealed, struct fw_spool *spool, uint32_t seq)
{
    uint8_t envelope[WIRE_GATEWAY_ENVELOPE_MAX_BYTES];
    uint32_t len = 0;
    HR_ASSERT(hr_is_ok(fw_spool_read(spool, seq, envelope, sizeof envelope, &len)));
    uint8_t *copy = malloc(len);
    HR_ASSERT(copy != NULL && sealed->n_batches < MAX_BATCHES);
    memcpy(copy, envelope, len);
    sealed->envelope[sealed->n_batches++] = hr_bytes_of(copy, len);
}

static void seal_batches(struct sealed *sealed, struct fw_spool *spool, uint32_t n_batches,
                         uint32_t n_records, bool keep)
{
    for (uint32_t i = 0; i < n_batches;) {
        HR_ASSERT(hr_is_ok(fw_spool_begin(spool, 1, i)));
        uint32_t filled = fill_batch(spool, i * n_records, n_records);
        HR_ASSERT(hr_is_ok(fw_spool_seal(spool, &sealed->signer.port, 0)));
        struct fw_spool_state state;
        fw_spool_state(spool, &state);
        if (keep && filled == n_records) {
            keep_batch(sealed, spool, state.next_batch_seq - 1);
        }
        HR_ASSERT(hr_is_ok(fw_spool_ack(spool, state.next_batch_seq - 1, state.last_digest)));
        i += filled == n_records;
    }
}

/* Seals n_batches and times it; keeps them in *sealed for the parts that verify and commit. */
static void bench_seal(struct sealed *sealed, uint32_t n_records, uint32_t n_batches, bool print)
{
    static uint8_t stage[FW_SPOOL_STAGE_MAX_BYTES];
    static struct fw_spool_sector sectors[N_SECTORS];
    static struct fw_spool spool;
    uint8_t *memory = malloc((size_t)SECTOR_BYTES * N_SECTORS);
    HR_ASSERT(memory != NULL);
    memset(memory, 0xFF, (size_t)SECTOR_BYTES * N_SECTORS);
    const struct port_flash flash = {.sector_bytes = SECTOR_BYTES,
                                     .n_sectors = N_SECTORS,
                                     .program_unit_bytes = 8,
                                     .erased_reads_are_true = true,
                                     .read = memory_read,
                                     .program = memory_program,
                                     .erase = memory_erase,
                                     .sync = memory_sync,
                                     .ctx = memory};
    const struct fw_spool_config config = {.flash = &flash,
                                           .hash = crypto_hash(),
                                           .device_id = 1,
                                           .envelope_max_bytes = WIRE_GATEWAY_ENVELOPE_MAX_BYTES,
                                           .sectors = sectors,
                                           .stage = stage,
                                           .stage_bytes = sizeof stage};
    struct fw_spool_report report;
    HR_ASSERT(hr_is_ok(fw_spool_open(&spool, &config, &report)));
    make_signer(&sealed->signer);
    struct figure figure = {.name = n_records == SMALL_RECORDS ? "seal_31" : "seal_500",
                            .unit = "batch",
                            .reference = "the ES256 signature alone (mbedTLS)"};
    for (size_t i = 0; i < ROUNDS; i++) {
        double began = cpu_ns();
        seal_batches(sealed, &spool, n_batches, n_records, false);
        figure.item_ns[i] = (cpu_ns() - began) / n_batches;
        began = cpu_ns();
        for (uint32_t k = 0; k < 32; k++) {
            uint8_t message[WIRE_TBS_BYTES] = {(uint8_t)k};
            uint8_t signature[WIRE_SIGNATURE_BYTES];
            HR_ASSERT(hr_is_ok(sealed->signer.port.sign(sealed->signer.port.ctx,
                                                        hr_bytes_of(message, sizeof message), signature)));
        }
        figure.reference_ns[i] = (cpu_ns() - began) / 32;
    }
    if (print) {
        print_figure(&figure);
    }
    seal_batches(sealed, &spool, n_batches, n_records, true);
    free(memory);
}

/* ---- verifying ---- */

static void bench_verify(const struct sealed *sealed, const char *name)
{
    struct verify_key *key = NULL;
    HR_ASSERT(hr_is_ok(verify_key_parse(hr_bytes_of(sealed->signer.spki, CRYPTO_SPKI_BYTES), &key)));
    struct figure figure = {.name = name, .unit = "batch", .reference = "the ES256 check alone (OpenSSL)"};
    for (size_t i = 0; i < ROUNDS; i++) {
        double began = cpu_ns();
        for (uint32_t k = 0; k < sealed->n_batches; k++) {
            struct verify_result result;
            verify_envelope(key, sealed->envelope[k], &result);
            HR_ASSERT(result.verdict == WIRE_ACK_OK);
        }
        figure.item_ns[i] = (cpu_ns() - began) / sealed->n_batches;
        began = cpu_ns();
        for (uint32_t k = 0; k < sealed->n_batches; k++) {
            const uint8_t *header = sealed->envelope[k].data;
            HR_ASSERT(hr_is_ok(verify_signature(key, header, header + WIRE_HEADER_BYTES)));
        }
        figure.reference_ns[i] = (cpu_ns() - began) / sealed->n_batches;
    }
    print_figure(&figure);
    verify_key_free(key);
}

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: %s does not hold\n", file, line, expression);
    abort();
}

static bool wanted(int argc, char **argv, const char *part)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], part) == 0) {
            return true;
        }
    }
    return argc == 2;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fputs("usage: bench_rooms FILE.nmea [tap|decode|seal|verify ...] | FILE.nmea count N\n",
                    stderr);
        return 3;
    }
    struct recording recording = load(argv[1]);
    if (argc == 4 && strcmp(argv[2], "count") == 0) {
        struct pipeline *pipeline = new_pipeline(true);
        for (long i = strtol(argv[3], NULL, 10); i > 0; i--) {
            decode(pipeline, &recording);
        }
        (void)printf("{\"messages\":%llu}\n", (unsigned long long)pipeline->n_messages);
        free(pipeline);
        free(recording.bytes);
        return 0;
    }
    HR_ASSERT(hr_is_ok(crypto_start()));
    if (wanted(argc, argv, "tap")) {
        bench_decode(&recording, false);
    }
    if (wanted(argc, argv, "decode")) {
        bench_decode(&recording, true);
    }
    static struct sealed small;
    static struct sealed large;
    bench_seal(&small, SMALL_RECORDS, 256, wanted(argc, argv, "seal"));
    bench_seal(&large, LARGE_RECORDS, 32, wanted(argc, argv, "seal"));
    if (wanted(argc, argv, "verify")) {
        bench_verify(&small, "verify_31");
        bench_verify(&large, "verify_500");
    }
    free(recording.bytes);
    return 0;
}
