/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in Kafka of a log, compared with what its batches must have given: each leaf below the cursor
 * once in a raw topic, and each event of it once in its topic. All records of the log are kept in memory
 * while it is compared, 72 bytes each. */
#ifndef CLI_DELIVERED_H
#define CLI_DELIVERED_H

#include "aggregator/normalize/norm.h"
#include "aggregator/sinks/kafka/scan.h"
#include "tools/cli/findings.h"
#include "tools/cli/kafka_properties.h"

enum { CLI_DELIVERED_MAX_TOPICS = 64, CLI_DELIVERED_MAX_LOGS = 256 };

/* A record of the log in a topic. */
struct cli_delivered_record {
    uint64_t leaf;
    uint64_t index; /* (record_index + 1) << 32 | output_index; 0: the whole batch */
    int64_t offset;
    uint32_t topic;
    int32_t partition;
    bool is_revision;
    bool has_digest;
    uint8_t digest[WIRE_DIGEST_BYTES]; /* of the header; of a raw record, of the envelope that it holds */
};

struct cli_delivered_topic {
    char name[SINK_KAFKA_TOPIC_MAX_CHARS + 1];
    bool is_raw;
    bool is_there;
    int64_t retention_ms; /* -1: for ever */
};

/* What a leaf must have given. */
struct cli_delivered_place {
    uint32_t topic;
    uint64_t index;
};

struct cli_delivered {
    struct cli_findings *findings;
    const struct cli_kafka_properties *properties;
    const char *cursor_topic;
    uint32_t timeout_ms;
    char origin[SINK_KAFKA_LOG_MAX_CHARS + 1];
    int64_t now_ms;
    uint64_t first_leaf; /* that the ledger has; set before the first leaf is compared */
    struct cli_delivered_topic topics[CLI_DELIVERED_MAX_TOPICS];
    uint32_t n_topics;
    char logs[CLI_DELIVERED_MAX_LOGS][SINK_KAFKA_LOG_MAX_CHARS + 1]; /* that have a cursor */
    size_t n_logs;
    bool has_cursor;
    uint64_t cursor;     /* leaves below it must be there */
    uint64_t cursor_end; /* read behind the topics: from here on nothing may be there */
    struct cli_delivered_record *records;
    size_t n_records, capacity;
    size_t at; /* records before it were compared */
    struct cli_delivered_place *wanted;
    size_t n_wanted, wanted_capacity;
    uint64_t n_matched, n_revisions, n_other_logs, n_expired, n_pruned, n_not_judged;
    bool is_out_of_memory;
    char why[SINK_KAFKA_WHY_CHARS]; /* why it could not be read */
};

/* Reads the cursor, the topics, and the cursor again. HR_AGAIN, HR_MALFORMED, HR_DENIED, HR_IO as of the
 * Kafka room; `why` is filled. findings, properties, cursor_topic, timeout_ms, origin and now_ms are given.
 */
HR_MUST_USE struct hr_status cli_delivered_read(struct cli_delivered *delivered);
/* Puts the records in the order of leaves; part of the reading. */
void cli_delivered_sort(struct cli_delivered *delivered);
/* Compares the next leaf, in order, from the first that the ledger has. `judges_events` false: other
 * normalizers published it, so only the raw record is looked for. */
void cli_delivered_leaf(struct cli_delivered *delivered, const struct norm_input *input, bool judges_events);
/* After the last leaf of the ledger, which has `size` leaves by now. */
void cli_delivered_end(struct cli_delivered *delivered, uint64_t size);
void cli_delivered_free(struct cli_delivered *delivered);

#endif
