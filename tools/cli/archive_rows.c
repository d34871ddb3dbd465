/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/archive_rows.h"
#include "aggregator/verify/verify.h"
#include "tools/cli/archive.h"

#include <string.h>

void cli_put_text(struct hr_writer *out, const char *text)
{
    size_t len = strlen(text);
    hr_write_u8(out, (uint8_t)len);
    hr_write_raw(out, text, len);
}

static void put_i64(struct hr_writer *out, int64_t value)
{
    hr_write_u64(out, (uint64_t)value);
}

bool cli_get_text(struct hr_reader *in, char *out, size_t capacity)
{
    size_t len = hr_read_u8(in);
    struct hr_bytes bytes = hr_read_slice(in, len);
    if (!hr_reader_ok(in) || len >= capacity || (len > 0 && memchr(bytes.data, '\0', len) != NULL)) {
        return false;
    }
    memset(out, 0, capacity);
    if (len > 0) {
        memcpy(out, bytes.data, len);
    }
    return true;
}

static int64_t get_i64(struct hr_reader *in)
{
    return (int64_t)hr_read_u64(in);
}

static struct hr_bytes get_rest(struct hr_reader *in)
{
    return hr_read_slice(in, hr_reader_left(in));
}

bool cli_row_is_done(const struct hr_reader *in)
{
    return hr_reader_ok(in) && hr_reader_left(in) == 0;
}

void cli_put_head(struct hr_writer *out, const struct cli_archive_head *head)
{
    hr_write_raw(out, head->origin, CLI_ARCHIVE_ORIGIN_CHARS);
    hr_write_u64(out, head->from_leaf);
}

bool cli_get_head(struct hr_bytes body, struct cli_archive_head *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    hr_read_raw(&in, out->origin, CLI_ARCHIVE_ORIGIN_CHARS);
    out->from_leaf = hr_read_u64(&in);
    return cli_row_is_done(&in) && strspn(out->origin, "0123456789abcdef") == CLI_ARCHIVE_ORIGIN_CHARS &&
           out->from_leaf <= INT64_MAX;
}

void cli_put_range(struct hr_writer *out, const struct cli_archive_range *range)
{
    hr_write_u64(out, range->to_leaf);
    hr_write_u8(out, range->is_whole ? 1 : 0);
}

bool cli_get_range(struct hr_bytes body, struct cli_archive_range *out)
{
    struct hr_reader in = hr_reader_over(body);
    out->to_leaf = hr_read_u64(&in);
    out->is_whole = hr_read_u8(&in) != 0;
    return cli_row_is_done(&in) && out->to_leaf <= INT64_MAX;
}

void cli_put_stream(struct hr_writer *out, const struct ledger_stream *stream)
{
    hr_write_u64(out, stream->device_id);
    hr_write_u32(out, stream->stream);
    hr_write_u32(out, stream->cum_seq);
    hr_write_raw(out, stream->cum_digest, sizeof stream->cum_digest);
    hr_write_u64(out, stream->next_record_seq);
    hr_write_u32(out, stream->key_epoch);
    hr_write_u32(out, stream->boot_id);
    hr_write_u64(out, stream->lost_batches);
    hr_write_u64(out, stream->lost_records);
}

bool cli_get_stream(struct hr_bytes body, struct ledger_stream *out)
{
    struct hr_reader in = hr_reader_over(body);
    out->device_id = hr_read_u64(&in);
    out->stream = hr_read_u32(&in);
    out->cum_seq = hr_read_u32(&in);
    hr_read_raw(&in, out->cum_digest, sizeof out->cum_digest);
    out->next_record_seq = hr_read_u64(&in);
    out->key_epoch = hr_read_u32(&in);
    out->boot_id = hr_read_u32(&in);
    out->lost_batches = hr_read_u64(&in);
    out->lost_records = hr_read_u64(&in);
    return cli_row_is_done(&in);
}

