/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share. Everything here belongs to the I/O thread unless it says otherwise. */
#ifndef SOURCE_COAP_INTERNAL_H
#define SOURCE_COAP_INTERNAL_H

#include "aggregator/sources/coap/source_coap.h"
#include "proto/base/assert.h"

#include <coap3/coap.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    SOURCE_TOKEN_MAX_BYTES = 8,
    SOURCE_TAG_MAX_BYTES = 8,      /* Request-Tag, RFC 9175 section 3 */
    SOURCE_RECENT = 8,             /* answers a session keeps for retransmitted requests */
    SOURCE_BODIES_PER_SESSION = 4, /* the window of a gateway */
    SOURCE_BODY_STALE_MS = 30000,
    SOURCE_BODY_UNIT_BYTES = 16, /* the smallest block; what has come of a body is known in these */
    SOURCE_PART_BYTES = 1024,    /* proto/SPEC.md 4.8: what a bit of the answer to a part stands for */
    SOURCE_PARTS_TOLD = 16,      /* bits of that answer */
    SOURCE_FINISHED = SOURCE_COAP_WAITING_PER_SESSION, /* whole bodies that a session remembers */
    SOURCE_HANDSHAKE_MS = 10000,  /* a TCP connection must come to its first request in this time */
    SOURCE_RECHECK_MS = 10000,    /* whose transport key has ended meanwhile */
    SOURCE_NOBODY_TIMEOUT_S = 60, /* of sessions without a place: libcoap ends them */
    SOURCE_EVENTS_PER_S = 20,
};

enum { SOURCE_WHY_CHARS = 288 }; /* of a refusal; its longest part is what the handler says of a key */

#define SOURCE_NONE UINT32_MAX /* no index */

/* Which exchange a request belongs to. */
struct source_exchange {
    coap_mid_t mid;
    uint8_t token[SOURCE_TOKEN_MAX_BYTES];
    uint8_t token_len_bytes;
};

/* What went out, for those who ask again. */
struct source_reply {
    uint8_t code;    /* CoAP: class << 5 | detail */
    bool has_format; /* the payload is an ack */
    uint8_t payload_len_bytes;
    uint8_t payload[WIRE_ACK_BYTES];
    uint32_t max_age_s; /* 0: no option */
    uint32_t block1;    /* value of the Block1 option */
    bool has_block1;
};

struct source_recent {
    bool used;
    bool separate; /* the answer went its own way: a retransmission is only acknowledged */
    struct source_exchange exchange;
    struct source_reply reply;
};

/* Request-Tag (RFC 9175 section 3): which body of a session a block belongs to. */
struct source_tag {
    uint8_t len_bytes; /* 0: none */
    uint8_t bytes[SOURCE_TAG_MAX_BYTES];
};

/* A body (RFC 7959) on its way in; its bytes stand in source->body_memory, and which of its units are there
 * in source->body_units. */
struct source_body {
    uint32_t session; /* index, or SOURCE_NONE: free */
    struct source_tag tag;
    bool end_is_known;
    uint32_t end_bytes; /* length of the body, once its last block has come */
    uint32_t n_units;   /* that are there */
    uint64_t touched_ms;
};

/* A body that came whole. Its parts may still come again, each as a request of its own: they are told what
 * became of it. */
struct source_finished {
    bool used;
    bool answered; /* `reply` is what the core said; else it has not said it yet */
    struct source_tag tag;
    struct source_reply reply;
};

/* A session of a device that has shown its key. libcoap ends sessions that nobody holds: the place does. */
struct source_session {
    coap_session_t *coap; /* NULL: free; else referenced */
    uint64_t device_id;
    uint8_t key[WIRE_DIGEST_BYTES]; /* SHA-256 of its transport key's SubjectPublicKeyInfo */
    uint64_t last_request_ms;
    uint32_t n_waiting;
    bool is_expired;        /* its certificate, when the session was opened */
    uint32_t trust_version; /* that the device says it has; 0: it did not say */
    const char *doomed;     /* why it is to be closed after this turn; NULL: it stays */
    char peer[SOURCE_COAP_PEER_CHARS];
    struct source_recent recent[SOURCE_RECENT];
    uint32_t next_recent;
    struct source_finished finished[SOURCE_FINISHED];
    uint32_t next_finished;
};

