/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/net/client.h"

#include "firmware/net/session.h"
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"

#include <stdio.h>
#include <string.h>

enum { RESOLVE_POLL_MS = 20 };

/* ---- the calls of port_net ---- */

static struct net_exchange *vacant_exchange(struct net_client *client)
{
    for (size_t i = 0; i < NET_MAX_EXCHANGES; i++) {
        if (client->exchanges[i].state == NET_VACANT) {
            return &client->exchanges[i];
        }
    }
    return NULL;
}

static void forget_all(struct net_client *client)
{
    memset(client->exchanges, 0, sizeof client->exchanges);
    client->up_is_due = false;
    client->down_is_due = false;
    client->state = NET_CLOSED;
}

static void close_session(void *ctx)
{
    struct net_client *client = ctx;
    forget_all(client);
    net_session_close(client);
}

static struct hr_status open_session(void *ctx, uint8_t index)
{
    struct net_client *client = ctx;
    HR_ASSERT(index < client->config.n_addresses);
    close_session(client);
    const struct net_address *address = &client->config.addresses[index];
    client->address = index;
    client->reason[0] = '\0';
    client->handshake_refused = false;
    const struct port_resolve *resolve = client->config.resolve;
    HR_TRY(resolve->start(resolve->ctx, address->host));
    client->state = NET_RESOLVING;
    client->deadline_ms = net_now_ms(client) + client->config.open_timeout_ms;
    return hr_ok();
}

static struct hr_status start_exchange(struct net_client *client, uint32_t token, struct net_exchange **out)
{
    if (client->state != NET_OPEN) {
        return hr_status_of(HR_IO);
    }
    struct net_exchange *exchange = vacant_exchange(client);
    if (exchange == NULL) {
        return hr_status_of(HR_AGAIN);
    }
    memset(exchange, 0, sizeof *exchange);
    exchange->token = token;
    exchange->sent_ms = net_now_ms(client);
    exchange->deadline_ms = exchange->sent_ms + client->config.exchange_timeout_ms;
    *out = exchange;
    return hr_ok();
}

static uint32_t posts_in_flight(const struct net_client *client)
{
    uint32_t n_posts = 0;
    for (size_t i = 0; i < NET_MAX_EXCHANGES; i++) {
        n_posts += client->exchanges[i].state != NET_VACANT && client->exchanges[i].is_post;
    }
    return n_posts;
}

static struct hr_status post_batch(void *ctx, uint32_t token, struct hr_bytes envelope)
{
    struct net_client *client = ctx;
    HR_ASSERT(envelope.len_bytes <= NET_BODY_MAX_BYTES);
    struct net_exchange *exchange = NULL;
    HR_TRY(start_exchange(client, token, &exchange));
    if (posts_in_flight(client) >= client->config.window) {
        return hr_status_of(HR_AGAIN);
    }
    HR_TRY(net_session_post(client, token, envelope));
    exchange->is_post = true;
    exchange->state = NET_WAITING;
    return hr_ok();
}

static struct hr_status get_head(void *ctx, uint32_t token, uint32_t stream)
{
    struct net_client *client = ctx;
    struct net_exchange *exchange = NULL;
    HR_TRY(start_exchange(client, token, &exchange));
    HR_TRY(net_session_get_head(client, token, stream));
    exchange->state = NET_WAITING;
    return hr_ok();
}

static struct hr_status get_trust(void *ctx, uint32_t token, uint32_t version, uint32_t offset)
{
    struct net_client *client = ctx;
    struct net_exchange *exchange = NULL;
    HR_TRY(start_exchange(client, token, &exchange));
    HR_TRY(net_session_get_trust(client, token, version, offset));
    exchange->state = NET_WAITING;
    return hr_ok();
}

static struct hr_status post_request(void *ctx, uint32_t token, struct hr_bytes request)
{
    struct net_client *client = ctx;
    struct net_exchange *exchange = NULL;
    HR_TRY(start_exchange(client, token, &exchange));
    HR_TRY(net_session_post_request(client, token, request));
    exchange->state = NET_WAITING;
    return hr_ok();
}