void cli_put_key(struct hr_writer *out, const struct ledger_key *key)
{
    hr_write_u16(out, key->epoch);
    hr_write_u8(out, (uint8_t)key->spki_len_bytes);
    hr_write_raw(out, key->spki, key->spki_len_bytes);
    hr_write_u32(out, key->from_stream);
    hr_write_u32(out, key->from_seq);
    hr_write_u32(out, key->to_stream);
    hr_write_u32(out, key->to_seq);
    hr_write_u8(out, key->revoked ? 1 : 0);
}

bool cli_get_key(struct hr_reader *in, struct ledger_key *out)
{
    out->epoch = hr_read_u16(in);
    out->spki_len_bytes = hr_read_u8(in);
    if (out->spki_len_bytes > sizeof out->spki) {
        return false;
    }
    hr_read_raw(in, out->spki, out->spki_len_bytes);
    out->from_stream = hr_read_u32(in);
    out->from_seq = hr_read_u32(in);
    out->to_stream = hr_read_u32(in);
    out->to_seq = hr_read_u32(in);
    out->revoked = hr_read_u8(in) != 0;
    return hr_reader_ok(in);
}

void cli_put_device(struct hr_writer *out, const struct ledger_device *device)
{
    hr_write_u64(out, device->device_id);
    cli_put_text(out, device->name);
    cli_put_text(out, device->tenant);
    hr_write_u8(out, (uint8_t)device->state);
    hr_write_u32(out, device->revision);
    cli_put_text(out, device->reason);
    hr_write_u8(out, (uint8_t)device->n_keys);
    for (uint32_t i = 0; i < device->n_keys; i++) {
        cli_put_key(out, &device->keys[i]);
    }
    cli_put_device_trust(out, device);
}

bool cli_get_device(struct hr_bytes body, struct ledger_device *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    out->device_id = hr_read_u64(&in);
    bool good =
        cli_get_text(&in, out->name, sizeof out->name) && cli_get_text(&in, out->tenant, sizeof out->tenant);
    out->state = (enum ledger_device_state)hr_read_u8(&in);
    out->revision = hr_read_u32(&in);
    good = good && cli_get_text(&in, out->reason, sizeof out->reason);
    out->n_keys = hr_read_u8(&in);
    good = good && out->n_keys <= LEDGER_DEVICE_MAX_KEYS && out->state <= LEDGER_DEVICE_STATE_LAST;
    for (uint32_t i = 0; good && i < out->n_keys; i++) {
        good = cli_get_key(&in, &out->keys[i]);
    }
    return good && cli_get_device_trust(&in, out) && cli_row_is_done(&in);
}

void cli_put_loss(struct hr_writer *out, const struct ledger_loss *row)
{
    hr_write_u64(out, row->device_id);
    hr_write_u32(out, row->stream);
    hr_write_u32(out, row->loss.from_seq);
    hr_write_u32(out, row->loss.to_seq);
    hr_write_u64(out, row->loss.first_record_seq);
    hr_write_u32(out, row->loss.n_records);
    hr_write_u32(out, (uint32_t)row->loss.reason);
    hr_write_raw(out, row->loss.last_digest, sizeof row->loss.last_digest);
    hr_write_raw(out, row->envelope.data, row->envelope.len_bytes);
}

bool cli_get_loss(struct hr_bytes body, struct ledger_loss *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    out->device_id = hr_read_u64(&in);
    out->stream = hr_read_u32(&in);
    out->loss.from_seq = hr_read_u32(&in);
    out->loss.to_seq = hr_read_u32(&in);
    out->loss.first_record_seq = hr_read_u64(&in);
    out->loss.n_records = hr_read_u32(&in);
    out->loss.reason = hr_read_u32(&in);
    hr_read_raw(&in, out->loss.last_digest, sizeof out->loss.last_digest);
    out->envelope = get_rest(&in);
    return cli_row_is_done(&in);
}

void cli_put_conflict(struct hr_writer *out, const struct ledger_conflict *row)
{
    hr_write_u64(out, row->device_id);
    hr_write_u32(out, row->stream);
    hr_write_u32(out, row->seq);
    hr_write_u8(out, strcmp(row->kind, "fork") == 0 ? 1 : 2);
    put_i64(out, row->received_utc_ms);
    hr_write_raw(out, row->known_digest, sizeof row->known_digest);
    hr_write_raw(out, row->envelope.data, row->envelope.len_bytes);
}