/* A request that has a ticket. In the list of unconfirmed ones while no ACK has gone out for it. */
struct source_waiting {
    bool used;
    bool confirmable; /* CON over DTLS: wants an ACK */
    bool confirmed;   /* the empty ACK is out */
    bool is_head;
    uint32_t generation; /* in the ticket, so that a late answer can't hit the next user of this place */
    uint32_t session;    /* index, or SOURCE_NONE: gone */
    struct source_exchange exchange;
    uint32_t block1;
    bool has_block1;
    uint32_t finished; /* index in session->finished of a body that came in parts, or SOURCE_NONE */
    uint64_t since_ms;
    uint32_t previous, next; /* unconfirmed list, oldest first; `next` alone in the free list */
};

/* A TCP connection before its first request. */
struct source_newcomer {
    coap_session_t *coap; /* NULL: free */
    uint64_t since_ms;
};

struct source_coap {
    struct source_coap_config config;
    coap_context_t *coap;

    struct source_session *sessions;
    struct source_newcomer *newcomers; /* config.max_handshakes */
    struct source_waiting *waiting;    /* config.max_waiting */
    struct source_body *bodies;        /* config.max_bodies */
    uint8_t *body_memory;              /* max_bodies times max_body_bytes */
    uint8_t *body_units;               /* max_bodies times units_len_bytes: a bit for each unit */
    size_t units_len_bytes;
    uint32_t n_session_places;
    uint32_t n_doomed;
    uint32_t first_free; /* of waiting */
    uint32_t first_unconfirmed, last_unconfirmed;

    uint32_t events_in_second;
    uint64_t events_second;
    uint64_t next_sweep_ms;
    uint64_t next_recheck_ms;
    char last_warning[160]; /* libcoap's newest, the reason of a handshake that fails next */

    _Atomic uint64_t counters[SOURCE_COAP_N_COUNTERS];
    atomic_uint n_sessions, n_waiting;

    struct source_answer *answers; /* ring of max_waiting, under answers_lock: a ticket is answered once */
    uint32_t answers_first, n_answers;
    pthread_mutex_t answers_lock;
    int wake; /* eventfd */
    atomic_bool recheck;
    bool refusing;
};

static inline void source_count(struct source_coap *source, enum source_coap_counter counter, uint64_t n)
{
    atomic_fetch_add_explicit(&source->counters[counter], n, memory_order_relaxed);
}

uint64_t source_now_ms(void);
uint64_t source_utc_ms(void);
void source_emit(struct source_coap *source, enum source_event_kind kind, const char *peer,
                 uint64_t device_id, const char *text);
void source_peer_text(const coap_session_t *session, char out[SOURCE_COAP_PEER_CHARS]);

/* ---- session.c ---- */

int source_check_certificate(const char *cn, const uint8_t *certificate, size_t certificate_len_bytes,
                             coap_session_t *session, unsigned int depth, int validated, void *ctx);
int source_on_event(coap_session_t *session, coap_event_t event);
/* The place of this session, made on its first request; NULL: it may have none and will be closed. */
struct source_session *source_session_of(struct source_coap *source, coap_session_t *coap);
void source_session_doom(struct source_coap *source, struct source_session *session, const char *why);
/* The certificate of the other side of a session, in DER; empty: there is none. Borrowed. */
struct hr_bytes source_certificate_of(const coap_session_t *coap);
/* Closes what is doomed or was silent for too long; on a recheck also whose device or key is no longer
 * admitted. */
void source_sessions_sweep(struct source_coap *source, uint64_t now_ms);
/* Closes all. */
void source_sessions_end(struct source_coap *source);

/* ---- body.c ---- */

