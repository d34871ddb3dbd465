/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/iso_lab.h"

#include "aggregator/normalize/iso/read/text.h"
#include "aggregator/zoneinfo/zoneinfo.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct iso_lab iso_lab;
struct norm_zones iso_lab_zones;
static void *memory;

int iso_lab_start(void **state)
{
    char message[ZONEINFO_MESSAGE_CHARS] = "";
    (void)state;
    memory = calloc(1, norm_iso_work_bytes());
    if (memory == NULL || !hr_is_ok(zoneinfo_load(NULL, &iso_lab_zones, message))) {
        (void)fprintf(stderr, "no zones: %s\n", message);
        return -1;
    }
    return 0;
}

int iso_lab_stop(void **state)
{
    (void)state;
    free(memory);
    free(iso_lab.rows);
    memory = NULL;
    iso_lab.rows = NULL;
    return 0;
}

static struct hr_bytes copy(char *out, size_t capacity, struct hr_bytes bytes)
{
    size_t len = bytes.len_bytes < capacity - 1 ? bytes.len_bytes : capacity - 1;
    if (len > 0) {
        memcpy(out, bytes.data, len);
    }
    out[len] = '\0';
    return hr_bytes_of(out, len);
}

static void take_row(void *ctx, const struct norm_iso_row *row)
{
    (void)ctx;
    if (iso_lab.n_rows == iso_lab.capacity) {
        iso_lab.capacity = iso_lab.capacity == 0 ? 1024 : iso_lab.capacity * 2;
        struct iso_lab_row *more = realloc(iso_lab.rows, iso_lab.capacity * sizeof *iso_lab.rows);
        assert_non_null(more);
        iso_lab.rows = more;
    }
    struct iso_lab_row *kept = &iso_lab.rows[iso_lab.n_rows++];
    kept->row = *row;
    (void)copy(kept->location, sizeof kept->location, row->location_id);
    (void)copy(kept->market, sizeof kept->market, row->market);
    (void)snprintf(kept->subject, sizeof kept->subject, "%s", row->subject);
    norm_iso_key(row, kept->key);
}

static void take_place(void *ctx, const struct norm_iso_place *place)
{
    (void)ctx;
    if (iso_lab.n_places++ < ISO_LAB_PLACES_MAX) {
        struct iso_lab_place *kept = &iso_lab.places[iso_lab.n_places - 1];
        kept->place = *place;
        (void)copy(kept->id, sizeof kept->id, place->id);
        (void)copy(kept->name, sizeof kept->name, place->name);
        (void)copy(kept->zone, sizeof kept->zone, place->zone);
    }
}

static void take_anomaly(void *ctx, const struct norm_iso_anomaly *anomaly)
{
    (void)ctx;
    if (iso_lab.n_anomalies < ISO_LAB_ANOMALIES_MAX) {
        char *text = iso_lab.texts[iso_lab.n_anomalies];
        (void)snprintf(text, NORM_ISO_ANOMALY_CHARS, "%s", anomaly->text);
        iso_lab.anomalies[iso_lab.n_anomalies] = *anomaly;
        iso_lab.anomalies[iso_lab.n_anomalies++].text = text;
    }
}

void iso_lab_read(const char *feed, const char *name, struct hr_bytes body)
{
    const struct norm_iso_sink sink = {.row = take_row, .anomaly = take_anomaly, .place = take_place};
    bool is_auto = feed == NULL || strcmp(feed, "auto") == 0;
    const struct norm_iso_document document = {
        .feed = is_auto ? NULL : norm_iso_feed_of(hr_bytes_of(feed, strlen(feed))),
        .body = body,
        .name = hr_bytes_of(name, strlen(name)),
        .zones = &iso_lab_zones,
        .max_bytes = iso_lab.max_bytes};
    assert_true(is_auto || document.feed != NULL);
    iso_lab.n_rows = 0;
    iso_lab.n_anomalies = 0;
    iso_lab.n_places = 0;
    norm_iso_document(norm_iso_work_in(memory), &document, &sink, &iso_lab.result);
    assert_int_equal(iso_lab.n_rows, iso_lab.result.n_rows);
    assert_int_equal(iso_lab.n_places, iso_lab.result.n_places);
}

