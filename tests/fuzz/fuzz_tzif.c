/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes into the reader of TZif files. A zone that comes out must answer for any instant, and its wall
 * clock must lead back: the instants of what it shows have the offset that was asked for, and are in order.
 */
#include "aggregator/normalize/calendar/block.h"
#include "aggregator/normalize/calendar/market.h"
#include "proto/base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

enum { OFFSET_LIMIT_S = 26 * NORM_HOUR_S, DAYS = 400, INTERVAL_MIN = 15 };

static void check_instant(const struct norm_zone *zone, int64_t utc_s)
{
    const struct norm_zone_type *type = norm_zone_at(zone, utc_s);

    HR_ASSERT(type->offset_s > -OFFSET_LIMIT_S && type->offset_s < OFFSET_LIMIT_S);
    HR_ASSERT(memchr(type->abbreviation, '\0', sizeof(type->abbreviation)) != NULL);
    if (utc_s < NORM_TIME_MIN_S + NORM_DAY_S * 2 || utc_s > NORM_TIME_MAX_S - NORM_DAY_S * 2) {
        return;
    }
    int64_t instants[2] = {0, 0};
    int64_t local_s = norm_zone_local(zone, utc_s);
    uint32_t n = norm_zone_instants(zone, local_s, instants);

    HR_ASSERT(n == 1 || n == 2);
    HR_ASSERT(n == 1 ? instants[0] == utc_s : instants[0] < instants[1] && instants[0] <= utc_s);
    for (uint32_t i = 0; i < n; i++) {
        HR_ASSERT(norm_zone_local(zone, instants[i]) == local_s);
    }
}

static void check_day(const struct norm_zone *zone, int32_t day)
{
    struct norm_market_day of;
    struct norm_interval last;

    if (!hr_is_ok(norm_market_day_of(zone, day, &of))) {
        return;
    }
    uint32_t n = norm_day_intervals(&of, INTERVAL_MIN);

    HR_ASSERT(n >= 92 && n <= 100);
    HR_ASSERT(hr_is_ok(norm_day_interval(&of, INTERVAL_MIN, n - 1, &last)));
    HR_ASSERT(last.end_utc_s == of.end_utc_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static struct norm_zone zone;

    if (!hr_is_ok(norm_zone_parse(hr_bytes_of(data, len_bytes), "fuzz", &zone))) {
        return 0;
    }
    HR_ASSERT(zone.n_types > 0 && zone.n_types <= NORM_ZONE_TYPES);
    HR_ASSERT(zone.n_transitions <= NORM_ZONE_TRANSITIONS);
    check_instant(&zone, INT64_MIN);
    check_instant(&zone, INT64_MAX);
    for (uint32_t i = 0; i < zone.n_transitions && i < 32; i++) {
        check_instant(&zone, zone.at_s[i]);
        check_instant(&zone, zone.at_s[i] == INT64_MIN ? INT64_MIN : zone.at_s[i] - 1);
    }
    for (int32_t day = 20000; day < 20000 + DAYS; day += 7) {
        check_instant(&zone, (int64_t)day * NORM_DAY_S + day % NORM_DAY_S);
        check_day(&zone, day);
    }
    return 0;
}
