/* SPDX-License-Identifier: Apache-2.0
 *
 * One transaction as statements of one pipeline, so that it costs one round trip. Batches and streams travel
 * as arrays, one statement for all of them; what is rare has a statement a row. */
#include "aggregator/ledger/postgres/internal.h"

#include "proto/base/cursor.h"

#include <stdlib.h>

enum { OID_INT8 = 20, OID_BYTEA = 17, ARRAY_HEADER_BYTES = 20, MAX_ARRAYS = 9 };

static const struct ledger_pg_statement statements[] = {
    {"begin", "BEGIN"},
    {"commit", "COMMIT"},
    {"advance", "SELECT advance_head($1, $2, $3)"},
    {"batch", "INSERT INTO batch (leaf, device, stream, seq, received_ms, digest, envelope)"
              " SELECT $1 + i - 1, device, stream, seq, received_ms, digest, envelope"
              " FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[])"
              " WITH ORDINALITY AS t(device, stream, seq, received_ms, digest, envelope, i)"},
    /* The last row wins, should a stream come twice. */
    {"stream",
     "INSERT INTO stream_state AS s (device, stream, cum_seq, cum_digest, next_record_seq, key_epoch,"
     " boot_id, lost_batches, lost_records)"
     " SELECT DISTINCT ON (device, stream) device, stream, cum_seq, cum_digest, next_record_seq,"
     " key_epoch, boot_id, lost_batches, lost_records"
     " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[],"
     " $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])"
     " WITH ORDINALITY AS t(device, stream, cum_seq, cum_digest, next_record_seq, key_epoch, boot_id,"
     " lost_batches, lost_records, i) ORDER BY device, stream, i DESC"
     " ON CONFLICT (device, stream) DO UPDATE SET (cum_seq, cum_digest, next_record_seq, key_epoch,"
     " boot_id, lost_batches, lost_records) = (excluded.cum_seq, excluded.cum_digest,"
     " excluded.next_record_seq, excluded.key_epoch, excluded.boot_id, excluded.lost_batches,"
     " excluded.lost_records)"},
    {"device",
     "INSERT INTO device (device, name, tenant, state, revision, reason, wants_key, cut, cut_stream, cut_seq,"
     " bundle, wants_transport) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
     "ON CONFLICT (device)"
     " DO UPDATE SET (name, tenant, state, revision, reason, wants_key, cut, cut_stream, cut_seq,"
     " bundle, wants_transport) = (excluded.name, excluded.tenant, excluded.state, "
     "excluded.revision,"
     " excluded.reason, excluded.wants_key, excluded.cut, excluded.cut_stream, excluded.cut_seq,"
     " excluded.bundle, excluded.wants_transport)"},
    {"key", "INSERT INTO device_key (device, epoch, spki, from_stream, from_seq, to_stream, to_seq, revoked,"
            " since_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (device, epoch) DO UPDATE"
            " SET (spki, from_stream, from_seq, to_stream, to_seq, revoked, since_ms) = (excluded.spki,"
            " excluded.from_stream, excluded.from_seq, excluded.to_stream, excluded.to_seq,"
            " excluded.revoked, excluded.since_ms)"},
    {"conflict", "INSERT INTO conflict (device, stream, seq, kind, received_ms, known_digest, envelope)"
                 " VALUES ($1, $2, $3, $4, $5, $6, $7)"},
    {"loss", "INSERT INTO loss (device, stream, from_seq, to_seq, first_record_seq, n_records, reason,"
             " last_digest, envelope) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"},
    {"anchor", "INSERT INTO anchor (device, boot_id, leaf, uptime_ms, utc_ms, err_ms, source)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (device, boot_id, leaf) DO UPDATE SET"
               " (uptime_ms, utc_ms, err_ms, source) = (excluded.uptime_ms, excluded.utc_ms, excluded.err_ms,"
               " excluded.source)"},
    {"audit", "INSERT INTO audit (device, at_ms, actor, action, old_state, new_state, revision, old_key,"
              " new_key, reason, is_suspect, from_stream, from_seq, to_stream, to_seq, leaf)"
              " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"},
    {"enrolment",
     "INSERT INTO enrolment (device, serial, site, nonce, epoch, first_stream, spki, certificate)"
     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (device) DO UPDATE SET (serial, site, nonce,"
     " epoch, first_stream, spki, certificate) = (excluded.serial, excluded.site, excluded.nonce,"
     " excluded.epoch, excluded.first_stream, excluded.spki, excluded.certificate)"},
    {"certificate",
     "INSERT INTO certificate (device, number, key, certificate, issued_ms, used_ms, ends_ms, barred)"
     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (device, number) DO UPDATE SET (used_ms, ends_ms,"
     " barred) = (excluded.used_ms, excluded.ends_ms, excluded.barred)"},
    {"hint", "INSERT INTO hint (sink, next_leaf) VALUES ($1, $2)"
             " ON CONFLICT (sink) DO UPDATE SET next_leaf = excluded.next_leaf"},
};

const struct ledger_pg_statement *ledger_pg_statements(size_t *n)
{
    *n = HR_ARRAY_LEN(statements);
    return statements;
}

/* ---- arrays ---- */

/* Binary arrays of one dimension, one behind the other in ledger->arrays. */
struct arrays {
    struct hr_writer writer;
    size_t begin_bytes;
};

static void begin_array(struct arrays *arrays, uint32_t oid, size_t n)
{
    arrays->begin_bytes = arrays->writer.at;
    hr_write_u32(&arrays->writer, 1); /* dimensions */
    hr_write_u32(&arrays->writer, 0); /* no NULL among them */
    hr_write_u32(&arrays->writer, oid);
    hr_write_u32(&arrays->writer, (uint32_t)n);
    hr_write_u32(&arrays->writer, 1); /* the first index */
}

static void add_u64(struct arrays *arrays, uint64_t value)
{
    hr_write_u32(&arrays->writer, sizeof value);
    hr_write_u64(&arrays->writer, value);
}

static void add_bytes(struct arrays *arrays, struct hr_bytes bytes)
{
    hr_write_u32(&arrays->writer, (uint32_t)bytes.len_bytes);
    hr_write_raw(&arrays->writer, bytes.data, bytes.len_bytes);
}

static void end_array(const struct arrays *arrays, struct ledger_pg_params *params)
{
    ledger_pg_put_bytes(params, hr_bytes_of(arrays->writer.data + arrays->begin_bytes,
                                            arrays->writer.at - arrays->begin_bytes));
}

/* Room for MAX_ARRAYS arrays of n elements with so many bytes of content. HR_IO: no memory. */
static struct hr_status reserve(struct ledger_postgres *ledger, size_t n, size_t content_bytes,
                                struct arrays *out)
{
    size_t needed =
        MAX_ARRAYS * (ARRAY_HEADER_BYTES + n * (sizeof(uint32_t) + sizeof(uint64_t))) + content_bytes;
    if (needed > ledger->arrays_capacity_bytes) {
        uint8_t *grown = realloc(ledger->arrays, needed);
        if (grown == NULL) {
            ledger_say(&ledger->report, "no memory for a commit of %zu bytes", needed);
            return hr_status_of(HR_IO);
        }
        ledger->arrays = grown;
        ledger->arrays_capacity_bytes = needed;
    }
    *out = (struct arrays){.writer = hr_writer_over(ledger->arrays, ledger->arrays_capacity_bytes)};
    return hr_ok();
}

/* One array of a u64 member of each element. */
#define PUT_NUMBERS(arrays, params, rows, n, member)                                                         \
    do {                                                                                                     \
        begin_array(arrays, OID_INT8, n);                                                                    \
        for (size_t row_ = 0; row_ < (n); row_++) {                                                          \
            add_u64(arrays, (uint64_t)(rows)[row_].member);                                                  \
        }                                                                                                    \
        end_array(arrays, params);                                                                           \
    } while (0)

#define PUT_DIGESTS(arrays, params, rows, n, member)                                                         \
    do {                                                                                                     \
        begin_array(arrays, OID_BYTEA, n);                                                                   \
        for (size_t row_ = 0; row_ < (n); row_++) {                                                          \
            add_bytes(arrays, hr_bytes_of((rows)[row_].member, WIRE_DIGEST_BYTES));                          \
        }                                                                                                    \
        end_array(arrays, params);                                                                           \
    } while (0)

/* ---- the parts of a change ---- */

static struct hr_status send_batches(struct ledger_postgres *ledger, struct ledger_pg_pipeline *pipeline,
                                     const struct ledger_commit *change, uint64_t first_leaf)
{
    const struct ledger_batch *rows = change->batches;
    size_t n = change->n_batches;
    size_t content_bytes = n * WIRE_DIGEST_BYTES;
    for (size_t i = 0; i < n; i++) {
        content_bytes += rows[i].envelope.len_bytes;
    }
    struct arrays arrays;
    HR_TRY(reserve(ledger, n, content_bytes, &arrays));
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, first_leaf);
    PUT_NUMBERS(&arrays, &params, rows, n, device_id);
    PUT_NUMBERS(&arrays, &params, rows, n, stream);
    PUT_NUMBERS(&arrays, &params, rows, n, seq);
    PUT_NUMBERS(&arrays, &params, rows, n, received_utc_ms);
    PUT_DIGESTS(&arrays, &params, rows, n, digest);
    begin_array(&arrays, OID_BYTEA, n);
    for (size_t i = 0; i < n; i++) {
        add_bytes(&arrays, rows[i].envelope);
    }
    end_array(&arrays, &params);
    HR_ASSERT(hr_writer_ok(&arrays.writer));
    ledger_pg_pipeline_send(pipeline, "batch", &params);
    return hr_ok();
}

static struct hr_status send_streams(struct ledger_postgres *ledger, struct ledger_pg_pipeline *pipeline,
                                     const struct ledger_commit *change)
{
    const struct ledger_stream *rows = change->streams;
    size_t n = change->n_streams;
    struct arrays arrays;
    HR_TRY(reserve(ledger, n, n * WIRE_DIGEST_BYTES, &arrays));
    struct ledger_pg_params params = {.n = 0};
    PUT_NUMBERS(&arrays, &params, rows, n, device_id);
    PUT_NUMBERS(&arrays, &params, rows, n, stream);
    PUT_NUMBERS(&arrays, &params, rows, n, cum_seq);
    PUT_DIGESTS(&arrays, &params, rows, n, cum_digest);
    PUT_NUMBERS(&arrays, &params, rows, n, next_record_seq);
    PUT_NUMBERS(&arrays, &params, rows, n, key_epoch);
    PUT_NUMBERS(&arrays, &params, rows, n, boot_id);
    PUT_NUMBERS(&arrays, &params, rows, n, lost_batches);
    PUT_NUMBERS(&arrays, &params, rows, n, lost_records);
    HR_ASSERT(hr_writer_ok(&arrays.writer));
    ledger_pg_pipeline_send(pipeline, "stream", &params);
    return hr_ok();
}

static void send_key(struct ledger_pg_pipeline *pipeline, uint64_t device_id, const struct ledger_key *key)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, device_id);
    ledger_pg_put_u64(&params, key->epoch);
    ledger_pg_put_bytes(&params, hr_bytes_of(key->spki, key->spki_len_bytes));
    ledger_pg_put_u64(&params, key->from_stream);
    ledger_pg_put_u64(&params, key->from_seq);
    ledger_pg_put_u64(&params, key->to_stream);
    ledger_pg_put_u64(&params, key->to_seq);
    ledger_pg_put_u64(&params, key->revoked ? 1 : 0);
    ledger_pg_put_u64(&params, (uint64_t)key->since_utc_ms);
    ledger_pg_pipeline_send(pipeline, "key", &params);
}

