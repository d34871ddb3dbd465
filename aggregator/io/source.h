/* SPDX-License-Identifier: Apache-2.0
 *
 * How batches come in. A source (CoAP today) owns its sessions and knows which device a session's certificate
 * belongs to; it hands envelopes to the core and later gets the ack to send. */
#ifndef AGG_SOURCE_H
#define AGG_SOURCE_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"
#include "proto/wire/ack.h"
#include "proto/wire/batch.h"

/* Names one waiting request. The source alone knows what is behind it; a request whose session has gone is
 * answered into the void. */
struct source_ticket {
    uint64_t id;
};

struct source_answer {
    struct source_ticket ticket;
    struct wire_ack ack;
    uint32_t max_age_s; /* with slow_down and unavailable; else 0 */
};

/* What a source calls. */
struct source_handler {
    /* An envelope of the device that the session's certificate names; the bytes are copied before it returns.
     * HR_FULL: too much is waiting; the source answers 5.03 itself. [io thread] */
    HR_MUST_USE struct hr_status (*batch)(void *ctx, struct source_ticket ticket,
                                          uint64_t certified_device_id, struct hr_bytes envelope);
    /* GET /h?s=stream. As batch. [io thread] */
    HR_MUST_USE struct hr_status (*head)(void *ctx, struct source_ticket ticket, uint64_t certified_device_id,
                                         uint32_t stream);
    /* May a device with this certificate have a session at all? Asked once a handshake. [io thread] */
    bool (*admits)(void *ctx, uint64_t certified_device_id);
    /* And with this transport key (SHA-256 of its SubjectPublicKeyInfo)? NULL: yes; else why not, and what to
     * do: static text. Asked likewise, and now and then while a session is open. [io thread] */
    const char *(*refuses_key)(void *ctx, uint64_t certified_device_id, const uint8_t key[WIRE_DIGEST_BYTES]);
    /* A session was opened with that key, which the device has shown. [io thread] */
    void (*key_seen)(void *ctx, uint64_t certified_device_id, const uint8_t key[WIRE_DIGEST_BYTES]);
    /* The device has this version of the trust bundle; told when it asks for another than it had asked for in
     * its session. NULL: nobody wants to know. [io thread] */
    void (*has_bundle)(void *ctx, uint64_t certified_device_id, uint32_t version);
    void *ctx;
};

/* The trust bundles that devices may fetch. */
struct source_trust {
    /* The newest version; 0: there is none. [io thread] */
    uint32_t (*newest)(void *ctx);
    /* The bundle of this version, borrowed until the next call of either; empty: there is none. [io thread]
     */
    struct hr_bytes (*bundle)(void *ctx, uint32_t version);
    void *ctx;
};

/* Who asks over a session: the device that its certificate names, and that certificate. Borrowed. */
struct source_peer {
    uint64_t device_id;
    const uint8_t *key;          /* SHA-256 of its SubjectPublicKeyInfo */
    struct hr_bytes certificate; /* DER */
};

/* Certificates for another transport key of a device (proto/SPEC.md 4.11). */
struct source_renewal {
    /* A request (PKCS#10) of the device that the session's certificate names. HR_OK: *certificate, in DER,
     * borrowed until the next call. HR_AGAIN: it is being made, or too many are; ask again. HR_DENIED: not
     * for this device. HR_MALFORMED: no such request. Never blocks. [io thread] */
    HR_MUST_USE struct hr_status (*renew)(void *ctx, const struct source_peer *peer, struct hr_bytes request,
                                          struct hr_bytes *certificate);
    void *ctx;
};

/* What the core calls; [any thread], never blocks. */
struct source_answers {
    void (*answer)(void *ctx, const struct source_answer *answer);
    void *ctx;
};

#endif
