/* SPDX-License-Identifier: Apache-2.0
 *
 * Has a certificate made for another transport key when the platform says that it is time (proto/SPEC.md
 * 4.11). The aggregator's time decides, which came over a session that it is known by: a device whose own
 * clock is wrong by years renews when it should. */
#include "firmware/core/uplink_internal.h"
#include "proto/wire/ack.h"

enum {
    CODE_CHANGED = 2 << 5 | 4,
    CODE_UNAVAILABLE = 5 << 5 | 3,
    LOOK_EVERY_MS = 10 * 1000,
    RETRY_MS = 5 * 60 * 1000,
    NO_ROOM_MS = 1000,
    WAIT_MAX_S = 60,
};

/* Whether it may be made out now that it is time. */
static bool is_idle(const struct fw_uplink *uplink)
{
    const struct fw_uplink_renewal *state = &uplink->renewal;
    return uplink->config.renew != NULL && !state->is_wanted &&
           fw_uplink_now_ms(uplink) >= state->not_before_ms;
}

void fw_uplink_renew_look(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    const struct fw_renew *renew = uplink->config.renew;
    struct fw_uplink_renewal *state = &uplink->renewal;
    uint64_t now_ms = fw_uplink_now_ms(uplink);
    if (is_idle(uplink) && now_ms >= state->next_look_ms) {
        state->next_look_ms = now_ms + LOOK_EVERY_MS;
        state->is_wanted = renew->is_due(renew->ctx, ack->server_utc_ms, false);
    }
}

/* The aggregator hints until it has handed a certificate out. What it said just before that may come behind
 * it, which is why nothing is heard for a while after a renewal. */
void fw_uplink_renew_hint(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    const struct fw_renew *renew = uplink->config.renew;
    if ((ack->hints & WIRE_HINT_RENEW) != 0 && is_idle(uplink)) {
        uplink->renewal.is_wanted = renew->is_due(renew->ctx, ack->server_utc_ms, true);
    }
}

static void ask_after(struct fw_uplink *uplink, uint32_t wait_ms)
{
    uplink->renewal.not_before_ms = fw_uplink_now_ms(uplink) + wait_ms;
}

static void end(struct fw_uplink *uplink)
{
    uplink->renewal.is_wanted = false;
    ask_after(uplink, RETRY_MS);
}

static void refused(struct fw_uplink *uplink, const char *why)
{
    fw_uplink_tell(uplink, FW_EVENT_RENEWAL_REFUSED, why);
    end(uplink);
}

uint32_t fw_uplink_renew_wait_ms(const struct fw_uplink *uplink)
{
    const struct fw_uplink_renewal *state = &uplink->renewal;
    const uint64_t now_ms = fw_uplink_now_ms(uplink);
    if (!state->is_wanted || state->is_active || uplink->session != FW_UPLINK_UP) {
        return FW_NEVER_MS;
    }
    return state->not_before_ms > now_ms ? (uint32_t)(state->not_before_ms - now_ms) : 0;
}

static bool is_other_due(const struct fw_uplink *uplink)
{
    const struct fw_renew *renew = uplink->config.renew;
    return renew->is_other_due != NULL && renew->is_other_due(renew->ctx);
}

void fw_uplink_ask_renewal(struct fw_uplink *uplink)
{
    const struct fw_renew *renew = uplink->config.renew;
    struct fw_uplink_renewal *state = &uplink->renewal;
    struct hr_bytes request;
    if (renew == NULL || uplink->session != FW_UPLINK_UP) {
        return;
    }
    if (is_other_due(uplink)) {
        fw_uplink_drop_session(uplink);
        return;
    }
    if (!state->is_wanted || state->is_active || fw_uplink_now_ms(uplink) < state->not_before_ms) {
        return;
    }
    struct hr_status status = renew->request(renew->ctx, &request);
    if (hr_is(status, HR_AGAIN)) {
        return;
    }
    if (!hr_is_ok(status)) {
        refused(uplink, "no key or request could be made and kept");
        return;
    }
    uint32_t token = uplink->next_token;
    const struct port_net *net = uplink->config.net;
    status = net->post_request(net->ctx, token, request);
    if (hr_is_ok(status)) {
        uplink->next_token++;
        state->is_active = true;
        state->token = token;
    } else {
        ask_after(uplink, NO_ROOM_MS); /* posts fill the window, or the session is ending */
    }
}

void fw_uplink_renew_forget(struct fw_uplink *uplink)
{
    uplink->renewal.is_active = false;
}

/* The session goes on with the old key, so the next one is opened. */
static void take_certificate(struct fw_uplink *uplink, struct hr_bytes certificate)
{
    const struct fw_renew *renew = uplink->config.renew;
    if (!hr_is_ok(renew->certificate(renew->ctx, certificate))) {
        refused(uplink, "the certificate is not of the key and the device, or can't be kept");
        return;
    }
    end(uplink);
    PORT_LOG(uplink->config.log, PORT_LOG_INFO, "transport_key_renewed",
             {"certificate_bytes", NULL, (int64_t)certificate.len_bytes});
    fw_uplink_tell(uplink, FW_EVENT_RENEWED, "another transport key is certified");
    fw_uplink_drop_session(uplink);
}

bool fw_uplink_renew_answered(struct fw_uplink *uplink, uint32_t token, uint8_t coap_code,
                              struct hr_bytes payload, uint32_t max_age_s)
{
    struct fw_uplink_renewal *state = &uplink->renewal;
    if (!state->is_active || state->token != token) {
        return false;
    }
    state->is_active = false;
    if (coap_code == CODE_CHANGED) {
        take_certificate(uplink, payload);
    } else if (coap_code == CODE_UNAVAILABLE) {
        ask_after(uplink, max_age_s == 0 || max_age_s > WAIT_MAX_S ? WAIT_MAX_S * 1000 : max_age_s * 1000);
    } else {
        PORT_LOG(uplink->config.log, PORT_LOG_WARN, "renewal_refused", {"coap_class", NULL, coap_code >> 5},
                 {"coap_detail", NULL, coap_code & 0x1F});
        refused(uplink, "the aggregator gives no certificate");
    }
    return true;
}

bool fw_uplink_renew_timed_out(struct fw_uplink *uplink, uint32_t token)
{
    if (!uplink->renewal.is_active || uplink->renewal.token != token) {
        return false;
    }
    uplink->renewal.is_active = false; /* it is asked for again, with the same request */
    return true;
}
