/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/spool_lab.h"

#include "firmware/core/spool_internal.h"
#include "proto/edge/record.h"
#include "tests/support/test_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LAB_CHECK(lab, condition, ...)                                                                       \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            print_error("%s\n  ", (lab)->plan == NULL ? "" : (lab)->plan);                                   \
            print_error(__VA_ARGS__);                                                                        \
            fail_msg("broken: %s", #condition);                                                              \
        }                                                                                                    \
    } while (0)

static const uint64_t device_id = 0x1122334455667788u;

struct fw_spool_state lab_state(const struct lab *lab)
{
    struct fw_spool_state state;
    fw_spool_state(&lab->spool, &state);
    return state;
}

const struct lab_config lab_small_ring = {
    .flash =
        {.kind = SIM_FLASH_NOR, .sector_bytes = 2048, .n_sectors = 6, .program_unit_bytes = 8, .seed = 3},
    .envelope_max_bytes = 420,
    .stage_bytes = 128,
};

void lab_make(struct lab *lab, const struct lab_config *config)
{
    memset(lab, 0, sizeof *lab);
    lab->config = *config;
    assert_true(config->flash.n_sectors <= LAB_MAX_SECTORS);
    sim_flash_make(&lab->flash, &config->flash);
    lab_reset(lab);
}

void lab_free(struct lab *lab)
{
    sim_flash_free(&lab->flash);
}

void lab_reset(struct lab *lab)
{
    sim_flash_free(&lab->flash);
    sim_flash_make(&lab->flash, &lab->config.flash);
    fake_sign_make(&lab->sign);
    lab->n_records = 0;
    lab->n_batches = 0;
    lab->stream = 1;
    lab->old_stream = 0;
    lab->acked_seq = WIRE_SEQ_NONE;
    lab->boot_id = 0;
    lab->open_records = 0;
    lab->open_durable = 0;
    lab->sealing = false;
    lab->carrying = false;
    lab->new_stream = 0;
    lab->holes_expected = false;
}

struct lab_batch *lab_find(struct lab *lab, uint32_t stream, uint32_t seq)
{
    for (uint32_t i = lab->n_batches; i > 0; i--) {
        if (lab->batches[i - 1].stream == stream && lab->batches[i - 1].seq == seq) {
            return &lab->batches[i - 1];
        }
    }
    return NULL;
}

/* ---- looking at the spool ---- */

/* Reads a live batch and checks everything that its own bytes can tell. */
static struct wire_header read_batch(struct lab *lab, uint32_t seq, uint8_t *envelope,
                                     struct wire_envelope *split)
{
    uint32_t len_bytes = 0;
    struct hr_status status = fw_spool_read(&lab->spool, seq, envelope, LAB_ENVELOPE_MAX_BYTES, &len_bytes);
    LAB_CHECK(lab, hr_is_ok(status), "batch %u: %s", seq, hr_code_name(status.code));
    LAB_CHECK(lab, hr_is_ok(wire_envelope_split(hr_bytes_of(envelope, len_bytes), split)), "batch %u", seq);
    LAB_CHECK(lab, split->header.batch_seq == seq && split->header.device_id == device_id, "batch %u", seq);
    LAB_CHECK(lab,
              hr_is_ok(wire_payload_check(test_hash(), split->payload, split->header.n_records,
                                          split->header.root)),
              "batch %u: payload and root", seq);
    return split->header;
}

/* Does the payload hold exactly these records of the world? */
static bool payload_is(const struct lab *lab, const struct wire_envelope *envelope, uint32_t first_record,
                       uint32_t n_records)
{
    struct hr_reader reader = hr_reader_over(envelope->payload);
    struct hr_bytes record;
    uint32_t n = 0;
    while (hr_is_ok(wire_record_next(&reader, &record))) {
        const struct lab_record *expected = &lab->records[first_record + n];
        if (n == n_records || record.len_bytes != expected->len_bytes ||
            memcmp(record.data, expected->bytes, record.len_bytes) != 0) {
            return false;
        }
        n++;
    }
    return n == n_records;
}

