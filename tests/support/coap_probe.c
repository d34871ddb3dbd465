/* SPDX-License-Identifier: Apache-2.0
 *
 * A CoAP client that a system test drives: commands come line by line on stdin, everything that happens goes
 * to stdout as one JSON object a line. It is libcoap's own client, so that our server meets a stranger.
 *
 *     coap_probe URI HOST_NAME CA CERTIFICATE KEY
 *
 *     post TOKEN FORMAT HEX [PATH]    CON POST /b; in blocks when it is too long for one message
 *     get TOKEN QUERY [PATH]          CON GET /h?QUERY
 *     path TOKEN CODE PATH     CON request of method CODE to any path, without a payload
 *     raw HEX                  these bytes as one CoAP message, whatever they are
 *     quit */
#include "proto/base/assert.h"

#include <coap3/coap.h>
#include <mbedtls/ssl.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 300000, BODY_MAX_BYTES = 140000, TOKEN_BYTES = 4 };

static char line[LINE_MAX_BYTES];
static size_t line_len;
static uint8_t body[BODY_MAX_BYTES];
static bool gone;

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line_number)
{
    (void)fprintf(stderr, "%s:%d: %s\n", file, line_number, expression);
    abort();
}

static void print_hex(const uint8_t *data, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        (void)printf("%02x", data[i]);
    }
}

/* 0 to 15, or 16. */
static unsigned nibble(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *place = digit != '\0' ? strchr(digits, digit) : NULL;
    return place != NULL ? (unsigned)(place - digits) : 16;
}

/* "-" is no bytes. */
static bool read_hex(const char *text, uint8_t *out, size_t capacity_bytes, size_t *len_bytes)
{
    size_t n = 0;
    for (; text[0] != '\0' && text[0] != '-'; text += 2) {
        unsigned high = nibble(text[0]);
        unsigned low = nibble(text[1]);
        if (n == capacity_bytes || high > 15 || low > 15) {
            return false;
        }
        out[n++] = (uint8_t)(high << 4 | low);
    }
    *len_bytes = n;
    return true;
}

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent,
                                   const coap_pdu_t *received, const coap_mid_t mid)
{
    (void)session;
    (void)sent;
    const uint8_t *data = NULL;
    size_t len_bytes = 0;
    coap_opt_iterator_t iterator;
    const coap_opt_t *max_age = coap_check_option(received, COAP_OPTION_MAXAGE, &iterator);
    const coap_opt_t *format = coap_check_option(received, COAP_OPTION_CONTENT_FORMAT, &iterator);
    coap_bin_const_t token = coap_pdu_get_token(received);
    coap_pdu_code_t code = coap_pdu_get_code(received);
    (void)coap_get_data(received, &len_bytes, &data);
    (void)printf("{\"event\":\"response\",\"code\":\"%d.%02d\",\"type\":%d,\"mid\":%d,\"token\":\"",
                 (int)code >> 5, (int)code & 31, (int)coap_pdu_get_type(received), mid);
    print_hex(token.s, token.length);
    (void)printf("\",\"max_age\":%u,\"format\":%u,\"payload\":\"",
                 max_age != NULL ? coap_decode_var_bytes(coap_opt_value(max_age), coap_opt_length(max_age))
                                 : 0,
                 format != NULL ? coap_decode_var_bytes(coap_opt_value(format), coap_opt_length(format)) : 0);
    print_hex(data, len_bytes);
    (void)printf("\"}\n");
    return COAP_RESPONSE_OK;
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent, const coap_nack_reason_t reason,
                    const coap_mid_t mid)
{
    (void)session;
    (void)printf("{\"event\":\"nack\",\"reason\":%d,\"mid\":%d,\"token\":\"", (int)reason, mid);
    if (sent != NULL) {
        coap_bin_const_t token = coap_pdu_get_token(sent);
        print_hex(token.s, token.length);
    }
    (void)printf("\"}\n");
}

static int on_event(coap_session_t *session, const coap_event_t event)
{
    (void)session;
    if (event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_TCP_CLOSED || event == COAP_EVENT_DTLS_ERROR ||
        event == COAP_EVENT_TCP_FAILED) {
        gone = true;
        (void)printf("{\"event\":\"closed\",\"reason\":%d}\n", (int)event);
    } else if (event == COAP_EVENT_DTLS_CONNECTED || event == COAP_EVENT_SESSION_CONNECTED) {
        (void)printf("{\"event\":\"connected\"}\n");
    }
    return 0;
}

/* stdout is for the test alone. */
static void on_log(coap_log_t level, const char *message)
{
    (void)fprintf(stderr, "%d %s", (int)level, message);
}

static coap_pdu_t *new_request(coap_session_t *session, const char *token_hex, int code)
{
    uint8_t token[8];
    size_t token_len = 0;
    HR_ASSERT(read_hex(token_hex, token, sizeof(token), &token_len));
    coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_CON, (coap_pdu_code_t)code, coap_new_message_id(session),
                                    coap_session_max_pdu_size(session));
    HR_ASSERT(pdu != NULL && coap_add_token(pdu, token_len, token) != 0);
    return pdu;
}

static void add_text(coap_pdu_t *pdu, coap_option_num_t option, const char *text)
{
    HR_ASSERT(coap_add_option(pdu, option, strlen(text), (const uint8_t *)text) != 0);
}