static void send_device(struct ledger_pg_pipeline *pipeline, const struct ledger_device *device)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, device->device_id);
    ledger_pg_put_text(&params, device->name);
    ledger_pg_put_text(&params, device->tenant);
    ledger_pg_put_u64(&params, (uint64_t)device->state);
    ledger_pg_put_u64(&params, device->revision);
    ledger_pg_put_text(&params, device->reason);
    ledger_pg_put_u64(&params, device->wants_key ? 1 : 0);
    ledger_pg_put_u64(&params, (uint64_t)device->cut);
    ledger_pg_put_u64(&params, device->cut_stream);
    ledger_pg_put_u64(&params, device->cut_seq);
    ledger_pg_put_u64(&params, device->bundle);
    ledger_pg_put_u64(&params, (uint64_t)device->wants_transport);
    ledger_pg_pipeline_send(pipeline, "device", &params);
    for (size_t i = 0; i < device->n_keys; i++) {
        send_key(pipeline, device->device_id, &device->keys[i]);
    }
}

static void send_conflict(struct ledger_pg_pipeline *pipeline, const struct ledger_conflict *conflict)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, conflict->device_id);
    ledger_pg_put_u64(&params, conflict->stream);
    ledger_pg_put_u64(&params, conflict->seq);
    ledger_pg_put_text(&params, conflict->kind);
    ledger_pg_put_u64(&params, (uint64_t)conflict->received_utc_ms);
    ledger_pg_put_bytes(&params, hr_bytes_of(conflict->known_digest, WIRE_DIGEST_BYTES));
    ledger_pg_put_bytes(&params, conflict->envelope);
    ledger_pg_pipeline_send(pipeline, "conflict", &params);
}

