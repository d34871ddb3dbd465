/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/internal.h"
#include "proto/base/failpoint.h"

static const char *const write_sql[N_WRITES] = {
    [WRITE_BEGIN] = "BEGIN IMMEDIATE",
    [WRITE_COMMIT] = "COMMIT",
    [WRITE_ROLLBACK] = "ROLLBACK",
    [WRITE_HEAD] = "UPDATE log_head SET size = size + ?1 WHERE writer_epoch = ?2 RETURNING size",
    [WRITE_BATCH] = "INSERT INTO batch (leaf, device, stream, seq, received_ms, digest, envelope)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [WRITE_STREAM] =
        "INSERT OR REPLACE INTO stream_state (device, stream, cum_seq, cum_digest, next_record_seq,"
        " key_epoch, boot_id, lost_batches, lost_records) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [WRITE_DEVICE] =
        "INSERT OR REPLACE INTO device (device, name, tenant, state, revision, reason, wants_key, cut,"
        " cut_stream, cut_seq, bundle, wants_transport)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [WRITE_KEY] =
        "INSERT OR REPLACE INTO device_key (device, epoch, spki, from_stream, from_seq, to_stream, to_seq,"
        " revoked, since_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [WRITE_CONFLICT] = "INSERT INTO conflict (device, stream, seq, kind, received_ms, known_digest, envelope)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [WRITE_LOSS] = "INSERT INTO loss (device, stream, from_seq, to_seq, first_record_seq, n_records, reason,"
                   " last_digest, envelope) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [WRITE_ANCHOR] =
        "INSERT OR REPLACE INTO anchor (device, boot_id, leaf, uptime_ms, utc_ms, err_ms, source)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [WRITE_AUDIT] =
        "INSERT INTO audit (device, at_ms, actor, action, old_state, new_state, revision, old_key,"
        " new_key, reason, is_suspect, from_stream, from_seq, to_stream, to_seq, leaf)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    [WRITE_ENROLMENT] =
        "INSERT INTO enrolment (device, serial, site, nonce, epoch, first_stream, spki, certificate)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (device) DO UPDATE SET (serial, site, nonce,"
        " epoch, first_stream, spki, certificate) = (excluded.serial, excluded.site, excluded.nonce,"
        " excluded.epoch, excluded.first_stream, excluded.spki, excluded.certificate)",
    [WRITE_CERTIFICATE] =
        "INSERT INTO certificate (device, number, key, certificate, issued_ms, used_ms, ends_ms, barred)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (device, number) DO UPDATE SET (used_ms,"
        " ends_ms, barred) = (excluded.used_ms, excluded.ends_ms, excluded.barred)",
    [WRITE_HINT] = "INSERT OR REPLACE INTO hint (sink, next_leaf) VALUES (?1, ?2)",
    [WRITE_FIND_DIGEST] = "SELECT digest FROM batch WHERE device = ?1 AND stream = ?2 AND seq = ?3",
    [WRITE_FIND_COVERED] = "SELECT 1 FROM stream_state, log_head WHERE device = ?1 AND stream = ?2"
                           " AND cum_seq >= ?3 AND cum_seq != 4294967295 AND log_head.first_leaf > 0",
    [WRITE_FEED_HEAD_FIND] = "SELECT next_leaf FROM feed_head WHERE sink = ?1",
    [WRITE_FEED_HEAD] = "INSERT OR REPLACE INTO feed_head (sink, next_leaf) VALUES (?1, ?2)",
    [WRITE_FEED_VERSION] =
        "INSERT OR REPLACE INTO feed_version (sink, from_leaf, normalizers) VALUES (?1, ?2, ?3)",
    [WRITE_FEED_ENTRY] =
        "INSERT OR REPLACE INTO feed_entry (sink, feed, partition, first_leaf, last_leaf, from_ms, to_ms,"
        " content, state, revision, n_batches, n_records, n_events, n_late, n_revised, n_placed, "
        "watermark_ms)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    [WRITE_FEED_POSITION] =
        "INSERT INTO feed_position (sink, feed, partition, first_leaf, sink_partition, first_offset,"
        " last_offset) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET"
        " first_offset = min(first_offset, excluded.first_offset),"
        " last_offset = max(last_offset, excluded.last_offset)",
    [WRITE_FEED_SPAN] = "INSERT INTO feed_span (sink, first_leaf, n_leaves, notes) VALUES (?1, ?2, ?3, ?4)"
                        " ON CONFLICT DO UPDATE SET notes = excluded.notes",
    [WRITE_FEED_FACTS] = "INSERT INTO feed_facts (sink, family, hour, leaf, end_ms, facts)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
    [WRITE_FEED_REPLAY] =
        "INSERT OR REPLACE INTO feed_replay (id, sink, feed, from_ms, to_ms, dry_run, state, asked_ms,"
        " first_leaf, next_leaf, end_leaf, n_events, n_changed, normalizers, reason)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [WRITE_REPLAY_ID] = "SELECT coalesce(max(id), 0) + 1 FROM feed_replay",
    [WRITE_REPLAYS_OPEN] = "SELECT count(*) FROM feed_replay WHERE state < 2",
    [WRITE_PRUNE_FIND] = "SELECT leaf, received_ms FROM batch WHERE leaf >= (SELECT first_leaf FROM log_head)"
                         " ORDER BY leaf",
    [WRITE_PRUNE_HEAD] = "UPDATE log_head SET first_leaf = ?1",
    [WRITE_PRUNE_ANCHORS] =
        "DELETE FROM anchor WHERE (device, boot_id, leaf) IN (SELECT old.device, old.boot_id, old.leaf"
        " FROM anchor AS new JOIN anchor AS old ON old.device = new.device AND old.boot_id = new.boot_id"
        " AND old.leaf < new.leaf WHERE new.leaf > ?1 AND new.leaf <= ?2)",
    [WRITE_PRUNE_BATCHES] = "DELETE FROM batch WHERE leaf < ?1",
    [WRITE_PRUNE_SPANS] = "DELETE FROM feed_span WHERE first_leaf < ?1 AND first_leaf + n_leaves <= ?1",
    [WRITE_PRUNE_FACTS] = "DELETE FROM feed_facts WHERE id IN (SELECT id FROM feed_facts WHERE end_ms <"
                          " (SELECT received_ms FROM batch WHERE leaf = ?1) - ?2 ORDER BY end_ms LIMIT ?3)",
    [WRITE_COUNT_PAGES] = "PRAGMA page_count",
    [WRITE_COUNT_FREE] = "PRAGMA freelist_count",
};

