/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sources/coap/internal.h"

#include "proto/wire/batch.h"

#include <string.h>

enum {
    CODE_CONTINUE = 2 << 5 | 31,
    CODE_INCOMPLETE = 4 << 5 | 8,
    CODE_NOT_FOUND = 4 << 5 | 4,
    BUSY_SLOW_S = 1
};

/* No message goes out for this request now: libcoap drops an empty NON, and over TCP any empty response. */
static void stay_silent(coap_pdu_t *response)
{
    coap_pdu_set_type(response, COAP_MESSAGE_NON);
    coap_pdu_set_code(response, COAP_EMPTY_CODE);
}

/* Answers in the same turn, and keeps the answer for a retransmission. */
static void reply_now(struct source_session *session, const coap_pdu_t *request,
                      const struct source_reply *reply, coap_pdu_t *response)
{
    if (!source_reply_write(reply, response)) {
        coap_pdu_set_code(response, COAP_RESPONSE_CODE(500));
    }
    if (session != NULL && coap_pdu_get_type(request) == COAP_MESSAGE_CON) {
        struct source_exchange exchange;
        source_exchange_of(request, &exchange);
        source_recent_keep(session, &exchange, reply, false);
    }
}

static void refuse(struct source_coap *source, struct source_session *session, const coap_pdu_t *request,
                   enum wire_ack_status status, coap_pdu_t *response)
{
    const struct wire_ack ack = {
        .status = status, .cum_seq = WIRE_SEQ_NONE, .server_utc_ms = source_utc_ms()};
    struct source_reply reply = {
        .code = wire_ack_coap_code(status), .has_format = true, .payload_len_bytes = WIRE_ACK_BYTES};
    wire_ack_encode(&ack, reply.payload);
    if (status == WIRE_ACK_SLOW_DOWN) {
        reply.max_age_s = BUSY_SLOW_S;
    } else if (status == WIRE_ACK_UNAVAILABLE) {
        reply.max_age_s = source->config.retry_after_s;
    }
    reply_now(session, request, &reply, response);
}

static void refuse_and_say(struct source_coap *source, struct source_session *session,
                           const coap_pdu_t *request, enum wire_ack_status status, const char *why,
                           coap_pdu_t *response)
{
    source_emit(source, SOURCE_EVENT_REQUEST_REFUSED, session->peer, session->device_id, why);
    refuse(source, session, request, status, response);
}

/* The session behind a request that is new and may wait; else it is answered, or silence is right. */
static struct source_session *begin(struct source_coap *source, coap_session_t *coap,
                                    const coap_pdu_t *request, coap_pdu_t *response)
{
    struct source_session *session = source_session_of(source, coap);
    if (session == NULL) {
        refuse(source, NULL, request, WIRE_ACK_UNKNOWN_DEVICE, response);
        return NULL;
    }
    session->last_request_ms = source_now_ms();
    if (source_answered_before(source, session, request)) {
        source_count(source, SOURCE_COAP_DUPLICATES, 1);
        stay_silent(response);
        return NULL;
    }
    return session;
}

static bool is_envelope(const coap_pdu_t *request)
{
    coap_opt_iterator_t iterator;
    const coap_opt_t *option = coap_check_option(request, COAP_OPTION_CONTENT_FORMAT, &iterator);
    return option != NULL && coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option)) ==
                                 SOURCE_COAP_CONTENT_FORMAT;
}

static uint32_t block1_value(const coap_block_b_t *block)
{
    return block->num << 4 | (uint32_t)(block->m != 0 ? 1u : 0u) << 3 | block->szx;
}

static void reply_more(struct source_session *session, const coap_pdu_t *request, const coap_block_b_t *block,
                       bool is_part, uint16_t parts, coap_pdu_t *response)
{
    struct source_reply reply = {.code = CODE_CONTINUE, .has_block1 = true, .block1 = block1_value(block)};
    if (is_part) {
        reply.payload[0] = (uint8_t)(parts >> 8);
        reply.payload[1] = (uint8_t)(parts & 0xFF);
        reply.payload_len_bytes = 2;
    }
    reply_now(session, request, &reply, response);
}