static void send_loss(struct ledger_pg_pipeline *pipeline, const struct ledger_loss *row)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, row->device_id);
    ledger_pg_put_u64(&params, row->stream);
    ledger_pg_put_u64(&params, row->loss.from_seq);
    ledger_pg_put_u64(&params, row->loss.to_seq);
    ledger_pg_put_u64(&params, row->loss.first_record_seq);
    ledger_pg_put_u64(&params, row->loss.n_records);
    ledger_pg_put_u64(&params, row->loss.reason);
    ledger_pg_put_bytes(&params, hr_bytes_of(row->loss.last_digest, WIRE_DIGEST_BYTES));
    ledger_pg_put_bytes(&params, row->envelope);
    ledger_pg_pipeline_send(pipeline, "loss", &params);
}

static void send_anchor(struct ledger_pg_pipeline *pipeline, const struct ledger_anchor *row, uint64_t leaf)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, row->device_id);
    ledger_pg_put_u64(&params, row->anchor.boot_id);
    ledger_pg_put_u64(&params, leaf);
    ledger_pg_put_u64(&params, row->anchor.uptime_ms);
    ledger_pg_put_u64(&params, row->anchor.utc_ms);
    ledger_pg_put_u64(&params, row->anchor.err_ms);
    ledger_pg_put_u64(&params, row->anchor.source);
    ledger_pg_pipeline_send(pipeline, "anchor", &params);
}

