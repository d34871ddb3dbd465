/* SPDX-License-Identifier: Apache-2.0
 *
 * The CoAP source: listens on coaps (DTLS 1.2 with connection ids) and coaps+tcp, lets in devices whose
 * certificate its CA has signed, takes POST /b, GET /h, GET /t and POST /sren (PROTOCOL 1.6, 1.7;
 * proto/SPEC.md section 4), and sends each answer when the core has it. One I/O thread drives it; answers may
 * come from any thread.
 *
 * Handling is idempotent, as CoAP needs it: a retransmitted request is answered again from memory or stays
 * waiting, and never becomes a second ticket. An answer within a second goes out with the acknowledgement;
 * after that an empty acknowledgement goes first and the answer follows by itself (RFC 7252 section 5.2.2).
 *
 * Everything is bounded: sessions, handshakes, waiting requests (of all, and of one session), and block-wise
 * bodies in the making. aggregator/DESIGN.md section "Source" has the bytes. */
#ifndef SOURCE_COAP_H
#define SOURCE_COAP_H

#include "aggregator/io/source.h"

#include <stdbool.h>

enum {
    SOURCE_COAP_MAX_LISTEN = 8,
    SOURCE_COAP_CONTENT_FORMAT = 65001, /* of an envelope; experimental range of RFC 7252 section 12.3 */
    SOURCE_COAP_WAITING_PER_SESSION = 8,
    SOURCE_COAP_SESSIONS_PER_DEVICE = 4, /* a fifth takes the place of the one that was silent longest */
    SOURCE_COAP_PEER_CHARS = 64,
    SOURCE_COAP_CONFIRM_AFTER_MS =
        1000, /* then an empty ACK; a client retransmits after 2 s at the earliest */
};

enum source_event_kind {
    SOURCE_EVENT_LISTENING,           /* text: the address */
    SOURCE_EVENT_SESSION_OPENED,      /* the device has shown its key; over TCP, and sent its first request */
    SOURCE_EVENT_SESSION_CLOSED,      /* text: why */
    SOURCE_EVENT_SESSION_REFUSED,     /* text: why; device_id 0 when the certificate names none */
    SOURCE_EVENT_HANDSHAKE_FAILED,    /* text: the reason that the TLS library gives */
    SOURCE_EVENT_CERTIFICATE_EXPIRED, /* the session goes on all the same: no date may brick a fleet
                                         (PROTOCOL 2.4) */
    SOURCE_EVENT_REQUEST_REFUSED,     /* text: why; the client has been told */
    SOURCE_EVENT_MALFORMED_MESSAGE,   /* CoAP that does not parse, from a session that is authentic */
    SOURCE_EVENT_LIBRARY,             /* text: what libcoap warns of */
};

/* Something for the log. Borrowed during the call. */
struct source_event {
    enum source_event_kind kind;
    const char *peer; /* address and port; empty when there is none */
    uint64_t device_id;
    const char *text; /* never NULL */
};

/* X(enumerator, metric name, help) */
#define SOURCE_COAP_COUNTERS(X)                                                                              \
    X(SESSIONS_OPENED, "coap_sessions_opened_total", "Sessions of devices that showed their key")            \
    X(SESSIONS_CLOSED, "coap_sessions_closed_total", "Of these, sessions that ended")                        \
    X(SESSIONS_EVICTED, "coap_sessions_evicted_total", "Sessions closed to make room for another")           \
    X(SESSIONS_DROPPED, "coap_sessions_dropped_total",                                                       \
      "Sessions closed because the device may no longer connect")                                            \
    X(SESSIONS_REFUSED, "coap_sessions_refused_total", "Sessions refused because all places are taken")      \
    X(HANDSHAKES_FAILED, "coap_handshakes_failed_total", "Handshakes that failed, for any reason")           \
    X(HANDSHAKES_RENEWED, "coap_handshakes_renewed_total",                                                   \
      "Handshakes begun at the address of an open session, which they ended")                                \
    X(HANDSHAKES_EXPIRED, "coap_handshakes_expired_total",                                                   \
      "TCP connections that came to no request in time")                                                     \
    X(CERTIFICATES_UNTRUSTED, "coap_certificates_untrusted_total",                                           \
      "Client certificates that client_ca did not sign, or that are damaged")                                \
    X(CERTIFICATES_NAMELESS, "coap_certificates_nameless_total", "Client certificates that name no device")  \
    X(CERTIFICATES_EXPIRED, "coap_certificates_expired_total",                                               \
      "Sessions opened with an expired certificate")                                                         \
    X(DEVICES_REFUSED, "coap_devices_refused_total",                                                         \
      "Handshakes of devices that are unknown, revoked or retired")                                          \
    X(KEYS_REFUSED, "coap_transport_keys_refused_total",                                                     \
      "Handshakes with a transport key that is over, or not the device's")                                   \
    X(BATCHES, "coap_batches_received_total", "Envelopes received whole")                                    \
    X(BATCH_BYTES, "coap_envelope_bytes_received_total", "Bytes of these envelopes")                         \
    X(HEADS, "coap_heads_received_total", "GET /h requests received")                                        \
    X(RENEWALS, "coap_renewals_total", "Certificates for other transport keys handed out")                   \
    X(RENEWALS_REFUSED, "coap_renewals_refused_total", "Requests for them that were refused")                \
    X(EXPIRED_REFUSED, "coap_expired_refused_total",                                                         \
      "Requests of sessions with an expired certificate that only a valid one may make")                     \
    X(TRUST_PIECES, "coap_trust_pieces_total", "Pieces of trust bundles sent")                               \
    X(BLOCKS, "coap_blocks_received_total", "Blocks of block-wise bodies received, each once")               \
    X(BLOCKS_REFUSED, "coap_blocks_refused_total", "Blocks that fit no body: predecessor, size or end")      \
    X(BODIES_ABANDONED, "coap_bodies_abandoned_total", "Block-wise bodies given up unfinished")              \
    X(OVERSIZED, "coap_oversized_total", "Bodies larger than an envelope may be")                            \
    X(WRONG_FORMAT, "coap_wrong_format_total", "Bodies of another Content-Format than 65001")                \
    X(BAD_QUERY, "coap_bad_query_total", "GET /h without a stream number")                                   \
    X(MALFORMED, "coap_malformed_messages_total", "Messages that are not well-formed CoAP")                  \
    X(BUSY, "coap_busy_total", "Requests answered 5.03 because too much was waiting")                        \
    X(TOO_MANY_WAITING, "coap_too_fast_total", "Requests answered 4.29: too many waiting in one session")    \
    X(DUPLICATES, "coap_duplicate_requests_total", "Retransmitted requests recognized")                      \
    X(ANSWERS_PIGGYBACKED, "coap_answers_piggybacked_total", "Answers sent with the acknowledgement")        \
    X(ANSWERS_SEPARATE, "coap_answers_separate_total", "Answers that came after an empty acknowledgement")   \
    X(ANSWERS_UNCONFIRMED, "coap_answers_unconfirmed_total",                                                 \
      "Answers to requests that were not confirmable")                                                       \
    X(ANSWERS_STREAMED, "coap_answers_streamed_total", "Answers sent over TCP")                              \
    X(ANSWERS_VOID, "coap_answers_void_total", "Answers whose session had gone")                             \
    X(ANSWERS_UNSENT, "coap_answers_unsent_total", "Answers that libcoap could not send")                    \
    X(RETRANSMISSIONS, "coap_retransmissions_total", "Separate answers sent again")                          \
    X(EVENTS_MUTED, "coap_log_lines_muted_total",                                                            \
      "Log lines of the source left out, more than 20 in a second")

