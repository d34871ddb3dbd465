/* SPDX-License-Identifier: Apache-2.0
 *
 * One test for each of our patches of libcoap (tools/cmake/DEPENDENCIES.md): each fails on the release as it
 * is. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>

#include <cmocka.h>

#include "tests/support/coap_lab.h"

#define DTLS_CID_RECORD 25
#define CID_OFFSET      11
#define CID_BYTES       8

static bool nothing_arrived(int fd)
{
    uint8_t byte;

    return recv(fd, &byte, 1, 0) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* ---- connection identifiers ---- */

/* A DTLS session through the relay, with one request answered. */
static coap_session_t *session_with_cid(struct coap_lab *lab)
{
    coap_session_t *session = coap_lab_connect(lab, COAP_PROTO_DTLS, LAB_SERVER_NAME);

    coap_lab_put(session, COAP_MESSAGE_CON, 0, 16);
    coap_lab_until(lab, &lab->responses, 1);
    assert_int_equal(lab->seen[0], DTLS_CID_RECORD);
    assert_int_equal(coap_lab_session_port(lab), coap_lab_port(lab->back));
    return session;
}

static void session_stays_when_a_stranger_sends_a_forged_record_with_its_cid(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = session_with_cid(lab);
    int stranger = coap_lab_stranger();
    uint8_t forged[64] = {DTLS_CID_RECORD, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 200};

    memcpy(forged + CID_OFFSET, lab->seen + CID_OFFSET, CID_BYTES);
    forged[CID_OFFSET + CID_BYTES + 1] = sizeof(forged) - CID_OFFSET - CID_BYTES - 2;
    coap_lab_send(lab, stranger, forged, sizeof(forged));
    coap_lab_turn(lab);

    assert_int_equal(coap_lab_session_port(lab), coap_lab_port(lab->back));
    assert_true(nothing_arrived(stranger));
    coap_lab_put(session, COAP_MESSAGE_CON, 1, 16);
    coap_lab_until(lab, &lab->responses, 2);
    assert_int_equal(lab->requests, 2);
    close(stranger);
    coap_session_release(session);
}

static void session_stays_when_a_stranger_replays_a_record(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = session_with_cid(lab);
    int stranger = coap_lab_stranger();

    coap_lab_send(lab, stranger, lab->seen, lab->seen_bytes);
    coap_lab_turn(lab);

    assert_int_equal(coap_lab_session_port(lab), coap_lab_port(lab->back));
    assert_int_equal(lab->requests, 1);
    assert_true(nothing_arrived(stranger));
    close(stranger);
    coap_session_release(session);
}

static void session_stays_when_a_stranger_delivers_an_older_record_late(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = session_with_cid(lab);
    int stranger = coap_lab_stranger();

    lab->hold = true;
    coap_lab_put(session, COAP_MESSAGE_NON, 2, 16);
    coap_lab_turn(lab);
    lab->hold = false;
    coap_lab_put(session, COAP_MESSAGE_NON, 1, 16);
    coap_lab_until(lab, &lab->responses, 2);
    coap_lab_send(lab, stranger, lab->held, lab->held_bytes);
    coap_lab_until(lab, &lab->responses, 3);

    assert_int_equal(lab->requests_out_of_order, 0);
    assert_int_equal(coap_lab_session_port(lab), coap_lab_port(lab->back));
    assert_true(nothing_arrived(stranger));
    close(stranger);
    coap_session_release(session);
}

static void session_follows_its_client_to_a_new_port_with_the_next_request(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = session_with_cid(lab);

    coap_lab_rebind(lab);
    coap_lab_put(session, COAP_MESSAGE_CON, 1, 16);
    coap_lab_until(lab, &lab->responses, 2);

    assert_int_equal(coap_lab_session_port(lab), coap_lab_port(lab->back));
    assert_int_equal(lab->requests, 2);
    coap_session_release(session);
}

