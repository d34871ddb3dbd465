/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/cli.h"
#include "tools/cli/enrol.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

#include "proto/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct hr_status decide(const char *registry, uint64_t device_id, enum ledger_device_state state,
                               const char *reason)
{
    struct cli_path path;
    struct ledger_device device;
    HR_TRY(cli_entry_path(registry, device_id, &path));
    struct hr_status status = cli_entry_read(&path, &device);
    if (hr_is(status, HR_NOT_FOUND)) {
        (void)fprintf(stderr, "headrace: %s is not there\n", path.text);
    }
    HR_TRY(status);
    device.state = state;
    device.revision++;
    (void)snprintf(device.reason, sizeof(device.reason), "%s", reason);
    HR_TRY(cli_entry_write(&path, &device, true));
    (void)printf("wrote %s: revision %" PRIu32 "\n", path.text, device.revision);
    return hr_ok();
}

static int cli_device_decide(int argc, char **argv, const char *verb, enum ledger_device_state state)
{
    enum { REGISTRY, REASON };
    static const struct cli_option options[] = {
        {"--registry", "DIR", true, 1, "The aggregator's registry directory."},
        {"--reason", "TEXT", true, 1, "Why; stands in the entry and in the ledger. At most 63 characters."},
    };
    char full_verb[32];
    (void)snprintf(full_verb, sizeof(full_verb), "device %s", verb);
    const struct cli_usage usage = {full_verb, "DEVICE_ID", options, HR_ARRAY_LEN(options),
                                    "Rewrites the device's registry entry with the next revision. A running "
                                    "aggregator follows within a second."};
    struct cli_arguments given;
    enum cli_parsed parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed == CLI_HELPED ? CLI_OK : CLI_USAGE;
    }
    uint64_t device_id = 0;
    if (!cli_number(given.positional, CLI_DEVICE_ID_MAX, &device_id)) {
        (void)fprintf(stderr, "headrace %s: '%s' is no device id\n", full_verb, given.positional);
        return CLI_USAGE;
    }
    const char *reason = given.values[REASON][0];
    size_t len = strlen(reason);
    if (len == 0 || len > LEDGER_NAME_MAX_CHARS || strpbrk(reason, "\r\n\t") != NULL) {
        (void)fprintf(stderr, "headrace %s: --reason is one line of 1 to %d characters\n", full_verb,
                      LEDGER_NAME_MAX_CHARS);
        return CLI_USAGE;
    }
    return hr_is_ok(decide(given.values[REGISTRY][0], device_id, state, reason)) ? CLI_OK : CLI_FAILED;
}

int cli_device(int argc, char **argv)
{
    static const struct {
        const char *verb;
        enum ledger_device_state state;
    } decisions[] = {
        {"activate", LEDGER_DEVICE_ACTIVE},
        {"quarantine", LEDGER_DEVICE_QUARANTINED},
        {"revoke", LEDGER_DEVICE_REVOKED},
        {"retire", LEDGER_DEVICE_RETIRED},
    };
    const char *verb = argc >= 2 ? argv[1] : "";
    if (strcmp(verb, "enrol") == 0) {
        return cli_device_enrol(argc - 1, argv + 1);
    }
    if (strcmp(verb, "show") == 0) {
        return cli_device_show(argc - 1, argv + 1);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(decisions); i++) {
        if (strcmp(verb, decisions[i].verb) == 0) {
            return cli_device_decide(argc - 1, argv + 1, verb, decisions[i].state);
        }
    }
    (void)fputs(
        "usage: headrace device enrol --ca DIR --registry DIR --out DIR --name NAME [--board BOARD] [...]\n"
        "       headrace device show MEMORY\n"
        "       headrace device activate|quarantine|revoke|retire DEVICE_ID --registry DIR --reason TEXT\n",
        stderr);
    return CLI_USAGE;
}
