/* SPDX-License-Identifier: Apache-2.0
 *
 * The writing half of `headrace ledger rebuild`: rows of an export that was checked, into a ledger that was
 * made for them. Rows are gathered and written in groups. */
#ifndef CLI_REBUILD_H
#define CLI_REBUILD_H

#include "aggregator/core/scan.h"
#include "tools/cli/archive.h"
#include "tools/cli/track.h"

enum {
    CLI_REBUILD_BATCHES = 256,
    CLI_REBUILD_ANCHORS = CLI_REBUILD_BATCHES * (AGG_BATCH_MAX_ANCHORS + 1),
    CLI_REBUILD_BYTES = 20 << 20,
    CLI_REBUILD_ENTRIES = 256,
    CLI_REBUILD_POSITIONS = 8192,
};

struct cli_rebuild {
    struct ledger ledger;
    struct ledger_batch batches[CLI_REBUILD_BATCHES];
    size_t n_batches;
    struct ledger_anchor anchors[CLI_REBUILD_ANCHORS];
    size_t n_anchors;
    bool has_carried; /* an anchor for the next batch */
    struct ledger_anchor carried;
    uint8_t *bytes; /* envelopes of the batches */
    size_t n_bytes;
    bool has_sink;
    struct feed_head sink;
    uint64_t first_leaf;
    struct feed_entry entries[CLI_REBUILD_ENTRIES];
    size_t n_entries;
    struct feed_position positions[CLI_REBUILD_POSITIONS];
    size_t n_positions;
    struct ledger_audit audits[CLI_REBUILD_BATCHES];
    size_t n_audits;
    struct ledger_enrolment enrolments[CLI_REBUILD_BATCHES];
    size_t n_enrolments;
    struct ledger_certificate certificates[CLI_REBUILD_BATCHES];
    size_t n_certificates;
};

/* A frame of a batch, or of an anchor for the next one. HR_CORRUPT: no such row. Others as commit. */
HR_MUST_USE struct hr_status cli_rebuild_batch(struct cli_rebuild *rebuild, enum cli_frame type,
                                               struct hr_bytes body);
HR_MUST_USE struct hr_status cli_rebuild_flush(struct cli_rebuild *rebuild);
/* A frame of the feed ledger, in the order of the file. Others are passed over. Likewise. */
HR_MUST_USE struct hr_status cli_rebuild_feed(struct cli_rebuild *rebuild, enum cli_frame type,
                                              struct hr_bytes body);
HR_MUST_USE struct hr_status cli_rebuild_feed_flush(struct cli_rebuild *rebuild);
/* A frame of evidence. Others are passed over. */
HR_MUST_USE struct hr_status cli_rebuild_evidence(struct cli_rebuild *rebuild, enum cli_frame type,
                                                  struct hr_bytes body);
/* A frame of an enrolment or of a transport key. Others are passed over. HR_CORRUPT: no such row. */
HR_MUST_USE struct hr_status cli_rebuild_enrolled(struct cli_rebuild *rebuild, enum cli_frame type,
                                                  struct hr_bytes body);
HR_MUST_USE struct hr_status cli_rebuild_enrolled_flush(struct cli_rebuild *rebuild);
/* The body of an audit entry's frame. HR_CORRUPT: no such row. Others as commit. */
HR_MUST_USE struct hr_status cli_rebuild_audit(struct cli_rebuild *rebuild, struct hr_bytes body);
HR_MUST_USE struct hr_status cli_rebuild_audit_flush(struct cli_rebuild *rebuild);
/* Devices, and streams as the batches left them. */
HR_MUST_USE struct hr_status cli_rebuild_state(struct cli_rebuild *rebuild, const struct cli_track *track);

#endif