bool cli_get_conflict(struct hr_bytes body, struct ledger_conflict *out)
{
    static const char *const kinds[] = {NULL, "fork", "equivocation"};
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    out->device_id = hr_read_u64(&in);
    out->stream = hr_read_u32(&in);
    out->seq = hr_read_u32(&in);
    uint8_t kind = hr_read_u8(&in);
    out->kind = kind < 3 ? kinds[kind] : NULL;
    out->received_utc_ms = get_i64(&in);
    hr_read_raw(&in, out->known_digest, sizeof out->known_digest);
    out->envelope = get_rest(&in);
    return cli_row_is_done(&in) && out->kind != NULL;
}

void cli_put_anchor(struct hr_writer *out, const struct ledger_anchor *row)
{
    hr_write_u64(out, row->device_id);
    hr_write_u32(out, row->anchor.boot_id);
    hr_write_u64(out, row->anchor.uptime_ms);
    hr_write_u64(out, row->anchor.utc_ms);
    hr_write_u32(out, row->anchor.err_ms);
    hr_write_u32(out, (uint32_t)row->anchor.source);
}

bool cli_get_anchor(struct hr_bytes body, struct ledger_anchor *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    out->device_id = hr_read_u64(&in);
    out->anchor.boot_id = hr_read_u32(&in);
    out->anchor.uptime_ms = hr_read_u64(&in);
    out->anchor.utc_ms = hr_read_u64(&in);
    out->anchor.err_ms = hr_read_u32(&in);
    out->anchor.source = hr_read_u32(&in);
    return cli_row_is_done(&in);
}

void cli_put_batch(struct hr_writer *out, const struct ledger_batch *batch)
{
    hr_write_u64(out, batch->leaf);
    put_i64(out, batch->received_utc_ms);
    hr_write_raw(out, batch->envelope.data, batch->envelope.len_bytes);
}

bool cli_get_batch(struct hr_bytes body, struct ledger_batch *out)
{
    struct hr_reader in = hr_reader_over(body);
    struct wire_envelope parts;
    memset(out, 0, sizeof *out);
    out->leaf = hr_read_u64(&in);
    out->received_utc_ms = get_i64(&in);
    out->envelope = get_rest(&in);
    if (!cli_row_is_done(&in) || !hr_is_ok(wire_envelope_split(out->envelope, &parts))) {
        return false;
    }
    out->device_id = parts.header.device_id;
    out->stream = parts.header.stream;
    out->seq = parts.header.batch_seq;
    wire_batch_digest(verify_hash(), parts.header_bytes, out->digest);
    return true;
}

void cli_put_feed_head(struct hr_writer *out, const struct feed_head *head)
{
    cli_put_text(out, head->sink);
    hr_write_u64(out, head->next_leaf);
}

bool cli_get_feed_head(struct hr_bytes body, struct feed_head *out)
{
    struct hr_reader in = hr_reader_over(body);
    bool good = cli_get_text(&in, out->sink, sizeof out->sink);
    out->next_leaf = hr_read_u64(&in);
    return good && cli_row_is_done(&in);
}

void cli_put_version(struct hr_writer *out, const struct feed_version *version)
{
    hr_write_u64(out, version->from_leaf);
    cli_put_text(out, version->normalizers);
}

bool cli_get_version(struct hr_bytes body, struct feed_version *out)
{
    struct hr_reader in = hr_reader_over(body);
    out->from_leaf = hr_read_u64(&in);
    return cli_get_text(&in, out->normalizers, sizeof out->normalizers) && cli_row_is_done(&in);
}

