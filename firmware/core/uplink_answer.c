/* SPDX-License-Identifier: Apache-2.0
 *
 * What an answer does: the table of proto/SPEC.md section 4, row by row. */
#include "firmware/core/uplink_internal.h"

#include "proto/base/assert.h"
#include "proto/wire/ack.h"

enum {
    COAP_CLASS_SUCCESS = 2,
    MAX_AGE_DEFAULT_S = 60, /* RFC 7252 section 5.10.5 */
    NO_PROGRESS_WAIT_MS = 1000,
    BAD_ANSWER_WAIT_MS = 10 * 1000,
    OPERATOR_WAIT_MS = 60 * 1000, /* only someone's decision or another release can help */
};

/* ---- time ---- */

/* The server read its clock between our request and its answer, so its time lies within RTT/2 of the middle.
 */
static void offer_anchor(struct fw_uplink *uplink, const struct fw_uplink_request *request,
                         const struct wire_ack *ack)
{
    uint64_t now_ms = fw_uplink_now_ms(uplink);
    uint64_t rtt_ms = now_ms - request->sent_ms;
    if (!uplink->anchor_due && now_ms - uplink->last_anchor_ms < uplink->config.anchor_interval_ms) {
        return;
    }
    if (rtt_ms > FW_UPLINK_ANCHOR_RTT_MAX_MS) {
        uplink->counters.slow_answers++;
        return;
    }
    struct edge_time_anchor anchor = {
        .boot_id = uplink->config.boot_id,
        .uptime_ms = now_ms,
        .utc_ms = ack->server_utc_ms + rtt_ms / 2,
        .err_ms = (uint32_t)(rtt_ms - rtt_ms / 2) + 1, /* both clocks count whole milliseconds */
        .source = EDGE_ANCHOR_ACK,
    };
    uplink->anchor_due = false;
    uplink->last_anchor_ms = now_ms;
    uplink->counters.anchors++;
    uplink->config.owner.anchor(uplink->config.owner.ctx, &anchor);
}

/* ---- what the aggregator has ---- */

static void accepted(struct fw_uplink *uplink)
{
    uplink->accepted_since_refusal = true;
    uplink->suspect_seq = WIRE_SEQ_NONE;
    uplink->useful_session = true;
    uplink->failed_opens = 0;
    uplink->backoffs = 0;
    uplink->told_events = 0;
}

/* Frees what the ack covers and notes what it waits for. False: it could not be taken, and what follows is
 * arranged: a new stream where the chains differ, another try where the spool failed. */
static bool take_cumulative(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    struct fw_spool_state spool;
    fw_spool_state(uplink->config.spool, &spool);
    if (ack->stream != spool.stream) {
        return true;
    }
    if (ack->cum_seq != WIRE_SEQ_NONE) {
        struct hr_status status = fw_spool_ack(uplink->config.spool, ack->cum_seq, ack->cum_digest);
        if (hr_is(status, HR_DENIED)) {
            fw_uplink_tell(uplink, FW_EVENT_FORK, "the aggregator acknowledged another batch of this number");
            fw_uplink_want_stream(uplink, spool.stream);
            return false;
        }
        if (hr_is(status, HR_NOT_FOUND)) {
            fw_uplink_tell(uplink, FW_EVENT_AGGREGATOR_AHEAD,
                           "the aggregator has batches that were not sealed here");
            fw_uplink_want_stream(uplink, spool.stream);
            return false;
        }
        if (!hr_is_ok(status)) {
            uplink->counters.read_failures++;
            PORT_LOG(uplink->config.log, PORT_LOG_ERROR, "spool_ack_failed", {"cum_seq", NULL, ack->cum_seq},
                     {"status", hr_code_name(status.code), 0});
            fw_uplink_hold(uplink, NO_PROGRESS_WAIT_MS);
            return false;
        }
    }
    uint32_t expected_seq = ack->cum_seq + 1; /* WIRE_SEQ_NONE + 1 is 0 */
    if (expected_seq > uplink->expected_seq) {
        uplink->expected_seq = expected_seq;
        uplink->held = 0;
    }
    if (expected_seq == uplink->expected_seq) {
        uplink->held = ack->sack;
    }
    return true;
}

