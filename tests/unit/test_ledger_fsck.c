/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of `headrace ledger fsck|export|rebuild` that need neither a database nor Kafka: the archive, the
 * proof of a log, and the comparison with what was delivered. */
#include "firmware/crypto/crypto.h"
#include "tests/support/batch_maker.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cmocka.h"
#include "tools/cli/archive.h"
#include "tools/cli/delivered.h"
#include "tools/cli/refold.h"
#include "tools/cli/track.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICE = 7, N_BATCHES = 6, SEC1_BYTES = 51 };

struct fixture {
    struct crypto_signer signer;
    struct made_batch made[N_BATCHES]; /* a chain; records 3 each */
    struct ledger_batch batches[N_BATCHES];
    struct ledger_device device;
    struct cli_findings findings;
    struct cli_track track;
};

static struct fixture fixture;

static int set_up(void **state)
{
    static const uint8_t head[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
    static const uint8_t tail[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static const uint8_t zeros[WIRE_DIGEST_BYTES];
    uint8_t sec1[SEC1_BYTES];
    struct batch_maker maker;
    memset(sec1, 0x11, sizeof sec1); /* the key: 0x1111... */
    memcpy(sec1, head, sizeof head);
    memcpy(sec1 + sizeof sec1 - sizeof tail, tail, sizeof tail);
    memset(&fixture, 0, sizeof fixture);
    assert_ok(crypto_start());
    assert_ok(crypto_signer_load(&fixture.signer, hr_bytes_of(sec1, sizeof sec1), 1));
    batch_maker_start(&maker, DEVICE, 0, zeros);
    maker.key_epoch = 1;
    maker.sign = &fixture.signer.port;
    for (uint32_t i = 0; i < N_BATCHES; i++) {
        struct made_batch *made = &fixture.made[i];
        batch_maker_plain(&maker, 3, (uint8_t)i, made);
        fixture.batches[i] = (struct ledger_batch){.leaf = i,
                                                   .device_id = DEVICE,
                                                   .seq = i,
                                                   .received_utc_ms = 1000000 + i,
                                                   .envelope = hr_bytes_of(made->bytes, made->len_bytes)};
        memcpy(fixture.batches[i].digest, made->digest, WIRE_DIGEST_BYTES);
    }
    fixture.device = (struct ledger_device){.device_id = DEVICE,
                                            .name = "gw",
                                            .tenant = "t",
                                            .state = LEDGER_DEVICE_ACTIVE,
                                            .revision = 1,
                                            .n_keys = 1};
    struct ledger_key *key = &fixture.device.keys[0];
    *key = (struct ledger_key){
        .epoch = 1, .spki_len_bytes = CRYPTO_SPKI_BYTES, .to_stream = UINT32_MAX, .to_seq = UINT32_MAX};
    memcpy(key->spki, fixture.signer.spki, CRYPTO_SPKI_BYTES);
    fixture.findings.is_quiet = true;
    assert_ok(cli_track_init(&fixture.track, &fixture.findings));
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cli_track_free(&fixture.track);
    crypto_signer_unload(&fixture.signer);
    return 0;
}

/* ---- the proof of a log ---- */

static struct ledger_stream head_at(uint32_t seq)
{
    struct ledger_stream head = {
        .device_id = DEVICE, .cum_seq = seq, .next_record_seq = 3 * (seq + 1), .key_epoch = 1};
    memcpy(head.cum_digest, fixture.made[seq].digest, WIRE_DIGEST_BYTES);
    return head;
}

/* Runs the log with the batches of `mask`; the findings. */
static uint64_t prove(const struct ledger_stream *head, uint32_t mask)
{
    struct verify_result result;
    cli_track_stream(&fixture.track, head);
    cli_track_device(&fixture.track, &fixture.device);
    fixture.track.is_still = true;
    for (uint32_t i = 0; i < N_BATCHES; i++) {
        if ((mask >> i & 1u) != 0) {
            (void)cli_track_batch(&fixture.track, &fixture.batches[i], &result);
        }
    }
    cli_track_end(&fixture.track);
    return cli_findings_total(&fixture.findings);
}

static void a_sound_log_gives_no_finding(void **state)
{
    (void)state;
    const struct ledger_stream head = head_at(N_BATCHES - 1);
    assert_int_equal(prove(&head, 0x3F), 0);
    assert_int_equal(fixture.track.n_records, 3 * N_BATCHES);
}

static void a_batch_that_is_gone_breaks_the_chain_once(void **state)
{
    (void)state;
    const struct ledger_stream head = head_at(N_BATCHES - 1);
    assert_int_equal(prove(&head, 0x3F & ~(1u << 2)), 1);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_CHAIN], 1);
}

