/* SPDX-License-Identifier: Apache-2.0
 *
 * TAG blocks: \\code:value,code:value*hh\\ before a sentence (IEC 61162-450, 7.2; NMEA 0183 4.10, 7). */
#include "firmware/taps/ais/ais_internal.h"

#include <string.h>

enum {
    MAX_GROUP_DIGITS = 9,
    MAX_TIME_DIGITS = 14,
};

/* c: is seconds in the standard and milliseconds in much software. Read as milliseconds this is March 1973,
 * read as seconds the year 5138. */
static const int64_t FIRST_MILLISECONDS = 100000000000;

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Reads 1 to max_digits digits and moves *at behind them. */
static bool read_number(const uint8_t **at, const uint8_t *end, int max_digits, int64_t *out)
{
    const uint8_t *p = *at;
    int64_t value = 0;
    int n_digits = 0;
    while (p < end && is_digit(*p) && n_digits <= max_digits) {
        value = value * 10 + (*p++ - '0');
        n_digits++;
    }
    if (n_digits == 0 || n_digits > max_digits) {
        return false;
    }
    *at = p;
    *out = value;
    return true;
}

/* A fraction of a second, cut to milliseconds: ".", ".5", ".0421". */
static bool read_fraction(const uint8_t *at, const uint8_t *end, int64_t *out_ms)
{
    int64_t scale_ms = 100;
    *out_ms = 0;
    for (at++; at < end && is_digit(*at); at++) {
        *out_ms += (*at - '0') * scale_ms;
        scale_ms /= 10;
    }
    return at == end;
}

static bool read_time(const uint8_t *at, const uint8_t *end, struct tap_ais_tag *tag)
{
    int64_t value = 0;
    int64_t fraction_ms = 0;
    if (!read_number(&at, end, MAX_TIME_DIGITS, &value)) {
        return false;
    }
    if (at < end && (*at != '.' || !read_fraction(at, end, &fraction_ms))) {
        return false;
    }
    tag->source_time_ms = value >= FIRST_MILLISECONDS ? value : value * 1000 + fraction_ms;
    return true;
}

static bool read_station(const uint8_t *at, const uint8_t *end, struct tap_ais_tag *tag)
{
    size_t len = (size_t)(end - at);
    if (len == 0 || len > EDGE_AIS_STATION_MAX_CHARS) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (at[i] < ' ' || at[i] > '~') {
            return false;
        }
    }
    memcpy(tag->station, at, len);
    tag->station[len] = '\0';
    return true;
}

/* number-total-id */
static bool read_group(const uint8_t *at, const uint8_t *end, struct tap_ais_tag *tag)
{
    int64_t part[3] = {0, 0, 0};
    for (size_t i = 0; i < 3; i++) {
        if (i > 0) {
            if (at == end || *at != '-') {
                return false;
            }
            at++;
        }
        if (!read_number(&at, end, MAX_GROUP_DIGITS, &part[i])) {
            return false;
        }
    }
    if (at != end || part[0] < 1 || part[0] > part[1] || part[1] > UINT8_MAX) {
        return false;
    }
    tag->group_number = (uint8_t)part[0];
    tag->group_total = (uint8_t)part[1];
    tag->group_id = (uint32_t)part[2] + 1;
    return true;
}

/* Codes that the tap has no use for (n:, d:, r:, t:, x: and makers' own) are left out without a word. */
static bool read_code(const uint8_t *at, const uint8_t *end, struct tap_ais_tag *tag)
{
    static const struct {
        uint8_t code;
        bool (*read)(const uint8_t *at, const uint8_t *end, struct tap_ais_tag *tag);
    } CODE[] = {{'c', read_time}, {'s', read_station}, {'g', read_group}};

    if (end - at < 2 || at[1] != ':') {
        return true;
    }
    for (size_t i = 0; i < sizeof CODE / sizeof CODE[0]; i++) {
        if (CODE[i].code == at[0]) {
            return CODE[i].read(at + 2, end, tag);
        }
    }
    return true;
}

const uint8_t *tap_ais_read_tag(struct tap_ais *tap, const uint8_t *at, const uint8_t *end,
                                struct tap_ais_tag *tag)
{
    at++;
    const uint8_t *close = memchr(at, '\\', (size_t)(end - at));
    if (close == NULL) {
        tap->counter[TAP_AIS_MALFORMED_TAG]++;
        return NULL;
    }
    const uint8_t *star = close - at < 3 ? at : close - 3;
    if (*star != '*' || close - star != 3 ||
        !tap_ais_hex_is(star + 1, tap_ais_xor(at, (size_t)(star - at)))) {
        tap->counter[TAP_AIS_BAD_TAG_CHECKSUM]++;
        memset(tag, 0, sizeof *tag);
        return close + 1;
    }
    while (at < star) {
        const uint8_t *comma = memchr(at, ',', (size_t)(star - at));
        const uint8_t *code_end = comma == NULL ? star : comma;
        tap->counter[TAP_AIS_MALFORMED_TAG] += !read_code(at, code_end, tag);
        at = code_end + 1;
    }
    return close + 1;
}
