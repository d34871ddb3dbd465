/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/coap_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/x509_crt.h>

#include <cmocka.h>

/* ---- certificates ---- */

static void make_key(mbedtls_pk_context *key, mbedtls_ctr_drbg_context *random)
{
    mbedtls_pk_init(key);
    assert_int_equal(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    assert_int_equal(
        mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), mbedtls_ctr_drbg_random, random),
        0);
}

static void sign_certificate(struct lab_identity *out, mbedtls_pk_context *key,
                             mbedtls_pk_context *issuer_key, const char *name, bool authority,
                             mbedtls_ctr_drbg_context *random)
{
    mbedtls_x509write_cert crt;
    char subject[80];
    uint8_t serial = authority ? 1 : 2;
    mbedtls_x509_san_list san = {
        .node = {.type = MBEDTLS_X509_SAN_DNS_NAME,
                 .san = {.unstructured_name = {.p = (unsigned char *)(uintptr_t)name, .len = strlen(name)}}}};

    assert_true(snprintf(subject, sizeof(subject), "CN=%s", name) > 0);
    mbedtls_x509write_crt_init(&crt);
    mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&crt, key);
    mbedtls_x509write_crt_set_issuer_key(&crt, issuer_key);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(&crt, subject), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&crt, "CN=lab"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&crt, &serial, 1), 0);
    assert_int_equal(mbedtls_x509write_crt_set_validity(&crt, "20200101000000", "20991231235959"), 0);
    assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(&crt, authority, -1), 0);
    if (!authority)
        assert_int_equal(mbedtls_x509write_crt_set_subject_alternative_name(&crt, &san), 0);
    assert_int_equal(mbedtls_x509write_crt_pem(&crt, (unsigned char *)out->certificate_pem, LAB_PEM_BYTES,
                                               mbedtls_ctr_drbg_random, random),
                     0);
    assert_int_equal(mbedtls_pk_write_key_pem(key, (unsigned char *)out->key_pem, LAB_PEM_BYTES), 0);
    mbedtls_x509write_crt_free(&crt);
}

static void make_identities(struct coap_lab *lab)
{
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_pk_context authority, server, client;

    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    assert_int_equal(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0), 0);
    make_key(&authority, &random);
    make_key(&server, &random);
    make_key(&client, &random);
    sign_certificate(&lab->authority, &authority, &authority, "lab", true, &random);
    sign_certificate(&lab->server_identity, &server, &authority, LAB_SERVER_NAME, false, &random);
    sign_certificate(&lab->client_identity, &client, &authority, LAB_CLIENT_NAME, false, &random);
    mbedtls_pk_free(&authority);
    mbedtls_pk_free(&server);
    mbedtls_pk_free(&client);
    mbedtls_ctr_drbg_free(&random);
    mbedtls_entropy_free(&entropy);
}

static coap_dtls_pki_t pki_of(const struct coap_lab *lab, const struct lab_identity *identity)
{
    coap_dtls_pki_t pki = {.version = COAP_DTLS_PKI_SETUP_VERSION,
                           .verify_peer_cert = 1,
                           .check_common_ca = 1,
                           .cert_chain_validation = 1,
                           .cert_chain_verify_depth = 2,
                           .use_cid = 1};

    pki.pki_key.key_type = COAP_PKI_KEY_PEM_BUF;
    pki.pki_key.key.pem_buf = (coap_pki_key_pem_buf_t){
        .ca_cert = (const uint8_t *)lab->authority.certificate_pem,
        .ca_cert_len = strlen(lab->authority.certificate_pem) + 1,
        .public_cert = (const uint8_t *)identity->certificate_pem,
        .public_cert_len = strlen(identity->certificate_pem) + 1,
        .private_key = (const uint8_t *)identity->key_pem,
        .private_key_len = strlen(identity->key_pem) + 1,
    };
    return pki;
}

/* ---- the two ends ---- */

static int check_name(const char *name, const uint8_t *certificate, size_t certificate_bytes,
                      coap_session_t *session, unsigned depth, int validated, void *arg)
{
    struct coap_lab *lab = arg;

    (void)certificate;
    (void)certificate_bytes;
    (void)session;
    if (depth == 0) {
        lab->names_checked++;
        assert_true(snprintf(lab->last_name, sizeof(lab->last_name), "%s", name) > 0);
    }
    return validated && !lab->refuse_names;
}

static void handle_put(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                       const coap_string_t *query, coap_pdu_t *response)
{
    struct coap_lab *lab = coap_resource_get_userdata(resource);
    const uint8_t *body = NULL;
    uint32_t index;

    (void)query;
    lab->last_body_bytes = 0;
    assert_true(coap_get_data(request, &lab->last_body_bytes, &body));
    assert_true(lab->last_body_bytes >= sizeof(index));
    memcpy(&index, body, sizeof(index));
    lab->requests_out_of_order += index != lab->requests;
    lab->requests++;
    if (lab->server_session != session) {
        if (lab->server_session)
            coap_session_release(lab->server_session);
        lab->server_session = coap_session_reference(session);
    }
    coap_pdu_set_code(response, COAP_RESPONSE_CODE_CHANGED);
    if (lab->disconnect)
        coap_session_disconnected(session, COAP_NACK_NOT_DELIVERABLE);
}

