/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace device quarantine|release|revoke|retire`: decisions that a running aggregator takes at once. */
#include "proto/base/assert.h"
#include "proto/base/text.h"
#include "tools/cli/admin_rows.h"
#include "tools/cli/cli.h"
#include "tools/cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REASON = CLI_ADMIN_N_COMMON, DRY_RUN, YES };
enum { TEXT_CHARS = 128, PATH_CHARS = 96, BODY_MAX_BYTES = 512, REASON_MAX_BYTES = 63 };

struct request {
    const char *verb; /* "device revoke" */
    const char *decision;
    const struct cli_arguments *given;
    struct cli_admin admin;
    uint64_t device_id;
    const char *reason;
};

static struct cli_admin_reply reply;

/* A string as JSON; false: it is empty, too long, no UTF-8 or has control characters. */
static bool quote(const char *text, char *out, size_t capacity)
{
    size_t at = 0;
    size_t len = strlen(text);
    if (len == 0 || len > REASON_MAX_BYTES || !hr_text_ok(hr_bytes_of(text, len)) ||
        capacity < 2 * REASON_MAX_BYTES + 3) {
        return false;
    }
    out[at++] = '"';
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            out[at++] = '\\';
        }
        out[at++] = text[i];
    }
    out[at++] = '"';
    out[at] = '\0';
    return true;
}

static bool ask(const struct request *request, bool dry_run, struct hr_bytes *row)
{
    char path[PATH_CHARS], body[BODY_MAX_BYTES], reason[2 * REASON_MAX_BYTES + 3];
    const char *name = cli_admin_operator();
    bool quoted = quote(request->reason, reason, sizeof reason);
    HR_ASSERT(quoted); /* it was looked at before */
    (void)snprintf(path, sizeof path, "/devices/%" PRIu64 "/decision", request->device_id);
    (void)snprintf(body, sizeof body, "{\"decision\":\"%s\",\"reason\":%s,\"dry_run\":%s%s%s%s}",
                   request->decision, reason, dry_run ? "true" : "false",
                   name != NULL ? ",\"operator\":\"" : "", name != NULL ? name : "",
                   name != NULL ? "\"" : "");
    const char *rest = reply.body;
    return cli_admin_get(request->verb, &request->admin, path, body, &reply) && cli_row_next(&rest, row);
}

/* What can't be undone wants the device's name from a person, or --yes. */
static int confirm(const struct request *request)
{
    char path[PATH_CHARS], name[TEXT_CHARS], state[TEXT_CHARS], typed[TEXT_CHARS] = "";
    if (!isatty(STDIN_FILENO)) {
        (void)fprintf(stderr, "headrace %s: it can't be undone; without a terminal to ask at, say --yes\n",
                      request->verb);
        return CLI_USAGE;
    }
    (void)snprintf(path, sizeof path, "/devices/%" PRIu64, request->device_id);
    struct hr_bytes row;
    const char *rest = reply.body;
    if (!cli_admin_get(request->verb, &request->admin, path, NULL, &reply) || !cli_row_next(&rest, &row)) {
        return CLI_FAILED;
    }
    cli_row_text(row, "name", name, sizeof name);
    cli_row_text(row, "state", state, sizeof state);
    if (name[0] == '\0') { /* Enter alone would say it */
        (void)fprintf(stderr, "headrace %s: the aggregator tells no name to ask for; nothing was changed\n",
                      request->verb);
        return CLI_FAILED;
    }
    (void)fprintf(stderr, "%s device %" PRIu64 ", \"%s\", which is %s? It can't be undone. Type its name: ",
                  request->decision, request->device_id, name, state);
    bool is_said = fgets(typed, sizeof typed, stdin) != NULL;
    typed[strcspn(typed, "\r\n")] = '\0';
    if (!is_said || strcmp(typed, name) != 0) {
        (void)fprintf(stderr, "headrace %s: that is not its name; nothing was changed\n", request->verb);
        return CLI_FAILED;
    }
    return CLI_OK;
}

static int decide(const struct request *request, bool needs_yes)
{
    bool dry_run = request->given->n_values[DRY_RUN] > 0;
    if (needs_yes && !dry_run && request->given->n_values[YES] == 0) {
        int confirmed = confirm(request);
        if (confirmed != CLI_OK) {
            return confirmed;
        }
    }
    struct hr_bytes row;
    char before[TEXT_CHARS], after[TEXT_CHARS];
    if (!ask(request, dry_run, &row)) {
        return CLI_FAILED;
    }
    if (request->given->n_values[CLI_ADMIN_JSON] > 0) {
        (void)fputs(reply.body, stdout);
        return CLI_OK;
    }
    cli_row_text(row, "before", before, sizeof before);
    cli_row_text(row, "after", after, sizeof after);
    if (cli_row_flag(row, "changed")) {
        (void)printf("device %" PRIu64 ": %s > %s, revision %" PRIu64 "%s\n", request->device_id, before,
                     after, cli_row_number(row, "revision"),
                     dry_run ? " (a dry run: nothing was changed)" : "");
    } else {
        (void)printf("device %" PRIu64 ": is %s already, revision %" PRIu64 "\n", request->device_id, after,
                     cli_row_number(row, "revision"));
    }
    return CLI_OK;
}

int cli_device_decide_online(int argc, char **argv, const char *decision, bool needs_yes)
{
    static const struct cli_option options[] = {
        CLI_ADMIN_COMMON_OPTIONS,
        [REASON] = {"--reason", "TEXT", true, 0,
                    "Why; stands in the audit entry. One line, at most 63 bytes."},
        [DRY_RUN] = {"--dry-run", NULL, false, 0, "Tell what would come of it, and change nothing."},
        [YES] = {"--yes", NULL, false, 0, "Do not ask before what can't be undone (revoke, retire)."},
    };
    char verb[32];
    (void)snprintf(verb, sizeof verb, "device %s", decision);
    const struct cli_usage usage = {
        verb, "DEVICE_ID", options, HR_ARRAY_LEN(options),
        "Has a running aggregator change the device's state, with an audit "
        "entry, in one transaction: it counts from\n"
        "the next batch on. Asked again, it changes nothing. (With --registry DIR "
        "the registry entry's file is written.)"};
    struct cli_arguments given;
    struct request request = {.verb = verb, .decision = decision, .given = &given};
    enum cli_parsed parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed == CLI_HELPED ? CLI_OK : CLI_USAGE;
    }
    request.reason = given.values[REASON][0];
    char quoted[2 * REASON_MAX_BYTES + 3];
    if (!quote(request.reason, quoted, sizeof quoted)) {
        (void)fprintf(stderr, "headrace %s: --reason is one line of 1 to %d bytes of UTF-8\n", verb,
                      REASON_MAX_BYTES);
        return CLI_USAGE;
    }
    if (!cli_number(given.positional, CLI_DEVICE_ID_MAX, &request.device_id) || request.device_id == 0) {
        (void)fprintf(stderr, "headrace %s: '%s' is no device id\n", verb, given.positional);
        return CLI_USAGE;
    }
    return cli_admin_find(verb, &given, &request.admin) ? decide(&request, needs_yes) : CLI_FAILED;
}
