/* SPDX-License-Identifier: Apache-2.0
 *
 * The fourth part of the ledger suite: the registry by page, and its audit entries. */
#include "proto/base/assert.h"
#include "tests/support/ledger_lab.h"

#include <stdio.h>
#include <string.h>

static struct ledger_device devices_seen[8];
static uint32_t n_devices_seen;

static void see_device(void *ctx, const struct ledger_device *device)
{
    (void)ctx;
    HR_ASSERT(n_devices_seen < HR_ARRAY_LEN(devices_seen));
    devices_seen[n_devices_seen++] = *device;
}

static void devices_are_listed_by_page(void **state)
{
    (void)state;
    struct ledger_device rows[5];
    for (uint32_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        rows[i] = (struct ledger_device){.device_id = 10 + i, .n_keys = (uint16_t)(i % 3)};
        for (uint16_t key = 0; key < rows[i].n_keys; key++) {
            rows[i].keys[key] = (struct ledger_key){.epoch = key, .spki_len_bytes = LEDGER_SPKI_MAX_BYTES};
        }
    }
    struct ledger_commit change = {.devices = rows, .n_devices = HR_ARRAY_LEN(rows)};
    assert_ok(ledger_lab.ledger.commit(ledger_lab.ledger.ctx, &change));
    const struct {
        struct ledger_page page;
        uint32_t n, first;
    } cases[] = {{{0, 3}, 3, 10}, {{12, 3}, 2, 13}, {{14, 3}, 0, 0}, {{12, 1}, 1, 13}, {{0, 100}, 5, 10}};
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        n_devices_seen = 0;
        assert_ok(ledger_lab.ledger.list_devices(ledger_lab.ledger.ctx, &cases[i].page, see_device, NULL));
        assert_int_equal(n_devices_seen, cases[i].n);
        for (uint32_t row = 0; row < n_devices_seen; row++) {
            assert_int_equal(devices_seen[row].device_id, cases[i].first + row);
            assert_int_equal(devices_seen[row].n_keys, (cases[i].first + row - 10) % 3);
        }
    }
}

static void devices_are_found_by_name_and_state(void **state)
{
    (void)state;
    static const char *const names[] = {"harbour-gw1", "harbour-gw2", "lock_east", "100%", "lock-east"};
    struct ledger_device rows[HR_ARRAY_LEN(names)];
    for (uint32_t i = 0; i < HR_ARRAY_LEN(rows); i++) {
        rows[i] = (struct ledger_device){.device_id = 20 + i,
                                         .state = i % 2 == 0 ? LEDGER_DEVICE_ACTIVE : LEDGER_DEVICE_REVOKED};
        (void)snprintf(rows[i].name, sizeof rows[i].name, "%s", names[i]);
    }
    struct ledger_commit change = {.devices = rows, .n_devices = HR_ARRAY_LEN(rows)};
    assert_ok(ledger_lab.ledger.commit(ledger_lab.ledger.ctx, &change));
    const struct {
        struct ledger_page page;
        struct ledger_filter filter;
        uint32_t n, first;
    } cases[] = {
        {{0, 9}, {NULL, false, 0}, 5, 20},
        {{0, 9}, {"harbour", false, 0}, 2, 20},
        {{20, 9}, {"harbour", false, 0}, 1, 21},
        {{0, 1}, {"east", false, 0}, 1, 22},
        {{0, 9}, {"_east", false, 0}, 1, 22}, /* no pattern: as it is written */
        {{0, 9}, {"%", false, 0}, 1, 23},
        {{0, 9}, {NULL, true, LEDGER_DEVICE_REVOKED}, 2, 21},
        {{0, 9}, {"gw2", true, LEDGER_DEVICE_REVOKED}, 1, 21},
        {{0, 9}, {"gw2", true, LEDGER_DEVICE_ENROLLED}, 0, 0},
        {{0, 9}, {"HARBOUR", false, 0}, 0, 0},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        n_devices_seen = 0;
        assert_ok(ledger_lab.ledger.find_devices(ledger_lab.ledger.ctx, &cases[i].page, &cases[i].filter,
                                                 see_device, NULL));
        assert_int_equal(n_devices_seen, cases[i].n);
        assert_true(n_devices_seen == 0 || devices_seen[0].device_id == cases[i].first);
    }
}

static struct ledger_audit audits_seen[8];
static uint32_t n_audits_seen;