/* Enters a batch that the world did not know into it: the one that was in flight, and no other. */
static const struct lab_batch *learn_batch(struct lab *lab, const struct wire_envelope *envelope,
                                           uint32_t stream)
{
    LAB_CHECK(lab, lab->n_batches < LAB_MAX_BATCHES, "too many batches");
    struct lab_batch batch = {.stream = stream,
                              .seq = envelope->header.batch_seq,
                              .first_record_seq = envelope->header.first_record_seq,
                              .n_records = envelope->header.n_records};
    wire_batch_digest(test_hash(), envelope->header_bytes, batch.digest);
    if (lab->carrying) {
        struct lab_batch *from = NULL;
        for (uint32_t i = 0; i < lab->n_batches && from == NULL; i++) {
            struct lab_batch *old = &lab->batches[i];
            bool waits = old->stream != stream && !old->carried && !old->committed && !old->given_up &&
                         !fw_spool_is_live(&lab->spool.book, old->stream, old->seq);
            from = waits && payload_is(lab, envelope, old->first_record, old->n_records) ? old : NULL;
        }
        LAB_CHECK(lab, from != NULL, "batch %u is carried from nowhere", batch.seq);
        from->carried = true;
        batch.first_record = from->first_record;
        lab->carrying = false;
    } else {
        LAB_CHECK(lab, lab->sealing, "batch %u appeared from nowhere", batch.seq);
        LAB_CHECK(lab, payload_is(lab, envelope, lab->open_first, lab->open_records),
                  "batch %u: other records", batch.seq);
        batch.first_record = lab->open_first;
        lab->open_records = 0;
        lab->open_durable = 0;
        lab->sealing = false;
    }
    lab->batches[lab->n_batches] = batch;
    return &lab->batches[lab->n_batches++];
}

/* Raw flash that is full while batches are carried has no place for an intent when it starts again: a cut
 * then leaves a hole that calls itself damage. Everywhere else a cut is never mistaken for damage. */
static bool may_say_damage(const struct lab *lab)
{
    return lab->holes_expected || (lab->config.flash.kind == SIM_FLASH_NOR && lab->old_stream != 0);
}

static void check_gap(struct lab *lab, const struct fw_spool_gap *gap)
{
    const struct edge_loss *loss = &gap->hole.loss;
    LAB_CHECK(lab, may_say_damage(lab) || loss->reason != EDGE_LOSS_DAMAGED, "hole %u..%u is called damage",
              loss->from_seq, loss->to_seq);
    const struct lab_batch *last = lab_find(lab, lab->stream, loss->to_seq);
    if (last != NULL) {
        LAB_CHECK(lab, memcmp(last->digest, loss->last_digest, WIRE_DIGEST_BYTES) == 0, "hole %u..%u: digest",
                  loss->from_seq, loss->to_seq);
        LAB_CHECK(lab, loss->first_record_seq + loss->n_records == last->first_record_seq + last->n_records,
                  "hole %u..%u: records", loss->from_seq, loss->to_seq);
    }
    if (gap->hole.carried_by_seq == WIRE_SEQ_NONE) {
        struct edge_loss pending;
        LAB_CHECK(lab, !gap->saved || hr_is_ok(fw_spool_pending_loss(&lab->spool, &pending)),
                  "a Loss is forgotten");
        return;
    }
    uint8_t envelope[LAB_ENVELOPE_MAX_BYTES];
    struct wire_envelope split;
    struct wire_header header = read_batch(lab, gap->hole.carried_by_seq, envelope, &split);
    LAB_CHECK(lab, (header.flags & WIRE_FLAG_LOSS) != 0, "carrier %u has no flag", header.batch_seq);
    struct hr_reader reader = hr_reader_over(split.payload);
    struct hr_bytes bytes;
    bool found = false;
    while (hr_is_ok(wire_record_next(&reader, &bytes))) {
        struct edge_record record;
        found = found || (hr_is_ok(edge_record_decode(bytes, &record)) && record.kind == EDGE_LOSS &&
                          record.as.loss.from_seq == loss->from_seq && record.as.loss.to_seq == loss->to_seq);
    }
    LAB_CHECK(lab, found, "carrier %u does not hold the Loss of %u..%u", header.batch_seq, loss->from_seq,
              loss->to_seq);
}

