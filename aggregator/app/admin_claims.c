/* SPDX-License-Identifier: Apache-2.0
 *
 * The provisioning ceremony over the admin API (aggregator/core/enrol.h):
 *
 *     POST /claims                       serial, name; site, tenant, device_id: hardware becomes a device
 *     POST /replacements                 serial, device_id; key: other hardware in a device's place
 *     GET  /claims/SERIAL                how far it is
 *     POST /certificates                 serial, key, certificate, firmware, proof
 *     POST /record-keys                  serial, epoch, key, signature, proof
 *
 * Each answers with the claim as it then is; said again, with the same. */
#include "aggregator/app/admin.h"

#include "aggregator/app/app.h"
#include "aggregator/app/claim_body.h"
#include "aggregator/app/log.h"
#include "aggregator/app/reply.h"
#include "aggregator/config/registry_entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { ENROLLING_WAIT_MS = 5000 };

static const struct route {
    const char *path;
    enum agg_enrolling_kind kind;
    unsigned needed;
    enum http_role role;
} routes[] = {
    {"/claims", AGG_CLAIM, APP_CLAIM_SERIAL | APP_CLAIM_NAME, HTTP_ROLE_OPERATOR},
    {"/replacements", AGG_REPLACE, APP_CLAIM_SERIAL | APP_CLAIM_DEVICE, HTTP_ROLE_ADMIN},
    {"/certificates", AGG_CERTIFY,
     APP_CLAIM_SERIAL | APP_CLAIM_KEY | APP_CLAIM_CERTIFICATE | APP_CLAIM_FIRMWARE | APP_CLAIM_PROOF,
     HTTP_ROLE_OPERATOR},
    {"/record-keys", AGG_RECORD_KEY,
     APP_CLAIM_SERIAL | APP_CLAIM_EPOCH | APP_CLAIM_KEY | APP_CLAIM_SIGNATURE | APP_CLAIM_PROOF,
     HTTP_ROLE_OPERATOR},
};

static void add_bytes(struct app_reply *text, const char *key, const uint8_t *bytes, size_t len_bytes)
{
    (void)app_reply_add(text, ",\"%s\":\"", key);
    for (size_t i = 0; i < len_bytes; i++) {
        (void)app_reply_add(text, "%02x", bytes[i]);
    }
    (void)app_reply_add(text, "\"");
}

static void add_text(struct app_reply *text, const char *key, const char *value)
{
    (void)app_reply_add(text, ",\"%s\":", key);
    app_reply_quoted(text, value);
}

static bool answer(const struct agg_enrolled *enrolled, bool dry_run, struct http_reply *reply)
{
    const struct ledger_enrolment *row = &enrolled->enrolment;
    struct app_reply text = {.reply = reply};
    (void)app_reply_add(&text, "{\"device_id\":%" PRIu64, row->device_id);
    add_text(&text, "serial", row->serial);
    add_text(&text, "name", enrolled->name);
    add_text(&text, "site", row->site);
    add_text(&text, "state", config_registry_state_name(enrolled->state));
    (void)app_reply_add(&text, ",\"revision\":%" PRIu32 ",\"epoch\":%u,\"first_stream\":%" PRIu32,
                        enrolled->revision, (unsigned)row->epoch, row->first_stream);
    add_bytes(&text, "nonce", row->nonce, sizeof row->nonce);
    add_bytes(&text, "key", row->spki, row->spki_len_bytes);
    add_bytes(&text, "certificate", row->certificate, row->certificate_len_bytes);
    (void)app_reply_add(&text, ",\"changed\":%s,\"dry_run\":%s}\n", enrolled->is_new ? "true" : "false",
                        dry_run ? "true" : "false");
    reply->status = APP_OK;
    return true;
}

static bool refuse(struct hr_status status, const struct agg_enrolled *enrolled, struct http_reply *reply)
{
    switch (status.code) {
    case HR_NOT_FOUND:
        return app_reply_error(reply, APP_NOT_FOUND, "nobody claimed that: say headrace device claim first");
    case HR_DENIED:
        return app_reply_error(reply, APP_CONFLICT, enrolled->why);
    case HR_FULL:
        return app_reply_error(reply, APP_UNAVAILABLE, "there is no room for it; nothing was changed");
    case HR_CLOSED:
        return app_reply_error(reply, APP_UNAVAILABLE, "the aggregator is ending; nothing was changed");
    case HR_IO:
        return app_reply_error(reply, APP_UNAVAILABLE, "no answer yet; it may still be made: say it again");
    case HR_OK:
    case HR_AGAIN:
    case HR_MALFORMED:
    case HR_CORRUPT:
        break;
    }
    return app_reply_error(reply, APP_UNAVAILABLE, "the ledger can't be written now; nothing was changed");
}

