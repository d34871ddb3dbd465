/* SPDX-License-Identifier: Apache-2.0
 *
 * An aggregator's outside for boards under test: libcoap over DTLS on loopback, which runs on this machine.
 * It answers POST /b with 29 bytes, and says on stdout which port it has and each post that came.
 *
 *     peer AUTHORITY CERTIFICATE KEY     all in PEM; clients need a certificate of the authority */
#include <arpa/inet.h>
#include <coap3/coap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_BYTES = 29, WAIT_MS = 1000 };

static void on_post(coap_resource_t *resource, coap_session_t *session, const coap_pdu_t *request,
                    const coap_string_t *query, coap_pdu_t *response)
{
    (void)resource;
    (void)session;
    (void)query;
    size_t len_bytes = 0;
    const uint8_t *data = NULL;
    static const uint8_t answer[ANSWER_BYTES] = {1};
    (void)coap_get_data(request, &len_bytes, &data);
    (void)printf("post %zu first %u last %u\n", len_bytes, len_bytes > 0 ? data[0] : 0,
                 len_bytes > 0 ? data[len_bytes - 1] : 0);
    coap_pdu_set_code(response, COAP_RESPONSE_CODE_CHANGED);
    (void)coap_add_data(response, sizeof answer, answer);
}

static void stop(const char *why)
{
    (void)fprintf(stderr, "peer: %s\n", why);
    exit(1);
}

static void listen_on_loopback(coap_context_t *context)
{
    coap_address_t address;
    coap_address_init(&address);
    address.size = sizeof address.addr.sin;
    address.addr.sin.sin_family = AF_INET;
    address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    coap_endpoint_t *endpoint = coap_new_endpoint(context, &address, COAP_PROTO_DTLS);
    if (endpoint == NULL) {
        stop("no port");
    }
    /* The port that the kernel chose is told only in the endpoint's text, "127.0.0.1:PORT ...". */
    const char *colon = strchr(coap_endpoint_str(endpoint), ':');
    (void)printf("port %lu\n", strtoul(colon + 1, NULL, 10));
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        stop("AUTHORITY CERTIFICATE KEY");
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    coap_startup();
    coap_set_log_level(COAP_LOG_WARN);
    coap_context_t *context = coap_new_context(NULL);
    const coap_dtls_pki_t pki = {
        .version = COAP_DTLS_PKI_SETUP_VERSION,
        .verify_peer_cert = 1,
        .check_common_ca = 1,
        .cert_chain_validation = 1,
        .cert_chain_verify_depth = 3,
        .use_cid = 1,
        .pki_key = {.key_type = COAP_PKI_KEY_PEM,
                    .key.pem = {.ca_file = argv[1], .public_cert = argv[2], .private_key = argv[3]}},
    };
    coap_resource_t *resource = coap_resource_init(coap_make_str_const("b"), 0);
    if (context == NULL || resource == NULL || coap_context_set_pki(context, &pki) == 0) {
        stop("no context");
    }
    coap_register_request_handler(resource, COAP_REQUEST_POST, on_post);
    coap_add_resource(context, resource);
    listen_on_loopback(context);
    while (coap_io_process(context, WAIT_MS) >= 0) {
    }
    stop("the sockets failed");
}
