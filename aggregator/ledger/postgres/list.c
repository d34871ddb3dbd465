/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole tables, handed out row by row: streams, devices, conflicts, losses. */
#include "aggregator/ledger/postgres/internal.h"

#include <string.h>

/* All rows of a query over the reader's connection, under its lock. */
static struct hr_status list(struct ledger_postgres *ledger, const char *sql,
                             const struct ledger_pg_params *params,
                             void (*each)(void *ctx, const PGresult *result, int row), void *ctx)
{
    HR_ASSERT(pthread_mutex_lock(&ledger->reader_lock) == 0);
    struct hr_status status = ledger_pg_keep_reader(ledger, ledger->target.connect_timeout_ms);
    if (hr_is_ok(status)) {
        status = ledger_pg_each_row(&ledger->reader, sql, params, ledger->commit_timeout_ms, each, ctx);
    }
    HR_ASSERT(pthread_mutex_unlock(&ledger->reader_lock) == 0);
    return hr_status_of(hr_is_ok(status) ? HR_OK : HR_IO);
}

struct stream_visit {
    void (*each)(void *each_ctx, const struct ledger_stream *stream);
    void *each_ctx;
};

static void visit_stream(void *ctx, const PGresult *result, int row)
{
    const struct stream_visit *visit = ctx;
    struct ledger_stream stream = {.device_id = ledger_pg_u64(result, row, 0),
                                   .stream = ledger_pg_u32(result, row, 1),
                                   .cum_seq = ledger_pg_u32(result, row, 2),
                                   .next_record_seq = ledger_pg_u64(result, row, 4),
                                   .key_epoch = ledger_pg_u32(result, row, 5),
                                   .boot_id = ledger_pg_u32(result, row, 6),
                                   .lost_batches = ledger_pg_u64(result, row, 7),
                                   .lost_records = ledger_pg_u64(result, row, 8)};
    ledger_digest_of(ledger_pg_bytes(result, row, 3), stream.cum_digest);
    visit->each(visit->each_ctx, &stream);
}

static struct hr_status
load_streams(void *ctx, void (*each)(void *each_ctx, const struct ledger_stream *stream), void *each_ctx)
{
    struct stream_visit visit = {each, each_ctx};
    return list(ctx,
                "SELECT device, stream, cum_seq, cum_digest, next_record_seq, key_epoch, boot_id,"
                " lost_batches, lost_records FROM stream_state ORDER BY device, stream",
                NULL, visit_stream, &visit);
}

/* False: the row is of a device without keys. */
static bool key_of_row(const PGresult *result, int row, struct ledger_key *out)
{
    struct hr_bytes spki = ledger_pg_bytes(result, row, 7);
    if (PQgetisnull(result, row, 6) || spki.len_bytes > LEDGER_SPKI_MAX_BYTES) {
        return false;
    }
    *out = (struct ledger_key){.epoch = (uint16_t)ledger_pg_u32(result, row, 6),
                               .spki_len_bytes = (uint16_t)spki.len_bytes,
                               .from_stream = ledger_pg_u32(result, row, 8),
                               .from_seq = ledger_pg_u32(result, row, 9),
                               .to_stream = ledger_pg_u32(result, row, 10),
                               .to_seq = ledger_pg_u32(result, row, 11),
                               .revoked = ledger_pg_u64(result, row, 12) != 0,
                               .since_utc_ms = ledger_signed_of(ledger_pg_u64(result, row, 14))};
    memcpy(out->spki, spki.data, spki.len_bytes);
    return true;
}

static void visit_device(void *ctx, const PGresult *result, int row)
{
    struct ledger_device device = {.device_id = ledger_pg_u64(result, row, 0),
                                   .state = (enum ledger_device_state)ledger_pg_u32(result, row, 3),
                                   .revision = ledger_pg_u32(result, row, 4),
                                   .wants_key = ledger_pg_u64(result, row, 13) != 0,
                                   .cut = (enum ledger_cut)ledger_pg_u32(result, row, 15),
                                   .cut_stream = ledger_pg_u32(result, row, 16),
                                   .cut_seq = ledger_pg_u32(result, row, 17),
                                   .bundle = ledger_pg_u32(result, row, 18),
                                   .wants_transport =
                                       (enum ledger_transport_wish)ledger_pg_u32(result, row, 19)};
    ledger_pg_text(result, row, 1, device.name, sizeof device.name);
    ledger_pg_text(result, row, 2, device.tenant, sizeof device.tenant);
    ledger_pg_text(result, row, 5, device.reason, sizeof device.reason);
    struct ledger_key key;
    ledger_device_rows_add(ctx, &device, key_of_row(result, row, &key) ? &key : NULL);
}

