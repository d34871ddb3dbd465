/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/rebuild.h"

#include "proto/base/assert.h"

#include <string.h>

/* ---- batches ---- */

struct hr_status cli_rebuild_flush(struct cli_rebuild *rebuild)
{
    if (rebuild->n_batches == 0) {
        return hr_ok();
    }
    const struct ledger_commit change = {.batches = rebuild->batches,
                                         .n_batches = rebuild->n_batches,
                                         .anchors = rebuild->anchors,
                                         .n_anchors = rebuild->n_anchors};
    uint64_t first_leaf = rebuild->batches[0].leaf;
    HR_TRY(rebuild->ledger.commit(rebuild->ledger.ctx, &change));
    bool is_there = rebuild->batches[0].leaf == first_leaf; /* filled in by the commit */
    rebuild->n_batches = 0;
    rebuild->n_anchors = 0;
    rebuild->n_bytes = 0;
    return hr_status_of(is_there ? HR_OK : HR_CORRUPT);
}

static void add_anchors(struct cli_rebuild *rebuild, const struct wire_envelope *parts)
{
    struct agg_controls controls;
    agg_scan(parts, &controls);
    uint32_t index = (uint32_t)rebuild->n_batches;
    for (uint32_t i = 0; i < controls.n_anchors; i++) {
        rebuild->anchors[rebuild->n_anchors++] = (struct ledger_anchor){
            .device_id = parts->header.device_id, .anchor = controls.anchors[i], .batch_index = index};
        rebuild->has_carried =
            rebuild->has_carried && controls.anchors[i].boot_id != rebuild->carried.anchor.boot_id;
    }
    if (rebuild->has_carried) {
        rebuild->carried.batch_index = index;
        rebuild->anchors[rebuild->n_anchors++] = rebuild->carried;
        rebuild->has_carried = false;
    }
}

struct hr_status cli_rebuild_batch(struct cli_rebuild *rebuild, enum cli_frame type, struct hr_bytes body)
{
    if (type == CLI_FRAME_ANCHOR) {
        rebuild->has_carried = cli_get_anchor(body, &rebuild->carried);
        return hr_status_of(rebuild->has_carried ? HR_OK : HR_CORRUPT);
    }
    struct ledger_batch batch;
    struct wire_envelope parts;
    if (type != CLI_FRAME_BATCH) {
        return hr_ok();
    }
    if (!cli_get_batch(body, &batch) || !hr_is_ok(wire_envelope_split(batch.envelope, &parts))) {
        return hr_status_of(HR_CORRUPT);
    }
    if (rebuild->n_batches == CLI_REBUILD_BATCHES ||
        rebuild->n_bytes + batch.envelope.len_bytes > CLI_REBUILD_BYTES) {
        HR_TRY(cli_rebuild_flush(rebuild));
    }
    add_anchors(rebuild, &parts);
    uint8_t *copy = rebuild->bytes + rebuild->n_bytes;
    memcpy(copy, batch.envelope.data, batch.envelope.len_bytes);
    rebuild->n_bytes += batch.envelope.len_bytes;
    batch.envelope = hr_bytes_of(copy, batch.envelope.len_bytes);
    rebuild->batches[rebuild->n_batches++] = batch;
    return hr_ok();
}

/* ---- evidence and state ---- */

struct hr_status cli_rebuild_evidence(struct cli_rebuild *rebuild, enum cli_frame type, struct hr_bytes body)
{
    struct ledger_loss loss;
    struct ledger_conflict conflict;
    if ((type == CLI_FRAME_LOSS && !cli_get_loss(body, &loss)) ||
        (type == CLI_FRAME_CONFLICT && !cli_get_conflict(body, &conflict))) {
        return hr_status_of(HR_CORRUPT);
    }
    const struct ledger_commit change = {.losses = &loss,
                                         .n_losses = type == CLI_FRAME_LOSS ? 1 : 0,
                                         .conflicts = &conflict,
                                         .n_conflicts = type == CLI_FRAME_CONFLICT ? 1 : 0};
    return change.n_losses + change.n_conflicts > 0 ? rebuild->ledger.commit(rebuild->ledger.ctx, &change)
                                                    : hr_ok();
}