/* ---- GET /h ---- */

static void head_is_known(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    struct fw_spool_state spool;
    fw_spool_state(uplink->config.spool, &spool);
    uint32_t had_acked = uplink->head_acked_seq;
    bool behind = had_acked != WIRE_SEQ_NONE && (ack->cum_seq == WIRE_SEQ_NONE || ack->cum_seq < had_acked);
    if (ack->stream != spool.stream) {
        uplink->counters.bad_answers++;
        fw_uplink_hold(uplink, BAD_ANSWER_WAIT_MS);
        return;
    }
    if (behind) {
        fw_uplink_tell(uplink, FW_EVENT_AGGREGATOR_BEHIND,
                       "the aggregator lacks batches that it acknowledged");
        fw_uplink_want_stream(uplink, spool.stream);
        return;
    }
    /* Answers to posts may have overtaken this one: what they acknowledged stays acknowledged. */
    uplink->expected_seq = spool.acked_seq + 1;
    if (!take_cumulative(uplink, ack)) {
        return;
    }
    uplink->cursor_seq = uplink->expected_seq;
    uplink->head_known = true;
    if (fw_uplink_is_drained(uplink)) {
        uplink->useful_session = true;
        uplink->failed_opens = 0;
    }
}

/* ---- refusals of a batch ---- */

/* HR_OK: the batch is right as it stands in the spool. HR_CORRUPT: it is not. HR_NOT_FOUND: it is there no
 * more. */
static struct hr_status check_own(struct fw_uplink *uplink, uint32_t seq)
{
    uint32_t len_bytes = 0;
    HR_TRY(fw_spool_read(uplink->config.spool, seq, uplink->config.envelope,
                         uplink->config.envelope_capacity_bytes, &len_bytes));
    struct wire_envelope envelope;
    if (!hr_is_ok(wire_envelope_split(hr_bytes_of(uplink->config.envelope, len_bytes), &envelope)) ||
        !hr_is_ok(wire_payload_check_in(&uplink->tree, uplink->config.hash, envelope.payload,
                                        envelope.header.n_records, envelope.header.root))) {
        return hr_status_of(HR_CORRUPT);
    }
    const struct port_verify *verify = uplink->config.verify;
    struct hr_status status = verify->verify(verify->ctx, envelope.header.key_epoch, envelope.header_bytes,
                                             envelope.signature_bytes);
    if (hr_is(status, HR_NOT_FOUND)) {
        return hr_ok(); /* an older epoch, whose public key is gone: nothing speaks against the batch */
    }
    return hr_is(status, HR_DENIED) ? hr_status_of(HR_CORRUPT) : status;
}

static void give_up(struct fw_uplink *uplink, uint32_t seq, enum edge_loss_reason reason)
{
    uplink->suspect_seq = WIRE_SEQ_NONE;
    struct hr_status status = fw_spool_abandon(uplink->config.spool, seq, reason);
    if (!hr_is_ok(status)) {
        PORT_LOG(uplink->config.log, PORT_LOG_ERROR, "spool_abandon_failed", {"seq", NULL, seq},
                 {"status", hr_code_name(status.code), 0});
        fw_uplink_hold(uplink, NO_PROGRESS_WAIT_MS);
        return;
    }
    uplink->counters.given_up++;
    if (reason == EDGE_LOSS_DAMAGED) {
        fw_uplink_tell(uplink, FW_EVENT_DAMAGED, "a sealed batch was damaged in the spool and given up");
    } else {
        fw_uplink_tell(uplink, FW_EVENT_REFUSED, "a batch that is right here was refused twice and given up");
    }
}

