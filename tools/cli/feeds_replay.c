/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace feeds replay`: asks a running aggregator and waits for the end. */
#include "proto/base/assert.h"
#include "tools/cli/admin_call.h"
#include "tools/cli/cli.h"
#include "tools/cli/feeds.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FROM = CLI_FEEDS_N_COMMON, TO, DRY_RUN, ADMIN, NO_WAIT };
enum { POLL_MS = 250, BODY_MAX_BYTES = 512, MAX_FAILURES = 240 };

static const struct cli_option options[] = {
    CLI_FEEDS_COMMON_OPTIONS(true),
    [FROM] = {"--from", "TIME", true, 0, "UTC: 2026-11-21T03:00:00Z, or 2026-11-21 for its first moment."},
    [TO] = {"--to", "TIME", true, 0, "The end, not included; or now."},
    [DRY_RUN] = {"--dry-run", NULL, false, 0, "Count what would be published, and publish nothing."},
    [ADMIN] = {"--admin", "URL", false, 0,
               "http://HOST:PORT of the aggregator; default: the configuration's."},
    [NO_WAIT] = {"--no-wait", NULL, false, 0, "Ask, print the id, and end."},
};

static const struct cli_usage usage = {
    .verb = "feeds replay",
    .options = options,
    .n_options = HR_ARRAY_LEN(options),
    .help = "Has a running aggregator normalize a window again from the stored bytes, and publish what comes "
            "out\n"
            "otherwise than it was published, as new revisions under the same event_id. Run again, it finds "
            "nothing to\n"
            "publish. It goes on in the aggregator when this program ends, and after a restart of the "
            "aggregator.",
};

static int fail(const char *text)
{
    (void)fprintf(stderr, "headrace feeds replay: %s\n", text);
    return CLI_FAILED;
}

/* A word of the command line becomes a JSON string; false when it has characters that no name or time has. */
static bool quote(const char *text, char *out, size_t capacity)
{
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x21 || *at == '"' || *at == '\\') {
            return false;
        }
    }
    int n = snprintf(out, capacity, "\"%s\"", text);
    return n >= 0 && (size_t)n < capacity;
}

static bool find_admin(struct cli_feeds *feeds, struct cli_admin *out)
{
    const char *url = cli_option_or(feeds->arguments, ADMIN, NULL);
    if (url != NULL) {
        if (!cli_admin_parse(url, out) || out->is_tls) {
            (void)fail("--admin is http://HOST:PORT");
            return false;
        }
        return true;
    }
    if (cli_option_or(feeds->arguments, CLI_FEEDS_LEDGER, NULL) != NULL) {
        (void)fail("with --ledger give --admin http://HOST:PORT too: the aggregator does the work");
        return false;
    }
    if (!cli_feeds_load_config(feeds)) {
        return false;
    }
    if (!cli_admin_of_config(feeds->config, out)) {
        (void)fail("the configuration has no http section, so nobody can be asked");
        return false;
    }
    return true;
}

/* ---- replies ---- */

/* The number behind "key": in one row of a reply; 0 when there is none. */
static uint64_t number_in(const char *row, const char *key)
{
    char wanted[32];
    (void)snprintf(wanted, sizeof wanted, "\"%s\":", key);
    const char *at = strstr(row, wanted);
    return at == NULL ? 0 : strtoull(at + strlen(wanted), NULL, 10);
}

static void text_in(const char *row, const char *key, char *out, size_t capacity)
{
    char wanted[32];
    (void)snprintf(wanted, sizeof wanted, "\"%s\":\"", key);
    const char *at = strstr(row, wanted);
    int len = at == NULL ? 0 : (int)strcspn(at + strlen(wanted), "\"");
    (void)snprintf(out, capacity, "%.*s", len, at == NULL ? "" : at + strlen(wanted));
}

/* Where each sink stands. */
struct progress {
    uint32_t n_sinks;
    uint32_t n_open;
    uint32_t n_failed;
    uint64_t leaves, leaves_done;
};

/* The rows of a reply, one at a time, each NUL-terminated in place. */
static char *next_row(char **rest)
{
    char *row = strstr(*rest, "{\"id\":");
    if (row == NULL) {
        return NULL;
    }
    char *end = strstr(row + 1, "{\"id\":");
    *rest = end != NULL ? end : row + strlen(row);
    if (end != NULL) {
        end[-1] = '\0'; /* the comma between them */
    }
    return row;
}

static void print_row(const char *row, bool dry_run)
{
    char sink[32];
    char state[32];
    char reason[FEED_REASON_MAX_CHARS + 1];
    text_in(row, "sink", sink, sizeof sink);
    text_in(row, "state", state, sizeof state);
    text_in(row, "reason", reason, sizeof reason);
    (void)printf("replay %" PRIu64 " to %s %s: %" PRIu64 " events compared, %" PRIu64 " %s%s%s\n",
                 number_in(row, "id"), sink, state, number_in(row, "events"), number_in(row, "changed"),
                 dry_run ? "would be published again" : "published again", reason[0] != '\0' ? "; " : "",
                 reason);
}

static struct progress read_progress(char *body, bool print, bool dry_run)
{
    struct progress progress = {.n_sinks = 0};
    char *rest = body;
    for (char *row = next_row(&rest); row != NULL; row = next_row(&rest)) {
        char state[32];
        text_in(row, "state", state, sizeof state);
        progress.n_sinks++;
        progress.n_open += strcmp(state, "pending") == 0 || strcmp(state, "running") == 0 ? 1 : 0;
        progress.n_failed += strcmp(state, "failed") == 0 ? 1 : 0;
        progress.leaves += number_in(row, "leaves");
        progress.leaves_done += number_in(row, "leaves_done");
        if (print) {
            print_row(row, dry_run);
        }
    }
    return progress;
}

/* ---- asking and waiting ---- */

static int refused(const struct cli_admin_reply *reply)
{
    char text[512];
    text_in(reply->body, "error", text, sizeof text);
    (void)fprintf(stderr, "headrace feeds replay: the aggregator says: %s (%d)\n",
                  text[0] != '\0' ? text : reply->body, reply->status);
    return CLI_FAILED;
}

/* Until every sink has come to an end. An aggregator that restarts in between goes on by itself, so its
 * absence is borne for a while. */
static int wait_for_end(const struct cli_admin *admin, uint64_t id, struct cli_admin_reply *reply,
                        bool is_json, bool dry_run)
{
    char path[48];
    char why[ADMIN_WHY_CHARS] = "";
    uint32_t n_failures = 0;
    (void)snprintf(path, sizeof path, "/reprocess/%" PRIu64, id);
    for (;;) {
        static char copy[ADMIN_REPLY_MAX_BYTES];
        bool answered = cli_admin_call(admin, path, NULL, reply, why) && reply->status == 200;
        n_failures = answered ? 0 : n_failures + 1;
        if (n_failures == MAX_FAILURES) {
            return fail(why[0] != '\0' ? why : "the aggregator does not know the replay any more");
        }
        memcpy(copy, answered ? reply->body : "", answered ? strlen(reply->body) + 1 : 1);
        struct progress progress = read_progress(copy, false, dry_run);
        if (answered && progress.n_sinks > 0 && progress.n_open == 0) {
            if (is_json) {
                (void)fputs(reply->body, stdout);
            } else {
                (void)read_progress(reply->body, true, dry_run);
            }
            return progress.n_failed > 0 ? CLI_FAILED : CLI_OK;
        }
        if (answered && isatty(STDERR_FILENO)) {
            (void)fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " batches ", progress.leaves_done,
                          progress.leaves);
        }
        (void)poll(NULL, 0, POLL_MS);
    }
}

static int ask(struct cli_feeds *feeds)
{
    static struct cli_admin_reply reply;
    const struct cli_arguments *arguments = feeds->arguments;
    struct cli_admin admin;
    char feed[160], from[64], to[64], body[BODY_MAX_BYTES];
    char why[ADMIN_WHY_CHARS] = "";
    bool dry_run = arguments->n_values[DRY_RUN] > 0;
    if (!quote(feeds->feed, feed, sizeof feed) || !quote(arguments->values[FROM][0], from, sizeof from) ||
        !quote(arguments->values[TO][0], to, sizeof to)) {
        return fail("--feed is the name of a topic, --from and --to are times");
    }
    if (!find_admin(feeds, &admin)) {
        return CLI_FAILED;
    }
    (void)snprintf(body, sizeof body, "{\"feed\":%s,\"from\":%s,\"to\":%s,\"dry_run\":%s}", feed, from, to,
                   dry_run ? "true" : "false");
    if (!cli_admin_call(&admin, "/reprocess", body, &reply, why)) {
        return fail(why);
    }
    uint64_t id = reply.status == 202 ? number_in(reply.body, "id") : 0;
    if (id == 0) {
        return refused(&reply);
    }
    if (arguments->n_values[NO_WAIT] > 0) {
        (void)printf(feeds->is_json ? "{\"id\": %" PRIu64 "}\n" : "replay %" PRIu64 " is asked for\n", id);
        return CLI_OK;
    }
    return wait_for_end(&admin, id, &reply, feeds->is_json, dry_run);
}

int cli_feeds_replay(int argc, char **argv)
{
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    struct cli_feeds feeds = {.verb = usage.verb,
                              .arguments = &arguments,
                              .is_json = arguments.n_values[CLI_FEEDS_JSON] > 0,
                              .feed = cli_option_or(&arguments, CLI_FEEDS_FEED, NULL)};
    return ask(&feeds);
}