static struct hr_status
load_devices(void *ctx, void (*each)(void *each_ctx, const struct ledger_device *device), void *each_ctx)
{
    struct ledger_device_rows rows = {.each = each, .each_ctx = each_ctx};
    HR_TRY(list(ctx,
                "SELECT " LEDGER_DEVICE_COLUMNS " FROM device LEFT JOIN device_key USING (device)"
                " ORDER BY device, epoch",
                NULL, visit_device, &rows));
    ledger_device_rows_end(&rows);
    return hr_ok();
}

struct conflict_visit {
    void (*each)(void *each_ctx, const struct ledger_conflict *row);
    void *each_ctx;
};

static void visit_conflict(void *ctx, const PGresult *result, int row)
{
    const struct conflict_visit *visit = ctx;
    char kind[LEDGER_NAME_MAX_CHARS + 1];
    ledger_pg_text(result, row, 3, kind, sizeof kind);
    struct ledger_conflict conflict = {.device_id = ledger_pg_u64(result, row, 0),
                                       .stream = ledger_pg_u32(result, row, 1),
                                       .seq = ledger_pg_u32(result, row, 2),
                                       .kind = kind,
                                       .received_utc_ms = ledger_signed_of(ledger_pg_u64(result, row, 4)),
                                       .envelope = ledger_pg_bytes(result, row, 6)};
    ledger_digest_of(ledger_pg_bytes(result, row, 5), conflict.known_digest);
    visit->each(visit->each_ctx, &conflict);
}

static struct hr_status list_conflicts(void *ctx, uint64_t device_id,
                                       void (*each)(void *each_ctx, const struct ledger_conflict *row),
                                       void *each_ctx)
{
    struct conflict_visit visit = {each, each_ctx};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, device_id);
    return list(ctx,
                "SELECT device, stream, seq, kind, received_ms, known_digest, envelope FROM conflict"
                " WHERE $1::bigint IN (0, device) ORDER BY id",
                &params, visit_conflict, &visit);
}

struct loss_visit {
    void (*each)(void *each_ctx, const struct ledger_loss *row);
    void *each_ctx;
};

static void visit_loss(void *ctx, const PGresult *result, int row)
{
    const struct loss_visit *visit = ctx;
    struct ledger_loss loss = {.device_id = ledger_pg_u64(result, row, 0),
                               .stream = ledger_pg_u32(result, row, 1),
                               .loss = {.from_seq = ledger_pg_u32(result, row, 2),
                                        .to_seq = ledger_pg_u32(result, row, 3),
                                        .first_record_seq = ledger_pg_u64(result, row, 4),
                                        .n_records = ledger_pg_u32(result, row, 5),
                                        .reason = ledger_pg_u32(result, row, 6)},
                               .envelope = ledger_pg_bytes(result, row, 8)};
    ledger_digest_of(ledger_pg_bytes(result, row, 7), loss.loss.last_digest);
    visit->each(visit->each_ctx, &loss);
}

static struct hr_status list_losses(void *ctx, uint64_t device_id,
                                    void (*each)(void *each_ctx, const struct ledger_loss *row),
                                    void *each_ctx)
{
    struct loss_visit visit = {each, each_ctx};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, device_id);
    return list(ctx,
                "SELECT device, stream, from_seq, to_seq, first_record_seq, n_records, reason, last_digest,"
                " envelope FROM loss WHERE $1::bigint IN (0, device) ORDER BY id",
                &params, visit_loss, &visit);
}

