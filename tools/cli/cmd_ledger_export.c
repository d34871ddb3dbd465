/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace ledger export`: a log as one file that proves itself (proto/SPEC.md section 11). State comes
 * first, read in the order that track.h asks for, so that it is never ahead of the batches behind it; an
 * aggregator may run meanwhile, and a broken export goes on with the next batch. */
#include "tools/cli/archive.h"
#include "tools/cli/ledger_open.h"
#include "tools/cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERB "ledger export"

enum option { CONFIG, OUT, FROM, TO, RESUME };
enum { CHUNK_BATCHES = 256, CHUNK_BYTES = 4 << 20 };

static const struct cli_option options[] = {
    [CONFIG] = {"--config", "YAML", false, 0, "The aggregator's configuration, which names the ledger."},
    [OUT] = {"--out", "EXPORT", false, 0, "The file to make; else, or with '-', standard output."},
    [FROM] = {"--from-leaf", "N", false, 0, "Begin with this leaf, and not with the first that there is."},
    [TO] = {"--to-leaf", "N", false, 0,
            "End before this leaf. Such an export is a part: another one must follow it in a rebuild."},
    [RESUME] = {"--resume", NULL, false, 0, "Go on with an EXPORT that was broken off."},
};

static const struct cli_usage usage = {
    .verb = VERB,
    .positional = "[FILE]",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .help =
        "Writes a ledger, the SQLite file FILE or the one that a configuration names, as one portable file:\n"
        "the signed batches in the order of their leaves, registry, streams, evidence and the feed ledger.\n"
        "It only reads, and may be used while the aggregator runs.",
};

/* A boot of a device of which a batch is in the export. */
struct boot {
    uint64_t device_id;
    uint32_t boot_id;
};

struct export
{
    struct ledger ledger;
    struct cli_archive archive;
    struct hr_status status;
    uint64_t from_leaf, next_leaf;
    struct cli_archive_range range;
    bool has_range;
    struct boot *boots; /* sorted */
    size_t n_boots, boots_capacity;
    uint64_t n_batches;
};

/* ---- state ---- */

static struct hr_status put_state(struct export *export, uint64_t to_leaf)
{
    const struct ledger *ledger = &export->ledger;
    struct cli_archive *archive = &export->archive;
    uint64_t size = 0;
    if (to_leaf == UINT64_MAX) {
        struct hr_status status = cli_archive_feeds(archive, ledger);
        if (!hr_is_ok(status) && !hr_is(status, HR_NOT_FOUND)) {
            return status;
        }
        HR_TRY(ledger->load_streams(ledger->ctx, cli_keep_stream, archive));
    }
    HR_TRY(ledger->size(ledger->ctx, &size));
    export->range = (struct cli_archive_range){.to_leaf = to_leaf < size ? to_leaf : size,
                                               .is_whole = to_leaf == UINT64_MAX};
    cli_keep_range(archive, &export->range);
    HR_TRY(ledger->load_devices(ledger->ctx, cli_keep_device, archive));
    HR_TRY(ledger->load_devices(ledger->ctx, cli_keep_device_more, archive));
    HR_TRY(ledger->enrolments(ledger->ctx, cli_keep_enrolment, archive));
    HR_TRY(ledger->certificates(ledger->ctx, 0, cli_keep_certificate, archive));
    HR_TRY(ledger->list_keys(ledger->ctx, 0, cli_keep_old_key, archive));
    HR_TRY(ledger->losses(ledger->ctx, 0, cli_keep_loss, archive));
    HR_TRY(ledger->conflicts(ledger->ctx, 0, cli_keep_conflict, archive));
    return cli_archive_audits(archive, ledger);
}

/* ---- batches ---- */

/* True: this boot is new; it is known from now on. */
static bool note_boot(struct export *export, uint64_t device_id, uint32_t boot_id)
{
    size_t low = 0;
    size_t high = export->n_boots;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct boot *at = &export->boots[middle];
        bool is_before = at->device_id != device_id ? at->device_id < device_id : at->boot_id < boot_id;
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    if (low < export->n_boots && export->boots[low].device_id == device_id &&
        export->boots[low].boot_id == boot_id) {
        return false;
    }
    if (export->n_boots == export->boots_capacity) {
        size_t capacity = export->boots_capacity == 0 ? 64 : 2 * export->boots_capacity;
        void *rows = realloc(export->boots, capacity * sizeof *export->boots);
        if (rows == NULL) {
            export->status = hr_status_of(HR_IO);
            return false;
        }
        export->boots = rows;
        export->boots_capacity = capacity;
    }
    memmove(export->boots + low + 1, export->boots + low, (export->n_boots++ - low) * sizeof *export->boots);
    export->boots[low] = (struct boot){device_id, boot_id};
    return true;
}

/* The time of a record may rest on an anchor in a batch before the first one of the export. */
static void put_anchor(struct export *export, const struct ledger_batch *batch, uint32_t boot_id)
{
    struct ledger_anchor row = {.device_id = batch->device_id};
    if (export->from_leaf == 0 || !note_boot(export, batch->device_id, boot_id)) {
        return;
    }
    struct hr_status found = export->ledger.anchor_at(export->ledger.ctx, batch->device_id, boot_id,
                                                      export->from_leaf - 1, &row.anchor);
    if (hr_is_ok(found)) {
        cli_keep_anchor(&export->archive, &row);
    } else if (!hr_is(found, HR_NOT_FOUND)) {
        export->status = found;
    }
}

static void put_batch(void *ctx, const struct ledger_batch *batch)
{
    struct export *export = ctx;
    struct wire_envelope parts;
    if (!hr_is_ok(export->status) || batch->leaf >= export->range.to_leaf) {
        return;
    }
    if (batch->leaf != export->next_leaf || !hr_is_ok(wire_envelope_split(batch->envelope, &parts))) {
        (void)fprintf(stderr, "headrace " VERB ": leaf %" PRIu64 " is not there, or no batch\n",
                      export->next_leaf);
        export->status = hr_status_of(HR_CORRUPT);
        return;
    }
    put_anchor(export, batch, parts.header.boot_id);
    cli_keep_batch(&export->archive, batch);
    export->next_leaf++;
    export->n_batches++;
}

static struct hr_status put_batches(struct export *export)
{
    const struct ledger *ledger = &export->ledger;
    while (export->next_leaf < export->range.to_leaf) {
        uint64_t from = export->next_leaf;
        HR_TRY(ledger->read(ledger->ctx, from, CHUNK_BATCHES, CHUNK_BYTES, put_batch, export));
        HR_TRY(export->status);
        HR_TRY(export->archive.failed);
        if (export->next_leaf == from) {
            return hr_status_of(HR_NOT_FOUND);
        }
    }
    return cli_archive_end(&export->archive);
}

/* ---- going on ---- */

/* Takes what is whole of a file that was broken off. HR_CLOSED: it is complete. HR_NOT_FOUND: not even its
 * state is; begin anew. HR_DENIED: of another log. */
static struct hr_status take_up(struct export *export)
{
    enum cli_frame type;
    struct hr_bytes body;
    struct cli_archive_head head = {.from_leaf = 0};
    struct ledger_batch batch;
    struct ledger_anchor anchor;
    bool is_sound = hr_is_ok(cli_archive_check_magic(&export->archive));
    struct hr_status status = hr_status_of(is_sound ? HR_OK : HR_CORRUPT);
    while (is_sound && hr_is_ok(status = cli_archive_next(&export->archive, &type, &body))) {
        if (type == CLI_FRAME_HEAD) {
            is_sound = cli_get_head(body, &head);
            export->from_leaf = export->next_leaf = head.from_leaf;
        } else if (type == CLI_FRAME_RANGE) {
            is_sound = export->has_range = cli_get_range(body, &export->range);
        } else if (type == CLI_FRAME_ANCHOR) {
            is_sound = cli_get_anchor(body, &anchor);
            (void)note_boot(export, anchor.device_id, anchor.anchor.boot_id);
        } else if (type == CLI_FRAME_BATCH) {
            struct wire_envelope parts;
            is_sound = cli_get_batch(body, &batch) && hr_is_ok(wire_envelope_split(batch.envelope, &parts));
            export->next_leaf = batch.leaf + 1;
            export->n_batches++;
            if (is_sound && export->from_leaf > 0) {
                (void)note_boot(export, batch.device_id, parts.header.boot_id);
            }
        }
    }
    if (hr_is(status, HR_CLOSED)) {
        return status;
    }
    if (head.origin[0] != '\0' && strcmp(head.origin, export->ledger.origin(export->ledger.ctx)) != 0) {
        return hr_status_of(HR_DENIED);
    }
    /* Devices, losses, conflicts and audit entries stand between the range and the first batch: without one
     * they may be incomplete. */
    return hr_status_of(is_sound && export->has_range && export->n_batches > 0 ? HR_OK : HR_NOT_FOUND);
}

static struct hr_status begin(struct export *export, uint64_t from_leaf, uint64_t to_leaf)
{
    struct cli_archive_head head = {.from_leaf = 0};
    uint64_t first_leaf = 0;
    HR_TRY(export->ledger.first_leaf(export->ledger.ctx, &first_leaf));
    export->from_leaf = export->next_leaf = head.from_leaf = from_leaf > first_leaf ? from_leaf : first_leaf;
    (void)snprintf(head.origin, sizeof head.origin, "%s", export->ledger.origin(export->ledger.ctx));
    HR_TRY(cli_archive_begin(&export->archive));
    cli_keep_head(&export->archive, &head);
    return put_state(export, to_leaf);
}

static struct hr_status run(struct export *export, bool is_resuming, uint64_t from_leaf, uint64_t to_leaf)
{
    if (is_resuming) {
        struct hr_status taken = take_up(export);
        if (hr_is(taken, HR_CLOSED)) {
            (void)fprintf(stderr, "headrace " VERB ": it is complete\n");
            return hr_ok();
        }
        if (hr_is(taken, HR_DENIED)) {
            (void)fprintf(stderr, "headrace " VERB ": the export is of another log\n");
            return taken;
        }
        long keep = hr_is_ok(taken) ? (long)export->archive.at : 0;
        if (fseek(export->archive.file, keep, SEEK_SET) != 0 ||
            ftruncate(fileno(export->archive.file), keep) != 0) {
            return hr_status_of(HR_IO);
        }
        if (hr_is_ok(taken)) {
            return put_batches(export);
        }
        export->n_batches = 0;
        export->n_boots = 0;
    }
    HR_TRY(begin(export, from_leaf, to_leaf));
    return put_batches(export);
}

static FILE *open_out(const char *path, bool is_resuming)
{
    if (strcmp(path, "-") == 0) {
        return is_resuming ? NULL : stdout;
    }
    return fopen(path, is_resuming ? "r+b" : "wbx");
}

static int export_to(const struct cli_arguments *arguments, struct export *export)
{
    uint64_t from_leaf = 0;
    uint64_t to_leaf = 0;
    const char *path = cli_option_or(arguments, OUT, "-");
    bool is_resuming = arguments->n_values[RESUME] > 0;
    bool is_part = arguments->n_values[TO] > 0;
    if (!cli_number(cli_option_or(arguments, FROM, "0"), INT64_MAX, &from_leaf) ||
        !cli_number(cli_option_or(arguments, TO, "0"), INT64_MAX, &to_leaf)) {
        (void)fprintf(stderr, "headrace " VERB ": --from-leaf and --to-leaf are numbers\n");
        return CLI_USAGE;
    }
    FILE *file = open_out(path, is_resuming);
    if (file == NULL) {
        (void)fprintf(stderr, "headrace " VERB ": %s: %s\n", path,
                      strcmp(path, "-") == 0 ? "what went to standard output can't be resumed"
                                             : strerror(errno));
        return CLI_FAILED;
    }
    cli_archive_open(&export->archive, file);
    struct hr_status status = run(export, is_resuming, from_leaf, is_part ? to_leaf : UINT64_MAX);
    struct hr_status closed = cli_archive_close(&export->archive);
    status = hr_is_ok(status) ? closed : status;
    if (!hr_is_ok(status)) {
        (void)fprintf(stderr, "headrace " VERB ": it could not be written to its end (%s)\n",
                      hr_code_name(status.code));
        return CLI_FAILED;
    }
    (void)fprintf(stderr, "%" PRIu64 " batches, leaves %" PRIu64 " to %" PRIu64 "%s\n", export->n_batches,
                  export->from_leaf, export->next_leaf, is_part ? ": a part" : ", with the state of the log");
    return CLI_OK;
}

int cli_ledger_export(int argc, char **argv)
{
    static struct export export = {.status = {HR_OK}};
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    int code = cli_ledger_open_reader(VERB, arguments.positional, cli_option_or(&arguments, CONFIG, NULL),
                                      &export.ledger);
    if (code == CLI_OK) {
        code = export_to(&arguments, &export);
        free(export.boots);
        export.ledger.close(export.ledger.ctx);
    }
    return code;
}
