/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/aggregator_model.h"

#include "tests/support/test_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct wire_ack ack_now(const struct aggregator_model *model, enum wire_ack_status status,
                               uint64_t utc_ms)
{
    struct wire_ack ack = {.status = status, .stream = model->stream, .server_utc_ms = utc_ms};
    ack.cum_seq = model->known ? model->cum_seq : WIRE_SEQ_NONE;
    if (ack.cum_seq != WIRE_SEQ_NONE) {
        memcpy(ack.cum_digest, model->cum_digest, sizeof ack.cum_digest);
    }
    for (size_t i = 0; i < MODEL_MAX_HELD; i++) {
        uint32_t ahead = model->held[i].seq - (ack.cum_seq + 2);
        if (model->held[i].used && ahead < 32) {
            ack.sack |= UINT32_C(1) << ahead;
        }
    }
    return ack;
}

static uint32_t awaited(const struct aggregator_model *model)
{
    return model->known ? model->cum_seq + 1 : 0;
}

/* Every sample has a number of its own, given in the order of their being seen. */
static void count_records(struct aggregator_model *model, struct hr_bytes payload)
{
    struct hr_reader reader = hr_reader_over(payload);
    struct hr_bytes bytes;
    while (hr_is_ok(wire_record_next(&reader, &bytes))) {
        struct edge_record record;
        assert_true(hr_is_ok(edge_record_decode(bytes, &record)));
        model->n_records++;
        if (record.kind == EDGE_SAMPLE) {
            assert_true((uint64_t)record.as.sample.value >= model->next_sample);
            model->next_sample = (uint64_t)record.as.sample.value + 1;
            model->n_samples++;
        }
    }
}

static void commit(struct aggregator_model *model, const struct wire_envelope *envelope)
{
    assert_int_equal(envelope->header.batch_seq, awaited(model));
    if (model->known && model->cum_seq != WIRE_SEQ_NONE) {
        assert_memory_equal(envelope->header.prev_digest, model->cum_digest, WIRE_DIGEST_BYTES);
    }
    assert_int_equal(envelope->header.first_record_seq, model->next_record_seq);
    count_records(model, envelope->payload);
    model->known = true;
    model->cum_seq = envelope->header.batch_seq;
    wire_batch_digest(test_hash(), envelope->header_bytes, model->cum_digest);
    model->next_record_seq += envelope->header.n_records;
}

static void commit_held(struct aggregator_model *model)
{
    for (size_t i = 0; i < MODEL_MAX_HELD; i++) {
        struct model_held *held = &model->held[i];
        if (held->used && held->seq < awaited(model)) {
            held->used = false;
        } else if (held->used && held->seq == awaited(model)) {
            struct wire_envelope envelope;
            assert_true(
                hr_is_ok(wire_envelope_split(hr_bytes_of(held->envelope, held->len_bytes), &envelope)));
            commit(model, &envelope);
            held->used = false;
            i = (size_t)-1; /* another may be next now */
        }
    }
}

static bool apply_loss(struct aggregator_model *model, const struct wire_envelope *envelope)
{
    if ((envelope->header.flags & WIRE_FLAG_LOSS) == 0) {
        return false;
    }
    struct hr_reader reader = hr_reader_over(envelope->payload);
    struct hr_bytes bytes;
    while (hr_is_ok(wire_record_next(&reader, &bytes))) {
        struct edge_record record;
        assert_true(hr_is_ok(edge_record_decode(bytes, &record)));
        const struct edge_loss *loss = &record.as.loss;
        if (record.kind == EDGE_LOSS && loss->from_seq <= awaited(model) && awaited(model) <= loss->to_seq) {
            uint64_t end_seq = loss->first_record_seq + loss->n_records;
            assert_true(end_seq >= model->next_record_seq);
            model->n_lost_records += end_seq - model->next_record_seq;
            model->next_record_seq = end_seq;
            model->known = true;
            model->cum_seq = loss->to_seq;
            memcpy(model->cum_digest, loss->last_digest, WIRE_DIGEST_BYTES);
            model->n_losses_first++;
            return true;
        }
    }
    return false;
}

static void hold(struct aggregator_model *model, const struct wire_envelope *envelope, struct hr_bytes bytes)
{
    struct model_held *vacant = NULL;
    for (size_t i = 0; i < MODEL_MAX_HELD; i++) {
        if (model->held[i].used && model->held[i].seq == envelope->header.batch_seq) {
            return;
        }
        if (!model->held[i].used) {
            vacant = &model->held[i];
        }
    }
    if (vacant != NULL && bytes.len_bytes <= sizeof vacant->envelope) {
        vacant->used = true;
        vacant->seq = envelope->header.batch_seq;
        vacant->len_bytes = bytes.len_bytes;
        memcpy(vacant->envelope, bytes.data, bytes.len_bytes);
    }
}

struct wire_ack model_post(struct aggregator_model *model, struct hr_bytes bytes, uint64_t utc_ms)
{
    struct wire_envelope envelope;
    assert_true(hr_is_ok(wire_envelope_split(bytes, &envelope)));
    assert_true(hr_is_ok(
        wire_payload_check(test_hash(), envelope.payload, envelope.header.n_records, envelope.header.root)));
    assert_int_equal(envelope.header.stream, model->stream);
    uint32_t seq = envelope.header.batch_seq;
    if (seq < awaited(model)) {
        return ack_now(model, WIRE_ACK_DUPLICATE, utc_ms);
    }
    if (seq == awaited(model)) {
        commit(model, &envelope);
        commit_held(model);
        return ack_now(model, WIRE_ACK_OK, utc_ms);
    }
    if (apply_loss(model, &envelope)) {
        commit_held(model);
        return ack_now(model, WIRE_ACK_GAP, utc_ms);
    }
    hold(model, &envelope, bytes);
    return ack_now(model, WIRE_ACK_GAP, utc_ms);
}

struct wire_ack model_head(const struct aggregator_model *model, uint32_t stream, uint64_t utc_ms)
{
    assert_int_equal(stream, model->stream);
    return ack_now(model, WIRE_ACK_OK, utc_ms);
}

void model_restart(struct aggregator_model *model)
{
    memset(model->held, 0, sizeof model->held);
}
