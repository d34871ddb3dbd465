/* SPDX-License-Identifier: Apache-2.0
 *
 * Transport keys of devices: asked for, certified, used, over, and let in again (proto/SPEC.md 4.11). */
#include "tests/support/core_lab.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { DEVICE = 7, OVERLAP_MS = 5000, HOUR_MS = 3600 * 1000, MAX_ROWS = 16 };

static struct core_lab lab;
static struct ledger_certificate rows[MAX_ROWS];
static uint32_t n_rows;

static int set_up(void **state)
{
    (void)state;
    core_lab_open(&lab, &(struct agg_limits){.max_devices = 3,
                                             .max_held = 12,
                                             .retry_after_s = 30,
                                             .certificate_overlap_ms = OVERLAP_MS});
    core_lab_enrol(&lab, DEVICE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    core_lab_close(&lab);
    return 0;
}

static void see_row(void *ctx, const struct ledger_certificate *row)
{
    (void)ctx;
    assert_true(n_rows < MAX_ROWS);
    rows[n_rows++] = *row;
}

static uint32_t read_rows(void)
{
    n_rows = 0;
    assert_ok(lab.ledger.certificates(lab.ledger.ctx, DEVICE, see_row, NULL));
    return n_rows;
}

static int64_t now_utc_ms(void)
{
    return 1700000000000 + (int64_t)lab.now_ms;
}

/* A key, for the purposes of the core, is a digest. */
static const uint8_t *key(uint8_t name)
{
    static uint8_t keys[256][WIRE_DIGEST_BYTES];
    memset(keys[name], name, WIRE_DIGEST_BYTES);
    return keys[name];
}

static enum agg_pass judge(uint8_t name)
{
    return agg_judge_key(lab.core, DEVICE, key(name), now_utc_ms());
}

static struct hr_status renew(uint8_t own, uint8_t next, struct agg_decided *out)
{
    static struct agg_shown shown;
    shown = (struct agg_shown){.certificate_len_bytes = 3, .next_certificate_len_bytes = 4};
    memcpy(shown.key, key(own), sizeof shown.key);
    memcpy(shown.next_key, key(next), sizeof shown.next_key);
    memset(shown.certificate, own, shown.certificate_len_bytes);
    memset(shown.next_certificate, next, shown.next_certificate_len_bytes);
    const struct agg_decision decision = {
        .device_id = DEVICE, .kind = AGG_RENEWAL, .actor = "device", .reason = "a key", .shown = &shown};
    return agg_renewal(lab.core, &decision, out);
}

static void renewed(uint8_t own, uint8_t next)
{
    struct agg_decided decided;
    assert_ok(renew(own, next, &decided));
    assert_true(decided.is_new);
    assert_ok(core_lab_flush(&lab));
    assert_int_equal(judge(next), AGG_PASS_FIRST);
}

static void refused(uint8_t own, uint8_t next)
{
    struct agg_decided decided;
    const uint32_t n_before = read_rows();
    assert_code(renew(own, next, &decided), HR_DENIED);
    assert_non_null(decided.why);
    assert_int_equal(agg_group_waiting(lab.core), 0);
    assert_int_equal(read_rows(), n_before);
}

static bool seen(uint8_t name)
{
    static struct agg_shown shown;
    struct agg_decided decided;
    memcpy(shown.key, key(name), sizeof shown.key);
    const struct agg_decision decision = {
        .device_id = DEVICE, .kind = AGG_FIRST_SEEN, .actor = "device", .reason = "a key", .shown = &shown};
    assert_ok(agg_key_seen(lab.core, &decision, &decided));
    assert_true(decided.is_new == (agg_group_waiting(lab.core) > 0));
    if (decided.is_new) {
        assert_ok(core_lab_flush(&lab));
    }
    return decided.is_new;
}

static struct hr_status decide(enum agg_decision_kind kind, const uint8_t *meant, bool dry_run,
                               struct agg_decided *out)
{
    static struct agg_shown shown;
    if (meant != NULL) {
        memcpy(shown.key, meant, sizeof shown.key);
    }
    const struct agg_decision decision = {.device_id = DEVICE,
                                          .kind = kind,
                                          .actor = "maria",
                                          .reason = "as told",
                                          .dry_run = dry_run,
                                          .shown = meant != NULL ? &shown : NULL};
    struct hr_status status = agg_decide(lab.core, &decision, out);
    if (hr_is_ok(status) && out->is_new && !dry_run) {
        assert_ok(core_lab_flush(&lab));
    } else {
        assert_int_equal(agg_group_waiting(lab.core), 0);
    }
    return status;
}

static bool is_asked_for_one(void)
{
    const uint64_t ticket = core_lab_head(&lab, DEVICE, 0);
    return (core_lab_answer(&lab, ticket)->ack.hints & WIRE_HINT_RENEW) != 0;
}

/* ---- */

static void the_hint_stands_until_the_transaction_that_stores_a_certificate(void **state)
{
    (void)state;
    struct agg_decided decided;
    assert_false(is_asked_for_one());
    assert_ok(decide(AGG_ROTATE_TRANSPORT, NULL, true, &decided));
    assert_true(decided.is_new);
    assert_false(is_asked_for_one());
    assert_ok(decide(AGG_ROTATE_TRANSPORT, NULL, false, &decided));
    assert_true(decided.is_new);
    assert_true(is_asked_for_one());
    assert_ok(decide(AGG_ROTATE_TRANSPORT, NULL, false, &decided));
    assert_false(decided.is_new); /* the same request */
    core_lab_crash(&lab);
    assert_true(is_asked_for_one());
    /* What can't be committed is as if it had never been. */
    assert_ok(renew(1, 2, &decided));
    fault_vfs_disk_full(true);
    assert_code(core_lab_flush(&lab), HR_FULL);
    fault_vfs_disk_full(false);
    assert_true(is_asked_for_one());
    assert_int_equal(judge(2), AGG_PASS_GOOD); /* no keys are known, none is judged */
    assert_int_equal(read_rows(), 0);
    renewed(1, 2);
    assert_false(is_asked_for_one());
    assert_int_equal(core_lab_device(&lab, DEVICE).wants_transport, LEDGER_TRANSPORT_NOT);
    /* On its way for an hour; then it may be asked for again. */
    assert_ok(decide(AGG_ROTATE_TRANSPORT, NULL, false, &decided));
    assert_false(decided.is_new);
    lab.now_ms += HOUR_MS;
    assert_ok(decide(AGG_ROTATE_TRANSPORT, NULL, false, &decided));
    assert_true(decided.is_new);
}

static void a_device_that_had_no_keys_here_gets_the_one_of_its_session_too(void **state)
{
    (void)state;
    assert_int_equal(judge(9), AGG_PASS_GOOD);
    refused(1, 1);
    renewed(1, 2);
    assert_int_equal(read_rows(), 2);
    assert_true(rows[0].number == 1 && rows[0].certificate_len_bytes == 3 && rows[0].certificate[0] == 1);
    assert_memory_equal(rows[0].key, key(1), WIRE_DIGEST_BYTES);
    assert_true(rows[0].used_utc_ms == now_utc_ms() && rows[0].issued_utc_ms == now_utc_ms());
    assert_true(rows[1].number == 2 && rows[1].certificate_len_bytes == 4 && rows[1].certificate[3] == 2);
    assert_memory_equal(rows[1].key, key(2), WIRE_DIGEST_BYTES);
    assert_true(rows[1].used_utc_ms == 0 && rows[1].ends_utc_ms == 0);
    assert_int_equal(judge(1), AGG_PASS_GOOD);
    assert_int_equal(judge(9), AGG_PASS_UNKNOWN);
}

static void the_same_key_is_not_certified_twice(void **state)
{
    (void)state;
    struct agg_decided decided;
    renewed(1, 2);
    assert_ok(renew(1, 2, &decided));
    assert_false(decided.is_new);
    assert_ok(renew(1, 1, &decided)); /* its own */
    assert_false(decided.is_new);
    assert_int_equal(agg_group_waiting(lab.core), 0);
    core_lab_crash(&lab);
    assert_ok(renew(1, 2, &decided));
    assert_false(decided.is_new);
    assert_int_equal(read_rows(), 2);
}

static void an_older_key_ends_an_overlap_after_the_first_session_of_a_newer(void **state)
{
    (void)state;
    renewed(1, 2);
    lab.now_ms += UINT64_C(10000) * HOUR_MS;
    assert_int_equal(judge(1), AGG_PASS_GOOD); /* no date ends the key that a device has in use */
    assert_true(seen(2));
    assert_false(seen(2));
    assert_int_equal(judge(1), AGG_PASS_SUPERSEDED);
    assert_int_equal(judge(2), AGG_PASS_GOOD);
    assert_false(seen(1)); /* it falls back */
    assert_int_equal(judge(2), AGG_PASS_GOOD);
    lab.now_ms += OVERLAP_MS - 1;
    assert_int_equal(judge(1), AGG_PASS_SUPERSEDED);
    core_lab_crash(&lab);
    assert_int_equal(judge(1), AGG_PASS_SUPERSEDED);
    lab.now_ms += 1;
    assert_int_equal(judge(1), AGG_PASS_ENDED);
    assert_int_equal(judge(2), AGG_PASS_GOOD);
    core_lab_crash(&lab);
    assert_int_equal(judge(1), AGG_PASS_ENDED);
}

static void who_has_an_older_key_alone_gets_no_newer_one(void **state)
{
    (void)state;
    struct agg_decided decided;
    renewed(1, 2);
    assert_true(seen(2));
    refused(1, 3);
    refused(9, 3);
    assert_ok(renew(1, 2, &decided)); /* but it is told again what it was told before */
    assert_false(decided.is_new);
    /* Whoever asks the device for another means the one with the newer key; who lets it in again, either. */
    assert_ok(decide(AGG_ROTATE_TRANSPORT, NULL, false, &decided));
    assert_ok(core_lab_flush(&lab));
    refused(1, 3);
    assert_ok(decide(AGG_READMIT, NULL, false, &decided));
    assert_ok(core_lab_flush(&lab));
    renewed(1, 3);
    lab.now_ms += OVERLAP_MS;
    refused(1, 4);
    assert_code(renew(2, 1, &decided), HR_DENIED); /* a key that is over is not certified anew */
}

static void an_operator_lets_a_key_in_again_that_is_over(void **state)
{
    (void)state;
    struct agg_decided decided;
    assert_code(decide(AGG_READMIT, NULL, false, &decided), HR_DENIED);
    renewed(1, 2);
    assert_true(seen(2));
    lab.now_ms += OVERLAP_MS;
    assert_int_equal(judge(1), AGG_PASS_ENDED);
    assert_ok(decide(AGG_READMIT, NULL, true, &decided));
    assert_true(decided.is_new);
    assert_int_equal(judge(1), AGG_PASS_ENDED);
    assert_ok(decide(AGG_READMIT, NULL, false, &decided));
    assert_int_equal(judge(1), AGG_PASS_SUPERSEDED);
    assert_true(is_asked_for_one());
    renewed(1, 3);
    assert_true(seen(3));
    assert_int_equal(judge(2), AGG_PASS_SUPERSEDED);
    lab.now_ms += OVERLAP_MS;
    assert_int_equal(judge(1), AGG_PASS_ENDED);
    assert_int_equal(judge(2), AGG_PASS_ENDED);
    assert_int_equal(judge(3), AGG_PASS_GOOD);
    /* One alone. */
    assert_ok(decide(AGG_READMIT, key(2), false, &decided));
    assert_int_equal(judge(1), AGG_PASS_ENDED);
    assert_int_equal(judge(2), AGG_PASS_SUPERSEDED);
    assert_ok(decide(AGG_READMIT, key(3), false, &decided));
    assert_false(decided.is_new);
}

static void a_key_that_nobody_knows_is_registered_by_an_operator(void **state)
{
    (void)state;
    struct agg_decided decided;
    assert_ok(decide(AGG_READMIT, key(9), false, &decided));
    assert_false(decided.is_new); /* none of this device's keys is judged */
    renewed(1, 2);
    assert_true(seen(2));
    assert_int_equal(judge(9), AGG_PASS_UNKNOWN);
    assert_ok(decide(AGG_READMIT, key(9), false, &decided));
    assert_int_equal(judge(9), AGG_PASS_FIRST);
    assert_int_equal(read_rows(), 3);
    assert_int_equal(rows[2].certificate_len_bytes, 0);
    assert_true(seen(9));
    assert_int_equal(judge(2), AGG_PASS_SUPERSEDED);
}

static void as_many_keys_as_a_device_asks_for_leave_it_the_one_it_has(void **state)
{
    (void)state;
    struct agg_decided decided;
    for (uint8_t next = 2; next < 12; next++) {
        renewed(1, next);
        lab.now_ms += 1;
        assert_int_equal(judge(1), AGG_PASS_GOOD);
    }
    /* The newest can be used; those before made room, and are not made good by a restart. */
    core_lab_crash(&lab);
    assert_int_equal(read_rows(), 11);
    for (uint8_t next = 2; next < 12; next++) {
        const enum agg_pass pass = judge(next);
        assert_true(next >= 9 ? pass == AGG_PASS_FIRST : pass == AGG_PASS_UNKNOWN || pass == AGG_PASS_ENDED);
    }
    assert_int_equal(judge(1), AGG_PASS_GOOD);
    refused(1, 2);
    assert_code(decide(AGG_READMIT, key(2), false, &decided), HR_DENIED);
    assert_true(seen(11));
    assert_int_equal(judge(1), AGG_PASS_SUPERSEDED);
}

static void a_device_that_may_have_no_session_gets_no_key(void **state)
{
    (void)state;
    struct agg_decided decided;
    assert_ok(decide(AGG_REVOKE, NULL, false, &decided));
    assert_code(renew(1, 2, &decided), HR_DENIED);
    assert_code(decide(AGG_ROTATE_TRANSPORT, NULL, false, &decided), HR_DENIED);
    assert_code(decide(AGG_READMIT, NULL, false, &decided), HR_DENIED);
    assert_int_equal(read_rows(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_hint_stands_until_the_transaction_that_stores_a_certificate,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_device_that_had_no_keys_here_gets_the_one_of_its_session_too,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_key_is_not_certified_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_older_key_ends_an_overlap_after_the_first_session_of_a_newer,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_has_an_older_key_alone_gets_no_newer_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_operator_lets_a_key_in_again_that_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_that_nobody_knows_is_registered_by_an_operator, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(as_many_keys_as_a_device_asks_for_leave_it_the_one_it_has, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_device_that_may_have_no_session_gets_no_key, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
