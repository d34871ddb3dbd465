/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/findings.h"

#include "tools/cli/print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

const char *cli_finding_name(enum cli_finding kind)
{
    static const char *const names[CLI_N_FINDINGS] = {
        [CLI_FINDING_LEAF] = "leaf",           [CLI_FINDING_BATCH] = "batch",
        [CLI_FINDING_SIGNATURE] = "signature", [CLI_FINDING_CHAIN] = "chain",
        [CLI_FINDING_HEAD] = "head",           [CLI_FINDING_ANCHOR] = "anchor",
        [CLI_FINDING_EVIDENCE] = "evidence",   [CLI_FINDING_FEED] = "feed",
        [CLI_FINDING_MISSING] = "missing",     [CLI_FINDING_DOUBLED] = "doubled",
        [CLI_FINDING_ALIEN] = "alien",         [CLI_FINDING_CURSOR] = "cursor",
    };
    return names[kind];
}

uint64_t cli_findings_total(const struct cli_findings *findings)
{
    uint64_t total = 0;
    for (int i = 0; i < CLI_N_FINDINGS; i++) {
        total += findings->counts[i];
    }
    return total;
}

static void tell_json(struct cli_findings *findings, enum cli_finding kind, const struct cli_place *place,
                      const char *text)
{
    (void)printf("%s\n    {\"kind\": \"%s\"", findings->n_told == 0 ? "" : ",", cli_finding_name(kind));
    if (place->has_leaf) {
        (void)printf(", \"leaf\": %" PRIu64, place->leaf);
    }
    if (place->topic != NULL) {
        (void)printf(", \"topic\": ");
        cli_print_json_text(place->topic);
    }
    if (place->topic != NULL && place->offset >= 0) {
        (void)printf(", \"partition\": %" PRId32 ", \"offset\": %" PRId64, place->partition, place->offset);
    }
    (void)printf(", \"text\": ");
    cli_print_json_text(text);
    (void)printf("}");
}

static void tell_text(enum cli_finding kind, const struct cli_place *place, const char *text)
{
    (void)printf("%-9s", cli_finding_name(kind));
    if (place->has_leaf) {
        (void)printf("  leaf %" PRIu64, place->leaf);
    }
    if (place->topic != NULL) {
        (void)printf("  %s", place->topic);
    }
    if (place->topic != NULL && place->offset >= 0) {
        (void)printf("/%" PRId32 " offset %" PRId64, place->partition, place->offset);
    }
    (void)printf("  %s\n", text);
}

void cli_find(struct cli_findings *findings, enum cli_finding kind, const struct cli_place *place,
              const char *format, ...)
{
    if (findings->counts[kind]++ >= findings->max_told || findings->is_quiet) {
        return;
    }
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (findings->is_json) {
        tell_json(findings, kind, place, text);
    } else {
        tell_text(kind, place, text);
    }
    findings->n_told++;
}

void cli_find_at(struct cli_findings *findings, enum cli_finding kind, uint64_t leaf, const char *text)
{
    const struct cli_place place = {.has_leaf = true, .leaf = leaf};
    cli_find(findings, kind, &place, "%s", text);
}
