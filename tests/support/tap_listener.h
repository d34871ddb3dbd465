/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap under test, with two streams, and what its sink heard: each message as a line of tests/vectors/ais.
 */
#ifndef TEST_TAP_LISTENER_H
#define TEST_TAP_LISTENER_H

#include "firmware/taps/ais/tap_ais.h"

enum { LISTENER_HEARD_MAX = 1200, LISTENER_TEXT_MAX = 1100, LISTENER_LINE_MAX = 2048 };

struct listener {
    struct tap_ais tap;
    struct tap_ais_stream stream[2];
    uint64_t uptime_ms;
    size_t n_heard;
    char heard[LISTENER_HEARD_MAX][LISTENER_TEXT_MAX];
    struct edge_ais last;
};

/* A fresh tap and streams; nothing heard. The first with the default config. */
void listener_start(struct listener *listener);
void listener_start_with(struct listener *listener, const struct tap_ais_config *config);

/* Feeds in pieces of at most piece_bytes. */
void listener_feed(struct listener *listener, size_t stream, const char *bytes, size_t len_bytes,
                   size_t piece_bytes);

/* The tap's counter of this name, by way of tap_ais_stats. */
uint64_t listener_count(const struct listener *listener, const char *name);

#endif