struct hr_status ledger_prepare_writes(struct ledger_sqlite *ledger)
{
    for (int i = 0; i < N_WRITES; i++) {
        HR_TRY(ledger_prepare(ledger, ledger->writer, write_sql[i], &ledger->writes[i]));
    }
    return ledger_measure(ledger);
}

static struct hr_status write_batches(struct ledger_sqlite *ledger, const struct ledger_commit *change,
                                      uint64_t first_leaf)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_BATCH];
    for (size_t i = 0; i < change->n_batches; i++) {
        const struct ledger_batch *batch = &change->batches[i];
        ledger_bind_u64(statement, 1, first_leaf + i);
        ledger_bind_u64(statement, 2, batch->device_id);
        ledger_bind_u64(statement, 3, batch->stream);
        ledger_bind_u64(statement, 4, batch->seq);
        ledger_bind_u64(statement, 5, (uint64_t)batch->received_utc_ms);
        ledger_bind_bytes(statement, 6, hr_bytes_of(batch->digest, WIRE_DIGEST_BYTES));
        ledger_bind_bytes(statement, 7, batch->envelope);
        HR_TRY(ledger_run(ledger, statement, "inserting a batch"));
    }
    return hr_ok();
}

static struct hr_status write_streams(struct ledger_sqlite *ledger, const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_STREAM];
    for (size_t i = 0; i < change->n_streams; i++) {
        const struct ledger_stream *stream = &change->streams[i];
        ledger_bind_u64(statement, 1, stream->device_id);
        ledger_bind_u64(statement, 2, stream->stream);
        ledger_bind_u64(statement, 3, stream->cum_seq);
        ledger_bind_bytes(statement, 4, hr_bytes_of(stream->cum_digest, WIRE_DIGEST_BYTES));
        ledger_bind_u64(statement, 5, stream->next_record_seq);
        ledger_bind_u64(statement, 6, stream->key_epoch);
        ledger_bind_u64(statement, 7, stream->boot_id);
        ledger_bind_u64(statement, 8, stream->lost_batches);
        ledger_bind_u64(statement, 9, stream->lost_records);
        HR_TRY(ledger_run(ledger, statement, "storing a stream"));
    }
    return hr_ok();
}

