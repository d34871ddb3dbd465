/* SPDX-License-Identifier: Apache-2.0
 *
 * Fetches the next trust bundle when an ack hints at one (proto/SPEC.md 4.10): in pieces, between the posts,
 * into room that nothing else needs. A session that it came over goes on with what it was opened with, so it
 * is ended when another bundle is adopted. */
#include "firmware/core/uplink_internal.h"
#include "proto/base/cursor.h"
#include "proto/wire/ack.h"

#include <string.h>

enum {
    CODE_CONTENT = 2 << 5 | 5,
    CODE_NOT_FOUND = 4 << 5 | 4,
    PIECE_HEAD_BYTES = 8,
    RETRY_MS = 5 * 60 * 1000, /* after a refusal: another bundle has to come first */
};

void fw_uplink_trust_hint(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    struct fw_uplink_fetch *fetch = &uplink->fetch;
    if (uplink->config.trust != NULL && (ack->hints & WIRE_HINT_CONFIG) != 0 &&
        fw_trust_version(uplink->config.trust) != 0 && fw_uplink_now_ms(uplink) >= fetch->not_before_ms) {
        fetch->is_wanted = true;
    }
}

void fw_uplink_trust_forget(struct fw_uplink *uplink)
{
    uplink->fetch.is_active = false;
    uplink->fetch.len_bytes = 0;
}

static void give_up(struct fw_uplink *uplink, uint32_t for_ms)
{
    fw_uplink_trust_forget(uplink);
    uplink->fetch.is_wanted = false;
    uplink->fetch.not_before_ms = fw_uplink_now_ms(uplink) + for_ms;
}

void fw_uplink_ask_trust(struct fw_uplink *uplink)
{
    struct fw_uplink_fetch *fetch = &uplink->fetch;
    if (!fetch->is_wanted || fetch->is_active || uplink->session != FW_UPLINK_UP) {
        return;
    }
    const struct port_net *net = uplink->config.net;
    uint32_t token = uplink->next_token;
    struct hr_status status =
        net->get_trust(net->ctx, token, fw_trust_version(uplink->config.trust) + 1, fetch->len_bytes);
    if (!hr_is_ok(status)) {
        return; /* no room now, or the session is ending: it is asked for again */
    }
    uplink->next_token++;
    fetch->is_active = true;
    fetch->token = token;
}

static void refuse(struct fw_uplink *uplink, const char *why)
{
    PORT_LOG(uplink->config.log, PORT_LOG_WARN, "trust_refused",
             {"wanted_version", NULL, (int64_t)fw_trust_version(uplink->config.trust) + 1}, {"why", why, 0});
    fw_uplink_tell(uplink, FW_EVENT_TRUST_REFUSED, why);
    give_up(uplink, RETRY_MS);
}

static void offer(struct fw_uplink *uplink)
{
    struct fw_trust *trust = uplink->config.trust;
    const char *why = "";
    struct hr_status status =
        fw_trust_offer(trust, hr_bytes_of(fw_trust_room(trust), uplink->fetch.len_bytes), &why);
    fw_uplink_trust_forget(uplink);
    if (hr_is_ok(status)) {
        PORT_LOG(uplink->config.log, PORT_LOG_INFO, "trust_adopted",
                 {"version", NULL, fw_trust_version(trust)});
        fw_uplink_tell(uplink, FW_EVENT_TRUST_CHANGED, "another trust bundle is followed");
        fw_uplink_drop_session(uplink);
        return;
    }
    refuse(uplink, why);
}

/* What the head of a piece says of the bundle. */
static bool is_too_big(struct hr_bytes payload)
{
    struct hr_reader reader = hr_reader_over(payload);
    (void)hr_read_u32(&reader);
    return hr_read_u16(&reader) > TRUST_MAX_BYTES;
}

/* False: it does not continue what has come. */
static bool take_piece(struct fw_uplink *uplink, struct hr_bytes payload, bool *is_whole)
{
    struct fw_uplink_fetch *fetch = &uplink->fetch;
    struct hr_reader reader = hr_reader_over(payload);
    uint32_t version = hr_read_u32(&reader);
    uint16_t total_bytes = hr_read_u16(&reader);
    uint16_t at = hr_read_u16(&reader);
    size_t len_bytes = hr_reader_left(&reader);
    struct hr_bytes piece = hr_read_slice(&reader, len_bytes);
    if (!hr_reader_ok(&reader) || payload.len_bytes <= PIECE_HEAD_BYTES || total_bytes > TRUST_MAX_BYTES ||
        version != fw_trust_version(uplink->config.trust) + 1 || at != fetch->len_bytes ||
        len_bytes > (size_t)total_bytes - at) {
        return false;
    }
    memcpy(fw_trust_room(uplink->config.trust) + at, piece.data, len_bytes);
    fetch->len_bytes += (uint32_t)len_bytes;
    *is_whole = fetch->len_bytes == total_bytes;
    return true;
}

bool fw_uplink_trust_answered(struct fw_uplink *uplink, uint32_t token, uint8_t coap_code,
                              struct hr_bytes payload)
{
    struct fw_uplink_fetch *fetch = &uplink->fetch;
    bool is_whole = false;
    if (!fetch->is_active || fetch->token != token) {
        return false;
    }
    fetch->is_active = false;
    if (coap_code == CODE_NOT_FOUND) {
        give_up(uplink, 0);
    } else if (coap_code == CODE_CONTENT && is_too_big(payload)) {
        uplink->config.trust->counters.malformed++;
        refuse(uplink, "too_big");
    } else if (coap_code != CODE_CONTENT || !take_piece(uplink, payload, &is_whole)) {
        uplink->counters.bad_answers++;
        give_up(uplink, RETRY_MS);
    } else if (is_whole) {
        offer(uplink);
    }
    return true;
}

bool fw_uplink_trust_timed_out(struct fw_uplink *uplink, uint32_t token)
{
    if (!uplink->fetch.is_active || uplink->fetch.token != token) {
        return false;
    }
    give_up(uplink, 0); /* a later ack hints again */
    return true;
}
