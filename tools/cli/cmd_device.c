/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/cli.h"
#include "tools/cli/enrol.h"
#include "tools/cli/nearest.h"
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
    if (cli_files_are_json()) {
        cli_file_tell(path.text);
    } else {
        (void)printf("wrote %s: revision %" PRIu32 "%s\n", path.text, device.revision, cli_files_dry_note());
    }
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
    cli_options_of_files();
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    uint64_t device_id = 0;
    if (!cli_device_id(full_verb, given.positional, &device_id)) {
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

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], word) == 0) {
            return true;
        }
    }
    return false;
}

/* Without --registry a running aggregator is asked; `activate` is of files alone. */
static int decide_by(int argc, char **argv, bool *is_decision)
{
    static const struct {
        const char *verb;
        enum ledger_device_state state;
        bool needs_yes;
        bool is_of_files;
    } decisions[] = {
        {"activate", LEDGER_DEVICE_ACTIVE, false, true},
        {"release", LEDGER_DEVICE_ACTIVE, false, false},
        {"revoke", LEDGER_DEVICE_REVOKED, true, false},
        {"retire", LEDGER_DEVICE_RETIRED, true, false},
        {"quarantine", LEDGER_DEVICE_QUARANTINED, false, false},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(decisions); i++) {
        if (strcmp(argv[0], decisions[i].verb) != 0) {
            continue;
        }
        *is_decision = true;
        return decisions[i].is_of_files || has_word(argc, argv, "--registry")
                   ? cli_device_decide(argc, argv, argv[0], decisions[i].state)
                   : cli_device_decide_online(argc, argv, argv[0], decisions[i].needs_yes);
    }
    *is_decision = false;
    return CLI_USAGE;
}

int cli_device(int argc, char **argv)
{
    const char *verb = argc >= 2 ? argv[1] : "";
    if (strcmp(verb, "enrol") == 0) {
        return cli_device_enrol(argc - 1, argv + 1);
    }
    if (strcmp(verb, "factory") == 0) {
        return cli_device_factory(argc - 1, argv + 1);
    }
    if (strcmp(verb, "claim") == 0) {
        return cli_device_claim(argc - 1, argv + 1);
    }
    if (strcmp(verb, "provision") == 0 || strcmp(verb, "replace") == 0) {
        return cli_device_provision(argc - 1, argv + 1, strcmp(verb, "replace") == 0);
    }
    if (strcmp(verb, "list") == 0) {
        return cli_device_list(argc - 1, argv + 1);
    }
    if (strcmp(verb, "show") == 0) {
        bool is_of_registry = has_word(argc, argv, "--admin") || has_word(argc, argv, "--config");
        return is_of_registry ? cli_device_registered(argc - 1, argv + 1)
                              : cli_device_show(argc - 1, argv + 1);
    }
    if (strcmp(verb, "rotate") == 0) {
        return cli_device_rotate(argc - 1, argv + 1);
    }
    if (strcmp(verb, "readmit") == 0) {
        return cli_device_readmit(argc - 1, argv + 1);
    }
    bool is_decision = false;
    int decided = argc >= 2 ? decide_by(argc - 1, argv + 1, &is_decision) : CLI_USAGE;
    if (is_decision) {
        return decided;
    }
    static const char *const words[] = {"enrol",  "factory", "claim",   "provision",  "replace",
                                        "list",   "show",    "rotate",  "quarantine", "release",
                                        "revoke", "retire",  "readmit", "activate"};
    FILE *out = cli_help_begin("device", argc >= 2 ? verb : NULL, words, HR_ARRAY_LEN(words));
    (void)fputs(
        "usage: headrace device enrol --ca DIR --registry DIR --out DIR --name NAME [--board BOARD] [...]\n"
        "       headrace device factory --board BOARD --serial SERIAL --out DIR\n"
        "       headrace device claim --serial SERIAL --name NAME [--site TEXT] [...]\n"
        "       headrace device provision --console PORT|--socket PATH --dir DIR --aggregator URI "
        "--server-name NAME [...]\n"
        "       headrace device replace DEVICE_ID --console PORT|--socket PATH --dir DIR --aggregator URI "
        "--server-name NAME [...]\n"
        "       headrace device list [--state STATE] [--name TEXT] [--json]\n"
        "       headrace device show DEVICE_ID --admin URL|--config YAML\n"
        "       headrace device show MEMORY\n"
        "       headrace device quarantine|release|revoke|retire DEVICE_ID --reason TEXT [--dry-run] "
        "[--yes]\n"
        "       headrace device revoke DEVICE_ID --from-seq STREAM/SEQ --reason TEXT [--dry-run] [--yes]\n"
        "       headrace device rotate DEVICE_ID [--transport] [--wait] [--dry-run]\n"
        "       headrace device readmit DEVICE_ID --reason TEXT [--key HEX] [--dry-run]\n"
        "       headrace device activate|quarantine|revoke|retire DEVICE_ID --registry DIR --reason TEXT\n",
        out);
    return cli_help_end(out);
}
