/* SPDX-License-Identifier: Apache-2.0
 *
 * When the uplink asks for a certificate of another transport key (proto/SPEC.md 4.11): by a hint or by time,
 * once per wish, until there is an answer, and not while one was refused. */
#include "tests/support/test_cmocka.h"
#include "tests/support/uplink_lab.h"

#include <string.h>

#define MINUTE_MS (UINT64_C(60) * 1000)

enum { CHANGED = 2 << 5 | 4, UNAVAILABLE = 5 << 5 | 3, NOT_FOUND = 4 << 5 | 4 };

static const uint8_t der[] = {0x30, 0x03, 1, 2, 3};

/* What a platform keeps. */
static struct {
    struct fw_renew port;
    bool is_time;
    bool has_key;
    bool is_certified;
    bool is_other_due;
    bool refuses;
    uint8_t n_keys;
    uint32_t n_asked_if_due;
} keeper;

static bool is_due(void *ctx, uint64_t utc_ms, bool is_hinted)
{
    (void)ctx, (void)utc_ms;
    keeper.n_asked_if_due++;
    return !keeper.is_certified && (is_hinted || keeper.is_time || keeper.has_key);
}

static bool is_other_due(void *ctx)
{
    (void)ctx;
    return keeper.is_other_due;
}

static struct hr_status request(void *ctx, struct hr_bytes *out)
{
    (void)ctx;
    if (!keeper.has_key) {
        keeper.has_key = true;
        keeper.n_keys++;
        return hr_status_of(HR_AGAIN);
    }
    *out = hr_bytes_of(&keeper.n_keys, 1);
    return hr_ok();
}

static struct hr_status take_certificate(void *ctx, struct hr_bytes certificate)
{
    (void)ctx;
    assert_int_equal(certificate.len_bytes, sizeof der);
    if (keeper.refuses) {
        return hr_status_of(HR_MALFORMED);
    }
    keeper.is_certified = true;
    keeper.has_key = false;
    return hr_ok();
}

static struct uplink_lab *lab_that_renews(uint32_t n_batches)
{
    struct uplink_lab *lab = lab_of_test();
    memset(&keeper, 0, sizeof keeper);
    keeper.port = (struct fw_renew){is_due, is_other_due, request, take_certificate, NULL};
    lab_blank(lab, 42, LAB_MAX_SECTORS);
    lab->renew = &keeper.port;
    lab_restart(lab);
    lab_offer(lab, n_batches - 1);
    lab_connect(lab);
    return lab;
}

static void accept(struct uplink_lab *lab, uint32_t seq, uint32_t cum_seq, uint8_t hints)
{
    struct wire_ack ack = lab_ack_of(WIRE_ACK_OK, cum_seq);
    ack.hints = hints;
    lab_answer(lab, lab_post(lab, seq), &ack, 0);
}

static void answer(struct uplink_lab *lab, uint8_t code, uint32_t max_age_s)
{
    struct lab_request *asked = lab_renewal(lab);
    assert_non_null(asked);
    asked->waiting = false;
    const struct hr_bytes payload = code == CHANGED ? hr_bytes_of(der, sizeof der) : hr_bytes_of(der, 0);
    lab->events.answer(lab->events.ctx, asked->token, code, payload, max_age_s);
    lab_step(lab);
}

/* A session again, whose head has all up to seq, with what it hints. */
static void connect_again(struct uplink_lab *lab, uint32_t seq, uint8_t hints)
{
    lab_up(lab);
    struct wire_ack ack = lab_ack_of(WIRE_ACK_OK, seq);
    ack.hints = hints;
    lab_answer(lab, lab_head(lab), &ack, 0);
}

static void a_hint_makes_one_key_and_ends_the_session_when_it_is_certified(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_that_renews(8);
    accept(lab, 0, 0, 0);
    assert_null(lab_renewal(lab));
    accept(lab, 1, 1, WIRE_HINT_RENEW);
    assert_non_null(lab_renewal(lab));
    accept(lab, 2, 2, WIRE_HINT_RENEW);
    assert_int_equal(keeper.n_keys, 1);
    answer(lab, CHANGED, 0);
    assert_true(keeper.is_certified);
    assert_false(lab->net_is_open);
    lab_assert_event(lab, FW_EVENT_RENEWED);
    /* A session with it; what is hinted at now was said before the certificate was handed out. */
    keeper.is_certified = false;
    connect_again(lab, 2, WIRE_HINT_RENEW);
    accept(lab, 3, 3, WIRE_HINT_RENEW);
    assert_null(lab_renewal(lab));
    lab_pass(lab, 5 * MINUTE_MS);
    accept(lab, 4, 4, 0);
    assert_null(lab_renewal(lab));
    /* Somebody wants one more. */
    accept(lab, 5, 5, WIRE_HINT_RENEW);
    assert_non_null(lab_renewal(lab));
    assert_int_equal(keeper.n_keys, 2);
}

