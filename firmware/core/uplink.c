/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions, waiting, and what is due when. uplink_send.c posts; uplink_answer.c follows the table of answers.
 */
#include "firmware/core/uplink.h"

#include "firmware/core/counters.h"
#include "firmware/core/uplink_internal.h"
#include "proto/base/assert.h"

#include <string.h>

enum {
    QUICK_RETRY_MAX_MS =
        250, /* to the next address of the list, or to that of a session that was just lost */
    RECONNECT_FIRST_MS = 1000,
};

void fw_uplink_init(struct fw_uplink *uplink, const struct fw_uplink_config *config)
{
    HR_ASSERT(config->net->n_addresses >= 1);
    HR_ASSERT(config->net->window >= 1 && config->net->window <= FW_UPLINK_MAX_WINDOW);
    memset(uplink, 0, sizeof *uplink);
    uplink->config = *config;
    uplink->suspect_seq = WIRE_SEQ_NONE;
    uplink->next_token = port_random_u32(config->random);
    uplink->wake_ms = fw_uplink_now_ms(uplink);
}

uint32_t fw_uplink_draw(const struct fw_uplink *uplink, uint32_t below_or_at)
{
    return (uint32_t)((uint64_t)port_random_u32(uplink->config.random) * ((uint64_t)below_or_at + 1) >> 32);
}

/* Full jitter: a whole fleet that lost its aggregator in one moment comes back spread out. Addresses of one
 * round follow each other quickly, so that a standby is found at once. */
static uint64_t reconnect_delay_ms(const struct fw_uplink *uplink)
{
    uint32_t rounds = uplink->failed_opens / uplink->config.net->n_addresses;
    if (uplink->failed_opens % uplink->config.net->n_addresses != 0 || rounds == 0) {
        return fw_uplink_draw(uplink, QUICK_RETRY_MAX_MS);
    }
    uint32_t cap_ms = FW_UPLINK_RECONNECT_MAX_MS;
    if (rounds <= 6) {
        cap_ms = (uint32_t)RECONNECT_FIRST_MS << (rounds - 1);
    }
    return fw_uplink_draw(uplink, cap_ms < FW_UPLINK_RECONNECT_MAX_MS ? cap_ms : FW_UPLINK_RECONNECT_MAX_MS);
}

/* What was in flight may have been committed or not; the head of the next session tells. */
static void forget_requests(struct fw_uplink *uplink)
{
    memset(uplink->requests, 0, sizeof uplink->requests);
    fw_uplink_trust_forget(uplink);
    fw_uplink_renew_forget(uplink);
    uplink->cursor_seq = uplink->expected_seq;
    uplink->held = 0;
}

static void session_ended(struct fw_uplink *uplink, bool try_same_address)
{
    forget_requests(uplink);
    uplink->session = FW_UPLINK_DOWN;
    uplink->head_known = false;
    uplink->failed_exchanges = 0;
    if (try_same_address) {
        uplink->failed_opens = 0;
    } else {
        uplink->failed_opens++;
        uplink->address = (uint8_t)((uplink->address + 1) % uplink->config.net->n_addresses);
    }
    if (uplink->mode != FW_UPLINK_HOLD) {
        uplink->wake_ms = fw_uplink_now_ms(uplink) + reconnect_delay_ms(uplink);
    }
}

void fw_uplink_drop_session(struct fw_uplink *uplink)
{
    uplink->config.net->close(uplink->config.net->ctx);
    uplink->counters.sessions_lost++;
    session_ended(uplink, uplink->useful_session);
}

static void on_up(void *ctx)
{
    struct fw_uplink *uplink = ctx;
    if (uplink->session != FW_UPLINK_OPENING) {
        return;
    }
    uplink->session = FW_UPLINK_UP;
    uplink->counters.sessions_opened++;
    uplink->head_known = false;
    uplink->useful_session = false;
    uplink->anchor_due = true;
}

