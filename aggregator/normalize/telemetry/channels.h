/* SPDX-License-Identifier: Apache-2.0
 *
 * The dictionaries of collectors' streams: what the channels of Samples mean (proto/SPEC.md section 3), and
 * the last good value of each, for accumulators. All of it follows from the log: from the last
 * NORM_CHANNELS_REACH_BATCHES batches of the stream, and for values from as many before each. Those are read
 * again when memory does not hold them, so the answer is the same wherever a reader begins. [any] */
#ifndef NORM_CHANNELS_H
#define NORM_CHANNELS_H

#include "aggregator/io/normalizer.h"

enum {
    NORM_CHANNELS_REACH_BATCHES = 1250, /* a Channel counts so long, and a value as the one before */
    NORM_CHANNELS_WAYS = 4,
    NORM_CHANNELS_STREAMS = 1024 * NORM_CHANNELS_WAYS, /* that memory holds at once */
    NORM_CHANNELS_ENTRIES = 1 << 18,                   /* channels of all of them */
    NORM_CHANNELS_MARKS = 16,
    NORM_CHANNELS_MARK_BATCHES = 256,
    NORM_CHANNELS_PATIENCE_LEAVES = 65536, /* a stream of which nothing came for so long is not waited for */
};

/* One channel of a stream. */
struct norm_channel {
    struct edge_channel what; /* the last Channel with its number */
    uint32_t what_seq;        /* the batch with it */
    uint64_t identity;        /* of what its values are, scale included; never 0 */
    uint64_t value_identity;  /* what the last good value was of; 0: none, or not known then */
    uint32_t value_seq;
    int64_t value;
    bool is_good;          /* the last sample was, and gave this value */
    uint32_t next_of_slot; /* number + 1, 0: none */
    uint32_t next_of_stream;
    uint32_t stream;
};

struct norm_channels_mark {
    uint64_t leaf;
    uint32_t seq;
};

/* A stream that is followed. */
struct norm_channels_stream {
    bool is_used;
    bool is_loaded; /* it holds what the batches before the one at hand say */
    uint64_t device_id;
    uint32_t stream, boot_id;
    uint32_t seq; /* of the last batch that it saw begin */
    uint64_t leaf;
    uint64_t used_at; /* by the count of batches */
    uint32_t first;   /* its channels, number + 1 */
    bool has_sampled; /* in this boot: the last record with samples */
    uint32_t sampled_seq;
    uint64_t sampled_ms; /* uptime */
    uint32_t n_marks;
    struct norm_channels_mark marks[NORM_CHANNELS_MARKS]; /* some of its batches, oldest first */
};

/* Large; of its pages only those are touched that are needed. Must be zeros at first. */
struct norm_channels {
    uint64_t n_batches;
    uint32_t n_entries; /* ever taken */
    uint32_t free;      /* number + 1 */
    uint32_t current;   /* stream of the batch at hand, number + 1 */
    struct edge_record record;
    struct norm_channels_stream streams[NORM_CHANNELS_STREAMS];
    uint32_t slots[NORM_CHANNELS_ENTRIES]; /* number + 1 */
    struct norm_channel entries[NORM_CHANNELS_ENTRIES];
};

/* A batch whose records come next, of whatever kinds. */
void norm_channels_batch(struct norm_channels *channels, const struct norm_input *input);

struct norm_channels_sample {
    uint32_t channel;
    int64_t value;
    uint32_t quality; /* enum edge_quality, or one that this build does not know */
};

/* Calls `each` for every value of a Samples or Sample. */
void norm_channels_samples(const struct edge_record *record,
                           void (*each)(void *ctx, const struct norm_channels_sample *sample), void *ctx);

/* Before the first Channel or Samples of the batch is used. False: the past can't be read; whoever owns it
 * knows. */
HR_MUST_USE bool norm_channels_open(struct norm_channels *channels, const struct norm_input *input);

/* Takes a Channel of the batch at hand, which is open. */
void norm_channels_define(struct norm_channels *channels, const struct norm_input *input,
                          const struct edge_channel *what);

/* The channel of the open stream, or NULL: no Channel of it is in reach of the batch at hand. */
struct norm_channel *norm_channels_find(struct norm_channels *channels, const struct norm_input *input,
                                        uint32_t number);

/* Whether the channel has a last good value of just what it is now, in reach. */
bool norm_channels_has_value(const struct norm_channel *channel, const struct norm_input *input);

/* The value of a sample of the batch at hand becomes the last one if it is good; also when find gave NULL. */
void norm_channels_remember(struct norm_channels *channels, const struct norm_input *input,
                            const struct norm_channels_sample *sample);

/* A record with samples was used, which the device took at this uptime. True: one was before it, in this boot
 * and in reach, at *former_ms. */
bool norm_channels_sampled(struct norm_channels *channels, const struct norm_input *input, uint64_t uptime_ms,
                           uint64_t *former_ms);

/* Calls `each` for every channel that is known, in any order, which is not the same for every reader.
 * has_value: its last sample was good, and is in reach. */
void norm_channels_each(struct norm_channels *channels, const struct norm_input *input,
                        void (*each)(void *ctx, const struct norm_channel *channel, bool has_value),
                        void *ctx);

/* For needs_from of struct normalizer. */
uint64_t norm_channels_needs(const struct norm_channels *channels, uint64_t since);

#endif
