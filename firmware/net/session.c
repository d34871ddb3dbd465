/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/net/session.h"

#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    TOKEN_BYTES = 4,
    CONTENT_FORMAT_BATCH = 65001, /* of the experimental range; proto/SPEC.md section 4 */
    CSM_TIMEOUT_MS = 5000,
};

/* libcoap's log handler has no context of its own. */
static struct net_client *log_taker;

/* ---- what libcoap calls ---- */

static void on_log(coap_log_t level, const char *message)
{
    if (log_taker == NULL) {
        return;
    }
    const char *text = message + strspn(message, " *");
    const char *named = strstr(text, " <-> ");
    const char *said = named == NULL ? NULL : strstr(named, ": ");
    text = said == NULL ? text : said + 2; /* without our port, which is another each time */
    size_t chars = strcspn(text, "\n");
    char line[NET_REASON_MAX_CHARS + 1];
    (void)snprintf(line, sizeof line, "%.*s", (int)chars, text);
    if (log_taker->state == NET_CONNECTING) {
        net_client_complain(log_taker, line);
    }
    PORT_LOG(log_taker->config.log, PORT_LOG_DEBUG, "net_library", {"level", NULL, (int64_t)level},
             {"text", line, 0});
}

static struct net_client *client_of(const coap_session_t *session)
{
    return coap_context_get_app_data(coap_session_get_context(session));
}

static bool token_of(const coap_pdu_t *pdu, uint32_t *token)
{
    coap_bin_const_t bytes = coap_pdu_get_token(pdu);
    if (bytes.length != TOKEN_BYTES) {
        return false;
    }
    struct hr_reader reader = hr_reader_over(hr_bytes_of(bytes.s, bytes.length));
    *token = hr_read_u32(&reader);
    return true;
}

uint32_t net_session_max_age_s(const coap_pdu_t *answer)
{
    coap_opt_iterator_t iterator;
    coap_opt_t *option = coap_check_option(answer, COAP_OPTION_MAXAGE, &iterator);
    return option == NULL ? 0 : coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option));
}

struct hr_bytes net_session_payload(const coap_pdu_t *answer)
{
    size_t len_bytes = 0;
    const uint8_t *data = NULL;
    return coap_get_data(answer, &len_bytes, &data) != 0 ? hr_bytes_of(data, len_bytes) : hr_bytes_of("", 0);
}

static coap_response_t on_response(coap_session_t *session, const coap_pdu_t *sent,
                                   const coap_pdu_t *received, const coap_mid_t mid)
{
    (void)sent;
    (void)mid;
    struct net_client *client = client_of(session);
    uint32_t token = 0;
    if (client == NULL || net_session_part_answered(client, received) || !token_of(received, &token)) {
        return COAP_RESPONSE_OK;
    }
    net_client_answered(client, token, (uint8_t)coap_pdu_get_code(received), net_session_payload(received),
                        net_session_max_age_s(received));
    return COAP_RESPONSE_OK;
}

static void on_nack(coap_session_t *session, const coap_pdu_t *sent, const coap_nack_reason_t reason,
                    const coap_mid_t mid)
{
    (void)mid;
    struct net_client *client = client_of(session);
    if (client == NULL) {
        return;
    }
    uint32_t token = 0;
    switch (reason) {
    case COAP_NACK_RST:
        net_client_heard(client); /* over DTLS this is what answers a ping (RFC 7252 section 4.2) */
        break;
    case COAP_NACK_TOO_MANY_RETRIES:
    case COAP_NACK_BAD_RESPONSE:
        if (sent != NULL && token_of(sent, &token)) {
            net_client_gave_up(client, token);
        }
        break;
    /* The others end the session, and `sent` may be a copy whose token libcoap has freed: it is not looked
     * at. */
    case COAP_NACK_ICMP_ISSUE:
        net_client_complain(client, "the host says that nobody listens there");
        net_client_went_down(client, false);
        break;
    case COAP_NACK_TLS_FAILED:
        /* Without a complaint nobody said anything: the handshake timed out. */
        net_client_went_down(client, client->reason[0] != '\0');
        break;
    case COAP_NACK_NOT_DELIVERABLE:
    case COAP_NACK_TLS_LAYER_FAILED:
    case COAP_NACK_WS_FAILED:
    case COAP_NACK_WS_LAYER_FAILED:
        net_client_went_down(client, false);
        break;
    }
}

static void on_pong(coap_session_t *session, const coap_pdu_t *received, const coap_mid_t mid)
{
    (void)received;
    (void)mid;
    struct net_client *client = client_of(session);
    if (client != NULL) {
        net_client_heard(client);
    }
}

