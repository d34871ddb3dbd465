/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace ledger inspect`: what an aggregator has committed, read beside it while it runs. */
#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/files.h"
#include "tools/cli/ledger_open.h"
#include "tools/cli/options.h"
#include "tools/cli/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum option { CONFIG, DEVICE, LEAF, ENVELOPE, JSON };

static const struct cli_option options[] = {
    [CONFIG] = {"--config", "YAML", false, 0, "The aggregator's configuration, which names the ledger."},
    [DEVICE] = {"--device", "ID", false, 0, "Only what is of this device (0x... for hexadecimal)."},
    [LEAF] = {"--leaf", "N", false, 0, "Only the batch at this leaf."},
    [ENVELOPE] = {"--envelope", "OUT", false, 0, "With --leaf: write the signed batch to a new file."},
    [JSON] = {"--json", NULL, false, 0, "One JSON object instead of text."},
};

static const struct cli_usage usage = {
    .verb = "ledger inspect",
    .positional = "[FILE]",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .help = "Prints size, devices, streams, conflicts and losses of a ledger: of the SQLite file FILE, or of "
            "the\n"
            "one that an aggregator's configuration names. It only reads, and may be used while the "
            "aggregator runs.",
};

/* What is printed, and how far. */
struct report {
    struct ledger ledger;
    bool is_json;
    uint64_t device_id; /* 0: all */
    uint64_t n_rows;    /* of the list that is being printed */
};

static bool is_wanted(const struct report *report, uint64_t device_id)
{
    return report->device_id == 0 || report->device_id == device_id;
}

static const char *state_name(enum ledger_device_state state)
{
    static const char *const names[] = {
        [LEDGER_DEVICE_ENROLLED] = "enrolled",       [LEDGER_DEVICE_ACTIVE] = "active",
        [LEDGER_DEVICE_QUARANTINED] = "quarantined", [LEDGER_DEVICE_REVOKED] = "revoked",
        [LEDGER_DEVICE_RETIRED] = "retired",         [LEDGER_DEVICE_CLAIMED] = "claimed",
        [LEDGER_DEVICE_ROTATING] = "rotating"};
    return (size_t)state < HR_ARRAY_LEN(names) ? names[state] : "unknown";
}

/* Begins a row of a JSON list. */
static void begin_row(struct report *report)
{
    (void)printf(report->n_rows++ == 0 ? "\n    {" : ",\n    {");
}

static void print_key(const struct report *report, const struct ledger_key *key, bool is_first)
{
    char sha256[CLI_DIGEST_TEXT_CHARS];
    uint8_t digest[WIRE_DIGEST_BYTES];
    struct hr_bytes spki = hr_bytes_of(key->spki, key->spki_len_bytes);
    wire_sha256(verify_hash(), &spki, 1, digest);
    (void)cli_digest_text(digest, sha256);
    bool is_open = key->to_stream == UINT32_MAX && key->to_seq == UINT32_MAX;
    if (report->is_json) {
        (void)printf("%s{\"epoch\": %u, \"spki_sha256\": \"%s\", \"from\": [%" PRIu32 ", %" PRIu32
                     "], \"to\": ",
                     is_first ? "" : ", ", key->epoch, sha256, key->from_stream, key->from_seq);
        if (is_open) {
            (void)printf("null");
        } else {
            (void)printf("[%" PRIu32 ", %" PRIu32 "]", key->to_stream, key->to_seq);
        }
        (void)printf(", \"revoked\": %s}", key->revoked ? "true" : "false");
        return;
    }
    (void)printf("    key epoch %u  sha256 %s  from %" PRIu32 "/%" PRIu32, key->epoch, sha256,
                 key->from_stream, key->from_seq);
    if (!is_open) {
        (void)printf("  before %" PRIu32 "/%" PRIu32, key->to_stream, key->to_seq);
    }
    (void)printf("%s\n", key->revoked ? "  REVOKED" : "");
}

static void print_device(void *ctx, const struct ledger_device *device)
{
    struct report *report = ctx;
    if (!is_wanted(report, device->device_id)) {
        return;
    }
    if (report->is_json) {
        begin_row(report);
        (void)printf("\"device\": \"%016" PRIx64 "\", \"name\": ", device->device_id);
        cli_print_json_text(device->name);
        (void)printf(", \"tenant\": ");
        cli_print_json_text(device->tenant);
        (void)printf(", \"state\": \"%s\", \"revision\": %" PRIu32 ", \"reason\": ",
                     state_name(device->state), device->revision);
        cli_print_json_text(device->reason);
        (void)printf(", \"keys\": [");
    } else {
        report->n_rows++;
        (void)printf("  %016" PRIx64 "  %s  tenant %s  %s%s%s  revision %" PRIu32 "\n", device->device_id,
                     device->name, device->tenant, state_name(device->state),
                     device->reason[0] == '\0' ? "" : ": ", device->reason, device->revision);
    }
    for (uint32_t i = 0; i < device->n_keys; i++) {
        print_key(report, &device->keys[i], i == 0);
    }
    (void)printf(report->is_json ? "]}" : "");
}

static void print_stream(void *ctx, const struct ledger_stream *stream)
{
    struct report *report = ctx;
    char digest[CLI_DIGEST_TEXT_CHARS];
    if (!is_wanted(report, stream->device_id)) {
        return;
    }
    (void)cli_digest_text(stream->cum_digest, digest);
    if (report->is_json) {
        begin_row(report);
        (void)printf("\"device\": \"%016" PRIx64 "\", \"stream\": %" PRIu32 ", \"cum_seq\": ",
                     stream->device_id, stream->stream);
        if (stream->cum_seq == WIRE_SEQ_NONE) {
            (void)printf("null");
        } else {
            (void)printf("%" PRIu32, stream->cum_seq);
        }
        (void)printf(", \"cum_digest\": \"%s\", \"next_record_seq\": %" PRIu64 ", \"lost_batches\": %" PRIu64
                     ", \"lost_records\": %" PRIu64 "}",
                     digest, stream->next_record_seq, stream->lost_batches, stream->lost_records);
        return;
    }
    report->n_rows++;
    (void)printf("  %016" PRIx64 "  stream %" PRIu32 "  up to batch %" PRId64
                 "  digest %s  next record %" PRIu64 "  lost %" PRIu64 " batches, %" PRIu64 " records\n",
                 stream->device_id, stream->stream,
                 stream->cum_seq == WIRE_SEQ_NONE ? -1 : (int64_t)stream->cum_seq, digest,
                 stream->next_record_seq, stream->lost_batches, stream->lost_records);
}

static void print_conflict(void *ctx, const struct ledger_conflict *row)
{
    struct report *report = ctx;
    char known[CLI_DIGEST_TEXT_CHARS];
    char time[CLI_TIME_TEXT_CHARS];
    (void)cli_digest_text(row->known_digest, known);
    (void)cli_time_text(row->received_utc_ms, time);
    if (report->is_json) {
        begin_row(report);
        (void)printf(
            "\"device\": \"%016" PRIx64 "\", \"stream\": %" PRIu32 ", \"seq\": %" PRIu32
            ", \"kind\": \"%s\", \"received\": \"%s\", \"known_digest\": \"%s\", \"envelope_bytes\": %zu}",
            row->device_id, row->stream, row->seq, row->kind, time, known, row->envelope.len_bytes);
        return;
    }
    report->n_rows++;
    (void)printf("  %016" PRIx64 "  %s at stream %" PRIu32 " batch %" PRIu32 "  %s  committed there: %s\n",
                 row->device_id, row->kind, row->stream, row->seq, time, known);
}

static void print_loss(void *ctx, const struct ledger_loss *row)
{
    struct report *report = ctx;
    static const char *const reasons[] = {"?", "overflow", "damaged", "refused"};
    const struct edge_loss *loss = &row->loss;
    const char *reason = reasons[loss->reason < HR_ARRAY_LEN(reasons) ? loss->reason : 0];
    if (report->is_json) {
        begin_row(report);
        (void)printf("\"device\": \"%016" PRIx64 "\", \"stream\": %" PRIu32 ", \"from_seq\": %" PRIu32
                     ", \"to_seq\": %" PRIu32 ", \"first_record_seq\": %" PRIu64 ", \"n_records\": %" PRIu32
                     ", \"reason\": \"%s\"}",
                     row->device_id, row->stream, loss->from_seq, loss->to_seq, loss->first_record_seq,
                     loss->n_records, reason);
        return;
    }
    report->n_rows++;
    (void)printf("  %016" PRIx64 "  stream %" PRIu32 "  batches %" PRIu32 " to %" PRIu32 "  %" PRIu32
                 " records from %" PRIu64 "  %s\n",
                 row->device_id, row->stream, loss->from_seq, loss->to_seq, loss->n_records,
                 loss->first_record_seq, reason);
}

static void begin_list(struct report *report, const char *name)
{
    report->n_rows = 0;
    (void)printf(report->is_json ? ",\n  \"%s\": [" : "%s\n", name);
}

static void end_list(const struct report *report)
{
    if (report->is_json) {
        (void)printf("]");
    } else if (report->n_rows == 0) {
        (void)printf("  none\n");
    }
}

static struct hr_status print_all(struct report *report)
{
    const struct ledger *ledger = &report->ledger;
    uint64_t n_leaves = 0;
    HR_TRY(ledger->size(ledger->ctx, &n_leaves));
    (void)printf(report->is_json ? "{\n  \"origin\": \"%s\",\n  \"size\": %" PRIu64
                                 : "origin %s\nsize   %" PRIu64 " leaves\n",
                 ledger->origin(ledger->ctx), n_leaves);
    begin_list(report, "devices");
    HR_TRY(ledger->load_devices(ledger->ctx, print_device, report));
    end_list(report);
    begin_list(report, "streams");
    HR_TRY(ledger->load_streams(ledger->ctx, print_stream, report));
    end_list(report);
    begin_list(report, "conflicts");
    HR_TRY(ledger->conflicts(ledger->ctx, report->device_id, print_conflict, report));
    end_list(report);
    begin_list(report, "losses");
    HR_TRY(ledger->losses(ledger->ctx, report->device_id, print_loss, report));
    end_list(report);
    (void)printf(report->is_json ? "\n}\n" : "");
    return hr_ok();
}

/* One batch, and where it goes. */
struct leaf_report {
    bool is_json;
    uint64_t wanted;
    bool is_found;
    const char *envelope_path;
    struct hr_status written;
};

static void print_leaf(void *ctx, const struct ledger_batch *batch)
{
    struct leaf_report *report = ctx;
    struct wire_envelope parts;
    char digest[CLI_DIGEST_TEXT_CHARS];
    char time[CLI_TIME_TEXT_CHARS];
    if (batch->leaf != report->wanted) {
        return;
    }
    report->is_found = true;
    bool is_whole = hr_is_ok(wire_envelope_split(batch->envelope, &parts));
    (void)cli_digest_text(batch->digest, digest);
    (void)cli_time_text(batch->received_utc_ms, time);
    (void)printf(report->is_json
                     ? "{\"leaf\": %" PRIu64 ", \"device\": \"%016" PRIx64 "\", \"stream\": %" PRIu32
                       ", \"seq\": %" PRIu32 ", \"received\": \"%s\", \"digest\": \"%s\", "
                       "\"envelope_bytes\": %zu, \"records\": %d}\n"
                     : "leaf     %" PRIu64 "\ndevice   %016" PRIx64 "\nstream   %" PRIu32
                       "\nseq      %" PRIu32 "\nreceived %s\ndigest   %s\nbytes    %zu\nrecords  %d\n",
                 batch->leaf, batch->device_id, batch->stream, batch->seq, time, digest,
                 batch->envelope.len_bytes, is_whole ? (int)parts.header.n_records : -1);
    if (report->envelope_path != NULL) {
        report->written = cli_file_write(report->envelope_path, batch->envelope, false, false);
    }
}

static int inspect_leaf(const struct report *report, uint64_t leaf, const char *envelope_path)
{
    const struct ledger *ledger = &report->ledger;
    struct leaf_report one = {.is_json = report->is_json, .wanted = leaf, .envelope_path = envelope_path};
    struct hr_status status = ledger->read(ledger->ctx, leaf, 1, SIZE_MAX, print_leaf, &one);
    if (!one.is_found) {
        (void)fprintf(stderr, "headrace ledger inspect: %s\n",
                      hr_is_ok(status) || hr_is(status, HR_NOT_FOUND) ? "there is no such leaf"
                                                                      : "it can't be read");
        return CLI_FAILED;
    }
    return hr_is_ok(one.written) ? CLI_OK : CLI_FAILED;
}

static int inspect(const struct cli_arguments *arguments)
{
    struct report report = {.is_json = arguments->n_values[JSON] > 0};
    uint64_t leaf = 0;
    const char *leaf_text = cli_option_or(arguments, LEAF, NULL);
    if (!cli_number(cli_option_or(arguments, DEVICE, "0"), UINT64_MAX, &report.device_id) ||
        (leaf_text != NULL && !cli_number(leaf_text, INT64_MAX, &leaf))) {
        (void)fprintf(stderr, "headrace ledger inspect: --device and --leaf are numbers\n");
        return CLI_USAGE;
    }
    int opened = cli_ledger_open_reader("ledger inspect", arguments->positional,
                                        cli_option_or(arguments, CONFIG, NULL), &report.ledger);
    if (opened != CLI_OK) {
        return opened;
    }
    int code = CLI_OK;
    if (leaf_text != NULL) {
        code = inspect_leaf(&report, leaf, cli_option_or(arguments, ENVELOPE, NULL));
    } else if (!hr_is_ok(print_all(&report))) {
        code = CLI_FAILED;
    }
    report.ledger.close(report.ledger.ctx);
    return code;
}

static int cli_ledger_inspect(int argc, char **argv)
{
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    return inspect(&arguments);
}

int cli_ledger(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } verbs[] = {
        {"inspect", cli_ledger_inspect},
        {"fsck", cli_ledger_fsck},
        {"export", cli_ledger_export},
        {"rebuild", cli_ledger_rebuild},
    };
    for (size_t i = 0; argc > 1 && i < HR_ARRAY_LEN(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr,
                  "usage: headrace ledger inspect|fsck|export FILE | --config YAML, or rebuild --from "
                  "EXPORT FILE | --config YAML\n");
    return CLI_USAGE;
}
