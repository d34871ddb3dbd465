/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sources/coap/internal.h"

#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <string.h>

static const char name_prefix[] = "headrace-device-"; /* then the id in 16 lower-case hexadecimal digits */

static bool device_id_of(const char *common_name, uint64_t *out)
{
    enum { DIGITS = 16 };
    size_t prefix = sizeof(name_prefix) - 1;
    if (common_name == NULL || strlen(common_name) != prefix + DIGITS ||
        memcmp(common_name, name_prefix, prefix) != 0) {
        return false;
    }
    uint64_t id = 0;
    for (size_t i = prefix; i < prefix + DIGITS; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, common_name[i]);
        if (digit == NULL) {
            return false;
        }
        id = id << 4 | (uint64_t)(digit - digits);
    }
    *out = id;
    return id != 0;
}

static void digest_of_key(const mbedtls_x509_crt *certificate, uint8_t out[WIRE_DIGEST_BYTES])
{
    if (mbedtls_sha256(certificate->pk_raw.p, certificate->pk_raw.len, out, 0) != 0) {
        memset(out, 0, WIRE_DIGEST_BYTES);
    }
}

/* Why a session with that key is refused, with the key's digest, which an operator is asked for; false: it is
 * not. */
static bool refuses_key(const struct source_coap *source, uint64_t device_id,
                        const uint8_t key[WIRE_DIGEST_BYTES], char out[SOURCE_WHY_CHARS])
{
    const struct source_handler *handler = &source->config.handler;
    const char *why =
        handler->refuses_key != NULL ? handler->refuses_key(handler->ctx, device_id, key) : NULL;
    if (why != NULL) {
        char hex[2 * WIRE_DIGEST_BYTES + 1];
        for (size_t i = 0; i < WIRE_DIGEST_BYTES; i++) {
            (void)snprintf(hex + 2 * i, 3, "%02x", key[i]);
        }
        (void)snprintf(out, SOURCE_WHY_CHARS, "transport key %s %s", hex, why);
    }
    return why != NULL;
}

static bool refuses_certificate(const struct source_coap *source, uint64_t device_id,
                                struct hr_bytes certificate, char out[SOURCE_WHY_CHARS])
{
    mbedtls_x509_crt parsed;
    uint8_t key[WIRE_DIGEST_BYTES] = {0};
    mbedtls_x509_crt_init(&parsed);
    if (mbedtls_x509_crt_parse_der(&parsed, certificate.data, certificate.len_bytes) == 0) {
        digest_of_key(&parsed, key);
    }
    mbedtls_x509_crt_free(&parsed);
    return refuses_key(source, device_id, key, out);
}

/* Early, so that the client is told by a TLS alert. The id is taken from the certificate again when the first
 * request comes: only then has the client shown that it has the key. */
int source_check_certificate(const char *cn, const uint8_t *certificate, size_t certificate_len_bytes,
                             coap_session_t *session, unsigned int depth, int validated, void *ctx)
{
    struct source_coap *source = ctx;
    if (validated && depth > 0) {
        return 1; /* an issuer's */
    }
    char peer[SOURCE_COAP_PEER_CHARS];
    char why[SOURCE_WHY_CHARS];
    uint64_t device_id = 0;
    source_peer_text(session, peer);
    if (!validated) {
        source_count(source, SOURCE_COAP_CERTIFICATES_UNTRUSTED, 1);
        (void)snprintf(why, sizeof(why), "client_ca does not vouch for the certificate of '%.64s'",
                       cn != NULL ? cn : "");
    } else if (!device_id_of(cn, &device_id)) {
        source_count(source, SOURCE_COAP_CERTIFICATES_NAMELESS, 1);
        (void)snprintf(why, sizeof(why), "the certificate's name '%.64s' is no device's",
                       cn != NULL ? cn : "");
    } else if (!source->config.handler.admits(source->config.handler.ctx, device_id)) {
        source_count(source, SOURCE_COAP_DEVICES_REFUSED, 1);
        (void)snprintf(why, sizeof(why), "the device is unknown, revoked or retired");
    } else if (refuses_certificate(source, device_id, hr_bytes_of(certificate, certificate_len_bytes), why)) {
        source_count(source, SOURCE_COAP_KEYS_REFUSED, 1);
    } else {
        return 1;
    }
    source_emit(source, SOURCE_EVENT_SESSION_REFUSED, peer, device_id, why);
    return 0;
}

