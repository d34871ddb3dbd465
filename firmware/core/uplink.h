/* SPDX-License-Identifier: Apache-2.0
 *
 * The uplink: brings the sealed batches of the spool to an aggregator, oldest first, and frees what the
 * aggregator acknowledges. A state machine over the ports: no thread, no heap, no clock of its own.
 * proto/SPEC.md section 4 has the table of answers that it follows; firmware/DESIGN.md says why.
 *
 * Promises. Nothing leaves the spool but by an ack whose digest is that of the spool's own batch, or as a
 * signed Loss. A refusal never loses data by itself: a batch is given up only when it is damaged here, or
 * when the aggregator refused it twice while it accepted others. Every wait has an end: answers and sessions
 * by the deadlines of port_net, the rest by fw_uplink_step. All functions are [loop]. */
#ifndef FW_UPLINK_H
#define FW_UPLINK_H

#include "firmware/core/spool.h"
#include "firmware/core/trust.h"
#include "firmware/port/port_clock.h"
#include "firmware/port/port_log.h"
#include "firmware/port/port_net.h"
#include "firmware/port/port_random.h"
#include "firmware/port/port_verify.h"
#include "proto/edge/record.h"

#define FW_NEVER_MS UINT32_MAX

enum {
    FW_UPLINK_MAX_WINDOW = 4,
    FW_UPLINK_MAX_REQUESTS = FW_UPLINK_MAX_WINDOW + 1, /* and one GET /h */
    FW_UPLINK_ANCHOR_RTT_MAX_MS = 5000,                /* a slower answer says too little about the time */
    FW_UPLINK_BACKOFF_MAX_MS = 15 * 60 * 1000,
    FW_UPLINK_DENIED_POLL_MS = 60 * 60 * 1000,
    FW_UPLINK_RECONNECT_MAX_MS = 60 * 1000,
};

/* What an Event record says happened; numbers are for ever. */
enum fw_event_code {
    FW_EVENT_FORK = 1,         /* the aggregator has another chain: a new stream begins */
    FW_EVENT_EQUIVOCATION = 2, /* the aggregator holds another batch of this number: a new stream begins */
    FW_EVENT_AGGREGATOR_AHEAD = 3, /* it has batches, or a stream, that this spool never sealed: new stream */
    FW_EVENT_AGGREGATOR_BEHIND = 4, /* it waits for batches that were acknowledged and freed: new stream */
    FW_EVENT_UNKNOWN_KEY = 5,
    FW_EVENT_DENIED = 6, /* revoked, quarantined or unknown: data is kept and the aggregator asked hourly */
    FW_EVENT_UNSUPPORTED = 7, /* it doesn't know this format: data is kept */
    FW_EVENT_MALFORMED = 8,   /* it finds a batch malformed that is right here: data is kept */
    FW_EVENT_REFUSED = 9,     /* a batch that is right here was refused twice and given up */
    FW_EVENT_DAMAGED = 10,    /* a sealed batch is damaged in the spool and was given up */
    FW_EVENT_ALL_REFUSED =
        11, /* it refuses signatures that are right here, and accepted none: data is kept */
    FW_EVENT_KEY_SWITCH_REFUSED = 16, /* it has not followed a KeySwitch: the old record key stays */
    FW_EVENT_TRUST_CHANGED = 20,      /* another trust bundle is followed */
    FW_EVENT_TRUST_REFUSED = 21,      /* a trust bundle was refused; the text says why */
    FW_EVENT_RENEWED = 22, /* another transport key is certified, and used from the next session on */
    FW_EVENT_RENEWAL_REFUSED = 23,
};

/* What the uplink tells its owner, from inside fw_uplink_step or an event of port_net. The owner may append
 * and seal in the spool, and may not call the uplink. */
