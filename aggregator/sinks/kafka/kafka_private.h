/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this room share. */
#ifndef SINK_KAFKA_PRIVATE_H
#define SINK_KAFKA_PRIVATE_H

#include "aggregator/sinks/kafka/kafka.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

enum { SINK_KAFKA_ORIGIN_CHARS = 64, SINK_KAFKA_MAX_PROPERTIES = 64, KAFKA_CURSOR_CHARS = 384 };

/* The place of a record in the log. Kafka partitions hold them in rising order. */
struct kafka_place {
    uint64_t leaf;
    uint64_t index; /* (record_index + 1) << 32 | output_index, 0 for the whole batch: raw before events */
};

/* What a partition holds of this log: when the publisher recovered, and then as it puts live records. */
struct kafka_tail {
    bool known;
    bool has_place; /* a live record is there */
    struct kafka_place place;
    uint64_t replay; /* the last record is one of this replay, 0: it is live */
    struct kafka_place replay_place;
    uint64_t n_entries; /* the last record is that audit entry; 0: it is none */
};

/* Where events of a slot went in the open transaction. A partition has one leader, so one of librdkafka's
 * threads at a time writes a cell, and the publisher reads after the commit was answered. */
struct kafka_cell {
    int64_t first_offset, last_offset;
    uint32_t n_records;
};

enum { KAFKA_MAX_CELLS = 131072 }; /* slots times partitions; those beyond are not told */

struct kafka_topic {
    char name[SINK_KAFKA_TOPIC_MAX_CHARS + 1];
    const struct norm_schema *schema;
    uint32_t schema_id;
    rd_kafka_topic_t *handle;
    int32_t n_partitions;
    uint32_t first_tail; /* tails[first_tail + partition] */
};

struct kafka_pair {
    char *name;
    char *value;
};

/* A declaration of our own, so that nothing of the caller's is kept. */
struct kafka_declared {
    struct sink_kafka_declared declared; /* points to the rest */
    char name[SINK_KAFKA_TOPIC_MAX_CHARS + 1];
    struct kafka_pair pairs[SINK_KAFKA_MAX_SETTINGS];
    struct sink_kafka_property settings[SINK_KAFKA_MAX_SETTINGS];
};

struct sink_kafka {
    struct kafka_topic topics[SINK_KAFKA_MAX_TOPICS];
    size_t n_topics;
    struct kafka_declared declared[SINK_KAFKA_MAX_TOPICS + 1];
    size_t n_declared;
    char cursor_topic[SINK_KAFKA_TOPIC_MAX_CHARS + 1];
    struct kafka_pair properties[SINK_KAFKA_MAX_PROPERTIES];
    size_t n_properties;
    struct sink_kafka_config config;

    rd_kafka_t *producer; /* NULL: recover is the only next call */
    char origin[SINK_KAFKA_ORIGIN_CHARS + 1];
    uint64_t incarnation; /* random, names the fence marker of this producer */
    struct kafka_tail tails[SINK_KAFKA_MAX_PARTITIONS];
    uint32_t n_tails;
    bool skipping; /* some tail is at or beyond the leaf where publishing goes on */
    bool in_transaction;

    atomic_uint end_requests; /* EndTxn requests sent in this transaction: more than one is a hidden retry */
    _Atomic(const char *) doubt; /* why this producer's outcomes can't be trusted any more; NULL: they can */
    struct kafka_cell cells[KAFKA_MAX_CELLS]; /* [slot * widest + partition] */
    uint32_t touched[KAFKA_MAX_CELLS];        /* cells with records, in the order of the first */
    atomic_uint n_touched;
    uint32_t widest; /* partitions of the topic that has most */
};

void sink_kafka_log(const struct sink_kafka *sink, enum sink_kafka_level level, const char *event,
                    const char *text);

