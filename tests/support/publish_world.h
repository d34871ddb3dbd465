/* SPDX-License-Identifier: Apache-2.0
 *
 * The publisher with its feed ledger and replays over a real ledger and a model of Kafka, and chance that
 * moves them: batches come, replays are asked for, the normalizer changes, the process dies. There is one
 * world at a time. publish_truth.h says what must be true of it. */
#ifndef PUBLISH_WORLD_H
#define PUBLISH_WORLD_H

#include "aggregator/core/publish.h"
#include "aggregator/normalize/norm.h"
#include "tests/support/batch_maker.h"
#include "tests/support/observed.h"
#include "tests/support/sink_model.h"
#include "tests/support/temp_folder.h"

enum { PUBLISH_WORLD_DEVICES = 3, PUBLISH_WORLD_LEAVES = 2000, PUBLISH_WORLD_HOUR_MS = 3600000 };

/* Of a normalizer that can change: the schema of its events. */
extern const struct norm_schema publish_world_schema;
/* What its version `version` says of a record; every third record changes with each version. */
int64_t publish_world_value(uint32_t version, uint8_t seed);
/* True: the record has a second event. */
bool publish_world_has_second(uint32_t version, uint8_t seed);

/* A batch that was committed. */
struct publish_made {
    uint8_t digest[WIRE_DIGEST_BYTES];
    int64_t received_ms;
    uint16_t n_records;
    uint8_t seeds[64];  /* of its AIS records; 0 for others */
    uint8_t n_rows[64]; /* of documents */
    uint8_t rows[64][2 * OBSERVED_ROWS_MAX];
};

extern struct publish_world {
    struct test_random random;
    struct temp_folder folder;
    char path[2 * TEMP_PATH_CHARS];
    struct ledger writer;
    struct ledger faulty; /* the writer, as the publisher sees it */
    struct ledger_feeds faulty_feeds;
    struct ledger reader;
    struct sink_model model;
    struct agg_clock clock;
    uint64_t now_us;
    uint32_t version; /* of the normalizer */
    bool was_upgraded_in_a_crash;
    bool has_no_room; /* in the ledger */
    bool has_documents;
    struct normalizer sim;
    const struct normalizer *normalizers[3];
    struct agg_publish publish;
    struct agg_fold fold;
    struct agg_replay replay;
    struct batch_maker makers[PUBLISH_WORLD_DEVICES];
    struct publish_made made[PUBLISH_WORLD_LEAVES];
    uint64_t n_leaves;
    uint64_t n_full, n_restarts, n_replays;
} publish_world;

/* Begins with an empty ledger and version 1 of the normalizer. */
void publish_world_open(uint64_t seed, bool has_documents);
void publish_world_close(void);

/* The process ends, by itself or not, and another one starts, with the normalizer's next version if there is
 * one and it is an upgrade. */
void publish_world_restart(bool in_peace, bool upgrade);
/* A batch of a device comes. */
void publish_world_commit(void);
/* Asks for a replay of one of the feeds; its number. */
uint64_t publish_world_replay(int64_t from_ms, int64_t to_ms, bool dry_run);
void publish_world_step(void);
/* A few hundred steps of anything. */
void publish_world_run(void);
bool publish_world_is_replaying(void);
/* On without trouble until everything is published, replayed and stored. */
void publish_world_finish(void);
/* Replays everything and waits for it; how many events changed. */
uint64_t publish_world_replay_all(void);
int64_t publish_world_utc_ms(void *ctx);

#endif