static int server_event(coap_session_t *session, const coap_event_t event)
{
    struct coap_lab *lab = coap_context_get_app_data(coap_session_get_context(session));

    lab->sessions_closed += event == COAP_EVENT_SESSION_CLOSED;
    lab->handshakes_done += event == COAP_EVENT_DTLS_CONNECTED;
    lab->handshakes_renewed += event == COAP_EVENT_DTLS_RENEGOTIATE;
    return 0;
}

static int client_event(coap_session_t *session, const coap_event_t event)
{
    struct coap_lab *lab = coap_context_get_app_data(coap_session_get_context(session));

    lab->connected += event == COAP_EVENT_SESSION_CONNECTED;
    lab->failed += event == COAP_EVENT_SESSION_FAILED || event == COAP_EVENT_DTLS_ERROR;
    return 0;
}

static coap_response_t client_response(coap_session_t *session, const coap_pdu_t *sent,
                                       const coap_pdu_t *received, const coap_mid_t mid)
{
    struct coap_lab *lab = coap_context_get_app_data(coap_session_get_context(session));

    (void)sent;
    (void)mid;
    assert_int_equal(coap_pdu_get_code(received), COAP_RESPONSE_CODE_CHANGED);
    lab->responses++;
    return COAP_RESPONSE_OK;
}

static void client_nack(coap_session_t *session, const coap_pdu_t *sent, const coap_nack_reason_t reason,
                        const coap_mid_t mid)
{
    struct coap_lab *lab = coap_context_get_app_data(coap_session_get_context(session));

    (void)reason;
    (void)mid;
    lab->nacked_messages += sent != NULL;
}