/* A part of a body that is whole already is told what became of it. */
static bool finished_before(struct source_coap *source, struct source_session *session,
                            const coap_pdu_t *request, const coap_block_b_t *block,
                            const struct source_block *part, coap_pdu_t *response)
{
    const struct source_finished *finished =
        part->any_order ? source_finished_find(session, &part->tag) : NULL;
    if (finished == NULL) {
        return false;
    }
    source_count(source, SOURCE_COAP_DUPLICATES, 1);
    if (finished->answered) {
        reply_now(session, request, &finished->reply, response);
    } else {
        reply_more(session, request, block, true, UINT16_MAX, response);
    }
    return true;
}

/* Takes the body of a request in blocks. True: *envelope is whole. False: answered. */
static bool take_block(struct source_coap *source, struct source_session *session, const coap_pdu_t *request,
                       const coap_block_b_t *block, struct source_block *part, struct hr_bytes *envelope,
                       coap_pdu_t *response)
{
    uint32_t index = (uint32_t)(session - source->sessions);
    uint16_t parts = 0;
    enum source_body_verdict verdict = SOURCE_BODY_MALFORMED;
    if (source_block_read(request, block, part)) {
        if (finished_before(source, session, request, block, part, response)) {
            return false;
        }
        verdict = source_body_add(source, index, part, envelope, &parts);
    }
    switch (verdict) {
    case SOURCE_BODY_WHOLE:
        return true;
    case SOURCE_BODY_MORE:
        reply_more(session, request, block, part->any_order, parts, response);
        return false;
    case SOURCE_BODY_MISSING:
        source_count(source, SOURCE_COAP_BLOCKS_REFUSED, 1);
        reply_now(session, request, &(struct source_reply){.code = CODE_INCOMPLETE}, response);
        return false;
    case SOURCE_BODY_TOO_LARGE:
        source_count(source, SOURCE_COAP_OVERSIZED, 1);
        refuse_and_say(source, session, request, WIRE_ACK_MALFORMED,
                       "the body is larger than an envelope may be", response);
        return false;
    case SOURCE_BODY_MALFORMED:
        source_count(source, SOURCE_COAP_BLOCKS_REFUSED, 1);
        refuse_and_say(source, session, request, WIRE_ACK_MALFORMED, "a block is not as long as it says",
                       response);
        return false;
    case SOURCE_BODY_NO_ROOM:
        source_count(source, SOURCE_COAP_BUSY, 1);
        refuse(source, session, request, WIRE_ACK_UNAVAILABLE, response);
        return false;
    }
    return false;
}

/* A waiting place, or SOURCE_NONE after an answer. */
static uint32_t take_place(struct source_coap *source, struct source_session *session,
                           const coap_pdu_t *request, bool is_head, coap_pdu_t *response)
{
    if (session->n_waiting >= SOURCE_COAP_WAITING_PER_SESSION) {
        source_count(source, SOURCE_COAP_TOO_MANY_WAITING, 1);
        refuse(source, session, request, WIRE_ACK_SLOW_DOWN, response);
        return SOURCE_NONE;
    }
    uint32_t place = source->refusing ? SOURCE_NONE : source_waiting_new(source, session, request, is_head);
    if (place == SOURCE_NONE) {
        source_count(source, SOURCE_COAP_BUSY, 1);
        refuse(source, session, request, WIRE_ACK_UNAVAILABLE, response);
    }
    return place;
}

/* What became of the hand-over: silence until the answer comes, or 5.03. */
static void handed_over(struct source_coap *source, struct source_session *session, uint32_t place,
                        struct hr_status status, const coap_pdu_t *request, coap_pdu_t *response)
{
    if (hr_is_ok(status)) {
        stay_silent(response);
        return;
    }
    source_waiting_free(source, place);
    source_count(source, SOURCE_COAP_BUSY, 1);
    refuse(source, session, request, WIRE_ACK_UNAVAILABLE, response);
}

/* `block`: the last that came of a body in blocks, else NULL. */
static void hand_over(struct source_coap *source, struct source_session *session, const coap_pdu_t *request,
                      const coap_block_b_t *block, const struct source_block *part, struct hr_bytes envelope,
                      coap_pdu_t *response)
{
    uint32_t place = take_place(source, session, request, false, response);
    if (place == SOURCE_NONE) {
        return;
    }
    struct source_waiting *waiting = &source->waiting[place];
    waiting->has_block1 = block != NULL;
    waiting->block1 = block != NULL ? block1_value(block) : 0;
    source_count(source, SOURCE_COAP_BATCHES, 1);
    source_count(source, SOURCE_COAP_BATCH_BYTES, envelope.len_bytes);
    struct hr_status status = source->config.handler.batch(
        source->config.handler.ctx, source_ticket_of(source, place), session->device_id, envelope);
    if (hr_is_ok(status) && part->any_order) {
        waiting->finished = source_finished_new(session, &part->tag);
    }
    handed_over(source, session, place, status, request, response);
}