static void on_down(void *ctx, enum port_net_down reason)
{
    struct fw_uplink *uplink = ctx;
    if (uplink->session == FW_UPLINK_DOWN) {
        return;
    }
    bool was_up = uplink->session == FW_UPLINK_UP;
    if (was_up) {
        uplink->counters.sessions_lost++;
    } else {
        uplink->counters.sessions_failed++;
    }
    session_ended(uplink, was_up && reason == PORT_NET_DOWN_LOST && uplink->useful_session);
}

struct port_net_events fw_uplink_net_events(struct fw_uplink *uplink)
{
    return (struct port_net_events){
        .up = on_up,
        .down = on_down,
        .answer = fw_uplink_on_answer,
        .timeout = fw_uplink_on_timeout,
        .ctx = uplink,
    };
}

static void open_session(struct fw_uplink *uplink)
{
    uplink->session = FW_UPLINK_OPENING;
    struct hr_status status = uplink->config.net->open(uplink->config.net->ctx, uplink->address);
    if (!hr_is_ok(status)) {
        uplink->counters.sessions_failed++;
        session_ended(uplink, false);
    }
}

static void hold_until(struct fw_uplink *uplink, uint64_t delay_ms)
{
    uplink->mode = FW_UPLINK_HOLD;
    uplink->wake_ms = fw_uplink_now_ms(uplink) + delay_ms;
    uplink->head_known = false;
}

void fw_uplink_hold(struct fw_uplink *uplink, uint64_t base_ms)
{
    if (uplink->mode != FW_UPLINK_RUN) {
        return; /* the other answers of a window say the same thing once more */
    }
    uint32_t doublings = uplink->backoffs < 10 ? uplink->backoffs : 10;
    uint64_t delay_ms = base_ms << doublings;
    if (delay_ms > FW_UPLINK_BACKOFF_MAX_MS) {
        delay_ms = FW_UPLINK_BACKOFF_MAX_MS;
    }
    uplink->backoffs++;
    hold_until(uplink, delay_ms + fw_uplink_draw(uplink, (uint32_t)(delay_ms / 2)));
}

void fw_uplink_hold_denied(struct fw_uplink *uplink)
{
    if (uplink->mode == FW_UPLINK_RUN) {
        hold_until(uplink,
                   FW_UPLINK_DENIED_POLL_MS * 3 / 4 + fw_uplink_draw(uplink, FW_UPLINK_DENIED_POLL_MS / 2));
    }
}

void fw_uplink_want_stream(struct fw_uplink *uplink, uint32_t at_least)
{
    struct fw_spool_state spool;
    fw_spool_state(uplink->config.spool, &spool);
    uint32_t above = spool.stream > at_least ? spool.stream : at_least;
    if (above == UINT32_MAX) {
        /* No stream is left above: only a new enrolment helps. Nothing is lost meanwhile. */
        fw_uplink_hold_denied(uplink);
        return;
    }
    uplink->mode = FW_UPLINK_NEW_STREAM;
    uplink->wanted_stream = above + 1;
}

void fw_uplink_set_switch(struct fw_uplink *uplink, uint32_t switch_seq)
{
    uplink->switch_seq = switch_seq;
}

bool fw_uplink_wants_stream(const struct fw_uplink *uplink, uint32_t *stream)
{
    if (uplink->mode != FW_UPLINK_NEW_STREAM) {
        return false;
    }
    *stream = uplink->wanted_stream;
    return true;
}

void fw_uplink_stream_started(struct fw_uplink *uplink)
{
    HR_ASSERT(uplink->mode == FW_UPLINK_NEW_STREAM);
    uplink->mode = FW_UPLINK_RUN;
    uplink->wake_ms = fw_uplink_now_ms(uplink);
    uplink->counters.new_streams++;
    uplink->expected_seq = 0;
    uplink->cursor_seq = 0;
    uplink->held = 0;
    uplink->suspect_seq = WIRE_SEQ_NONE;
    uplink->head_known = false;
}