void cli_put_entry(struct hr_writer *out, const struct feed_entry *entry)
{
    cli_put_text(out, entry->feed);
    cli_put_text(out, entry->partition);
    put_i64(out, entry->from_ms);
    put_i64(out, entry->to_ms);
    hr_write_raw(out, entry->content, sizeof entry->content);
    hr_write_u8(out, (uint8_t)entry->state);
    hr_write_u32(out, entry->revision);
    const uint64_t numbers[] = {entry->n_batches, entry->n_records, entry->n_events,   entry->n_late,
                                entry->n_revised, entry->n_placed,  entry->first_leaf, entry->last_leaf};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        hr_write_u64(out, numbers[i]);
    }
    put_i64(out, entry->watermark_ms);
}

bool cli_get_entry(struct hr_bytes body, struct feed_entry *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    bool good = cli_get_text(&in, out->feed, sizeof out->feed) &&
                cli_get_text(&in, out->partition, sizeof out->partition);
    out->from_ms = get_i64(&in);
    out->to_ms = get_i64(&in);
    hr_read_raw(&in, out->content, sizeof out->content);
    out->state = (enum feed_state)hr_read_u8(&in);
    out->revision = hr_read_u32(&in);
    uint64_t *const numbers[] = {&out->n_batches, &out->n_records, &out->n_events,   &out->n_late,
                                 &out->n_revised, &out->n_placed,  &out->first_leaf, &out->last_leaf};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = hr_read_u64(&in);
    }
    out->watermark_ms = get_i64(&in);
    return good && cli_row_is_done(&in) && out->state < FEED_REPLAYING;
}

void cli_put_position(struct hr_writer *out, const struct feed_position *position)
{
    hr_write_u32(out, (uint32_t)position->sink_partition);
    put_i64(out, position->first_offset);
    put_i64(out, position->last_offset);
}

bool cli_get_position(struct hr_bytes body, struct feed_position *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    out->sink_partition = (int32_t)hr_read_u32(&in);
    out->first_offset = get_i64(&in);
    out->last_offset = get_i64(&in);
    return cli_row_is_done(&in);
}

void cli_put_replay(struct hr_writer *out, const struct feed_replay *replay)
{
    hr_write_u64(out, replay->id);
    cli_put_text(out, replay->feed);
    put_i64(out, replay->from_ms);
    put_i64(out, replay->to_ms);
    hr_write_u8(out, replay->dry_run ? 1 : 0);
    hr_write_u8(out, (uint8_t)replay->state);
    put_i64(out, replay->asked_ms);
    const uint64_t numbers[] = {replay->first_leaf, replay->next_leaf, replay->end_leaf, replay->n_events,
                                replay->n_changed};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        hr_write_u64(out, numbers[i]);
    }
    cli_put_text(out, replay->normalizers);
    cli_put_text(out, replay->reason);
}

bool cli_get_replay(struct hr_bytes body, struct feed_replay *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    out->id = hr_read_u64(&in);
    bool good = cli_get_text(&in, out->feed, sizeof out->feed);
    out->from_ms = get_i64(&in);
    out->to_ms = get_i64(&in);
    out->dry_run = hr_read_u8(&in) != 0;
    out->state = (enum feed_state)hr_read_u8(&in);
    out->asked_ms = get_i64(&in);
    uint64_t *const numbers[] = {&out->first_leaf, &out->next_leaf, &out->end_leaf, &out->n_events,
                                 &out->n_changed};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = hr_read_u64(&in);
    }
    good = good && cli_get_text(&in, out->normalizers, sizeof out->normalizers) &&
           cli_get_text(&in, out->reason, sizeof out->reason);
    return good && cli_row_is_done(&in) && out->state < FEED_REPLAYING;
}

void cli_put_span(struct hr_writer *out, const struct feed_span *span)
{
    hr_write_u64(out, span->first_leaf);
    hr_write_u32(out, span->n_leaves);
    hr_write_raw(out, span->notes.data, span->notes.len_bytes);
}

bool cli_get_span(struct hr_bytes body, struct feed_span *out)
{
    struct hr_reader in = hr_reader_over(body);
    out->first_leaf = hr_read_u64(&in);
    out->n_leaves = hr_read_u32(&in);
    out->notes = get_rest(&in);
    return cli_row_is_done(&in) && out->n_leaves > 0;
}