static void send_audit(struct ledger_pg_pipeline *pipeline, const struct ledger_audit *row, uint64_t n_leaves)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, row->device_id);
    ledger_pg_put_u64(&params, (uint64_t)row->at_utc_ms);
    ledger_pg_put_text(&params, row->actor);
    ledger_pg_put_text(&params, row->action);
    ledger_pg_put_u64(&params, row->is_first ? UINT64_MAX : (uint64_t)row->old_state); /* -1 */
    ledger_pg_put_u64(&params, (uint64_t)row->new_state);
    ledger_pg_put_u64(&params, row->revision);
    ledger_pg_put_bytes(&params, hr_bytes_of(row->old_key, sizeof row->old_key));
    ledger_pg_put_bytes(&params, hr_bytes_of(row->new_key, sizeof row->new_key));
    ledger_pg_put_text(&params, row->reason);
    ledger_pg_put_u64(&params, row->is_suspect ? 1 : 0);
    ledger_pg_put_u64(&params, row->suspect.from_stream);
    ledger_pg_put_u64(&params, row->suspect.from_seq);
    ledger_pg_put_u64(&params, row->suspect.to_stream);
    ledger_pg_put_u64(&params, row->suspect.to_seq);
    ledger_pg_put_u64(&params, row->has_leaf ? row->leaf : n_leaves);
    ledger_pg_pipeline_send(pipeline, "audit", &params);
}

