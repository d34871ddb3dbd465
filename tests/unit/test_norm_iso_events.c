/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents as events: what stands on them when one batch gives more than 16 bits can count, and the bound
 * behind which it gives no more. */
#include "aggregator/normalize/iso/normalizer.h"
#include "tests/support/batch_maker.h"
#include "tests/support/iso_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define HEAD "datetime_beginning_utc,datetime_beginning_ept,area,solar_generation_mw\n"
#define LINE "3/2/2026 5:00:00 AM,3/2/2026 12:00:00 AM,RTO,1\n"

enum { CHUNKS_MAX = 3 };

static struct norm_iso_normalizer iso;

/* The Document and its chunks in one batch: lines that are all alike take no room when they are packed. */
static void make_batch_of(const char *text, struct made_batch *out)
{
    static const uint8_t none[WIRE_DIGEST_BYTES];
    static struct edge_record records[1 + CHUNKS_MAX];
    static uint8_t packed[CHUNKS_MAX * EDGE_CHUNK_MAX_BYTES];
    static struct batch_maker maker;
    size_t len = strlen(text);
    memset(records, 0, sizeof records);
    records[0].kind = EDGE_DOCUMENT;
    records[0].as.document = (struct edge_document){
        .document_id = 1, .feed = "pjm_solar", .http_status = 200, .len_bytes = (uint32_t)len, .encoding = 1};
    const struct hr_bytes body = hr_bytes_of(text, len);
    wire_sha256(test_hash(), &body, 1, records[0].as.document.sha256);
    size_t left = ZSTD_compress(packed, sizeof packed, text, len, 19);
    assert_false(ZSTD_isError(left));
    uint16_t n_chunks = 0;
    for (; left > 0; n_chunks++) {
        struct edge_record *record = &records[1 + n_chunks];
        size_t taken = left < EDGE_CHUNK_MAX_BYTES ? left : EDGE_CHUNK_MAX_BYTES;
        record->kind = EDGE_CHUNK;
        record->as.chunk =
            (struct edge_chunk){.document_id = 1, .index = n_chunks, .len_bytes = (uint16_t)taken};
        memcpy(record->as.chunk.data, packed + (size_t)n_chunks * EDGE_CHUNK_MAX_BYTES, taken);
        left -= taken;
    }
    records[0].as.document.n_chunks = n_chunks;
    batch_maker_start(&maker, 7, 0, none);
    batch_maker_next(&maker, records, (uint16_t)(1 + n_chunks), 0, out);
}

static void make_batch(uint32_t n_lines, struct made_batch *out)
{
    char *text = malloc(strlen(HEAD) + n_lines * strlen(LINE) + 1);
    assert_non_null(text);
    memcpy(text, HEAD, strlen(HEAD));
    for (uint32_t i = 0; i <= n_lines; i++) { /* the NUL behind the last one too */
        memcpy(text + strlen(HEAD) + i * strlen(LINE), i < n_lines ? LINE : "",
               i < n_lines ? strlen(LINE) : 1);
    }
    make_batch_of(text, out);
    free(text);
}

struct kept {
    char (*ids)[NORM_UUID_CHARS];
    uint32_t n;
    uint32_t n_anomalies;
    char finding[64];
};

static void keep_event(void *ctx, const struct norm_event *event)
{
    struct kept *kept = ctx;
    assert_true(event->record_index >= 1);
    assert_int_equal(event->output_index, kept->n);
    const struct norm_value *id = &event->values[NORM_EVENT_ID];
    memcpy(kept->ids[kept->n++], id->as.bytes.data, NORM_UUID_CHARS);
    if (strcmp(event->schema->topic, "data.quality.anomalies.v1") == 0) {
        kept->n_anomalies++;
        const struct norm_value *finding = &event->values[NORM_COMMON_COUNT + 2];
        memcpy(kept->finding, finding->as.bytes.data, finding->as.bytes.len_bytes);
    }
}

static void normalize(uint32_t n_lines, struct kept *kept)
{
    static struct made_batch made;
    const struct normalizer *const normalizers[] = {&iso.normalizer};
    const struct norm_emit emit = {keep_event, kept};
    make_batch(n_lines, &made);
    struct ledger_batch batch = {.device_id = 7, .envelope = hr_bytes_of(made.bytes, made.len_bytes)};
    memcpy(batch.digest, made.digest, sizeof batch.digest);
    struct norm_input input = {.batch = &batch, .tenant = ""};
    assert_ok(wire_envelope_split(batch.envelope, &input.envelope));
    *kept = (struct kept){.ids = calloc(NORM_DOCUMENT_EVENTS_MAX + 1, NORM_UUID_CHARS)};
    assert_non_null(kept->ids);
    (void)norm_batch(normalizers, 1, &input, &emit);
}

static void events_beyond_16_bits_have_ids_of_their_own(void **state)
{
    (void)state;
    struct kept kept;
    normalize(70000, &kept);
    assert_int_equal(kept.n, 70000);
    assert_int_equal(kept.n_anomalies, 0);
    for (uint32_t i = 0; i < kept.n; i++) {
        char low[5] = {0};
        memcpy(low, kept.ids[i] + NORM_UUID_CHARS - 4, 4);
        assert_int_equal(strtoul(low, NULL, 16), i & UINT16_MAX);
        /* So only those that are 65,536 apart could be the same. */
        assert_true(i <= UINT16_MAX ||
                    memcmp(kept.ids[i], kept.ids[i - UINT16_MAX - 1], NORM_UUID_CHARS) != 0);
    }
    free(kept.ids);
}