enum source_body_verdict {
    SOURCE_BODY_WHOLE,   /* *out is the envelope */
    SOURCE_BODY_MORE,    /* 2.31, go on */
    SOURCE_BODY_MISSING, /* 4.08: the block before it never came, or the body was given up, or the blocks
                            contradict each other: all of it must come again */
    SOURCE_BODY_TOO_LARGE,
    SOURCE_BODY_MALFORMED, /* a block shorter than its size that is not the last, or a reserved size */
    SOURCE_BODY_NO_ROOM,
};

/* A block of a body, taken apart. */
struct source_block {
    struct source_tag tag;
    uint32_t offset_bytes;
    struct hr_bytes data;
    bool is_last;
    bool any_order; /* a part (proto/SPEC.md 4.8): its predecessor may come later */
};

/* False: the block is not as long as it says, or of a reserved size. */
bool source_block_read(const coap_pdu_t *request, const coap_block_b_t *block, struct source_block *out);
/* Adds a block. *parts has a bit for each part of SOURCE_PART_BYTES that is there, the first
 * SOURCE_PARTS_TOLD of them. After SOURCE_BODY_WHOLE, *out is borrowed until the next call of this room. */
enum source_body_verdict source_body_add(struct source_coap *source, uint32_t session,
                                         const struct source_block *block, struct hr_bytes *out,
                                         uint16_t *parts);
void source_bodies_drop(struct source_coap *source, uint32_t session);

/* The body of this tag that came whole already; NULL: none. */
struct source_finished *source_finished_find(struct source_session *session, const struct source_tag *tag);
/* Remembers a whole body in parts that waits for its answer: an index in session->finished. */
uint32_t source_finished_new(struct source_session *session, const struct source_tag *tag);

/* ---- request.c ---- */

void source_on_batch(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                     const coap_string_t *query, coap_pdu_t *response);
void source_on_head(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                    const coap_string_t *query, coap_pdu_t *response);
void source_on_trust(coap_resource_t *resource, coap_session_t *coap, const coap_pdu_t *request,
                     const coap_string_t *query, coap_pdu_t *response);
void source_on_renewal(coap_resource_t *resource, coap_session_t *coap, const coap_pdu_t *request,
                       const coap_string_t *query, coap_pdu_t *response);
void source_on_unknown(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                       const coap_string_t *query, coap_pdu_t *response);

/* ---- answer.c ---- */

void source_exchange_of(const coap_pdu_t *request, struct source_exchange *out);
/* ---- trust.c ---- */

/* True: the device has not got the newest trust bundle, as far as is known. */
bool source_trust_is_behind(const struct source_coap *source, const struct source_session *session);
/* Answers POST /sren. */
void source_renewal_answer(struct source_coap *source, struct source_session *session,
                           const coap_pdu_t *request, coap_pdu_t *response);
/* Answers GET /t. */
void source_trust_answer(struct source_coap *source, struct source_session *session,
                         const coap_string_t *query, coap_pdu_t *response);

/* A place for a request; SOURCE_NONE: all are taken. */
uint32_t source_waiting_new(struct source_coap *source, struct source_session *session,
                            const coap_pdu_t *request, bool is_head);
void source_waiting_free(struct source_coap *source, uint32_t index);
struct source_ticket source_ticket_of(const struct source_coap *source, uint32_t index);
/* True when this request is a retransmission: it was answered again, or will be. */
bool source_answered_before(struct source_coap *source, struct source_session *session,
                            const coap_pdu_t *request);
void source_recent_keep(struct source_session *session, const struct source_exchange *exchange,
                        const struct source_reply *reply, bool separate);
/* Writes the reply into a PDU whose token is set. */
bool source_reply_write(const struct source_reply *reply, coap_pdu_t *pdu);
/* Sends the answers that have come, and empty ACKs for requests older than a second. */
void source_answers_send(struct source_coap *source, uint64_t now_ms);
/* How long a step may wait for the next empty ACK to be due. */
uint32_t source_confirm_wait_ms(const struct source_coap *source, uint64_t now_ms, uint32_t most_ms);
/* The session has gone: its answers go into the void. */
void source_waiting_orphan(struct source_coap *source, uint32_t session);

#endif