static void see_audit(void *ctx, const struct ledger_audit *row)
{
    (void)ctx;
    HR_ASSERT(n_audits_seen < HR_ARRAY_LEN(audits_seen));
    audits_seen[n_audits_seen++] = *row;
}

static uint32_t list_audits(uint64_t device_id, uint64_t after, uint32_t max_rows)
{
    const struct ledger_page page = {after, max_rows};
    n_audits_seen = 0;
    assert_ok(ledger_lab.ledger.list_audits(ledger_lab.ledger.ctx, device_id, &page, see_audit, NULL));
    return n_audits_seen;
}

static void audit_entries_are_read_back_in_order(void **state)
{
    (void)state;
    struct ledger_audit rows[3] = {
        {.device_id = 7,
         .at_utc_ms = INT64_C(1763726400123),
         .actor = "registry",
         .action = "registered",
         .is_first = true,
         .new_state = LEDGER_DEVICE_ENROLLED,
         .revision = 1,
         .reason = "by hand"},
        {.device_id = 8, .actor = "device", .action = "activated", .is_first = true},
        {.device_id = 7,
         .actor = "maria",
         .action = "revoked",
         .old_state = LEDGER_DEVICE_QUARANTINED,
         .new_state = LEDGER_DEVICE_REVOKED,
         .revision = UINT32_MAX,
         .reason = "stolen; it's \"gone\""}};
    memset(rows[0].new_key, 0xA1, sizeof rows[0].new_key);
    memset(rows[2].old_key, 0xA1, sizeof rows[2].old_key);
    memset(rows[2].new_key, 0xB2, sizeof rows[2].new_key);
    struct ledger_commit change = {.audits = rows, .n_audits = 2};
    assert_ok(ledger_lab.ledger.commit(ledger_lab.ledger.ctx, &change));
    change = (struct ledger_commit){.audits = &rows[2], .n_audits = 1};
    assert_ok(ledger_lab.ledger.commit(ledger_lab.ledger.ctx, &change));
    ledger_lab_reopen();
    assert_int_equal(list_audits(0, 0, 8), 3);
    assert_true(audits_seen[0].id > 0 && audits_seen[1].id > audits_seen[0].id);
    assert_true(audits_seen[2].id > audits_seen[1].id);
    assert_int_equal(list_audits(0, audits_seen[0].id, 1), 1);
    assert_int_equal(audits_seen[0].device_id, 8);
    assert_int_equal(list_audits(9, 0, 8), 0);
    assert_int_equal(list_audits(7, 0, 8), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct ledger_audit *got = &audits_seen[i];
        const struct ledger_audit *want = &rows[2 * i];
        assert_true(got->device_id == 7 && got->at_utc_ms == want->at_utc_ms);
        assert_string_equal(got->actor, want->actor);
        assert_string_equal(got->action, want->action);
        assert_string_equal(got->reason, want->reason);
        assert_int_equal(got->is_first, want->is_first);
        assert_int_equal(got->old_state, want->old_state);
        assert_int_equal(got->new_state, want->new_state);
        assert_int_equal(got->revision, want->revision);
        assert_memory_equal(got->old_key, want->old_key, sizeof want->old_key);
        assert_memory_equal(got->new_key, want->new_key, sizeof want->new_key);
    }
}

