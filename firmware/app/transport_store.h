/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport key of a device whose identity stands in an identity store, and how the next one takes its
 * place (proto/SPEC.md 4.11): fw_renew over the store's image. The same on boards and gateways.
 *
 *                transport_key, certificate    next_transport_key    next_certificate
 *     single     key                           -                     -
 *     waiting    key                           next                  -
 *     certified  key                           next                  of next
 *     (used)     next                          -                     -
 *
 * Each step is one replacement of the identity, so a cut leaves the step before or the one behind. Sessions
 * are opened with the next key once it is certified; when one came up, it is the key. When it is refused, or
 * nobody answers to it, the old one is used, and the next one tried again after a minute, then two, up to an
 * hour. Neither is thrown away before. [loop] */
#ifndef APP_TRANSPORT_STORE_H
#define APP_TRANSPORT_STORE_H

#include "firmware/core/csr.h"
#include "firmware/core/identity_store.h"
#include "firmware/core/uplink.h"
#include "firmware/crypto/device_key.h"

enum {
    APP_TRANSPORT_ROOM_BYTES = 2 * FW_CSR_MAX_BYTES,
    APP_TRANSPORT_SHOWN_BYTES = 8, /* of a key's SHA-256, to people */
};

/* Whether an operator wants another key now, whatever the certificate says; done: it has one. */
struct app_transport_asked {
    bool (*is_asked)(void *ctx);
    void (*done)(void *ctx);
    void *ctx;
};

struct app_transport_config {
    struct fw_identity_store *store; /* kept; of an enrolled identity */
    const struct port_clock *clock;  /* kept */
    const struct port_log *log;      /* kept */
    uint8_t *room; /* kept: APP_TRANSPORT_ROOM_BYTES that hold nothing while the uplink calls fw_renew */
    struct app_transport_asked asked;
    uint64_t before_ms; /* so long before its end a certificate is renewed, or in its last third if that is
                           shorter */
};

/* The caller keeps it where it is. Members but `port` and `facts` are private. */
struct app_transport {
    struct fw_renew port;                  /* for fw_collector_config.renew */
    struct crypto_certificate_facts facts; /* of the certificate that the session is, or the next one will be,
                                              opened with; zeros: it can't be read */
    struct app_transport_config config;
    struct port_net_events events; /* that are passed on */
    bool is_up;
    bool uses_next;      /* of the session that is or was opened last */
    uint8_t n_silent;    /* openings with the next key that nobody answered, in a row */
    uint8_t n_fallbacks; /* since it was certified */
    uint8_t n_refusals;  /* of these that were said, not silence */
    uint64_t not_next_until_ms;
};

void app_transport_open(struct app_transport *transport, const struct app_transport_config *config);

/* Has the events of the network pass through here, which tell what a session was opened with. */
struct port_net_events app_transport_watch(struct app_transport *transport, struct port_net_events events);

/* What the next session is opened with, asked right before (net_config.choose); borrowed from the store's
 * page. HR_IO: the identity can't be read now. */
HR_MUST_USE struct hr_status app_transport_choose(struct app_transport *transport,
                                                  struct hr_bytes *certificate, struct hr_bytes *key);

/* "current", "waiting", "certified": how far the next key is, for people. Static storage. */
const char *app_transport_phase_name(const struct app_transport *transport);

#endif
