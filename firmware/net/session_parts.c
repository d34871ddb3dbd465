/* SPDX-License-Identifier: Apache-2.0
 *
 * Parts as CoAP messages: non-confirmable POSTs with Block1 and Request-Tag, since retransmitting is the
 * business of parts.c alone. */
#include "firmware/net/session.h"
#include "proto/base/cursor.h"

enum { SZX_1024 = 6, TAG_BYTES = 2 };

static uint64_t now_ms(const struct net_client *client)
{
    return port_uptime_ms(client->config.clock);
}

static bool add_options(coap_pdu_t *pdu, const struct net_parts_out *part)
{
    uint8_t block[4];
    uint8_t tag[TAG_BYTES];
    uint32_t value = part->number << 4 | (part->more ? 1u << 3 : 0u) | SZX_1024;
    unsigned int block_len_bytes = coap_encode_var_safe(block, sizeof block, value);
    struct hr_writer writer = hr_writer_over(tag, sizeof tag);
    hr_write_u16(&writer, part->tag);
    return net_session_add_format(pdu) &&
           coap_add_option(pdu, COAP_OPTION_BLOCK1, block_len_bytes, block) != 0 &&
           coap_add_option(pdu, COAP_OPTION_RTAG, sizeof tag, tag) != 0;
}

static void send_part(struct net_client *client, const struct net_parts_out *part)
{
    coap_pdu_t *pdu = net_session_request(
        client, COAP_MESSAGE_NON, hr_bytes_of(part->token, sizeof part->token), COAP_REQUEST_CODE_POST, "b");
    if (pdu == NULL || !add_options(pdu, part) ||
        coap_add_data(pdu, part->data.len_bytes, part->data.data) == 0) {
        coap_delete_pdu(pdu);
        return; /* as good as lost on the way: it goes again */
    }
    (void)coap_send(client->session, pdu);
}

uint32_t net_session_send_parts(struct net_client *client)
{
    if (!net_session_has_parts(client) || client->state != NET_OPEN || client->down_is_due) {
        return NET_NEVER_MS;
    }
    struct net_parts_out part;
    while (net_parts_next(client->config.parts, now_ms(client), &part)) {
        send_part(client, &part);
    }
    uint64_t now = now_ms(client);
    uint64_t wake_ms = net_parts_wake_ms(client->config.parts);
    uint64_t left_ms = wake_ms > now ? wake_ms - now : 0;
    return left_ms < NET_NEVER_MS ? (uint32_t)left_ms : NET_NEVER_MS;
}

bool net_session_part_answered(struct net_client *client, const coap_pdu_t *answer)
{
    coap_bin_const_t token = coap_pdu_get_token(answer);
    if (!net_session_has_parts(client) || token.length != NET_PARTS_TOKEN_BYTES) {
        return false;
    }
    uint32_t post = 0;
    uint8_t code = (uint8_t)coap_pdu_get_code(answer);
    struct hr_bytes payload = net_session_payload(answer);
    enum net_parts_verdict verdict = net_parts_answered(
        client->config.parts, now_ms(client), hr_bytes_of(token.s, token.length), code, payload, &post);
    net_client_heard(client);
    if (verdict == NET_PARTS_NEWS) {
        net_client_progressed(client);
    } else if (verdict == NET_PARTS_DONE) {
        net_client_answered(client, post, code, payload, net_session_max_age_s(answer));
    }
    return true;
}