static uint16_t open_endpoint(coap_context_t *context, coap_proto_t proto)
{
    coap_address_t address;
    coap_endpoint_t *endpoint;
    const char *colon;

    coap_address_init(&address);
    address.size = sizeof(address.addr.sin);
    address.addr.sin.sin_family = AF_INET;
    address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    endpoint = coap_new_endpoint(context, &address, proto);
    assert_non_null(endpoint);
    /* The port that the kernel chose is told only in the endpoint's text, "127.0.0.1:PORT ...". */
    colon = strchr(coap_endpoint_str(endpoint), ':');
    assert_non_null(colon);
    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

void coap_lab_open(struct coap_lab *lab)
{
    coap_resource_t *resource = coap_resource_init(coap_make_str_const("x"), 0);
    coap_dtls_pki_t pki;

    memset(lab, 0, sizeof(*lab));
    make_identities(lab);
    lab->server = coap_new_context(NULL);
    lab->client = coap_new_context(NULL);
    assert_non_null(lab->server);
    assert_non_null(lab->client);
    coap_context_set_app_data(lab->server, lab);
    coap_context_set_app_data(lab->client, lab);

    pki = pki_of(lab, &lab->server_identity);
    pki.validate_cn_call_back = check_name;
    pki.cn_call_back_arg = lab;
    assert_true(coap_context_set_pki(lab->server, &pki));
    coap_register_event_handler(lab->server, server_event);
    coap_register_request_handler(resource, COAP_REQUEST_PUT, handle_put);
    coap_resource_set_userdata(resource, lab);
    coap_add_resource(lab->server, resource);
    lab->dtls_port = open_endpoint(lab->server, COAP_PROTO_DTLS);
    lab->tls_port = open_endpoint(lab->server, COAP_PROTO_TLS);

    coap_register_event_handler(lab->client, client_event);
    coap_register_response_handler(lab->client, client_response);
    coap_register_nack_handler(lab->client, client_nack);
    lab->front = coap_lab_stranger();
    lab->back = coap_lab_stranger();
}

void coap_lab_close(struct coap_lab *lab)
{
    if (lab->server_session)
        coap_session_release(lab->server_session);
    coap_free_context(lab->client);
    coap_free_context(lab->server);
    close(lab->front);
    close(lab->back);
}

int coap_lab_set_up(void **state)
{
    static struct coap_lab lab;
    coap_startup();
    coap_set_log_level(COAP_LOG_EMERG);
    coap_lab_open(&lab);
    *state = &lab;
    return 0;
}

int coap_lab_tear_down(void **state)
{
    coap_lab_close(*state);
    coap_cleanup();
    return 0;
}

coap_session_t *coap_lab_connect(struct coap_lab *lab, coap_proto_t proto, const char *expected_name)
{
    coap_dtls_pki_t pki = pki_of(lab, &lab->client_identity);
    coap_address_t address;
    coap_session_t *session;

    pki.client_sni = (char *)(uintptr_t)expected_name;
    coap_address_init(&address);
    address.size = sizeof(address.addr.sin);
    address.addr.sin.sin_family = AF_INET;
    address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.addr.sin.sin_port = htons(proto == COAP_PROTO_DTLS ? coap_lab_port(lab->front) : lab->tls_port);
    session = coap_new_client_session_pki(lab->client, NULL, &address, proto, &pki);
    assert_non_null(session);
    return session;
}

void coap_lab_put(coap_session_t *session, coap_pdu_type_t type, uint32_t index, size_t body_bytes)
{
    coap_pdu_t *pdu = coap_new_pdu(type, COAP_REQUEST_CODE_PUT, session);
    uint8_t *body = calloc(1, body_bytes);
    uint8_t token[8];
    size_t token_bytes;

    assert_non_null(pdu);
    assert_non_null(body);
    memcpy(body, &index, sizeof(index));
    coap_session_new_token(session, &token_bytes, token);
    assert_true(coap_add_token(pdu, token_bytes, token));
    assert_true(coap_add_option(pdu, COAP_OPTION_URI_PATH, 1, (const uint8_t *)"x") > 0);
    assert_true(coap_add_data(pdu, body_bytes, body));
    assert_int_not_equal(coap_send(session, pdu), COAP_INVALID_MID);
    free(body);
}

/* ---- the network ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

int coap_lab_stranger(void)
{
    struct sockaddr_in address = loopback(0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        fail_msg("no UDP socket");
    return fd;
}

void coap_lab_send(const struct coap_lab *lab, int stranger, const uint8_t *bytes, size_t len_bytes)
{
    struct sockaddr_in address = loopback(lab->dtls_port);

    assert_int_equal(
        sendto(stranger, bytes, len_bytes, 0, (const struct sockaddr *)&address, sizeof(address)),
        (ssize_t)len_bytes);
}

void coap_lab_rebind(struct coap_lab *lab)
{
    int back = coap_lab_stranger();

    close(lab->back);
    lab->back = back;
}

uint16_t coap_lab_port(int fd)
{
    struct sockaddr_in address;
    socklen_t address_bytes = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &address_bytes), 0);
    return ntohs(address.sin_port);
}

uint16_t coap_lab_session_port(const struct coap_lab *lab)
{
    return coap_address_get_port(coap_session_get_addr_remote(lab->server_session));
}

static void relay(struct coap_lab *lab)
{
    uint8_t datagram[LAB_DATAGRAM_BYTES];
    ssize_t len_bytes;

    lab->client_address_bytes = sizeof(lab->client_address);
    while ((len_bytes = recvfrom(lab->front, datagram, sizeof(datagram), 0,
                                 (struct sockaddr *)&lab->client_address, &lab->client_address_bytes)) > 0) {
        if (lab->hold) {
            memcpy(lab->held, datagram, (size_t)len_bytes);
            lab->held_bytes = (size_t)len_bytes;
        } else {
            memcpy(lab->seen, datagram, (size_t)len_bytes);
            lab->seen_bytes = (size_t)len_bytes;
            coap_lab_send(lab, lab->back, datagram, (size_t)len_bytes);
        }
    }
    while ((len_bytes = recv(lab->back, datagram, sizeof(datagram), 0)) > 0) {
        assert_int_equal(sendto(lab->front, datagram, (size_t)len_bytes, 0,
                                (const struct sockaddr *)&lab->client_address, sizeof(struct sockaddr_in)),
                         len_bytes);
    }
}

void coap_lab_turn_client(struct coap_lab *lab, bool *busy)
{
    *busy = true;
    int before = coap_io_process(lab->client, COAP_IO_NO_WAIT);
    *busy = false;
    relay(lab);
    assert_true(coap_io_process(lab->server, COAP_IO_NO_WAIT) >= 0);
    relay(lab);
    *busy = true;
    int after = coap_io_process(lab->client, COAP_IO_NO_WAIT);
    *busy = false;
    assert_true(before >= 0 && after >= 0);
}

void coap_lab_turn(struct coap_lab *lab)
{
    bool busy = false;
    coap_lab_turn_client(lab, &busy);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void coap_lab_until(struct coap_lab *lab, const unsigned *count, unsigned wanted)
{
    int64_t deadline_ms = now_ms() + 120000;

    while (*count < wanted) {
        struct pollfd ready[] = {{.fd = coap_context_get_coap_fd(lab->server), .events = POLLIN},
                                 {.fd = coap_context_get_coap_fd(lab->client), .events = POLLIN},
                                 {.fd = lab->front, .events = POLLIN},
                                 {.fd = lab->back, .events = POLLIN}};

        coap_lab_turn(lab);
        assert_true(now_ms() < deadline_ms);
        if (*count < wanted)
            poll(ready, 4, 10);
    }
}