/* Walks the numbers above the ack: each is a readable batch or in a hole, and the chain and the numbers of
 * records go on over both. */
static void check_chain(struct lab *lab, const struct fw_spool_state *state)
{
    uint8_t envelope[LAB_ENVELOPE_MAX_BYTES];
    struct wire_envelope split;
    const struct lab_batch *acked =
        state->acked_seq == WIRE_SEQ_NONE ? NULL : lab_find(lab, lab->stream, state->acked_seq);
    uint64_t record_end = acked == NULL ? 0 : acked->first_record_seq + acked->n_records;
    uint8_t digest[WIRE_DIGEST_BYTES];
    bool known = acked != NULL || state->acked_seq == WIRE_SEQ_NONE;
    bool digest_known = acked != NULL;
    if (acked != NULL) {
        memcpy(digest, acked->digest, sizeof digest);
    }
    for (uint32_t seq = state->acked_seq + 1; seq < state->next_batch_seq;) {
        const struct fw_spool_gap *gap = fw_spool_gap_at(&lab->spool.book, seq);
        if (gap != NULL) {
            LAB_CHECK(lab, gap->hole.loss.from_seq == seq, "holes overlap at %u", seq);
            LAB_CHECK(lab, !known || gap->hole.loss.first_record_seq == record_end,
                      "hole at %u: first record", seq);
            check_gap(lab, gap);
            record_end = gap->hole.loss.first_record_seq + gap->hole.loss.n_records;
            memcpy(digest, gap->hole.loss.last_digest, sizeof digest);
            seq = gap->hole.loss.to_seq + 1;
        } else {
            struct wire_header header = read_batch(lab, seq, envelope, &split);
            const struct lab_batch *batch = lab_find(lab, lab->stream, seq);
            if (batch == NULL) {
                batch = learn_batch(lab, &split, lab->stream);
            }
            LAB_CHECK(lab, payload_is(lab, &split, batch->first_record, batch->n_records),
                      "batch %u: content", seq);
            LAB_CHECK(lab, !known || header.first_record_seq == record_end, "batch %u: first record", seq);
            LAB_CHECK(lab, !digest_known || memcmp(header.prev_digest, digest, sizeof digest) == 0,
                      "batch %u: chain", seq);
            wire_batch_digest(test_hash(), split.header_bytes, digest);
            LAB_CHECK(lab, memcmp(digest, batch->digest, sizeof digest) == 0, "number %u names other content",
                      seq);
            record_end = header.first_record_seq + header.n_records;
            seq++;
        }
        known = true;
        digest_known = true;
    }
    LAB_CHECK(lab, !known || record_end == state->next_record_seq, "next record");
    LAB_CHECK(lab, !digest_known || memcmp(digest, state->last_digest, sizeof digest) == 0, "last digest");
}

