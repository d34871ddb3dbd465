/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/peer/peer.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Within its dates, by an authority of operators, and as a client. */
static bool is_verified(gnutls_session_t session)
{
    static unsigned char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st data = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = purpose, .size = sizeof purpose - 1};
    unsigned status = GNUTLS_CERT_INVALID;
    return gnutls_certificate_type_get(session) == GNUTLS_CRT_X509 &&
           gnutls_certificate_verify_peers(session, &data, 1, &status) == GNUTLS_E_SUCCESS && status == 0;
}

/* The only value of that kind in the subject; false: there is none or more, or it does not fit. */
static bool take_subject(gnutls_x509_crt_t certificate, const char *oid, char *out, size_t capacity)
{
    char second[256];
    size_t len = capacity;
    size_t second_len = sizeof second;
    return gnutls_x509_crt_get_dn_by_oid(certificate, oid, 0, 0, out, &len) == GNUTLS_E_SUCCESS &&
           strlen(out) == len &&
           gnutls_x509_crt_get_dn_by_oid(certificate, oid, 1, 0, second, &second_len) ==
               GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

static enum http_role role_of(const char *unit)
{
    static const char *const names[] = {
        [HTTP_ROLE_VIEWER] = "viewer", [HTTP_ROLE_OPERATOR] = "operator", [HTTP_ROLE_ADMIN] = "admin"};
    for (int role = HTTP_ROLE_VIEWER; role <= HTTP_ROLE_ADMIN; role++) {
        if (strcmp(names[role], unit) == 0) {
            return (enum http_role)role;
        }
    }
    return HTTP_ROLE_NONE;
}

static bool is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@";
    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

static bool take_serial(gnutls_x509_crt_t certificate, char out[2 * HTTP_PEER_SERIAL_MAX_BYTES + 1])
{
    uint8_t serial[HTTP_PEER_SERIAL_MAX_BYTES + 1];
    size_t len = sizeof serial;
    if (gnutls_x509_crt_get_serial(certificate, serial, &len) != GNUTLS_E_SUCCESS) {
        return false;
    }
    size_t first = 0;
    while (first < len && serial[first] == 0) {
        first++;
    }
    bool fits = len > first && len - first <= HTTP_PEER_SERIAL_MAX_BYTES;
    for (size_t i = first; fits && i < len; i++) {
        (void)snprintf(out + 2 * (i - first), 3, "%02X", serial[i]);
    }
    return fits;
}

static struct http_peer read_certificate(const gnutls_datum_t *der)
{
    struct http_peer peer = {.role = HTTP_ROLE_NONE};
    struct http_peer none = {.role = HTTP_ROLE_NONE};
    char unit[16] = "";
    gnutls_x509_crt_t certificate = NULL;
    if (gnutls_x509_crt_init(&certificate) != GNUTLS_E_SUCCESS) {
        return none;
    }
    bool good = gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS &&
                take_subject(certificate, GNUTLS_OID_X520_COMMON_NAME, peer.name, sizeof peer.name) &&
                take_subject(certificate, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, unit, sizeof unit) &&
                is_name(peer.name) && take_serial(certificate, peer.serial);
    gnutls_x509_crt_deinit(certificate);
    peer.role = role_of(unit);
    return good && peer.role != HTTP_ROLE_NONE ? peer : none;
}

struct http_peer http_peer_of(void *session)
{
    unsigned n_certificates = 0;
    const gnutls_datum_t *chain =
        is_verified(session) ? gnutls_certificate_get_peers(session, &n_certificates) : NULL;
    return chain != NULL && n_certificates > 0 ? read_certificate(&chain[0])
                                               : (struct http_peer){.role = HTTP_ROLE_NONE};
}