/* A batch that the aggregator can't take. Sound here, it goes a second time; refused again, only the batch
 * itself can be at fault when others were accepted meanwhile. When none was, the fault is the aggregator's (a
 * wrong key in its registry, a newer release here), and giving up would throw the whole spool away batch by
 * batch. */
static void refused(struct fw_uplink *uplink, const struct fw_uplink_request *request, bool may_give_up)
{
    uint32_t seq = request->seq;
    if (seq != uplink->expected_seq && !request->is_carrier) {
        return; /* it goes again when its turn comes, and is judged then */
    }
    struct hr_status sound = check_own(uplink, seq);
    if (hr_is(sound, HR_CORRUPT)) {
        give_up(uplink, seq, EDGE_LOSS_DAMAGED);
        return;
    }
    if (hr_is(sound, HR_NOT_FOUND)) {
        return;
    }
    if (uplink->suspect_seq != seq) {
        uplink->suspect_seq = seq;
        return;
    }
    if (may_give_up && uplink->accepted_since_refusal && hr_is_ok(sound)) {
        uplink->accepted_since_refusal = false;
        give_up(uplink, seq, EDGE_LOSS_REFUSED);
        return;
    }
    if (may_give_up) {
        fw_uplink_tell(uplink, FW_EVENT_ALL_REFUSED,
                       "signatures that are right here are refused, and none accepted");
    } else {
        fw_uplink_tell(uplink, FW_EVENT_MALFORMED, "a batch that is right here was called malformed twice");
    }
    fw_uplink_hold(uplink, OPERATOR_WAIT_MS);
}

/* Refused for its key: what is not acknowledged may have to be signed by the other one. */
static bool is_other_key_tried(struct fw_uplink *uplink, const struct fw_uplink_request *request,
                               const struct wire_ack *ack)
{
    const struct fw_uplink_owner *owner = &uplink->config.owner;
    bool is_awaited = request->seq == uplink->expected_seq || request->is_carrier;
    bool is_sure = ack->status == WIRE_ACK_UNKNOWN_KEY || uplink->suspect_seq == request->seq;
    if (owner->key_refused == NULL || !is_awaited || !is_sure ||
        !owner->key_refused(owner->ctx, request->seq, ack->status)) {
        return false;
    }
    uplink->accepted_since_refusal = false; /* under a key that was taken: it says nothing of the other */
    fw_uplink_want_stream(uplink, ack->stream);
    return true;
}

static void conflict(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    uplink->counters.conflicts++;
    if (ack->status == WIRE_ACK_EQUIVOCATION) {
        fw_uplink_tell(uplink, FW_EVENT_EQUIVOCATION, "the aggregator holds another batch of this number");
    } else {
        fw_uplink_tell(uplink, FW_EVENT_FORK, "the aggregator has another chain");
    }
    fw_uplink_want_stream(uplink, ack->stream);
}

static void gap(struct fw_uplink *uplink, const struct fw_uplink_request *request, const struct wire_ack *ack,
                bool progressed)
{
    uplink->counters.gaps++;
    if (progressed) {
        if (request->is_carrier) {
            accepted(uplink); /* its signature was checked, and its Loss moved the aggregator */
        }
        return;
    }
    uint32_t awaited_seq = ack->cum_seq + 1;
    if (awaited_seq < uplink->expected_seq) {
        /* An answer that was overtaken, or an aggregator that forgot: its head tells which. */
        uplink->head_known = false;
        return;
    }
    if (request->is_carrier || request->seq == awaited_seq) {
        /* The very batch it waits for, or the Loss of it, changed nothing: asking again at once won't either.
         */
        fw_uplink_hold(uplink, NO_PROGRESS_WAIT_MS);
    }
}

/* ---- one answer ---- */

static void told_to_wait(struct fw_uplink *uplink, uint32_t max_age_s)
{
    uplink->counters.told_to_wait++;
    fw_uplink_hold(uplink, (uint64_t)(max_age_s != 0 ? max_age_s : MAX_AGE_DEFAULT_S) * 1000);
}