/* The certificate of the other side of an established session. */
static const mbedtls_x509_crt *certificate_of(const coap_session_t *coap)
{
    coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
    const mbedtls_ssl_context *tls = coap_session_get_tls(coap, &library);
    return tls != NULL && library == COAP_TLS_LIBRARY_MBEDTLS ? mbedtls_ssl_get_peer_cert(tls) : NULL;
}

struct hr_bytes source_certificate_of(const coap_session_t *coap)
{
    const mbedtls_x509_crt *certificate = certificate_of(coap);
    return certificate != NULL ? hr_bytes_of(certificate->raw.p, certificate->raw.len) : hr_bytes_of("", 0);
}

static bool certified_id(const mbedtls_x509_crt *certificate, uint64_t *out)
{
    char subject[128];
    if (certificate == NULL || mbedtls_x509_dn_gets(subject, sizeof(subject), &certificate->subject) <= 0 ||
        strncmp(subject, "CN=", 3) != 0) {
        return false;
    }
    return device_id_of(subject + 3, out);
}

/* ---- TCP connections before their first request ---- */

static void newcomer_add(struct source_coap *source, coap_session_t *coap)
{
    for (uint32_t i = 0; i < source->config.max_handshakes; i++) {
        struct source_newcomer *newcomer = &source->newcomers[i];
        if (newcomer->coap == NULL) {
            *newcomer = (struct source_newcomer){.coap = coap, .since_ms = source_now_ms()};
            return;
        }
    }
    /* All places taken: the oldest goes, so that whoever holds them open keeps nobody out for long. */
    struct source_newcomer *oldest = &source->newcomers[0];
    for (uint32_t i = 1; i < source->config.max_handshakes; i++) {
        if (source->newcomers[i].since_ms < oldest->since_ms) {
            oldest = &source->newcomers[i];
        }
    }
    coap_session_t *victim = oldest->coap;
    *oldest = (struct source_newcomer){.coap = coap, .since_ms = source_now_ms()};
    source_count(source, SOURCE_COAP_HANDSHAKES_EXPIRED, 1);
    coap_session_disconnected(victim, COAP_NACK_NOT_DELIVERABLE);
}

static void newcomer_remove(struct source_coap *source, const coap_session_t *coap)
{
    for (uint32_t i = 0; i < source->config.max_handshakes; i++) {
        if (source->newcomers[i].coap == coap) {
            source->newcomers[i].coap = NULL;
        }
    }
}

static void newcomers_expire(struct source_coap *source, uint64_t now_ms)
{
    for (uint32_t i = 0; i < source->config.max_handshakes; i++) {
        coap_session_t *coap = source->newcomers[i].coap;
        if (coap != NULL && source->newcomers[i].since_ms + SOURCE_HANDSHAKE_MS <= now_ms) {
            source->newcomers[i].coap = NULL;
            source_count(source, SOURCE_COAP_HANDSHAKES_EXPIRED, 1);
            coap_session_disconnected(coap, COAP_NACK_NOT_DELIVERABLE);
        }
    }
}

/* ---- sessions ---- */

void source_session_doom(struct source_coap *source, struct source_session *session, const char *why)
{
    if (session->doomed == NULL) {
        session->doomed = why;
        source->n_doomed++;
    }
}

static void session_end(struct source_coap *source, struct source_session *session, const char *why)
{
    uint32_t index = (uint32_t)(session - source->sessions);
    source_emit(source, SOURCE_EVENT_SESSION_CLOSED, session->peer, session->device_id,
                session->doomed != NULL ? session->doomed : why);
    source_waiting_orphan(source, index);
    source_bodies_drop(source, index);
    coap_session_set_app_data(session->coap, NULL);
    coap_session_release(session->coap); /* a server's session outlives this: libcoap frees it in its turn */
    if (session->doomed != NULL) {
        source->n_doomed--;
    }
    session->coap = NULL;
    session->doomed = NULL;
    source_count(source, SOURCE_COAP_SESSIONS_CLOSED, 1);
    atomic_fetch_sub_explicit(&source->n_sessions, 1, memory_order_relaxed);
}

static bool is_older(const struct source_session *a, const struct source_session *b)
{
    return b == NULL || a->last_request_ms < b->last_request_ms;
}

/* A free place, after room was made: the share of a device and the sum of all are kept by closing who was
 * silent longest. There are a few more places than max_sessions, because closing waits for the end of the
 * turn. */