static int on_event(coap_session_t *session, const coap_event_t event)
{
    struct net_client *client = client_of(session);
    if (client == NULL) {
        return 0;
    }
    if (event == COAP_EVENT_DTLS_ERROR) {
        net_client_went_down(client, true);
    } else if (event == COAP_EVENT_DTLS_CLOSED) {
        net_client_complain(client, "the aggregator ended the session");
        net_client_went_down(client, true);
    } else if (event == COAP_EVENT_TCP_FAILED) {
        net_client_complain(client, "the connection was refused or not answered");
        net_client_went_down(client, false);
    } else if (event == COAP_EVENT_TCP_CLOSED || event == COAP_EVENT_SESSION_CLOSED ||
               event == COAP_EVENT_SESSION_FAILED) {
        net_client_complain(client, "the connection was closed");
        net_client_went_down(client, false);
    }
    return 0;
}

/* ---- the session ---- */

void net_session_start_library(struct net_client *client)
{
    coap_startup();
    log_taker = client;
    coap_set_log_handler(on_log);
    coap_set_log_level(COAP_LOG_WARN);
    coap_dtls_set_log_level(COAP_LOG_EMERG); /* libcoap says the same in words */
}

void net_session_end_library(void)
{
    coap_set_log_handler(NULL);
    log_taker = NULL;
    coap_cleanup();
}

static coap_context_t *new_context(struct net_client *client)
{
    coap_context_t *context = coap_new_context(NULL);
    if (context != NULL) {
        coap_context_set_app_data(context, client);
        coap_context_set_block_mode(context, 0); /* no copies of requests for the blocks of their answers */
        coap_context_set_csm_timeout_ms(context, CSM_TIMEOUT_MS);
        coap_register_response_handler(context, on_response);
        coap_register_nack_handler(context, on_nack);
        coap_register_event_handler(context, on_event);
        coap_register_pong_handler(context, on_pong);
    }
    return context;
}

static coap_dtls_key_t key_of(const struct net_credentials *credentials)
{
    if (credentials->kind == NET_CREDENTIALS_FILES) {
        return (coap_dtls_key_t){.key_type = COAP_PKI_KEY_PEM,
                                 .key.pem = {.ca_file = credentials->of.files.ca,
                                             .public_cert = credentials->of.files.certificate,
                                             .private_key = credentials->of.files.key}};
    }
    return (coap_dtls_key_t){.key_type = COAP_PKI_KEY_ASN1,
                             .key.asn1 = {.ca_cert = credentials->of.memory.ca.data,
                                          .ca_cert_len = credentials->of.memory.ca.len_bytes,
                                          .public_cert = credentials->of.memory.certificate.data,
                                          .public_cert_len = credentials->of.memory.certificate.len_bytes,
                                          .private_key = credentials->of.memory.key.data,
                                          .private_key_len = credentials->of.memory.key.len_bytes,
                                          .private_key_type = COAP_ASN1_PKEY_EC}};
}

static coap_session_t *new_session(struct net_client *client, const coap_address_t *peer)
{
    union {
        const char *kept;
        char *wanted; /* libcoap reads it only */
    } server_name = {.kept = client->config.server_name};
    coap_dtls_pki_t pki = {
        .version = COAP_DTLS_PKI_SETUP_VERSION,
        .verify_peer_cert = 1,
        .check_common_ca = 1,
        .cert_chain_validation = 1,
        .cert_chain_verify_depth = 3,
        .use_cid = 1,
        .client_sni = server_name.wanted,
        .pki_key = key_of(&client->config.credentials),
    };
    coap_proto_t proto =
        client->config.addresses[client->address].scheme == NET_COAPS ? COAP_PROTO_DTLS : COAP_PROTO_TLS;
    return coap_new_client_session_pki(client->context, NULL, peer, proto, &pki);
}

static coap_fixed_point_t fixed_point_s(uint32_t ms)
{
    return (coap_fixed_point_t){.integer_part = (uint16_t)(ms / 1000),
                                .fractional_part = (uint16_t)(ms % 1000)};
}

struct hr_status net_session_connect(struct net_client *client, const struct port_ip *peer, uint16_t port)
{
    coap_address_t address;
    net_platform_address(peer, port, &address);
    struct net_config *config = &client->config;
    if (config->choose != NULL) {
        HR_TRY(config->choose(config->choose_ctx, &config->credentials, &config->server_name));
    }
    client->context = new_context(client);
    if (client->context == NULL) {
        return hr_status_of(HR_IO);
    }
    client->session = new_session(client, &address);
    if (client->session == NULL) {
        return hr_status_of(HR_IO);
    }
    coap_session_set_nstart(client->session, NET_MAX_EXCHANGES + 1); /* and a ping */
    coap_session_set_max_retransmit(client->session, client->config.max_retransmit);
    coap_session_set_ack_timeout(client->session, fixed_point_s(client->config.ack_timeout_ms));
    if (net_session_has_parts(client)) {
        net_parts_init(client->config.parts, client->config.ack_timeout_ms);
    }
    return hr_ok();
}

