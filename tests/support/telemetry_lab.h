/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector's stream in memory, and readers of it that normalize its telemetry, each from where it likes.
 * Events are kept as text, "name=value" of each field, so that any two can be compared whole. */
#ifndef TELEMETRY_LAB_H
#define TELEMETRY_LAB_H

#include "aggregator/normalize/telemetry/telemetry.h"
#include "tests/support/batch_maker.h"

enum { TELEMETRY_LAB_BATCHES = 4096, TELEMETRY_LAB_TEXT = 4096, TELEMETRY_LAB_DEVICE = 0xA1 };

struct telemetry_lab_batch {
    uint64_t leaf;
    uint8_t *bytes;
    size_t len_bytes;
    uint8_t digest[WIRE_DIGEST_BYTES];
    bool is_lost; /* the log has it not */
};

extern struct telemetry_lab {
    struct batch_maker maker;
    struct telemetry_lab_batch batches[TELEMETRY_LAB_BATCHES];
    uint32_t n_batches;
    uint64_t next_leaf;
    uint64_t first_leaf; /* what is before it, retention took */
    bool is_away;        /* the ledger can't be read */
    uint32_t n_read;     /* batches that readers asked for */
    const struct edge_time_anchor *anchor;
    char *events; /* of the last take, one line each */
    size_t events_len;
    uint32_t n_events;
} telemetry_lab;

/* Forgets everything and starts a stream in boot 1. */
void telemetry_lab_start(void);
/* For cmocka: starts, with *state a reader of that site; ends both. */
int telemetry_lab_setup(void **state, const struct norm_site *site);
int telemetry_lab_teardown(void **state);
/* Seals a batch of these records. */
void telemetry_lab_seal(const struct edge_record *records, uint16_t n_records);
void telemetry_lab_end(void);

/* A reader that knows nothing yet. The site is kept; NULL: none. */
struct norm_telemetry *telemetry_lab_reader(const struct norm_site *site);
void telemetry_lab_close(struct norm_telemetry *reader);
/* Gives batch `seq`, which is not lost, to the reader; the lab then has its events. */
void telemetry_lab_take(struct norm_telemetry *reader, uint32_t seq);
/* The value of a field of event `index` of the last take, "null" for none. Until the next call. */
const char *telemetry_lab_text(uint32_t index, const char *field);

struct edge_record telemetry_lab_channel(uint32_t channel, uint32_t model, const char *point, uint32_t kind);
struct edge_record telemetry_lab_sample(uint32_t channel, int64_t value, uint8_t quality);

#endif
