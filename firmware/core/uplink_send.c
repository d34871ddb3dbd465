/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/uplink_internal.h"

#include "proto/base/assert.h"

enum { READ_FAILED_WAIT_MS = 1000 };

struct fw_uplink_request *fw_uplink_find(struct fw_uplink *uplink, uint32_t token)
{
    for (size_t i = 0; i < FW_UPLINK_MAX_REQUESTS; i++) {
        if (uplink->requests[i].active && uplink->requests[i].token == token) {
            return &uplink->requests[i];
        }
    }
    return NULL;
}

static struct fw_uplink_request *find_vacant(struct fw_uplink *uplink)
{
    for (size_t i = 0; i < FW_UPLINK_MAX_REQUESTS; i++) {
        if (!uplink->requests[i].active) {
            return &uplink->requests[i];
        }
    }
    return NULL;
}

/* Answers to an earlier stream may still come; they are for nobody. */
bool fw_uplink_in_flight(const struct fw_uplink *uplink, uint32_t seq)
{
    struct fw_spool_state spool;
    fw_spool_state(uplink->config.spool, &spool);
    for (size_t i = 0; i < FW_UPLINK_MAX_REQUESTS; i++) {
        const struct fw_uplink_request *request = &uplink->requests[i];
        if (request->active && !request->is_head && request->stream == spool.stream && request->seq == seq) {
            return true;
        }
    }
    return false;
}

static uint32_t posts_in_flight(const struct fw_uplink *uplink, bool *carrier_among_them)
{
    uint32_t n_posts = 0;
    *carrier_among_them = false;
    for (size_t i = 0; i < FW_UPLINK_MAX_REQUESTS; i++) {
        const struct fw_uplink_request *request = &uplink->requests[i];
        if (request->active && !request->is_head) {
            n_posts++;
            *carrier_among_them |= request->is_carrier;
        }
    }
    return n_posts;
}

void fw_uplink_ask_head(struct fw_uplink *uplink)
{
    for (size_t i = 0; i < FW_UPLINK_MAX_REQUESTS; i++) {
        if (uplink->requests[i].active && uplink->requests[i].is_head) {
            return;
        }
    }
    struct fw_uplink_request *request = find_vacant(uplink);
    if (request == NULL) {
        return;
    }
    struct fw_spool_state spool;
    fw_spool_state(uplink->config.spool, &spool);
    uint32_t token = uplink->next_token;
    struct hr_status status = uplink->config.net->get_head(uplink->config.net->ctx, token, spool.stream);
    if (hr_is(status, HR_AGAIN)) {
        return; /* posts fill the window; the end of any of them comes back here */
    }
    if (!hr_is_ok(status)) {
        fw_uplink_drop_session(uplink);
        return;
    }
    uplink->next_token++;
    uplink->head_acked_seq = spool.acked_seq;
    *request = (struct fw_uplink_request){.active = true,
                                          .is_head = true,
                                          .token = token,
                                          .stream = spool.stream,
                                          .sent_ms = fw_uplink_now_ms(uplink)};
}

/* Posts one batch. False: not now, and the caller stops. */
static bool post(struct fw_uplink *uplink, uint32_t seq, uint32_t stream, uint32_t len_bytes, bool is_carrier)
{
    struct fw_uplink_request *request = find_vacant(uplink);
    if (request == NULL) {
        return false;
    }
    uint32_t token = uplink->next_token;
    const struct port_net *net = uplink->config.net;
    struct hr_status status =
        net->post_batch(net->ctx, token, hr_bytes_of(uplink->config.envelope, len_bytes));
    if (hr_is(status, HR_AGAIN)) {
        return false;
    }
    if (!hr_is_ok(status)) {
        fw_uplink_drop_session(uplink);
        return false;
    }
    uplink->next_token++;
    uplink->counters.posts++;
    uplink->counters.posted_bytes += len_bytes;
    *request = (struct fw_uplink_request){.active = true,
                                          .is_carrier = is_carrier,
                                          .token = token,
                                          .stream = stream,
                                          .seq = seq,
                                          .sent_ms = fw_uplink_now_ms(uplink)};
    return true;
}

