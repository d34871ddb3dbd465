/* SPDX-License-Identifier: Apache-2.0
 *
 * Envelopes in parts over datagrams (proto/SPEC.md 4.8): which part goes next and when, what an answer means,
 * and how fast the network takes them. A pure state machine: the caller gives the time, sends what it is
 * told to, and hands in the answers. Every transmission is a request of its own with a token of its own, so
 * an answer tells which transmission it is to; it also tells which parts of the envelope are there, so lost
 * answers cost nothing as long as any comes.
 *
 * How fast: a window of 4 to 16 parts, spread over the round trip (RFC 6298's estimator, its samples exact
 * because of the tokens). The window follows the delay, as RFC 6817 does: it grows while the queue on the way
 * is short, and shrinks when it is long. Loss alone shrinks it only when more than half is lost, since radio
 * links lose without being full; silence shrinks it to the least, and doubles the timeout (RFC 6298 5.5).
 * [loop] */
#ifndef NET_PARTS_H
#define NET_PARTS_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    NET_PART_BYTES = 1024,
    NET_PARTS_MAX = (NET_BODY_MAX_BYTES + NET_PART_BYTES - 1) / NET_PART_BYTES, /* at most 16 */
    NET_PARTS_WINDOW_MIN = 4,
    NET_PARTS_WINDOW_MAX = 16,
    NET_PARTS_TOKEN_BYTES = 2, /* few, because they go with every part; other tokens are longer */
    NET_PARTS_SENT = 128,      /* transmissions that are remembered; a power of two */
};

#define NET_PARTS_NEVER_MS UINT64_MAX

enum net_part_state {
    NET_PART_DUE,    /* to be sent, or sent again */
    NET_PART_FLYING, /* sent, and an answer may still come */
    NET_PART_THERE,  /* the other side says that it has it */
};

struct net_part {
    enum net_part_state state;
    uint32_t order; /* of its last transmission */
    uint64_t sent_ms;
    uint32_t there_order; /* of the first transmission after it was known to be there */
};

/* A transmission that was made: what an answer to it is about. */
struct net_parts_sent {
    uint64_t ms;
    uint32_t token; /* of the envelope */
    uint32_t number;
};

struct net_parts_body {
    bool in_use;
    uint32_t token; /* of the request that the caller knows */
    uint32_t age;   /* older bodies go first */
    uint32_t n_parts;
    size_t len_bytes;
    uint64_t ask_ms;      /* when all parts are there: when to ask again for what became of them */
    uint32_t ask_wait_ms; /* and after how long then */
    struct net_part parts[NET_PARTS_MAX];
    uint8_t bytes[NET_BODY_MAX_BYTES];
};

/* Storage; its members belong to parts.c. */
struct net_parts {
    struct net_parts_body bodies[NET_MAX_WINDOW];
    uint32_t next_age;

    uint32_t next_order;                        /* transmissions so far */
    uint32_t answered_order;                    /* the newest that was answered, plus one */
    struct net_parts_sent sent[NET_PARTS_SENT]; /* transmission `order`, at order % NET_PARTS_SENT */
    uint64_t heard_ms;                          /* when anything was last answered */
    uint32_t n_flying;

    uint32_t first_timeout_ms; /* until there is a sample */
    bool has_rtt;
    uint32_t srtt_8_ms;   /* smoothed round trip, times 8 */
    uint32_t rttvar_4_ms; /* its mean deviation, times 4 */
    uint32_t backoff;     /* doublings of the timeout */
    uint32_t least_ms[2]; /* least round trip of this minute and of the last: the way without a queue */
    uint64_t minute_ms;   /* when this minute began */

    bool slow_start;
    uint32_t window_16;   /* parts that may be under way, times 16 */
    uint32_t loss_1024;   /* share of transmissions that were lost, of the last few dozen */
    uint64_t cut_ms;      /* when the window was last cut for loss or silence */
    uint64_t paced_16_ms; /* the moment up to which sending is spoken for, times 16 */
};

/* A transmission to be made now. */
struct net_parts_out {
    uint8_t token[NET_PARTS_TOKEN_BYTES];
    uint16_t tag;         /* Request-Tag, 2 bytes: no other of the last 65,535 envelopes had it */
    uint32_t number;      /* of the part: NUM of Block1, whose SZX is 6 */
    bool more;            /* M of Block1 */
    struct hr_bytes data; /* borrowed until the next call */
};

enum net_parts_verdict {
    NET_PARTS_NOISE, /* it tells nothing new, or is not ours */
    NET_PARTS_NEWS,  /* a part is there of which that was not known */
    NET_PARTS_DONE,  /* it is the answer to the whole envelope, which is forgotten here */
};

void net_parts_init(struct net_parts *parts, uint32_t first_timeout_ms);

/* Takes a copy of the envelope, to be sent under this token. HR_AGAIN: as many as the window of batches are
 * under way. The last 16 bits of the tokens of a session are all different, for as long as 16 bits can be. */
HR_MUST_USE struct hr_status net_parts_add(struct net_parts *parts, uint32_t token, struct hr_bytes envelope);
/* Forgets the envelope, if there is one. */
void net_parts_drop(struct net_parts *parts, uint32_t token);

/* The next transmission that is due; false: none now. Call it until then. A transmission that could not be
 * made counts as lost on the way. */
bool net_parts_next(struct net_parts *parts, uint64_t now_ms, struct net_parts_out *out);
/* When net_parts_next may have something, after it had nothing; NET_PARTS_NEVER_MS: not by time alone. */
uint64_t net_parts_wake_ms(const struct net_parts *parts);

/* An answer to the transmission with this token and CoAP code (class * 32 + detail). On NET_PARTS_DONE *token
 * is that of the envelope. Answers are doubted here: anything may come. */
enum net_parts_verdict net_parts_answered(struct net_parts *parts, uint64_t now_ms,
                                          struct hr_bytes token_bytes, uint8_t coap_code,
                                          struct hr_bytes payload, uint32_t *token);

#endif