struct hr_status cli_rebuild_audit_flush(struct cli_rebuild *rebuild)
{
    const struct ledger_commit change = {.audits = rebuild->audits, .n_audits = rebuild->n_audits};
    rebuild->n_audits = 0;
    return change.n_audits > 0 ? rebuild->ledger.commit(rebuild->ledger.ctx, &change) : hr_ok();
}

struct hr_status cli_rebuild_audit(struct cli_rebuild *rebuild, struct hr_bytes body)
{
    if (rebuild->n_audits == CLI_REBUILD_BATCHES) {
        HR_TRY(cli_rebuild_audit_flush(rebuild));
    }
    bool good = cli_get_audit(body, &rebuild->audits[rebuild->n_audits]);
    rebuild->n_audits += good ? 1 : 0;
    return hr_status_of(good ? HR_OK : HR_CORRUPT);
}

struct hr_status cli_rebuild_enrolled_flush(struct cli_rebuild *rebuild)
{
    const struct ledger_commit change = {.enrolments = rebuild->enrolments,
                                         .n_enrolments = rebuild->n_enrolments,
                                         .certificates = rebuild->certificates,
                                         .n_certificates = rebuild->n_certificates};
    rebuild->n_enrolments = rebuild->n_certificates = 0;
    return change.n_enrolments + change.n_certificates > 0
               ? rebuild->ledger.commit(rebuild->ledger.ctx, &change)
               : hr_ok();
}

struct hr_status cli_rebuild_enrolled(struct cli_rebuild *rebuild, enum cli_frame type, struct hr_bytes body)
{
    bool good = true;
    if (rebuild->n_enrolments == CLI_REBUILD_BATCHES || rebuild->n_certificates == CLI_REBUILD_BATCHES) {
        HR_TRY(cli_rebuild_enrolled_flush(rebuild));
    }
    if (type == CLI_FRAME_ENROLMENT) {
        good = cli_get_enrolment(body, &rebuild->enrolments[rebuild->n_enrolments]);
        rebuild->n_enrolments += good ? 1 : 0;
    } else if (type == CLI_FRAME_CERTIFICATE) {
        good = cli_get_certificate(body, &rebuild->certificates[rebuild->n_certificates]);
        rebuild->n_certificates += good ? 1 : 0;
    }
    return hr_status_of(good ? HR_OK : HR_CORRUPT);
}

struct hr_status cli_rebuild_state(struct cli_rebuild *rebuild, const struct cli_track *track)
{
    struct ledger *ledger = &rebuild->ledger;
    for (size_t at = 0; at < track->n_devices; at += CLI_REBUILD_BATCHES) {
        size_t left = track->n_devices - at;
        const struct ledger_commit change = {.devices = track->devices + at,
                                             .n_devices =
                                                 left < CLI_REBUILD_BATCHES ? left : CLI_REBUILD_BATCHES};
        HR_TRY(ledger->commit(ledger->ctx, &change));
    }
    for (size_t at = 0; at < track->n_keys; at += CLI_REBUILD_BATCHES) {
        size_t left = track->n_keys - at;
        const struct ledger_commit change = {.old_keys = track->keys + at,
                                             .n_old_keys =
                                                 left < CLI_REBUILD_BATCHES ? left : CLI_REBUILD_BATCHES};
        HR_TRY(ledger->commit(ledger->ctx, &change));
    }
    for (size_t at = 0; at < track->n_streams;) {
        struct ledger_stream rows[CLI_REBUILD_BATCHES];
        struct ledger_commit change = {.streams = rows};
        for (; at < track->n_streams && change.n_streams < CLI_REBUILD_BATCHES; at++) {
            rows[change.n_streams++] = cli_track_state(&track->streams[at]);
        }
        HR_TRY(ledger->commit(ledger->ctx, &change));
    }
    return hr_ok();
}

/* ---- the feed ledger ---- */

static struct feed_change change_of(const struct cli_rebuild *rebuild)
{
    return (struct feed_change){.sink = rebuild->sink.sink,
                                .from_leaf = rebuild->sink.next_leaf,
                                .next_leaf = rebuild->sink.next_leaf};
}