static struct hr_status find_devices(void *ctx, const struct ledger_page *page,
                                     const struct ledger_filter *filter,
                                     void (*each)(void *each_ctx, const struct ledger_device *device),
                                     void *each_ctx)
{
    struct ledger_device_rows rows = {.each = each, .each_ctx = each_ctx};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, page->after);
    ledger_pg_put_u64(&params, page->max_rows);
    ledger_pg_put_text(&params, filter->name_part != NULL ? filter->name_part : "");
    ledger_pg_put_u64(&params, filter->has_state ? (uint64_t)filter->state : UINT32_MAX);
    HR_TRY(list(
        ctx,
        "SELECT " LEDGER_DEVICE_COLUMNS " FROM (SELECT * FROM device WHERE device > "
        "$1::bigint AND ($3::text = '' OR strpos(name, $3::text) > 0) AND $4::bigint IN (4294967295, state)"
        " ORDER BY device LIMIT $2::bigint) AS page LEFT JOIN device_key USING (device)"
        " ORDER BY device, epoch",
        &params, visit_device, &rows));
    ledger_device_rows_end(&rows);
    return hr_ok();
}

static struct hr_status list_devices(void *ctx, const struct ledger_page *page,
                                     void (*each)(void *each_ctx, const struct ledger_device *device),
                                     void *each_ctx)
{
    const struct ledger_filter all = {.name_part = NULL};
    return find_devices(ctx, page, &all, each, each_ctx);
}

struct audit_visit {
    void (*each)(void *each_ctx, const struct ledger_audit *row);
    void *each_ctx;
};

static void visit_audit(void *ctx, const PGresult *result, int row)
{
    const struct audit_visit *visit = ctx;
    int64_t old_state = ledger_signed_of(ledger_pg_u64(result, row, 5));
    struct ledger_audit audit = {.id = ledger_pg_u64(result, row, 0),
                                 .device_id = ledger_pg_u64(result, row, 1),
                                 .at_utc_ms = ledger_signed_of(ledger_pg_u64(result, row, 2)),
                                 .is_first = old_state < 0,
                                 .old_state = (enum ledger_device_state)(old_state < 0 ? 0 : old_state),
                                 .new_state = (enum ledger_device_state)ledger_pg_u32(result, row, 6),
                                 .revision = ledger_pg_u32(result, row, 7),
                                 .is_suspect = ledger_pg_u32(result, row, 11) != 0,
                                 .suspect = {ledger_pg_u32(result, row, 12), ledger_pg_u32(result, row, 13),
                                             ledger_pg_u32(result, row, 14), ledger_pg_u32(result, row, 15)},
                                 .leaf = ledger_pg_u64(result, row, 16)};
    ledger_pg_text(result, row, 3, audit.actor, sizeof audit.actor);
    ledger_pg_text(result, row, 4, audit.action, sizeof audit.action);
    ledger_digest_of(ledger_pg_bytes(result, row, 8), audit.old_key);
    ledger_digest_of(ledger_pg_bytes(result, row, 9), audit.new_key);
    ledger_pg_text(result, row, 10, audit.reason, sizeof audit.reason);
    visit->each(visit->each_ctx, &audit);
}

static struct hr_status list_audits(void *ctx, uint64_t device_id, const struct ledger_page *page,
                                    void (*each)(void *each_ctx, const struct ledger_audit *row),
                                    void *each_ctx)
{
    struct audit_visit visit = {each, each_ctx};
    if (!((const struct ledger_postgres *)ctx)->has_audit) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, page->after);
    ledger_pg_put_u64(&params, page->max_rows);
    if (device_id != 0) {
        ledger_pg_put_u64(&params, device_id);
    }
    /* Two queries, so that each can go along its index. */
    const char *sql = device_id == 0 ? "SELECT " LEDGER_AUDIT_COLUMNS
                                       " FROM audit WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint"
                                     : "SELECT " LEDGER_AUDIT_COLUMNS " FROM audit WHERE device = $3::bigint"
                                       " AND id > $1::bigint ORDER BY id LIMIT $2::bigint";
    return list(ctx, sql, &params, visit_audit, &visit);
}

struct finding {
    struct ledger_enrolment *out;
    bool is_found;
};