static void a_log_without_its_last_batch_is_not_where_its_head_says(void **state)
{
    (void)state;
    const struct ledger_stream head = head_at(N_BATCHES - 1);
    assert_int_equal(prove(&head, 0x1F), 1);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_HEAD], 1);
}

static void what_a_pruned_log_begins_with_is_not_held_against_it(void **state)
{
    (void)state;
    const struct ledger_stream head = head_at(N_BATCHES - 1);
    fixture.track.first_leaf = 2;
    assert_int_equal(prove(&head, 0x3C), 0);
}

static void what_retention_takes_while_it_is_examined_breaks_no_chain(void **state)
{
    (void)state;
    const struct ledger_stream head = head_at(N_BATCHES - 1);
    struct verify_result result;
    (void)prove(&head, 0x03);
    memset(fixture.findings.counts, 0, sizeof fixture.findings.counts); /* it was only begun */
    cli_track_skip(&fixture.track, 4);
    for (uint32_t i = 4; i < N_BATCHES; i++) {
        (void)cli_track_batch(&fixture.track, &fixture.batches[i], &result);
    }
    cli_track_end(&fixture.track);
    assert_int_equal(cli_findings_total(&fixture.findings), 0);
}

static void every_flipped_byte_of_a_batch_is_found(void **state)
{
    (void)state;
    struct verify_result result;
    struct ledger_batch batch = fixture.batches[0];
    uint8_t bytes[MAKER_ENVELOPE_MAX_BYTES];
    cli_track_device(&fixture.track, &fixture.device);
    memcpy(bytes, batch.envelope.data, batch.envelope.len_bytes);
    batch.envelope = hr_bytes_of(bytes, batch.envelope.len_bytes);
    for (size_t at = 0; at < batch.envelope.len_bytes; at++) {
        uint64_t before = cli_findings_total(&fixture.findings);
        bytes[at] ^= 0x20;
        (void)cli_track_batch(&fixture.track, &batch, &result);
        bytes[at] ^= 0x20;
        assert_true(cli_findings_total(&fixture.findings) > before);
        fixture.track.n_streams = 0; /* the next one is the first of its stream again */
    }
}

static void a_key_that_may_not_sign_there_is_found_and_a_revoked_one_is_not_accused(void **state)
{
    (void)state;
    const struct ledger_stream head = head_at(N_BATCHES - 1);
    fixture.device.keys[0].to_stream = 0;
    fixture.device.keys[0].to_seq = 4;
    assert_int_equal(prove(&head, 0x3F), 2);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_SIGNATURE], 2);
    (void)tear_down(NULL);
    (void)set_up(state);
    fixture.device.keys[0].to_stream = 0;
    fixture.device.keys[0].to_seq = 4;
    fixture.device.keys[0].revoked = true;
    assert_int_equal(prove(&head, 0x3F), 0);
}