/* The rows that mean the same whatever was asked. */
static void refused_device(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    if (ack->status == WIRE_ACK_UNKNOWN_KEY) {
        uplink->counters.unknown_key++;
        fw_uplink_tell(uplink, FW_EVENT_UNKNOWN_KEY, "the aggregator doesn't know this record key");
        fw_uplink_hold(uplink, OPERATOR_WAIT_MS);
    } else if (ack->status == WIRE_ACK_UNSUPPORTED) {
        uplink->counters.unsupported++;
        fw_uplink_tell(uplink, FW_EVENT_UNSUPPORTED, "the aggregator doesn't know this format");
        fw_uplink_hold(uplink, OPERATOR_WAIT_MS);
    } else {
        uplink->counters.denied++;
        fw_uplink_tell(uplink, FW_EVENT_DENIED, wire_ack_status_name(ack->status));
        fw_uplink_hold_denied(uplink);
    }
}

static void bad_answer(struct fw_uplink *uplink, uint8_t coap_code, uint32_t max_age_s)
{
    uplink->counters.bad_answers++;
    PORT_LOG(uplink->config.log, PORT_LOG_WARN, "uplink_bad_answer", {"coap_class", NULL, coap_code >> 5},
             {"coap_detail", NULL, coap_code & 0x1F});
    fw_uplink_hold(uplink, max_age_s != 0 ? (uint64_t)max_age_s * 1000 : BAD_ANSWER_WAIT_MS);
}

static void on_post_answer(struct fw_uplink *uplink, const struct fw_uplink_request *request,
                           const struct wire_ack *ack, uint32_t max_age_s)
{
    uint32_t expected_before = uplink->expected_seq;
    if (!take_cumulative(uplink, ack)) {
        return;
    }
    switch (ack->status) {
    case WIRE_ACK_OK:
        uplink->counters.accepted++;
        accepted(uplink);
        break;
    case WIRE_ACK_DUPLICATE:
        uplink->counters.duplicates++;
        accepted(uplink);
        break;
    case WIRE_ACK_GAP:
        gap(uplink, request, ack, uplink->expected_seq != expected_before);
        break;
    case WIRE_ACK_MALFORMED:
        uplink->counters.malformed++;
        refused(uplink, request, false);
        break;
    case WIRE_ACK_BAD_SIGNATURE:
    case WIRE_ACK_BAD_ROOT:
        uplink->counters.refused++;
        if (ack->status != WIRE_ACK_BAD_SIGNATURE || !is_other_key_tried(uplink, request, ack)) {
            refused(uplink, request, true);
        }
        break;
    case WIRE_ACK_FORK:
    case WIRE_ACK_EQUIVOCATION:
        conflict(uplink, ack);
        break;
    case WIRE_ACK_SLOW_DOWN:
    case WIRE_ACK_UNAVAILABLE:
        told_to_wait(uplink, max_age_s);
        break;
    case WIRE_ACK_UNKNOWN_KEY:
        if (is_other_key_tried(uplink, request, ack)) {
            break;
        }
        refused_device(uplink, ack);
        break;
    case WIRE_ACK_UNSUPPORTED:
    case WIRE_ACK_REVOKED:
    case WIRE_ACK_QUARANTINED:
    case WIRE_ACK_UNKNOWN_DEVICE:
        refused_device(uplink, ack);
        break;
    case WIRE_ACK_STREAM_AHEAD:
        fw_uplink_tell(uplink, FW_EVENT_AGGREGATOR_AHEAD,
                       "the aggregator knows a later stream of this device");
        fw_uplink_want_stream(uplink, ack->stream);
        break;
    }
}

