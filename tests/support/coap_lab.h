/* SPDX-License-Identifier: Apache-2.0
 *
 * A libcoap server and client of one process on loopback, with certificates made on the spot, and a UDP relay
 * between them that plays the network address translator and the eavesdropper. For the tests of our patches
 * of libcoap; rooms have their own tests. */
#ifndef COAP_LAB_H
#define COAP_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <coap3/coap.h>

#define LAB_PEM_BYTES      1024
#define LAB_DATAGRAM_BYTES 1500
#define LAB_SERVER_NAME    "aggregator.test"
#define LAB_CLIENT_NAME    "gateway.test"

struct lab_identity {
    char certificate_pem[LAB_PEM_BYTES];
    char key_pem[LAB_PEM_BYTES];
};

struct coap_lab {
    struct lab_identity authority;
    struct lab_identity server_identity;
    struct lab_identity client_identity;

    coap_context_t *server;
    coap_context_t *client;
    uint16_t dtls_port;
    uint16_t tls_port;

    /* What the server saw. */
    unsigned requests;
    unsigned requests_out_of_order; /* by the index in the first four bytes */
    unsigned sessions_closed;
    unsigned handshakes_done;    /* over DTLS and TLS */
    unsigned handshakes_renewed; /* begun at the address of an open session */
    size_t last_body_bytes;
    coap_session_t *server_session; /* of the last request; referenced */
    bool disconnect;                /* true: the server ends the session while it handles the request */

    /* What the client saw. */
    unsigned responses;
    unsigned nacked_messages;
    unsigned connected; /* sessions over TLS whose settings have been exchanged */
    unsigned failed;

    /* The application's certificate check on the server. */
    unsigned names_checked;
    char last_name[64];
    bool refuse_names;

    /* The relay: the client talks to front, the server is talked to by back. */
    int front;
    int back;
    struct sockaddr_storage client_address;
    socklen_t client_address_bytes;
    bool hold; /* true: what the client sends is kept in held and not passed on */
    uint8_t held[LAB_DATAGRAM_BYTES];
    size_t held_bytes;
    uint8_t seen[LAB_DATAGRAM_BYTES]; /* the last datagram passed on to the server */
    size_t seen_bytes;
};

/* Makes the certificates, a server with a DTLS and a TLS endpoint that answers PUT /x, and an idle client. */
void coap_lab_open(struct coap_lab *lab);
void coap_lab_close(struct coap_lab *lab);

/* Set-up and tear-down of a cmocka test: libcoap started and silent, *state a lab that is open. */
int coap_lab_set_up(void **state);
int coap_lab_tear_down(void **state);

/* A client session to LAB_SERVER_NAME, or to another expected name, by TLS straight to the server or by DTLS
 * through the relay. The caller releases it. libcoap keeps the pointer to the name. */
coap_session_t *coap_lab_connect(struct coap_lab *lab, coap_proto_t proto, const char *expected_name);

/* PUT /x with a body of body_bytes (at least 4) that begins with index. */
void coap_lab_put(coap_session_t *session, coap_pdu_type_t type, uint32_t index, size_t body_bytes);

/* Lets both ends and the relay do what there is to do now; one datagram on loopback is there when sent. */
void coap_lab_turn(struct coap_lab *lab);

/* The same; *busy is true while the client is at it. */
void coap_lab_turn_client(struct coap_lab *lab, bool *busy);

/* Turns until *count is at least wanted; ends the test after two minutes. */
void coap_lab_until(struct coap_lab *lab, const unsigned *count, unsigned wanted);

/* A UDP socket on loopback that is not the relay's, and sending from it to the server. */
int coap_lab_stranger(void);
void coap_lab_send(const struct coap_lab *lab, int stranger, const uint8_t *bytes, size_t len_bytes);

/* Gives the relay another source port towards the server. */
void coap_lab_rebind(struct coap_lab *lab);

uint16_t coap_lab_port(int fd);

/* The port that the server would now answer the last request's session at. */
uint16_t coap_lab_session_port(const struct coap_lab *lab);

#endif