/* Marks what the spool has given up, and refuses that it does so with room to spare. */
static void note_given_up(struct lab *lab)
{
    uint32_t n_new = 0;
    for (uint32_t i = 0; i < lab->n_batches; i++) {
        struct lab_batch *batch = &lab->batches[i];
        bool current = batch->stream == lab->stream;
        bool above = current && (batch->seq >= lab->spool.book.acked_seq + 1);
        bool live = fw_spool_is_live(&lab->spool.book, batch->stream, batch->seq);
        bool lost = current ? above && !live : !batch->carried && !batch->committed && !live;
        n_new += lost && !batch->given_up && !batch->committed ? 1 : 0;
        batch->given_up = batch->given_up || (lost && !batch->committed);
        LAB_CHECK(lab, !batch->given_up || !live, "batch %u/%u came back out of a hole", batch->stream,
                  batch->seq);
        LAB_CHECK(lab, !batch->carried || !live, "batch %u/%u waits to be carried twice", batch->stream,
                  batch->seq);
    }
    uint32_t n_live = 0;
    for (uint32_t i = 0; i < lab->config.flash.n_sectors; i++) {
        n_live += i == lab->spool.tail || !fw_spool_is_free(&lab->spool, i) ? 1 : 0;
    }
    LAB_CHECK(lab, n_new == 0 || lab->holes_expected || n_live + 2 >= lab->config.flash.n_sectors,
              "%u batches were given up with %u of %u sectors in use", n_new, n_live,
              lab->config.flash.n_sectors);
}

static void enter_stream(struct lab *lab, uint32_t stream)
{
    lab->old_stream = lab->stream;
    lab->old_acked_seq = lab->acked_seq;
    lab->stream = stream;
    lab->acked_seq = WIRE_SEQ_NONE;
}

void lab_check(struct lab *lab)
{
    struct fw_spool_state state = lab_state(lab);
    lab->n_checks++;
    if (state.stream == lab->old_stream && lab->stream > state.stream) {
        /* A stream without a batch may be undone. */
        LAB_CHECK(lab, lab_find(lab, lab->stream, 0) == NULL && lab_find(lab, lab->stream, 1) == NULL,
                  "stream %u", state.stream);
        lab->stream = lab->old_stream;
        lab->acked_seq = lab->old_acked_seq;
    } else if (state.stream != lab->stream) {
        LAB_CHECK(lab, lab->new_stream != 0 && state.stream == lab->new_stream, "stream %u", state.stream);
        enter_stream(lab, state.stream);
    }
    lab->new_stream = 0;
    LAB_CHECK(lab,
              state.acked_seq == WIRE_SEQ_NONE ||
                  (lab->acked_seq != WIRE_SEQ_NONE && state.acked_seq <= lab->acked_seq),
              "acked %u, told %u", state.acked_seq, lab->acked_seq);
    for (uint32_t i = 0; i < lab->n_batches; i++) {
        LAB_CHECK(lab, lab->batches[i].stream != lab->stream || lab->batches[i].seq < state.next_batch_seq,
                  "batch %u is durable and its number is free again", lab->batches[i].seq);
    }
    check_chain(lab, &state);
    note_given_up(lab);
    if (fw_spool_is_open(&lab->spool)) {
        LAB_CHECK(lab, state.open_records <= lab->open_records, "%u records are open, %u were appended",
                  state.open_records, lab->open_records);
        lab->open_records = state.open_records;
        lab->n_records = lab->open_first + lab->open_records; /* the rest never was */
    } else {
        lab->open_records = 0;
    }
    LAB_CHECK(lab, lab->open_records >= lab->open_durable, "%u records are open, %u were", lab->open_records,
              lab->open_durable);
    lab->open_durable = lab->open_records;
    lab->sealing = false;
    lab->carrying = false;
}

/* ---- steps ---- */

bool lab_open(struct lab *lab)
{
    struct fw_spool_config config = {
        .flash = &lab->flash.port,
        .hash = test_hash(),
        .device_id = device_id,
        .envelope_max_bytes = lab->config.envelope_max_bytes,
        .sectors = lab->sectors,
        .stage = lab->stage,
        .stage_bytes = lab->config.stage_bytes,
        .first_stream = 1,
    };
    if (!hr_is_ok(fw_spool_open(&lab->spool, &config, &lab->report))) {
        LAB_CHECK(lab, lab->flash.is_off || lab->flash.n_faults_met > 0, "open failed with power on");
        return false;
    }
    if (lab->flash.is_off) {
        return false; /* while a spare was being made: that may wait, so it is no failure */
    }
    lab->boot_id++;
    lab_check(lab);
    return true;
}

