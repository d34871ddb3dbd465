/* SPDX-License-Identifier: Apache-2.0
 *
 * A normalizer that is not the one of yesterday, for tests of replays. Only builds with HEADRACE_FAULTS hold
 * it: with HEADRACE_CHANGED_AIS=n in the environment the AIS normalizer's version is higher by n and every
 * sog_kn by n knots, and with HEADRACE_REPLAY_CHUNK=n a replay commits about every n events, so that it can
 * be interrupted between two commits; tests/support/changed.c does it. Elsewhere both stay as they are. */
#ifndef APP_CHANGED_H
#define APP_CHANGED_H

#include "aggregator/io/normalizer.h"

#if HR_FAULTS
enum { APP_CHANGED_MAX_FIELDS = 160 };

struct app_changed {
    struct normalizer normalizer;
    const struct normalizer *original;
    int by;
};

/* `changed` is storage that must not move. */
const struct normalizer *app_changed(struct app_changed *changed, const struct normalizer *original);
/* For agg_publish_config.replay_chunk_events. */
uint32_t app_changed_chunk(void);
#else
struct app_changed {
    const struct normalizer *original;
};

static inline const struct normalizer *app_changed(struct app_changed *changed,
                                                   const struct normalizer *original)
{
    changed->original = original;
    return original;
}

static inline uint32_t app_changed_chunk(void)
{
    return 0;
}
#endif

#endif
