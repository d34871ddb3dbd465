/* SPDX-License-Identifier: Apache-2.0
 *
 * The feed ledger of a sink computed anew: batches go through this build's normalizers and the same fold as
 * in the aggregator, into entries in memory, which are then compared with those that are stored. Leaves that
 * other normalizers published are not judged, and neither are entries whose first batches retention took. */
#ifndef CLI_REFOLD_H
#define CLI_REFOLD_H

#include "aggregator/config/config.h"
#include "aggregator/core/fold.h"
#include "aggregator/normalize/norm.h"
#include "tools/cli/findings.h"

enum { CLI_REFOLD_MAX_SINKS = 4, CLI_REFOLD_N_NORMALIZERS = 4 };

/* Before the first call of cli_normalizers: the sites of plants, whose totals depend on it. The configuration
 * is kept. */
void cli_normalizers_sites(const struct config_aggregator *config);

/* The normalizers of this build, as headrace-aggregator has them; static, one thread. Ends the program with
 * CLI_FAILED and says why when the time zones can't be read, or there is no memory. */
const struct normalizer *const *cli_normalizers(void);

/* A sink with what is stored of it. */
struct cli_refold_sink {
    char name[FEED_SINK_MAX_CHARS + 1];
    uint64_t next_leaf; /* its feed cursor */
    struct feed_version *versions;
    size_t n_versions;
    struct feed_entry *stored;
    size_t n_stored;
    struct feed_entry *folded;
    size_t n_folded;
    uint64_t first_leaf;
    bool is_broken;     /* a batch was missing or unreadable: what follows can't be computed */
    struct ledger shim; /* what the fold takes for its ledger */
    struct ledger_feeds shim_feeds;
    struct agg_fold *fold;
    uint64_t n_compared, n_pruned, n_other;
};

struct cli_refold {
    struct cli_findings *findings;
    struct cli_refold_sink sinks[CLI_REFOLD_MAX_SINKS];
    size_t n_sinks;
    bool is_out_of_memory;
};

/* Reads what is stored, from a moment at which no entry changes. `first_leaf` is that of the log. HR_AGAIN:
 * no such moment was found. Others as of the ledger; HR_NOT_FOUND: it has no feed ledger. */
HR_MUST_USE struct hr_status cli_refold_begin(struct cli_refold *refold, const struct ledger *ledger,
                                              uint64_t first_leaf, struct cli_findings *findings);
/* The next batch; `input` NULL: it can't be normalized. */
void cli_refold_batch(struct cli_refold *refold, uint64_t leaf, const struct norm_input *input);
/* Was this leaf published by the normalizers of this build? False also when nothing tells. */
bool cli_refold_is_current(const struct cli_refold *refold, const char *sink, uint64_t leaf);
/* Compares. */
void cli_refold_end(struct cli_refold *refold);
void cli_refold_free(struct cli_refold *refold);

#endif