void source_on_batch(coap_resource_t *resource, coap_session_t *coap, const coap_pdu_t *request,
                     const coap_string_t *query, coap_pdu_t *response)
{
    (void)query;
    struct source_coap *source = coap_resource_get_userdata(resource);
    struct source_session *session = begin(source, coap, request, response);
    if (session == NULL) {
        return;
    }
    if (!is_envelope(request)) {
        source_count(source, SOURCE_COAP_WRONG_FORMAT, 1);
        refuse_and_say(source, session, request, WIRE_ACK_UNSUPPORTED, "the Content-Format is not 65001",
                       response);
        return;
    }
    struct hr_bytes envelope = hr_bytes_of("", 0);
    coap_block_b_t block;
    struct source_block part = {.any_order = false};
    bool in_blocks = coap_get_block_b(coap, request, COAP_OPTION_BLOCK1, &block) != 0;
    if (in_blocks) {
        if (!take_block(source, session, request, &block, &part, &envelope, response)) {
            return;
        }
    } else if (coap_get_data(request, &envelope.len_bytes, &envelope.data) == 0) {
        envelope = hr_bytes_of("", 0); /* no payload: the core says what it thinks of that */
    }
    if (envelope.len_bytes > source->config.max_body_bytes) {
        source_count(source, SOURCE_COAP_OVERSIZED, 1);
        refuse_and_say(source, session, request, WIRE_ACK_MALFORMED,
                       "the body is larger than an envelope may be", response);
        return;
    }
    hand_over(source, session, request, in_blocks ? &block : NULL, &part, envelope, response);
}

/* "s=N" and nothing else. */
static bool read_stream(const coap_string_t *query, uint32_t *out)
{
    if (query == NULL || query->length < 3 || query->length > 12 || memcmp(query->s, "s=", 2) != 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 2; i < query->length; i++) {
        if (query->s[i] < '0' || query->s[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(query->s[i] - '0');
    }
    *out = (uint32_t)value;
    return value <= UINT32_MAX;
}

void source_on_head(coap_resource_t *resource, coap_session_t *coap, const coap_pdu_t *request,
                    const coap_string_t *query, coap_pdu_t *response)
{
    struct source_coap *source = coap_resource_get_userdata(resource);
    struct source_session *session = begin(source, coap, request, response);
    if (session == NULL) {
        return;
    }
    uint32_t stream = 0;
    if (!read_stream(query, &stream)) {
        source_count(source, SOURCE_COAP_BAD_QUERY, 1);
        refuse_and_say(source, session, request, WIRE_ACK_MALFORMED, "GET /h needs ?s= and a stream number",
                       response);
        return;
    }
    uint32_t place = take_place(source, session, request, true, response);
    if (place == SOURCE_NONE) {
        return;
    }
    source_count(source, SOURCE_COAP_HEADS, 1);
    struct hr_status status = source->config.handler.head(
        source->config.handler.ctx, source_ticket_of(source, place), session->device_id, stream);
    handed_over(source, session, place, status, request, response);
}

void source_on_trust(coap_resource_t *resource, coap_session_t *coap, const coap_pdu_t *request,
                     const coap_string_t *query, coap_pdu_t *response)
{
    struct source_coap *source = coap_resource_get_userdata(resource);
    struct source_session *session = begin(source, coap, request, response);
    if (session != NULL) {
        source_trust_answer(source, session, query, response);
    }
}

void source_on_renewal(coap_resource_t *resource, coap_session_t *coap, const coap_pdu_t *request,
                       const coap_string_t *query, coap_pdu_t *response)
{
    (void)query;
    struct source_coap *source = coap_resource_get_userdata(resource);
    struct source_session *session = begin(source, coap, request, response);
    if (session != NULL) {
        source_renewal_answer(source, session, request, response);
    }
}

/* Also in the place of /.well-known/core: nobody needs a list of two. */
void source_on_unknown(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                       const coap_string_t *query, coap_pdu_t *response)
{
    (void)resource;
    (void)session;
    (void)request;
    (void)query;
    coap_pdu_set_code(response, COAP_RESPONSE_CODE_NOT_FOUND);
}
