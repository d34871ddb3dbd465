/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/net/parts.h"

#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <string.h>

enum {
    CODE_CONTINUE = 2 << 5 | 31,
    CODE_INCOMPLETE = 4 << 5 | 8,
    TIMEOUT_SLACK_MS = 100,  /* at least so much above the round trip; */
    OVERTAKEN_SLACK_MS = 50, /* the last part's answer waits for a commit */
    TIMEOUT_MAX_MS = 10000,
    BACKOFF_MAX = 6,
    ASK_WAIT_MAX_MS = 5000,
    QUEUE_TARGET_MS = 100, /* RFC 6817 section 2.3 */
    MINUTE_MS = 60000,
    LOSS_MEMORY = 32, /* transmissions */
    BURST = 4,
};

_Static_assert(NET_PARTS_MAX <= 16, "an answer tells of 16 parts");

/* ---- round trips (RFC 6298 section 2) ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t timeout_ms(const struct net_parts *parts)
{
    uint32_t plain_ms = parts->has_rtt ? parts->srtt_8_ms / 8 + most(parts->rttvar_4_ms, TIMEOUT_SLACK_MS)
                                       : parts->first_timeout_ms;
    return least(plain_ms, TIMEOUT_MAX_MS) << least(parts->backoff, BACKOFF_MAX);
}

static void take_sample(struct net_parts *parts, uint64_t now_ms, uint32_t rtt_ms)
{
    if (!parts->has_rtt) {
        parts->has_rtt = true;
        parts->srtt_8_ms = rtt_ms * 8;
        parts->rttvar_4_ms = rtt_ms * 2;
        parts->least_ms[0] = rtt_ms;
        parts->least_ms[1] = rtt_ms;
        parts->minute_ms = now_ms;
    } else {
        uint32_t srtt_ms = parts->srtt_8_ms / 8;
        uint32_t off_ms = rtt_ms > srtt_ms ? rtt_ms - srtt_ms : srtt_ms - rtt_ms;
        parts->rttvar_4_ms = parts->rttvar_4_ms - parts->rttvar_4_ms / 4 + off_ms;
        parts->srtt_8_ms = parts->srtt_8_ms - srtt_ms + rtt_ms;
    }
    if (now_ms - parts->minute_ms >= MINUTE_MS) {
        parts->minute_ms = now_ms;
        parts->least_ms[1] = parts->least_ms[0];
        parts->least_ms[0] = rtt_ms;
    }
    parts->least_ms[0] = least(parts->least_ms[0], rtt_ms);
}

/* ---- the window ---- */

static void set_window(struct net_parts *parts, uint32_t window_16)
{
    parts->window_16 = least(most(window_16, NET_PARTS_WINDOW_MIN * 16), NET_PARTS_WINDOW_MAX * 16);
}

/* One part more, or less, in a round trip when the queue is empty, or twice its target (RFC 6817 section
 * 2.4.2); one part more for each answer until the queue is half its target for the first time. */
static void follow_delay(struct net_parts *parts)
{
    uint32_t least_ms = least(parts->least_ms[0], parts->least_ms[1]);
    uint32_t srtt_ms = parts->srtt_8_ms / 8;
    uint32_t queue_ms = srtt_ms > least_ms ? srtt_ms - least_ms : 0;
    parts->slow_start = parts->slow_start && queue_ms < QUEUE_TARGET_MS / 2;
    if (parts->slow_start) {
        set_window(parts, parts->window_16 + 16);
        return;
    }
    uint32_t off_ms = queue_ms < QUEUE_TARGET_MS ? QUEUE_TARGET_MS - queue_ms : queue_ms - QUEUE_TARGET_MS;
    uint32_t step_16 = 256 * least(off_ms, QUEUE_TARGET_MS) / QUEUE_TARGET_MS / parts->window_16;
    set_window(parts, queue_ms < QUEUE_TARGET_MS ? parts->window_16 + step_16 : parts->window_16 - step_16);
}