static struct hr_status read_batch(struct fw_uplink *uplink, uint32_t seq, uint32_t *len_bytes)
{
    struct hr_status status = fw_spool_read(uplink->config.spool, seq, uplink->config.envelope,
                                            uplink->config.envelope_capacity_bytes, len_bytes);
    HR_ASSERT(!hr_is(status, HR_FULL));
    if (hr_is(status, HR_CORRUPT)) {
        uplink->counters.given_up++;
        fw_uplink_tell(uplink, FW_EVENT_DAMAGED, "a sealed batch is damaged in the spool");
        return hr_status_of(HR_NOT_FOUND);
    }
    return status;
}

static void read_failed(struct fw_uplink *uplink, uint32_t seq)
{
    uplink->counters.read_failures++;
    PORT_LOG(uplink->config.log, PORT_LOG_ERROR, "spool_read_failed", {"seq", NULL, seq});
    fw_uplink_hold(uplink, READ_FAILED_WAIT_MS);
}

/* The aggregator waits for a batch that the spool doesn't have. If a sealed batch carries its Loss, that one
 * goes first, out of order and alone: its answer moves the aggregator over the hole (SPEC section 4, Loss
 * first). */
static void send_in_place_of_missing(struct fw_uplink *uplink, const struct fw_spool_state *spool)
{
    uint32_t seq = uplink->expected_seq;
    uint32_t carrier_seq = 0;
    if (!hr_is_ok(fw_spool_loss_carrier(uplink->config.spool, seq, &carrier_seq))) {
        return; /* the owner is about to seal the Loss, and steps the uplink again when it has */
    }
    uint32_t len_bytes = 0;
    struct hr_status status = read_batch(uplink, carrier_seq, &len_bytes);
    if (hr_is(status, HR_IO)) {
        read_failed(uplink, carrier_seq);
    }
    if (hr_is_ok(status) && post(uplink, carrier_seq, spool->stream, len_bytes, true)) {
        uplink->counters.loss_carriers++;
    }
}

static bool is_held(const struct fw_uplink *uplink, uint32_t seq)
{
    uint32_t ahead = seq - uplink->expected_seq;
    return ahead >= 1 && ahead <= 32 && (uplink->held >> (ahead - 1) & 1u) != 0;
}

/* The next batch to send at or after the cursor; next_batch_seq: none. */
static uint32_t next_seq(struct fw_uplink *uplink, uint32_t next_batch_seq)
{
    uint32_t seq = uplink->cursor_seq;
    while (seq < next_batch_seq && (fw_uplink_in_flight(uplink, seq) || is_held(uplink, seq))) {
        seq++;
    }
    uplink->cursor_seq = seq;
    bool is_key_unknown = seq >= uplink->switch_seq && uplink->expected_seq < uplink->switch_seq;
    return is_key_unknown ? next_batch_seq : seq;
}

void fw_uplink_send(struct fw_uplink *uplink)
{
    /* Each turn posts one batch or ends the loop; a session that drops or a hold ends it too. */
    for (uint32_t turn = 0; turn < FW_UPLINK_MAX_WINDOW; turn++) {
        bool carrier_in_flight = false;
        uint32_t n_posts = posts_in_flight(uplink, &carrier_in_flight);
        if (n_posts >= uplink->config.net->window || carrier_in_flight) {
            return;
        }
        if (!fw_uplink_in_flight(uplink, uplink->expected_seq)) {
            /* What the aggregator waits for isn't under way: it goes next, and behind it what was sent too
             * early. */
            uplink->counters.rewinds += uplink->cursor_seq > uplink->expected_seq;
            uplink->cursor_seq = uplink->expected_seq;
        }
        struct fw_spool_state spool;
        fw_spool_state(uplink->config.spool, &spool);
        uint32_t seq = next_seq(uplink, spool.next_batch_seq);
        if (seq >= spool.next_batch_seq) {
            return;
        }
        uint32_t len_bytes = 0;
        struct hr_status status = read_batch(uplink, seq, &len_bytes);
        if (hr_is_ok(status)) {
            if (!post(uplink, seq, spool.stream, len_bytes, false)) {
                return;
            }
            uplink->cursor_seq = seq + 1;
            continue;
        }
        if (hr_is(status, HR_IO)) {
            read_failed(uplink, seq);
        } else if (seq == uplink->expected_seq) {
            send_in_place_of_missing(uplink, &spool);
        }
        return;
    }
}