static void send_enrolment(struct ledger_pg_pipeline *pipeline, const struct ledger_enrolment *row)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, row->device_id);
    ledger_pg_put_text(&params, row->serial);
    ledger_pg_put_text(&params, row->site);
    ledger_pg_put_bytes(&params, hr_bytes_of(row->nonce, sizeof row->nonce));
    ledger_pg_put_u64(&params, row->epoch);
    ledger_pg_put_u64(&params, row->first_stream);
    ledger_pg_put_bytes(&params, hr_bytes_of(row->spki, row->spki_len_bytes));
    ledger_pg_put_bytes(&params, hr_bytes_of(row->certificate, row->certificate_len_bytes));
    ledger_pg_pipeline_send(pipeline, "enrolment", &params);
}

static void send_certificate(struct ledger_pg_pipeline *pipeline, const struct ledger_certificate *row)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, row->device_id);
    ledger_pg_put_u64(&params, row->number);
    ledger_pg_put_bytes(&params, hr_bytes_of(row->key, sizeof row->key));
    ledger_pg_put_bytes(&params, hr_bytes_of(row->certificate, row->certificate_len_bytes));
    ledger_pg_put_u64(&params, (uint64_t)row->issued_utc_ms);
    ledger_pg_put_u64(&params, (uint64_t)row->used_utc_ms);
    ledger_pg_put_u64(&params, (uint64_t)row->ends_utc_ms);
    ledger_pg_put_u64(&params, row->is_barred ? 1 : 0);
    ledger_pg_pipeline_send(pipeline, "certificate", &params);
}

static void send_hints(struct ledger_postgres *ledger, struct ledger_pg_pipeline *pipeline)
{
    struct ledger_hint hints[LEDGER_MAX_SINKS];
    uint32_t n_hints = ledger_hints_take(&ledger->hints, hints);
    for (uint32_t i = 0; i < n_hints; i++) {
        struct ledger_pg_params params = {.n = 0};
        ledger_pg_put_text(&params, hints[i].sink);
        ledger_pg_put_u64(&params, hints[i].next_leaf);
        ledger_pg_pipeline_send(pipeline, "hint", &params);
    }
}

struct hr_status ledger_pg_send_change(struct ledger_postgres *ledger, struct ledger_pg_pipeline *pipeline,
                                       const struct ledger_commit *change)
{
    static const struct ledger_pg_params none;
    uint64_t first_leaf = atomic_load(&ledger->n_leaves);
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, ledger->writer_epoch);
    ledger_pg_put_u64(&params, first_leaf);
    ledger_pg_put_u64(&params, change->n_batches);
    ledger_pg_pipeline_send(pipeline, "begin", &none);
    ledger_pg_pipeline_send(pipeline, "advance", &params);
    if (change->n_batches > 0) {
        HR_TRY(send_batches(ledger, pipeline, change, first_leaf));
    }
    if (change->n_streams > 0) {
        HR_TRY(send_streams(ledger, pipeline, change));
    }
    for (size_t i = 0; i < change->n_old_keys; i++) {
        send_key(pipeline, change->old_keys[i].device_id, &change->old_keys[i].key);
    }
    for (size_t i = 0; i < change->n_devices; i++) {
        send_device(pipeline, &change->devices[i]);
    }
    for (size_t i = 0; i < change->n_conflicts; i++) {
        send_conflict(pipeline, &change->conflicts[i]);
    }
    for (size_t i = 0; i < change->n_losses; i++) {
        send_loss(pipeline, &change->losses[i]);
    }
    for (size_t i = 0; i < change->n_anchors; i++) {
        HR_ASSERT(change->anchors[i].batch_index < change->n_batches);
        send_anchor(pipeline, &change->anchors[i], first_leaf + change->anchors[i].batch_index);
    }
    for (size_t i = 0; i < change->n_audits; i++) {
        send_audit(pipeline, &change->audits[i], first_leaf + change->n_batches);
    }
    for (size_t i = 0; i < change->n_enrolments; i++) {
        send_enrolment(pipeline, &change->enrolments[i]);
    }
    for (size_t i = 0; i < change->n_certificates; i++) {
        send_certificate(pipeline, &change->certificates[i]);
    }
    send_hints(ledger, pipeline);
    ledger_pg_pipeline_send(pipeline, "commit", &none);
    return hr_ok();
}