struct fw_uplink_owner {
    void (*anchor)(void *ctx, const struct edge_time_anchor *anchor);
    void (*event)(void *ctx, const struct edge_event *event);
    /* What an ack hinted (enum wire_hint), unless the ack is older than one that came before it. */
    void (*hints)(void *ctx, uint8_t hints);
    /* The key of batch seq, which the aggregator awaits, was refused: UNKNOWN_KEY, or BAD_SIGNATURE for the
     * second time. True: another key may be taken, and all goes again in a new stream. The owner may read the
     * batch. NULL: there is one key. */
    bool (*key_refused)(void *ctx, uint32_t seq, enum wire_ack_status status);
    void *ctx;
};

/* The transport key and its successor, which the platform keeps. [loop] */
struct fw_renew {
    /* Is it time, by the aggregator's clock, or because an ack hints at it? False while there is a certified
     * key that no session was opened with. */
    bool (*is_due)(void *ctx, uint64_t utc_ms, bool is_hinted);
    /* NULL, or: is there another key than that of this session, and shall it be tried now? */
    bool (*is_other_due)(void *ctx);
    /* A PKCS#10 request of the next key, which is durable before it is asked for; the same key until it is
     * certified. Borrowed until the next call. HR_AGAIN: a part of it was done, call again in the next step.
     * Others: it can't be made or kept. */
    HR_MUST_USE struct hr_status (*request)(void *ctx, struct hr_bytes *request);
    /* The certificate of that key, in DER: used from the next session on. HR_MALFORMED: it is not of that
     * key, not of this device, or no certificate. Others: it can't be kept. In all these cases nothing
     * changed. */
    HR_MUST_USE struct hr_status (*certificate)(void *ctx, struct hr_bytes certificate);
    void *ctx;
};

struct fw_uplink_config {
    const struct port_net *net;
    const struct port_clock *clock;
    const struct port_random *random;
    const struct port_log *log;
    const struct port_verify *verify; /* this device's own record keys */
    const struct wire_hash *hash;
    struct fw_spool *spool;       /* open */
    struct fw_trust *trust;       /* open, kept; NULL: trust is as configured and does not change */
    const struct fw_renew *renew; /* kept; NULL: the transport key stays */
    struct fw_uplink_owner owner;
    uint8_t *envelope; /* kept: room for the largest envelope of the spool; holds nothing between two calls,
                          nor while the owner is called */
    uint32_t envelope_capacity_bytes;
    uint32_t boot_id;
    uint32_t anchor_interval_ms; /* at most one time anchor in this time, and one at each session's start */
};

/* Counted since boot; fw_uplink_stats has the names. */
struct fw_uplink_counters {
    uint64_t sessions_opened;
    uint64_t sessions_failed;
    uint64_t sessions_lost;
    uint64_t posts;
    uint64_t posted_bytes;
    uint64_t accepted;
    uint64_t duplicates;
    uint64_t gaps;
    uint64_t rewinds;
    uint64_t loss_carriers;
    uint64_t timeouts;
    uint64_t bad_answers;
    uint64_t malformed;
    uint64_t unknown_key;
    uint64_t denied;
    uint64_t conflicts;
    uint64_t unsupported;
    uint64_t refused;
    uint64_t told_to_wait;
    uint64_t given_up;
    uint64_t new_streams;
    uint64_t anchors;
    uint64_t slow_answers;
    uint64_t read_failures;
};

enum fw_uplink_session { FW_UPLINK_DOWN, FW_UPLINK_OPENING, FW_UPLINK_UP };

enum fw_uplink_mode {
    FW_UPLINK_RUN,
    FW_UPLINK_HOLD,       /* was told to wait, or found that asking again at once is useless: until wake_ms */
    FW_UPLINK_NEW_STREAM, /* the owner has to start stream wanted_stream */
};

struct fw_uplink_request {
    bool active;
    bool is_head;    /* GET /h; seq means nothing */
    bool is_carrier; /* sent out of order for the Loss that it carries */
    uint32_t token;
    uint32_t stream;
    uint32_t seq;
    uint64_t sent_ms;
};