static void send_post(coap_session_t *session, const char *token, unsigned format, const char *hex,
                      const char *path)
{
    size_t len_bytes = 0;
    uint8_t value[4];
    HR_ASSERT(read_hex(hex, body, sizeof(body), &len_bytes));
    coap_pdu_t *pdu = new_request(session, token, COAP_REQUEST_CODE_POST);
    add_text(pdu, COAP_OPTION_URI_PATH, path != NULL ? path : "b");
    HR_ASSERT(coap_add_option(pdu, COAP_OPTION_CONTENT_FORMAT,
                              coap_encode_var_safe(value, sizeof(value), format), value) != 0);
    HR_ASSERT(coap_add_data_large_request(session, pdu, len_bytes, body, NULL, NULL) != 0);
    (void)coap_send(session, pdu);
}

/* Past libcoap, straight into the session's TLS. */
static void send_raw(coap_session_t *session, const char *hex)
{
    size_t len_bytes = 0;
    coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
    HR_ASSERT(read_hex(hex, body, sizeof(body), &len_bytes));
    mbedtls_ssl_context *tls = coap_session_get_tls(session, &library);
    HR_ASSERT(tls != NULL && library == COAP_TLS_LIBRARY_MBEDTLS);
    (void)printf("{\"event\":\"raw\",\"sent\":%d}\n", mbedtls_ssl_write(tls, body, len_bytes));
}

/* False: quit. */
static bool obey(coap_session_t *session, char *command)
{
    char *words[5] = {0};
    char *rest = NULL;
    for (size_t i = 0; i < HR_ARRAY_LEN(words); i++) {
        words[i] = strtok_r(i == 0 ? command : NULL, " \n", &rest);
    }
    HR_ASSERT(words[0] != NULL);
    if (strcmp(words[0], "post") == 0 && words[3] != NULL) {
        send_post(session, words[1], (unsigned)strtoul(words[2], NULL, 10), words[3], words[4]);
    } else if (strcmp(words[0], "get") == 0 && words[1] != NULL) {
        coap_pdu_t *pdu = new_request(session, words[1], COAP_REQUEST_CODE_GET);
        add_text(pdu, COAP_OPTION_URI_PATH, words[2] != NULL && words[3] != NULL ? words[3] : "h");
        if (words[2] != NULL) {
            add_text(pdu, COAP_OPTION_URI_QUERY, words[2]);
        }
        (void)coap_send(session, pdu);
    } else if (strcmp(words[0], "path") == 0 && words[3] != NULL) {
        coap_pdu_t *pdu = new_request(session, words[1], (int)strtol(words[2], NULL, 10));
        add_text(pdu, COAP_OPTION_URI_PATH, words[3]);
        (void)coap_send(session, pdu);
    } else if (strcmp(words[0], "raw") == 0 && words[1] != NULL) {
        send_raw(session, words[1]);
    } else {
        return false;
    }
    return true;
}

static coap_session_t *connect_to(coap_context_t *context, char **argv)
{
    coap_uri_t uri;
    HR_ASSERT(coap_split_uri((const uint8_t *)argv[1], strlen(argv[1]), &uri) == 0);
    coap_addr_info_t *address = coap_resolve_address_info(&uri.host, uri.port, uri.port, uri.port, uri.port,
                                                          0, 1 << uri.scheme, COAP_RESOLVE_TYPE_REMOTE);
    HR_ASSERT(address != NULL);
    coap_dtls_pki_t pki = {.version = COAP_DTLS_PKI_SETUP_VERSION,
                           .verify_peer_cert = 1,
                           .cert_chain_validation = 1,
                           .cert_chain_verify_depth = 2,
                           .allow_no_crl = 1,
                           .use_cid = 1,
                           .client_sni = argv[2]};
    pki.pki_key.key_type = COAP_PKI_KEY_PEM;
    pki.pki_key.key.pem.ca_file = argv[3];
    pki.pki_key.key.pem.public_cert = argv[4];
    pki.pki_key.key.pem.private_key = argv[5];
    coap_session_t *session =
        coap_new_client_session_pki(context, NULL, &address->addr, address->proto, &pki);
    coap_free_address_info(address);
    return session;
}

/* Takes what stdin has; false at its end or on quit. */
static bool take_input(coap_session_t *session)
{
    ssize_t n = read(STDIN_FILENO, line + line_len, sizeof(line) - 1 - line_len);
    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    line_len += (size_t)n;
    line[line_len] = '\0';
    for (char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
        *end = '\0';
        if (!obey(session, line)) {
            return false;
        }
        line_len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, line_len + 1);
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fputs("usage: coap_probe URI HOST_NAME CA CERTIFICATE KEY\n", stderr);
        return 3;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    coap_startup();
    coap_set_log_level(COAP_LOG_WARN);
    coap_set_log_handler(on_log);
    coap_context_t *context = coap_new_context(NULL);
    HR_ASSERT(context != NULL);
    coap_context_set_block_mode(context, COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);
    coap_register_response_handler(context, on_response);
    coap_register_nack_handler(context, on_nack);
    coap_register_event_handler(context, on_event);
    coap_session_t *session = connect_to(context, argv);
    HR_ASSERT(session != NULL);
    coap_session_set_nstart(session, 8);
    bool running = true;
    while (running) {
        struct pollfd ready[] = {{.fd = coap_context_get_coap_fd(context), .events = POLLIN},
                                 {.fd = STDIN_FILENO, .events = POLLIN}};
        (void)poll(ready, HR_ARRAY_LEN(ready), 100);
        (void)coap_io_process(context, COAP_IO_NO_WAIT);
        if (ready[1].revents != 0) {
            running = take_input(session);
        }
        if (gone && running) {
            (void)coap_io_process(context, COAP_IO_NO_WAIT);
            break;
        }
    }
    coap_session_release(session);
    coap_free_context(context);
    coap_cleanup();
    return gone ? 1 : 0;
}