static bool went_well(struct lab *lab, struct hr_status status)
{
    LAB_CHECK(lab, hr_is_ok(status) || lab->flash.is_off || lab->flash.n_faults_met > 0, "%s with power on",
              hr_code_name(status.code));
    return hr_is_ok(status);
}

bool lab_begin(struct lab *lab)
{
    lab->open_first = lab->n_records;
    lab->open_records = 0;
    lab->open_durable = 0;
    return went_well(lab, fw_spool_begin(&lab->spool, lab->boot_id, 1000 * lab->boot_id));
}

static bool append_record(struct lab *lab, const struct lab_record *record)
{
    LAB_CHECK(lab, lab->n_records < LAB_MAX_RECORDS, "too many records");
    lab->records[lab->n_records] = *record;
    struct hr_bytes bytes = hr_bytes_of(record->bytes, record->len_bytes);
    struct hr_status status = fw_spool_append(&lab->spool, bytes);
    if (hr_is(status, HR_FULL)) {
        uint32_t n_records = lab->n_records;
        if (!lab_seal(lab) || !lab_begin(lab)) {
            return false;
        }
        LAB_CHECK(lab, n_records == lab->n_records, "records");
        status = fw_spool_append(&lab->spool, bytes);
    }
    /* In flight, it may survive or not; only a whole one may. */
    if (lab->open_records == 0) {
        lab->open_first = lab->n_records;
    }
    lab->n_records++;
    lab->open_records++;
    return went_well(lab, status);
}

bool lab_append(struct lab *lab, uint32_t n_records)
{
    for (uint32_t i = 0; i < n_records; i++) {
        /* Record n is n in big-endian and a tail whose length and bytes follow from n: no two are alike. */
        struct lab_record record = {.len_bytes = (uint8_t)(8 + lab->n_records * 7 % 40)};
        for (uint32_t at = 0; at < record.len_bytes; at++) {
            record.bytes[at] = (uint8_t)(at < 4 ? lab->n_records >> (24 - 8 * at) : lab->n_records * 31 + at);
        }
        if (!append_record(lab, &record)) {
            return false;
        }
    }
    return true;
}

bool lab_append_loss(struct lab *lab)
{
    struct edge_record record = {.dt_ms = 77, .kind = EDGE_LOSS};
    if (!hr_is_ok(fw_spool_pending_loss(&lab->spool, &record.as.loss))) {
        return true;
    }
    struct lab_record encoded = {.len_bytes = 0};
    size_t len_bytes = 0;
    assert_true(hr_is_ok(edge_record_encode(&record, encoded.bytes, sizeof encoded.bytes, &len_bytes)));
    encoded.len_bytes = (uint8_t)len_bytes;
    return append_record(lab, &encoded);
}

/* The newest batch must be readable at once, and the world learns it. */
static void learn_newest(struct lab *lab)
{
    uint8_t envelope[LAB_ENVELOPE_MAX_BYTES];
    struct wire_envelope split;
    struct fw_spool_state state = lab_state(lab);
    (void)read_batch(lab, state.next_batch_seq - 1, envelope, &split);
    (void)learn_batch(lab, &split, state.stream);
}

bool lab_seal(struct lab *lab)
{
    lab->sealing = true;
    if (!went_well(lab, fw_spool_seal(&lab->spool, &lab->sign.port, 0))) {
        return false;
    }
    learn_newest(lab);
    note_given_up(lab);
    return true;
}

bool lab_batch(struct lab *lab, uint32_t n_records)
{
    return lab_begin(lab) && lab_append_loss(lab) && lab_append(lab, n_records) && lab_seal(lab);
}

