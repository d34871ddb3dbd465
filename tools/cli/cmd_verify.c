/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace verify`: who signed a batch, where it stands in its chain, and what is in it. It needs nothing
 * but the bytes and the public key. */
#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"
#include "proto/edge/record.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/print.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum option { KEY, RECORD, RECORDS };
enum { FILE_MAX_BYTES = 128 * 1024 }; /* twice the longest envelope that a header can state */

static const struct cli_option options[] = {
    [KEY] = {"--key", "PUB.pem", true, 0, "The device's public record key."},
    [RECORD] = {"--record", "I", false, 0, "Print record I, from 0."},
    [RECORDS] = {"--records", NULL, false, 0, "Print every record."},
};

static const struct cli_usage usage = {
    .verb = "verify",
    .positional = "ENVELOPE",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .help = "Checks the signature and the root of a signed batch: a file with the value of a record of a\n"
            "raw topic, or what `headrace ledger inspect --leaf N --envelope` wrote. Exit code 0: it is\n"
            "genuine, 1: it is not.",
};

/* Reads a whole file into out; the bytes, or 0 after a complaint. */
static size_t read_file(const char *path, uint8_t *out, size_t capacity_bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)fprintf(stderr, "headrace verify: %s: ", path);
        perror(NULL);
        return 0;
    }
    size_t len_bytes = fread(out, 1, capacity_bytes, file);
    bool is_good = ferror(file) == 0 && len_bytes > 0 && len_bytes < capacity_bytes;
    (void)fclose(file);
    if (!is_good) {
        (void)fprintf(stderr, "headrace verify: %s is empty, too long or can't be read\n", path);
    }
    return is_good ? len_bytes : 0;
}

/* The key of a PEM file; NULL after a complaint. */
static struct verify_key *read_key(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        (void)fprintf(stderr, "headrace verify: %s: ", path);
        perror(NULL);
        return NULL;
    }
    EVP_PKEY *pkey = PEM_read_PUBKEY(file, NULL, NULL, NULL);
    (void)fclose(file);
    unsigned char *der = NULL;
    int len_bytes = pkey == NULL ? -1 : i2d_PUBKEY(pkey, &der);
    struct verify_key *key = NULL;
    if (len_bytes < 0 || !hr_is_ok(verify_key_parse(hr_bytes_of(der, (size_t)len_bytes), &key))) {
        (void)fprintf(stderr, "headrace verify: %s is not a public P-256 key in PEM\n", path);
    }
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return key;
}

static void print_digest(const char *label, const uint8_t digest[WIRE_DIGEST_BYTES])
{
    char text[CLI_DIGEST_TEXT_CHARS];
    (void)printf("%-13s%s\n", label, cli_digest_text(digest, text));
}

static void print_header(const struct verify_result *result, const struct verify_key *key)
{
    const struct wire_header *header = &result->parts.header;
    (void)printf("device       %016" PRIx64 "\n", header->device_id);
    (void)printf("stream       %" PRIu32 "\n", header->stream);
    (void)printf("batch        %" PRIu32 "%s%s%s%s\n", header->batch_seq,
                 (header->flags & WIRE_FLAG_FIRST_OF_STREAM) != 0 ? "  first of its stream" : "",
                 (header->flags & WIRE_FLAG_KEY_SWITCH) != 0 ? "  carries a key switch" : "",
                 (header->flags & WIRE_FLAG_LOSS) != 0 ? "  carries a loss" : "",
                 (header->flags & WIRE_FLAG_WANTS_RECEIPT) != 0 ? "  wants a receipt" : "");
    (void)printf("records      %u", header->n_records);
    if (header->n_records > 0) {
        (void)printf("  numbers %" PRIu64 " to %" PRIu64, header->first_record_seq,
                     header->first_record_seq + header->n_records - 1);
    }
    (void)printf("\nkey epoch    %u\nboot         %" PRIu32 "  base uptime %" PRIu64 " ms\n",
                 header->key_epoch, header->boot_id, header->base_uptime_ms);
    print_digest("digest", result->digest);
    print_digest(header->batch_seq == 0 ? "anchor" : "previous", header->prev_digest);
    print_digest("root", header->root);
    print_digest("key sha256", verify_key_spki_sha256(key));
}

static void print_body(const struct edge_record *record)
{
    char time[CLI_TIME_TEXT_CHARS];
    switch (record->kind) {
    case EDGE_AIS:
        (void)printf("ais  channel %c  talker %.2s  %s  %u characters, %u fill bits",
                     record->as.ais.channel == 0 ? '-' : record->as.ais.channel, record->as.ais.talker,
                     record->as.ais.own_ship ? "VDO" : "VDM", record->as.ais.payload_chars,
                     record->as.ais.fill_bits);
        break;
    case EDGE_SAMPLE:
        (void)printf("sample  channel %" PRIu32 "  value %" PRId64 "  quality %" PRIu32,
                     record->as.sample.channel, record->as.sample.value, record->as.sample.quality);
        break;
    case EDGE_DOCUMENT:
        (void)printf("document %" PRIu32 "  %s  status %" PRIu32 "  %" PRIu32 " bytes in %" PRIu32 " chunks",
                     record->as.document.document_id, record->as.document.feed,
                     record->as.document.http_status, record->as.document.len_bytes,
                     record->as.document.n_chunks);
        break;
    case EDGE_CHUNK:
        (void)printf("chunk %" PRIu32 " of document %" PRIu32 "  %u bytes", record->as.chunk.index,
                     record->as.chunk.document_id, record->as.chunk.len_bytes);
        break;
    case EDGE_TIME_ANCHOR:
        (void)printf("time anchor  boot %" PRIu32 "  uptime %" PRIu64 " ms is %s +- %" PRIu32 " ms",
                     record->as.time_anchor.boot_id, record->as.time_anchor.uptime_ms,
                     cli_time_text((int64_t)record->as.time_anchor.utc_ms, time),
                     record->as.time_anchor.err_ms);
        break;
    case EDGE_KEY_SWITCH:
        (void)printf("key switch  epoch %" PRIu32 " to %" PRIu32 " at batch %" PRIu32,
                     record->as.key_switch.from_epoch, record->as.key_switch.to_epoch,
                     record->as.key_switch.switch_seq);
        break;
    case EDGE_LOSS:
        (void)printf("loss  batches %" PRIu32 " to %" PRIu32 "  %" PRIu32 " records from %" PRIu64
                     "  reason %" PRIu32,
                     record->as.loss.from_seq, record->as.loss.to_seq, record->as.loss.n_records,
                     record->as.loss.first_record_seq, record->as.loss.reason);
        break;
    case EDGE_BOOT:
        (void)printf("boot %" PRIu32 "  reason %" PRIu32 "  version %s", record->as.boot.boot_id,
                     record->as.boot.reason, record->as.boot.version);
        break;
    case EDGE_STATS:
        (void)printf("stats of %s  %u counters", record->as.stats.source, record->as.stats.n_counters);
        break;
    case EDGE_EVENT:
        (void)printf("event %" PRIu32 "  %s", record->as.event.code, record->as.event.text);
        break;
    case EDGE_CHANNEL:
        (void)printf("channel %" PRIu32 "  %s  model %" PRIu32 "  %s  %s  scale %" PRId32,
                     record->as.channel.channel, record->as.channel.device, record->as.channel.model,
                     record->as.channel.point, record->as.channel.unit, record->as.channel.scale);
        break;
    case EDGE_SAMPLES:
        (void)printf("samples  %u from channel %" PRIu32, record->as.samples.n_values,
                     record->as.samples.first_channel);
        break;
    case EDGE_NONE:
        (void)printf("of a kind that this build doesn't know");
        break;
    }
}

static void print_record(const struct wire_header *header, uint32_t index, struct hr_bytes bytes)
{
    struct edge_record record;
    (void)printf("record %" PRIu32 "  number %" PRIu64 "  ", index, header->first_record_seq + index);
    if (hr_is_ok(edge_record_decode(bytes, &record))) {
        (void)printf("+%" PRIu32 " ms  ", record.dt_ms);
        print_body(&record);
    } else {
        (void)printf("malformed, %zu bytes", bytes.len_bytes);
    }
    (void)printf("\n");
}

/* Prints the records from..to - 1 of a payload that has been checked. */
static void print_records(const struct verify_result *result, uint32_t from, uint32_t to)
{
    struct hr_reader payload = hr_reader_over(result->parts.payload);
    struct hr_bytes bytes;
    for (uint32_t i = 0; hr_is_ok(wire_record_next(&payload, &bytes)) && i < to; i++) {
        if (i >= from) {
            print_record(&result->parts.header, i, bytes);
        }
    }
}

static const char *verdict_text(enum wire_ack_status verdict)
{
    static const char *const texts[] = {
        [WIRE_ACK_OK] = "genuine: the signature holds, and the records are what was signed",
        [WIRE_ACK_BAD_SIGNATURE] = "NOT GENUINE: this key did not sign it",
        [WIRE_ACK_BAD_ROOT] = "NOT GENUINE: the header is signed, the records were changed",
        [WIRE_ACK_UNSUPPORTED] = "INVALID: no batch of a format that this build knows",
        [WIRE_ACK_MALFORMED] = "INVALID: lengths or framing are wrong",
    };
    HR_ASSERT((size_t)verdict < HR_ARRAY_LEN(texts) && texts[verdict] != NULL);
    return texts[verdict];
}

static int verify(const struct cli_arguments *arguments, uint64_t record_index, bool is_one)
{
    static uint8_t bytes[FILE_MAX_BYTES];
    size_t len_bytes = read_file(arguments->positional, bytes, sizeof bytes);
    struct verify_key *key = len_bytes == 0 ? NULL : read_key(arguments->values[KEY][0]);
    if (key == NULL) {
        return CLI_FAILED;
    }
    struct verify_result result;
    verify_envelope(key, hr_bytes_of(bytes, len_bytes), &result);
    if (result.has_parts) {
        print_header(&result, key);
    }
    (void)printf("verdict      %s\n", verdict_text(result.verdict));
    int code = result.verdict == WIRE_ACK_OK ? CLI_OK : CLI_FAILED;
    if (code == CLI_OK && is_one && record_index >= result.parts.header.n_records) {
        (void)fprintf(stderr, "headrace verify: there is no record %" PRIu64 "\n", record_index);
        code = CLI_FAILED;
    } else if (code == CLI_OK && is_one) {
        print_records(&result, (uint32_t)record_index, (uint32_t)record_index + 1);
    } else if (code == CLI_OK && arguments->n_values[RECORDS] > 0) {
        print_records(&result, 0, result.parts.header.n_records);
    }
    verify_key_free(key);
    return code;
}

int cli_verify(int argc, char **argv)
{
    struct cli_arguments arguments;
    switch (cli_options_parse(&usage, argc, argv, &arguments)) {
    case CLI_HELPED:
        return CLI_OK;
    case CLI_MISUSED:
        return CLI_USAGE;
    case CLI_PARSED:
        break;
    }
    uint64_t record_index = 0;
    const char *record_text = cli_option_or(&arguments, RECORD, NULL);
    if (record_text != NULL && !cli_number(record_text, UINT16_MAX, &record_index)) {
        (void)fprintf(stderr, "headrace verify: --record is a number from 0\n");
        return CLI_USAGE;
    }
    return verify(&arguments, record_index, record_text != NULL);
}