void net_client_init(struct net_client *client, const struct net_config *config,
                     const struct port_net_events *events)
{
    HR_ASSERT(config->n_addresses >= 1 && config->n_addresses <= NET_MAX_ADDRESSES);
    HR_ASSERT(config->window >= 1 && config->window <= NET_MAX_WINDOW);
    memset(client, 0, sizeof *client);
    client->config = *config;
    client->events = *events;
    client->port = (struct port_net){
        .n_addresses = config->n_addresses,
        .window = config->window,
        .open = open_session,
        .close = close_session,
        .post_batch = post_batch,
        .get_head = get_head,
        .get_trust = get_trust,
        .post_request = post_request,
        .ctx = client,
    };
    net_session_start_library(client);
}

/* ---- steps ---- */

static void log_down(struct net_client *client, enum port_net_down reason)
{
    static const char *const names[] = {
        [PORT_NET_DOWN_UNREACHABLE] = "net_unreachable",
        [PORT_NET_DOWN_REFUSED] = "net_handshake_refused",
        [PORT_NET_DOWN_LOST] = "net_session_lost",
    };
    const struct net_address *address = &client->config.addresses[client->address];
    const char *text = client->reason[0] != '\0' ? client->reason : "no answer";
    uint32_t *logged = &client->logged_reasons[client->address];
    uint32_t sum = hr_crc32c(0, text, strlen(text));
    if (reason != PORT_NET_DOWN_LOST && sum == *logged) {
        return;
    }
    *logged = sum;
    PORT_LOG(client->config.log, PORT_LOG_WARN, names[reason], {"host", address->host, 0},
             {"port", NULL, address->port}, {"reason", text, 0});
}

/* What is in flight ends first, then the session. */
static void deliver_down(struct net_client *client)
{
    enum port_net_down reason = PORT_NET_DOWN_UNREACHABLE;
    if (client->state == NET_OPEN) {
        reason = PORT_NET_DOWN_LOST;
    } else if (client->handshake_refused) {
        reason = PORT_NET_DOWN_REFUSED;
    }
    log_down(client, reason);
    close_session(client);
    client->events.down(client->events.ctx, reason);
}

static void connect_resolved(struct net_client *client)
{
    const struct port_resolve *resolve = client->config.resolve;
    const struct net_address *address = &client->config.addresses[client->address];
    struct port_ip results[PORT_RESOLVE_MAX_RESULTS];
    size_t n_results = 0;
    const char *why = "";
    struct hr_status status =
        resolve->poll(resolve->ctx, address->host, results, HR_ARRAY_LEN(results), &n_results, &why);
    if (hr_is(status, HR_AGAIN)) {
        return;
    }
    if (!hr_is_ok(status)) {
        net_client_complain(client, why);
        net_client_went_down(client, false);
        return;
    }
    const struct port_ip *peer = &results[client->tries[client->address]++ % n_results];
    client->state = NET_CONNECTING;
    status = net_session_connect(client, peer, address->port);
    if (!hr_is_ok(status)) {
        net_client_complain(client,
                            "the session could not be set up: certificates, keys or the route to the host");
        net_client_went_down(client, false);
    }
}

/* The oldest request that waits for its answer; NULL: none. */
static const struct net_exchange *oldest_waiting(const struct net_client *client)
{
    const struct net_exchange *oldest = NULL;
    for (size_t i = 0; i < NET_MAX_EXCHANGES; i++) {
        const struct net_exchange *exchange = &client->exchanges[i];
        if (exchange->state == NET_WAITING && (oldest == NULL || exchange->sent_ms < oldest->sent_ms)) {
            oldest = exchange;
        }
    }
    return oldest;
}

/* When the silence is next looked at; UINT64_MAX: nothing is waited for. */
static uint64_t silence_ends_ms(const struct net_client *client)
{
    const struct net_exchange *oldest = oldest_waiting(client);
    if (client->state != NET_OPEN || oldest == NULL) {
        return UINT64_MAX;
    }
    if (client->pinged_ms != 0) {
        return client->pinged_ms + 2 * (uint64_t)client->config.silence_ms;
    }
    uint64_t since_ms = oldest->sent_ms > client->heard_ms ? oldest->sent_ms : client->heard_ms;
    return since_ms + client->config.silence_ms;
}

