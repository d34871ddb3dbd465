/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core counts. One row of AGG_COUNTERS is one metric; the app registers the table with http/. */
#ifndef AGG_COUNTERS_H
#define AGG_COUNTERS_H

#include <stdint.h>

/* X(enumerator, metric name, help) */
#define AGG_COUNTERS(X)                                                                                      \
    X(BATCHES_COMMITTED, "batches_committed_total", "Batches made durable in the ledger")                    \
    X(RECORDS_COMMITTED, "records_committed_total", "Records of committed batches")                          \
    X(BYTES_COMMITTED, "envelope_bytes_committed_total", "Envelope bytes of committed batches")              \
    X(GROUPS_COMMITTED, "commit_groups_total", "Ledger transactions that committed")                         \
    X(GROUPS_REFUSED_FULL, "commit_groups_full_total", "Ledger transactions refused for want of disk space") \
    X(GROUPS_REFUSED_AWAY, "commit_groups_away_total", "Ledger transactions put off: the database is away")  \
    X(STREAMS_STARTED, "streams_started_total", "Streams whose first batch or Loss was committed")           \
    X(ANCHORS_ZERO, "stream_anchors_zero_total", "New streams of devices that lost their former state")      \
    X(ANCHORS_OTHER, "stream_anchors_other_total",                                                           \
      "New streams whose anchor is not the last batch committed here")                                       \
    X(HELD, "batches_held_total", "Batches ahead of a gap that were held in memory")                         \
    X(HELD_EXPIRED, "batches_held_expired_total", "Held batches dropped because the gap did not fill")       \
    X(HOLD_FULL, "batches_hold_full_total", "Batches ahead of a gap that found no room to be held")          \
    X(LOSSES_APPLIED, "losses_applied_total", "Signed Loss records that moved a stream over a hole")         \
    X(LOST_BATCHES, "lost_batches_total", "Batches covered by Loss and never delivered")                     \
    X(LOST_RECORDS, "lost_records_total", "Records covered by Loss and never delivered")                     \
    X(LOSSES_REFUSED, "losses_refused_total", "Loss records that contradict the chain")                      \
    X(LATE_AFTER_LOSS, "batches_late_after_loss_total", "Batches that came after their Loss")                \
    X(FORKS, "forks_total", "Batches whose chain contradicts what is committed")                             \
    X(EQUIVOCATIONS, "equivocations_total", "Sequence numbers signed with two contents")                     \
    X(RECORD_DISCONTINUITIES, "record_discontinuities_total",                                                \
      "Batches refused because their record numbers do not go on from the last")                             \
    X(KEY_SWITCHES, "key_switches_total", "Record keys registered by a signed KeySwitch")                    \
    X(KEY_SWITCHES_REFUSED, "key_switches_refused_total", "KeySwitch records that were not followed")        \
    X(ANCHORS_STORED, "time_anchors_total", "Time anchors stored")                                           \
    X(RECORDS_UNDECODABLE, "records_undecodable_total",                                                      \
      "Control records under a signature that don't parse")                                                  \
    X(DEVICES_QUARANTINED, "devices_quarantined_total", "Devices put in quarantine by the core")             \
    X(REGISTRY_APPLIED, "registry_entries_applied_total", "Registry entries taken over")                     \
    X(DECISIONS, "registry_decisions_total", "Decisions of operators about devices")                         \
    X(REGISTRY_REFUSED, "registry_entries_refused_total", "Registry entries that contradict the ledger")     \
    X(LEDGER_READ_ERRORS, "ledger_read_errors_total", "Ledger lookups that failed")                          \
    X(CLOCK_STEPS, "clock_steps_total", "Backward steps of the aggregator's clock by more than a second")

enum agg_counter {
#define AGG_COUNTER_ENUM(id, name, help) AGG_COUNT_##id,
    AGG_COUNTERS(AGG_COUNTER_ENUM)
#undef AGG_COUNTER_ENUM
        AGG_N_COUNTERS
};

struct agg_counter_info {
    const char *name; /* without the program's prefix */
    const char *help;
};

/* AGG_N_COUNTERS rows, in the order of the enum. */
extern const struct agg_counter_info agg_counter_table[AGG_N_COUNTERS];

#endif