static void visit_enrolment(void *ctx, const PGresult *result, int row)
{
    struct finding *finding = ctx;
    struct ledger_enrolment *out = finding->out;
    *out = (struct ledger_enrolment){.device_id = ledger_pg_u64(result, row, 0),
                                     .epoch = (uint16_t)ledger_pg_u32(result, row, 4),
                                     .first_stream = ledger_pg_u32(result, row, 5)};
    ledger_pg_text(result, row, 1, out->serial, sizeof out->serial);
    ledger_pg_text(result, row, 2, out->site, sizeof out->site);
    ledger_enrolment_bytes(out, ledger_pg_bytes(result, row, 3), ledger_pg_bytes(result, row, 6),
                           ledger_pg_bytes(result, row, 7));
    finding->is_found = true;
}

struct enrolment_visit {
    void (*each)(void *each_ctx, const struct ledger_enrolment *row);
    void *each_ctx;
};

static void visit_each_enrolment(void *ctx, const PGresult *result, int row)
{
    const struct enrolment_visit *rows = ctx;
    struct ledger_enrolment enrolment;
    struct finding finding = {.out = &enrolment};
    visit_enrolment(&finding, result, row);
    rows->each(rows->each_ctx, &enrolment);
}

static struct hr_status
list_enrolments(void *ctx, void (*each)(void *each_ctx, const struct ledger_enrolment *row), void *each_ctx)
{
    struct enrolment_visit rows = {each, each_ctx};
    return ((const struct ledger_postgres *)ctx)->has_enrolment
               ? list(ctx,
                      "SELECT device, serial, site, nonce, epoch, first_stream, spki, certificate"
                      " FROM enrolment ORDER BY device",
                      NULL, visit_each_enrolment, &rows)
               : hr_ok();
}

static struct hr_status find_enrolment(void *ctx, const char *serial, uint64_t device_id,
                                       struct ledger_enrolment *out)
{
    struct finding finding = {.out = out};
    struct ledger_pg_params params = {.n = 0};
    if (!((const struct ledger_postgres *)ctx)->has_enrolment) {
        return hr_status_of(HR_NOT_FOUND);
    }
    ledger_pg_put_u64(&params, device_id);
    ledger_pg_put_text(&params, serial != NULL ? serial : "");
    HR_TRY(list(ctx,
                "SELECT device, serial, site, nonce, epoch, first_stream, spki, certificate FROM enrolment"
                " WHERE ($2::text <> '' AND serial = $2::text) OR ($2::text = '' AND device = $1::bigint)",
                &params, visit_enrolment, &finding));
    return hr_status_of(finding.is_found ? HR_OK : HR_NOT_FOUND);
}

struct certificate_visit {
    void (*each)(void *each_ctx, const struct ledger_certificate *row);
    void *each_ctx;
};

static void visit_certificate(void *ctx, const PGresult *result, int row)
{
    const struct certificate_visit *visit = ctx;
    struct ledger_certificate certificate = {.device_id = ledger_pg_u64(result, row, 0),
                                             .number = ledger_pg_u32(result, row, 1),
                                             .issued_utc_ms = ledger_signed_of(ledger_pg_u64(result, row, 4)),
                                             .used_utc_ms = ledger_signed_of(ledger_pg_u64(result, row, 5)),
                                             .ends_utc_ms = ledger_signed_of(ledger_pg_u64(result, row, 6)),
                                             .is_barred = ledger_pg_u64(result, row, 7) != 0};
    ledger_certificate_bytes(&certificate, ledger_pg_bytes(result, row, 2), ledger_pg_bytes(result, row, 3));
    visit->each(visit->each_ctx, &certificate);
}

static struct hr_status list_certificates(void *ctx, uint64_t device_id,
                                          void (*each)(void *each_ctx, const struct ledger_certificate *row),
                                          void *each_ctx)
{
    struct certificate_visit visit = {each, each_ctx};
    struct ledger_pg_params params = {.n = 0};
    if (!((const struct ledger_postgres *)ctx)->has_certificates) {
        return hr_ok();
    }
    ledger_pg_put_u64(&params, device_id);
    return list(
        ctx,
        "SELECT device, number, key, certificate, issued_ms, used_ms, ends_ms, barred FROM certificate"
        " WHERE $1::bigint IN (0, device) ORDER BY device, number",
        &params, visit_certificate, &visit);
}

