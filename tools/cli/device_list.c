/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace device list`, `headrace device show DEVICE_ID` and `headrace audit`: the registry as an
 * aggregator has committed it. */
#include "proto/base/assert.h"
#include "tools/cli/admin_rows.h"
#include "tools/cli/cli.h"
#include "tools/cli/verbs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_CHARS = 128, KEY_SHOWN_CHARS = 16, PATH_CHARS = 96 };

static struct cli_admin_reply reply;

/* ---- what is printed ---- */

struct listing {
    const char *verb;
    const char *id_key; /* of a row, for the next page */
    bool is_json;
    const char *state;     /* NULL: all */
    const char *name;      /* likewise; a part of it */
    uint64_t bundle_below; /* 0: whatever bundle it has */
    uint64_t n_rows;
};

static bool is_wanted(const struct listing *listing, struct hr_bytes row)
{
    char text[TEXT_CHARS];
    cli_row_text(row, "state", text, sizeof text);
    if (listing->state != NULL && strcmp(listing->state, text) != 0) {
        return false;
    }
    cli_row_text(row, "name", text, sizeof text);
    bool is_named = listing->name == NULL || strstr(text, listing->name) != NULL;
    return is_named && (listing->bundle_below == 0 || cli_row_number(row, "bundle") < listing->bundle_below);
}

static void print_device(struct hr_bytes row, bool is_first)
{
    char name[TEXT_CHARS], tenant[TEXT_CHARS], state[TEXT_CHARS], key[TEXT_CHARS], reason[TEXT_CHARS];
    cli_row_text(row, "name", name, sizeof name);
    cli_row_text(row, "tenant", tenant, sizeof tenant);
    cli_row_text(row, "state", state, sizeof state);
    cli_row_text(row, "key", key, sizeof key);
    cli_row_text(row, "reason", reason, sizeof reason);
    if (is_first) {
        (void)printf("%-19s  %-16s  %-11s  %8s  %5s  %-16s  %-12s  %s\n", "DEVICE", "NAME", "STATE",
                     "REVISION", "EPOCH", "KEY", "TENANT", "REASON");
    }
    (void)printf("%-19" PRIu64 "  %-16s  %-11s  %8" PRIu64 "  %5" PRIu64 "  %-16.*s  %-12s  %s\n",
                 cli_row_number(row, "device_id"), name, state, cli_row_number(row, "revision"),
                 cli_row_number(row, "epoch"), KEY_SHOWN_CHARS, key[0] != '\0' ? key : "none", tenant,
                 reason);
}

static void print_audit(struct hr_bytes row, bool is_first)
{
    char at[TEXT_CHARS], actor[TEXT_CHARS], action[TEXT_CHARS], before[TEXT_CHARS], after[TEXT_CHARS];
    char old_key[TEXT_CHARS], new_key[TEXT_CHARS], reason[TEXT_CHARS];
    cli_row_text(row, "at", at, sizeof at);
    cli_row_text(row, "actor", actor, sizeof actor);
    cli_row_text(row, "action", action, sizeof action);
    cli_row_text(row, "before", before, sizeof before);
    cli_row_text(row, "after", after, sizeof after);
    cli_row_text(row, "old_key", old_key, sizeof old_key);
    cli_row_text(row, "new_key", new_key, sizeof new_key);
    cli_row_text(row, "reason", reason, sizeof reason);
    if (is_first) {
        (void)printf("%6s  %-24s  %-19s  %-16s  %-14s  %-24s  %-16s  %s\n", "ENTRY", "AT", "DEVICE", "BY",
                     "DID", "STATE", "KEY", "REASON");
    }
    bool is_moved = before[0] != '\0' && strcmp(before, after) != 0;
    char states[2 * TEXT_CHARS + 8];
    (void)snprintf(states, sizeof states, "%s%s%s", is_moved ? before : "", is_moved ? " > " : "", after);
    (void)printf("%6" PRIu64 "  %-24s  %-19" PRIu64 "  %-16s  %-14s  %-24s  %.*s%s  %s\n",
                 cli_row_number(row, "id"), at, cli_row_number(row, "device_id"), actor, action, states,
                 KEY_SHOWN_CHARS, new_key[0] != '\0' ? new_key : "none            ",
                 strcmp(old_key, new_key) == 0 || before[0] == '\0' ? " " : "*", reason);
}

/* ---- page by page ---- */

/* base NULL: of the registry. */
static int list_pages(const struct cli_admin *admin, struct listing *listing, const char *base,
                      void (*print)(struct hr_bytes row, bool is_first))
{
    uint64_t after = 0;
    bool has_more = true;
    if (listing->is_json) {
        (void)fputs("[", stdout);
    }
    while (has_more) {
        char path[CLI_ADMIN_PATH_CHARS];
        if (base == NULL) {
            cli_admin_devices_path(after, listing->name, listing->state, path);
        } else {
            (void)snprintf(path, sizeof path, "%s/after/%" PRIu64, base, after);
        }
        if (!cli_admin_get(listing->verb, admin, path, NULL, &reply)) {
            return CLI_FAILED;
        }
        const char *rest = strchr(reply.body, '[');
        struct hr_bytes row;
        has_more = false;
        while (rest != NULL && cli_row_next(&rest, &row)) {
            uint64_t id = cli_row_number(row, listing->id_key);
            if (id <= after) {
                (void)fprintf(stderr, "headrace %s: the aggregator's list has a row that can't be read\n",
                              listing->verb);
                return CLI_FAILED;
            }
            has_more = true;
            after = id;
            if (!is_wanted(listing, row)) {
                continue;
            }
            if (listing->is_json) {
                (void)fputs(listing->n_rows > 0 ? ",\n " : "", stdout);
                cli_row_print(row);
            } else {
                print(row, listing->n_rows == 0);
            }
            listing->n_rows++;
        }
    }
    (void)fputs(listing->is_json ? "]\n" : "", stdout);
    return CLI_OK;
}

/* CLI_PARSED, or what to end with. */
static int begin(const struct cli_usage *usage, int argc, char **argv, struct cli_arguments *given,
                 struct cli_admin *admin)
{
    int parsed = cli_options_parse(usage, argc, argv, given);
    return parsed == CLI_PARSED && !cli_admin_find(usage->verb, given, admin) ? CLI_FAILED : parsed;
}

static bool is_state(const char *text)
{
    static const char *const names[] = {"claimed",     "enrolled", "active", "rotating",
                                        "quarantined", "revoked",  "retired"};
    bool is_known = false;
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++) {
        is_known = is_known || strcmp(names[i], text) == 0;
    }
    return is_known;
}

int cli_device_list(int argc, char **argv)
{
    enum { STATE = CLI_ADMIN_N_COMMON, NAME, BUNDLE_BELOW };
    static const struct cli_option options[] = {
        CLI_ADMIN_COMMON_OPTIONS,
        [STATE] = {"--state", "STATE", false, 0,
                   "Only those: claimed, enrolled, active, rotating, quarantined, revoked, retired."},
        [NAME] = {"--name", "TEXT", false, 0, "Only those that have this in their name."},
        [BUNDLE_BELOW] = {"--bundle-below", "N", false, 0,
                          "Only those that are not known to have version N of the trust bundle."},
    };
    static const struct cli_usage usage = {"device list", NULL, options, HR_ARRAY_LEN(options),
                                           "Lists the registry of a running aggregator, as it is committed. "
                                           "KEY is the beginning of the SHA-256 of the\n"
                                           "newest record key."};
    struct cli_arguments given;
    struct cli_admin admin;
    int begun = begin(&usage, argc, argv, &given, &admin);
    if (begun != CLI_PARSED) {
        return begun;
    }
    struct listing listing = {.verb = usage.verb,
                              .id_key = "device_id",
                              .is_json = given.n_values[CLI_ADMIN_JSON] > 0,
                              .state = cli_option_or(&given, STATE, NULL),
                              .name = cli_option_or(&given, NAME, NULL)};
    if (listing.state != NULL && !is_state(listing.state)) {
        (void)fprintf(stderr, "headrace device list: '%s' is no state\n", listing.state);
        return CLI_USAGE;
    }
    const char *below = cli_option_or(&given, BUNDLE_BELOW, NULL);
    if (below != NULL &&
        (!cli_number(below, UINT32_MAX, &listing.bundle_below) || listing.bundle_below == 0)) {
        (void)fprintf(stderr, "headrace device list: --bundle-below is a version, from 1 on\n");
        return CLI_USAGE;
    }
    return list_pages(&admin, &listing, NULL, print_device);
}

int cli_audit(int argc, char **argv)
{
    static const struct cli_option options[] = {CLI_ADMIN_COMMON_OPTIONS};
    static const struct cli_usage usage = {"audit", "[DEVICE_ID]", options, HR_ARRAY_LEN(options),
                                           "Lists who changed what of a device, or of all, in the order of "
                                           "commit. KEY is the record key behind\n"
                                           "the change; a * marks another one than before."};
    struct cli_arguments given;
    struct cli_admin admin;
    uint64_t device_id = 0;
    int begun = begin(&usage, argc, argv, &given, &admin);
    if (begun != CLI_PARSED) {
        return begun;
    }
    char base[PATH_CHARS] = "/audit";
    if (given.positional != NULL) {
        if (!cli_device_id(usage.verb, given.positional, &device_id)) {
            return CLI_USAGE;
        }
        (void)snprintf(base, sizeof base, "/devices/%" PRIu64 "/audit", device_id);
    }
    struct listing listing = {
        .verb = usage.verb, .id_key = "id", .is_json = given.n_values[CLI_ADMIN_JSON] > 0};
    return list_pages(&admin, &listing, base, print_audit);
}

/* ---- one device ---- */

static void print_key(struct hr_bytes row)
{
    char key[TEXT_CHARS];
    cli_row_text(row, "key", key, sizeof key);
    (void)printf("record key   epoch %" PRIu64 "  %s\n             from stream %" PRIu64 " batch %" PRIu64,
                 cli_row_number(row, "epoch"), key, cli_row_number(row, "from_stream"),
                 cli_row_number(row, "from_seq"));
    uint64_t to_stream = cli_row_number(row, "to_stream");
    uint64_t to_seq = cli_row_number(row, "to_seq");
    if (cli_row_has_number(row, "to_stream")) {
        (void)printf(", before stream %" PRIu64 " batch %" PRIu64, to_stream, to_seq);
    }
    (void)printf("%s\n", cli_row_flag(row, "revoked") ? ", revoked" : "");
}

static void print_transport_key(struct hr_bytes row)
{
    static const char *const times[][2] = {{"issued", "issued"},
                                           {"first_used", "first used"},
                                           {"ends", "ends"},
                                           {"expires", "certificate until"}};
    char key[TEXT_CHARS], state[TEXT_CHARS], time[TEXT_CHARS];
    cli_row_text(row, "transport_key", key, sizeof key);
    cli_row_text(row, "key_state", state, sizeof state);
    (void)printf("transport    %" PRIu64 "  %.16s  %s\n            ", cli_row_number(row, "number"), key,
                 state);
    for (size_t i = 0; i < HR_ARRAY_LEN(times); i++) {
        cli_row_text(row, times[i][0], time, sizeof time);
        if (time[0] != '\0') {
            (void)printf(" %s %.16sZ%s", times[i][1], time, i + 1 < HR_ARRAY_LEN(times) ? "," : "");
        }
    }
    (void)printf("\n");
}

static void print_cut(struct hr_bytes row)
{
    char cut[TEXT_CHARS];
    cli_row_text(row, "cut", cut, sizeof cut);
    if (cut[0] != '\0') {
        (void)printf("revoked from %" PRIu64 "/%" PRIu64 " on; %s\n", cli_row_number(row, "cut_stream"),
                     cli_row_number(row, "cut_seq"),
                     strcmp(cut, "open") == 0 ? "what stands before it is still taken"
                                              : "nothing more is taken");
    }
}

static void print_registered(const char *rest)
{
    struct hr_bytes row;
    bool is_first = true;
    while (cli_row_next(&rest, &row)) {
        char name[TEXT_CHARS], tenant[TEXT_CHARS], state[TEXT_CHARS], reason[TEXT_CHARS];
        if (!is_first) {
            if (cli_row_number(row, "number") != 0) {
                print_transport_key(row);
            } else {
                print_key(row);
            }
            continue;
        }
        is_first = false;
        cli_row_text(row, "name", name, sizeof name);
        cli_row_text(row, "tenant", tenant, sizeof tenant);
        cli_row_text(row, "state", state, sizeof state);
        cli_row_text(row, "reason", reason, sizeof reason);
        (void)printf("device       %" PRIu64 "\nname         %s\ntenant       %s\nstate        %s%s%s\n"
                     "revision     %" PRIu64 "\n",
                     cli_row_number(row, "device_id"), name, tenant, state, reason[0] != '\0' ? ": " : "",
                     reason, cli_row_number(row, "revision"));
        if (cli_row_number(row, "bundle") != 0) {
            (void)printf("trust bundle version %" PRIu64 "\n", cli_row_number(row, "bundle"));
        }
        print_cut(row);
    }
}

int cli_device_registered(int argc, char **argv)
{
    static const struct cli_option options[] = {CLI_ADMIN_COMMON_OPTIONS};
    static const struct cli_usage usage = {"device show", "DEVICE_ID", options, HR_ARRAY_LEN(options),
                                           "Shows a device of the registry with its keys. (With a "
                                           "file in place of a number it shows a board's memory.)"};
    struct cli_arguments given;
    struct cli_admin admin;
    uint64_t device_id = 0;
    int begun = begin(&usage, argc, argv, &given, &admin);
    if (begun != CLI_PARSED) {
        return begun;
    }
    if (!cli_device_id(usage.verb, given.positional, &device_id)) {
        return CLI_USAGE;
    }
    char path[PATH_CHARS];
    (void)snprintf(path, sizeof path, "/devices/%" PRIu64, device_id);
    if (!cli_admin_get(usage.verb, &admin, path, NULL, &reply)) {
        return CLI_FAILED;
    }
    if (given.n_values[CLI_ADMIN_JSON] > 0) {
        (void)fputs(reply.body, stdout);
    } else {
        print_registered(reply.body);
    }
    return CLI_OK;
}