static void count_loss(struct net_parts *parts, uint64_t now_ms, uint64_t sent_ms)
{
    parts->loss_1024 += (1024 - parts->loss_1024) / LOSS_MEMORY;
    bool silence = parts->heard_ms <= sent_ms;
    uint64_t pause_ms = silence ? timeout_ms(parts) : parts->srtt_8_ms / 8;
    if (now_ms - parts->cut_ms < pause_ms) {
        return;
    }
    if (silence) {
        parts->backoff = least(parts->backoff + 1, BACKOFF_MAX);
        set_window(parts, 0);
    } else if (parts->loss_1024 > 512) {
        set_window(parts, parts->window_16 / 2);
    } else {
        return;
    }
    parts->slow_start = false;
    parts->cut_ms = now_ms;
}

static uint64_t pace_gap_16_ms(const struct net_parts *parts)
{
    return parts->has_rtt ? (uint64_t)parts->srtt_8_ms * 16 / parts->window_16 : 0; /* half of RTT / window */
}

static void spend_pace(struct net_parts *parts, uint64_t now_ms)
{
    uint64_t gap_16_ms = pace_gap_16_ms(parts);
    uint64_t burst_16_ms = gap_16_ms * BURST;
    uint64_t now_16_ms = now_ms * 16;
    uint64_t earliest_16_ms = now_16_ms > burst_16_ms ? now_16_ms - burst_16_ms : 0;
    parts->paced_16_ms =
        (parts->paced_16_ms > earliest_16_ms ? parts->paced_16_ms : earliest_16_ms) + gap_16_ms;
}

/* ---- bodies ---- */

static struct net_parts_body *find_body(struct net_parts *parts, uint32_t token)
{
    for (size_t i = 0; i < NET_MAX_WINDOW; i++) {
        if (parts->bodies[i].in_use && parts->bodies[i].token == token) {
            return &parts->bodies[i];
        }
    }
    return NULL;
}

static void forget(struct net_parts *parts, struct net_parts_body *body)
{
    for (uint32_t i = 0; i < body->n_parts; i++) {
        parts->n_flying -= body->parts[i].state == NET_PART_FLYING;
    }
    body->in_use = false;
}

void net_parts_init(struct net_parts *parts, uint32_t first_timeout_ms)
{
    memset(parts, 0, sizeof *parts);
    parts->first_timeout_ms = first_timeout_ms;
    parts->slow_start = true;
    set_window(parts, 0);
}

struct hr_status net_parts_add(struct net_parts *parts, uint32_t token, struct hr_bytes envelope)
{
    HR_ASSERT(envelope.len_bytes > 0 && envelope.len_bytes <= NET_BODY_MAX_BYTES);
    for (size_t i = 0; i < NET_MAX_WINDOW; i++) {
        struct net_parts_body *body = &parts->bodies[i];
        if (!body->in_use) {
            body->in_use = true;
            body->token = token;
            body->age = parts->next_age++;
            body->n_parts = (uint32_t)((envelope.len_bytes + NET_PART_BYTES - 1) / NET_PART_BYTES);
            body->len_bytes = envelope.len_bytes;
            memset(body->parts, 0, sizeof body->parts); /* NET_PART_DUE */
            memcpy(body->bytes, envelope.data, envelope.len_bytes);
            return hr_ok();
        }
    }
    return hr_status_of(HR_AGAIN);
}

void net_parts_drop(struct net_parts *parts, uint32_t token)
{
    struct net_parts_body *body = find_body(parts, token);
    if (body != NULL) {
        forget(parts, body);
    }
}

/* ---- what goes next ---- */

/* A part that was overtaken by an answer to a later one has little left to hope for. */
static uint64_t deadline_ms(const struct net_parts *parts, const struct net_part *part)
{
    bool overtaken = part->order + 1 < parts->answered_order;
    uint32_t overtaken_ms = parts->srtt_8_ms / 8 + most(parts->rttvar_4_ms / 2, OVERTAKEN_SLACK_MS);
    return part->sent_ms +
           (overtaken && parts->has_rtt ? least(overtaken_ms, timeout_ms(parts)) : timeout_ms(parts));
}

static void judge_losses(struct net_parts *parts, uint64_t now_ms)
{
    for (size_t i = 0; i < NET_MAX_WINDOW; i++) {
        struct net_parts_body *body = &parts->bodies[i];
        for (uint32_t n = 0; body->in_use && n < body->n_parts; n++) {
            struct net_part *part = &body->parts[n];
            if (part->state == NET_PART_FLYING && now_ms >= deadline_ms(parts, part)) {
                part->state = NET_PART_DUE;
                parts->n_flying--;
                count_loss(parts, now_ms, part->sent_ms);
            }
        }
    }
}

