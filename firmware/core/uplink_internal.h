/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the uplink share; nobody else includes it. */
#ifndef FW_UPLINK_INTERNAL_H
#define FW_UPLINK_INTERNAL_H

#include "firmware/core/uplink.h"

static inline uint64_t fw_uplink_now_ms(const struct fw_uplink *uplink)
{
    return port_uptime_ms(uplink->config.clock);
}

/* A random number in [0, below_or_at]. */
uint32_t fw_uplink_draw(const struct fw_uplink *uplink, uint32_t below_or_at);

/* Keeps everything and asks again with GET /h after base_ms, lengthened by chance and by each repetition. */
void fw_uplink_hold(struct fw_uplink *uplink, uint64_t base_ms);
/* The same once an hour or so, without lengthening. */
void fw_uplink_hold_denied(struct fw_uplink *uplink);
/* Has the owner start a stream above the spool's and above at_least. */
void fw_uplink_want_stream(struct fw_uplink *uplink, uint32_t at_least);
/* Makes an Event record, unless the same was said since a batch was last accepted. */
void fw_uplink_tell(struct fw_uplink *uplink, enum fw_event_code code, const char *text);
/* Ends the session here; the next one follows. */
void fw_uplink_drop_session(struct fw_uplink *uplink);

/* The outstanding request of a token; NULL: none. */
struct fw_uplink_request *fw_uplink_find(struct fw_uplink *uplink, uint32_t token);
bool fw_uplink_in_flight(const struct fw_uplink *uplink, uint32_t seq);

/* Asks for the head; posts what the window takes. */
void fw_uplink_ask_head(struct fw_uplink *uplink);
void fw_uplink_send(struct fw_uplink *uplink);

/* ---- uplink_trust.c ---- */

struct wire_ack;
/* Notes that an ack hints at another trust bundle. */
void fw_uplink_trust_hint(struct fw_uplink *uplink, const struct wire_ack *ack);
/* Asks for the next piece of it when one is wanted. */
void fw_uplink_ask_trust(struct fw_uplink *uplink);
/* The session has gone, and with it what was asked for. */
void fw_uplink_trust_forget(struct fw_uplink *uplink);
/* False: the token is not of a request for it. */
bool fw_uplink_trust_answered(struct fw_uplink *uplink, uint32_t token, uint8_t coap_code,
                              struct hr_bytes payload);
bool fw_uplink_trust_timed_out(struct fw_uplink *uplink, uint32_t token);

/* ---- uplink_renew.c, likewise for a certificate ---- */

/* Looks whether it is time, by the time in an ack. */
void fw_uplink_renew_look(struct fw_uplink *uplink, const struct wire_ack *ack);
/* The same, when an ack that is not older than one before it hints at it. */
void fw_uplink_renew_hint(struct fw_uplink *uplink, const struct wire_ack *ack);
/* Also ends a session whose key has a better one. */
void fw_uplink_ask_renewal(struct fw_uplink *uplink);
/* How long until fw_uplink_ask_renewal has something to do, or FW_NEVER_MS. */
uint32_t fw_uplink_renew_wait_ms(const struct fw_uplink *uplink);
void fw_uplink_renew_forget(struct fw_uplink *uplink);
bool fw_uplink_renew_answered(struct fw_uplink *uplink, uint32_t token, uint8_t coap_code,
                              struct hr_bytes payload, uint32_t max_age_s);
bool fw_uplink_renew_timed_out(struct fw_uplink *uplink, uint32_t token);

/* Events of port_net about one request. */
void fw_uplink_on_answer(void *ctx, uint32_t token, uint8_t coap_code, struct hr_bytes payload,
                         uint32_t max_age_s);
void fw_uplink_on_timeout(void *ctx, uint32_t token);

#endif