static void on_head_answer(struct fw_uplink *uplink, const struct wire_ack *ack, uint32_t max_age_s)
{
    switch (ack->status) {
    case WIRE_ACK_OK:
        head_is_known(uplink, ack);
        break;
    case WIRE_ACK_STREAM_AHEAD:
        fw_uplink_tell(uplink, FW_EVENT_AGGREGATOR_AHEAD,
                       "the aggregator knows a later stream of this device");
        fw_uplink_want_stream(uplink, ack->stream);
        break;
    case WIRE_ACK_SLOW_DOWN:
    case WIRE_ACK_UNAVAILABLE:
        told_to_wait(uplink, max_age_s);
        break;
    case WIRE_ACK_UNKNOWN_KEY:
    case WIRE_ACK_UNSUPPORTED:
    case WIRE_ACK_REVOKED:
    case WIRE_ACK_QUARANTINED:
    case WIRE_ACK_UNKNOWN_DEVICE:
        refused_device(uplink, ack);
        break;
    case WIRE_ACK_DUPLICATE:
    case WIRE_ACK_GAP:
    case WIRE_ACK_MALFORMED:
    case WIRE_ACK_FORK:
    case WIRE_ACK_EQUIVOCATION:
    case WIRE_ACK_BAD_SIGNATURE:
    case WIRE_ACK_BAD_ROOT:
        bad_answer(uplink, wire_ack_coap_code(ack->status), max_age_s);
        break;
    }
}

static bool code_fits(uint8_t coap_code, const struct wire_ack *ack)
{
    uint8_t wanted = wire_ack_coap_code(ack->status);
    bool both_succeed = coap_code >> 5 == COAP_CLASS_SUCCESS && wanted >> 5 == COAP_CLASS_SUCCESS;
    return coap_code == wanted || both_succeed;
}

void fw_uplink_on_answer(void *ctx, uint32_t token, uint8_t coap_code, struct hr_bytes payload,
                         uint32_t max_age_s)
{
    struct fw_uplink *uplink = ctx;
    struct fw_uplink_request *found = fw_uplink_find(uplink, token);
    if (fw_uplink_trust_answered(uplink, token, coap_code, payload) ||
        fw_uplink_renew_answered(uplink, token, coap_code, payload, max_age_s) || found == NULL) {
        return;
    }
    struct fw_uplink_request request = *found;
    found->active = false;
    uplink->failed_exchanges = 0;

    struct wire_ack ack;
    if (!hr_is_ok(wire_ack_decode(payload, &ack)) || !code_fits(coap_code, &ack)) {
        bad_answer(uplink, coap_code, max_age_s);
        return;
    }
    offer_anchor(uplink, &request, &ack);
    fw_uplink_trust_hint(uplink, &ack);
    fw_uplink_renew_look(uplink, &ack);
    struct fw_spool_state spool;
    fw_spool_state(uplink->config.spool, &spool);
    if (request.stream != spool.stream || uplink->mode == FW_UPLINK_NEW_STREAM) {
        return; /* about a stream that was left since */
    }
    if (request.is_head) {
        on_head_answer(uplink, &ack, max_age_s);
    } else {
        on_post_answer(uplink, &request, &ack, max_age_s);
    }
    if (ack.stream != spool.stream || ack.cum_seq + 1 < uplink->expected_seq || ack.hints == 0) {
        return;
    }
    fw_uplink_renew_hint(uplink, &ack);
    if (uplink->config.owner.hints != NULL) {
        uplink->config.owner.hints(uplink->config.owner.ctx, ack.hints);
    }
}

void fw_uplink_on_timeout(void *ctx, uint32_t token)
{
    struct fw_uplink *uplink = ctx;
    struct fw_uplink_request *request = fw_uplink_find(uplink, token);
    if (fw_uplink_trust_timed_out(uplink, token) || fw_uplink_renew_timed_out(uplink, token) ||
        request == NULL) {
        return;
    }
    request->active = false;
    uplink->counters.timeouts++;
    uplink->failed_exchanges++;
    /* GET /h is the probe whether anyone still hears us, and its answer sets the cursor back to what is
     * missing. */
    uplink->head_known = false;
    if (uplink->failed_exchanges >= 2) {
        fw_uplink_drop_session(uplink);
    }
}
