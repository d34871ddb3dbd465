/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sources/coap/internal.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void source_exchange_of(const coap_pdu_t *request, struct source_exchange *out)
{
    coap_bin_const_t token = coap_pdu_get_token(request);
    HR_ASSERT(token.length <= SOURCE_TOKEN_MAX_BYTES); /* the context refuses longer ones */
    out->mid = coap_pdu_get_mid(request);
    out->token_len_bytes = (uint8_t)token.length;
    memcpy(out->token, token.s, token.length);
}

static bool same_exchange(const struct source_exchange *a, const struct source_exchange *b)
{
    return a->mid == b->mid && a->token_len_bytes == b->token_len_bytes &&
           memcmp(a->token, b->token, a->token_len_bytes) == 0;
}

/* ---- the unconfirmed list, oldest first ---- */

static void unconfirmed_append(struct source_coap *source, uint32_t index)
{
    struct source_waiting *waiting = &source->waiting[index];
    waiting->previous = source->last_unconfirmed;
    waiting->next = SOURCE_NONE;
    if (source->last_unconfirmed == SOURCE_NONE) {
        source->first_unconfirmed = index;
    } else {
        source->waiting[source->last_unconfirmed].next = index;
    }
    source->last_unconfirmed = index;
}

static void unconfirmed_remove(struct source_coap *source, uint32_t index)
{
    struct source_waiting *waiting = &source->waiting[index];
    if (waiting->previous == SOURCE_NONE) {
        source->first_unconfirmed = waiting->next;
    } else {
        source->waiting[waiting->previous].next = waiting->next;
    }
    if (waiting->next == SOURCE_NONE) {
        source->last_unconfirmed = waiting->previous;
    } else {
        source->waiting[waiting->next].previous = waiting->previous;
    }
}

static bool is_unconfirmed(const struct source_waiting *waiting)
{
    return waiting->confirmable && !waiting->confirmed;
}

/* ---- waiting requests ---- */

uint32_t source_waiting_new(struct source_coap *source, struct source_session *session,
                            const coap_pdu_t *request, bool is_head)
{
    uint32_t index = source->first_free;
    if (index == SOURCE_NONE) {
        return SOURCE_NONE;
    }
    struct source_waiting *waiting = &source->waiting[index];
    source->first_free = waiting->next;
    uint32_t generation = waiting->generation + 1;
    *waiting = (struct source_waiting){
        .used = true,
        .confirmable = coap_pdu_get_type(request) == COAP_MESSAGE_CON &&
                       coap_session_get_proto(session->coap) == COAP_PROTO_DTLS,
        .is_head = is_head,
        .generation = generation,
        .session = (uint32_t)(session - source->sessions),
        .finished = SOURCE_NONE,
        .since_ms = source_now_ms(),
    };
    source_exchange_of(request, &waiting->exchange);
    if (is_unconfirmed(waiting)) {
        unconfirmed_append(source, index);
    }
    session->n_waiting++;
    atomic_fetch_add_explicit(&source->n_waiting, 1, memory_order_relaxed);
    return index;
}

void source_waiting_free(struct source_coap *source, uint32_t index)
{
    struct source_waiting *waiting = &source->waiting[index];
    if (waiting->session != SOURCE_NONE) {
        if (is_unconfirmed(waiting)) {
            unconfirmed_remove(source, index);
        }
        source->sessions[waiting->session].n_waiting--;
    }
    waiting->used = false;
    waiting->next = source->first_free;
    source->first_free = index;
    atomic_fetch_sub_explicit(&source->n_waiting, 1, memory_order_relaxed);
}

void source_waiting_orphan(struct source_coap *source, uint32_t session)
{
    for (uint32_t i = 0; i < source->config.max_waiting; i++) {
        struct source_waiting *waiting = &source->waiting[i];
        if (waiting->used && waiting->session == session) {
            if (is_unconfirmed(waiting)) {
                unconfirmed_remove(source, i);
            }
            waiting->session = SOURCE_NONE; /* the place stays taken until the core answers */
        }
    }
    source->sessions[session].n_waiting = 0;
}

struct source_ticket source_ticket_of(const struct source_coap *source, uint32_t index)
{
    return (struct source_ticket){(uint64_t)source->waiting[index].generation << 32 | index};
}

/* ---- sending ---- */

