/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace device quarantine|release|revoke|retire`: decisions that a running aggregator takes at once. */
#include "proto/base/bytes.h"
#include "tools/cli/admin_rows.h"
#include "tools/cli/cli.h"
#include "tools/cli/decision.h"
#include "tools/cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REASON = CLI_ADMIN_N_COMMON, DRY_RUN, YES, FROM_SEQ };
enum { TEXT_CHARS = 128, PATH_CHARS = 96 };

struct request {
    const char *key;  /* of readmit; NULL: none */
    const char *verb; /* "device revoke" */
    const char *decision;
    const struct cli_arguments *given;
    struct cli_admin admin;
    uint64_t device_id;
    const char *reason;
    bool has_place;
    uint32_t stream, seq;
};

static struct cli_admin_reply reply;

static bool ask(const struct request *request, bool dry_run, struct hr_bytes *row)
{
    const struct cli_decision decision = {.device_id = request->device_id,
                                          .decision = request->decision,
                                          .reason = request->reason,
                                          .dry_run = dry_run,
                                          .has_place = request->has_place,
                                          .stream = request->stream,
                                          .seq = request->seq,
                                          .key = request->key};
    const char *rest = reply.body;
    return cli_decision_ask(request->verb, &request->admin, &decision, &reply) && cli_row_next(&rest, row);
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

/* What stays of it, and what is still to come. */
static void print_place(const struct request *request, struct hr_bytes row, bool dry_run)
{
    (void)printf("suspect from %" PRIu32 "/%" PRIu32 " on: %" PRIu64 " committed batches with %" PRIu64
                 " records%s\n",
                 request->stream, request->seq, cli_row_number(row, "suspect_batches"),
                 cli_row_number(row, "suspect_records"),
                 dry_run ? " would be marked" : " are marked, none is deleted");
    if (cli_row_flag(row, "awaited")) {
        (void)printf("awaited: what stands before it, from %" PRIu64 "/%" PRIu64
                     " on; the device may deliver that and nothing else\n",
                     cli_row_number(row, "head_stream"), cli_row_number(row, "head_seq"));
    }
}

/* STREAM/SEQ, as `device show` and the headers of records tell places. */
static bool take_place(struct request *request, const char *text)
{
    char stream[16];
    uint64_t numbers[2] = {0, 0};
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : sizeof stream;
    if (len < sizeof stream) {
        memcpy(stream, text, len);
        stream[len] = '\0';
    }
    if (len >= sizeof stream || !cli_number(stream, UINT32_MAX - 1, &numbers[0]) ||
        !cli_number(slash + 1, UINT32_MAX - 1, &numbers[1])) {
        (void)fprintf(stderr,
                      "headrace %s: --from-seq is STREAM/SEQ, the first batch that is not believed, such as "
                      "0/1204\n",
                      request->verb);
        return false;
    }
    request->has_place = true;
    request->stream = (uint32_t)numbers[0];
    request->seq = (uint32_t)numbers[1];
    return true;
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
        if (request->has_place) {
            print_place(request, row, dry_run);
        }
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
        [FROM_SEQ] = {"--from-seq", "STREAM/SEQ", false, 0,
                      "The first batch that is not believed: what is committed from there on is marked as "
                      "suspect, what stands before it is still taken."},
    };
    const bool is_revocation = strcmp(decision, "revoke") == 0;
    char verb[32];
    (void)snprintf(verb, sizeof verb, "device %s", decision);
    const struct cli_usage usage = {
        verb, "DEVICE_ID", options, is_revocation ? HR_ARRAY_LEN(options) : FROM_SEQ,
        "Has a running aggregator change the device's state, with an audit "
        "entry, in one transaction: it counts from\n"
        "the next batch on. Asked again, it changes nothing. (With --registry DIR "
        "the registry entry's file is written.)"};
    struct cli_arguments given;
    struct request request = {.verb = verb, .decision = decision, .given = &given};
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    request.reason = given.values[REASON][0];
    if (!cli_decision_reason_fits(verb, request.reason)) {
        return CLI_USAGE;
    }
    if (!cli_device_id(verb, given.positional, &request.device_id) ||
        (is_revocation && given.n_values[FROM_SEQ] > 0 && !take_place(&request, given.values[FROM_SEQ][0]))) {
        return CLI_USAGE;
    }
    return cli_admin_find(verb, &given, &request.admin) ? decide(&request, needs_yes) : CLI_FAILED;
}

static int readmit(const struct request *request)
{
    const bool dry_run = request->given->n_values[DRY_RUN] > 0;
    struct hr_bytes row;
    if (!ask(request, dry_run, &row)) {
        return CLI_FAILED;
    }
    if (request->given->n_values[CLI_ADMIN_JSON] > 0) {
        (void)fputs(reply.body, stdout);
    } else if (!cli_row_flag(row, "changed")) {
        (void)printf("device %" PRIu64 ": nothing keeps that key out\n", request->device_id);
    } else {
        (void)printf("device %" PRIu64 ": %s%s\n", request->device_id,
                     request->key != NULL ? "the key opens sessions again"
                                          : "its older keys open sessions again, and it is asked for another",
                     dry_run ? " (a dry run: nothing was changed)" : "");
    }
    return CLI_OK;
}

int cli_device_readmit(int argc, char **argv)
{
    enum { KEY = YES };
    static const struct cli_option options[] = {
        CLI_ADMIN_COMMON_OPTIONS,
        [REASON] = {"--reason", "TEXT", true, 0,
                    "Why; stands in the audit entry. One line, at most 63 bytes."},
        [DRY_RUN] = {"--dry-run", NULL, false, 0, "Tell what would come of it, and change nothing."},
        [KEY] = {"--key", "HEX", false, 0,
                 "The one key that is meant, as the aggregator's log has it (session_refused)."},
    };
    static const struct cli_usage usage = {
        "device readmit", "DEVICE_ID", options, HR_ARRAY_LEN(options),
        "Lets a device in with a transport key that is over, or that is not known of it, for as long as the "
        "older keys\nof a renewed device are good: for one that has lost its newer key. See to it that it is "
        "the device."};
    struct cli_arguments given;
    struct request request = {.verb = usage.verb, .decision = "readmit", .given = &given};
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    request.reason = given.values[REASON][0];
    request.key = given.n_values[KEY] > 0 ? given.values[KEY][0] : NULL;
    if (!cli_decision_reason_fits(usage.verb, request.reason) ||
        !cli_device_id(usage.verb, given.positional, &request.device_id)) {
        return CLI_USAGE;
    }
    if (request.key != NULL &&
        (strlen(request.key) != 64 || request.key[strspn(request.key, "0123456789abcdef")] != '\0')) {
        (void)fprintf(stderr, "headrace %s: --key is the 64 lower-case hexadecimal digits of a SHA-256\n",
                      usage.verb);
        return CLI_USAGE;
    }
    return cli_admin_find(usage.verb, &given, &request.admin) ? readmit(&request) : CLI_FAILED;
}