enum source_coap_counter {
#define SOURCE_COAP_COUNTER_ENUM(id, name, help) SOURCE_COAP_##id,
    SOURCE_COAP_COUNTERS(SOURCE_COAP_COUNTER_ENUM)
#undef SOURCE_COAP_COUNTER_ENUM
        SOURCE_COAP_N_COUNTERS
};

struct source_coap_counter_info {
    const char *name; /* without the program's prefix */
    const char *help;
};

extern const struct source_coap_counter_info source_coap_counter_table[SOURCE_COAP_N_COUNTERS];

struct source_coap_listen {
    const char *address; /* numeric, IPv4 or IPv6 */
    uint16_t port;       /* 0: any free one; the LISTENING event tells */
    bool tcp;            /* coaps+tcp, else coaps */
};

struct source_coap_config {
    const struct source_coap_listen *listen;
    size_t n_listen; /* 1 to SOURCE_COAP_MAX_LISTEN */
    /* PEM files, read again at each handshake: a renewed certificate needs no restart. */
    const char *certificate;
    const char *key;
    const char *client_ca;
    uint32_t max_sessions;   /* authenticated ones, DTLS and TCP together */
    uint32_t max_handshakes; /* unauthenticated ones, DTLS and TCP each */
    uint32_t max_waiting;    /* requests without an answer yet, of all sessions */
    uint32_t max_bodies;     /* block-wise bodies in the making, of all sessions */
    uint32_t max_body_bytes; /* a larger envelope is refused */
    uint32_t idle_timeout_s; /* a session that was silent this long is closed */
    uint32_t retry_after_s;  /* Max-Age with 5.03 */
    struct source_handler handler;
    const struct source_trust *trust;                           /* NULL: there are no trust bundles */
    const struct source_renewal *renewal;                       /* NULL: certificates are not renewed */
    void (*event)(void *ctx, const struct source_event *event); /* [io thread] */
    void *event_ctx;
};

struct source_coap;

/* Binds all addresses. HR_IO: one can't be bound, or certificate, key or CA can't be read; told by an event.
 * What the configuration points to is kept until close. One source per process: libcoap's log is global. */
HR_MUST_USE struct hr_status source_coap_open(const struct source_coap_config *config,
                                              struct source_coap **out);

/* Sends the answers that are there, handles what has come, and waits up to timeout_ms for more. [io thread]
 */
void source_coap_step(struct source_coap *source, uint32_t timeout_ms);

/* From now on every new request is answered 5.03; waiting ones still get their answers. [io thread] */
void source_coap_refuse_new(struct source_coap *source);

/* Where answers go. [any thread] */
struct source_answers source_coap_answers(struct source_coap *source);
/* Asks `admits` again for each session, and closes those whose device is no longer let in. [any thread] */
void source_coap_recheck(struct source_coap *source);
/* Ends a waiting step early. [any thread] */
void source_coap_wake(struct source_coap *source);

uint64_t source_coap_counter(const struct source_coap *source, enum source_coap_counter counter); /* [any] */
uint32_t source_coap_sessions(const struct source_coap *source);                                  /* [any] */
uint32_t source_coap_waiting(const struct source_coap *source);                                   /* [any] */

/* Closes every session and frees all. No other call may run. */
void source_coap_close(struct source_coap *source);

#endif
