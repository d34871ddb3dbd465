/* SPDX-License-Identifier: Apache-2.0
 *
 * What an examination of a ledger finds, told as it is found: lines, or the list of a JSON object. */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <stdbool.h>
#include <stdint.h>

enum cli_finding {
    CLI_FINDING_LEAF,      /* a leaf below the size is not there */
    CLI_FINDING_BATCH,     /* bytes that are no batch, or not the one that the row says */
    CLI_FINDING_SIGNATURE, /* of no registered key, or not of the records */
    CLI_FINDING_CHAIN,     /* a stream does not link, or numbers its batches or records with a hole */
    CLI_FINDING_HEAD,      /* a stream's state is not that of its batches */
    CLI_FINDING_ANCHOR,    /* a time anchor is not that of its batch */
    CLI_FINDING_EVIDENCE,  /* a stored Loss or conflict does not prove what it says */
    CLI_FINDING_FEED,      /* a feed entry is not what its batches give */
    CLI_FINDING_MISSING,   /* not in its topic */
    CLI_FINDING_DOUBLED,   /* more than once in its topic */
    CLI_FINDING_ALIEN,     /* in the topic, and nothing that the ledger gives */
    CLI_FINDING_CURSOR,    /* Kafka is ahead of the ledger */
    CLI_N_FINDINGS,
};

struct cli_findings {
    bool is_json;
    bool is_quiet;     /* counted, not told */
    uint32_t max_told; /* of each kind; the rest is counted */
    uint64_t counts[CLI_N_FINDINGS];
    uint64_t n_told;
};

/* Where it is; what is not known is left out. */
struct cli_place {
    bool has_leaf;
    uint64_t leaf;
    const char *topic; /* NULL: none */
    int32_t partition;
    int64_t offset; /* -1: not there */
};

const char *cli_finding_name(enum cli_finding kind);
uint64_t cli_findings_total(const struct cli_findings *findings);
void cli_find(struct cli_findings *findings, enum cli_finding kind, const struct cli_place *place,
              const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The common case: a leaf and nothing else. */
void cli_find_at(struct cli_findings *findings, enum cli_finding kind, uint64_t leaf, const char *text);

#endif