static bool is_there(const struct net_parts_body *body)
{
    for (uint32_t n = 0; n < body->n_parts; n++) {
        if (body->parts[n].state != NET_PART_THERE) {
            return false;
        }
    }
    return true;
}

/* The number of its first part that is due; n_parts: none. */
static uint32_t due_part(const struct net_parts_body *body)
{
    uint32_t n = 0;
    while (n < body->n_parts && body->parts[n].state != NET_PART_DUE) {
        n++;
    }
    return n;
}

static struct net_parts_body *oldest_due(struct net_parts *parts)
{
    struct net_parts_body *oldest = NULL;
    for (size_t i = 0; i < NET_MAX_WINDOW; i++) {
        struct net_parts_body *body = &parts->bodies[i];
        if (body->in_use && due_part(body) < body->n_parts && (oldest == NULL || body->age < oldest->age)) {
            oldest = body;
        }
    }
    return oldest;
}

static void transmit(struct net_parts *parts, uint64_t now_ms, struct net_parts_body *body, uint32_t number,
                     struct net_parts_out *out)
{
    uint32_t order = parts->next_order++;
    parts->sent[order % NET_PARTS_SENT] =
        (struct net_parts_sent){.ms = now_ms, .token = body->token, .number = number};
    body->parts[number].order = order;
    body->parts[number].sent_ms = now_ms;
    size_t offset = (size_t)number * NET_PART_BYTES;
    size_t left_bytes = body->len_bytes - offset;
    out->tag = (uint16_t)(body->token & 0xFFFF);
    out->number = number;
    out->more = left_bytes > NET_PART_BYTES;
    out->data = hr_bytes_of(body->bytes + offset, out->more ? NET_PART_BYTES : left_bytes);
    struct hr_writer writer = hr_writer_over(out->token, sizeof out->token);
    hr_write_u16(&writer, (uint16_t)(order & 0xFFFF));
}

static bool window_is_open(const struct net_parts *parts)
{
    return (parts->n_flying + 1) * 16 <= parts->window_16;
}

/* All parts are there, and nobody said what became of the whole: its last part asks. */
static bool next_question(struct net_parts *parts, uint64_t now_ms, struct net_parts_out *out)
{
    for (size_t i = 0; i < NET_MAX_WINDOW; i++) {
        struct net_parts_body *body = &parts->bodies[i];
        if (body->in_use && is_there(body) && now_ms >= body->ask_ms) {
            body->ask_wait_ms = least(body->ask_wait_ms * 2, ASK_WAIT_MAX_MS);
            body->ask_ms = now_ms + body->ask_wait_ms;
            transmit(parts, now_ms, body, body->n_parts - 1, out);
            return true;
        }
    }
    return false;
}

bool net_parts_next(struct net_parts *parts, uint64_t now_ms, struct net_parts_out *out)
{
    judge_losses(parts, now_ms);
    struct net_parts_body *body = oldest_due(parts);
    if (body == NULL || !window_is_open(parts) || parts->paced_16_ms > now_ms * 16) {
        return next_question(parts, now_ms, out);
    }
    uint32_t number = due_part(body);
    spend_pace(parts, now_ms);
    transmit(parts, now_ms, body, number, out);
    body->parts[number].state = NET_PART_FLYING;
    parts->n_flying++;
    return true;
}

uint64_t net_parts_wake_ms(const struct net_parts *parts)
{
    uint64_t wake_ms = NET_PARTS_NEVER_MS;
    for (size_t i = 0; i < NET_MAX_WINDOW; i++) {
        const struct net_parts_body *body = &parts->bodies[i];
        if (!body->in_use) {
            continue;
        }
        uint64_t body_ms = is_there(body) ? body->ask_ms : NET_PARTS_NEVER_MS;
        if (due_part(body) < body->n_parts && window_is_open(parts)) {
            body_ms = (parts->paced_16_ms + 15) / 16;
        }
        for (uint32_t n = 0; n < body->n_parts; n++) {
            if (body->parts[n].state == NET_PART_FLYING && deadline_ms(parts, &body->parts[n]) < body_ms) {
                body_ms = deadline_ms(parts, &body->parts[n]);
            }
        }
        wake_ms = body_ms < wake_ms ? body_ms : wake_ms;
    }
    return wake_ms;
}

