/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/renew.h"

#include "firmware/crypto/key_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PAIR_MAX_BYTES = CRYPTO_KEY_PEM_MAX_BYTES + CRYPTO_CERTIFICATE_PEM_MAX_BYTES };

#define NEXT_KEY "next.key"
#define NEXT     "next.pem"
#define CURRENT  "current.pem"
#define ASKED    "renew"

static const uint32_t NOT_NEXT_MS = 60 * 60 * 1000;

static void path_of(const struct app_renew *renew, const char *name, char out[APP_RENEW_PATH_CHARS])
{
    (void)snprintf(out, APP_RENEW_PATH_CHARS, "%s/%s", renew->config->renewal_folder, name);
}

/* ---- what a session is opened with ---- */

static void use(struct app_renew *renew, enum app_renew_use which, const char *certificate, const char *key)
{
    renew->use = which;
    (void)snprintf(renew->certificate, sizeof renew->certificate, "%s", certificate);
    (void)snprintf(renew->key, sizeof renew->key, "%s", key);
    if (!hr_is_ok(crypto_certificate_file_read(renew->certificate, &renew->facts))) {
        memset(&renew->facts, 0, sizeof renew->facts);
    }
}

/* True: the file holds a key and its certificate, which are used from now on. */
static bool use_pair(struct app_renew *renew, enum app_renew_use which, const char *name)
{
    char path[APP_RENEW_PATH_CHARS];
    struct crypto_fault fault;
    path_of(renew, name, path);
    if (access(path, F_OK) != 0) {
        return false;
    }
    if (!hr_is_ok(crypto_certificates_check(path, &fault)) ||
        !hr_is_ok(crypto_key_pair_check(path, path, &fault))) {
        PORT_LOG(renew->log, PORT_LOG_ERROR, "transport_key_unusable", {"reason", fault.text, 0});
        if (which == APP_RENEW_NEXT) {
            (void)unlink(path); /* nothing can be done with it, and it would stand in the way of another */
        }
        return false;
    }
    use(renew, which, path, path);
    return true;
}

static void choose(struct app_renew *renew)
{
    bool may_be_next = port_uptime_ms(renew->clock) >= renew->not_next_until_ms;
    if ((may_be_next && use_pair(renew, APP_RENEW_NEXT, NEXT)) ||
        use_pair(renew, APP_RENEW_CURRENT, CURRENT)) {
        return;
    }
    use(renew, APP_RENEW_CONFIGURED, renew->config->identity.certificate, renew->config->identity.key);
}

/* A key that has its certificate waits no more, and who asked for it has got it. */
static void tidy(const struct app_renew *renew)
{
    char path[APP_RENEW_PATH_CHARS];
    path_of(renew, NEXT_KEY, path);
    (void)unlink(path);
    path_of(renew, ASKED, path);
    (void)unlink(path);
    (void)app_keep_sync(renew->config->renewal_folder);
}

/* next.pem has opened a session: it is the current one from here on. */
static void confirm(struct app_renew *renew)
{
    char next[APP_RENEW_PATH_CHARS];
    char current[APP_RENEW_PATH_CHARS];
    path_of(renew, NEXT, next);
    path_of(renew, CURRENT, current);
    if (rename(next, current) != 0 || !app_keep_sync(renew->config->renewal_folder)) {
        PORT_LOG(renew->log, PORT_LOG_ERROR, "transport_key_not_kept", {"reason", strerror(errno), 0});
        return; /* it is used as it is, and is the next one again at the next start */
    }
    use(renew, APP_RENEW_CURRENT, current, current);
    PORT_LOG(renew->log, PORT_LOG_INFO, "transport_key_changed",
             {"certificate_ends_s", NULL, (int64_t)renew->facts.ends_s});
}

static void on_up(void *ctx)
{
    struct app_renew *renew = ctx;
    if (renew->use == APP_RENEW_NEXT) {
        confirm(renew);
    }
    renew->events.up(renew->events.ctx);
}

static void on_down(void *ctx, enum port_net_down reason)
{
    struct app_renew *renew = ctx;
    if (renew->use == APP_RENEW_NEXT && reason == PORT_NET_DOWN_REFUSED) {
        renew->not_next_until_ms = port_uptime_ms(renew->clock) + NOT_NEXT_MS;
        PORT_LOG(renew->log, PORT_LOG_WARN, "transport_key_refused",
                 {"text", "the one before it is used, and this one tried again in an hour", 0});
    }
    choose(renew);
    renew->events.down(renew->events.ctx, reason);
}

static void on_answer(void *ctx, uint32_t token, uint8_t coap_code, struct hr_bytes payload,
                      uint32_t max_age_s)
{
    const struct app_renew *renew = ctx;
    renew->events.answer(renew->events.ctx, token, coap_code, payload, max_age_s);
}

static void on_timeout(void *ctx, uint32_t token)
{
    const struct app_renew *renew = ctx;
    renew->events.timeout(renew->events.ctx, token);
}

