/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is at the other end of a TLS session, by the certificate that was shown in it. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

/* What an operator may do; each may do what the ones before it may. */
enum http_role {
    HTTP_ROLE_NONE,
    HTTP_ROLE_VIEWER,   /* look */
    HTTP_ROLE_OPERATOR, /* what can be undone */
    HTTP_ROLE_ADMIN,    /* all */
};

enum { HTTP_PEER_NAME_MAX_CHARS = 48, HTTP_PEER_SERIAL_MAX_BYTES = 20 /* RFC 5280, 4.1.2.2 */ };

struct http_peer {
    enum http_role role;
    char name[HTTP_PEER_NAME_MAX_CHARS + 1]; /* letters, digits, '.', '-', '_', '@'; "" with HTTP_ROLE_NONE */
    char serial[2 * HTTP_PEER_SERIAL_MAX_BYTES + 1]; /* of the certificate: capital hex, no leading "00" */
};

/* `session` is a gnutls_session_t whose credentials hold the authorities of operators. The certificate's
 * common name is the name, its one organizational unit the role: "viewer", "operator" or "admin". No
 * certificate, one that does not verify now as that of a client, one with another unit or name:
 * HTTP_ROLE_NONE. [any] */
struct http_peer http_peer_of(void *session);

#endif
