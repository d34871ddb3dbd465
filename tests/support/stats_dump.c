/* SPDX-License-Identifier: Apache-2.0
 *
 * stats_dump ISO FLOOR: reads "series utc_s value" lines and prints what aggregator/normalize/quality/stats
 * says of each: known, out, quarantined, the two z-scores and the fences. For test_stats_oracle.py. */
#include "aggregator/normalize/quality/stats.h"
#include "aggregator/zoneinfo/zoneinfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SERIES = 16 };

static void judge(struct norm_stats *stats, const struct norm_zones *zones, const struct norm_iso_feed *feed,
                  double floor, const char *line)
{
    char name[32];
    struct norm_iso_row row = {.feed = feed,
                               .market = hr_bytes_of("M", 1),
                               .subject = "energy",
                               .curve_role = "price",
                               .unit = "USD/MWh",
                               .has = NORM_ISO_HAS_VALUE};
    struct norm_stats_verdict verdict;
    if (sscanf(line, "%31s %" SCNd64 " %lf", name, &row.start_s, &row.value) != 3) {
        exit(2);
    }
    row.end_s = row.start_s + 3600;
    row.location_id = hr_bytes_of(name, strlen(name));
    struct hr_status status = norm_stats_judge(stats, zones, &row, floor, &verdict);
    const char *reason = norm_stats_reason(&verdict);
    printf("%d %u %u %s %.17g %.17g %.17g %.17g\n", (int)status.code, (unsigned)verdict.known,
           (unsigned)verdict.out, reason == NULL ? "-" : reason, verdict.seasonal_z, verdict.ewma_z,
           verdict.fence_low, verdict.fence_high);
}

int main(int argc, char **argv)
{
    static struct norm_zones zones;
    char message[ZONEINFO_MESSAGE_CHARS];
    char line[128];
    const struct norm_iso_feed *feed =
        argc == 3 ? norm_iso_feed_of(hr_bytes_of(argv[1], strlen(argv[1]))) : NULL;
    void *memory = calloc(1, norm_stats_bytes(MAX_SERIES));
    if (feed == NULL || memory == NULL || !hr_is_ok(zoneinfo_load(NULL, &zones, message))) {
        return 2;
    }
    struct norm_stats *stats = norm_stats_in(memory, MAX_SERIES);
    while (fgets(line, sizeof line, stdin) != NULL) {
        judge(stats, &zones, feed, strtod(argv[2], NULL), line);
    }
    free(memory);
    return 0;
}
