/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/norm.h"

#define MS_MAX (INT64_C(1) << 48) /* no uptime and no time of ours reaches it: year 10889 */

/* An anchor is signed by the device, which makes it authentic, not sensible. */
static bool anchor_is_usable(const struct norm_input *input)
{
    const struct edge_time_anchor *anchor = input->anchor;

    return anchor != NULL && anchor->boot_id == input->envelope.header.boot_id &&
           anchor->utc_ms < (uint64_t)MS_MAX && anchor->uptime_ms < (uint64_t)MS_MAX;
}

struct norm_time norm_time_of(const struct norm_input *input, uint32_t dt_ms)
{
    /* dt_ms saturates: at its end it says "this late or later", which is no time. */
    if (!anchor_is_usable(input) || dt_ms == UINT32_MAX) {
        return (struct norm_time){
            .occurred_at_us = input->batch->received_utc_ms * 1000,
            .error_ms = -1,
            .quality = NORM_TIME_RECEIVED_ONLY,
        };
    }
    const struct edge_time_anchor *anchor = input->anchor;
    int64_t uptime_ms = (int64_t)input->envelope.header.base_uptime_ms + (int64_t)dt_ms;
    int64_t since_ms = uptime_ms - (int64_t)anchor->uptime_ms;
    int64_t distance_ms = since_ms < 0 ? -since_ms : since_ms;
    int64_t drift_ms = (distance_ms * NORM_TIME_DRIFT_PPM + 999999) / 1000000;

    return (struct norm_time){
        .occurred_at_us = ((int64_t)anchor->utc_ms + since_ms) * 1000,
        .error_ms = (int64_t)anchor->err_ms + drift_ms,
        .quality = distance_ms <= NORM_TIME_ANCHORED_MAX_MS ? NORM_TIME_ANCHORED : NORM_TIME_EXTRAPOLATED,
    };
}

const char *norm_time_quality_name(enum norm_time_quality quality)
{
    static const char *const names[] = {
        [NORM_TIME_ANCHORED] = "anchored",
        [NORM_TIME_EXTRAPOLATED] = "extrapolated",
        [NORM_TIME_BOUNDED] = "bounded",
        [NORM_TIME_RECEIVED_ONLY] = "received_only",
    };

    return names[quality];
}
