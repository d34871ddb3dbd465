/* SPDX-License-Identifier: Apache-2.0
 *
 * port_net over libcoap: one session to one of several aggregators, by coaps (DTLS 1.2 with CID; envelopes go
 * in parts of 1,024 bytes, or in one confirmable message each where there is no room for parts) or by
 * coaps+tcp (one message in one TLS record), with X.509 on both sides. The same on a gateway and on a
 * microcontroller: what differs is in session_linux.c and session_lwip.c, and how much of it there is, the
 * board says (NET_MAX_ADDRESSES, NET_HOST_MAX_CHARS, NET_MAX_WINDOW and NET_BODY_MAX_BYTES come from its
 * board.cmake). Nothing here blocks, names are looked up in the background, and every wait has a deadline
 * from the configuration. Why a session could not be had is logged once, in words, until the reason changes.
 *
 * libcoap and mbedTLS allocate while a session is set up and for messages in flight; all of it is freed with
 * the session, and a session is bounded by the window. One client a process (libcoap's log has one taker).
 * [loop] */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "firmware/net/parts.h"
#include "firmware/port/port_clock.h"
#include "firmware/port/port_log.h"
#include "firmware/port/port_net.h"
#include "firmware/port/port_resolve.h"

enum {
    NET_MAX_EXCHANGES = NET_MAX_WINDOW + 1,
    /* A longer answer is cut, and so is malformed to whoever decodes it. Pieces of a trust bundle are for
     * those who have room for parts. */
    NET_ANSWER_MAX_BYTES = NET_BODY_MAX_BYTES > NET_PART_BYTES ? NET_PART_BYTES + 16 : 64,
    NET_REASON_MAX_CHARS = 159,
};

#define NET_NEVER_MS UINT32_MAX

enum net_scheme { NET_COAPS, NET_COAPS_TCP };

struct net_address {
    enum net_scheme scheme;
    char host[NET_HOST_MAX_CHARS + 1]; /* a name, or an address without brackets */
    uint16_t port;
};

/* Takes coaps://host[:port] and coaps+tcp://host[:port], IPv6 addresses in brackets; the port is 5684 when
 * not given. HR_MALFORMED: anything else. */
HR_MUST_USE struct hr_status net_address_parse(const char *uri, struct net_address *out);

enum net_credentials_kind { NET_CREDENTIALS_FILES, NET_CREDENTIALS_MEMORY };

/* The authorities that aggregators are trusted by, and this device's certificate and private key. All kept:
 * they are read at each opening of a session. */
struct net_credentials {
    enum net_credentials_kind kind;
    union {
        struct {
            const char *ca; /* paths of PEM files */
            const char *certificate;
            const char *key;
        } files;
        struct {
            struct hr_bytes ca; /* DER: certificates one behind another, one, a SEC1 or PKCS#8 key */
            struct hr_bytes certificate;
            struct hr_bytes key;
        } memory;
    } of;
};

struct net_config {
    const struct net_address *addresses; /* kept */
    uint8_t n_addresses;                 /* 1 to NET_MAX_ADDRESSES */
    uint8_t window;
    const char
        *server_name; /* that the aggregator's certificate must have; a DNS name, not an address. Kept */
    struct net_credentials credentials;
    /* NULL, or called right before each handshake: what it writes takes the place of server_name and
     * credentials, and over coaps is not looked at any more when the next step returns. HR_IO: there are none
     * now, and no session. */
    struct hr_status (*choose)(void *ctx, struct net_credentials *credentials, const char **server_name);
    void *choose_ctx;
    uint8_t *long_answer; /* kept: room for one answer beyond NET_ANSWER_MAX_BYTES until it is delivered;
                             NULL: such answers are cut */
    uint16_t long_answer_bytes;
    uint32_t open_timeout_ms;     /* from the look-up of the name to the end of the handshake */
    uint32_t exchange_timeout_ms; /* of one request, retransmissions included; of envelopes in parts, since a
                                     part last arrived */
    uint32_t silence_ms; /* a session that answers nothing for so long is pinged, and given up when it then
                            says nothing for twice as long */
    uint32_t ack_timeout_ms; /* RFC 7252 ACK_TIMEOUT, of coaps; of parts until a round trip is known */
    uint16_t max_retransmit; /* RFC 7252 MAX_RETRANSMIT, of coaps */
    struct net_parts *parts; /* storage for envelopes over coaps, kept; NULL: each goes in one message */
    const struct port_clock *clock;
    const struct port_log *log;
    const struct port_resolve *resolve;
};

enum net_state { NET_CLOSED, NET_RESOLVING, NET_CONNECTING, NET_OPEN };

enum net_exchange_state { NET_VACANT, NET_WAITING, NET_ANSWERED, NET_GAVE_UP };

struct net_exchange {
    enum net_exchange_state state;
    bool is_post;
    bool is_long; /* the answer stands in config.long_answer */
    uint32_t token;
    uint64_t sent_ms;
    uint64_t deadline_ms;
    uint8_t coap_code;
    uint8_t answer[NET_ANSWER_MAX_BYTES];
    size_t answer_len_bytes;
    uint32_t max_age_s;
};

struct coap_context_t;
struct coap_session_t;

/* Storage of the client; `port` is for the uplink, the other members belong to this room. */
struct net_client {
    struct port_net port;
    struct net_config config;
    struct port_net_events events;
    enum net_state state;
    bool up_is_due;
    bool down_is_due;
    enum port_net_down down_reason;
    bool handshake_refused; /* TLS said no, not the network */
    uint8_t address;
    uint64_t deadline_ms; /* of opening */
    uint64_t heard_ms;    /* when the other side last said something that we hear of: an answer, a pong */
    uint64_t pinged_ms;   /* 0: no ping is out */
    uint32_t tries[NET_MAX_ADDRESSES]; /* so that each address of a name gets its turn */
    struct coap_context_t *context;
    struct coap_session_t *session;
    struct net_exchange exchanges[NET_MAX_EXCHANGES];
    char reason[NET_REASON_MAX_CHARS + 1];      /* the first complaint of this attempt */
    uint32_t logged_reasons[NET_MAX_ADDRESSES]; /* CRC-32C of what was logged last of each */
};

/* Readies libcoap. Files and memory of the credentials are read when a session is opened. The client stays
 * where it is. */
void net_client_init(struct net_client *client, const struct net_config *config,
                     const struct port_net_events *events);

/* On Linux only: a descriptor that is readable when net_client_step has something to do, libcoap's timers
 * included; -1 while there is no session. It changes from session to session: ask before each poll. */
int net_client_fd(const struct net_client *client);

/* Does what is due and delivers events. Call it after requests too: it sets libcoap's timers for them.
 * Returns after how many milliseconds to call again when the descriptor stays silent, or NET_NEVER_MS; 0 when
 * it delivered something. */
uint32_t net_client_step(struct net_client *client);

/* Ends the session and frees what libcoap holds. */
void net_client_end(struct net_client *client);

#endif