static void a_state_behind_its_batches_is_brought_up_to_date(void **state)
{
    (void)state;
    const struct ledger_stream head = head_at(2);
    const struct ledger_stream wanted = head_at(N_BATCHES - 1);
    struct verify_result result;
    cli_track_stream(&fixture.track, &head);
    cli_track_device(&fixture.track, &fixture.device);
    for (uint32_t i = 0; i < N_BATCHES; i++) {
        assert_true(cli_track_batch(&fixture.track, &fixture.batches[i], &result));
    }
    cli_track_end(&fixture.track);
    assert_int_equal(cli_findings_total(&fixture.findings), 0);
    struct ledger_stream now = cli_track_state(&fixture.track.streams[0]);
    assert_int_equal(now.cum_seq, wanted.cum_seq);
    assert_int_equal(now.next_record_seq, wanted.next_record_seq);
    assert_memory_equal(now.cum_digest, wanted.cum_digest, WIRE_DIGEST_BYTES);
}

/* ---- the archive ---- */

static size_t write_archive(const char *path, uint8_t *out, size_t capacity)
{
    struct cli_archive archive;
    const struct cli_archive_head head = {.origin = "0123456789abcdef0123456789abcdef", .from_leaf = 0};
    const struct cli_archive_range range = {.to_leaf = 1, .is_whole = true};
    const struct ledger_stream stream = head_at(0);
    cli_archive_open(&archive, fopen(path, "wb"));
    assert_ok(cli_archive_begin(&archive));
    cli_keep_head(&archive, &head);
    cli_keep_stream(&archive, &stream);
    cli_keep_range(&archive, &range);
    cli_keep_batch(&archive, &fixture.batches[0]);
    assert_ok(cli_archive_end(&archive));
    assert_ok(cli_archive_close(&archive));
    FILE *file = fopen(path, "rb");
    size_t len_bytes = fread(out, 1, capacity, file);
    assert_int_equal(fclose(file), 0);
    return len_bytes;
}

/* Reads it to where it ends; HR_CLOSED: it is whole. */
static enum hr_code read_archive(uint8_t *bytes, size_t len_bytes, int *n_batches)
{
    struct cli_archive archive;
    enum cli_frame type;
    struct hr_bytes body;
    struct ledger_batch batch;
    cli_archive_open(&archive, fmemopen(bytes, len_bytes, "rb"));
    struct hr_status status = cli_archive_check_magic(&archive);
    *n_batches = 0;
    while (hr_is_ok(status) && hr_is_ok(status = cli_archive_next(&archive, &type, &body))) {
        if (type == CLI_FRAME_BATCH) {
            assert_true(cli_get_batch(body, &batch));
            assert_memory_equal(batch.digest, fixture.batches[*n_batches].digest, WIRE_DIGEST_BYTES);
            (*n_batches)++;
        }
    }
    hr_ignore(cli_archive_close(&archive)); /* it was only read */
    return status.code;
}

static void an_archive_that_is_cut_or_changed_anywhere_is_refused(void **state)
{
    (void)state;
    static uint8_t bytes[16384];
    struct temp_folder folder;
    char path[2 * TEMP_PATH_CHARS];
    int n_batches = 0;
    temp_folder_make(&folder);
    (void)temp_folder_file(&folder, "archive", path);
    size_t len_bytes = write_archive(path, bytes, sizeof bytes);
    assert_int_equal(read_archive(bytes, len_bytes, &n_batches), HR_CLOSED);
    assert_int_equal(n_batches, 1);
    for (size_t at = 0; at < len_bytes; at++) {
        if (at > 0) {
            assert_int_equal(read_archive(bytes, at, &n_batches), HR_CORRUPT);
        }
        bytes[at] ^= 1;
        assert_int_equal(read_archive(bytes, len_bytes, &n_batches), HR_CORRUPT);
        bytes[at] ^= 1;
    }
    assert_int_equal(read_archive(bytes, len_bytes + 1, &n_batches), HR_CORRUPT);
    temp_folder_remove(&folder);
}

static struct hr_bytes written(struct hr_writer *out, uint8_t *bytes)
{
    assert_true(hr_writer_ok(out));
    return hr_bytes_of(bytes, out->at);
}

