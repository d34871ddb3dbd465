/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/transport_store.h"

#include "proto/base/assert.h"
#include "proto/base/failpoint.h"
#include "proto/base/wipe.h"

#include <string.h>

enum {
    SILENT_MAX = 3,
    FIRST_PAUSE_MS = 60 * 1000,
    MAX_DOUBLINGS = 6,
    REFUSALS_MAX = 6,
    MAX_PAUSE_MS = 60 * 60 * 1000,
    SHARE_OF_LIFE = 3,
};

static const struct hr_bytes none = {NULL, 0};

static const struct image_identity *image_of(const struct app_transport *transport)
{
    return &transport->config.store->image;
}

static bool has_next(const struct app_transport *transport)
{
    return image_of(transport)->next_transport_key.len_bytes > 0;
}

static bool is_certified(const struct app_transport *transport)
{
    return has_next(transport) && image_of(transport)->next_certificate.len_bytes > 0;
}

static bool may_use_next(const struct app_transport *transport)
{
    return is_certified(transport) && port_uptime_ms(transport->config.clock) >= transport->not_next_until_ms;
}

const char *app_transport_phase_name(const struct app_transport *transport)
{
    return is_certified(transport) ? "certified" : has_next(transport) ? "waiting" : "current";
}

/* ---- the store ---- */

/* Whoever asks for another key while the next one is refused for good gets another next one. */
static bool is_stuck(const struct app_transport *transport)
{
    return is_certified(transport) && transport->n_refusals >= REFUSALS_MAX;
}

/* A failed writing leaves it undecided until it was read again. */
static struct hr_status read_again(const struct app_transport *transport)
{
    struct fw_identity_store *store = transport->config.store;
    if (store->is_known) {
        return hr_ok();
    }
    if (!hr_is_ok(fw_identity_store_open(store, store->memory, store->page)) ||
        !hr_is_ok(fw_identity_store_settle(store))) {
        store->is_known = false;
        return hr_status_of(HR_IO);
    }
    return hr_ok();
}

/* HR_IO: the identity is the old one, or it is not known; store->is_known tells. */
static struct hr_status replace(const struct app_transport *transport, const struct image_identity *image)
{
    struct hr_status status = fw_identity_store_replace(transport->config.store, image);
    HR_TRY(read_again(transport));
    return status;
}

/* ---- what a session is opened with ---- */

static void read_facts(struct app_transport *transport)
{
    const struct image_identity *image = image_of(transport);
    struct hr_bytes used = may_use_next(transport) ? image->next_certificate : image->certificate;
    if (!hr_is_ok(crypto_certificate_read(used, &transport->facts))) {
        memset(&transport->facts, 0, sizeof transport->facts);
    }
}

struct hr_status app_transport_choose(struct app_transport *transport, struct hr_bytes *certificate,
                                      struct hr_bytes *key)
{
    HR_TRY(read_again(transport));
    const struct image_identity *image = image_of(transport);
    const bool uses_next = transport->uses_next = may_use_next(transport);
    transport->is_up = false; /* nobody tells of the end of a session that was closed here */
    *certificate = uses_next ? image->next_certificate : image->certificate;
    *key = uses_next ? image->next_transport_key : image->transport_key;
    return hr_ok();
}

/* A session was opened with the next key: it is the key from here on. */
static void promote(struct app_transport *transport)
{
    if (!hr_is_ok(read_again(transport)) || !is_certified(transport)) {
        return;
    }
    struct image_identity image = *image_of(transport);
    image.transport_key = image.next_transport_key;
    image.certificate = image.next_certificate;
    image.next_transport_key = none;
    image.next_certificate = none;
    HR_FAILPOINT("transport_key_used");
    struct hr_status status = replace(transport, &image);
    HR_FAILPOINT("transport_key_promoted");
    if (!hr_is_ok(status)) {
        /* It is used as it is, and is the next one again at the next start. */
        PORT_LOG(transport->config.log, PORT_LOG_ERROR, "transport_key_not_kept",
                 {"status", hr_code_name(status.code), 0});
        return;
    }
    transport->uses_next = false;
    read_facts(transport);
    PORT_LOG(transport->config.log, PORT_LOG_INFO, "transport_key_changed",
             {"certificate_ends_s", NULL, (int64_t)transport->facts.ends_s});
}

