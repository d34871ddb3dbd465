/* SPDX-License-Identifier: Apache-2.0
 *
 * Which observation a row is of, what it says, and when that is a correction. */
#include "aggregator/normalize/iso/iso.h"

#include "proto/base/assert.h"

#include <string.h>

struct key {
    char *out;
    size_t len;
    uint64_t rest; /* hash of what found no room; 0: everything did */
};

enum { HOUR_S = 3600, KEY_ROOM = NORM_ISO_KEY_CHARS - 18 }; /* '~', 16 digits and the NUL */

static uint64_t fnv(uint64_t hash, const void *bytes, size_t len_bytes)
{
    const uint8_t *at = bytes;
    hash = hash == 0 ? UINT64_C(0xCBF29CE484222325) : hash;
    for (size_t i = 0; i < len_bytes; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001B3);
    }
    return hash;
}

static void put(struct key *key, struct hr_bytes bytes)
{
    size_t room = KEY_ROOM - key->len;
    size_t len = bytes.len_bytes < room ? bytes.len_bytes : room;
    if (len > 0) {
        memcpy(key->out + key->len, bytes.data, len);
    }
    key->len += len;
    if (len < bytes.len_bytes) {
        key->rest = fnv(key->rest, bytes.data + len, bytes.len_bytes - len);
    }
}

static void put_text(struct key *key, const char *text)
{
    put(key, hr_bytes_of(text, strlen(text)));
}

static void put_number(struct key *key, int64_t number, size_t least_digits)
{
    char digits[24];
    size_t n = 0;
    uint64_t left = number < 0 ? (uint64_t)-number : (uint64_t)number;
    do {
        digits[sizeof digits - ++n] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0 || n < least_digits);
    if (number < 0) {
        digits[sizeof digits - ++n] = '-';
    }
    put(key, hr_bytes_of(digits + sizeof digits - n, n));
}

static void put_instant(struct key *key, int64_t utc_s)
{
    struct norm_clock clock = norm_clock_of(utc_s);
    put_number(key, clock.date.year, 4);
    put_text(key, "-");
    put_number(key, clock.date.month, 2);
    put_text(key, "-");
    put_number(key, clock.date.day, 2);
    put_text(key, "T");
    put_number(key, clock.hour, 2);
    put_text(key, ":");
    put_number(key, clock.minute, 2);
    put_text(key, ":");
    put_number(key, clock.second, 2);
    put_text(key, "Z");
}

void norm_iso_key(const struct norm_iso_row *row, char out[NORM_ISO_KEY_CHARS])
{
    const struct hr_bytes slash = hr_bytes_of("/", 1);
    struct key key = {.out = out};
    put_text(&key, norm_iso_code(row->feed->iso));
    put(&key, slash);
    put_text(&key, norm_iso_product_name(row->feed->product));
    put(&key, slash);
    put(&key, row->market);
    put(&key, slash);
    put_text(&key, row->subject);
    put(&key, slash);
    put_text(&key, row->curve_role);
    put(&key, slash);
    put(&key, row->region);
    put(&key, slash);
    put_text(&key, norm_iso_location_name(row->location_type));
    put(&key, slash);
    put(&key, row->location_id);
    put(&key, slash);
    put(&key, row->contingency);
    put(&key, slash);
    put_instant(&key, row->start_s);
    put(&key, slash);
    put_number(&key, (row->end_s - row->start_s) / NORM_MINUTE_S, 1);
    if ((row->has & NORM_ISO_HAS_PUBLISHED) != 0) {
        put_text(&key, "@");
        put_instant(&key, row->published_s);
    }
    if (key.rest != 0) {
        out[key.len++] = '~';
        for (int i = 60; i >= 0; i -= 4) {
            out[key.len++] = "0123456789abcdef"[key.rest >> i & 15];
        }
    }
    out[key.len] = '\0';
}

uint64_t norm_iso_content(const struct norm_iso_row *row)
{
    /* Only what is there: the rest of a row may hold anything. */
    const struct {
        uint32_t bit;
        const void *at;
        size_t len_bytes;
    } parts[] = {
        {NORM_ISO_HAS_VALUE, &row->value, sizeof row->value},
        {NORM_ISO_HAS_ENERGY, &row->energy, sizeof row->energy},
        {NORM_ISO_HAS_CONGESTION, &row->congestion, sizeof row->congestion},
        {NORM_ISO_HAS_LOSS, &row->loss, sizeof row->loss},
        {NORM_ISO_HAS_GHG, &row->ghg, sizeof row->ghg},
        {NORM_ISO_HAS_LIMIT, &row->limit_mw, sizeof row->limit_mw},
        {NORM_ISO_HAS_VERSION, &row->version, sizeof row->version},
    };
    uint64_t hash = fnv(0, &row->has, sizeof row->has);
    for (size_t i = 0; i < HR_ARRAY_LEN(parts); i++) {
        if ((row->has & parts[i].bit) != 0) {
            hash = fnv(hash, parts[i].at, parts[i].len_bytes);
        }
    }
    return hash == 0 ? 1 : hash;
}

struct norm_subject_key norm_iso_subject_key(const struct norm_iso_row *row, const char *key)
{
    const char *product = norm_iso_product_name(row->feed->product);
    const char *code = norm_iso_code(row->feed->iso);
    uint64_t family = fnv(fnv(0, product, strlen(product)), code, strlen(code));
    int64_t hour = row->start_s / HOUR_S - (row->start_s % HOUR_S < 0 ? 1 : 0);
    return (struct norm_subject_key){.family = (uint32_t)(family ^ family >> 32),
                                     .hour = hour,
                                     .end_s = row->end_s,
                                     .name = fnv(0, key, strlen(key))};
}

enum norm_iso_news norm_iso_revise(uint64_t known_content, uint32_t known_revision, uint64_t content,
                                   uint32_t *revision)
{
    if (known_content == 0) {
        *revision = 0;
        return NORM_ISO_NEW;
    }
    *revision = known_content == content ? known_revision : known_revision + 1;
    return known_content == content ? NORM_ISO_SAME : NORM_ISO_CORRECTED;
}
