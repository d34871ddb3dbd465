/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace ledger rebuild`: a new ledger out of an export, or of parts that follow each other. Everything is
 * checked first, as fsck does, and only then is anything written. */
#include "proto/base/assert.h"
#include "tools/cli/ledger_open.h"
#include "tools/cli/options.h"
#include "tools/cli/rebuild.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERB "ledger rebuild"

enum option { CONFIG, FROM, CHECK };

static const struct cli_option options[] = {
    [CONFIG] = {"--config", "YAML", false, 0, "The aggregator's configuration, which names the new ledger."},
    [FROM] =
        {"--from", "EXPORT", true, CLI_REPEAT_MAX,
         "What `headrace ledger export` wrote; given several times: parts, in the order of their leaves."},
    [CHECK] = {"--check", NULL, false, 0, "Only checks the exports; no ledger is named."},
};

static const struct cli_usage usage = {
    .verb = VERB,
    .positional = "[FILE]",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .help =
        "Makes a ledger, as the new SQLite file FILE or where a configuration says, out of an export. All "
        "of\n"
        "it is checked before anything is written: digests, signatures, roots, chains, evidence. A place\n"
        "that holds a ledger is refused. The log keeps its name, so an aggregator that is started on it "
        "goes\n"
        "on where Kafka's cursor stands.",
};

struct part {
    const char *path;
    struct cli_archive_head head;
    struct cli_archive_range range;
};

struct job {
    struct cli_findings findings;
    struct cli_track track;
    struct part parts[CLI_REPEAT_MAX];
    size_t n_parts;
};

static struct cli_rebuild rebuild; /* large */

/* ---- reading a part ---- */

/* Calls `each` with every frame. HR_OK: to its end, which is as it was written. */
static struct hr_status read_part(struct job *job, struct part *part,
                                  struct hr_status (*each)(struct job *job, struct part *part,
                                                           enum cli_frame type, struct hr_bytes body))
{
    struct cli_archive archive;
    enum cli_frame type;
    struct hr_bytes body;
    FILE *file = fopen(part->path, "rb");
    if (file == NULL) {
        (void)fprintf(stderr, "headrace " VERB ": %s: %s\n", part->path, strerror(errno));
        return hr_status_of(HR_IO);
    }
    cli_archive_open(&archive, file);
    struct hr_status status = cli_archive_check_magic(&archive);
    struct hr_status judged = hr_ok();
    while (hr_is_ok(status) && hr_is_ok(status = cli_archive_next(&archive, &type, &body))) {
        judged = each(job, part, type, body);
        if (!hr_is_ok(judged)) {
            break;
        }
    }
    if (hr_is(status, HR_CORRUPT)) {
        (void)fprintf(stderr, "headrace " VERB ": %s is no export, or broken behind byte %" PRIu64 "\n",
                      part->path, archive.at);
    } else if (!hr_is_ok(judged)) {
        (void)fprintf(stderr, "headrace " VERB ": %s: before byte %" PRIu64 ": %s\n", part->path, archive.at,
                      hr_code_name(judged.code));
    }
    hr_ignore(cli_archive_close(&archive)); /* it was only read */
    HR_TRY(judged);
    return hr_is(status, HR_CLOSED) ? hr_ok() : status;
}

/* ---- the check ---- */

static struct hr_status take_state(struct job *job, enum cli_frame type, struct hr_bytes body)
{
    struct ledger_stream stream;
    struct ledger_device device;
    struct ledger_old_key key;
    struct ledger_loss loss;
    struct ledger_conflict conflict;
    struct ledger_audit audit;
    static struct ledger_enrolment enrolment;
    static struct ledger_certificate certificate;
    bool good = true;
    if (type == CLI_FRAME_STREAM && (good = cli_get_stream(body, &stream))) {
        cli_track_stream(&job->track, &stream);
    } else if (type == CLI_FRAME_DEVICE && (good = cli_get_device(body, &device))) {
        cli_track_device(&job->track, &device);
    } else if (type == CLI_FRAME_DEVICE_MORE) {
        good = cli_track_device_more(&job->track, body);
    } else if (type == CLI_FRAME_ENROLMENT) {
        good = cli_get_enrolment(body, &enrolment);
    } else if (type == CLI_FRAME_CERTIFICATE) {
        good = cli_get_certificate(body, &certificate);
    } else if (type == CLI_FRAME_KEY && (good = cli_get_old_key(body, &key))) {
        cli_track_key(&job->track, &key);
    } else if (type == CLI_FRAME_LOSS && (good = cli_get_loss(body, &loss))) {
        cli_track_loss(&job->track, &loss);
    } else if (type == CLI_FRAME_CONFLICT && (good = cli_get_conflict(body, &conflict))) {
        cli_track_conflict(&job->track, &conflict);
    } else if (type == CLI_FRAME_AUDIT) {
        good = cli_get_audit(body, &audit);
    }
    return hr_status_of(good ? HR_OK : HR_CORRUPT);
}

/* The frames of the last part but its batches, and what the others say of themselves. */
static struct hr_status look(struct job *job, struct part *part, enum cli_frame type, struct hr_bytes body)
{
    bool good = true;
    if (type == CLI_FRAME_HEAD) {
        good = cli_get_head(body, &part->head);
    } else if (type == CLI_FRAME_RANGE) {
        good = cli_get_range(body, &part->range);
    }
    HR_TRY(hr_status_of(good ? HR_OK : HR_CORRUPT));
    return part == &job->parts[job->n_parts - 1] ? take_state(job, type, body) : hr_ok();
}

static struct hr_status check_batch(struct job *job, struct part *part, enum cli_frame type,
                                    struct hr_bytes body)
{
    struct ledger_batch batch;
    struct verify_result result;
    if (type != CLI_FRAME_BATCH) {
        return hr_ok();
    }
    if (!cli_get_batch(body, &batch) || batch.leaf != job->track.next_leaf ||
        batch.leaf >= part->range.to_leaf) {
        return hr_status_of(HR_CORRUPT);
    }
    (void)cli_track_batch(&job->track, &batch, &result);
    return hr_ok();
}

/* Why the parts don't make a log, or NULL. */
static const char *objection(const struct job *job)
{
    for (size_t i = 0; i + 1 < job->n_parts; i++) {
        if (strcmp(job->parts[i].head.origin, job->parts[i + 1].head.origin) != 0) {
            return "the parts are of different logs";
        }
        if (job->parts[i].range.to_leaf != job->parts[i + 1].head.from_leaf) {
            return "a part does not begin where the one before it ends";
        }
    }
    return job->parts[job->n_parts - 1].range.is_whole
               ? NULL
               : "the last part was cut with --to-leaf: it has no state";
}

static struct hr_status check(struct job *job)
{
    for (size_t i = 0; i < job->n_parts; i++) {
        HR_TRY(read_part(job, &job->parts[i], look));
    }
    const char *why = objection(job);
    if (why != NULL) {
        (void)fprintf(stderr, "headrace " VERB ": %s\n", why);
        return hr_status_of(HR_DENIED);
    }
    job->track.first_leaf = job->track.next_leaf = job->parts[0].head.from_leaf;
    for (size_t i = 0; i < job->n_parts; i++) {
        HR_TRY(read_part(job, &job->parts[i], check_batch));
        if (job->track.next_leaf != job->parts[i].range.to_leaf) {
            (void)fprintf(stderr, "headrace " VERB ": %s ends at leaf %" PRIu64 "\n", job->parts[i].path,
                          job->track.next_leaf);
            return hr_status_of(HR_CORRUPT);
        }
    }
    cli_track_end(&job->track);
    if (job->track.is_out_of_memory || cli_findings_total(&job->findings) > 0) {
        (void)fprintf(stderr, "headrace " VERB ": the export is not sound; nothing was written\n");
        return hr_status_of(HR_CORRUPT);
    }
    return hr_ok();
}

/* ---- the writing ---- */

static struct hr_status write_batch(struct job *job, struct part *part, enum cli_frame type,
                                    struct hr_bytes body)
{
    (void)job;
    (void)part;
    return cli_rebuild_batch(&rebuild, type, body);
}

static struct hr_status write_rest(struct job *job, struct part *part, enum cli_frame type,
                                   struct hr_bytes body)
{
    (void)job;
    (void)part;
    HR_TRY(cli_rebuild_evidence(&rebuild, type, body));
    HR_TRY(cli_rebuild_enrolled(&rebuild, type, body));
    HR_TRY(type == CLI_FRAME_AUDIT ? cli_rebuild_audit(&rebuild, body) : hr_ok());
    return cli_rebuild_feed(&rebuild, type, body);
}

static struct hr_status write_all(struct job *job)
{
    for (size_t i = 0; i < job->n_parts; i++) {
        HR_TRY(read_part(job, &job->parts[i], write_batch));
    }
    HR_TRY(cli_rebuild_flush(&rebuild));
    HR_TRY(read_part(job, &job->parts[job->n_parts - 1], write_rest));
    HR_TRY(cli_rebuild_enrolled_flush(&rebuild));
    HR_TRY(cli_rebuild_audit_flush(&rebuild));
    HR_TRY(rebuild.has_sink ? cli_rebuild_feed_flush(&rebuild) : hr_ok());
    return cli_rebuild_state(&rebuild, &job->track);
}

static int make(struct job *job, const struct cli_arguments *arguments)
{
    const struct ledger_birth birth = {.origin = job->parts[0].head.origin,
                                       .first_leaf = job->parts[0].head.from_leaf};
    int code = cli_ledger_open_new(VERB, arguments->positional, cli_option_or(arguments, CONFIG, NULL),
                                   &birth, &rebuild.ledger);
    if (code != CLI_OK) {
        return code;
    }
    rebuild.first_leaf = birth.first_leaf;
    rebuild.bytes = malloc(CLI_REBUILD_BYTES);
    HR_ASSERT(rebuild.bytes != NULL);
    struct hr_status status = write_all(job);
    free(rebuild.bytes);
    rebuild.ledger.close(rebuild.ledger.ctx);
    if (!hr_is_ok(status)) {
        (void)fprintf(stderr,
                      "headrace " VERB ": it broke off (%s); delete what there is of the new ledger\n",
                      hr_code_name(status.code));
        return CLI_FAILED;
    }
    return CLI_OK;
}

int cli_ledger_rebuild(int argc, char **argv)
{
    static struct job job;
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    bool is_check = arguments.n_values[CHECK] > 0;
    bool has_target = arguments.positional != NULL || arguments.n_values[CONFIG] > 0;
    if (is_check == has_target) {
        (void)fprintf(stderr, "headrace " VERB ": give a FILE or --config YAML, or --check\n");
        return CLI_USAGE;
    }
    job.n_parts = arguments.n_values[FROM];
    for (size_t i = 0; i < job.n_parts; i++) {
        job.parts[i].path = arguments.values[FROM][i];
    }
    job.findings.max_told = 100;
    struct hr_status status = cli_track_init(&job.track, &job.findings);
    status = hr_is_ok(status) ? check(&job) : status;
    int code = hr_is_ok(status) ? CLI_OK : CLI_FAILED;
    if (code == CLI_OK && !is_check) {
        code = make(&job, &arguments);
    }
    if (code == CLI_OK) {
        (void)printf("%s: log %s, leaves %" PRIu64 " to %" PRIu64 ", %" PRIu64 " records\n",
                     is_check ? "sound" : "rebuilt", job.parts[0].head.origin, job.track.first_leaf,
                     job.track.next_leaf, job.track.n_records);
    }
    cli_track_free(&job.track);
    return code;
}