static struct hr_status write_key(struct ledger_sqlite *ledger, uint64_t device_id,
                                  const struct ledger_key *key)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_KEY];
    ledger_bind_u64(statement, 1, device_id);
    ledger_bind_u64(statement, 2, key->epoch);
    ledger_bind_bytes(statement, 3, hr_bytes_of(key->spki, key->spki_len_bytes));
    ledger_bind_u64(statement, 4, key->from_stream);
    ledger_bind_u64(statement, 5, key->from_seq);
    ledger_bind_u64(statement, 6, key->to_stream);
    ledger_bind_u64(statement, 7, key->to_seq);
    ledger_bind_u64(statement, 8, key->revoked ? 1 : 0);
    ledger_bind_u64(statement, 9, (uint64_t)key->since_utc_ms);
    return ledger_run(ledger, statement, "storing a key");
}

static struct hr_status write_old_keys(struct ledger_sqlite *ledger, const struct ledger_commit *change)
{
    for (size_t i = 0; i < change->n_old_keys; i++) {
        HR_TRY(write_key(ledger, change->old_keys[i].device_id, &change->old_keys[i].key));
    }
    return hr_ok();
}

static struct hr_status write_devices(struct ledger_sqlite *ledger, const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_DEVICE];
    for (size_t i = 0; i < change->n_devices; i++) {
        const struct ledger_device *device = &change->devices[i];
        ledger_bind_u64(statement, 1, device->device_id);
        ledger_bind_text(statement, 2, device->name);
        ledger_bind_text(statement, 3, device->tenant);
        ledger_bind_u64(statement, 4, (uint64_t)device->state);
        ledger_bind_u64(statement, 5, device->revision);
        ledger_bind_text(statement, 6, device->reason);
        ledger_bind_u64(statement, 7, device->wants_key ? 1 : 0);
        ledger_bind_u64(statement, 8, (uint64_t)device->cut);
        ledger_bind_u64(statement, 9, device->cut_stream);
        ledger_bind_u64(statement, 10, device->cut_seq);
        ledger_bind_u64(statement, 11, device->bundle);
        ledger_bind_u64(statement, 12, (uint64_t)device->wants_transport);
        HR_TRY(ledger_run(ledger, statement, "storing a device"));
        for (size_t key = 0; key < device->n_keys; key++) {
            HR_TRY(write_key(ledger, device->device_id, &device->keys[key]));
        }
    }
    return hr_ok();
}

static struct hr_status write_conflicts(struct ledger_sqlite *ledger, const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_CONFLICT];
    for (size_t i = 0; i < change->n_conflicts; i++) {
        const struct ledger_conflict *conflict = &change->conflicts[i];
        ledger_bind_u64(statement, 1, conflict->device_id);
        ledger_bind_u64(statement, 2, conflict->stream);
        ledger_bind_u64(statement, 3, conflict->seq);
        ledger_bind_text(statement, 4, conflict->kind);
        ledger_bind_u64(statement, 5, (uint64_t)conflict->received_utc_ms);
        ledger_bind_bytes(statement, 6, hr_bytes_of(conflict->known_digest, WIRE_DIGEST_BYTES));
        ledger_bind_bytes(statement, 7, conflict->envelope);
        HR_TRY(ledger_run(ledger, statement, "storing a conflict"));
    }
    return hr_ok();
}

static struct hr_status write_losses(struct ledger_sqlite *ledger, const struct ledger_commit *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_LOSS];
    for (size_t i = 0; i < change->n_losses; i++) {
        const struct ledger_loss *row = &change->losses[i];
        ledger_bind_u64(statement, 1, row->device_id);
        ledger_bind_u64(statement, 2, row->stream);
        ledger_bind_u64(statement, 3, row->loss.from_seq);
        ledger_bind_u64(statement, 4, row->loss.to_seq);
        ledger_bind_u64(statement, 5, row->loss.first_record_seq);
        ledger_bind_u64(statement, 6, row->loss.n_records);
        ledger_bind_u64(statement, 7, row->loss.reason);
        ledger_bind_bytes(statement, 8, hr_bytes_of(row->loss.last_digest, WIRE_DIGEST_BYTES));
        ledger_bind_bytes(statement, 9, row->envelope);
        HR_TRY(ledger_run(ledger, statement, "storing a loss"));
    }
    return hr_ok();
}