static void a_hint_of_an_ack_that_was_overtaken_is_not_heard(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_that_renews(8);
    accept(lab, 1, 1, 0);
    accept(lab, 0, 0, WIRE_HINT_RENEW);
    assert_null(lab_renewal(lab));
    assert_int_equal(keeper.n_keys, 0);
}

static void the_end_of_the_certificate_is_looked_for_every_ten_seconds(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_that_renews(8);
    uint32_t n_before = keeper.n_asked_if_due;
    accept(lab, 0, 0, 0);
    accept(lab, 1, 1, 0);
    assert_int_equal(keeper.n_asked_if_due, n_before);
    keeper.is_time = true;
    lab_pass(lab, 10 * 1000);
    accept(lab, 2, 2, 0);
    assert_non_null(lab_renewal(lab));
}

static void a_lost_answer_is_asked_for_again_with_the_same_request(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_that_renews(8);
    accept(lab, 0, 0, WIRE_HINT_RENEW);
    struct lab_request *asked = lab_renewal(lab);
    assert_non_null(asked);
    asked->waiting = false;
    lab->events.timeout(lab->events.ctx, asked->token);
    lab_step(lab);
    assert_non_null(lab_renewal(lab));
    /* The aggregator dies, and another one has not heard of it: nobody hints any more. */
    lab_down(lab, PORT_NET_DOWN_LOST);
    connect_again(lab, 0, 0);
    assert_non_null(lab_renewal(lab));
    assert_int_equal(lab_renewal(lab)->envelope[0], 1);
    assert_int_equal(keeper.n_keys, 1);
    answer(lab, CHANGED, 0);
    assert_true(keeper.is_certified);
}

static void one_that_is_being_made_is_asked_for_again_when_it_said(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_that_renews(8);
    accept(lab, 0, 0, WIRE_HINT_RENEW);
    answer(lab, UNAVAILABLE, 2);
    lab_pass(lab, 1999);
    assert_null(lab_renewal(lab));
    lab_pass(lab, 1);
    assert_non_null(lab_renewal(lab));
    assert_int_equal(keeper.n_keys, 1);
}

static void after_a_refusal_nothing_is_asked_for_five_minutes(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_that_renews(8);
    accept(lab, 0, 0, WIRE_HINT_RENEW);
    answer(lab, NOT_FOUND, 0);
    assert_true(lab->net_is_open);
    lab_assert_event(lab, FW_EVENT_RENEWAL_REFUSED);
    accept(lab, 1, 1, WIRE_HINT_RENEW);
    assert_null(lab_renewal(lab));
    lab_pass(lab, 5 * MINUTE_MS);
    accept(lab, 2, 2, 0);
    assert_non_null(lab_renewal(lab)); /* the key waits */
    keeper.refuses = true;
    answer(lab, CHANGED, 0);
    assert_true(lab->net_is_open);
    assert_false(keeper.is_certified);
    accept(lab, 3, 3, WIRE_HINT_RENEW);
    assert_null(lab_renewal(lab));
}

static void a_session_ends_when_another_key_is_due(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_that_renews(8);
    keeper.is_other_due = true;
    accept(lab, 0, 0, 0);
    assert_false(lab->net_is_open);
    keeper.is_other_due = false;
    connect_again(lab, 0, 0);
    accept(lab, 1, 1, 0);
    assert_true(lab->net_is_open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hint_makes_one_key_and_ends_the_session_when_it_is_certified),
        cmocka_unit_test(a_hint_of_an_ack_that_was_overtaken_is_not_heard),
        cmocka_unit_test(the_end_of_the_certificate_is_looked_for_every_ten_seconds),
        cmocka_unit_test(a_lost_answer_is_asked_for_again_with_the_same_request),
        cmocka_unit_test(one_that_is_being_made_is_asked_for_again_when_it_said),
        cmocka_unit_test(after_a_refusal_nothing_is_asked_for_five_minutes),
        cmocka_unit_test(a_session_ends_when_another_key_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
