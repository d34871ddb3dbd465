/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/admin.h"

#include "aggregator/app/app.h"
#include "aggregator/app/log.h"
#include "aggregator/app/reply.h"
#include "aggregator/app/time.h"
#include "aggregator/app/window.h"
#include "proto/base/failpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/reprocess"

static void add_replay(struct app_reply *text, const struct feed_replay *replay)
{
    static const char *const states[] = {[FEED_PENDING] = "pending",
                                         [FEED_RUNNING] = "running",
                                         [FEED_COMPLETED] = "completed",
                                         [FEED_FAILED] = "failed"};
    uint64_t n_leaves = replay->end_leaf - replay->first_leaf;
    uint64_t n_done =
        replay->next_leaf < replay->end_leaf ? replay->next_leaf - replay->first_leaf : n_leaves;
    bool has_name = (size_t)replay->state < HR_ARRAY_LEN(states);
    (void)app_reply_add(text, "{\"id\":%" PRIu64 ",\"sink\":\"%s\",\"feed\":", replay->id, replay->sink);
    app_reply_quoted(text, replay->feed);
    (void)app_reply_add(text, ",");
    app_reply_time(text, "from", replay->from_ms);
    (void)app_reply_add(text, ",");
    app_reply_time(text, "to", replay->to_ms);
    (void)app_reply_add(text, ",");
    app_reply_time(text, "asked", replay->asked_ms);
    (void)app_reply_add(text,
                        ",\"dry_run\":%s,\"state\":\"%s\",\"leaves\":%" PRIu64 ",\"leaves_done\":%" PRIu64
                        ",\"events\":%" PRIu64 ",\"changed\":%" PRIu64 ",\"normalizers\":\"%s\",\"reason\":",
                        replay->dry_run ? "true" : "false", has_name ? states[replay->state] : "?", n_leaves,
                        n_done, replay->n_events, replay->n_changed, replay->normalizers);
    app_reply_quoted(text, replay->reason);
    (void)app_reply_add(text, "}");
}

/* ---- GET ---- */

struct listing {
    struct app_reply text;
    uint64_t id; /* 0: all */
    uint32_t n_rows;
    bool is_full;
};

static void list_replay(void *ctx, const struct feed_replay *replay)
{
    struct listing *listing = ctx;
    if ((listing->id != 0 && replay->id != listing->id) || listing->is_full) {
        return;
    }
    enum { ROW_MAX_BYTES = 1024, END_BYTES = 64 };
    listing->is_full = listing->text.reply->capacity_bytes - listing->text.len < ROW_MAX_BYTES + END_BYTES;
    if (!listing->is_full) {
        (void)app_reply_add(&listing->text, listing->n_rows++ > 0 ? "," : "");
        add_replay(&listing->text, replay);
    }
}

static bool answer_list(struct app *app, uint64_t id, struct http_reply *reply)
{
    struct listing listing = {.text = {.reply = reply}, .id = id};
    (void)app_reply_add(&listing.text, "{\"replays\":[");
    struct hr_status status = app->ledger.feeds->replays(app->ledger.ctx, NULL, list_replay, &listing);
    if (!hr_is_ok(status)) {
        return app_reply_error(reply, APP_UNAVAILABLE, "the ledger can't be read now");
    }
    if (id != 0 && listing.n_rows == 0) {
        return app_reply_error(reply, APP_NOT_FOUND, "there is no such replay");
    }
    (void)app_reply_add(&listing.text, "],\"truncated\":%s}\n", listing.is_full ? "true" : "false");
    reply->status = APP_OK;
    return true;
}

/* ---- POST ---- */

static bool is_known_feed(const struct app *app, const char *feed, char *known, size_t capacity)
{
    const struct agg_fold *fold = &app->publishers[0].fold;
    known[0] = '\0';
    for (uint16_t i = 0; i < fold->n_feeds; i++) {
        size_t len = strlen(known);
        (void)snprintf(known + len, capacity - len, "%s%s", i > 0 ? ", " : "", fold->feeds[i].schema->topic);
        if (strcmp(fold->feeds[i].schema->topic, feed) == 0) {
            return true;
        }
    }
    return false;
}

static const char *cause_of(struct hr_status status, unsigned *http)
{
    *http = hr_is(status, HR_FULL) ? APP_TOO_MANY : APP_UNAVAILABLE;
    return hr_is(status, HR_FULL)     ? "as many replays as may wait are waiting, or the ledger is full"
           : hr_is(status, HR_DENIED) ? "another process writes this ledger"
                                      : "the ledger can't be written now";
}

static bool answer_new(struct app *app, struct feed_replay *replay, struct http_reply *reply)
{
    const char *sinks[APP_MAX_PUBLISHERS];
    for (size_t i = 0; i < app->n_publishers; i++) {
        sinks[i] = app_publisher_name(app->publishers[i].kind);
    }
    struct hr_status status =
        app->ledger.feeds->add_replay(app->ledger.ctx, replay, sinks, app->n_publishers, &replay->id);
    if (!hr_is_ok(status)) {
        unsigned http = APP_UNAVAILABLE;
        const char *cause = cause_of(status, &http);
        return app_reply_error(reply, http, cause);
    }
    HR_FAILPOINT("replay_asked");
    APP_LOG(APP_INFO, "replay_asked", app_number("id", replay->id), app_text("feed", replay->feed),
            app_text("dry_run", replay->dry_run ? "true" : "false"));
    for (size_t i = 0; i < app->n_publishers; i++) {
        app_publisher_replay(&app->publishers[i]);
    }
    (void)answer_list(app, replay->id, reply);
    reply->status =
        reply->status == APP_OK ? APP_ACCEPTED : reply->status; /* asked twice, it publishes no more */
    return true;
}

static bool answer_post(struct app *app, const struct http_request *request, struct http_reply *reply)
{
    struct feed_replay replay;
    char why[APP_WHY_CHARS] = "";
    char known[4 * FEED_NAME_MAX_CHARS];
    int64_t now_ms = app_clock()->utc_ms(app_clock()->ctx);
    if (!hr_is_ok(app_window_parse(request->body, now_ms, &replay, why))) {
        return app_reply_error(reply, APP_BAD, why);
    }
    if (!is_known_feed(app, replay.feed, known, sizeof known)) {
        char text[sizeof known + 64];
        (void)snprintf(text, sizeof text, "no such feed; there are %s", known);
        return app_reply_error(reply, APP_NOT_FOUND, text);
    }
    return answer_new(app, &replay, reply);
}

bool app_admin(void *ctx, const struct http_request *request, struct http_reply *reply)
{
    struct app *app = ctx;
    size_t len = sizeof(PATH) - 1;
    if (strncmp(request->path, PATH, len) != 0) {
        return app_admin_devices(app, request, reply);
    }
    const char *rest = request->path + len;
    if (request->is_post && request->peer.role < HTTP_ROLE_OPERATOR) {
        return app_reply_error(reply, APP_FORBIDDEN, APP_ADMIN_WANTS_OPERATOR);
    }
    if (request->is_post) {
        return *rest == '\0' && answer_post(app, request, reply);
    }
    if (*rest == '\0') {
        return answer_list(app, 0, reply);
    }
    char *end = NULL;
    uint64_t id = rest[1] >= '1' && rest[1] <= '9' ? strtoull(rest + 1, &end, 10) : 0;
    return *rest == '/' && id != 0 && *end == '\0' && answer_list(app, id, reply);
}
