/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints what the calendar says, for an independent calendar to compare (tests/unit/test_calendar_oracle.py):
 *
 *   calendar_dump at ID         reads UTC seconds, one a line; prints offset, 1 for daylight time,
 * abbreviation calendar_dump files         the same; a line that begins with a slash names the TZif file of
 * those behind it calendar_dump instants ID   reads wall clocks in seconds; prints the number of instants and
 * these calendar_dump days ID       reads days; prints hours, start, end, the repeated and the skipped hour
 *   calendar_dump hours ID      reads days; prints for each style, hour number and fold the fault and start
 *   calendar_dump blocks        reads "first_day last_day"; prints hours of each block by each peak rule
 *   calendar_dump holidays      reads days; prints holiday, 1 for a business day, the next but 4 business day
 *
 * ID numbers a zone of enum norm_zone_id. */
#include "aggregator/normalize/calendar/block.h"
#include "aggregator/normalize/calendar/label.h"
#include "aggregator/zoneinfo/zoneinfo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 65536, HOUR_NUMBERS = 28 };

static struct norm_zones zones;
static struct norm_zone file_zone;

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "calendar_dump: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static void load(void)
{
    char message[ZONEINFO_MESSAGE_CHARS];

    if (!hr_is_ok(zoneinfo_load(NULL, &zones, message))) {
        die("zones", message);
    }
}

static void load_file(const char *path)
{
    static uint8_t bytes[FILE_MAX_BYTES];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        die(path, "can't be opened");
        return;
    }
    size_t len = fread(bytes, 1, sizeof(bytes), file);

    (void)fclose(file);
    struct hr_status parsed = norm_zone_parse(hr_bytes_of(bytes, len), "file", &file_zone);

    if (!hr_is_ok(parsed)) {
        die(path, hr_code_name(parsed.code));
    }
}

static void at_print(const struct norm_zone *zone, int64_t utc_s)
{
    const struct norm_zone_type *type = norm_zone_at(zone, utc_s);

    (void)printf("%" PRId32 " %d %s\n", type->offset_s, type->is_dst ? 1 : 0, type->abbreviation);
}

static void instants_print(const struct norm_zone *zone, int64_t local_s)
{
    int64_t instants[2] = {0, 0};
    uint32_t n = norm_zone_instants(zone, local_s, instants);

    (void)printf("%" PRIu32, n);
    for (uint32_t i = 0; i < n; i++) {
        (void)printf(" %" PRId64, instants[i]);
    }
    (void)printf("\n");
}

static void day_print(const struct norm_zone *zone, int32_t day)
{
    struct norm_market_day of;

    if (!hr_is_ok(norm_market_day_of(zone, day, &of))) {
        (void)printf("none\n");
        return;
    }
    (void)printf("%u %" PRId64 " %" PRId64 " %d %d\n", of.n_hours, of.start_utc_s, of.end_utc_s,
                 of.repeated_hour, of.skipped_hour);
}

static void hours_print(const struct norm_zone *zone, int32_t day)
{
    struct norm_market_day of;

    if (!hr_is_ok(norm_market_day_of(zone, day, &of))) {
        die("hours", "no market day");
    }
    for (int hours = NORM_HOURS_CLOCK; hours <= NORM_HOURS_IN_ORDER; hours++) {
        for (uint32_t number = 0; number < HOUR_NUMBERS; number++) {
            for (int fold = NORM_FOLD_UNKNOWN; fold <= NORM_FOLD_SECOND; fold++) {
                struct norm_interval hour = {0, 0};
                enum norm_fault fault = NORM_FAULT_NONE;
                struct hr_status status = norm_hour_ending(&of, (enum norm_hours)hours, number,
                                                           (enum norm_fold)fold, &hour, &fault);

                if (hr_is_ok(status)) {
                    (void)printf("%" PRId64 " ", hour.start_utc_s);
                } else {
                    (void)printf("%s ", norm_fault_name(fault));
                }
            }
        }
    }
    (void)printf("\n");
}

static void blocks_print(int32_t first_day, int32_t last_day)
{
    for (int peak = 0; peak < NORM_PEAK_COUNT; peak++) {
        for (int block = 0; block < NORM_BLOCK_COUNT; block++) {
            uint32_t n_hours = 0;

            if (!hr_is_ok(norm_block_hours(&zones, (enum norm_peak)peak, (enum norm_block)block, first_day,
                                           last_day, &n_hours))) {
                die("blocks", "no hours");
            }
            (void)printf("%" PRIu32 " ", n_hours);
        }
    }
    (void)printf("\n");
}

static void holiday_print(int32_t day)
{
    (void)printf("%d %d %" PRId32 "\n", (int)norm_nerc_holiday(day), norm_is_business_day(day) ? 1 : 0,
                 norm_business_day_add(day, 4));
}

static void line_answer(const char *verb, const struct norm_zone *zone, const char *line)
{
    char *rest = NULL;
    int64_t number = strtoll(line, &rest, 10);

    if (strcmp(verb, "at") == 0) {
        at_print(zone, number);
    } else if (strcmp(verb, "files") == 0) {
        at_print(&file_zone, number);
    } else if (strcmp(verb, "instants") == 0) {
        instants_print(zone, number);
    } else if (strcmp(verb, "days") == 0) {
        day_print(zone, (int32_t)number);
    } else if (strcmp(verb, "hours") == 0) {
        hours_print(zone, (int32_t)number);
    } else if (strcmp(verb, "blocks") == 0) {
        blocks_print((int32_t)number, (int32_t)strtol(rest, NULL, 10));
    } else if (strcmp(verb, "holidays") == 0) {
        holiday_print((int32_t)number);
    } else {
        die(verb, "no such verb");
    }
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    long id = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    char line[512];

    load();
    if (id < 0 || id >= NORM_ZONE_COUNT) {
        die(verb, "no such zone");
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (line[0] == '/') {
            line[strcspn(line, "\n")] = '\0';
            load_file(line);
        } else {
            line_answer(verb, &zones.by_id[id], line);
        }
    }
    return EXIT_SUCCESS;
}