static struct source_session *free_place(struct source_coap *source, uint64_t device_id)
{
    struct source_session *place = NULL;
    struct source_session *oldest = NULL;
    struct source_session *oldest_own = NULL;
    uint32_t n_live = 0;
    uint32_t n_own = 0;
    for (uint32_t i = 0; i < source->n_session_places; i++) {
        struct source_session *session = &source->sessions[i];
        if (session->coap == NULL) {
            place = session;
        } else if (session->doomed == NULL) {
            n_live++;
            oldest = is_older(session, oldest) ? session : oldest;
            if (session->device_id == device_id) {
                n_own++;
                oldest_own = is_older(session, oldest_own) ? session : oldest_own;
            }
        }
    }
    struct source_session *victim = NULL;
    if (n_own >= SOURCE_COAP_SESSIONS_PER_DEVICE) {
        victim = oldest_own;
    } else if (n_live >= source->config.max_sessions) {
        victim = oldest;
    }
    if (place != NULL && victim != NULL) {
        source_count(source, SOURCE_COAP_SESSIONS_EVICTED, 1);
        source_session_doom(source, victim, "its place was needed");
    }
    return place;
}

static struct source_session *session_refuse(struct source_coap *source, coap_session_t *coap,
                                             uint64_t device_id, enum source_coap_counter counter,
                                             const char *why)
{
    char peer[SOURCE_COAP_PEER_CHARS];
    source_peer_text(coap, peer);
    source_count(source, counter, 1);
    source_emit(source, SOURCE_EVENT_SESSION_REFUSED, peer, device_id, why);
    return NULL;
}

static struct source_session *session_open(struct source_coap *source, coap_session_t *coap)
{
    const mbedtls_x509_crt *certificate = certificate_of(coap);
    uint64_t device_id = 0;
    if (!certified_id(certificate, &device_id)) {
        return session_refuse(source, coap, 0, SOURCE_COAP_CERTIFICATES_NAMELESS,
                              "the certificate's name is no device's");
    }
    if (!source->config.handler.admits(source->config.handler.ctx, device_id)) {
        return session_refuse(source, coap, device_id, SOURCE_COAP_DEVICES_REFUSED,
                              "the device is unknown, revoked or retired");
    }
    uint8_t key[WIRE_DIGEST_BYTES];
    char why[SOURCE_WHY_CHARS];
    digest_of_key(certificate, key);
    if (refuses_key(source, device_id, key, why)) {
        return session_refuse(source, coap, device_id, SOURCE_COAP_KEYS_REFUSED, why);
    }
    struct source_session *session = free_place(source, device_id);
    if (session == NULL) {
        return session_refuse(source, coap, device_id, SOURCE_COAP_SESSIONS_REFUSED, "all places are taken");
    }
    *session =
        (struct source_session){.coap = coap, .device_id = device_id, .last_request_ms = source_now_ms()};
    memcpy(session->key, key, sizeof session->key);
    source_peer_text(coap, session->peer);
    coap_session_set_app_data(coap_session_reference(coap), session);
    newcomer_remove(source, coap);
    source_count(source, SOURCE_COAP_SESSIONS_OPENED, 1);
    atomic_fetch_add_explicit(&source->n_sessions, 1, memory_order_relaxed);
    source_emit(source, SOURCE_EVENT_SESSION_OPENED, session->peer, device_id,
                coap_session_get_proto(coap) == COAP_PROTO_DTLS ? "coaps" : "coaps+tcp");
    session->is_expired = mbedtls_x509_time_is_past(&certificate->valid_to) != 0;
    if (session->is_expired) {
        source_count(source, SOURCE_COAP_CERTIFICATES_EXPIRED, 1);
        source_emit(source, SOURCE_EVENT_CERTIFICATE_EXPIRED, session->peer, device_id, "accepted; renew it");
    }
    if (source->config.handler.key_seen != NULL) {
        source->config.handler.key_seen(source->config.handler.ctx, device_id, session->key);
    }
    return session;
}

struct source_session *source_session_of(struct source_coap *source, coap_session_t *coap)
{
    struct source_session *session = coap_session_get_app_data(coap);
    return session != NULL ? session : session_open(source, coap);
}

static void recheck(struct source_coap *source)
{
    for (uint32_t i = 0; i < source->n_session_places; i++) {
        struct source_session *session = &source->sessions[i];
        if (session->coap == NULL || session->doomed != NULL) {
            continue;
        }
        const bool is_admitted =
            source->config.handler.admits(source->config.handler.ctx, session->device_id);
        char why[SOURCE_WHY_CHARS];
        if (!is_admitted || refuses_key(source, session->device_id, session->key, why)) {
            source_count(source, SOURCE_COAP_SESSIONS_DROPPED, 1);
            source_session_doom(source, session,
                                is_admitted ? "its transport key is over"
                                            : "the device may no longer connect");
        }
    }
}