bool source_reply_write(const struct source_reply *reply, coap_pdu_t *pdu)
{
    uint8_t value[4];
    coap_pdu_set_code(pdu, (coap_pdu_code_t)reply->code);
    if (reply->has_format &&
        coap_add_option(pdu, COAP_OPTION_CONTENT_FORMAT,
                        coap_encode_var_safe(value, sizeof(value), SOURCE_COAP_CONTENT_FORMAT), value) == 0) {
        return false;
    }
    if (reply->max_age_s > 0 &&
        coap_add_option(pdu, COAP_OPTION_MAXAGE, coap_encode_var_safe(value, sizeof(value), reply->max_age_s),
                        value) == 0) {
        return false;
    }
    if (reply->has_block1 &&
        coap_add_option(pdu, COAP_OPTION_BLOCK1, coap_encode_var_safe(value, sizeof(value), reply->block1),
                        value) == 0) {
        return false;
    }
    return reply->payload_len_bytes == 0 || coap_add_data(pdu, reply->payload_len_bytes, reply->payload) != 0;
}

void source_recent_keep(struct source_session *session, const struct source_exchange *exchange,
                        const struct source_reply *reply, bool separate)
{
    session->recent[session->next_recent] =
        (struct source_recent){.used = true, .separate = separate, .exchange = *exchange, .reply = *reply};
    session->next_recent = (session->next_recent + 1) % SOURCE_RECENT;
}

static bool send_reply(struct source_coap *source, struct source_session *session, coap_pdu_type_t type,
                       const struct source_exchange *exchange, const struct source_reply *reply)
{
    /* An ACK carries the id of what it acknowledges; a message of our own begins with an id of ours. */
    coap_mid_t mid =
        type == COAP_MESSAGE_ACK ? exchange->mid : (coap_mid_t)coap_new_message_id(session->coap);
    coap_pdu_t *pdu = coap_pdu_init(type, COAP_EMPTY_CODE, mid, coap_session_max_pdu_size(session->coap));
    bool empty = reply == NULL;
    if (pdu != NULL && !empty &&
        (!coap_add_token(pdu, exchange->token_len_bytes, exchange->token) ||
         !source_reply_write(reply, pdu))) {
        coap_delete_pdu(pdu);
        pdu = NULL;
    }
    if (pdu == NULL || coap_send(session->coap, pdu) == COAP_INVALID_MID) {
        source_count(source, SOURCE_COAP_ANSWERS_UNSENT, 1);
        return false;
    }
    return true;
}

bool source_answered_before(struct source_coap *source, struct source_session *session,
                            const coap_pdu_t *request)
{
    if (coap_pdu_get_type(request) != COAP_MESSAGE_CON ||
        coap_session_get_proto(session->coap) != COAP_PROTO_DTLS) {
        return false;
    }
    struct source_exchange exchange;
    source_exchange_of(request, &exchange);
    for (uint32_t i = 0; i < SOURCE_RECENT; i++) {
        const struct source_recent *recent = &session->recent[i];
        if (recent->used && same_exchange(&recent->exchange, &exchange)) {
            (void)send_reply(source, session, COAP_MESSAGE_ACK, &exchange,
                             recent->separate ? NULL : &recent->reply);
            return true;
        }
    }
    uint32_t own = (uint32_t)(session - source->sessions);
    for (uint32_t i = 0; session->n_waiting > 0 && i < source->config.max_waiting; i++) {
        const struct source_waiting *waiting = &source->waiting[i];
        if (waiting->used && waiting->session == own && same_exchange(&waiting->exchange, &exchange)) {
            if (waiting->confirmed) {
                (void)send_reply(source, session, COAP_MESSAGE_ACK, &exchange, NULL);
            }
            return true;
        }
    }
    return false;
}

/* RFC 7252 leaves the success code to the method: what POST is told with 2.04, GET is told with 2.05. */
static uint8_t code_for(const struct source_waiting *waiting, enum wire_ack_status status)
{
    enum { CHANGED = 2 << 5 | 4, CONTENT = 2 << 5 | 5 };
    uint8_t code = wire_ack_coap_code(status);
    return waiting->is_head && code == CHANGED ? CONTENT : code;
}

