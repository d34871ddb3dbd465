/* SPDX-License-Identifier: Apache-2.0
 *
 * The ranges of a log that are marked as suspect, and what stands in them. */
#ifndef CLI_SUSPECTS_H
#define CLI_SUSPECTS_H

#include "aggregator/io/ledger.h"

struct cli_suspect {
    uint64_t entry; /* of the audit */
    uint64_t device_id;
    struct ledger_suspect range;
    struct ledger_suspect_count count;
};

struct cli_suspects {
    struct cli_suspect *rows; /* the owner frees it */
    size_t n_rows;
};

/* HR_IO: no memory. Others as of the ledger. */
HR_MUST_USE struct hr_status cli_suspects_read(struct cli_suspects *suspects, const struct ledger *ledger);
/* A part of the report of `ledger fsck`: they are no findings, the batches are as they were signed. */
void cli_suspects_report(const struct cli_suspects *suspects, bool is_json);

#endif