bool net_session_is_established(const struct net_client *client)
{
    return client->session != NULL &&
           coap_session_get_state(client->session) == COAP_SESSION_STATE_ESTABLISHED;
}

void net_session_close(struct net_client *client)
{
    client->session = NULL;
    if (client->context != NULL) {
        coap_context_set_app_data(client->context, NULL);
        coap_free_context(client->context);
        client->context = NULL;
    }
}

uint32_t net_session_process(struct net_client *client)
{
    if (client->context == NULL) {
        return NET_NEVER_MS;
    }
    if (net_platform_process(client->context) < 0) {
        net_client_went_down(client, false);
    }
    uint32_t parts_ms = net_session_send_parts(client);
    uint32_t wait_ms = net_platform_wait_ms(client->context);
    return wait_ms != 0 && wait_ms < parts_ms ? wait_ms : parts_ms;
}

/* ---- requests ---- */

coap_pdu_t *net_session_request(struct net_client *client, coap_pdu_type_t type, struct hr_bytes token,
                                coap_pdu_code_t code, const char *path)
{
    coap_pdu_t *pdu = coap_pdu_init(type, code, coap_new_message_id(client->session),
                                    coap_session_max_pdu_size(client->session));
    if (pdu != NULL &&
        (coap_add_token(pdu, token.len_bytes, token.data) == 0 ||
         coap_add_option(pdu, COAP_OPTION_URI_PATH, strlen(path), (const uint8_t *)path) == 0)) {
        coap_delete_pdu(pdu);
        return NULL;
    }
    return pdu;
}

static coap_pdu_t *new_request(struct net_client *client, uint32_t token, coap_pdu_code_t code,
                               const char *path)
{
    uint8_t bytes[TOKEN_BYTES];
    struct hr_writer writer = hr_writer_over(bytes, sizeof bytes);
    hr_write_u32(&writer, token);
    return net_session_request(client, COAP_MESSAGE_CON, hr_bytes_of(bytes, sizeof bytes), code, path);
}

bool net_session_add_format(coap_pdu_t *pdu)
{
    uint8_t format[2];
    struct hr_writer writer = hr_writer_over(format, sizeof format);
    hr_write_u16(&writer, CONTENT_FORMAT_BATCH);
    return coap_add_option(pdu, COAP_OPTION_CONTENT_FORMAT, sizeof format, format) != 0;
}

static struct hr_status send_request(struct net_client *client, coap_pdu_t *pdu)
{
    return coap_send(client->session, pdu) == COAP_INVALID_MID ? hr_status_of(HR_IO) : hr_ok();
}

/* libcoap's own ping waits until nothing else is under way, which is not when it is needed. */
void net_session_ping(struct net_client *client)
{
    bool reliable = client->config.addresses[client->address].scheme == NET_COAPS_TCP;
    coap_pdu_code_t code = reliable ? COAP_SIGNALING_CODE_PING : COAP_EMPTY_CODE;
    coap_pdu_t *pdu =
        coap_pdu_init(COAP_MESSAGE_CON, code, reliable ? 0 : coap_new_message_id(client->session), 1);
    if (pdu != NULL) {
        /* A ping that can't be sent is one that isn't answered. */
        hr_ignore(send_request(client, pdu));
    }
}

struct hr_status net_session_post(struct net_client *client, uint32_t token, struct hr_bytes envelope)
{
    if (net_session_has_parts(client)) {
        return net_parts_add(client->config.parts, token, envelope);
    }
    coap_pdu_t *pdu = new_request(client, token, COAP_REQUEST_CODE_POST, "b");
    if (pdu == NULL || !net_session_add_format(pdu) ||
        coap_add_data(pdu, envelope.len_bytes, envelope.data) == 0) {
        coap_delete_pdu(pdu);
        return hr_status_of(HR_IO);
    }
    return send_request(client, pdu);
}

void net_session_forget(struct net_client *client, uint32_t token)
{
    if (net_session_has_parts(client)) {
        net_parts_drop(client->config.parts, token);
    }
}

struct hr_status net_session_get_head(struct net_client *client, uint32_t token, uint32_t stream)
{
    coap_pdu_t *pdu = new_request(client, token, COAP_REQUEST_CODE_GET, "h");
    if (pdu == NULL) {
        return hr_status_of(HR_IO);
    }
    char query[16];
    int chars = snprintf(query, sizeof query, "s=%" PRIu32, stream);
    if (chars < 0 ||
        coap_add_option(pdu, COAP_OPTION_URI_QUERY, (size_t)chars, (const uint8_t *)query) == 0) {
        coap_delete_pdu(pdu);
        return hr_status_of(HR_IO);
    }
    return send_request(client, pdu);
}