/* A client configuration from the user's properties. NULL when librdkafka refuses one (logged). */
rd_kafka_conf_t *sink_kafka_conf(const struct sink_kafka *sink);
/* Sets one property that is ours to set; false when refused (logged). */
bool sink_kafka_conf_set(const struct sink_kafka *sink, rd_kafka_conf_t *conf, const char *name,
                         const char *value);

/* Copies the properties of the configuration and adds our defaults. Fails as sink_kafka_open. */
HR_MUST_USE struct hr_status sink_kafka_keep_properties(struct sink_kafka *sink,
                                                        const struct sink_kafka_config *config);
/* Sets what the guarantee stands on, and watches the producer's requests; false when refused (logged). */
bool sink_kafka_conf_producer(struct sink_kafka *sink, rd_kafka_conf_t *conf);

/* HR_AGAIN: nobody answered, or not now. HR_DENIED: no login or no right. HR_IO: every other error. */
struct hr_status sink_kafka_status_of(rd_kafka_resp_err_t error);
/* Makes topics, at most SINK_KAFKA_MAX_TOPICS + 1, in one request, and waits up to timeout_ms until the
 * controller has them; one that is there already is fine. When one can't be made others may be there; `why`
 * then says the first that can't. */
HR_MUST_USE struct hr_status sink_kafka_create_topics(rd_kafka_t *client,
                                                      const struct sink_kafka_declared *const *declared,
                                                      size_t n, uint32_t timeout_ms,
                                                      char why[SINK_KAFKA_WHY_CHARS]);
/* Copies the declarations of the configuration, and gives them back. HR_FULL: too many. */
HR_MUST_USE struct hr_status sink_kafka_keep_declared(struct sink_kafka *sink,
                                                      const struct sink_kafka_config *config);
void sink_kafka_free_declared(struct sink_kafka *sink);
/* Makes missing topics that are declared, and learns the partition counts. HR_AGAIN: broker away, or it will
 * not make one now (logged). HR_NOT_FOUND: a topic is missing and may not be made. HR_FULL: too many
 * partitions. */
HR_MUST_USE struct hr_status sink_kafka_topics_ready(struct sink_kafka *sink, uint32_t timeout_ms);

/* Reads the cursor topic up to this incarnation's fence marker and finds the newest cursor of this log.
 * *found is false when there is none. HR_AGAIN: not read to the marker in time. */
HR_MUST_USE struct hr_status sink_kafka_read_cursor(struct sink_kafka *sink, uint32_t timeout_ms, bool *found,
                                                    struct sink_cursor *cursor);
/* Fills sink->tails with the last committed record of this log in each partition. HR_AGAIN as above. */
HR_MUST_USE struct hr_status sink_kafka_read_tails(struct sink_kafka *sink, uint32_t timeout_ms);

/* A consumer of this isolation level that tells the ends of partitions and is in no group; a broker may wait
 * for records for fetch_wait_ms before it answers, and an end is told with an answer. NULL: librdkafka
 * refuses a property, `why` says which. */
rd_kafka_t *sink_kafka_reader(const struct sink_kafka_property *properties, size_t n_properties,
                              const char *isolation, const char *fetch_wait_ms,
                              char why[SINK_KAFKA_WHY_CHARS]);

/* ---- positions ---- */
void sink_kafka_cells_reset(struct sink_kafka *sink);
/* For rd_kafka_interceptor_add_on_acknowledgement; opaque is the sink. */
rd_kafka_resp_err_t sink_kafka_on_acknowledgement(rd_kafka_t *client, rd_kafka_message_t *message,
                                                  void *opaque);
/* positions of struct sink. */
void sink_kafka_positions(void *ctx, void (*each)(void *each_ctx, const struct sink_position *position),
                          void *each_ctx);
/* What goes with a message of this slot as its opaque. */
void *sink_kafka_opaque_of(uint16_t slot);

/* Key of the fence markers in the cursor topic; the cursor's key is the origin of the log. */
#define KAFKA_FENCE_KEY_PREFIX "fence/"

#endif