bool lab_ack(struct lab *lab, uint32_t seq)
{
    struct fw_spool_facts facts;
    struct fw_spool_state state = lab_state(lab);
    if (seq >= state.next_batch_seq || (state.acked_seq != WIRE_SEQ_NONE && seq <= state.acked_seq)) {
        return true;
    }
    note_given_up(lab);
    if (!hr_is_ok(fw_spool_facts_of(&lab->spool, lab->stream, seq, &facts))) {
        return !lab->flash.is_off;
    }
    for (uint32_t i = 0; i < lab->n_batches; i++) {
        struct lab_batch *batch = &lab->batches[i];
        if (batch->stream == lab->stream && batch->seq <= seq && !batch->given_up && !batch->committed) {
            batch->committed = true;
            for (uint32_t r = 0; r < batch->n_records; r++) {
                lab->records[batch->first_record + r].n_committed++;
                LAB_CHECK(lab, lab->records[batch->first_record + r].n_committed == 1, "record %u is doubled",
                          batch->first_record + r);
            }
        }
    }
    if (lab->acked_seq == WIRE_SEQ_NONE || seq > lab->acked_seq) {
        lab->acked_seq = seq;
    }
    return went_well(lab, fw_spool_ack(&lab->spool, seq, facts.digest));
}

bool lab_new_stream(struct lab *lab, uint32_t stream)
{
    /* As the uplink does: the aggregator is asked first, and what it has is acknowledged. */
    if (lab->acked_seq != WIRE_SEQ_NONE && !lab_ack(lab, lab->acked_seq)) {
        return false;
    }
    note_given_up(lab);
    lab->new_stream = stream;
    if (!went_well(lab, fw_spool_new_stream(&lab->spool, stream))) {
        return false;
    }
    enter_stream(lab, stream);
    lab->new_stream = 0;
    return true;
}

bool lab_carry(struct lab *lab)
{
    for (;;) {
        lab->carrying = true;
        struct hr_status status = fw_spool_carry(&lab->spool, &lab->sign.port);
        if (hr_is(status, HR_NOT_FOUND)) {
            lab->carrying = false;
            note_given_up(lab);
            return true;
        }
        if (!went_well(lab, status)) {
            return false;
        }
        learn_newest(lab);
        note_given_up(lab);
    }
}

bool lab_close(struct lab *lab)
{
    return went_well(lab, fw_spool_close(&lab->spool));
}

void lab_drain(struct lab *lab)
{
    LAB_CHECK(lab, !fw_spool_is_open(&lab->spool) || lab_seal(lab), "seal");
    LAB_CHECK(lab, lab_carry(lab), "carry");
    struct edge_loss pending;
    for (uint32_t i = 0; i < 2 * FW_SPOOL_MAX_HOLES && hr_is_ok(fw_spool_pending_loss(&lab->spool, &pending));
         i++) {
        LAB_CHECK(lab, lab_batch(lab, 0), "Loss");
    }
    lab_check(lab);
    for (uint32_t i = 0; i < lab->spool.book.n_gaps; i++) {
        uint32_t carrier_seq;
        uint32_t from_seq = lab->spool.book.gaps[i].hole.loss.from_seq;
        LAB_CHECK(lab, hr_is_ok(fw_spool_loss_carrier(&lab->spool, from_seq, &carrier_seq)), "hole at %u",
                  from_seq);
    }
    struct fw_spool_state state = lab_state(lab);
    LAB_CHECK(lab, state.next_batch_seq == 0 || lab_ack(lab, state.next_batch_seq - 1), "ack");
    state = lab_state(lab);
    LAB_CHECK(lab, state.oldest_seq == state.next_batch_seq && lab->spool.book.n_gaps == 0,
              "something is left");
    for (uint32_t i = 0; i < lab->n_batches; i++) {
        const struct lab_batch *batch = &lab->batches[i];
        for (uint32_t r = 0; r < batch->n_records; r++) {
            uint32_t expected = batch->given_up ? 0 : 1;
            bool moved = batch->carried; /* its copy is counted */
            LAB_CHECK(lab, moved || lab->records[batch->first_record + r].n_committed == expected,
                      "record %u of batch %u/%u", batch->first_record + r, batch->stream, batch->seq);
        }
    }
}
