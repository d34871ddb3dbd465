/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/console.h"
#include "firmware/app/device_parts.h"
#include "firmware/app/trust_store.h"
#include "firmware/ports/cortex_m/netif.h"

#include <string.h>

enum {
    OPEN_TIMEOUT_MS = 60 * 1000, /* a handshake is seconds of work on these cores */
    EXCHANGE_TIMEOUT_MS = 95 * 1000,
    SILENCE_MS = 5000,
    ACK_TIMEOUT_MS = 2000,
    MAX_RETRANSMIT = 4,
};

/* As long before its end a certificate is renewed, and in its last third where that is shorter. */
static const uint64_t RENEW_BEFORE_MS = UINT64_C(60) * 24 * 60 * 60 * 1000;

static struct hr_status no_open(void *ctx, uint8_t index)
{
    (void)ctx;
    (void)index;
    return hr_status_of(HR_IO);
}

static void no_close(void *ctx)
{
    (void)ctx;
}

static struct hr_status no_post(void *ctx, uint32_t token, struct hr_bytes envelope)
{
    (void)ctx;
    (void)token;
    (void)envelope;
    return hr_status_of(HR_IO);
}

static struct hr_status no_head(void *ctx, uint32_t token, uint32_t stream)
{
    (void)ctx;
    (void)token;
    (void)stream;
    return hr_status_of(HR_IO);
}

/* A board whose Ethernet controller is silent collects all the same. */
const struct port_net app_no_network = {.n_addresses = 1,
                                        .window = 1,
                                        .open = no_open,
                                        .close = no_close,
                                        .post_batch = no_post,
                                        .get_head = no_head};

void app_network_start(struct app_device *device)
{
    const struct image_identity *image = &device->identity.store.image;
    struct port_netif_config config = {
        .dhcp = !image->has_ipv4, .random = crypto_random(), .log = app_console_log()};
    memcpy(config.mac, image->mac, sizeof config.mac);
    memcpy(config.ipv4, image->ipv4.address, sizeof config.ipv4);
    memcpy(config.ipv4_mask, image->ipv4.mask, sizeof config.ipv4_mask);
    memcpy(config.ipv4_gateway, image->ipv4.gateway, sizeof config.ipv4_gateway);
    memcpy(config.ipv4_dns, image->ipv4.dns, sizeof config.ipv4_dns);
    memcpy(config.ipv6, image->ipv6.address, sizeof config.ipv6);
    device->has_network = hr_is_ok(port_netif_start(&config));
    device->network.at_ms = 0;
    if (!device->has_network) {
        app_retry_plan(&device->network);
        PORT_LOG(app_console_log(), PORT_LOG_ERROR, "ethernet_silent", {"effect", "the spool fills", 0});
    }
}

static bool is_renewal_asked(void *ctx)
{
    const struct app_device *device = ctx;
    return device->renewal_is_asked;
}

static void renewal_is_done(void *ctx)
{
    struct app_device *device = ctx;
    device->renewal_is_asked = false;
}

void app_network_open_transport(struct app_device *device)
{
    const struct app_transport_config config = {.store = &device->identity.store,
                                                .clock = &app_device_clock,
                                                .log = app_console_log(),
                                                .room = device->envelope,
                                                .asked = {is_renewal_asked, renewal_is_done, device},
                                                .before_ms = RENEW_BEFORE_MS};
    app_transport_open(&device->transport, &config);
}

static struct hr_status choose(void *ctx, struct net_credentials *out, const char **server_name)
{
    struct app_device *device = ctx;
    struct hr_bytes certificate;
    struct hr_bytes key;
    HR_TRY(app_transport_choose(&device->transport, &certificate, &key));
    *out = (struct net_credentials){.kind = NET_CREDENTIALS_MEMORY,
                                    .of.memory = {app_trust_store_ca(), certificate, key}};
    *server_name = app_trust_store_server_name();
    return hr_ok();
}

void app_network_start_client(struct app_device *device)
{
    const struct image_identity *image = &device->identity.store.image;
    const struct net_config config = {
        .addresses = device->identity.addresses,
        .n_addresses = image->n_aggregators,
        .window = NET_MAX_WINDOW,
        .choose = choose,
        .choose_ctx = device,
        .long_answer = (uint8_t *)&device->stats,
        .long_answer_bytes = sizeof device->stats,
        .open_timeout_ms = OPEN_TIMEOUT_MS,
        .exchange_timeout_ms = EXCHANGE_TIMEOUT_MS,
        .silence_ms = SILENCE_MS,
        .ack_timeout_ms = ACK_TIMEOUT_MS,
        .max_retransmit = MAX_RETRANSMIT,
        .clock = &app_device_clock,
        .log = app_console_log(),
        .resolve = port_netif_resolve(),
    };
    const struct port_net_events events =
        app_transport_watch(&device->transport, fw_collector_net_events(&device->collector));
    net_client_init(&device->net, &config, &events);
    device->uplink = device->net.port;
    device->net_runs = true;
}
