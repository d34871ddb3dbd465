/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry over the admin API. What is shown is what the ledger has committed; what is asked for goes
 * through the core thread like everything that changes a device. */
#include "aggregator/app/admin.h"

#include "aggregator/app/app.h"
#include "aggregator/app/decision.h"
#include "aggregator/app/log.h"
#include "aggregator/app/reply.h"
#include "aggregator/config/registry_entry.h"
#include "aggregator/verify/verify.h"
#include "proto/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A page of the longest rows fits a reply. While a decision is waited for, nobody else is answered, /healthz
 * neither. */
enum { PAGE_ROWS = 64, DECISION_WAIT_MS = 5000, HEX_CHARS = 2 * WIRE_DIGEST_BYTES };

/* ---- rows ---- */

static void add_hex(struct app_reply *text, const char *key, const uint8_t digest[WIRE_DIGEST_BYTES])
{
    static const uint8_t none[WIRE_DIGEST_BYTES];
    char hex[HEX_CHARS + 1] = "";
    for (size_t i = 0; i < WIRE_DIGEST_BYTES && memcmp(digest, none, sizeof none) != 0; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    (void)app_reply_add(text, "\"%s\":\"%s\"", key, hex);
}

static void digest_of(const struct ledger_key *key, uint8_t out[WIRE_DIGEST_BYTES])
{
    const struct hr_bytes spki = hr_bytes_of(key->spki, key->spki_len_bytes);
    wire_sha256(verify_hash(), &spki, 1, out);
}

static const struct ledger_key *newest_key(const struct ledger_device *device)
{
    const struct ledger_key *newest = NULL;
    for (uint32_t i = 0; i < device->n_keys; i++) {
        const struct ledger_key *key = &device->keys[i];
        if (!key->revoked && (newest == NULL || key->epoch > newest->epoch)) {
            newest = key;
        }
    }
    return newest;
}

static void add_text(struct app_reply *text, const char *key, const char *value)
{
    (void)app_reply_add(text, ",\"%s\":", key);
    app_reply_quoted(text, value);
}

static void add_device(struct app_reply *text, const struct ledger_device *device)
{
    uint8_t digest[WIRE_DIGEST_BYTES] = {0};
    const struct ledger_key *key = newest_key(device);
    if (key != NULL) {
        digest_of(key, digest);
    }
    (void)app_reply_add(text, "{\"device_id\":%" PRIu64, device->device_id);
    add_text(text, "name", device->name);
    add_text(text, "tenant", device->tenant);
    add_text(text, "state", config_registry_state_name(device->state));
    (void)app_reply_add(text, ",\"revision\":%" PRIu32, device->revision);
    add_text(text, "reason", device->reason);
    (void)app_reply_add(text, ",\"keys\":%u,\"epoch\":%u,\"wants_key\":%s,\"wants_transport\":%s,",
                        (unsigned)device->n_keys, key != NULL ? (unsigned)key->epoch : 0U,
                        device->wants_key ? "true" : "false",
                        device->wants_transport != LEDGER_TRANSPORT_NOT ? "true" : "false");
    add_hex(text, "key", digest);
    (void)app_reply_add(text, ",\"bundle\":%" PRIu32, device->bundle);
    if (device->cut != LEDGER_CUT_NONE) {
        add_text(text, "cut", device->cut == LEDGER_CUT_OPEN ? "open" : "closed");
        (void)app_reply_add(text, ",\"cut_stream\":%" PRIu32 ",\"cut_seq\":%" PRIu32, device->cut_stream,
                            device->cut_seq);
    }
    (void)app_reply_add(text, "}");
}

static void add_suspect(struct app_reply *text, const struct ledger_suspect *suspect)
{
    (void)app_reply_add(text,
                        ",\"from_stream\":%" PRIu32 ",\"from_seq\":%" PRIu32 ",\"to_stream\":%" PRIu32
                        ",\"to_seq\":%" PRIu32,
                        suspect->from_stream, suspect->from_seq, suspect->to_stream, suspect->to_seq);
}

static void add_key(struct app_reply *text, const struct ledger_key *key)
{
    uint8_t digest[WIRE_DIGEST_BYTES];
    digest_of(key, digest);
    (void)app_reply_add(text, "{\"epoch\":%u,", (unsigned)key->epoch);
    add_hex(text, "key", digest);
    (void)app_reply_add(text, ",\"from_stream\":%" PRIu32 ",\"from_seq\":%" PRIu32, key->from_stream,
                        key->from_seq);
    if (key->to_stream != UINT32_MAX || key->to_seq != UINT32_MAX) {
        (void)app_reply_add(text, ",\"to_stream\":%" PRIu32 ",\"to_seq\":%" PRIu32, key->to_stream,
                            key->to_seq);
    }
    (void)app_reply_add(text, ",\"revoked\":%s}", key->revoked ? "true" : "false");
}

static void add_audit(struct app_reply *text, const struct ledger_audit *row)
{
    (void)app_reply_add(text, "{\"id\":%" PRIu64 ",", row->id);
    app_reply_time(text, "at", row->at_utc_ms);
    (void)app_reply_add(text, ",\"device_id\":%" PRIu64, row->device_id);
    add_text(text, "actor", row->actor);
    add_text(text, "action", row->action);
    add_text(text, "before", row->is_first ? "" : config_registry_state_name(row->old_state));
    add_text(text, "after", config_registry_state_name(row->new_state));
    (void)app_reply_add(text, ",\"revision\":%" PRIu32 ",", row->revision);
    add_hex(text, "old_key", row->old_key);
    (void)app_reply_add(text, ",");
    add_hex(text, "new_key", row->new_key);
    add_text(text, "reason", row->reason);
    if (row->is_suspect) {
        add_suspect(text, &row->suspect);
    }
    (void)app_reply_add(text, ",\"leaf\":%" PRIu64 "}", row->leaf);
}

/* ---- GET ---- */

struct listing {
    struct app_reply text;
    uint32_t n_rows;
    bool has_keys; /* of the one device that is shown */
};

static void next_row(struct listing *listing)
{
    (void)app_reply_add(&listing->text, listing->n_rows++ > 0 ? ",\n" : "\n");
}

static void list_device(void *ctx, const struct ledger_device *device)
{
    struct listing *listing = ctx;
    next_row(listing);
    add_device(&listing->text, device);
    for (uint32_t i = 0; listing->has_keys && i < device->n_keys; i++) {
        (void)app_reply_add(&listing->text, i == 0 ? "],\"record_keys\":[\n" : ",\n");
        add_key(&listing->text, &device->keys[i]);
    }
}

static void list_audit(void *ctx, const struct ledger_audit *row)
{
    next_row(ctx);
    add_audit(&((struct listing *)ctx)->text, row);
}

static bool end_list(struct listing *listing, struct hr_status status, struct http_reply *reply)
{
    if (!hr_is_ok(status)) {
        return app_reply_error(reply, APP_UNAVAILABLE, "the ledger can't be read now");
    }
    (void)app_reply_add(&listing->text, "]}\n");
    reply->status = APP_OK;
    return true;
}

static bool take_state(const char *name, struct ledger_filter *filter)
{
    for (int state = LEDGER_DEVICE_ENROLLED; state <= LEDGER_DEVICE_STATE_LAST && !filter->has_state;
         state++) {
        filter->state = (enum ledger_device_state)state;
        filter->has_state = strcmp(config_registry_state_name(filter->state), name) == 0;
    }
    return filter->has_state;
}

/* ?state=STATE&name=TEXT, each if it is wanted. */
static bool answer_devices(struct app *app, uint64_t after, const struct http_request *request,
                           struct http_reply *reply)
{
    struct listing listing = {.text = {.reply = reply}};
    const struct ledger_page page = {after, PAGE_ROWS};
    const char *state = request->argument(request, "state");
    struct ledger_filter filter = {.name_part = request->argument(request, "name")};
    if (state != NULL && !take_state(state, &filter)) {
        return app_reply_error(reply, APP_BAD, "there is no such state");
    }
    if (filter.name_part != NULL && !hr_text_ok(hr_bytes_of(filter.name_part, strlen(filter.name_part)))) {
        return app_reply_error(reply, APP_BAD, "name is UTF-8 without control characters");
    }
    (void)app_reply_add(&listing.text, "{\"devices\":[");
    return end_list(&listing,
                    app->ledger.find_devices(app->ledger.ctx, &page, &filter, list_device, &listing), reply);
}

static void find_device(void *ctx, const struct ledger_device *device)
{
    *(struct ledger_device *)ctx = *device;
}

static bool answer_device(struct app *app, uint64_t device_id, struct http_reply *reply)
{
    struct ledger_device device = {.device_id = 0};
    const struct ledger_page page = {device_id - 1, 1};
    struct hr_status status = app->ledger.list_devices(app->ledger.ctx, &page, find_device, &device);
    if (hr_is_ok(status) && device.device_id != device_id) {
        return app_reply_error(reply, APP_NOT_FOUND, "there is no such device");
    }
    struct listing listing = {.text = {.reply = reply}, .has_keys = true};
    (void)app_reply_add(&listing.text, "{\"devices\":[");
    list_device(&listing, &device);
    status = hr_is_ok(status) ? app_admin_transport(app, device_id, &listing.text) : status;
    return end_list(&listing, status, reply);
}

static bool answer_audit(struct app *app, uint64_t device_id, uint64_t after, struct http_reply *reply)
{
    struct listing listing = {.text = {.reply = reply}};
    const struct ledger_page page = {after, PAGE_ROWS};
    (void)app_reply_add(&listing.text, "{\"audit\":[");
    return end_list(&listing,
                    app->ledger.list_audits(app->ledger.ctx, device_id, &page, list_audit, &listing), reply);
}

/* ---- POST ---- */

static bool refuse_decision(struct hr_status status, const struct agg_decided *decided,
                            struct http_reply *reply)
{
    char why[APP_DECISION_WHY_CHARS];
    switch (status.code) {
    case HR_NOT_FOUND:
        return app_reply_error(reply, APP_NOT_FOUND, "there is no such device");
    case HR_DENIED:
        (void)snprintf(why, sizeof why, "%s%s",
                       decided->why != NULL ? decided->why : "not from the state that the device is in: ",
                       decided->why != NULL ? "" : config_registry_state_name(decided->before));
        return app_reply_error(reply, APP_CONFLICT, why);
    case HR_FULL:
        return app_reply_error(reply, APP_UNAVAILABLE, "the ledger has no room; nothing was changed");
    case HR_CLOSED:
        return app_reply_error(reply, APP_UNAVAILABLE, "the aggregator is ending; nothing was changed");
    case HR_OK:
    case HR_AGAIN:
    case HR_MALFORMED:
    case HR_CORRUPT:
        return app_reply_error(reply, APP_UNAVAILABLE,
                               "the ledger can't be written now; nothing was changed");
    case HR_IO:
        break;
    }
    return app_reply_error(reply, APP_UNAVAILABLE,
                           "no answer yet; it may still be made: look at the device, or say it again");
}

/* How much is suspect, and what is awaited. */
static void add_revocation(const struct app *app, struct app_reply *text, uint64_t device_id,
                           const struct agg_decided *decided)
{
    struct ledger_suspect_count count = {.n_batches = 0};
    add_suspect(text, &decided->suspect);
    (void)app_reply_add(text, ",\"head_stream\":%" PRIu32 ",\"head_seq\":%" PRIu32 ",\"awaited\":%s",
                        decided->head_stream, decided->head_seq,
                        decided->cut == LEDGER_CUT_OPEN ? "true" : "false");
    if (hr_is_ok(app->ledger.count_suspect(app->ledger.ctx, device_id, &decided->suspect, &count))) {
        (void)app_reply_add(text, ",\"suspect_batches\":%" PRIu64 ",\"suspect_records\":%" PRIu64,
                            count.n_batches, count.n_records);
    }
}

static bool answer_decision(struct app *app, uint64_t device_id, const struct http_request *request,
                            struct http_reply *reply)
{
    struct app_decision_text wanted;
    char why[APP_DECISION_WHY_CHARS];
    if (!hr_is_ok(app_decision_parse(request->body, &wanted, why))) {
        return app_reply_error(reply, APP_BAD, why);
    }
    bool can_be_undone = wanted.kind == AGG_QUARANTINE || wanted.kind == AGG_RELEASE ||
                         wanted.kind == AGG_ROTATE || wanted.kind == AGG_ROTATE_TRANSPORT;
    if (request->peer.role < (can_be_undone ? HTTP_ROLE_OPERATOR : HTTP_ROLE_ADMIN)) {
        return app_reply_error(reply, APP_FORBIDDEN,
                               can_be_undone ? APP_ADMIN_WANTS_OPERATOR
                                             : "over https, a certificate with the role admin may do that");
    }
    if (wanted.kind == AGG_ROTATE_TRANSPORT && !app->config.has_renewal) {
        return app_reply_error(reply, APP_CONFLICT,
                               "this aggregator makes no certificates: its configuration needs renewal:");
    }
    char actor[LEDGER_NAME_MAX_CHARS + 1];
    bool is_certified = request->peer.name[0] != '\0';
    const char *name = is_certified ? request->peer.name : wanted.operator_name;
    (void)snprintf(actor, sizeof actor, "%s%s%s", is_certified ? "operator" : "local",
                   name[0] != '\0' ? ":" : "", name);
    struct agg_shown shown = {.certificate_len_bytes = 0};
    memcpy(shown.key, wanted.key, sizeof shown.key);
    const struct agg_decision decision = {.device_id = device_id,
                                          .kind = wanted.kind,
                                          .actor = actor,
                                          .reason = wanted.reason,
                                          .dry_run = wanted.dry_run,
                                          .shown = wanted.has_key ? &shown : NULL,

                                          .has_place = wanted.has_place,
                                          .stream = wanted.stream,
                                          .seq = wanted.seq};
    struct agg_decided decided = {.before = LEDGER_DEVICE_ENROLLED};
    struct hr_status status = app_decision_ask(&app->inbox, &decision, DECISION_WAIT_MS, &decided);
    if (!hr_is_ok(status)) {
        return refuse_decision(status, &decided, reply);
    }
    bool is_changed = decided.is_new && !wanted.dry_run;
    if (is_changed) {
        APP_LOG(APP_WARN, "device_decided", app_number("device_id", device_id), app_text("actor", actor),
                app_text("before", config_registry_state_name(decided.before)),
                app_text("after", config_registry_state_name(decided.after)),
                app_text("reason", wanted.reason));
    }
    struct app_reply text = {.reply = reply};
    (void)app_reply_add(&text, "{\"device_id\":%" PRIu64, device_id);
    add_text(&text, "before", config_registry_state_name(decided.before));
    add_text(&text, "after", config_registry_state_name(decided.after));
    (void)app_reply_add(&text, ",\"revision\":%" PRIu32 ",\"changed\":%s,\"dry_run\":%s", decided.revision,
                        decided.is_new ? "true" : "false", wanted.dry_run ? "true" : "false");
    if (wanted.has_place && decided.is_new) {
        add_revocation(app, &text, device_id, &decided);
    }
    (void)app_reply_add(&text, "}\n");
    reply->status = APP_OK;
    return true;
}

/* ---- paths ---- */

/* A number at *path, which moves behind it. */
static bool take_number(const char **path, uint64_t *out)
{
    char *end = NULL;
    if (**path < '0' || **path > '9') {
        return false;
    }
    uint64_t number = strtoull(*path, &end, 10);
    *path = end;
    *out = number;
    return number <= INT64_MAX;
}

static bool take_word(const char **path, const char *word)
{
    size_t len = strlen(word);
    bool is_there = strncmp(*path, word, len) == 0;
    *path += is_there ? len : 0;
    return is_there;
}

/* "", or "/after/ID". */
static bool take_page(const char *path, uint64_t *after)
{
    *after = 0;
    return *path == '\0' || (take_word(&path, "/after/") && take_number(&path, after) && *path == '\0');
}

static bool answer_of_device(struct app *app, const char *path, const struct http_request *request,
                             struct http_reply *reply)
{
    uint64_t device_id = 0;
    uint64_t after = 0;
    if (!take_number(&path, &device_id) || device_id == 0) {
        return false;
    }
    if (request->is_post) {
        return strcmp(path, "/decision") == 0 && answer_decision(app, device_id, request, reply);
    }
    if (*path == '\0') {
        return answer_device(app, device_id, reply);
    }
    return take_word(&path, "/audit") && take_page(path, &after) &&
           answer_audit(app, device_id, after, reply);
}

bool app_admin_devices(struct app *app, const struct http_request *request, struct http_reply *reply)
{
    const char *path = request->path;
    uint64_t after = 0;
    bool is_audit = take_word(&path, "/audit");
    if (!is_audit && !take_word(&path, "/devices")) {
        return app_admin_claims(app, request, reply);
    }
    if (request->peer.role == HTTP_ROLE_NONE) {
        return app_reply_error(reply, APP_FORBIDDEN, "in plain the registry is shown to this machine alone");
    }
    if (!request->is_post && take_page(path, &after)) {
        return is_audit ? answer_audit(app, 0, after, reply) : answer_devices(app, after, request, reply);
    }
    return !is_audit && take_word(&path, "/") && answer_of_device(app, path, request, reply);
}
