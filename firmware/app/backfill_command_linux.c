/* SPDX-License-Identifier: Apache-2.0
 *
 * headrace-collector backfill: leaves a request and shows how far the running collector has come. */
#include "firmware/app/backfill.h"
#include "firmware/app/taps_http.h"
#include "proto/feeds/window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { EXIT_DONE, EXIT_FAILED, EXIT_BAD_CONFIG, EXIT_USAGE };
enum { LOOK_NS = 500000000, TIME_CAPACITY = 32, NOON_S = 43200 };

struct options {
    const char *config;
    const char *feed;
    const char *from;
    const char *to;
};

static int usage(void)
{
    (void)fputs(
        "usage: headrace-collector backfill --config FILE --feed NAME --from TIME --to TIME\n"
        "\n"
        "Has the windows from TIME to before TIME fetched by the collector that runs with this\n"
        "configuration, behind its live polls and within the same limits, and shows how far it is. The\n"
        "request stays when this command ends, and the collector resumes it after a restart. What was\n"
        "fetched before is not fetched again.\n"
        "TIME is a day of the market (2026-11-01) or a time in UTC (2026-11-01T06:00Z).\n"
        "\n"
        "Exit codes: 0 all is fetched, 1 it can't be asked for, 2 the configuration is wrong, 3 usage.\n",
        stderr);
    return EXIT_USAGE;
}

static bool take_options(int argc, char **argv, struct options *out)
{
    const struct {
        const char *name;
        const char **value;
    } known[] = {
        {"--config", &out->config}, {"--feed", &out->feed}, {"--from", &out->from}, {"--to", &out->to}};
    for (int i = 1; i < argc; i += 2) {
        bool is_known = false;
        for (size_t k = 0; k < HR_ARRAY_LEN(known) && i + 1 < argc; k++) {
            if (strcmp(argv[i], known[k].name) == 0) {
                *known[k].value = argv[i + 1];
                is_known = true;
            }
        }
        if (!is_known) {
            return false;
        }
    }
    return out->config != NULL && out->feed != NULL && out->from != NULL && out->to != NULL;
}

/* ---- times ---- */

static bool is_date(uint32_t year, uint32_t month, uint32_t day)
{
    static const uint32_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return year >= 2000 && year <= 2100 && month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

/* So many digits and what stands behind them. */
static bool take_number(const char **at, uint32_t n_digits, char behind, uint32_t *out)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < n_digits; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(**at - '0');
    }
    *out = value;
    bool is_there = **at == behind;
    *at += is_there && behind != '\0' ? 1 : 0;
    return is_there;
}

static bool read_time(const char *text, const struct feeds_zone *zone, int64_t *out_ms)
{
    uint32_t year = 0;
    uint32_t month = 0;
    uint32_t day = 0;
    uint32_t hour = 0;
    uint32_t minute = 0;
    bool has_time = strchr(text, 'T') != NULL;
    if (!take_number(&text, 4, '-', &year) || !take_number(&text, 2, '-', &month) ||
        !take_number(&text, 2, has_time ? 'T' : '\0', &day) || !is_date(year, month, day)) {
        return false;
    }
    if (!has_time) {
        *out_ms = feeds_zone_day_start_ms(zone, feeds_utc_ms((int32_t)year, month, day, NOON_S));
        return true;
    }
    if (!take_number(&text, 2, ':', &hour) || !take_number(&text, 2, 'Z', &minute) || *text != '\0' ||
        hour > 23 || minute > 59) {
        return false;
    }
    *out_ms = feeds_utc_ms((int32_t)year, month, day, hour * 3600 + minute * 60);
    return true;
}

static const char *time_text(int64_t ms, char out[TIME_CAPACITY])
{
    static const struct feeds_zone utc = {.standard_s = 0};
    struct feeds_local local = feeds_zone_local(&utc, ms);
    (void)snprintf(out, TIME_CAPACITY, "%04d-%02u-%02uT%02u:%02uZ", (int)local.year, (unsigned)local.month,
                   (unsigned)local.day, (unsigned)local.hour, (unsigned)local.minute);
    return out;
}

/* ---- the request ---- */

struct job {
    char folder[APP_BACKFILL_FOLDER_CAPACITY];
    struct feeds_feed feed;
    struct feeds_zone zone;
    struct app_backfill wanted;
};

static uint64_t count_windows(const struct job *job, int64_t from_ms, int64_t to_ms)
{
    uint64_t n = 0;
    struct feeds_window window = feeds_window_at(&job->feed, &job->zone, from_ms);
    while (window.start_ms < to_ms) {
        window = feeds_window_after(&job->feed, &job->zone, window);
        n++;
    }
    return n;
}