/* ---- what an answer means ---- */

/* What `there` says, as of the transmission `order`. True: something was not known. */
static bool take_there(struct net_parts *parts, struct net_parts_body *body, uint32_t there, uint32_t order)
{
    bool news = false;
    for (uint32_t n = 0; n < body->n_parts; n++) {
        struct net_part *part = &body->parts[n];
        bool is_named = (there >> n & 1u) != 0;
        if (is_named && part->state != NET_PART_THERE) {
            parts->n_flying -= part->state == NET_PART_FLYING;
            part->state = NET_PART_THERE;
            part->there_order = parts->next_order;
            news = true;
        } else if (!is_named && part->state == NET_PART_THERE && part->there_order <= order) {
            part->state = NET_PART_DUE; /* it was there when this was sent, and is no more */
        }
    }
    return news;
}

static void all_due(struct net_parts *parts, struct net_parts_body *body)
{
    for (uint32_t n = 0; n < body->n_parts; n++) {
        parts->n_flying -= body->parts[n].state == NET_PART_FLYING;
        body->parts[n].state = NET_PART_DUE;
    }
}

/* The transmission of which the token tells the last 16 bits; false: none that is remembered. */
static bool read_order(const struct net_parts *parts, struct hr_bytes token, uint32_t *out)
{
    struct hr_reader reader = hr_reader_over(token);
    uint16_t back = (uint16_t)(parts->next_order - 1 - hr_read_u16(&reader));
    *out = parts->next_order - 1 - back;
    return token.len_bytes == NET_PARTS_TOKEN_BYTES && back < NET_PARTS_SENT && back < parts->next_order;
}

static void heard(struct net_parts *parts, uint64_t now_ms, uint32_t order, bool at_once)
{
    parts->heard_ms = now_ms;
    parts->backoff = 0;
    parts->answered_order = most(parts->answered_order, order + 1);
    if (at_once) {
        uint64_t rtt_ms = now_ms - parts->sent[order % NET_PARTS_SENT].ms;
        take_sample(parts, now_ms, rtt_ms < TIMEOUT_MAX_MS ? (uint32_t)rtt_ms : TIMEOUT_MAX_MS);
        parts->loss_1024 -= parts->loss_1024 / LOSS_MEMORY;
        follow_delay(parts);
    }
}

enum net_parts_verdict net_parts_answered(struct net_parts *parts, uint64_t now_ms,
                                          struct hr_bytes token_bytes, uint8_t coap_code,
                                          struct hr_bytes payload, uint32_t *token)
{
    uint32_t order = 0;
    if (!read_order(parts, token_bytes, &order)) {
        return NET_PARTS_NOISE;
    }
    const struct net_parts_sent *sent = &parts->sent[order % NET_PARTS_SENT];
    struct net_parts_body *body = find_body(parts, sent->token);
    /* What became of the whole comes when it is decided, the rest at once. */
    heard(parts, now_ms, order, coap_code == CODE_CONTINUE);
    if (body == NULL) {
        return NET_PARTS_NOISE;
    }
    if (coap_code == CODE_INCOMPLETE) {
        all_due(parts, body);
        return NET_PARTS_NOISE;
    }
    if (coap_code != CODE_CONTINUE) {
        forget(parts, body);
        *token = sent->token;
        return NET_PARTS_DONE;
    }
    bool was_there = is_there(body);
    uint32_t there = 1u << sent->number; /* a server that says no more */
    if (payload.len_bytes == 2) {
        there = (uint32_t)payload.data[0] << 8 | payload.data[1];
    } else {
        order = 0;
    }
    bool news = take_there(parts, body, there, order);
    if (!was_there && is_there(body)) {
        body->ask_wait_ms = timeout_ms(parts);
        body->ask_ms = now_ms + body->ask_wait_ms;
    }
    return news ? NET_PARTS_NEWS : NET_PARTS_NOISE;
}