static void a_range_that_an_entry_marks_is_read_back_and_counted(void **state)
{
    (void)state;
    const struct ledger *ledger = &ledger_lab.ledger;
    static uint8_t envelopes[6][172 + 8];
    struct ledger_batch batches[6];
    for (uint32_t i = 0; i < HR_ARRAY_LEN(batches); i++) {
        /* Streams 0 and 2 of one device, three batches each. */
        batches[i] = ledger_suite_batch(7, i / 3 * 2, i % 3, envelopes[i], sizeof envelopes[i]);
        envelopes[i][28] = 1; /* 256 records, and i */
        envelopes[i][29] = (uint8_t)i;
    }
    struct ledger_commit change = {.batches = batches, .n_batches = HR_ARRAY_LEN(batches)};
    assert_ok(ledger->commit(ledger->ctx, &change));
    struct ledger_device device = {.device_id = 7,
                                   .state = LEDGER_DEVICE_REVOKED,
                                   .cut = LEDGER_CUT_OPEN,
                                   .cut_stream = 3,
                                   .cut_seq = UINT32_MAX - 1,
                                   .bundle = 12};
    const struct ledger_audit row = {
        .device_id = 7, .is_suspect = true, .suspect = {0, 2, 2, 2}, .actor = "maria"};
    change = (struct ledger_commit){.devices = &device, .n_devices = 1, .audits = &row, .n_audits = 1};
    assert_ok(ledger->commit(ledger->ctx, &change));
    ledger_lab_reopen();
    assert_int_equal(list_audits(7, 0, 8), 1);
    assert_true(audits_seen[0].is_suspect);
    assert_memory_equal(&audits_seen[0].suspect, &row.suspect, sizeof row.suspect);
    assert_int_equal(audits_seen[0].leaf, 6);
    const struct ledger_page page = {0, 8};
    n_devices_seen = 0;
    assert_ok(ledger_lab.ledger.list_devices(ledger_lab.ledger.ctx, &page, see_device, NULL));
    assert_int_equal(devices_seen[0].cut, LEDGER_CUT_OPEN);
    assert_int_equal(devices_seen[0].cut_stream, 3);
    assert_true(devices_seen[0].cut_seq == UINT32_MAX - 1);
    assert_int_equal(devices_seen[0].bundle, 12);
    const struct {
        struct ledger_suspect range;
        uint32_t n_batches, n_records, first_leaf, last_leaf;
    } cases[] = {{{0, 2, 2, 2}, 3, 3 * 256 + 2 + 3 + 4, 2, 4},
                 {{0, 0, UINT32_MAX, UINT32_MAX}, 6, 6 * 256 + 15, 0, 5},
                 {{1, 0, 2, 0}, 0, 0, 0, 0},
                 {{2, 1, 2, 1}, 0, 0, 0, 0}};
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        struct ledger_suspect_count got;
        assert_ok(ledger->count_suspect(ledger->ctx, 7, &cases[i].range, &got));
        assert_int_equal(got.n_batches, cases[i].n_batches);
        assert_int_equal(got.n_records, cases[i].n_records);
        assert_int_equal(got.first_leaf, cases[i].first_leaf);
        assert_int_equal(got.last_leaf, cases[i].last_leaf);
        assert_ok(ledger->count_suspect(ledger->ctx, 8, &cases[i].range, &got));
        assert_int_equal(got.n_batches, 0);
    }
}

static uint32_t n_keys_seen;
static struct ledger_old_key keys_seen[32];

static void see_key(void *ctx, const struct ledger_old_key *row)
{
    (void)ctx;
    HR_ASSERT(n_keys_seen < HR_ARRAY_LEN(keys_seen));
    keys_seen[n_keys_seen++] = *row;
}

static void keys_beyond_the_window_of_a_device_are_kept_and_listed(void **state)
{
    (void)state;
    struct ledger_old_key old[12];
    for (uint16_t i = 0; i < 12; i++) {
        old[i] = (struct ledger_old_key){.device_id = 7,
                                         .key = {.epoch = (uint16_t)(i + 1),
                                                 .spki_len_bytes = LEDGER_SPKI_MAX_BYTES,
                                                 .from_seq = i,
                                                 .to_seq = i + 1u,
                                                 .since_utc_ms = i}};
        memset(old[i].key.spki, i + 1, LEDGER_SPKI_MAX_BYTES);
    }
    struct ledger_device rows[2] = {{.device_id = 7, .n_keys = 1}, {.device_id = 8, .n_keys = 1}};
    rows[0].keys[0] = old[11].key;
    rows[0].keys[0].revoked = true;
    rows[1].keys[0] = old[0].key;
    struct ledger_commit change = {.devices = rows, .n_devices = 2, .old_keys = old, .n_old_keys = 11};
    assert_ok(ledger_lab.ledger.commit(ledger_lab.ledger.ctx, &change));
    ledger_lab_reopen();
    const struct ledger *ledger = &ledger_lab.ledger;
    n_keys_seen = 0;
    assert_ok(ledger->list_keys(ledger->ctx, 7, see_key, NULL));
    assert_int_equal(n_keys_seen, 12);
    for (uint16_t i = 0; i < 12; i++) {
        assert_int_equal(keys_seen[i].device_id, 7);
        assert_int_equal(keys_seen[i].key.epoch, i + 1);
        assert_int_equal(keys_seen[i].key.to_seq, i + 1);
        assert_int_equal(keys_seen[i].key.since_utc_ms, i);
        assert_int_equal(keys_seen[i].key.revoked, i == 11);
        assert_memory_equal(keys_seen[i].key.spki, old[i].key.spki, LEDGER_SPKI_MAX_BYTES);
    }
    n_keys_seen = 0;
    assert_ok(ledger->list_keys(ledger->ctx, 0, see_key, NULL));
    assert_int_equal(n_keys_seen, 13);
    assert_int_equal(keys_seen[12].device_id, 8);
    /* A device has the newest ones, and says that there are more. */
    const struct ledger_page page = {0, 1};
    n_devices_seen = 0;
    assert_ok(ledger->list_devices(ledger->ctx, &page, see_device, NULL));
    assert_int_equal(devices_seen[0].n_keys, LEDGER_DEVICE_MAX_KEYS);
    assert_int_equal(devices_seen[0].first_epoch, 5);
    assert_int_equal(devices_seen[0].keys[0].epoch, 5);
    assert_int_equal(devices_seen[0].keys[7].epoch, 12);
}

