/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/cli.h"
#include "tools/cli/nearest.h"

#include "proto/base/assert.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verb {
    const char *words[2]; /* the second is NULL in a verb of one word */
    int (*run)(int argc, char **argv);
    const char *usage;
    const char *help;
};

static const struct verb verbs[] = {
    {{"ca"},
     cli_ca,
     "init|server|operator|revoke|issuer|bundle",
     "Make the authority; certificates of servers and operators; what devices trust."},
    {{"device"},
     cli_device,
     "claim|provision|replace|factory|enrol",
     "Lead a device, or another one in its place, to its identity."},
    {{"device"},
     cli_device,
     "list|show|rotate|quarantine|release|revoke|retire",
     "Look into the registry; decide about a device."},
    {{"rotate"}, cli_rotate, "--all [--rate N/min]", "New record keys for a fleet, some a minute."},
    {{"audit"}, cli_audit, "[DEVICE_ID]", "Who changed what of a device, when and why."},
    {{"feeds", "lint"}, cli_feeds_lint, "[FILE ...]", "Check the files that say what is polled."},
    {{"spool"}, cli_spool, "inspect|verify FILE", "Look into a collector's spool."},
    {{"feeds", "test"},
     cli_feeds_test,
     "FEED --payload FILE",
     "Print what a document of an operator becomes."},
    {{"feeds", "places"},
     cli_feeds_places,
     "--into FILE | --from FILE",
     "Keep hubs, zones and nodes as documents tell them; print them."},
    {{"ledger"},
     cli_ledger,
     "inspect|fsck|export|rebuild",
     "Look into an aggregator's ledger, also while it runs; prove it; move it."},
    {{"feeds"},
     cli_feeds,
     "list|status|watermark|replay",
     "What became of the data, by feed and hour; replays."},
    {{"verify"}, cli_verify, "ENVELOPE --key PUB.pem", "Check who signed a batch, and what is in it."},
    {{"tail"}, cli_tail, "--files DIR | --kafka BROKERS", "Print normalized events as JSON lines."},
    {{"topics"},
     cli_topics,
     "plan|apply --kafka BROKERS",
     "Check Kafka's topics, and make them as declared."},
    {{"schemas"},
     cli_schemas,
     "check [--registry URL]",
     "Check that this build's schemas read what was written before."},
    {{"sim", "ais"}, cli_sim_ais, "", "Simulate AIS traffic for many vessels."},
    {{"sim", "iso"}, cli_sim_iso, "", "Simulate the servers of market operators."},
    {{"sim", "sunspec"}, cli_sim_sunspec, "", "Serve a simulated plant over Modbus."},
    {{"tap", "probe"}, cli_tap_probe, "tcp://HOST:PORT", "Print what a plant's device says over Modbus."},
};

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "headrace: %s:%d: this is a bug: %s does not hold\n", file, line, expression);
    abort();
}

static void print_help(FILE *out)
{
    (void)fputs("usage: headrace VERB [ARGUMENTS]\n\n", out);
    for (size_t i = 0; i < HR_ARRAY_LEN(verbs); i++) {
        const struct verb *verb = &verbs[i];
        char line[80];
        (void)snprintf(line, sizeof(line), "%s%s%s %s", verb->words[0], verb->words[1] != NULL ? " " : "",
                       verb->words[1] != NULL ? verb->words[1] : "", verb->usage);
        (void)fprintf(out, "  %-57s %s\n", line, verb->help);
    }
    (void)fputs(
        "\n`headrace VERB --help` says more. Exit codes: 0 good, 1 a check said no or it could not be done,\n"
        "2 can't be judged, 3 wrong usage.\n",
        out);
}

static int unknown_verb(const char *word)
{
    const char *words[HR_ARRAY_LEN(verbs)];
    for (size_t i = 0; i < HR_ARRAY_LEN(verbs); i++) {
        words[i] = verbs[i].words[0];
    }
    const char *nearest = cli_nearest(word, words, HR_ARRAY_LEN(verbs));
    (void)fprintf(stderr, "headrace: no verb '%s'%s%s%s; `headrace --help` lists them\n", word,
                  nearest != NULL ? " (did you mean '" : "", nearest != NULL ? nearest : "",
                  nearest != NULL ? "'?)" : "");
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("headrace %s\n", HEADRACE_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(verbs); i++) {
        const struct verb *verb = &verbs[i];
        if (strcmp(argv[1], verb->words[0]) != 0) {
            continue;
        }
        if (verb->words[1] == NULL) {
            return verb->run(argc - 1, argv + 1);
        }
        if (argc >= 3 && strcmp(argv[2], verb->words[1]) == 0) {
            return verb->run(argc - 2, argv + 2);
        }
    }
    if (strcmp(argv[1], "sim") == 0) {
        (void)fputs("headrace sim: say what to simulate: `headrace sim ais`, `headrace sim sunspec`.\n",
                    stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "tap") == 0) {
        (void)fputs("headrace tap: say what to do: `headrace tap probe tcp://HOST:PORT`.\n", stderr);
        return CLI_USAGE;
    }
    return unknown_verb(argv[1]);
}
