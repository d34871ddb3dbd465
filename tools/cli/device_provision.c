/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace device claim`, `device provision` and `device replace`. */
#include "firmware/net/client.h"
#include "tools/cli/cli.h"
#include "tools/cli/provision.h"
#include "tools/cli/token_keys.h"
#include "tools/cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERIAL = CLI_ADMIN_N_COMMON, DRY_RUN, FIRST_OF_VERB };
enum { CLAIM_NAME = FIRST_OF_VERB, CLAIM_SITE, CLAIM_TENANT, CLAIM_DEVICE };
enum { CONSOLE = FIRST_OF_VERB, SOCKET, AUTHORITY, AGGREGATOR, SERVER_NAME, WAIT, YES, PKCS11 };
enum { BODY_CHARS = 1024, WAIT_DEFAULT_S = 120, WAIT_MAX_S = 86400 };

#define DRY_RUN_OPTION                                                                                       \
    [DRY_RUN] = {"--dry-run", NULL, false, 0, "Tell what would be done, and change nothing."}

/* ---- claim ---- */

/* What stands in a body without being escaped. */
static bool is_plain(const char *text)
{
    bool good = text[0] != '\0' && strlen(text) < PROVISION_TEXT_CHARS;
    for (size_t i = 0; text[i] != '\0'; i++) {
        good = good && text[i] >= ' ' && text[i] <= '~' && text[i] != '"' && text[i] != '\\';
    }
    return good;
}

static bool claim_body(const struct cli_arguments *given, char *out, size_t capacity)
{
    static const struct {
        size_t option;
        const char *key;
    } texts[] = {{SERIAL, "serial"}, {CLAIM_NAME, "name"}, {CLAIM_SITE, "site"}, {CLAIM_TENANT, "tenant"}};
    size_t at = 0;
    for (size_t i = 0; i < HR_ARRAY_LEN(texts); i++) {
        const char *text = cli_option_or(given, texts[i].option, NULL);
        if (text != NULL && !is_plain(text)) {
            (void)fprintf(stderr,
                          "headrace device claim: --%s is 1 to 63 ASCII characters without quotes and "
                          "backslashes\n",
                          texts[i].key);
            return false;
        }
        if (text != NULL) {
            at += (size_t)snprintf(out + at, capacity - at, "%s\"%s\":\"%s\"", at == 0 ? "{" : ",",
                                   texts[i].key, text);
        }
    }
    uint64_t device_id = 0;
    const char *wanted = cli_option_or(given, CLAIM_DEVICE, NULL);
    if (wanted != NULL && (!cli_number(wanted, CLI_DEVICE_ID_MAX, &device_id) || device_id == 0)) {
        (void)fprintf(stderr, "headrace device claim: '%s' is no device id\n", wanted);
        return false;
    }
    if (device_id != 0) {
        at += (size_t)snprintf(out + at, capacity - at, ",\"device_id\":%" PRIu64, device_id);
    }
    (void)snprintf(out + at, capacity - at, ",\"dry_run\":%s%s",
                   given->n_values[DRY_RUN] > 0 ? "true" : "false", cli_provision_signed());
    return true;
}

int cli_device_claim(int argc, char **argv)
{
    static const struct cli_option options[] = {
        CLI_ADMIN_COMMON_OPTIONS,
        [SERIAL] = {"--serial", "SERIAL", true, 0, "Of the hardware, as it stands on its case."},
        DRY_RUN_OPTION,
        [CLAIM_NAME] = {"--name", "NAME", true, 0, "What people call the device."},
        [CLAIM_SITE] = {"--site", "TEXT", false, 0, "Where it stands."},
        [CLAIM_TENANT] = {"--tenant", "NAME", false, 0, "Whose it is; default: default."},
        [CLAIM_DEVICE] = {"--device-id", "ID", false, 0, "Default: the next one."},
    };
    const struct cli_usage usage = {"device claim", NULL, options, HR_ARRAY_LEN(options),
                                    "Tells the registry that this hardware is to be a device. Said again, it "
                                    "gives the same answer."};
    static struct cli_admin_reply reply;
    struct cli_arguments given;
    struct cli_admin admin;
    char body[BODY_CHARS];
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    if (!claim_body(&given, body, sizeof body)) {
        return CLI_USAGE;
    }
    struct hr_bytes row;
    const char *rest = reply.body;
    if (!cli_admin_find(usage.verb, &given, &admin) ||
        !cli_admin_get(usage.verb, &admin, "/claims", body, &reply) || !cli_row_next(&rest, &row)) {
        return CLI_FAILED;
    }
    if (given.n_values[CLI_ADMIN_JSON] > 0) {
        (void)fputs(reply.body, stdout);
        return CLI_OK;
    }
    char state[PROVISION_TEXT_CHARS];
    cli_row_text(row, "state", state, sizeof state);
    (void)printf("%s is device %" PRIu64 ", %s: %s%s\n", given.values[SERIAL][0],
                 cli_row_number(row, "device_id"), given.values[CLAIM_NAME][0], state,
                 given.n_values[DRY_RUN] > 0 ? " (a dry run: nothing was changed)" : "");
    return CLI_OK;
}

/* ---- provision, replace ---- */

static bool take_line(const struct cli_arguments *given, struct provision *provision)
{
    const char *console = cli_option_or(given, CONSOLE, NULL);
    const char *socket = cli_option_or(given, SOCKET, NULL);
    struct hr_status status = cli_device_line_open(&provision->line, console != NULL ? console : socket);
    if (!hr_is_ok(status)) {
        (void)fprintf(stderr, "headrace %s: %s\n", provision->verb, provision->line.why);
    }
    return hr_is_ok(status);
}

static bool take_options(const struct cli_arguments *given, struct provision *provision)
{
    if ((given->n_values[CONSOLE] > 0) == (given->n_values[SOCKET] > 0)) {
        (void)fprintf(stderr, "headrace %s: give either --console or --socket\n", provision->verb);
        return false;
    }
    provision->serial = cli_option_or(given, SERIAL, NULL);
    provision->authority = given->values[AUTHORITY][0];
    provision->server_name = given->values[SERVER_NAME][0];
    provision->n_aggregators = given->n_values[AGGREGATOR];
    for (size_t i = 0; i < provision->n_aggregators; i++) {
        struct net_address address;
        provision->aggregators[i] = given->values[AGGREGATOR][i];
        if (!hr_is_ok(net_address_parse(provision->aggregators[i], &address))) {
            (void)fprintf(
                stderr,
                "headrace %s: --aggregator %s is not coaps://HOST[:PORT] or coaps+tcp://HOST[:PORT]\n",
                provision->verb, provision->aggregators[i]);
            return false;
        }
    }
    provision->is_json = given->n_values[CLI_ADMIN_JSON] > 0;
    provision->dry_run = given->n_values[DRY_RUN] > 0;
    provision->wait_s = WAIT_DEFAULT_S;
    const char *wait = cli_option_or(given, WAIT, NULL);
    if (wait != NULL && !cli_number(wait, WAIT_MAX_S, &provision->wait_s)) {
        (void)fprintf(stderr, "headrace %s: --wait is seconds, at most %d\n", provision->verb, WAIT_MAX_S);
        return false;
    }
    return true;
}

static bool is_meant(const struct cli_arguments *given, const struct provision *provision)
{
    if (provision->replaces == 0 || provision->dry_run || given->n_values[YES] > 0) {
        return true;
    }
    char typed[PROVISION_TEXT_CHARS] = "";
    if (!isatty(STDIN_FILENO)) {
        (void)fprintf(stderr,
                      "headrace %s: the old hardware is shut out for good; without a terminal to ask "
                      "at, say --yes\n",
                      provision->verb);
        return false;
    }
    (void)fprintf(stderr, "the hardware that was device %" PRIu64 " is shut out for good. Type its number: ",
                  provision->replaces);
    const bool is_said = fgets(typed, sizeof typed, stdin) != NULL;
    return is_said && strtoull(typed, NULL, 10) == provision->replaces;
}

int cli_device_provision(int argc, char **argv, bool is_replace)
{
    static const struct cli_option options[] = {
        CLI_ADMIN_COMMON_OPTIONS,
        [SERIAL] = {"--serial", "SERIAL", false, 0, "That the device must have; default: whatever it says."},
        DRY_RUN_OPTION,
        [CONSOLE] = {"--console", "PORT", false, 0, "Of a board: /dev/ttyX or tcp://HOST:PORT."},
        [SOCKET] = {"--socket", "PATH", false, 0, "Of a gateway: DIR/provision.sock of its identity."},
        [AUTHORITY] = {"--dir", "DIR", true, 0, "The authority's directory: signs the device."},
        [AGGREGATOR] = {"--aggregator", "URI", true, IMAGE_MAX_AGGREGATORS,
                        "Where it delivers: coaps://HOST:PORT; tried in this order."},
        [SERVER_NAME] = {"--server-name", "NAME", true, 0, "In the aggregators' certificates."},
        [WAIT] = {"--wait", "SECONDS", false, 0, "For its first batch; default 120."},
        [YES] = {"--yes", NULL, false, 0, "Do not ask (replace)."},
        [PKCS11] = CLI_TOKEN_OPTIONS,
    };
    static struct provision provision;
    const struct cli_usage usage = {
        is_replace ? "device replace" : "device provision", is_replace ? "DEVICE_ID" : NULL, options,
        HR_ARRAY_LEN(options),
        is_replace ? "Gives a device other hardware: same name and number, a new key epoch and stream. The "
                     "old hardware is\nshut out. Said again, it completes what was begun."
                   : "Makes hardware that was claimed a device that delivers. Said again after any "
                     "interruption, it\ncompletes what was begun."};
    struct cli_arguments given;
    provision = (struct provision){.verb = usage.verb, .line = {.fd = -1}};
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    cli_token_override(&given, PKCS11);
    if (is_replace &&
        (!cli_number(given.positional, CLI_DEVICE_ID_MAX, &provision.replaces) || provision.replaces == 0)) {
        (void)fprintf(stderr, "headrace %s: '%s' is no device id\n", usage.verb, given.positional);
        return CLI_USAGE;
    }
    if (!take_options(&given, &provision) || !is_meant(&given, &provision)) {
        return CLI_USAGE;
    }
    if (!cli_admin_find(usage.verb, &given, &provision.admin) || !take_line(&given, &provision)) {
        return CLI_FAILED;
    }
    struct hr_status status = cli_provision(&provision);
    cli_device_line_close(&provision.line);
    return hr_is_ok(status) ? CLI_OK : CLI_FAILED;
}
