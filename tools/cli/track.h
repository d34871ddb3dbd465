/* SPDX-License-Identifier: Apache-2.0
 *
 * A log proven anew, batch by batch: format, digest, place, signature by a registered key, Merkle root of the
 * records, the chain of each stream with what a signed Loss covers, and where each stream stands at the end.
 * What is read first is never ahead of what is read later, so a log may grow meanwhile: streams, then its
 * size, then devices, keys, losses and conflicts, then the batches below the size. */
#ifndef CLI_TRACK_H
#define CLI_TRACK_H

#include "aggregator/io/ledger.h"
#include "aggregator/verify/verify.h"
#include "tools/cli/findings.h"

/* A stream as the ledger states it, and as its batches gave it so far. */
struct cli_track_stream {
    bool is_stated;
    struct ledger_stream stated;
    bool has_batch;
    struct ledger_stream now;
    uint64_t later_batches, later_records; /* lost behind the stated head */
};

struct cli_track_loss {
    uint64_t device_id;
    uint32_t stream;
    struct edge_loss loss;
};

struct cli_track {
    struct cli_findings *findings;
    uint64_t first_leaf; /* 0: the log is there from its beginning */
    uint64_t next_leaf;  /* expected */
    uint64_t n_batches, n_records;
    bool is_out_of_memory;
    bool is_still; /* nothing was committed since streams were read: each has its row */
    struct verify_keyring *ring;
    struct ledger_old_key *keys; /* all that devices ever had, by device and epoch */
    size_t n_keys;
    struct ledger_device *devices;
    size_t n_devices;
    struct cli_track_stream *streams; /* by device and stream */
    size_t n_streams;
    struct cli_track_loss *losses; /* in the order of storing */
    size_t n_losses;
};

/* ---- track_keys.c ---- */
/* Room for one more; NULL: no memory. Capacity doubles whenever n is a power of two. */
void *cli_track_grown(void *rows, size_t n, size_t row_bytes);
/* NULL: the device never had a key of that epoch. */
const struct ledger_key *cli_track_key_of(const struct cli_track *track, uint64_t device_id, uint32_t epoch);

/* HR_IO: no memory. Findings are kept. */
HR_MUST_USE struct hr_status cli_track_init(struct cli_track *track, struct cli_findings *findings);
void cli_track_free(struct cli_track *track);

/* What the ledger states; `ctx` is the track. For the `each` of struct ledger. Devices come before losses and
 * conflicts, whose evidence is checked at once. */
void cli_track_stream(void *ctx, const struct ledger_stream *stream);
void cli_track_device(void *ctx, const struct ledger_device *device);
/* What else is known of a device that was handed over: the body of its frame. False: it is no such row. */
bool cli_track_device_more(struct cli_track *track, struct hr_bytes body);
/* Beside the keys that came with their device. */
void cli_track_key(void *ctx, const struct ledger_old_key *row);
void cli_track_loss(void *ctx, const struct ledger_loss *row);
void cli_track_conflict(void *ctx, const struct ledger_conflict *row);

/* The batch at track->next_leaf, or behind a hole that the caller has told. True: the bytes can be taken
 * apart, *out is filled. */
bool cli_track_batch(struct cli_track *track, const struct ledger_batch *batch, struct verify_result *out);
/* Retention has taken the leaves up to before first_leaf meanwhile: what follows is the beginning. */
void cli_track_skip(struct cli_track *track, uint64_t first_leaf);
/* After the last batch: does every stream stand where its batches and losses brought it? */
void cli_track_end(struct cli_track *track);
/* The stream as it stands behind the last batch: as stated, or further. */
struct ledger_stream cli_track_state(const struct cli_track_stream *row);

#endif