void fw_uplink_tell(struct fw_uplink *uplink, enum fw_event_code code, const char *text)
{
    uint32_t bit = UINT32_C(1) << (unsigned)code;
    if ((uplink->told_events & bit) != 0) {
        return;
    }
    uplink->told_events |= bit;
    PORT_LOG(uplink->config.log, PORT_LOG_WARN, "uplink_event", {"code", NULL, (int64_t)code},
             {"text", text, 0}, {"expected_seq", NULL, uplink->expected_seq});
    struct edge_event event = {.code = (uint32_t)code};
    fw_text_copy(event.text, sizeof event.text, text);
    uplink->config.owner.event(uplink->config.owner.ctx, &event);
}

static uint32_t until(const struct fw_uplink *uplink, uint64_t moment_ms)
{
    uint64_t now_ms = fw_uplink_now_ms(uplink);
    uint64_t left_ms = moment_ms > now_ms ? moment_ms - now_ms : 0;
    return left_ms < FW_NEVER_MS ? (uint32_t)left_ms : FW_NEVER_MS - 1;
}

uint32_t fw_uplink_step(struct fw_uplink *uplink)
{
    if (uplink->mode == FW_UPLINK_NEW_STREAM) {
        return FW_NEVER_MS;
    }
    if (uplink->mode == FW_UPLINK_HOLD) {
        if (until(uplink, uplink->wake_ms) > 0) {
            return until(uplink, uplink->wake_ms);
        }
        uplink->mode = FW_UPLINK_RUN;
    }
    if (uplink->session == FW_UPLINK_DOWN && until(uplink, uplink->wake_ms) == 0) {
        open_session(uplink);
    }
    if (uplink->session == FW_UPLINK_DOWN) {
        return until(uplink, uplink->wake_ms);
    }
    if (uplink->session == FW_UPLINK_UP) {
        if (!uplink->head_known) {
            fw_uplink_ask_head(uplink);
        } else {
            fw_uplink_send(uplink);
        }
        fw_uplink_ask_trust(uplink);
        fw_uplink_ask_renewal(uplink);
    }
    return uplink->mode == FW_UPLINK_HOLD ? until(uplink, uplink->wake_ms) : fw_uplink_renew_wait_ms(uplink);
}

bool fw_uplink_is_drained(const struct fw_uplink *uplink)
{
    struct fw_spool_state spool;
    fw_spool_state(uplink->config.spool, &spool);
    uint32_t first_unacked_seq = spool.acked_seq + 1; /* WIRE_SEQ_NONE + 1 is 0 */
    return first_unacked_seq == spool.next_batch_seq;
}

const char *fw_uplink_state_name(const struct fw_uplink *uplink)
{
    if (uplink->mode == FW_UPLINK_NEW_STREAM) {
        return "new_stream";
    }
    if (uplink->mode == FW_UPLINK_HOLD) {
        return "holding";
    }
    switch (uplink->session) {
    case FW_UPLINK_DOWN:
        return "down";
    case FW_UPLINK_OPENING:
        return "opening";
    case FW_UPLINK_UP:
        break;
    }
    return uplink->head_known ? "sending" : "asking";
}

#define COUNTER(name) {#name, offsetof(struct fw_uplink_counters, name)}

void fw_uplink_stats(const struct fw_uplink *uplink, struct edge_stats *out)
{
    static const struct fw_counter table[] = {
        COUNTER(sessions_opened), COUNTER(sessions_failed), COUNTER(sessions_lost), COUNTER(posts),
        COUNTER(posted_bytes),    COUNTER(accepted),        COUNTER(duplicates),    COUNTER(gaps),
        COUNTER(rewinds),         COUNTER(loss_carriers),   COUNTER(timeouts),      COUNTER(bad_answers),
        COUNTER(malformed),       COUNTER(unknown_key),     COUNTER(denied),        COUNTER(conflicts),
        COUNTER(unsupported),     COUNTER(refused),         COUNTER(told_to_wait),  COUNTER(given_up),
        COUNTER(new_streams),     COUNTER(anchors),         COUNTER(slow_answers),  COUNTER(read_failures),
    };
    fw_counters_to_stats("uplink", table, HR_ARRAY_LEN(table), &uplink->counters, out);
}