static void rows_come_back_as_they_were(void **state)
{
    (void)state;
    uint8_t bytes[2048];
    struct hr_writer out = hr_writer_over(bytes, sizeof bytes);
    struct ledger_device device;
    cli_put_device(&out, &fixture.device);
    assert_true(cli_get_device(written(&out, bytes), &device));
    assert_memory_equal(&device, &fixture.device, sizeof device);
    assert_false(cli_get_device(hr_bytes_of(bytes, out.at - 1), &device));
    const struct feed_entry entry = {.feed = "marine.ais.raw",
                                     .partition = "2026-11-21T03Z",
                                     .from_ms = -1,
                                     .to_ms = 2,
                                     .content = {3},
                                     .state = FEED_COMPLETED,
                                     .revision = 4,
                                     .n_batches = 5,
                                     .n_records = 6,
                                     .n_events = 7,
                                     .n_late = 8,
                                     .n_revised = 9,
                                     .n_placed = 10,
                                     .first_leaf = 11,
                                     .last_leaf = 12,
                                     .watermark_ms = -13};
    struct feed_entry got;
    out = hr_writer_over(bytes, sizeof bytes);
    cli_put_entry(&out, &entry);
    assert_true(cli_get_entry(written(&out, bytes), &got));
    assert_memory_equal(&got, &entry, sizeof got);
    const struct feed_replay replay = {.id = 1,
                                       .feed = "f",
                                       .from_ms = 2,
                                       .to_ms = 3,
                                       .dry_run = true,
                                       .state = FEED_RUNNING,
                                       .asked_ms = 4,
                                       .first_leaf = 5,
                                       .next_leaf = 6,
                                       .end_leaf = 7,
                                       .n_events = 8,
                                       .n_changed = 9,
                                       .normalizers = "ais/1 iso/2 device/1",
                                       .reason = "r"};
    struct feed_replay replayed;
    out = hr_writer_over(bytes, sizeof bytes);
    cli_put_replay(&out, &replay);
    assert_true(cli_get_replay(written(&out, bytes), &replayed));
    assert_memory_equal(&replayed, &replay, sizeof replayed);
}

/* ---- what was delivered ---- */

static struct cli_delivered delivered;

/* Topic 0: raw AIS, 1: marine.ais.raw, 2: raw of devices, 3: headrace.device.events; batch 0 with three AIS
 * events. */
static void deliver(uint64_t cursor)
{
    static const char *const topics[] = {"ingestion.ais.raw.v1", "marine.ais.raw", "ingestion.device.raw.v1",
                                         "headrace.device.events"};
    memset(&delivered, 0, sizeof delivered);
    delivered.findings = &fixture.findings;
    delivered.has_cursor = true;
    delivered.cursor = delivered.cursor_end = cursor;
    delivered.n_topics = 4;
    delivered.now_ms = 2000000;
    delivered.records = calloc(16, sizeof *delivered.records);
    delivered.capacity = 16;
    for (uint32_t i = 0; i < 4; i++) {
        (void)snprintf(delivered.topics[i].name, sizeof delivered.topics[i].name, "%s", topics[i]);
        delivered.topics[i].is_there = true;
        delivered.topics[i].retention_ms = -1;
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct cli_delivered_record *record = &delivered.records[delivered.n_records++];
        *record = (struct cli_delivered_record){
            .topic = i == 0 ? 0 : 1, .index = (uint64_t)i << 32, .offset = i, .has_digest = true};
        memcpy(record->digest, fixture.batches[0].digest, WIRE_DIGEST_BYTES);
    }
}

static uint64_t compare_delivered(bool judges_events)
{
    struct norm_input input = {.batch = &fixture.batches[0], .tenant = ""};
    assert_ok(wire_envelope_split(fixture.batches[0].envelope, &input.envelope));
    cli_delivered_sort(&delivered);
    cli_delivered_leaf(&delivered, &input, judges_events);
    cli_delivered_end(&delivered, N_BATCHES);
    cli_delivered_free(&delivered);
    return cli_findings_total(&fixture.findings);
}