static void fall_back(struct app_transport *transport, const char *why)
{
    uint64_t pause_ms = (uint64_t)FIRST_PAUSE_MS << transport->n_fallbacks;
    if (transport->n_fallbacks < MAX_DOUBLINGS) {
        transport->n_fallbacks++;
    }
    pause_ms = pause_ms < MAX_PAUSE_MS ? pause_ms : MAX_PAUSE_MS;
    transport->n_silent = 0;
    transport->not_next_until_ms = port_uptime_ms(transport->config.clock) + pause_ms;
    read_facts(transport);
    PORT_LOG(transport->config.log, PORT_LOG_WARN, "transport_key_refused", {"why", why, 0},
             {"text", "the one before it is used", 0}, {"again_in_s", NULL, (int64_t)(pause_ms / 1000)});
}

static void on_up(void *ctx)
{
    struct app_transport *transport = ctx;
    transport->is_up = true;
    transport->n_silent = 0;
    if (transport->uses_next) {
        promote(transport);
    }
    transport->events.up(transport->events.ctx);
}

static void on_down(void *ctx, enum port_net_down reason)
{
    struct app_transport *transport = ctx;
    if (transport->uses_next && !transport->is_up) {
        if (reason == PORT_NET_DOWN_REFUSED) {
            transport->n_refusals =
                (uint8_t)(transport->n_refusals < REFUSALS_MAX ? transport->n_refusals + 1 : REFUSALS_MAX);
            fall_back(transport, "refused");
        } else if (++transport->n_silent >= SILENT_MAX) {
            fall_back(transport, "no answer");
        }
    }
    transport->is_up = false;
    transport->uses_next = false;
    transport->events.down(transport->events.ctx, reason);
}

static void on_answer(void *ctx, uint32_t token, uint8_t coap_code, struct hr_bytes payload,
                      uint32_t max_age_s)
{
    const struct app_transport *transport = ctx;
    transport->events.answer(transport->events.ctx, token, coap_code, payload, max_age_s);
}

static void on_timeout(void *ctx, uint32_t token)
{
    const struct app_transport *transport = ctx;
    transport->events.timeout(transport->events.ctx, token);
}

struct port_net_events app_transport_watch(struct app_transport *transport, struct port_net_events events)
{
    transport->events = events;
    return (struct port_net_events){on_up, on_down, on_answer, on_timeout, transport};
}

/* ---- the next key ---- */

static bool is_old(const struct app_transport *transport, uint64_t utc_ms)
{
    const struct crypto_certificate_facts *facts = &transport->facts;
    const uint64_t life_s = facts->ends_s > facts->begins_s ? facts->ends_s - facts->begins_s : 0;
    const uint64_t before_s = transport->config.before_ms / 1000;
    const uint64_t last_s = life_s / SHARE_OF_LIFE < before_s ? life_s / SHARE_OF_LIFE : before_s;
    return facts->ends_s != 0 && utc_ms / 1000 + last_s >= facts->ends_s;
}

/* A key that waits for its certificate was wanted by somebody, who may have been answered since. */
static bool is_due(void *ctx, uint64_t utc_ms, bool is_hinted)
{
    const struct app_transport *transport = ctx;
    const struct app_transport_asked *asked = &transport->config.asked;
    const bool is_wanted = is_hinted || asked->is_asked(asked->ctx);
    if (!transport->config.store->is_known) {
        return false;
    }
    if (is_certified(transport)) {
        return is_wanted && is_stuck(transport);
    }
    return is_wanted || has_next(transport) || is_old(transport, utc_ms);
}