static struct hr_status find_certificate(void *ctx, uint64_t device_id, const uint8_t key[WIRE_DIGEST_BYTES],
                                         struct ledger_certificate *out)
{
    struct ledger_certificate found = {.number = 0};
    struct certificate_visit visit = {ledger_certificate_keep, &found};
    struct ledger_pg_params params = {.n = 0};
    if (!((const struct ledger_postgres *)ctx)->has_certificates) {
        return hr_status_of(HR_NOT_FOUND);
    }
    ledger_pg_put_u64(&params, device_id);
    ledger_pg_put_bytes(&params, hr_bytes_of(key, WIRE_DIGEST_BYTES));
    HR_TRY(
        list(ctx,
             "SELECT device, number, key, certificate, issued_ms, used_ms, ends_ms, barred FROM certificate"
             " WHERE device = $1::bigint AND key = $2::bytea",
             &params, visit_certificate, &visit));
    if (found.number == 0) {
        return hr_status_of(HR_NOT_FOUND);
    }
    *out = found;
    return hr_ok();
}

struct key_visit {
    void (*each)(void *each_ctx, const struct ledger_old_key *row);
    void *each_ctx;
};

static void visit_key(void *ctx, const PGresult *result, int row)
{
    const struct key_visit *visit = ctx;
    const struct hr_bytes spki = ledger_pg_bytes(result, row, 2);
    if (spki.len_bytes > LEDGER_SPKI_MAX_BYTES) {
        return;
    }
    struct ledger_old_key old = {.device_id = ledger_pg_u64(result, row, 0),
                                 .key = {.epoch = (uint16_t)ledger_pg_u32(result, row, 1),
                                         .spki_len_bytes = (uint16_t)spki.len_bytes,
                                         .from_stream = ledger_pg_u32(result, row, 3),
                                         .from_seq = ledger_pg_u32(result, row, 4),
                                         .to_stream = ledger_pg_u32(result, row, 5),
                                         .to_seq = ledger_pg_u32(result, row, 6),
                                         .revoked = ledger_pg_u64(result, row, 7) != 0,
                                         .since_utc_ms = ledger_signed_of(ledger_pg_u64(result, row, 8))}};
    memcpy(old.key.spki, spki.data, spki.len_bytes);
    visit->each(visit->each_ctx, &old);
}

static struct hr_status list_keys(void *ctx, uint64_t device_id,
                                  void (*each)(void *each_ctx, const struct ledger_old_key *row),
                                  void *each_ctx)
{
    struct key_visit visit = {each, each_ctx};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, device_id);
    return list(ctx,
                "SELECT " LEDGER_KEY_COLUMNS " FROM device_key WHERE $1::bigint IN (0, device)"
                " ORDER BY device, epoch",
                &params, visit_key, &visit);
}

static void visit_suspect(void *ctx, const PGresult *result, int row)
{
    ledger_suspect_add(ctx, ledger_pg_u64(result, row, 0), ledger_pg_bytes(result, row, 1));
}

static struct hr_status count_suspect(void *ctx, uint64_t device_id, const struct ledger_suspect *range,
                                      struct ledger_suspect_count *out)
{
    struct ledger_suspect_count count = {.n_batches = 0};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, device_id);
    ledger_pg_put_u64(&params, range->from_stream);
    ledger_pg_put_u64(&params, range->from_seq);
    ledger_pg_put_u64(&params, range->to_stream);
    ledger_pg_put_u64(&params, range->to_seq);
    /* SPEC section 2: n_records stands in bytes 28 and 29 of the header. */
    HR_TRY(list(ctx,
                "SELECT leaf, substring(envelope FROM 29 FOR 2) FROM batch WHERE device = $1::bigint"
                " AND (stream, seq) >= ($2::bigint, $3::bigint) AND (stream, seq) < ($4::bigint, $5::bigint)",
                &params, visit_suspect, &count));
    *out = count;
    return hr_ok();
}

void ledger_pg_fill_lists(struct ledger *out)
{
    out->enrolments = list_enrolments;
    out->certificates = list_certificates;
    out->find_certificate = find_certificate;
    out->list_keys = list_keys;
    out->count_suspect = count_suspect;
    out->find_enrolment = find_enrolment;
    out->load_streams = load_streams;
    out->load_devices = load_devices;
    out->conflicts = list_conflicts;
    out->losses = list_losses;
    out->list_devices = list_devices;
    out->list_audits = list_audits;
    out->find_devices = find_devices;
}
