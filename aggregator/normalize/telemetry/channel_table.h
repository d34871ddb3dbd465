/* SPDX-License-Identifier: Apache-2.0
 *
 * The channels of all streams that are followed, in one table of fixed size. What a call is given as `seq` is
 * the batch that says it. For channels.c and tests. [any] */
#ifndef NORM_CHANNEL_TABLE_H
#define NORM_CHANNEL_TABLE_H

#include "aggregator/normalize/telemetry/channels.h"

/* NULL: the stream, by its number in channels->streams, has no channel of that number. */
struct norm_channel *norm_channel_entry_at(struct norm_channels *channels, uint32_t stream, uint32_t number);

/* Forgets what the stream's channels are. */
void norm_channel_clear(struct norm_channels *channels, struct norm_channels_stream *stream);

/* A full table forgets the channels of the stream that was not used for longest, which is then not loaded. */
void norm_channel_define(struct norm_channels *channels, struct norm_channels_stream *stream, uint32_t seq,
                         const struct edge_channel *what);

/* Whether its Channel is in reach of a batch. */
bool norm_channel_is_known(const struct norm_channel *entry, uint32_t seq);

/* Takes note of a sample, if the stream has its channel. */
void norm_channel_remember(struct norm_channels *channels, struct norm_channels_stream *stream, uint32_t seq,
                           const struct norm_channels_sample *sample);

#endif