static void send_answer(struct source_coap *source, const struct source_answer *answer)
{
    uint32_t index = (uint32_t)answer->ticket.id;
    HR_ASSERT(index < source->config.max_waiting);
    struct source_waiting *waiting = &source->waiting[index];
    HR_ASSERT(waiting->used && waiting->generation == (uint32_t)(answer->ticket.id >> 32));
    if (waiting->session == SOURCE_NONE) {
        source_count(source, SOURCE_COAP_ANSWERS_VOID, 1);
        source_waiting_free(source, index);
        return;
    }
    struct source_session *session = &source->sessions[waiting->session];
    struct source_reply reply = {.code = code_for(waiting, answer->ack.status),
                                 .has_format = true,
                                 .payload_len_bytes = WIRE_ACK_BYTES,
                                 .max_age_s = answer->max_age_s};
    struct wire_ack ack = answer->ack;
    ack.hints |= source_trust_is_behind(source, session) ? WIRE_HINT_CONFIG : 0;
    wire_ack_encode(&ack, reply.payload);
    reply.has_block1 = waiting->has_block1 && reply.code >> 5 == 2;
    reply.block1 = waiting->block1;

    if (waiting->finished != SOURCE_NONE) {
        session->finished[waiting->finished].reply = reply;
        session->finished[waiting->finished].answered = true;
    }
    coap_pdu_type_t type = COAP_MESSAGE_NON;
    enum source_coap_counter counter = SOURCE_COAP_ANSWERS_UNCONFIRMED;
    if (coap_session_get_proto(session->coap) != COAP_PROTO_DTLS) {
        type = COAP_MESSAGE_CON; /* as libcoap wants it over TCP */
        counter = SOURCE_COAP_ANSWERS_STREAMED;
    } else if (waiting->confirmable) {
        type = waiting->confirmed ? COAP_MESSAGE_CON : COAP_MESSAGE_ACK;
        counter = waiting->confirmed ? SOURCE_COAP_ANSWERS_SEPARATE : SOURCE_COAP_ANSWERS_PIGGYBACKED;
        source_recent_keep(session, &waiting->exchange, &reply, waiting->confirmed);
    }
    if (send_reply(source, session, type, &waiting->exchange, &reply)) {
        source_count(source, counter, 1);
    }
    /* Sending may have ended the session and with it the claim on the place. */
    source_waiting_free(source, index);
}

static bool take_answer(struct source_coap *source, struct source_answer *out)
{
    (void)pthread_mutex_lock(&source->answers_lock);
    bool taken = source->n_answers > 0;
    if (taken) {
        *out = source->answers[source->answers_first];
        source->answers_first = (source->answers_first + 1) % source->config.max_waiting;
        source->n_answers--;
    }
    (void)pthread_mutex_unlock(&source->answers_lock);
    return taken;
}

static void confirm_late(struct source_coap *source, uint64_t now_ms)
{
    while (source->first_unconfirmed != SOURCE_NONE) {
        uint32_t index = source->first_unconfirmed;
        struct source_waiting *waiting = &source->waiting[index];
        if (now_ms - waiting->since_ms < SOURCE_COAP_CONFIRM_AFTER_MS) {
            return;
        }
        unconfirmed_remove(source, index);
        waiting->confirmed = true;
        (void)send_reply(source, &source->sessions[waiting->session], COAP_MESSAGE_ACK, &waiting->exchange,
                         NULL);
    }
}

void source_answers_send(struct source_coap *source, uint64_t now_ms)
{
    struct source_answer answer;
    while (take_answer(source, &answer)) {
        send_answer(source, &answer);
    }
    confirm_late(source, now_ms);
}

uint32_t source_confirm_wait_ms(const struct source_coap *source, uint64_t now_ms, uint32_t most_ms)
{
    if (source->first_unconfirmed == SOURCE_NONE) {
        return most_ms;
    }
    uint64_t age_ms = now_ms - source->waiting[source->first_unconfirmed].since_ms;
    uint64_t left_ms = age_ms < SOURCE_COAP_CONFIRM_AFTER_MS ? SOURCE_COAP_CONFIRM_AFTER_MS - age_ms : 0;
    return left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}

static void put_answer(void *ctx, const struct source_answer *answer)
{
    struct source_coap *source = ctx;
    (void)pthread_mutex_lock(&source->answers_lock);
    HR_ASSERT(source->n_answers < source->config.max_waiting); /* one answer a ticket */
    uint32_t at = (source->answers_first + source->n_answers) % source->config.max_waiting;
    source->answers[at] = *answer;
    bool was_empty = source->n_answers++ == 0;
    (void)pthread_mutex_unlock(&source->answers_lock);
    if (was_empty) {
        source_coap_wake(source);
    }
}

struct source_answers source_coap_answers(struct source_coap *source)
{
    return (struct source_answers){.answer = put_answer, .ctx = source};
}

void source_coap_wake(struct source_coap *source)
{
    (void)eventfd_write(source->wake, 1);
}
