/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/net_peer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void answer(struct net_peer *peer, coap_session_t *session, const coap_pdu_t *request,
                   coap_pdu_t *response)
{
    coap_bin_const_t token = coap_pdu_get_token(request);
    coap_async_t *async = coap_find_async(session, token);
    if (peer->manner == PEER_ANSWERS_LATE && async == NULL) {
        assert_non_null(coap_register_async(session, request, COAP_TICKS_PER_SECOND / 20));
        return;
    }
    if (peer->manner == PEER_IS_SILENT) {
        return; /* no code: libcoap acknowledges the message and answers nothing */
    }
    uint8_t bytes[4];
    coap_pdu_set_code(response, peer->code);
    if (peer->max_age_s != 0) {
        assert_int_not_equal(coap_add_option(response, COAP_OPTION_MAXAGE,
                                             coap_encode_var_safe(bytes, sizeof bytes, peer->max_age_s),
                                             bytes),
                             0);
    }
    assert_int_not_equal(coap_add_data(response, sizeof peer->answer, peer->answer), 0);
}

static void take_whole(struct net_peer *peer, const uint8_t *data, size_t len_bytes)
{
    uint32_t slot = peer->n_posts++ % PEER_MAX_BODIES;
    assert_true(len_bytes <= PEER_BODY_MAX_BYTES);
    memcpy(peer->bodies[slot], data, len_bytes);
    peer->body_len_bytes[slot] = len_bytes;
}

/* The body that this tag stands for, which may be a new one. */
static struct peer_parts *parts_of(struct net_peer *peer, const coap_pdu_t *request)
{
    coap_opt_iterator_t iterator;
    const coap_opt_t *option = coap_check_option(request, COAP_OPTION_RTAG, &iterator);
    assert_non_null(option);
    uint32_t tag = coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option));
    struct peer_parts *vacant = NULL;
    for (size_t i = 0; i < PEER_MAX_BODIES; i++) {
        struct peer_parts *parts = &peer->parts[i];
        if (parts->in_use && parts->tag == tag) {
            return parts;
        }
        vacant = parts->in_use ? vacant : parts;
    }
    assert_non_null(vacant);
    *vacant = (struct peer_parts){.in_use = true, .tag = tag};
    return vacant;
}

/* True when the body is whole with it. */
static bool take_part(struct net_peer *peer, const coap_pdu_t *request, const coap_block_b_t *block,
                      coap_pdu_t *response)
{
    const uint8_t *data = NULL;
    size_t len_bytes = 0;
    struct peer_parts *parts = parts_of(peer, request);
    assert_int_equal(coap_pdu_get_type(request), COAP_MESSAGE_NON);
    assert_int_equal(block->szx, 6);
    assert_int_not_equal(coap_get_data(request, &len_bytes, &data), 0);
    assert_true((block->num + 1) * 1024 <= PEER_BODY_MAX_BYTES);
    memcpy(parts->bytes + block->num * 1024, data, len_bytes);
    parts->there |= 1u << block->num;
    if (block->m == 0) {
        parts->n_parts = block->num + 1;
        parts->len_bytes = block->num * 1024 + len_bytes;
    }
    if (parts->n_parts == 0 || parts->there + 1 != 1u << parts->n_parts) {
        const uint8_t there[2] = {(uint8_t)(parts->there >> 8), (uint8_t)(parts->there & 0xFF)};
        coap_pdu_set_code(response, COAP_RESPONSE_CODE(231));
        assert_int_not_equal(coap_add_data(response, sizeof there, there), 0);
        return false;
    }
    take_whole(peer, parts->bytes, parts->len_bytes);
    parts->in_use = false;
    return true;
}

static void on_post(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                    const coap_string_t *query, coap_pdu_t *response)
{
    (void)query;
    struct net_peer *peer = coap_resource_get_userdata(resource);
    size_t len_bytes = 0;
    const uint8_t *data = NULL;
    coap_opt_iterator_t iterator;
    coap_block_b_t block;
    peer->confirmable = coap_pdu_get_type(request) == COAP_MESSAGE_CON;
    coap_opt_t *format = coap_check_option(request, COAP_OPTION_CONTENT_FORMAT, &iterator);
    peer->content_format =
        format == NULL ? 0 : coap_decode_var_bytes(coap_opt_value(format), coap_opt_length(format));
    if (coap_find_async(session, coap_pdu_get_token(request)) != NULL) {
        answer(peer, session, request, response);
    } else if (coap_get_block_b(session, request, COAP_OPTION_BLOCK1, &block) == 0) {
        assert_int_not_equal(coap_get_data(request, &len_bytes, &data), 0);
        take_whole(peer, data, len_bytes);
        answer(peer, session, request, response);
    } else if (take_part(peer, request, &block, response)) {
        answer(peer, session, request, response);
    }
}

static void on_head(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                    const coap_string_t *query, coap_pdu_t *response)
{
    struct net_peer *peer = coap_resource_get_userdata(resource);
    peer->n_heads++;
    (void)snprintf(peer->query, sizeof peer->query, "%.*s", query == NULL ? 0 : (int)query->length,
                   query == NULL ? "" : (const char *)query->s);
    answer(peer, session, request, response);
}

static uint16_t listen_on(coap_context_t *context, coap_proto_t proto)
{
    coap_address_t address;
    coap_address_init(&address);
    address.addr.sin.sin_family = AF_INET;
    address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.size = sizeof address.addr.sin;
    coap_endpoint_t *endpoint = coap_new_endpoint(context, &address, proto);
    assert_non_null(endpoint);
    char text[80];
    (void)snprintf(text, sizeof text, "%s", coap_endpoint_str(endpoint));
    const char *colon = strchr(text, ':');
    assert_non_null(colon);
    return (uint16_t)strtoul(colon + 1, NULL, 10);
}

static void add_resource(struct net_peer *peer, const char *path, coap_request_t method,
                         coap_method_handler_t handler)
{
    coap_resource_t *resource = coap_resource_init(coap_make_str_const(path), 0);
    coap_register_request_handler(resource, method, handler);
    coap_resource_set_userdata(resource, peer);
    coap_add_resource(peer->context, resource);
}

void net_peer_open(struct net_peer *peer, const char *ca, const char *certificate, const char *key)
{
    memset(peer, 0, sizeof *peer);
    peer->code = COAP_RESPONSE_CODE_CHANGED;
    peer->context = coap_new_context(NULL);
    assert_non_null(peer->context);
    coap_dtls_pki_t pki = {
        .version = COAP_DTLS_PKI_SETUP_VERSION,
        .verify_peer_cert = 1,
        .check_common_ca = 1,
        .pki_key = {.key_type = COAP_PKI_KEY_PEM,
                    .key.pem = {.ca_file = ca, .public_cert = certificate, .private_key = key}},
    };
    assert_int_not_equal(coap_context_set_pki(peer->context, &pki), 0);
    peer->dtls_port = listen_on(peer->context, COAP_PROTO_DTLS);
    peer->tls_port = listen_on(peer->context, COAP_PROTO_TLS);
    add_resource(peer, "b", COAP_REQUEST_POST, on_post);
    add_resource(peer, "h", COAP_REQUEST_GET, on_head);
}

void net_peer_turn(struct net_peer *peer)
{
    if (peer->context != NULL) {
        (void)coap_io_process(peer->context, COAP_IO_NO_WAIT);
    }
}

void net_peer_close(struct net_peer *peer)
{
    if (peer->context != NULL) {
        coap_free_context(peer->context);
        peer->context = NULL;
    }
}
