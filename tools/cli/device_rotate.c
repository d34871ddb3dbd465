/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace device rotate`: a new record key for one device; with --transport another transport key. */
#include "tools/cli/device_rotate.h"
#include "tools/cli/admin_rows.h"
#include "tools/cli/cli.h"
#include "tools/cli/decision.h"
#include "tools/cli/rotation.h"
#include "tools/cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REASON = CLI_ADMIN_N_COMMON, WAIT, TIMEOUT, DRY_RUN, TRANSPORT };
enum { POLL_MS = 500, OUTCOME_CHARS = 16 };

static const char verb[] = "device rotate";

static void tell(const struct cli_rotate_request *request, const char *text, uint32_t epoch)
{
    if (!request->is_json) {
        (void)printf("device %" PRIu64 ": %s (epoch %" PRIu32 ")\n", request->device_id, text, epoch);
        (void)fflush(stdout);
    }
}

static int end(const struct cli_rotate_request *request, const char *outcome, const struct cli_rotation *now,
               int code)
{
    if (request->is_json) {
        (void)printf("{\"device_id\":%" PRIu64 ",\"outcome\":\"%s\",\"state\":\"%s\",\"old_epoch\":%" PRIu32
                     ",\"epoch\":%" PRIu32 "}\n",
                     request->device_id, outcome, now->state, request->old_epoch, now->epoch);
    }
    return code;
}

/* Two steps come from the device: the key is announced, and something comes under it. */
static int wait_for_key(const struct cli_rotate_request *request, struct cli_rotation now)
{
    uint64_t end_ms = cli_monotonic_ms() + request->timeout_s * 1000;
    bool was_announced = false;
    /* Asked for a second time, while the first key is on its way, that one is waited for. */
    uint32_t old_epoch = now.is_rotating ? now.epoch - 1 : now.epoch;
    for (;;) {
        bool is_announced = now.epoch > old_epoch;
        if (is_announced && !was_announced) {
            was_announced = true;
            tell(request, "the new key is registered", now.epoch);
        }
        if (is_announced && !now.is_rotating) {
            tell(request, "the device delivers under it; the old key is done with", now.epoch);
            return end(request, "rotated", &now, CLI_OK);
        }
        if (cli_monotonic_ms() >= end_ms) {
            break;
        }
        cli_pause_ms(POLL_MS);
        if (!cli_rotation_read(verb, &request->admin, request->device_id, &now)) {
            return CLI_FAILED;
        }
    }
    (void)fprintf(
        stderr,
        "headrace %s: device %" PRIu64 " is %s; nothing is lost: the request stands, and the device "
        "follows when it comes. Say it again to wait on.\n",
        verb, request->device_id, was_announced ? "rotating, and has sent nothing since" : now.state);
    return end(request, was_announced ? "announced" : "asked", &now, CLI_INCOMPLETE);
}

static int rotate(struct cli_rotate_request *request)
{
    static struct cli_admin_reply reply;
    struct cli_rotation before;
    const struct cli_decision decision = {.device_id = request->device_id,
                                          .decision = "rotate",
                                          .reason = request->reason,
                                          .dry_run = request->dry_run};
    if (!cli_rotation_read(verb, &request->admin, request->device_id, &before) ||
        !cli_decision_ask(verb, &request->admin, &decision, &reply)) {
        return CLI_FAILED;
    }
    request->old_epoch = before.epoch;
    if (request->dry_run) {
        tell(request, "would be asked for a new key; nothing was changed", before.epoch);
        return end(request, "dry run", &before, CLI_OK);
    }
    struct cli_rotation now = before;
    now.is_asked = true;
    tell(request,
         before.is_rotating ? "is rotating already"
         : before.is_asked  ? "was asked for a new key already"
                            : "is asked for a new key",
         before.epoch);
    return request->waits ? wait_for_key(request, now) : end(request, "asked", &now, CLI_OK);
}

int cli_device_rotate(int argc, char **argv)
{
    static const struct cli_option options[] = {
        CLI_ADMIN_COMMON_OPTIONS,
        [REASON] = {"--reason", "TEXT", false, 0, "Why; stands in the audit entry. Default: rotation."},
        [WAIT] = {"--wait", NULL, false, 0, "Until the device delivers under the new key, or with it."},
        [TIMEOUT] = {"--timeout", "TIME", false, 0, "Of --wait: 90s, 10m, 2h; default 10m."},
        [DRY_RUN] = {"--dry-run", NULL, false, 0, "Tell what would come of it, and change nothing."},
        [TRANSPORT] = {"--transport", NULL, false, 0,
                       "The key of its sessions, with a certificate for it, in place of the record key."},
    };
    static const struct cli_usage usage = {
        verb, "DEVICE_ID", options, sizeof options / sizeof options[0],
        "Asks a device for a new record key: the request stands in the registry and in the device's acks "
        "until the key has\ncome. What the old key signed stays valid. Asked again, it is the same request.\n"
        "Exit codes: 0 asked, or rotated with --wait; 1 refused or not to be reached; 2 not in the time of "
        "--wait; 3 usage."};
    struct cli_arguments given;
    struct cli_rotate_request request = {.timeout_s = 600};
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    const char *timeout = cli_option_or(&given, TIMEOUT, "10m");
    if (!cli_seconds(timeout, &request.timeout_s)) {
        (void)fprintf(stderr, "headrace %s: '%s' is no time such as 90s, 10m or 2h\n", verb, timeout);
        return CLI_USAGE;
    }
    request.reason = cli_option_or(&given, REASON, "rotation");
    if (!cli_decision_reason_fits(verb, request.reason)) {
        return CLI_USAGE;
    }
    if (!cli_number(given.positional, CLI_DEVICE_ID_MAX, &request.device_id) || request.device_id == 0) {
        (void)fprintf(stderr, "headrace %s: '%s' is no device id\n", verb, given.positional);
        return CLI_USAGE;
    }
    request.is_json = given.n_values[CLI_ADMIN_JSON] > 0;
    request.waits = given.n_values[WAIT] > 0;
    request.dry_run = given.n_values[DRY_RUN] > 0;
    if (!cli_admin_find(verb, &given, &request.admin)) {
        return CLI_FAILED;
    }
    return given.n_values[TRANSPORT] > 0 ? cli_device_rotate_transport(&request) : rotate(&request);
}
