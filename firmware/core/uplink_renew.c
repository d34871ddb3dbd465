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
};

void fw_uplink_renew_look(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    const struct fw_renew *renew = uplink->config.renew;
    struct fw_uplink_renewal *state = &uplink->renewal;
    uint64_t now_ms = fw_uplink_now_ms(uplink);
    if (renew != NULL && !state->is_wanted && now_ms >= state->not_before_ms) {
        state->not_before_ms = now_ms + LOOK_EVERY_MS;
        state->is_wanted = renew->is_due(renew->ctx, ack->server_utc_ms);
    }
}

static void retry_after(struct fw_uplink *uplink, uint32_t wait_ms)
{
    uplink->renewal.is_wanted = false;
    uplink->renewal.not_before_ms = fw_uplink_now_ms(uplink) + wait_ms;
}

static void refused(struct fw_uplink *uplink, const char *why)
{
    fw_uplink_tell(uplink, FW_EVENT_RENEWAL_REFUSED, why);
    retry_after(uplink, RETRY_MS);
}

void fw_uplink_ask_renewal(struct fw_uplink *uplink)
{
    const struct fw_renew *renew = uplink->config.renew;
    struct fw_uplink_renewal *state = &uplink->renewal;
    struct hr_bytes request;
    if (renew == NULL || !state->is_wanted || state->is_active || uplink->session != FW_UPLINK_UP) {
        return;
    }
    if (!hr_is_ok(renew->request(renew->ctx, &request))) {
        refused(uplink, "no key or request could be made and kept");
        return;
    }
    uint32_t token = uplink->next_token;
    const struct port_net *net = uplink->config.net;
    if (hr_is_ok(net->post_request(net->ctx, token, request))) {
        uplink->next_token++;
        state->is_active = true;
        state->token = token;
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
        refused(uplink, "the certificate is not of the key, or can't be kept");
        return;
    }
    retry_after(uplink, RETRY_MS);
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
        retry_after(uplink, (max_age_s == 0 ? 1 : max_age_s) * 1000);
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
    uplink->renewal.is_active = false;
    retry_after(uplink, 0);
    return true;
}