static void is_same_enrolment(const struct ledger_enrolment *got, const struct ledger_enrolment *want)
{
    assert_true(got->device_id == want->device_id);
    assert_string_equal(got->serial, want->serial);
    assert_string_equal(got->site, want->site);
    assert_memory_equal(got->nonce, want->nonce, sizeof want->nonce);
    assert_int_equal(got->epoch, want->epoch);
    assert_int_equal(got->first_stream, want->first_stream);
    assert_int_equal(got->spki_len_bytes, want->spki_len_bytes);
    assert_memory_equal(got->spki, want->spki, want->spki_len_bytes);
    assert_int_equal(got->certificate_len_bytes, want->certificate_len_bytes);
    assert_memory_equal(got->certificate, want->certificate, want->certificate_len_bytes);
}

static struct ledger_enrolment enrolments_seen[2];
static uint32_t n_enrolments_seen;

static void see_enrolment(void *ctx, const struct ledger_enrolment *row)
{
    (void)ctx;
    assert_true(n_enrolments_seen < HR_ARRAY_LEN(enrolments_seen));
    enrolments_seen[n_enrolments_seen++] = *row;
}

static void an_enrolment_is_found_by_serial_and_by_device(void **state)
{
    (void)state;
    const struct ledger *ledger = &ledger_lab.ledger;
    static struct ledger_enrolment row = {.device_id = 7, .serial = "SN-1", .site = "lower lock", .epoch = 1};
    static struct ledger_enrolment got;
    memset(row.nonce, 0x11, sizeof row.nonce);
    struct ledger_commit change = {.enrolments = &row, .n_enrolments = 1};
    assert_code(ledger->find_enrolment(ledger->ctx, "SN-1", 0, &got), HR_NOT_FOUND);
    assert_ok(ledger->commit(ledger->ctx, &change));
    assert_ok(ledger->find_enrolment(ledger->ctx, "SN-1", 0, &got));
    is_same_enrolment(&got, &row);
    /* Certified, on other hardware. */
    row = (struct ledger_enrolment){
        .device_id = 7, .serial = "SN-2", .site = "it's \"here\"", .epoch = UINT16_MAX, .first_stream = 9};
    memset(row.nonce, 0x22, sizeof row.nonce);
    memset(row.spki, 0x33, row.spki_len_bytes = sizeof row.spki);
    memset(row.certificate, 0x44, row.certificate_len_bytes = sizeof row.certificate);
    assert_ok(ledger->commit(ledger->ctx, &change));
    ledger_lab_reopen();
    assert_ok(ledger->find_enrolment(ledger->ctx, NULL, 7, &got));
    is_same_enrolment(&got, &row);
    assert_code(ledger->find_enrolment(ledger->ctx, "SN-1", 0, &got), HR_NOT_FOUND);
    assert_code(ledger->find_enrolment(ledger->ctx, NULL, 8, &got), HR_NOT_FOUND);
    assert_ok(ledger->find_enrolment(ledger->ctx, "SN-2", 0, &got));
    struct ledger_enrolment other = {.device_id = 3, .serial = "SN-9", .epoch = 1};
    change.enrolments = &other;
    assert_ok(ledger->commit(ledger->ctx, &change));
    n_enrolments_seen = 0;
    assert_ok(ledger->enrolments(ledger->ctx, see_enrolment, NULL));
    assert_int_equal(n_enrolments_seen, 2);
    is_same_enrolment(&enrolments_seen[0], &other);
    is_same_enrolment(&enrolments_seen[1], &row);
}