static void record_that_ends_within_the_cid_is_dropped(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = session_with_cid(lab);
    int stranger = coap_lab_stranger();

    for (size_t len_bytes = 1; len_bytes <= CID_OFFSET + CID_BYTES; len_bytes++) {
        coap_lab_send(lab, stranger, lab->seen, len_bytes);
        coap_lab_turn(lab);
    }

    assert_int_equal(coap_lab_session_port(lab), coap_lab_port(lab->back));
    close(stranger);
    coap_session_release(session);
}

static void handshake_at_the_address_of_an_open_session_begins_another(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *first = session_with_cid(lab);
    coap_session_t *second;

    assert_int_equal(lab->handshakes_done, 1);
    lab->hold = true; /* the server hears nothing of the end of the first */
    coap_session_release(first);
    coap_lab_turn(lab);
    lab->hold = false;
    second = coap_lab_connect(lab, COAP_PROTO_DTLS, LAB_SERVER_NAME);
    coap_lab_put(second, COAP_MESSAGE_CON, 1, 16);
    coap_lab_until(lab, &lab->responses, 2);

    assert_int_equal(lab->handshakes_renewed, 1);
    assert_int_equal(lab->handshakes_done, 2);
    assert_int_equal(lab->requests, 2);
    assert_int_equal(coap_lab_session_port(lab), coap_lab_port(lab->back));
    coap_session_release(second);
}

static void ack_timeout_may_be_below_a_second(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = session_with_cid(lab);

    coap_session_set_ack_timeout(session, (coap_fixed_point_t){0, 200});
    assert_int_equal(coap_session_get_ack_timeout(session).integer_part, 0);
    assert_int_equal(coap_session_get_ack_timeout(session).fractional_part, 200);
    coap_session_set_ack_timeout(session, (coap_fixed_point_t){0, 0});
    assert_int_equal(coap_session_get_ack_timeout(session).fractional_part, 200);
    coap_session_release(session);
}

/* ---- TLS ---- */

static void message_of_several_tls_records_is_sent_once(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = coap_lab_connect(lab, COAP_PROTO_TLS, LAB_SERVER_NAME);

    coap_lab_until(lab, &lab->connected, 1);
    coap_lab_put(session, COAP_MESSAGE_CON, 0, 40000);
    coap_lab_until(lab, &lab->responses, 1);
    assert_int_equal(lab->last_body_bytes, 40000);
    coap_lab_put(session, COAP_MESSAGE_CON, 1, 15360);
    coap_lab_until(lab, &lab->responses, 2);
    assert_int_equal(lab->requests_out_of_order, 0);

    /* A message that was thought half sent would be reported lost when the session ends. */
    coap_session_release(lab->server_session);
    lab->server_session = NULL;
    coap_free_context(lab->server);
    lab->server = coap_new_context(NULL);
    coap_lab_turn(lab);
    assert_int_equal(lab->nacked_messages, 0);
    coap_session_release(session);
}

static void messages_arrive_whole_and_in_order_when_the_socket_is_full(void **state)
{
    enum { MESSAGES = 300, BODY_BYTES = 40000 };
    struct coap_lab *lab = *state;
    coap_session_t *session = coap_lab_connect(lab, COAP_PROTO_TLS, LAB_SERVER_NAME);

    coap_lab_until(lab, &lab->connected, 1);
    /* 12 MB, more than the kernel holds for a socket that is not read. */
    for (uint32_t i = 0; i < MESSAGES; i++)
        coap_lab_put(session, COAP_MESSAGE_CON, i, BODY_BYTES);
    assert_int_equal(lab->requests, 0);
    coap_lab_until(lab, &lab->responses, MESSAGES);

    assert_int_equal(lab->requests, MESSAGES);
    assert_int_equal(lab->requests_out_of_order, 0);
    assert_int_equal(lab->last_body_bytes, BODY_BYTES);
    coap_session_release(session);
}

/* A TLS client below libcoap, for bytes that libcoap would not send. */
struct raw_client {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt authority;
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
    int fd;
};

