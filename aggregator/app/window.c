/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/window.h"

#include "aggregator/http/json.h"
#include "proto/base/assert.h"

#include <stdio.h>
#include <string.h>

/* The number of n_digits digits at *text, which moves behind them. */
static bool take_digits(const char **text, int n_digits, int64_t *out)
{
    int64_t number = 0;
    for (int i = 0; i < n_digits; i++) {
        char c = (*text)[i];
        if (c < '0' || c > '9') {
            return false;
        }
        number = number * 10 + (c - '0');
    }
    *text += n_digits;
    *out = number;
    return true;
}

static bool take(const char **text, char wanted)
{
    if (**text != wanted) {
        return false;
    }
    (*text)++;
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar, by H. Hinnant's days_from_civil. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2 ? 1 : 0;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool is_date(int64_t year, int64_t month, int64_t day)
{
    static const int64_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
           day <= lengths[month - 1] - (month == 2 && !is_leap ? 1 : 0);
}

bool app_time_parse(const char *text, int64_t *utc_ms)
{
    int64_t year, month, day;
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    int64_t ms = 0;
    bool good = take_digits(&text, 4, &year) && take(&text, '-') && take_digits(&text, 2, &month) &&
                take(&text, '-') && take_digits(&text, 2, &day) && is_date(year, month, day);
    if (good && *text != '\0') {
        good = take(&text, 'T') && take_digits(&text, 2, &hour) && take(&text, ':') &&
               take_digits(&text, 2, &minute);
        if (good && take(&text, ':')) {
            good = take_digits(&text, 2, &second);
            good = good && (!take(&text, '.') || take_digits(&text, 3, &ms));
        }
        good = good && take(&text, 'Z') && *text == '\0' && hour < 24 && minute < 60 && second < 60;
    }
    if (!good) {
        return false;
    }
    *utc_ms = (((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms;
    return true;
}

/* `which` is a key at most. */
static struct hr_status refuse(char why[APP_WHY_CHARS], const char *which, const char *what)
{
    (void)snprintf(why, APP_WHY_CHARS, "%.31s%s", which, what);
    return hr_status_of(HR_MALFORMED);
}

enum { HAS_FEED = 1, HAS_FROM = 2, HAS_TO = 4, HAS_DRY_RUN = 8, HAS_ALL = HAS_FEED | HAS_FROM | HAS_TO };

static const struct {
    const char *key;
    unsigned bit;
    enum http_json_type type;
    const char *wants;
} keys[] = {
    {"feed", HAS_FEED, HTTP_JSON_STRING, " is the name of a topic"},
    {"from", HAS_FROM, HTTP_JSON_STRING, " is a time in UTC such as 2026-11-21T03:00:00Z or 2026-11-21"},
    {"to", HAS_TO, HTTP_JSON_STRING, " is a time in UTC such as 2026-11-21T03:00:00Z or 2026-11-21, or now"},
    {"dry_run", HAS_DRY_RUN, HTTP_JSON_BOOLEAN, " is true or false"},
};

static bool take_value(unsigned bit, const struct http_json_member *member, int64_t now_ms,
                       struct feed_replay *out)
{
    switch (bit) {
    case HAS_FEED:
        (void)snprintf(out->feed, sizeof out->feed, "%.63s", member->text);
        return strlen(member->text) <= FEED_NAME_MAX_CHARS;
    case HAS_FROM:
        return app_time_parse(member->text, &out->from_ms);
    case HAS_TO:
        out->to_ms = now_ms;
        return strcmp(member->text, "now") == 0 || app_time_parse(member->text, &out->to_ms);
    default:
        out->dry_run = member->flag;
        return true;
    }
}

static struct hr_status take_member(const struct http_json_member *member, int64_t now_ms, unsigned *has,
                                    struct feed_replay *out, char why[APP_WHY_CHARS])
{
    size_t i = 0;
    while (i < HR_ARRAY_LEN(keys) && strcmp(keys[i].key, member->key) != 0) {
        i++;
    }
    if (i == HR_ARRAY_LEN(keys)) {
        return refuse(why, member->key, " is no key here: feed, from, to and dry_run are");
    }
    if ((*has & keys[i].bit) != 0) {
        return refuse(why, member->key, " stands there twice");
    }
    *has |= keys[i].bit;
    if (member->type != keys[i].type || !take_value(keys[i].bit, member, now_ms, out)) {
        return refuse(why, member->key, keys[i].wants);
    }
    return hr_ok();
}

struct hr_status app_window_parse(struct hr_bytes body, int64_t now_ms, struct feed_replay *out,
                                  char why[APP_WHY_CHARS])
{
    struct feed_replay replay = {.asked_ms = now_ms};
    struct http_json json = http_json_over(body);
    struct http_json_member member;
    unsigned has = 0;
    struct hr_status status = http_json_next(&json, &member);
    for (; hr_is_ok(status); status = http_json_next(&json, &member)) {
        HR_TRY(take_member(&member, now_ms, &has, &replay, why));
    }
    if (!hr_is(status, HR_CLOSED)) {
        return refuse(why, "", "the body is no JSON object of plain values");
    }
    if ((has & HAS_ALL) != HAS_ALL) {
        return refuse(why,
                      (has & HAS_FEED) == 0   ? "feed"
                      : (has & HAS_FROM) == 0 ? "from"
                                              : "to",
                      " is missing");
    }
    if (replay.from_ms >= replay.to_ms) {
        return refuse(why, "", "the window is empty: from is not before to");
    }
    *out = replay;
    return hr_ok();
}