/* The hardware's transport key comes under `key`, as a record key does. */
static void place_key(const struct app_claim_text *given, struct agg_enrolling *request)
{
    if (request->kind != AGG_RECORD_KEY && (given->has & APP_CLAIM_KEY) != 0) {
        memcpy(request->wanted.spki, request->record_spki, sizeof request->wanted.spki);
        request->wanted.spki_len_bytes = LEDGER_SPKI_MAX_BYTES;
    }
}

static bool post(struct app *app, const struct route *route, const struct http_request *request,
                 struct http_reply *reply)
{
    static struct app_claim_text given; /* one http thread */
    static struct agg_enrolled enrolled;
    char why[APP_DECISION_WHY_CHARS];
    if (!hr_is_ok(app_claim_parse(request->body, route->needed, &given, why))) {
        return app_reply_error(reply, APP_BAD, why);
    }
    if (request->peer.role < route->role) {
        return app_reply_error(reply, APP_FORBIDDEN,
                               route->role == HTTP_ROLE_ADMIN
                                   ? "a certificate with the role admin may do that"
                                   : "a certificate with the role operator or admin may do that");
    }
    struct agg_enrolling *wanted = &given.enrolling;
    const bool is_certified = request->peer.name[0] != '\0';
    const char *name = is_certified ? request->peer.name : given.operator_name;
    (void)snprintf(wanted->actor, sizeof wanted->actor, "%s%s%s", is_certified ? "operator" : "local",
                   name[0] != '\0' ? ":" : "", name);
    wanted->kind = route->kind;
    place_key(&given, wanted);
    if (wanted->tenant[0] == '\0') {
        (void)snprintf(wanted->tenant, sizeof wanted->tenant, "default");
    }
    if (getrandom(wanted->wanted.nonce, sizeof wanted->wanted.nonce, 0) !=
        (ssize_t)sizeof wanted->wanted.nonce) {
        return app_reply_error(reply, APP_UNAVAILABLE, "there are no random numbers now");
    }
    struct hr_status status = app_enrolling_ask(&app->inbox, wanted, ENROLLING_WAIT_MS, &enrolled);
    if (!hr_is_ok(status)) {
        return refuse(status, &enrolled, reply);
    }
    if (wanted->dry_run && enrolled.is_new && enrolled.name[0] == '\0') {
        (void)snprintf(enrolled.name, sizeof enrolled.name, "%s", wanted->name);
    }
    if (enrolled.is_new && !wanted->dry_run) {
        APP_LOG(APP_INFO, "device_enrolling", app_number("device_id", enrolled.enrolment.device_id),
                app_text("serial", enrolled.enrolment.serial), app_text("actor", wanted->actor),
                app_text("step", route->path + 1),
                app_text("state", config_registry_state_name(enrolled.state)));
    }
    return answer(&enrolled, wanted->dry_run, reply);
}

static void find_device(void *ctx, const struct ledger_device *device)
{
    *(struct ledger_device *)ctx = *device;
}

static bool get(struct app *app, const char *serial, struct http_reply *reply)
{
    struct agg_enrolled enrolled = {.is_new = false};
    struct ledger_device device = {.device_id = 0};
    const struct ledger *ledger = &app->ledger;
    struct hr_status status = ledger->find_enrolment(ledger->ctx, serial, 0, &enrolled.enrolment);
    if (hr_is_ok(status)) {
        const struct ledger_page page = {enrolled.enrolment.device_id - 1, 1};
        status = ledger->list_devices(ledger->ctx, &page, find_device, &device);
    }
    if (!hr_is_ok(status) || device.device_id != enrolled.enrolment.device_id) {
        return refuse(hr_is_ok(status) ? hr_status_of(HR_AGAIN) : status, &enrolled, reply);
    }
    memcpy(enrolled.name, device.name, sizeof enrolled.name);
    enrolled.state = device.state;
    enrolled.revision = device.revision;
    return answer(&enrolled, false, reply);
}

bool app_admin_claims(struct app *app, const struct http_request *request, struct http_reply *reply)
{
    static const char claims[] = "/claims/";
    const bool is_get = !request->is_post && strncmp(request->path, claims, sizeof claims - 1) == 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(routes) && !is_get; i++) {
        if (request->is_post && strcmp(request->path, routes[i].path) == 0) {
            return request->peer.role == HTTP_ROLE_NONE
                       ? app_reply_error(reply, APP_FORBIDDEN,
                                         "in plain the registry is shown to this machine alone")
                       : post(app, &routes[i], request, reply);
        }
    }
    if (!is_get) {
        return false;
    }
    return request->peer.role == HTTP_ROLE_NONE
               ? app_reply_error(reply, APP_FORBIDDEN, "in plain the registry is shown to this machine alone")
               : get(app, request->path + sizeof claims - 1, reply);
}