/* A restarted aggregator knows nothing of a DTLS session and says nothing about its records; CoAP alone would
 * find out after a minute or more of retransmissions. An answer that only takes long (a commit, many blocks
 * over a slow link) is told apart by the pong. */
static void look_at_silence(struct net_client *client)
{
    if (net_now_ms(client) < silence_ends_ms(client)) {
        return;
    }
    if (client->pinged_ms == 0) {
        client->pinged_ms = net_now_ms(client);
        net_session_ping(client);
    } else {
        net_client_complain(client, "the aggregator hears this session no more");
        net_client_went_down(client, false);
    }
}

static void look_at_deadlines(struct net_client *client)
{
    look_at_silence(client);
    uint64_t now = net_now_ms(client);
    if ((client->state == NET_RESOLVING || client->state == NET_CONNECTING) && now >= client->deadline_ms) {
        net_client_complain(client, "no answer in time");
        net_client_went_down(client, false);
    }
    for (size_t i = 0; i < NET_MAX_EXCHANGES; i++) {
        struct net_exchange *exchange = &client->exchanges[i];
        if (exchange->state == NET_WAITING && now >= exchange->deadline_ms) {
            exchange->state = NET_GAVE_UP;
            net_session_forget(client, exchange->token);
        }
    }
}

/* True when there was something. An event may close the session or open another; what it makes vacant is not
 * delivered. */
static bool deliver(struct net_client *client)
{
    bool delivered = client->up_is_due || client->down_is_due;
    if (client->up_is_due) {
        const struct net_address *address = &client->config.addresses[client->address];
        client->up_is_due = false;
        client->logged_reasons[client->address] = 0;
        PORT_LOG(client->config.log, PORT_LOG_INFO, "net_session_open", {"host", address->host, 0},
                 {"port", NULL, address->port});
        client->events.up(client->events.ctx);
    }
    for (size_t i = 0; i < NET_MAX_EXCHANGES; i++) {
        struct net_exchange exchange = client->exchanges[i];
        delivered |= exchange.state == NET_ANSWERED || exchange.state == NET_GAVE_UP;
        if (exchange.state == NET_ANSWERED) {
            client->exchanges[i].state = NET_VACANT;
            const uint8_t *answer = exchange.is_long ? client->config.long_answer : exchange.answer;
            client->events.answer(client->events.ctx, exchange.token, exchange.coap_code,
                                  hr_bytes_of(answer, exchange.answer_len_bytes), exchange.max_age_s);
        } else if (exchange.state == NET_GAVE_UP) {
            client->exchanges[i].state = NET_VACANT;
            client->events.timeout(client->events.ctx, exchange.token);
        }
    }
    if (client->down_is_due) {
        deliver_down(client);
    }
    return delivered;
}

static uint32_t until(uint64_t now, uint64_t moment_ms, uint32_t at_most_ms)
{
    uint64_t left_ms = moment_ms > now ? moment_ms - now : 0;
    return left_ms < at_most_ms ? (uint32_t)left_ms : at_most_ms;
}

uint32_t net_client_step(struct net_client *client)
{
    if (client->state == NET_RESOLVING) {
        connect_resolved(client);
    }
    uint32_t wait_ms = net_session_process(client);
    if (client->state == NET_CONNECTING && net_session_is_established(client)) {
        client->state = NET_OPEN;
        net_client_heard(client);
        client->up_is_due = true;
    }
    look_at_deadlines(client);
    if (deliver(client)) {
        return 0;
    }

    uint64_t now = net_now_ms(client);
    if (client->state == NET_RESOLVING) {
        wait_ms = wait_ms < RESOLVE_POLL_MS ? wait_ms : RESOLVE_POLL_MS;
    }
    if (client->state == NET_RESOLVING || client->state == NET_CONNECTING) {
        wait_ms = until(now, client->deadline_ms, wait_ms);
    }
    wait_ms = until(now, silence_ends_ms(client), wait_ms);
    for (size_t i = 0; i < NET_MAX_EXCHANGES; i++) {
        if (client->exchanges[i].state == NET_WAITING) {
            wait_ms = until(now, client->exchanges[i].deadline_ms, wait_ms);
        }
    }
    return wait_ms;
}

void net_client_end(struct net_client *client)
{
    close_session(client);
    net_session_end_library();
}
