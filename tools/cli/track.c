/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/track.h"

#include "proto/base/assert.h"
#include "tools/cli/archive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 1 << 20 };

struct hr_status cli_track_init(struct cli_track *track, struct cli_findings *findings)
{
    *track = (struct cli_track){.findings = findings};
    return verify_keyring_new(MAX_KEYS, &track->ring);
}

void cli_track_free(struct cli_track *track)
{
    verify_keyring_free(track->ring);
    free(track->keys);
    free(track->devices);
    free(track->streams);
    free(track->losses);
}

/* ---- what is stated ---- */

static int compare_streams(uint64_t device_a, uint32_t stream_a, uint64_t device_b, uint32_t stream_b)
{
    return device_a != device_b ? (device_a > device_b) - (device_a < device_b)
                                : (stream_a > stream_b) - (stream_a < stream_b);
}

/* The row of the stream, made when there is none; NULL: no memory. */
static struct cli_track_stream *stream_of(struct cli_track *track, uint64_t device_id, uint32_t stream)
{
    size_t low = 0;
    size_t high = track->n_streams;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct ledger_stream *at = &track->streams[middle].now;
        if (compare_streams(at->device_id, at->stream, device_id, stream) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    struct cli_track_stream *row = track->streams + low;
    if (low < track->n_streams && row->now.device_id == device_id && row->now.stream == stream) {
        return row;
    }
    void *rows = cli_track_grown(track->streams, track->n_streams, sizeof *row);
    if (rows == NULL) {
        track->is_out_of_memory = true;
        return NULL;
    }
    track->streams = rows;
    row = track->streams + low;
    memmove(row + 1, row, (track->n_streams++ - low) * sizeof *row);
    *row = (struct cli_track_stream){
        .now = {.device_id = device_id, .stream = stream, .cum_seq = WIRE_SEQ_NONE}};
    return row;
}

void cli_track_stream(void *ctx, const struct ledger_stream *stream)
{
    struct cli_track_stream *row = stream_of(ctx, stream->device_id, stream->stream);
    if (row != NULL) {
        row->is_stated = true;
        row->stated = *stream;
    }
}

static struct ledger_device *device_of(const struct cli_track *track, uint64_t device_id)
{
    for (size_t low = 0, high = track->n_devices; low < high;) {
        size_t middle = (low + high) / 2;
        if (track->devices[middle].device_id == device_id) {
            return &track->devices[middle];
        }
        if (track->devices[middle].device_id < device_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

void cli_track_device(void *ctx, const struct ledger_device *device)
{
    struct cli_track *track = ctx;
    void *rows = cli_track_grown(track->devices, track->n_devices, sizeof *device);
    if (rows == NULL) {
        track->is_out_of_memory = true;
        return;
    }
    track->devices = rows;
    size_t at = track->n_devices++;
    for (; at > 0 && track->devices[at - 1].device_id > device->device_id; at--) {
        track->devices[at] = track->devices[at - 1];
    }
    track->devices[at] = *device;
    for (uint32_t i = 0; i < device->n_keys; i++) {
        const struct ledger_old_key row = {device->device_id, device->keys[i]};
        cli_track_key(track, &row);
    }
}

bool cli_track_device_more(struct cli_track *track, struct hr_bytes body)
{
    uint64_t device_id = 0;
    bool good = cli_get_device_more(body, &device_id, NULL);
    for (size_t i = 0; good && i < track->n_devices; i++) {
        if (track->devices[i].device_id == device_id) {
            return cli_get_device_more(body, &device_id, &track->devices[i]);
        }
    }
    return good;
}

/* ---- evidence ---- */

/* Is the envelope signed by the device, whatever it says? */
static bool is_genuine(const struct cli_track *track, uint64_t device_id, struct hr_bytes envelope,
                       struct verify_result *out)
{
    struct wire_envelope parts;
    if (!hr_is_ok(wire_envelope_split(envelope, &parts)) || parts.header.device_id != device_id) {
        return false;
    }
    const struct verify_key *key = verify_keyring_find(track->ring, device_id, parts.header.key_epoch);
    if (key == NULL) {
        return false;
    }
    verify_envelope(key, envelope, out);
    return out->verdict == WIRE_ACK_OK;
}

static bool says_loss(const struct verify_result *carrier, const struct edge_loss *loss)
{
    struct hr_reader payload = hr_reader_over(carrier->parts.payload);
    struct hr_bytes bytes;
    while (hr_is_ok(wire_record_next(&payload, &bytes))) {
        struct edge_record record;
        if (hr_is_ok(edge_record_decode(bytes, &record)) && record.kind == EDGE_LOSS) {
            const struct edge_loss *said = &record.as.loss;
            if (said->from_seq == loss->from_seq && said->to_seq == loss->to_seq &&
                said->first_record_seq == loss->first_record_seq && said->n_records == loss->n_records &&
                memcmp(said->last_digest, loss->last_digest, WIRE_DIGEST_BYTES) == 0) {
                return true;
            }
        }
    }
    return false;
}

void cli_track_loss(void *ctx, const struct ledger_loss *row)
{
    struct cli_track *track = ctx;
    static const struct cli_place nowhere;
    struct verify_result carrier;
    if (!is_genuine(track, row->device_id, row->envelope, &carrier) ||
        carrier.parts.header.stream != row->stream || !says_loss(&carrier, &row->loss)) {
        cli_find(track->findings, CLI_FINDING_EVIDENCE, &nowhere,
                 "the Loss of batches %" PRIu32 " to %" PRIu32 " of device %016" PRIx64
                 " is not what its batch says",
                 row->loss.from_seq, row->loss.to_seq, row->device_id);
    }
    void *rows = cli_track_grown(track->losses, track->n_losses, sizeof *track->losses);
    if (rows == NULL) {
        track->is_out_of_memory = true;
        return;
    }
    track->losses = rows;
    track->losses[track->n_losses++] = (struct cli_track_loss){row->device_id, row->stream, row->loss};
}

void cli_track_conflict(void *ctx, const struct ledger_conflict *row)
{
    struct cli_track *track = ctx;
    static const struct cli_place nowhere;
    struct verify_result came;
    if (!is_genuine(track, row->device_id, row->envelope, &came) || came.parts.header.stream != row->stream ||
        came.parts.header.batch_seq != row->seq ||
        memcmp(came.digest, row->known_digest, WIRE_DIGEST_BYTES) == 0) {
        cli_find(track->findings, CLI_FINDING_EVIDENCE, &nowhere,
                 "the %s of device %016" PRIx64 " at batch %" PRIu32 " of stream %" PRIu32 " is not proven",
                 row->kind, row->device_id, row->seq, row->stream);
    }
}

/* ---- batches ---- */

static uint32_t next_seq(const struct ledger_stream *stream)
{
    return stream->cum_seq == WIRE_SEQ_NONE ? 0 : stream->cum_seq + 1;
}

/* Moves the stream over the holes that a Loss covers, up to the batch `seq`. */
static void move_over(const struct cli_track *track, struct cli_track_stream *row, uint32_t seq)
{
    struct ledger_stream *now = &row->now;
    for (size_t i = 0; i < track->n_losses && next_seq(now) < seq; i++) {
        const struct cli_track_loss *known = &track->losses[i];
        const struct edge_loss *loss = &known->loss;
        uint32_t next = next_seq(now);
        if (known->device_id != now->device_id || known->stream != now->stream || loss->from_seq > next ||
            loss->to_seq < next || loss->to_seq >= seq) {
            continue;
        }
        uint64_t end = loss->first_record_seq + loss->n_records;
        bool is_new = now->cum_seq == WIRE_SEQ_NONE;
        uint64_t lost_batches = (uint64_t)loss->to_seq + 1 - next;
        uint64_t lost_records = is_new ? loss->n_records : end - now->next_record_seq;
        bool is_later = !row->is_stated || next >= next_seq(&row->stated);
        now->lost_batches += lost_batches;
        now->lost_records += lost_records;
        row->later_batches += is_later ? lost_batches : 0;
        row->later_records += is_later ? lost_records : 0;
        now->cum_seq = loss->to_seq;
        now->next_record_seq = end;
        memcpy(now->cum_digest, loss->last_digest, WIRE_DIGEST_BYTES);
    }
}

static void check_chain(struct cli_track *track, struct cli_track_stream *row, uint64_t leaf,
                        const struct wire_header *header)
{
    struct ledger_stream *now = &row->now;
    if (!row->has_batch && track->first_leaf > 0 && now->cum_seq == WIRE_SEQ_NONE) {
        return; /* what was before it is not there to compare */
    }
    move_over(track, row, header->batch_seq);
    const struct cli_place place = {.has_leaf = true, .leaf = leaf};
    if (header->batch_seq != next_seq(now)) {
        cli_find(track->findings, CLI_FINDING_CHAIN, &place,
                 "device %016" PRIx64 " stream %" PRIu32 ": batch %" PRIu32 " where %" PRIu32 " follows",
                 header->device_id, header->stream, header->batch_seq, next_seq(now));
    } else if (header->batch_seq > 0 &&
               memcmp(now->cum_digest, header->prev_digest, WIRE_DIGEST_BYTES) != 0) {
        cli_find(track->findings, CLI_FINDING_CHAIN, &place,
                 "device %016" PRIx64 " stream %" PRIu32 ": batch %" PRIu32
                 " does not link to the one before",
                 header->device_id, header->stream, header->batch_seq);
    } else if (header->batch_seq > 0 && now->next_record_seq != header->first_record_seq) {
        cli_find(track->findings, CLI_FINDING_CHAIN, &place,
                 "device %016" PRIx64 " stream %" PRIu32 ": record %" PRIu64 " where %" PRIu64 " follows",
                 header->device_id, header->stream, header->first_record_seq, now->next_record_seq);
    }
}

static void follow(struct cli_track *track, uint64_t leaf, const struct verify_result *batch)
{
    const struct wire_header *header = &batch->parts.header;
    struct cli_track_stream *row = stream_of(track, header->device_id, header->stream);
    if (row == NULL) {
        return;
    }
    check_chain(track, row, leaf, header);
    row->has_batch = true;
    row->now.cum_seq = header->batch_seq;
    row->now.next_record_seq = header->first_record_seq + header->n_records;
    row->now.key_epoch = header->key_epoch;
    row->now.boot_id = header->boot_id;
    memcpy(row->now.cum_digest, batch->digest, WIRE_DIGEST_BYTES);
    if (row->is_stated && row->stated.cum_seq == header->batch_seq) {
        bool is_same = memcmp(row->stated.cum_digest, batch->digest, WIRE_DIGEST_BYTES) == 0 &&
                       row->stated.next_record_seq == row->now.next_record_seq;
        if (!is_same) {
            cli_find_at(track->findings, CLI_FINDING_HEAD, leaf,
                        "the state of its stream has another digest or record number for this batch");
        }
    }
}

/* May this key sign at this place? A revocation looks forward, so it does not unmake what was committed. */
static const char *objection(const struct cli_track *track, const struct wire_header *header)
{
    const struct ledger_device *device = device_of(track, header->device_id);
    if (device == NULL) {
        return "of a device that is not registered";
    }
    const struct ledger_key *key = cli_track_key_of(track, header->device_id, header->key_epoch);
    if (key == NULL) {
        return "of a key epoch that is not registered";
    }
    uint64_t at = (uint64_t)header->stream << 32 | header->batch_seq;
    bool is_in = at >= ((uint64_t)key->from_stream << 32 | key->from_seq) &&
                 at < ((uint64_t)key->to_stream << 32 | key->to_seq);
    return is_in || key->revoked ? NULL : "its key may not sign at this place";
}

static void check_signature(struct cli_track *track, const struct ledger_batch *batch,
                            struct verify_result *out)
{
    const struct wire_header *header = &out->parts.header;
    const char *why = objection(track, header);
    const struct verify_key *key = verify_keyring_find(track->ring, header->device_id, header->key_epoch);
    if (why == NULL && key == NULL) {
        why = "its key can't be read";
    }
    if (why == NULL) {
        verify_envelope(key, batch->envelope, out);
        why = out->verdict == WIRE_ACK_OK         ? NULL
              : out->verdict == WIRE_ACK_BAD_ROOT ? "its records are not those that were signed"
                                                  : "the signature does not hold";
    }
    if (why != NULL) {
        cli_find_at(track->findings, CLI_FINDING_SIGNATURE, batch->leaf, why);
    }
}

bool cli_track_batch(struct cli_track *track, const struct ledger_batch *batch, struct verify_result *out)
{
    *out = (struct verify_result){.verdict = WIRE_ACK_MALFORMED};
    track->next_leaf = batch->leaf + 1;
    track->n_batches++;
    if (!hr_is_ok(wire_envelope_split(batch->envelope, &out->parts))) {
        cli_find_at(track->findings, CLI_FINDING_BATCH, batch->leaf, "the bytes are no signed batch");
        return false;
    }
    out->has_parts = true;
    const struct wire_header *header = &out->parts.header;
    track->n_records += header->n_records;
    wire_batch_digest(verify_hash(), out->parts.header_bytes, out->digest);
    if (memcmp(out->digest, batch->digest, WIRE_DIGEST_BYTES) != 0) {
        cli_find_at(track->findings, CLI_FINDING_BATCH, batch->leaf, "the stored digest is another");
    }
    if (header->device_id != batch->device_id || header->stream != batch->stream ||
        header->batch_seq != batch->seq) {
        cli_find_at(track->findings, CLI_FINDING_BATCH, batch->leaf,
                    "device, stream or number in the row are not those that were signed");
    }
    check_signature(track, batch, out);
    follow(track, batch->leaf, out);
    return true;
}

void cli_track_skip(struct cli_track *track, uint64_t first_leaf)
{
    track->first_leaf = first_leaf;
    track->next_leaf = first_leaf;
    for (size_t i = 0; i < track->n_streams; i++) {
        track->streams[i].has_batch = false;
        track->streams[i].now.cum_seq = WIRE_SEQ_NONE;
    }
}

/* ---- the end ---- */

static void check_head(struct cli_track *track, struct cli_track_stream *row)
{
    const struct ledger_stream *stated = &row->stated;
    static const struct cli_place nowhere;
    const char *why = NULL;
    bool is_ahead = !track->is_still && next_seq(&row->now) > next_seq(stated);
    if (row->is_stated && !is_ahead && (row->has_batch || track->first_leaf == 0)) {
        move_over(track, row, next_seq(stated));
    }
    const struct ledger_stream now = row->now;
    if (!row->is_stated) {
        why = row->has_batch && track->is_still ? "has batches and no state" : NULL;
    } else if (!row->has_batch && now.cum_seq == WIRE_SEQ_NONE) {
        why =
            stated->cum_seq != WIRE_SEQ_NONE && track->first_leaf == 0 ? "has a state and no batches" : NULL;
    } else if (!is_ahead && (now.cum_seq != stated->cum_seq ||
                             memcmp(now.cum_digest, stated->cum_digest, WIRE_DIGEST_BYTES) != 0)) {
        why = "does not stand where its state says";
    } else if (!is_ahead && track->first_leaf == 0 &&
               (now.lost_batches != stated->lost_batches || now.lost_records != stated->lost_records)) {
        why = "has lost another number of batches or records than its state says";
    }
    if (why != NULL) {
        cli_find(track->findings, CLI_FINDING_HEAD, &nowhere, "device %016" PRIx64 " stream %" PRIu32 " %s",
                 row->now.device_id, row->now.stream, why);
    }
}

void cli_track_end(struct cli_track *track)
{
    for (size_t i = 0; i < track->n_streams; i++) {
        check_head(track, &track->streams[i]);
    }
}

struct ledger_stream cli_track_state(const struct cli_track_stream *row)
{
    if (!row->is_stated || next_seq(&row->now) <= next_seq(&row->stated)) {
        return row->is_stated ? row->stated : row->now;
    }
    struct ledger_stream state = row->now;
    state.lost_batches = row->stated.lost_batches + row->later_batches;
    state.lost_records = row->stated.lost_records + row->later_records;
    return state;
}
