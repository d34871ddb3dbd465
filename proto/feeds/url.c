/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/feeds/url.h"

#include "proto/base/assert.h"

#include <string.h>

struct output {
    char *text;
    size_t len;
    bool is_full;
};

static void put(struct output *out, char c)
{
    if (out->len == FEEDS_REQUEST_MAX_CHARS) {
        out->is_full = true;
        return;
    }
    out->text[out->len++] = c;
}

static void put_text(struct output *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        put(out, text[i]);
    }
}

static void put_number(struct output *out, uint64_t value, uint32_t min_digits)
{
    char digits[20];
    uint32_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0 || n < min_digits);
    while (n > 0) {
        put(out, digits[--n]);
    }
}

static bool put_part(struct output *out, char letter, const struct feeds_local *local)
{
    switch (letter) {
    case 'Y':
        put_number(out, (uint64_t)local->year, 4);
        return true;
    case 'm':
        put_number(out, local->month, 2);
        return true;
    case 'd':
        put_number(out, local->day, 2);
        return true;
    case 'H':
        put_number(out, local->hour, 2);
        return true;
    case 'M':
        put_number(out, local->minute, 2);
        return true;
    case 'S':
        put_number(out, local->second, 2);
        return true;
    default:
        return false;
    }
}

static const char *put_pattern(struct output *out, const char *pattern, size_t len,
                               const struct feeds_local *local)
{
    for (size_t i = 0; i < len; i++) {
        if (pattern[i] == ' ') {
            put_text(out, "%20", 3);
        } else if (pattern[i] != '%') {
            put(out, pattern[i]);
        } else {
            i++;
            if (i == len || !put_part(out, pattern[i], local)) {
                return "a pattern knows %Y %m %d %H %M %S";
            }
        }
    }
    return NULL;
}

/* A word up to the next colon or the end, which is taken too. */
static bool take_word(const char **at, const char *end, const char *word)
{
    size_t len = strlen(word);
    bool is_it =
        (size_t)(end - *at) >= len && memcmp(*at, word, len) == 0 && (*at + len == end || (*at)[len] == ':');
    if (is_it) {
        *at += len;
        *at += *at < end ? 1 : 0;
    }
    return is_it;
}

struct moment {
    const struct feeds_zone *zone;
    struct feeds_window window;
    int64_t now_ms;
};

static bool take_moment(const char **at, const char *end, const struct moment *moment, int64_t *out_ms)
{
    const struct {
        const char *word;
        int64_t ms;
    } moments[] = {{"start", moment->window.start_ms},
                   {"end", moment->window.end_ms},
                   {"last", moment->window.end_ms - 1000},
                   {"now", moment->now_ms}};
    for (size_t i = 0; i < HR_ARRAY_LEN(moments); i++) {
        if (take_word(at, end, moments[i].word)) {
            *out_ms = moments[i].ms;
            return true;
        }
    }
    return false;
}

/* What stands between braces. */
static const char *put_time(struct output *out, const char *at, const char *end, const struct moment *moment)
{
    static const struct feeds_zone utc = {.standard_s = 0};
    int64_t ms = 0;
    if (!take_moment(&at, end, moment, &ms)) {
        return "a time begins with start, end, last or now";
    }
    struct feeds_local local = feeds_zone_local(moment->zone, ms);
    if (take_word(&at, end, "epoch")) {
        put_number(out, (uint64_t)ms, 1);
    } else if (take_word(&at, end, "hour_ending")) {
        put_number(out, local.hour + 1u, 1);
    } else if (take_word(&at, end, "repeated")) {
        put_text(out, at, local.is_repeated ? (size_t)(end - at) : 0);
        at = end;
    } else if (take_word(&at, end, "local")) {
        return put_pattern(out, at, (size_t)(end - at), &local);
    } else if (take_word(&at, end, "utc")) {
        local = feeds_zone_local(&utc, ms);
        return put_pattern(out, at, (size_t)(end - at), &local);
    } else {
        return "a time is seen as utc, local, repeated, epoch or hour_ending";
    }
    return at == end ? NULL : "epoch and hour_ending have no pattern";
}

const char *feeds_url_expand(const char *url, const struct feeds_zone *zone, struct feeds_window window,
                             int64_t now_ms, char out[FEEDS_REQUEST_MAX_CHARS + 1])
{
    struct output to = {.text = out};
    const struct moment moment = {zone, window, now_ms};
    for (const char *at = url; *at != '\0'; at++) {
        if (*at == '}') {
            return "a brace is closed that was not opened";
        }
        if (*at != '{') {
            put(&to, *at);
            continue;
        }
        const char *end = strchr(at, '}');
        if (end == NULL) {
            return "a brace is not closed";
        }
        const char *wrong = put_time(&to, at + 1, end, &moment);
        if (wrong != NULL) {
            return wrong;
        }
        at = end;
    }
    out[to.len] = '\0';
    return to.is_full ? "with its times put in it has more than 255 characters" : NULL;
}

/* ---- checks ---- */

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* http:// at localhost or anywhere in 127.0.0.0/8, with a port: simulators of several hosts stand beside each
 * other there. */
static bool is_on_loopback(const char *url)
{
    static const char PREFIX[] = "http://127.";
    size_t digits = begins_with(url, PREFIX) ? strspn(url + sizeof PREFIX - 1, "0123456789.") : 0;
    return begins_with(url, "http://localhost:") || (digits > 0 && url[sizeof PREFIX - 1 + digits] == ':');
}

const char *feeds_url_check(const char *url)
{
    static const struct feeds_zone utc = {.standard_s = 0};
    const struct feeds_window window = {0, 3600000};
    char out[FEEDS_REQUEST_MAX_CHARS + 1];
    if (!begins_with(url, "https://") && !is_on_loopback(url)) {
        return "is no https:// URL";
    }
    for (const char *at = url; *at != '\0'; at++) {
        bool in_time = *at == ' ' && strchr(at, '}') != NULL;
        if ((*at <= ' ' && !in_time) || *at == '@' || *at == '#' || *at == '"') {
            return "spaces, @, # and quotes have no place in it (a space within braces is fine); secrets go "
                   "into auth";
        }
    }
    return feeds_url_expand(url, &utc, window, 0, out);
}

void feeds_url_host(const char *url, char *out, size_t capacity_bytes)
{
    const char *host = strstr(url, "://");
    host = host == NULL ? url : host + 3;
    size_t len = strcspn(host, ":/?");
    len = len < capacity_bytes ? len : capacity_bytes - 1;
    memcpy(out, host, len);
    out[len] = '\0';
}

bool feeds_url_add_page(const struct feeds_pages *pages, uint32_t page, char url[FEEDS_REQUEST_MAX_CHARS + 1])
{
    char digits[21];
    size_t at = sizeof digits - 1;
    uint64_t number = pages->first + (uint64_t)page * (pages->rows > 0 ? pages->rows : 1);
    size_t len = strlen(url);
    size_t name_len = strlen(pages->parameter);
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    size_t digits_len = sizeof digits - 1 - at;
    if (2 + name_len + digits_len > FEEDS_REQUEST_MAX_CHARS - len) {
        return false;
    }
    url[len] = strchr(url, '?') != NULL ? '&' : '?';
    memcpy(url + len + 1, pages->parameter, name_len);
    url[len + 1 + name_len] = '=';
    memcpy(url + len + 2 + name_len, digits + at, digits_len + 1);
    return true;
}