static struct hr_status write_change(struct cli_rebuild *rebuild, const struct feed_change *change)
{
    return rebuild->ledger.feeds->write(rebuild->ledger.ctx, change);
}

struct hr_status cli_rebuild_feed_flush(struct cli_rebuild *rebuild)
{
    struct feed_change change = change_of(rebuild);
    change.entries = rebuild->entries;
    change.n_entries = rebuild->n_entries;
    change.positions = rebuild->positions;
    change.n_positions = rebuild->n_positions;
    rebuild->n_entries = 0;
    rebuild->n_positions = 0;
    return change.n_entries > 0 ? write_change(rebuild, &change) : hr_ok();
}

static struct hr_status take_entry(struct cli_rebuild *rebuild, struct hr_bytes body)
{
    if (rebuild->n_entries == CLI_REBUILD_ENTRIES ||
        rebuild->n_positions > CLI_REBUILD_POSITIONS - CLI_REBUILD_POSITIONS / 4) {
        HR_TRY(cli_rebuild_feed_flush(rebuild));
    }
    bool good = cli_get_entry(body, &rebuild->entries[rebuild->n_entries]);
    rebuild->n_entries += good ? 1 : 0;
    return hr_status_of(good ? HR_OK : HR_CORRUPT);
}

static struct hr_status take_position(struct cli_rebuild *rebuild, struct hr_bytes body)
{
    if (rebuild->n_entries == 0 || rebuild->n_positions == CLI_REBUILD_POSITIONS ||
        !cli_get_position(body, &rebuild->positions[rebuild->n_positions])) {
        return hr_status_of(HR_CORRUPT);
    }
    rebuild->positions[rebuild->n_positions++].entry = (uint32_t)rebuild->n_entries - 1;
    return hr_ok();
}

static struct hr_status take_other(struct cli_rebuild *rebuild, enum cli_frame type, struct hr_bytes body)
{
    struct feed_version version;
    struct feed_replay replay;
    struct feed_span span;
    struct feed_facts facts;
    struct feed_change change = change_of(rebuild);
    bool good = true;
    HR_TRY(cli_rebuild_feed_flush(rebuild));
    if (type == CLI_FRAME_FEED_VERSION) {
        good = cli_get_version(body, &version);
        change.normalizers = version.normalizers;
        change.normalizers_from = version.from_leaf;
    } else if (type == CLI_FRAME_FEED_REPLAY) {
        good = cli_get_replay(body, &replay);
        change.replay = &replay;
    } else if (type == CLI_FRAME_FEED_FACTS) {
        good = cli_get_facts(body, &facts);
        change.facts = &facts;
        change.n_facts = 1;
    } else {
        good = cli_get_span(body, &span);
        change.spans = &span;
        change.n_spans = good && span.first_leaf + span.n_leaves > rebuild->first_leaf ? 1 : 0;
    }
    return good ? write_change(rebuild, &change) : hr_status_of(HR_CORRUPT);
}

struct hr_status cli_rebuild_feed(struct cli_rebuild *rebuild, enum cli_frame type, struct hr_bytes body)
{
    if (type == CLI_FRAME_FEED_HEAD) {
        HR_TRY(rebuild->has_sink ? cli_rebuild_feed_flush(rebuild) : hr_ok());
        rebuild->has_sink = cli_get_feed_head(body, &rebuild->sink);
        const struct feed_change change = change_of(rebuild);
        return rebuild->has_sink ? write_change(rebuild, &change) : hr_status_of(HR_CORRUPT);
    }
    bool is_feed = type == CLI_FRAME_FEED_ENTRY || type == CLI_FRAME_FEED_POSITION ||
                   type == CLI_FRAME_FEED_VERSION || type == CLI_FRAME_FEED_REPLAY ||
                   type == CLI_FRAME_FEED_SPAN || type == CLI_FRAME_FEED_FACTS;
    if (!is_feed) {
        return hr_ok();
    }
    if (!rebuild->has_sink) {
        return hr_status_of(HR_CORRUPT);
    }
    return type == CLI_FRAME_FEED_ENTRY      ? take_entry(rebuild, body)
           : type == CLI_FRAME_FEED_POSITION ? take_position(rebuild, body)
                                             : take_other(rebuild, type, body);
}