static struct ledger_certificate certificates_seen[8];
static uint32_t n_certificates_seen;

static void see_certificate(void *ctx, const struct ledger_certificate *row)
{
    (void)ctx;
    assert_true(n_certificates_seen < HR_ARRAY_LEN(certificates_seen));
    certificates_seen[n_certificates_seen++] = *row;
}

static void is_same_certificate(const struct ledger_certificate *got, const struct ledger_certificate *want)
{
    assert_true(got->device_id == want->device_id && got->number == want->number);
    assert_memory_equal(got->key, want->key, sizeof want->key);
    assert_int_equal(got->certificate_len_bytes, want->certificate_len_bytes);
    assert_memory_equal(got->certificate, want->certificate, want->certificate_len_bytes);
    assert_true(got->issued_utc_ms == want->issued_utc_ms && got->used_utc_ms == want->used_utc_ms);
    assert_true(got->ends_utc_ms == want->ends_utc_ms && got->is_barred == want->is_barred);
}

static struct ledger_certificate certificate_of(uint64_t device_id, uint32_t number, uint16_t len_bytes)
{
    struct ledger_certificate row = {.device_id = device_id,
                                     .number = number,
                                     .issued_utc_ms = 1700000000000 + number,
                                     .certificate_len_bytes = len_bytes};
    memset(row.key, 0x10 + (int)number, sizeof row.key);
    memset(row.certificate, 0x20 + (int)number, len_bytes);
    return row;
}

static void certificates_keep_what_was_given_and_change_their_times(void **state)
{
    (void)state;
    const struct ledger *ledger = &ledger_lab.ledger;
    static struct ledger_certificate rows[3];
    static struct ledger_certificate got;
    rows[0] = certificate_of(7, 1, 0);
    rows[1] = certificate_of(8, 1, 297);
    rows[2] = certificate_of(7, 2, LEDGER_CERTIFICATE_MAX_BYTES);
    struct ledger_commit change = {.certificates = rows, .n_certificates = 3};
    assert_code(ledger->find_certificate(ledger->ctx, 7, rows[0].key, &got), HR_NOT_FOUND);
    assert_ok(ledger->commit(ledger->ctx, &change));
    struct ledger_certificate later = rows[2];
    later.certificate_len_bytes = 0;
    later.used_utc_ms = 1700000000100;
    later.ends_utc_ms = -1;
    later.is_barred = true;
    change = (struct ledger_commit){.certificates = &later, .n_certificates = 1};
    assert_ok(ledger->commit(ledger->ctx, &change));
    ledger_lab_reopen();
    rows[2].used_utc_ms = later.used_utc_ms;
    rows[2].ends_utc_ms = later.ends_utc_ms;
    rows[2].is_barred = true;
    assert_ok(ledger->find_certificate(ledger->ctx, 7, rows[2].key, &got));
    is_same_certificate(&got, &rows[2]);
    assert_code(ledger->find_certificate(ledger->ctx, 8, rows[2].key, &got), HR_NOT_FOUND);
    n_certificates_seen = 0;
    assert_ok(ledger->certificates(ledger->ctx, 0, see_certificate, NULL));
    assert_int_equal(n_certificates_seen, 3);
    is_same_certificate(&certificates_seen[0], &rows[0]);
    is_same_certificate(&certificates_seen[1], &rows[2]);
    is_same_certificate(&certificates_seen[2], &rows[1]);
    assert_ok(ledger->certificates(ledger->ctx, 8, see_certificate, NULL));
    assert_int_equal(n_certificates_seen, 4);
    is_same_certificate(&certificates_seen[3], &rows[1]);
}

int ledger_suite_run_registry(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(devices_are_listed_by_page),
        SUITE_TEST(devices_are_found_by_name_and_state),
        SUITE_TEST(audit_entries_are_read_back_in_order),
        SUITE_TEST(an_enrolment_is_found_by_serial_and_by_device),
        SUITE_TEST(certificates_keep_what_was_given_and_change_their_times),
        SUITE_TEST(a_range_that_an_entry_marks_is_read_back_and_counted),
        SUITE_TEST(keys_beyond_the_window_of_a_device_are_kept_and_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
