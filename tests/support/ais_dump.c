/* SPDX-License-Identifier: Apache-2.0
 *
 * ais_dump FILE: an NMEA log through everything that a message meets between the receiver and a topic (tap,
 * record encoding, batch framing, normalizer, Avro and back), each event as one JSON line on standard output.
 * For the comparison with other decoders (tests/system/test_ais_corpus.py). */
#include "aggregator/normalize/ais/ais.h"
#include "aggregator/normalize/device/device.h"
#include "aggregator/schema_registry/schema.h"
#include "firmware/taps/ais/tap_ais.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX_BYTES = 16384, LINE_MAX_BYTES = 65536 };

struct dump {
    struct norm_ais ais;
    struct schema_decoder *decoder;
    struct ledger_batch batch;
    uint64_t n_records;
};

static void event_print(void *ctx, const struct norm_event *event)
{
    struct dump *dump = ctx;
    static uint8_t value[VALUE_MAX_BYTES];
    static char line[LINE_MAX_BYTES];
    size_t value_bytes;
    size_t line_bytes;

    HR_ASSERT(event->schema == &norm_ais_schema);
    HR_ASSERT(hr_is_ok(schema_encode(event, value, sizeof(value), &value_bytes)));
    HR_ASSERT(hr_is_ok(schema_decoder_json(dump->decoder, hr_bytes_of(value, value_bytes), line, sizeof(line),
                                           &line_bytes)));
    (void)fwrite(line, 1, line_bytes, stdout);
    (void)putchar('\n');
}

static void message_take(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    struct dump *dump = ctx;
    static struct edge_record record;
    const struct normalizer *normalizers[] = {&dump->ais.normalizer, norm_device()};
    const struct norm_emit emit = {event_print, dump};
    uint8_t bytes[EDGE_RECORD_MAX_BYTES];
    uint8_t payload[EDGE_RECORD_MAX_BYTES + 5];
    size_t len_bytes;

    record.dt_ms = (uint32_t)uptime_ms;
    record.kind = EDGE_AIS;
    record.as.ais = *ais;
    HR_ASSERT(hr_is_ok(edge_record_encode(&record, bytes, sizeof(bytes), &len_bytes)));
    struct hr_writer writer = hr_writer_over(payload, sizeof(payload));

    hr_write_varint32(&writer, (uint32_t)len_bytes);
    hr_write_raw(&writer, bytes, len_bytes);
    const struct norm_input input = {
        .batch = &dump->batch,
        .envelope = {.header = {.first_record_seq = dump->n_records, .n_records = 1},
                     .payload = hr_bytes_of(payload, writer.at)},
        .tenant = "corpus",
    };
    struct norm_batch_result result = norm_batch(normalizers, HR_ARRAY_LEN(normalizers), &input, &emit);

    HR_ASSERT(result.n_events == 1 && result.n_malformed == 0);
    dump->n_records++;
}

int main(int argc, char **argv)
{
    static struct dump dump;
    static struct tap_ais tap;
    static struct tap_ais_stream stream;
    const struct tap_ais_config config = {0};
    const struct tap_ais_sink sink = {message_take, &dump};
    struct hr_bytes text;
    uint8_t chunk[4096];
    size_t n_bytes;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;

    if (file == NULL) {
        (void)fprintf(stderr, "usage: ais_dump FILE\n");
        return 3;
    }
    HR_ASSERT(hr_is_ok(schema_text(norm_ais_schema.name, &text)));
    HR_ASSERT(hr_is_ok(schema_decoder_open(text, &dump.decoder)));
    norm_ais_init(&dump.ais);
    tap_ais_init(&tap, &config, &sink);
    tap_ais_stream_init(&stream, 0);
    while ((n_bytes = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        tap_ais_feed(&tap, &stream, hr_bytes_of(chunk, n_bytes), 0);
    }
    tap_ais_end_stream(&tap, &stream, 0);
    (void)fclose(file);
    schema_decoder_close(dump.decoder);
    return fflush(stdout) == 0 ? 0 : 1;
}
