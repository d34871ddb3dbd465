/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace rotate --all`: new record keys for a fleet, some a minute. */
#include "tools/cli/admin_rows.h"
#include "tools/cli/cli.h"
#include "tools/cli/decision.h"
#include "tools/cli/fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL = CLI_ADMIN_N_COMMON, RATE, NAME, STATE_FILE, MAX_FAILURES, TIMEOUT, REASON, DRY_RUN };
enum { TURN_MS = 100, LOOK_MS = 1000, TELL_MS = 5000 };

struct rollout {
    struct fleet fleet;
    struct cli_admin admin;
    uint32_t rate_per_min;
    uint32_t max_failures;
    bool is_percent; /* max_failures is of the devices found */
    uint64_t timeout_s;
    const char *reason;
    bool is_json;
    uint64_t started_ms;
    uint32_t n_asked_here;
    uint32_t next; /* no device before it is to do */
};

static const char verb[] = "rotate";

/* ---- what is told ---- */

static void tell(const struct rollout *rollout)
{
    const uint32_t *n = rollout->fleet.n_by_step;
    (void)fprintf(rollout->is_json ? stderr : stdout,
                  "%6" PRIu64 " s: %" PRIu32 " of %" PRIu32 " have a new key, %" PRIu32 " asked, %" PRIu32
                  " to do, %" PRIu32 " failed\n",
                  (cli_monotonic_ms() - rollout->started_ms) / 1000, n[FLEET_DONE], rollout->fleet.n_devices,
                  n[FLEET_ASKED], n[FLEET_TO_DO], n[FLEET_FAILED]);
    (void)fflush(stdout);
}

static int end(const struct rollout *rollout, const char *outcome, int code)
{
    const uint32_t *n = rollout->fleet.n_by_step;
    tell(rollout);
    if (rollout->is_json) {
        (void)printf("{\"outcome\":\"%s\",\"devices\":%" PRIu32 ",\"done\":%" PRIu32 ",\"asked\":%" PRIu32
                     ",\"to_do\":%" PRIu32 ",\"failed\":%" PRIu32 ",\"passed_over\":%" PRIu32 "}\n",
                     outcome, rollout->fleet.n_devices, n[FLEET_DONE], n[FLEET_ASKED], n[FLEET_TO_DO],
                     n[FLEET_FAILED], rollout->fleet.n_passed_over);
    }
    return code;
}

/* ---- a turn ---- */

static bool has_failed_too_often(const struct rollout *rollout)
{
    uint64_t most = rollout->is_percent ? (uint64_t)rollout->fleet.n_devices * rollout->max_failures / 100
                                        : rollout->max_failures;
    return rollout->fleet.n_by_step[FLEET_FAILED] > most;
}

static bool fail(struct rollout *rollout, struct fleet_device *device, const char *why)
{
    (void)fprintf(stderr, "headrace rotate: device %" PRIu64 ": %s\n", device->device_id, why);
    return cli_fleet_move(&rollout->fleet, device, FLEET_FAILED);
}

static bool ask(struct rollout *rollout, struct fleet_device *device)
{
    static struct cli_admin_reply reply;
    const struct cli_decision decision = {
        .device_id = device->device_id, .decision = "rotate", .reason = rollout->reason};
    if (device->epoch > device->old_epoch) {
        return cli_fleet_move(&rollout->fleet, device, FLEET_ASKED); /* it came after it was given up */
    }
    reply.status = 0;
    if (!cli_decision_ask(verb, &rollout->admin, &decision, &reply)) {
        /* Refused: the device is in another state by now. Not answered at all: nobody else will be either. */
        return reply.status != 0 && fail(rollout, device, "was not asked");
    }
    rollout->n_asked_here++;
    return cli_fleet_move(&rollout->fleet, device, FLEET_ASKED);
}

/* Asks those whose time has come. */
static bool ask_due(struct rollout *rollout)
{
    uint64_t due = (cli_monotonic_ms() - rollout->started_ms) * rollout->rate_per_min / 60000 + 1;
    struct fleet *fleet = &rollout->fleet;
    while (rollout->n_asked_here < due && rollout->next < fleet->n_devices &&
           !has_failed_too_often(rollout)) {
        struct fleet_device *device = &fleet->devices[rollout->next++];
        if (device->step == FLEET_TO_DO && !ask(rollout, device)) {
            return false;
        }
    }
    return true;
}

static bool look(struct rollout *rollout)
{
    struct fleet *fleet = &rollout->fleet;
    if (fleet->n_by_step[FLEET_ASKED] > 0 && !cli_fleet_look(fleet)) {
        return false;
    }
    uint64_t now_ms = cli_monotonic_ms();
    for (uint32_t i = 0; i < fleet->n_devices; i++) {
        struct fleet_device *device = &fleet->devices[i];
        bool is_good = true;
        if (device->step == FLEET_ASKED && cli_fleet_is_there(device)) {
            is_good = cli_fleet_move(fleet, device, FLEET_DONE);
        } else if (device->step == FLEET_ASKED && now_ms - device->asked_ms >= rollout->timeout_s * 1000) {
            is_good =
                fail(rollout, device,
                     device->is_rotating ? "has sent nothing under its new key in the time of --timeout"
                                         : "has no new key in the time of --timeout; the request stands");
        }
        if (!is_good) {
            return false;
        }
    }
    return true;
}

static int roll(struct rollout *rollout)
{
    uint64_t next_look_ms = 0;
    uint64_t next_tell_ms = rollout->started_ms + TELL_MS;
    for (;;) {
        uint64_t now_ms = cli_monotonic_ms();
        if (!ask_due(rollout)) {
            return end(rollout, "ended early", CLI_FAILED);
        }
        if (now_ms >= next_look_ms) {
            if (!look(rollout)) {
                return end(rollout, "ended early", CLI_FAILED);
            }
            next_look_ms = cli_monotonic_ms() + LOOK_MS;
        }
        if (has_failed_too_often(rollout)) {
            (void)fprintf(stderr,
                          "headrace rotate: stopped: more failures than --max-failures allows. Nothing "
                          "is lost by one; with the same --state-file it goes on here.\n");
            return end(rollout, "stopped", CLI_FAILED);
        }
        const uint32_t *n = rollout->fleet.n_by_step;
        if (n[FLEET_TO_DO] + n[FLEET_ASKED] == 0) {
            return n[FLEET_FAILED] == 0 ? end(rollout, "done", CLI_OK)
                                        : end(rollout, "done but for failures", CLI_INCOMPLETE);
        }
        if (now_ms >= next_tell_ms) {
            tell(rollout);
            next_tell_ms = now_ms + TELL_MS;
        }
        cli_pause_ms(TURN_MS);
    }
}

static int begin(struct rollout *rollout, const char *state_path, bool dry_run)
{
    struct fleet *fleet = &rollout->fleet;
    if (!cli_fleet_find(fleet) ||
        (state_path != NULL && !dry_run && !cli_fleet_remember(fleet, state_path))) {
        return CLI_FAILED;
    }
    (void)fprintf(rollout->is_json ? stderr : stdout,
                  "%" PRIu32 " devices, %" PRIu32 " a minute; %" PRIu32
                  " are passed over, for they are not active\n",
                  fleet->n_devices, rollout->rate_per_min, fleet->n_passed_over);
    rollout->started_ms = cli_monotonic_ms();
    return dry_run ? end(rollout, "dry run", CLI_OK) : roll(rollout);
}

/* ---- options ---- */

/* "30", "30/min", "5/s" or "1000/h"; false: no such rate of 1 a minute to 60,000. */
static bool take_rate(const char *text, uint32_t *per_min)
{
    char *unit = NULL;
    uint64_t n = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &unit, 10) : 0;
    if (n == 0 || n > 10000000) {
        return false;
    }
    if (strcmp(unit, "/s") == 0) {
        n *= 60;
    } else if (strcmp(unit, "/h") == 0) {
        n /= 60;
    } else if (unit[0] != '\0' && strcmp(unit, "/min") != 0) {
        return false;
    }
    *per_min = (uint32_t)n;
    return n >= 1 && n <= 60000;
}

/* "10" or "5%". */
static bool take_failures(const char *text, struct rollout *rollout)
{
    char *end_of = NULL;
    uint64_t n = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end_of, 10) : UINT64_MAX;
    if (n > 16777216) {
        return false;
    }
    rollout->max_failures = (uint32_t)n;
    rollout->is_percent = strcmp(end_of, "%") == 0;
    return (rollout->is_percent && n <= 100) || end_of[0] == '\0';
}

static bool take_options(const struct cli_arguments *given, struct rollout *rollout)
{
    const char *rate = cli_option_or(given, RATE, "60/min");
    const char *failures = cli_option_or(given, MAX_FAILURES, "5%");
    const char *timeout = cli_option_or(given, TIMEOUT, "1h");
    const char *wrong = !take_rate(rate, &rollout->rate_per_min) ? "--rate is such as 60/min, 5/s or 1000/h"
                        : !take_failures(failures, rollout) ? "--max-failures is a number or a share: 10, 5%"
                        : !cli_seconds(timeout, &rollout->timeout_s) ? "--timeout is a time such as 10m or 1h"
                                                                     : NULL;
    if (wrong != NULL) {
        (void)fprintf(stderr, "headrace rotate: %s\n", wrong);
    }
    rollout->reason = cli_option_or(given, REASON, "rotation");
    return wrong == NULL && cli_decision_reason_fits(verb, rollout->reason);
}

int cli_rotate(int argc, char **argv)
{
    static const struct cli_option options[] = {
        CLI_ADMIN_COMMON_OPTIONS,
        [ALL] = {"--all", NULL, true, 0, "Yes: every device that is active, or those of --name."},
        [RATE] = {"--rate", "N/min", false, 0,
                  "How many are asked in a time: 60/min, 5/s, 1000/h; default 60/min."},
        [NAME] = {"--name", "TEXT", false, 0, "Only those that have this in their name."},
        [STATE_FILE] = {"--state-file", "FILE", false, 0,
                        "Remembers how far each device is; given again, it goes on there."},
        [MAX_FAILURES] = {"--max-failures", "N|P%", false, 0,
                          "More than that many, or that share of the devices, stop it; default 5%."},
        [TIMEOUT] = {"--timeout", "TIME", false, 0,
                     "A device that delivers nothing under a new key in that time has failed; default 1h."},
        [REASON] = {"--reason", "TEXT", false, 0, "Why; stands in the audit entries. Default: rotation."},
        [DRY_RUN] = {"--dry-run", NULL, false, 0, "Tell how many there are, and ask none."},
    };
    static const struct cli_usage usage = {
        verb, NULL, options, sizeof options / sizeof options[0],
        "Has a fleet change its record keys gradually, and follows each device until it delivers under the "
        "new one.\nExit codes: 0 all have; 1 stopped by failures, or the aggregator can't be reached; 2 all "
        "but "
        "some that failed; 3 usage."};
    static struct rollout rollout;
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    if (!take_options(&given, &rollout)) {
        return CLI_USAGE;
    }
    if (!cli_admin_find(verb, &given, &rollout.admin)) {
        return CLI_FAILED;
    }
    rollout.is_json = given.n_values[CLI_ADMIN_JSON] > 0;
    rollout.fleet =
        (struct fleet){.verb = verb, .admin = &rollout.admin, .name = cli_option_or(&given, NAME, NULL)};
    int code = begin(&rollout, cli_option_or(&given, STATE_FILE, NULL), given.n_values[DRY_RUN] > 0);
    cli_fleet_end(&rollout.fleet);
    return code;
}
