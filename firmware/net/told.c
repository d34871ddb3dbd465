/* SPDX-License-Identifier: Apache-2.0
 *
 * What libcoap told, kept until it has returned. */
#include "firmware/net/session.h"

#include <stdio.h>
#include <string.h>

void net_client_complain(struct net_client *client, const char *text)
{
    if (client->reason[0] == '\0') {
        (void)snprintf(client->reason, sizeof client->reason, "%s", text);
    }
}

static struct net_exchange *waiting_exchange(struct net_client *client, uint32_t token)
{
    for (size_t i = 0; i < NET_MAX_EXCHANGES; i++) {
        if (client->exchanges[i].state == NET_WAITING && client->exchanges[i].token == token) {
            return &client->exchanges[i];
        }
    }
    return NULL;
}

void net_client_heard(struct net_client *client)
{
    client->heard_ms = net_now_ms(client);
    client->pinged_ms = 0;
}

static bool has_long_answer(const struct net_client *client)
{
    for (size_t i = 0; i < NET_MAX_EXCHANGES; i++) {
        if (client->exchanges[i].state == NET_ANSWERED && client->exchanges[i].is_long) {
            return true;
        }
    }
    return false;
}

void net_client_answered(struct net_client *client, uint32_t token, uint8_t coap_code,
                         struct hr_bytes payload, uint32_t max_age_s)
{
    net_client_heard(client);
    struct net_exchange *exchange = waiting_exchange(client, token);
    if (exchange == NULL) {
        return;
    }
    const bool is_long = payload.len_bytes > sizeof exchange->answer && client->config.long_answer != NULL;
    if (is_long && has_long_answer(client)) {
        exchange->state = NET_GAVE_UP; /* another one stands in the room: as good as lost on the way */
        return;
    }
    const size_t room_bytes = is_long ? client->config.long_answer_bytes : sizeof exchange->answer;
    exchange->state = NET_ANSWERED;
    exchange->coap_code = coap_code;
    exchange->max_age_s = max_age_s;
    exchange->is_long = is_long;
    exchange->answer_len_bytes = payload.len_bytes < room_bytes ? payload.len_bytes : room_bytes;
    if (exchange->answer_len_bytes != 0) {
        memcpy(is_long ? client->config.long_answer : exchange->answer, payload.data,
               exchange->answer_len_bytes);
    }
}

void net_client_progressed(struct net_client *client)
{
    for (size_t i = 0; i < NET_MAX_EXCHANGES; i++) {
        if (client->exchanges[i].state == NET_WAITING && client->exchanges[i].is_post) {
            client->exchanges[i].deadline_ms = net_now_ms(client) + client->config.exchange_timeout_ms;
        }
    }
}

void net_client_gave_up(struct net_client *client, uint32_t token)
{
    struct net_exchange *exchange = waiting_exchange(client, token);
    if (exchange != NULL) {
        exchange->state = NET_GAVE_UP;
    }
}

void net_client_went_down(struct net_client *client, bool handshake_refused)
{
    if (client->state == NET_CLOSED || client->down_is_due) {
        return;
    }
    client->handshake_refused |= handshake_refused;
    client->down_is_due = true;
}