static struct hr_status write_anchors(struct ledger_sqlite *ledger, const struct ledger_commit *change,
                                      uint64_t first_leaf)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_ANCHOR];
    for (size_t i = 0; i < change->n_anchors; i++) {
        const struct ledger_anchor *row = &change->anchors[i];
        HR_ASSERT(row->batch_index < change->n_batches);
        ledger_bind_u64(statement, 1, row->device_id);
        ledger_bind_u64(statement, 2, row->anchor.boot_id);
        ledger_bind_u64(statement, 3, first_leaf + row->batch_index);
        ledger_bind_u64(statement, 4, row->anchor.uptime_ms);
        ledger_bind_u64(statement, 5, row->anchor.utc_ms);
        ledger_bind_u64(statement, 6, row->anchor.err_ms);
        ledger_bind_u64(statement, 7, row->anchor.source);
        HR_TRY(ledger_run(ledger, statement, "storing a time anchor"));
    }
    return hr_ok();
}

static struct hr_status write_hints(struct ledger_sqlite *ledger)
{
    struct ledger_hint hints[LEDGER_MAX_SINKS];
    uint32_t n_hints = ledger_hints_take(&ledger->hints, hints);
    for (uint32_t i = 0; i < n_hints; i++) {
        ledger_bind_text(ledger->writes[WRITE_HINT], 1, hints[i].sink);
        ledger_bind_u64(ledger->writes[WRITE_HINT], 2, hints[i].next_leaf);
        HR_TRY(ledger_run(ledger, ledger->writes[WRITE_HINT], "storing a hint"));
    }
    return hr_ok();
}

static struct hr_status write_change(struct ledger_sqlite *ledger, const struct ledger_commit *change,
                                     uint64_t *first_leaf)
{
    HR_TRY(ledger_advance_head(ledger, change->n_batches, first_leaf));
    HR_TRY(write_batches(ledger, change, *first_leaf));
    HR_TRY(write_streams(ledger, change));
    HR_TRY(write_old_keys(ledger, change));
    HR_TRY(write_devices(ledger, change));
    HR_TRY(write_conflicts(ledger, change));
    HR_TRY(write_losses(ledger, change));
    HR_TRY(write_anchors(ledger, change, *first_leaf));
    HR_TRY(ledger_write_audits(ledger, change, *first_leaf + change->n_batches));
    HR_TRY(ledger_write_enrolments(ledger, change));
    HR_TRY(ledger_write_certificates(ledger, change));
    return write_hints(ledger);
}

struct commit_body {
    const struct ledger_commit *change;
    uint64_t first_leaf;
};

static struct hr_status write_body(struct ledger_sqlite *ledger, void *ctx)
{
    struct commit_body *body = ctx;
    if (body->change->n_batches > 0 && ledger_why_full(ledger) != NULL) {
        return hr_status_of(HR_FULL);
    }
    HR_TRY(write_change(ledger, body->change, &body->first_leaf));
    HR_FAILPOINT("ledger_changed");
    return hr_ok();
}

static void settle(struct ledger_sqlite *ledger, void *ctx)
{
    const struct commit_body *body = ctx;
    for (size_t i = 0; i < body->change->n_batches; i++) {
        body->change->batches[i].leaf = body->first_leaf + i;
    }
    atomic_store(&ledger->n_leaves, body->first_leaf + body->change->n_batches);
}

struct hr_status ledger_commit_change(void *ctx, const struct ledger_commit *change)
{
    HR_ASSERT(change->n_batches <= LEDGER_COMMIT_MAX_BATCHES);
    struct commit_body body = {.change = change};
    return ledger_transact(ctx, write_body, settle, &body);
}

struct hr_status ledger_set_hint(void *ctx, const char *sink, uint64_t next_leaf)
{
    struct ledger_sqlite *ledger = ctx;
    if (ledger->writer == NULL) {
        return hr_status_of(HR_DENIED);
    }
    return ledger_hints_set(&ledger->hints, sink, next_leaf);
}

struct hr_status ledger_flush_hints(struct ledger_sqlite *ledger)
{
    struct ledger_commit nothing = {.n_batches = 0};
    return ledger_commit_change(ledger, &nothing);
}