static void doom_silent(struct source_coap *source, uint64_t now_ms)
{
    uint64_t idle_ms = (uint64_t)source->config.idle_timeout_s * 1000;
    for (uint32_t i = 0; i < source->n_session_places; i++) {
        struct source_session *session = &source->sessions[i];
        if (session->coap != NULL && session->n_waiting == 0 &&
            session->last_request_ms + idle_ms <= now_ms) {
            source_session_doom(source, session, "silent for too long");
        }
    }
}

static void close_doomed(struct source_coap *source)
{
    for (uint32_t i = 0; source->n_doomed > 0 && i < source->n_session_places; i++) {
        struct source_session *session = &source->sessions[i];
        if (session->coap != NULL && session->doomed != NULL) {
            coap_session_t *coap = session->coap;
            session_end(source, session, "");
            coap_session_disconnected(coap, COAP_NACK_NOT_DELIVERABLE);
        }
    }
}

void source_sessions_sweep(struct source_coap *source, uint64_t now_ms)
{
    if (atomic_exchange(&source->recheck, false) || now_ms >= source->next_recheck_ms) {
        source->next_recheck_ms = now_ms + SOURCE_RECHECK_MS;
        recheck(source);
    }
    newcomers_expire(source, now_ms);
    doom_silent(source, now_ms);
    close_doomed(source);
}

void source_sessions_end(struct source_coap *source)
{
    for (uint32_t i = 0; i < source->n_session_places; i++) {
        if (source->sessions[i].coap != NULL) {
            source_session_doom(source, &source->sessions[i], "the aggregator ends");
        }
    }
    close_doomed(source);
}

static void handshake_failed(struct source_coap *source, const coap_session_t *coap)
{
    char peer[SOURCE_COAP_PEER_CHARS];
    source_peer_text(coap, peer);
    source_count(source, SOURCE_COAP_HANDSHAKES_FAILED, 1);
    source_emit(source, SOURCE_EVENT_HANDSHAKE_FAILED, peer, 0, source->last_warning);
    source->last_warning[0] = '\0';
}

static void ended(struct source_coap *source, coap_session_t *coap, const char *why)
{
    struct source_session *session = coap_session_get_app_data(coap);
    newcomer_remove(source, coap);
    if (session != NULL) {
        session_end(source, session, why);
    } else if (source->last_warning[0] != '\0') {
        handshake_failed(source, coap);
    }
}

int source_on_event(coap_session_t *coap, coap_event_t event)
{
    struct source_coap *source = coap_context_get_app_data(coap_session_get_context(coap));
    switch ((unsigned)event) {
    case COAP_EVENT_SERVER_SESSION_NEW:
        if (coap_session_get_proto(coap) == COAP_PROTO_TLS) {
            newcomer_add(source, coap);
        }
        break;
    case COAP_EVENT_DTLS_CONNECTED:
        if (coap_session_get_proto(coap) == COAP_PROTO_DTLS) {
            /* It has shown its key. Sessions without a place are libcoap's to end, and any stranger makes it.
             */
            (void)source_session_of(source, coap);
        }
        break;
    case COAP_EVENT_DTLS_RENEGOTIATE:
        /* Somebody at the address of this session begins a handshake: who it is will show at its end. */
        source_count(source, SOURCE_COAP_HANDSHAKES_RENEWED, 1);
        ended(source, coap, "another handshake came from its address");
        break;
    case COAP_EVENT_SERVER_SESSION_DEL:
        ended(source, coap, "closed before its first request");
        break;
    case COAP_EVENT_DTLS_CLOSED:
    case COAP_EVENT_TCP_CLOSED:
    case COAP_EVENT_TCP_FAILED:
    case COAP_EVENT_SESSION_CLOSED:
    case COAP_EVENT_SESSION_FAILED:
        ended(source, coap, "closed by the other side");
        break;
    case COAP_EVENT_DTLS_ERROR:
        handshake_failed(source, coap);
        break;
    case COAP_EVENT_BAD_PACKET: {
        const struct source_session *session = coap_session_get_app_data(coap);
        char peer[SOURCE_COAP_PEER_CHARS];
        source_peer_text(coap, peer);
        source_count(source, SOURCE_COAP_MALFORMED, 1);
        source_emit(source, SOURCE_EVENT_MALFORMED_MESSAGE, peer, session != NULL ? session->device_id : 0,
                    "dropped");
        break;
    }
    case COAP_EVENT_MSG_RETRANSMITTED:
        source_count(source, SOURCE_COAP_RETRANSMISSIONS, 1);
        break;
    default:
        break;
    }
    return 0;
}
