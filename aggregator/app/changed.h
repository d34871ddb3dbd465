/* SPDX-License-Identifier: Apache-2.0
 *
 * A normalizer that is not the one of yesterday, for tests of replays. Only builds with HEADRACE_FAULTS hold
 * it: with HEADRACE_CHANGED_AIS=n in the environment the AIS normalizer's version is higher by n and every
 * sog_kn by n knots; tests/support/changed.c does it. Elsewhere the normalizer stays as it is. */
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
#endif

#endif