/* The next trust bundle on its way into fw_trust_room. */
struct fw_uplink_fetch {
    bool is_wanted; /* an ack hinted at one */
    bool is_active; /* a request for it is out */
    uint32_t token;
    uint32_t len_bytes; /* that have come */
    uint64_t not_before_ms;
};

/* A certificate that is asked for. */
struct fw_uplink_renewal {
    bool is_wanted;
    bool is_active; /* a request is out */
    uint32_t token;
    uint64_t not_before_ms; /* it is asked for, or made out that it is time */
    uint64_t next_look_ms;
};

/* Storage of the uplink; its members belong to uplink*.c. */
struct fw_uplink {
    struct fw_uplink_config config;
    struct fw_uplink_counters counters;

    enum fw_uplink_session session;
    enum fw_uplink_mode mode;
    uint64_t wake_ms; /* when DOWN the next open; in HOLD its end */
    uint8_t address;
    uint32_t failed_opens;     /* since an aggregator last answered GET /h */
    uint32_t failed_exchanges; /* in a row */
    uint32_t backoffs;         /* in a row */
    bool useful_session;       /* it accepted a batch, or there was none to send */
    bool head_known;

    uint32_t wanted_stream;
    uint32_t expected_seq;   /* the batch that the aggregator waits for */
    uint32_t cursor_seq;     /* the next to send; at least expected_seq */
    uint32_t held;           /* bit i: the aggregator holds batch expected_seq + 1 + i until the gap fills */
    uint32_t head_acked_seq; /* acked_seq of the spool when GET /h was sent */

    uint32_t switch_seq;  /* from here on nothing is sent before all ahead of it is acknowledged; 0: none */
    uint32_t suspect_seq; /* was refused once and goes a second time; WIRE_SEQ_NONE: none */
    bool accepted_since_refusal;
    uint32_t told_events; /* bit per enum fw_event_code: said since a batch was last accepted */

    uint32_t next_token;
    struct fw_uplink_request requests[FW_UPLINK_MAX_REQUESTS];
    struct fw_uplink_fetch fetch;
    struct fw_uplink_renewal renewal;
    uint64_t last_anchor_ms;
    bool anchor_due; /* none yet in this session */

    struct wire_merkle tree; /* of a batch that was refused and is checked here */
};

void fw_uplink_init(struct fw_uplink *uplink, const struct fw_uplink_config *config);

/* The events that the platform's port_net is to be given. Their ctx is the uplink. */
struct port_net_events fw_uplink_net_events(struct fw_uplink *uplink);

/* Does what is due: opens a session, asks for the head, posts what the window takes. Call after each seal,
 * after each event of port_net, and when the time it returned is over: milliseconds, or FW_NEVER_MS when only
 * an event or a seal can change something. */
uint32_t fw_uplink_step(struct fw_uplink *uplink);

/* Batches from switch_seq on are signed by a key that the aggregator learns of from the batch ahead of them;
 * 0: there is no such place in this stream. */
void fw_uplink_set_switch(struct fw_uplink *uplink, uint32_t switch_seq);

/* True when the uplink waits for a new stream: the owner seals what is open, calls fw_spool_new_stream with
 * *stream and fw_spool_carry until it is done, then fw_uplink_stream_started. */
bool fw_uplink_wants_stream(const struct fw_uplink *uplink, uint32_t *stream);
void fw_uplink_stream_started(struct fw_uplink *uplink);

/* True when every sealed batch has been acknowledged. */
bool fw_uplink_is_drained(const struct fw_uplink *uplink);

/* A short name of what the uplink is doing, for people: "down", "opening", "sending", "holding" ... */
const char *fw_uplink_state_name(const struct fw_uplink *uplink);

/* The counters as a Stats record of source "uplink". */
void fw_uplink_stats(const struct fw_uplink *uplink, struct edge_stats *out);

#endif