struct port_net_events app_renew_watch(struct app_renew *renew, struct port_net_events events)
{
    renew->events = events;
    return renew->config->renewal_folder[0] == '\0'
               ? events
               : (struct port_net_events){on_up, on_down, on_answer, on_timeout, renew};
}

/* ---- the next key ---- */

static bool is_there(const struct app_renew *renew, const char *name)
{
    char path[APP_RENEW_PATH_CHARS];
    path_of(renew, name, path);
    return access(path, F_OK) == 0;
}

static bool is_due(void *ctx, uint64_t utc_ms, bool is_hinted)
{
    const struct app_renew *renew = ctx;
    if (is_there(renew, NEXT)) {
        return false; /* there is one that was not used yet */
    }
    /* A key that waits for its certificate was wanted by somebody, who may have been answered since. */
    return is_hinted || is_there(renew, ASKED) || is_there(renew, NEXT_KEY) ||
           utc_ms / 1000 + renew->config->renewal_before_ms / 1000 >= renew->facts.ends_s;
}

/* The key that waits for its certificate, as PEM with its NUL: the one that is there, or another. */
static struct hr_status next_key(const struct app_renew *renew, char pem[CRYPTO_KEY_PEM_MAX_BYTES])
{
    char path[APP_RENEW_PATH_CHARS];
    path_of(renew, NEXT_KEY, path);
    FILE *file = fopen(path, "rbe");
    size_t len = file != NULL ? fread(pem, 1, CRYPTO_KEY_PEM_MAX_BYTES - 1, file) : 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    pem[len] = '\0';
    if (len > 0) {
        return hr_ok();
    }
    HR_TRY(crypto_transport_key_make(pem));
    return app_keep_write(renew->config->renewal_folder, NEXT_KEY, hr_bytes_of(pem, strlen(pem)), true);
}

static struct hr_status request(void *ctx, struct hr_bytes *out)
{
    struct app_renew *renew = ctx;
    if (renew->request_len_bytes == 0) {
        char pem[CRYPTO_KEY_PEM_MAX_BYTES];
        char name[CRYPTO_DEVICE_NAME_CHARS + 1];
        crypto_device_name(renew->config->device_id, name);
        struct hr_status status = next_key(renew, pem);
        if (hr_is_ok(status)) {
            status = crypto_request_make(pem, name, renew->request, &renew->request_len_bytes);
        }
        explicit_bzero(pem, sizeof pem);
        HR_TRY(status);
    }
    *out = hr_bytes_of(renew->request, renew->request_len_bytes);
    return hr_ok();
}

/* The pair is kept before what it replaces goes; app_renew_open tidies up behind a cut in between. */
static struct hr_status keep(struct app_renew *renew, const char *key_pem, struct hr_bytes certificate)
{
    char pair[PAIR_MAX_BYTES];
    size_t key_len = strlen(key_pem);
    size_t len = 0;
    (void)snprintf(pair, sizeof pair, "%s", key_pem);
    struct hr_status status =
        crypto_certificate_pem(certificate, pair + key_len, sizeof pair - key_len, &len);
    if (hr_is_ok(status)) {
        status = app_keep_write(renew->config->renewal_folder, NEXT, hr_bytes_of(pair, key_len + len), true);
    }
    explicit_bzero(pair, sizeof pair);
    HR_TRY(status);
    tidy(renew);
    return hr_ok();
}

static bool is_ours(const struct app_renew *renew, struct hr_bytes certificate, const char *key_pem)
{
    char name[CRYPTO_DEVICE_NAME_CHARS + 1];
    crypto_device_name(renew->config->device_id, name);
    return crypto_certificate_is_of_pem(certificate, key_pem) &&
           hr_is_ok(crypto_certificate_names(certificate, name));
}

static struct hr_status take_certificate(void *ctx, struct hr_bytes certificate)
{
    struct app_renew *renew = ctx;
    char pem[CRYPTO_KEY_PEM_MAX_BYTES];
    struct hr_status status = next_key(renew, pem);
    if (hr_is_ok(status)) {
        status =
            is_ours(renew, certificate, pem) ? keep(renew, pem, certificate) : hr_status_of(HR_MALFORMED);
    }
    explicit_bzero(pem, sizeof pem);
    HR_TRY(status);
    renew->request_len_bytes = 0; /* of a key that has its certificate now */
    renew->not_next_until_ms = 0;
    choose(renew);
    return hr_ok();
}

void app_renew_open(struct app_renew *renew, const struct app_config *config, const struct port_clock *clock,
                    const struct port_log *log)
{
    renew->port = (struct fw_renew){
        .is_due = is_due, .request = request, .certificate = take_certificate, .ctx = renew};
    renew->config = config;
    renew->clock = clock;
    renew->log = log;
    if (config->renewal_folder[0] == '\0') {
        use(renew, APP_RENEW_CONFIGURED, config->identity.certificate, config->identity.key);
        return;
    }
    choose(renew);
    if (renew->use == APP_RENEW_NEXT) {
        tidy(renew);
    }
}

const struct fw_renew *app_renew_port(const struct app_renew *renew)
{
    return renew->config->renewal_folder[0] == '\0' ? NULL : &renew->port;
}