static int complain(const char *feed, const char *what)
{
    (void)fprintf(stderr, "headrace-collector: %s: %s\n", feed, what);
    return EXIT_FAILED;
}

static int make_job(const struct options *options, struct job *job)
{
    static struct app_config config;
    if (!hr_is_ok(app_config_load(options->config, &config, stderr))) {
        return EXIT_BAD_CONFIG;
    }
    const struct app_tap *tap = NULL;
    for (uint32_t i = 0; i < config.n_taps; i++) {
        tap = config.taps[i].type == APP_TAP_HTTP ? &config.taps[i] : tap;
    }
    if (tap == NULL || !hr_is_ok(app_http_find(tap, options->feed, &job->feed, &job->zone))) {
        return complain(options->feed, "the configuration polls no feed of that name");
    }
    if (job->feed.window.kind == FEEDS_SNAPSHOT) {
        return complain(options->feed, "its documents are snapshots: there is none of the past");
    }
    struct app_backfill *wanted = &job->wanted;
    if (!read_time(options->from, &job->zone, &wanted->from_ms) ||
        !read_time(options->to, &job->zone, &wanted->to_ms) || wanted->from_ms >= wanted->to_ms) {
        return complain(options->feed, "--from and --to are days or times in UTC, and --from is the earlier");
    }
    (void)snprintf(wanted->feed, sizeof wanted->feed, "%s", options->feed);
    wanted->from_ms = feeds_window_at(&job->feed, &job->zone, wanted->from_ms).start_ms;
    wanted->next_ms = wanted->from_ms;
    app_backfill_folder(config.spool.path, job->folder);
    return EXIT_DONE;
}

/* Joins a request that is the same, and begins behind what an earlier one has fetched. */
static int leave(struct job *job)
{
    struct app_backfill known;
    struct app_backfill *wanted = &job->wanted;
    if (hr_is_ok(app_backfill_read(job->folder, wanted->feed, &known))) {
        bool is_same = known.from_ms == wanted->from_ms && known.to_ms == wanted->to_ms;
        if (known.next_ms < known.to_ms && !is_same) {
            char from[TIME_CAPACITY];
            char to[TIME_CAPACITY];
            (void)fprintf(stderr, "headrace-collector: %s: a backfill from %s to %s is under way\n",
                          wanted->feed, time_text(known.from_ms, from), time_text(known.to_ms, to));
            return EXIT_FAILED;
        }
        bool is_behind = known.from_ms <= wanted->from_ms && known.next_ms > wanted->from_ms;
        if (is_behind && known.next_ms >= wanted->to_ms) {
            *wanted = known; /* all of it was fetched */
            return EXIT_DONE;
        }
        if (is_same) {
            return EXIT_DONE;
        }
        if (is_behind) {
            wanted->from_ms = known.from_ms;
            wanted->next_ms = known.next_ms;
        }
    }
    if (!hr_is_ok(app_backfill_write(job->folder, wanted))) {
        return complain(job->folder, strerror(errno));
    }
    return EXIT_DONE;
}

static int show(const struct job *job)
{
    const struct timespec pause = {0, LOOK_NS};
    const struct app_backfill *wanted = &job->wanted;
    uint64_t n_windows = count_windows(job, wanted->from_ms, wanted->to_ms);
    int64_t shown_ms = 0;
    while (true) {
        struct app_backfill now;
        char next[TIME_CAPACITY];
        if (!hr_is_ok(app_backfill_read(job->folder, wanted->feed, &now))) {
            return complain(wanted->feed, "the request is gone");
        }
        bool is_done = now.next_ms >= wanted->to_ms;
        if (now.next_ms != shown_ms) {
            shown_ms = now.next_ms;
            uint64_t n_done = is_done ? n_windows : count_windows(job, wanted->from_ms, now.next_ms);
            (void)printf("%s: %" PRIu64 " of %" PRIu64 " windows%s%s\n", wanted->feed, n_done, n_windows,
                         is_done ? "" : ", next ", is_done ? "" : time_text(now.next_ms, next));
            (void)fflush(stdout);
        }
        if (is_done) {
            return EXIT_DONE;
        }
        (void)nanosleep(&pause, NULL);
    }
}

int app_backfill_command(int argc, char **argv)
{
    static struct job job;
    struct options options = {.config = NULL};
    if (!take_options(argc, argv, &options)) {
        return usage();
    }
    int code = make_job(&options, &job);
    code = code == EXIT_DONE ? leave(&job) : code;
    return code == EXIT_DONE ? show(&job) : code;
}