static bool is_other_due(void *ctx)
{
    const struct app_transport *transport = ctx;
    return transport->is_up && !transport->uses_next && transport->config.store->is_known &&
           may_use_next(transport);
}

static struct hr_status make_key(const struct app_transport *transport)
{
    struct image_identity image = *image_of(transport);
    uint8_t der[CRYPTO_KEY_BYTES];
    HR_TRY(crypto_key_new(der));
    image.next_transport_key = hr_bytes_of(der, sizeof der);
    image.next_certificate = none;
    struct hr_status status = replace(transport, &image);
    HR_FAILPOINT("transport_key_made");
    hr_wipe(der, sizeof der);
    return status;
}

/* Loads the next key for as long as it is needed: there is one slot for it. */
static struct hr_status load_next(const struct app_transport *transport, struct crypto_signer *signer)
{
    return crypto_signer_load(signer, image_of(transport)->next_transport_key, 1);
}

/* The request stands behind what was signed of it. */
static struct hr_status make_request(const struct app_transport *transport, struct hr_bytes *out)
{
    struct crypto_signer signer;
    char name[CRYPTO_DEVICE_NAME_CHARS + 1];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    uint8_t *info = transport->config.room;
    uint8_t *request = transport->config.room + FW_CSR_MAX_BYTES;
    HR_TRY(load_next(transport, &signer));
    crypto_device_name(image_of(transport)->device_id, name);
    const struct hr_bytes message = hr_bytes_of(info, fw_csr_info(name, signer.spki, info));
    struct hr_status status = signer.port.sign(signer.port.ctx, message, signature);
    crypto_signer_unload(&signer);
    HR_TRY(status);
    *out = hr_bytes_of(request, fw_csr_make(message, signature, request));
    return hr_ok();
}

static struct hr_status request(void *ctx, struct hr_bytes *out)
{
    const struct app_transport *transport = ctx;
    HR_TRY(read_again(transport));
    if (has_next(transport) && !is_certified(transport)) {
        return make_request(transport, out);
    }
    HR_TRY(make_key(transport));
    return hr_status_of(HR_AGAIN); /* a board's loop has other things to do in between */
}

/* HR_MALFORMED: it is no certificate of the next key and this device. */
static struct hr_status check(const struct app_transport *transport, struct hr_bytes certificate)
{
    struct crypto_signer signer;
    char name[CRYPTO_DEVICE_NAME_CHARS + 1];
    if (!has_next(transport) || is_certified(transport) ||
        certificate.len_bytes > IMAGE_CERTIFICATE_MAX_BYTES) {
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(load_next(transport, &signer));
    struct hr_status status = crypto_certificate_is_of(certificate, signer.spki);
    crypto_signer_unload(&signer);
    crypto_device_name(image_of(transport)->device_id, name);
    if (!hr_is_ok(status) || !hr_is_ok(crypto_certificate_names(certificate, name))) {
        return hr_status_of(HR_MALFORMED);
    }
    return hr_ok();
}

static struct hr_status take_certificate(void *ctx, struct hr_bytes certificate)
{
    struct app_transport *transport = ctx;
    HR_TRY(read_again(transport));
    HR_TRY(check(transport, certificate));
    struct image_identity image = *image_of(transport);
    image.next_certificate = certificate;
    HR_TRY(replace(transport, &image));
    HR_FAILPOINT("transport_key_certified");
    transport->n_silent = transport->n_fallbacks = transport->n_refusals = 0;
    transport->not_next_until_ms = 0;
    read_facts(transport);
    transport->config.asked.done(transport->config.asked.ctx);
    return hr_ok();
}

void app_transport_open(struct app_transport *transport, const struct app_transport_config *config)
{
    HR_ASSERT(config->store->is_known);
    *transport = (struct app_transport){.config = *config};
    transport->port = (struct fw_renew){is_due, is_other_due, request, take_certificate, transport};
    read_facts(transport);
    if (is_certified(transport)) {
        config->asked.done(config->asked.ctx); /* who asked was answered before a cut */
    }
}