static int raw_send(void *arg, const unsigned char *bytes, size_t len_bytes)
{
    ssize_t sent = send(*(int *)arg, bytes, len_bytes, MSG_NOSIGNAL);

    return sent >= 0 ? (int)sent : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int raw_receive(void *arg, unsigned char *bytes, size_t len_bytes)
{
    ssize_t got = recv(*(int *)arg, bytes, len_bytes, MSG_DONTWAIT);

    return got >= 0 ? (int)got : MBEDTLS_ERR_SSL_WANT_READ;
}

static void raw_connect(struct raw_client *raw, struct coap_lab *lab)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(lab->tls_port)};
    int code;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (raw->fd < 0 || connect(raw->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        fail_msg("no connection to the server");
    mbedtls_entropy_init(&raw->entropy);
    mbedtls_ctr_drbg_init(&raw->random);
    mbedtls_ssl_config_init(&raw->config);
    mbedtls_ssl_init(&raw->ssl);
    mbedtls_x509_crt_init(&raw->authority);
    mbedtls_x509_crt_init(&raw->certificate);
    mbedtls_pk_init(&raw->key);
    assert_int_equal(mbedtls_ctr_drbg_seed(&raw->random, mbedtls_entropy_func, &raw->entropy, NULL, 0), 0);
    assert_int_equal(mbedtls_x509_crt_parse(&raw->authority, (const uint8_t *)lab->authority.certificate_pem,
                                            strlen(lab->authority.certificate_pem) + 1),
                     0);
    assert_int_equal(mbedtls_x509_crt_parse(&raw->certificate,
                                            (const uint8_t *)lab->client_identity.certificate_pem,
                                            strlen(lab->client_identity.certificate_pem) + 1),
                     0);
    assert_int_equal(mbedtls_pk_parse_key(&raw->key, (const uint8_t *)lab->client_identity.key_pem,
                                          strlen(lab->client_identity.key_pem) + 1, NULL, 0,
                                          mbedtls_ctr_drbg_random, &raw->random),
                     0);
    assert_int_equal(mbedtls_ssl_config_defaults(&raw->config, MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&raw->config, mbedtls_ctr_drbg_random, &raw->random);
    mbedtls_ssl_conf_ca_chain(&raw->config, &raw->authority, NULL);
    assert_int_equal(mbedtls_ssl_conf_own_cert(&raw->config, &raw->certificate, &raw->key), 0);
    assert_int_equal(mbedtls_ssl_setup(&raw->ssl, &raw->config), 0);
    assert_int_equal(mbedtls_ssl_set_hostname(&raw->ssl, LAB_SERVER_NAME), 0);
    mbedtls_ssl_set_bio(&raw->ssl, &raw->fd, raw_send, raw_receive, NULL);
    while ((code = mbedtls_ssl_handshake(&raw->ssl)) != 0) {
        assert_int_equal(code, MBEDTLS_ERR_SSL_WANT_READ);
        coap_lab_turn(lab);
    }
}

static void raw_close(struct raw_client *raw)
{
    close(raw->fd);
    mbedtls_ssl_free(&raw->ssl);
    mbedtls_ssl_config_free(&raw->config);
    mbedtls_x509_crt_free(&raw->authority);
    mbedtls_x509_crt_free(&raw->certificate);
    mbedtls_pk_free(&raw->key);
    mbedtls_ctr_drbg_free(&raw->random);
    mbedtls_entropy_free(&raw->entropy);
}

/* A Capabilities and Settings message, then PUT /x with 300 bytes of body: a length field of two bytes. */
static const uint8_t csm[] = {0x00, 0xe1};
static const uint8_t put_header[] = {0xe1, 0x00, 303 - 269, 0x03, 0x77, 0xb1, 'x', 0xff};

static void header_may_come_in_single_bytes(void **state)
{
    struct coap_lab *lab = *state;
    struct raw_client raw;
    const uint8_t body[300] = {0};

    raw_connect(&raw, lab);
    assert_int_equal(mbedtls_ssl_write(&raw.ssl, csm, sizeof(csm)), sizeof(csm));
    coap_lab_turn(lab);
    for (size_t i = 0; i < sizeof(put_header); i++) {
        assert_int_equal(mbedtls_ssl_write(&raw.ssl, &put_header[i], 1), 1);
        coap_lab_turn(lab);
    }
    assert_int_equal(mbedtls_ssl_write(&raw.ssl, body, sizeof(body)), sizeof(body));
    coap_lab_until(lab, &lab->requests, 1);

    assert_int_equal(lab->last_body_bytes, sizeof(body));
    raw_close(&raw);
}

static void session_may_be_ended_while_its_request_is_handled(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = coap_lab_connect(lab, COAP_PROTO_TLS, LAB_SERVER_NAME);

    coap_lab_until(lab, &lab->connected, 1);
    lab->disconnect = true;
    coap_lab_put(session, COAP_MESSAGE_CON, 0, 5000);
    coap_lab_until(lab, &lab->sessions_closed, 1);
    assert_int_equal(lab->requests, 1);
    assert_int_equal(lab->responses, 0);
    coap_session_release(session);
}

/* ---- names ---- */

static void client_refuses_a_server_of_another_name(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *over_tls = coap_lab_connect(lab, COAP_PROTO_TLS, "other.test");
    coap_session_t *over_dtls;

    coap_lab_until(lab, &lab->failed, 1);
    assert_int_equal(lab->connected, 0);
    lab->failed = 0;
    over_dtls = coap_lab_connect(lab, COAP_PROTO_DTLS, LAB_CLIENT_NAME);
    coap_lab_until(lab, &lab->failed, 1);
    assert_int_equal(lab->connected, 0);
    coap_session_release(over_tls);
    coap_session_release(over_dtls);
}

static void application_is_asked_about_good_certificates_and_may_refuse(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = session_with_cid(lab);

    assert_true(lab->names_checked > 0);
    assert_string_equal(lab->last_name, LAB_CLIENT_NAME);
    coap_session_release(session);

    lab->refuse_names = true;
    lab->failed = 0;
    session = coap_lab_connect(lab, COAP_PROTO_TLS, LAB_SERVER_NAME);
    coap_lab_until(lab, &lab->failed, 1);
    assert_int_equal(lab->requests, 1);
    coap_session_release(session);
}

static void host_name_that_does_not_fit_is_refused(void **state)
{
    static char name[257];
    coap_str_const_t address = {.length = sizeof(name), .s = (const uint8_t *)name};

    (void)state;
    memset(name, 'a', sizeof(name));
    for (address.length = 256; address.length <= 257; address.length++)
        assert_null(coap_resolve_address_info(&address, 0, 0, 0, 0, AI_NUMERICHOST,
                                              1 << COAP_URI_SCHEME_COAPS, COAP_RESOLVE_TYPE_REMOTE));
}

static void percent_sign_at_the_end_of_a_path_is_not_read_past(void **state)
{
    uint8_t *path = malloc(2);
    uint8_t out[32];
    size_t out_bytes = sizeof(out);

    (void)state;
    assert_non_null(path);
    memcpy(path, "%4", 2);
    assert_true(coap_split_path(path, 2, out, &out_bytes) <= 0);
    free(path);
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, coap_lab_set_up, coap_lab_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(session_stays_when_a_stranger_sends_a_forged_record_with_its_cid),
        LAB_TEST(session_stays_when_a_stranger_replays_a_record),
        LAB_TEST(session_stays_when_a_stranger_delivers_an_older_record_late),
        LAB_TEST(session_follows_its_client_to_a_new_port_with_the_next_request),
        LAB_TEST(record_that_ends_within_the_cid_is_dropped),
        LAB_TEST(handshake_at_the_address_of_an_open_session_begins_another),
        LAB_TEST(ack_timeout_may_be_below_a_second),
        LAB_TEST(message_of_several_tls_records_is_sent_once),
        LAB_TEST(messages_arrive_whole_and_in_order_when_the_socket_is_full),
        LAB_TEST(header_may_come_in_single_bytes),
        LAB_TEST(session_may_be_ended_while_its_request_is_handled),
        LAB_TEST(client_refuses_a_server_of_another_name),
        LAB_TEST(application_is_asked_about_good_certificates_and_may_refuse),
        cmocka_unit_test(host_name_that_does_not_fit_is_refused),
        cmocka_unit_test(percent_sign_at_the_end_of_a_path_is_not_read_past),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
