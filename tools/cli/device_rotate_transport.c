/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace device rotate --transport`: another transport key, and the certificate for it. */
#include "tools/cli/admin_rows.h"
#include "tools/cli/cli.h"
#include "tools/cli/decision.h"
#include "tools/cli/device_rotate.h"
#include "tools/cli/rotation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { POLL_MS = 500, STATE_CHARS = 16, KEY_CHARS = 65, TIME_CHARS = 32, PATH_CHARS = 64 };

/* How far a device is, as the registry has it. */
struct progress {
    char state[STATE_CHARS]; /* of the device */
    bool is_asked;           /* and no certificate has come of it */
    uint32_t number;         /* of its newest transport key; 0: none is known */
    bool is_used;            /* that one, by a session */
    char key[KEY_CHARS];     /* its digest */
};

static const char verb[] = "device rotate";

static bool look(const struct cli_rotate_request *request, struct progress *out)
{
    static struct cli_admin_reply reply;
    char path[PATH_CHARS];
    struct hr_bytes row;
    const char *rest = reply.body;
    (void)snprintf(path, sizeof path, "/devices/%" PRIu64, request->device_id);
    if (!cli_admin_get(verb, &request->admin, path, NULL, &reply) || !cli_row_next(&rest, &row)) {
        return false;
    }
    *out = (struct progress){.is_asked = cli_row_flag(row, "wants_transport")};
    cli_row_text(row, "state", out->state, sizeof out->state);
    while (cli_row_next(&rest, &row)) {
        char first_used[TIME_CHARS];
        if (cli_row_number(row, "number") == 0) {
            continue; /* a record key */
        }
        out->number = (uint32_t)cli_row_number(row, "number");
        cli_row_text(row, "transport_key", out->key, sizeof out->key);
        cli_row_text(row, "first_used", first_used, sizeof first_used);
        out->is_used = first_used[0] != '\0';
    }
    return true;
}

static void tell(const struct cli_rotate_request *request, const struct progress *now, const char *text)
{
    if (!request->is_json) {
        (void)printf("device %" PRIu64 ": %s", request->device_id, text);
        (void)printf(now->number != 0 ? " (transport key %" PRIu32 ", %.16s)\n" : "\n", now->number,
                     now->key);
        (void)fflush(stdout);
    }
}

static int end(const struct cli_rotate_request *request, const char *outcome, uint32_t old_number,
               const struct progress *now, int code)
{
    if (request->is_json) {
        (void)printf("{\"device_id\":%" PRIu64 ",\"outcome\":\"%s\",\"state\":\"%s\",\"old_number\":%" PRIu32
                     ",\"number\":%" PRIu32 ",\"transport_key\":\"%s\"}\n",
                     request->device_id, outcome, now->state, old_number, now->number, now->key);
    }
    return code;
}

/* Two steps come from the device: it asks for a certificate, and opens a session with it. */
static int follow(const struct cli_rotate_request *request, uint32_t old_number, struct progress now)
{
    uint64_t end_ms = cli_monotonic_ms() + request->timeout_s * 1000;
    bool was_certified = false;
    for (;;) {
        bool is_certified = now.number > old_number;
        if (is_certified && !was_certified) {
            was_certified = true;
            tell(request, &now, "another key is certified");
        }
        if (is_certified && now.is_used) {
            tell(request, &now, "a session was opened with it; the older ones end by themselves");
            return end(request, "rotated", old_number, &now, CLI_OK);
        }
        if (cli_monotonic_ms() >= end_ms) {
            break;
        }
        cli_pause_ms(POLL_MS);
        if (!look(request, &now)) {
            return CLI_FAILED;
        }
    }
    (void)fprintf(stderr,
                  "headrace %s: device %" PRIu64 " %s; nothing is lost: the key that it has goes on working. "
                  "Say it again to wait on.\n",
                  verb, request->device_id,
                  was_certified ? "has a certificate, and has opened no session with it"
                                : "has not asked for a certificate: it is away, or can't make another key");
    return end(request, was_certified ? "certified" : "asked", old_number, &now, CLI_INCOMPLETE);
}

int cli_device_rotate_transport(const struct cli_rotate_request *request)
{
    static struct cli_admin_reply reply;
    struct progress before;
    struct hr_bytes row;
    const char *rest = reply.body;
    const struct cli_decision decision = {.device_id = request->device_id,
                                          .decision = "rotate_transport",
                                          .reason = request->reason,
                                          .dry_run = request->dry_run};
    if (!look(request, &before) || !cli_decision_ask(verb, &request->admin, &decision, &reply) ||
        !cli_row_next(&rest, &row)) {
        return CLI_FAILED;
    }
    /* Neither asked for nor new: the one that was asked for before is certified, and waits for its session.
     */
    const bool is_new = cli_row_flag(row, "changed");
    const bool is_on_its_way = !is_new && !before.is_asked;
    const uint32_t old_number = before.number - (is_on_its_way ? 1 : 0);
    if (request->dry_run) {
        tell(request, &before, "would be asked for another transport key; nothing was changed");
        return end(request, "dry run", old_number, &before, CLI_OK);
    }
    tell(request, &before,
         is_new          ? "is asked for another transport key"
         : is_on_its_way ? "has a certificate for another transport key already"
                         : "was asked for another transport key already");
    return request->waits ? follow(request, old_number, before)
                          : end(request, is_on_its_way ? "certified" : "asked", old_number, &before, CLI_OK);
}