static void what_is_there_once_is_no_finding(void **state)
{
    (void)state;
    deliver(1);
    assert_int_equal(compare_delivered(true), 0);
    assert_int_equal(delivered.n_matched, 4);
}

static void a_missing_a_doubled_and_an_alien_record_are_told_apart(void **state)
{
    (void)state;
    deliver(1);
    delivered.records[1].index = UINT64_C(9) << 32; /* of a record that the batch does not have */
    delivered.records[4] = delivered.records[3];
    delivered.records[4].offset = 99;
    delivered.n_records = 5;
    assert_int_equal(compare_delivered(true), 3);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_MISSING], 1);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_DOUBLED], 1);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_ALIEN], 1);
}

static void a_record_of_another_batch_does_not_stand_in(void **state)
{
    (void)state;
    deliver(1);
    delivered.records[0].digest[0] ^= 1;
    assert_int_equal(compare_delivered(true), 2);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_MISSING], 1);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_ALIEN], 1);
}

static void what_retention_explains_is_counted_and_what_it_does_not_is_missing(void **state)
{
    (void)state;
    deliver(1);
    delivered.n_records = 0;
    delivered.topics[0].retention_ms = 900000; /* received at 1,000,000, now it is 2,000,000 */
    delivered.topics[1].retention_ms = 1100000;
    assert_int_equal(compare_delivered(true), 3);
    assert_int_equal(delivered.n_expired, 1);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_MISSING], 3);
}

static void what_is_not_published_yet_is_not_missing_and_may_not_be_there(void **state)
{
    (void)state;
    deliver(0);
    assert_int_equal(compare_delivered(true), 4);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_ALIEN], 4);
}

static void events_of_other_normalizers_are_not_judged(void **state)
{
    (void)state;
    deliver(1);
    delivered.records[1].index = UINT64_C(9) << 32;
    assert_int_equal(compare_delivered(false), 0);
    assert_int_equal(delivered.n_not_judged, 3);
}

static void other_normalizers_may_have_chosen_another_raw_topic_but_not_the_same_twice(void **state)
{
    (void)state;
    deliver(1);
    delivered.records[0].topic = 2;
    assert_int_equal(compare_delivered(false), 0);
    deliver(1);
    delivered.records[0].topic = 2;
    delivered.records[1].index = 0;
    delivered.records[1].topic = 2;
    assert_int_equal(compare_delivered(false), 1);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_DOUBLED], 1);
}

static void a_cursor_beyond_the_ledger_is_found(void **state)
{
    (void)state;
    deliver(N_BATCHES + 1);
    assert_int_equal(compare_delivered(true), 1);
    assert_int_equal(fixture.findings.counts[CLI_FINDING_CURSOR], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sound_log_gives_no_finding),
        TEST(a_batch_that_is_gone_breaks_the_chain_once),
        TEST(a_log_without_its_last_batch_is_not_where_its_head_says),
        TEST(what_a_pruned_log_begins_with_is_not_held_against_it),
        TEST(what_retention_takes_while_it_is_examined_breaks_no_chain),
        TEST(every_flipped_byte_of_a_batch_is_found),
        TEST(a_key_that_may_not_sign_there_is_found_and_a_revoked_one_is_not_accused),
        TEST(a_state_behind_its_batches_is_brought_up_to_date),
        TEST(an_archive_that_is_cut_or_changed_anywhere_is_refused),
        TEST(rows_come_back_as_they_were),
        TEST(what_is_there_once_is_no_finding),
        TEST(a_missing_a_doubled_and_an_alien_record_are_told_apart),
        TEST(a_record_of_another_batch_does_not_stand_in),
        TEST(what_retention_explains_is_counted_and_what_it_does_not_is_missing),
        TEST(what_is_not_published_yet_is_not_missing_and_may_not_be_there),
        TEST(events_of_other_normalizers_are_not_judged),
        TEST(other_normalizers_may_have_chosen_another_raw_topic_but_not_the_same_twice),
        TEST(a_cursor_beyond_the_ledger_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