void iso_lab_read_text(const char *feed, const char *name, const char *text)
{
    iso_lab_read(feed, name, hr_bytes_of(text, strlen(text)));
}

const struct norm_iso_row *iso_lab_at(const char *location)
{
    for (size_t i = 0; i < iso_lab.n_rows; i++) {
        if (strcmp(iso_lab.rows[i].location, location) == 0) {
            return &iso_lab.rows[i].row;
        }
    }
    fail_msg("no row of %s among %zu", location, iso_lab.n_rows);
    return NULL;
}

int64_t iso_lab_utc(const char *text)
{
    int64_t utc_s = 0;
    assert_ok(norm_utc_read(hr_bytes_of(text, strlen(text)), &utc_s));
    return utc_s;
}

/* ---- archives ---- */

struct out {
    uint8_t *data;
    size_t capacity_bytes;
    size_t len;
};

static void put(struct out *out, const void *bytes, size_t len_bytes)
{
    assert_true(len_bytes <= out->capacity_bytes - out->len);
    memcpy(out->data + out->len, bytes, len_bytes);
    out->len += len_bytes;
}

static void put_number(struct out *out, uint64_t number, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++) {
        uint8_t byte = (uint8_t)(number >> (8 * i));
        put(out, &byte, 1);
    }
}

static size_t deflated(struct hr_bytes bytes, uint8_t *out, size_t capacity_bytes)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    uint8_t *copied = malloc(bytes.len_bytes + 1);
    assert_non_null(copied);
    memcpy(copied, bytes.data, bytes.len_bytes);
    stream.next_in = copied;
    stream.avail_in = (uInt)bytes.len_bytes;
    stream.next_out = out;
    stream.avail_out = (uInt)capacity_bytes;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t len = stream.total_out;
    (void)deflateEnd(&stream);
    free(copied);
    return len;
}

/* What a local header and a directory entry have in common. */
static void put_facts(struct out *out, struct hr_bytes member, size_t packed, const char *name)
{
    put_number(out, 20, 2); /* version needed */
    put_number(out, 0, 2);
    put_number(out, 8, 2); /* deflate */
    put_number(out, 0, 4); /* time */
    put_number(out, crc32(0, member.data, (uInt)member.len_bytes), 4);
    put_number(out, packed, 4);
    put_number(out, member.len_bytes, 4);
    put_number(out, strlen(name), 2);
    put_number(out, 0, 2);
}

size_t iso_lab_zip(const char *const *names, const struct hr_bytes *members, size_t n_members, uint8_t *out,
                   size_t capacity_bytes)
{
    enum { MEMBERS_MAX = 4 };
    struct out to = {out, capacity_bytes, 0};
    size_t at[MEMBERS_MAX];
    size_t packed[MEMBERS_MAX];
    assert_true(n_members <= MEMBERS_MAX);
    for (size_t i = 0; i < n_members; i++) {
        size_t header = 30 + strlen(names[i]);
        at[i] = to.len;
        assert_true(header < to.capacity_bytes - to.len);
        packed[i] = deflated(members[i], to.data + to.len + header, to.capacity_bytes - to.len - header);
        put(&to, "PK\3\4", 4);
        put_facts(&to, members[i], packed[i], names[i]);
        put(&to, names[i], strlen(names[i]));
        to.len += packed[i];
    }
    size_t directory = to.len;
    for (size_t i = 0; i < n_members; i++) {
        put(&to, "PK\1\2", 4);
        put_number(&to, 20, 2); /* version made by */
        put_facts(&to, members[i], packed[i], names[i]);
        put_number(&to, 0, 2); /* comment */
        put_number(&to, 0, 8); /* disk, attributes */
        put_number(&to, at[i], 4);
        put(&to, names[i], strlen(names[i]));
    }
    size_t directory_bytes = to.len - directory;
    put(&to, "PK\5\6", 4);
    put_number(&to, 0, 4);
    put_number(&to, n_members, 2);
    put_number(&to, n_members, 2);
    put_number(&to, directory_bytes, 4);
    put_number(&to, directory, 4);
    put_number(&to, 0, 2);
    return to.len;
}