static void a_batch_gives_no_more_events_than_its_bound_and_says_so(void **state)
{
    (void)state;
    struct kept kept;
    normalize(NORM_DOCUMENT_EVENTS_MAX + 9, &kept);
    assert_int_equal(kept.n, NORM_DOCUMENT_EVENTS_MAX + 1);
    assert_int_equal(kept.n_anomalies, 1);
    assert_string_equal(kept.finding, "too_many_events");
    free(kept.ids);
    normalize(3, &kept); /* the next one is not touched by that */
    assert_int_equal(kept.n, 3);
    free(kept.ids);
}

/* ---- revisions ---- */

#define HOURS 3
static struct norm_said said[HOURS];
static bool is_away;

static bool said_last(void *ctx, const struct norm_subject_key *of, struct norm_said *out)
{
    (void)ctx;
    *out = said[of->hour % HOURS];
    return !is_away;
}

static void say(void *ctx, const struct norm_subject_key *of, const struct norm_said *what)
{
    (void)ctx;
    assert_int_equal(of->end_s, (of->hour + 1) * 3600);
    said[of->hour % HOURS] = *what;
}

static struct {
    char id[NORM_UUID_CHARS];
    uint32_t output;
    int64_t revision;
    double value;
} told[HOURS];
static uint32_t n_told;

static void tell(void *ctx, const struct norm_event *event)
{
    (void)ctx;
    assert_true(n_told < HOURS);
    memcpy(told[n_told].id, event->values[NORM_EVENT_ID].as.bytes.data, NORM_UUID_CHARS);
    told[n_told].output = event->output_index;
    told[n_told].revision = event->values[NORM_REVISION].as.number;
    told[n_told++].value = event->values[event->schema->n_fields - 2].as.real; /* before the quarantine */
}

static void publish(const char *megawatts, const struct norm_known *known)
{
    static struct made_batch made;
    const struct normalizer *const normalizers[] = {&iso.normalizer};
    const struct norm_emit emit = {tell, NULL};
    char text[512] = HEAD;
    for (int i = 0; i < HOURS; i++) {
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "3/2/2026 %d:00:00 AM,3/2/2026 %d:00:00 AM,RTO,%c\n",
                       5 + i, i == 0 ? 12 : i, megawatts[i]);
    }
    make_batch_of(text, &made);
    struct ledger_batch batch = {
        .leaf = iso.next_leaf, .device_id = 7, .envelope = hr_bytes_of(made.bytes, made.len_bytes)};
    memcpy(batch.digest, made.digest, sizeof batch.digest);
    struct norm_input input = {.batch = &batch, .tenant = "", .memory = known};
    assert_ok(wire_envelope_split(batch.envelope, &input.envelope));
    n_told = 0;
    (void)norm_batch(normalizers, 1, &input, &emit);
}

static void a_correction_is_the_next_revision_and_what_is_unchanged_is_no_event(void **state)
{
    (void)state;
    const struct norm_known known = {said_last, say, NULL};
    memset(said, 0, sizeof said);
    iso.counts = (struct norm_iso_counts){0};
    publish("111", &known);
    assert_int_equal(n_told, 3);
    assert_true(told[0].revision == 0 && told[1].revision == 0 && told[2].revision == 0);
    publish("111", &known);
    assert_int_equal(n_told, 0);
    publish("121", &known);
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0].output, 1);
    assert_int_equal(told[0].revision, 1);
    assert_true(told[0].value == 2);
    char id[NORM_UUID_CHARS];
    memcpy(id, told[0].id, sizeof id);
    publish("111", &known); /* taken back: said before, but not last */
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0].revision, 2);
    publish("121", NULL); /* the same bytes, and nothing remembered */
    assert_int_equal(n_told, 3);
    assert_memory_equal(told[1].id, id, sizeof id);
    assert_int_equal(iso.counts.rows, 15);
    assert_int_equal(iso.counts.unchanged, 3 + 2 + 2);
    assert_int_equal(iso.counts.corrected, 2);
}

static void nothing_is_emitted_when_memory_can_not_tell(void **state)
{
    (void)state;
    const struct norm_known known = {said_last, say, NULL};
    memset(said, 0, sizeof said);
    is_away = true;
    publish("111", &known);
    is_away = false;
    assert_int_equal(n_told, 0);
    assert_true(said[0].content == 0);
    publish("111", &known);
    assert_int_equal(n_told, 3);
}

static void a_batch_that_comes_again_is_counted_once(void **state)
{
    (void)state;
    struct kept kept;
    const struct norm_iso_config config = iso.config;
    norm_iso_init(&iso, &config);
    for (int again = 0; again < 3; again++) {
        normalize(7, &kept);
        assert_int_equal(kept.n, 7);
        free(kept.ids);
        assert_int_equal(iso.counts.rows, 7);
        assert_int_equal(iso.counts.normalized, 1);
        assert_int_equal(iso.counts.documents[NORM_DOCUMENT_CONTENT], 1);
    }
}

static int start(void **state)
{
    const struct norm_iso_config config = {
        .zones = &iso_lab_zones, .hash = test_hash(), .memory = calloc(1, norm_iso_memory_bytes())};
    if (config.memory == NULL || iso_lab_start(state) != 0) {
        return 1;
    }
    norm_iso_init(&iso, &config);
    return 0;
}

static int stop(void **state)
{
    free(iso.config.memory);
    return iso_lab_stop(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_beyond_16_bits_have_ids_of_their_own),
        cmocka_unit_test(a_correction_is_the_next_revision_and_what_is_unchanged_is_no_event),
        cmocka_unit_test(nothing_is_emitted_when_memory_can_not_tell),
        cmocka_unit_test(a_batch_gives_no_more_events_than_its_bound_and_says_so),
        cmocka_unit_test(a_batch_that_comes_again_is_counted_once),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
