/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport key in an identity store: when it is time for another, what is taken as its certificate, and
 * which of two keys a session is opened with. Power cuts: tests/fault/test_transport_cuts.c. */
#include "tests/support/test_cmocka.h"
#include "tests/support/transport_lab.h"

#include <string.h>

enum { DAY_S = 86400, MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

static struct transport_lab lab;
static uint8_t old_key[WIRE_DIGEST_BYTES];

static int begin(void **state)
{
    (void)state;
    transport_lab_open(&lab);
    transport_lab_choose(&lab, old_key);
    return 0;
}

static int end(void **state)
{
    (void)state;
    transport_lab_close(&lab);
    return 0;
}

static bool is_due(uint64_t in_s, bool is_hinted)
{
    const struct fw_renew *port = &lab.transport.port;
    return port->is_due(port->ctx, (lab.now_s + in_s) * 1000, is_hinted);
}

static bool is_other_due(void)
{
    const struct fw_renew *port = &lab.transport.port;
    return port->is_other_due(port->ctx);
}

static bool uses_old(void)
{
    uint8_t digest[WIRE_DIGEST_BYTES];
    transport_lab_choose(&lab, digest);
    return memcmp(digest, old_key, sizeof digest) == 0;
}

static void open_and_fail(enum port_net_down reason)
{
    assert_false(uses_old());
    lab.events.down(lab.events.ctx, reason);
}

static void it_is_time_when_the_certificate_ends_soon_or_somebody_says_so(void **state)
{
    (void)state;
    const uint64_t days = TRANSPORT_LAB_DAYS;
    assert_false(is_due(0, false));
    assert_false(is_due((days - 61) * DAY_S, false));
    assert_true(is_due((days - 60) * DAY_S, false));
    assert_true(is_due((days + 4000) * DAY_S, false));
    assert_true(is_due(0, true));
    lab.is_asked = true;
    assert_true(is_due(0, false));
    assert_ok(transport_lab_renew(&lab));
    assert_false(lab.is_asked);
    /* It has one that no session was opened with: no hint makes a second one. */
    assert_false(is_due(0, true));
    assert_false(is_due((days + 4000) * DAY_S, false));
}

static void a_short_life_is_renewed_in_its_last_third(void **state)
{
    (void)state;
    lab.transport.config.before_ms = UINT64_C(3650) * DAY_S * 1000;
    const uint64_t third_s = (TRANSPORT_LAB_DAYS + 1) * DAY_S / 3;
    assert_false(is_due(TRANSPORT_LAB_DAYS * DAY_S - third_s - 60, false));
    assert_true(is_due(TRANSPORT_LAB_DAYS * DAY_S - third_s + 60, false));
}

static void a_key_that_waits_is_asked_for_with_the_same_request(void **state)
{
    (void)state;
    struct hr_bytes request;
    uint8_t first[FW_CSR_MAX_BYTES];
    assert_ok(transport_lab_request(&lab, &request));
    const size_t n_bytes = request.len_bytes;
    memcpy(first, request.data, n_bytes);
    assert_string_equal(app_transport_phase_name(&lab.transport), "waiting");
    /* The answer was lost, and then power. */
    transport_lab_boot(&lab);
    assert_true(is_due(0, false));
    assert_ok(transport_lab_request(&lab, &request));
    assert_int_equal(request.len_bytes, n_bytes);
    assert_memory_equal(request.data, first, n_bytes);
    assert_true(uses_old());
}

static void what_is_no_certificate_of_the_key_and_the_device_is_refused(void **state)
{
    (void)state;
    const struct fw_renew *port = &lab.transport.port;
    struct hr_bytes request;
    uint8_t garbage[IMAGE_CERTIFICATE_MAX_BYTES + 1];
    memset(garbage, 0x30, sizeof garbage);
    /* None was asked for. */
    assert_code(port->certificate(port->ctx, hr_bytes_of(lab.first, lab.first_bytes)), HR_MALFORMED);
    assert_ok(transport_lab_request(&lab, &request));
    assert_code(port->certificate(port->ctx, hr_bytes_of(lab.first, lab.first_bytes)), HR_MALFORMED);
    assert_code(port->certificate(port->ctx, hr_bytes_of(garbage, sizeof garbage)), HR_MALFORMED);
    assert_code(port->certificate(port->ctx, hr_bytes_of(garbage, 100)), HR_MALFORMED);
    assert_code(port->certificate(port->ctx, hr_bytes_of(garbage, 0)), HR_MALFORMED);
    transport_lab_issue(&lab, request, "headrace-device-0000000000000008");
    assert_code(port->certificate(port->ctx, hr_bytes_of(lab.issued, lab.issued_bytes)), HR_MALFORMED);
    transport_lab_issue(&lab, request, NULL);
    assert_code(port->certificate(port->ctx, hr_bytes_of(lab.issued, lab.issued_bytes - 1)), HR_MALFORMED);
    assert_string_equal(app_transport_phase_name(&lab.transport), "waiting");
    assert_true(uses_old());
    assert_ok(port->certificate(port->ctx, hr_bytes_of(lab.issued, lab.issued_bytes)));
    assert_string_equal(app_transport_phase_name(&lab.transport), "certified");
    assert_false(uses_old());
}

static void a_key_is_the_key_when_a_session_came_up_with_it(void **state)
{
    (void)state;
    assert_true(uses_old());
    lab.events.up(lab.events.ctx);
    assert_ok(transport_lab_renew(&lab));
    assert_true(is_other_due()); /* the uplink ends the session */
    lab.events.down(lab.events.ctx, PORT_NET_DOWN_LOST);
    assert_false(is_other_due());
    assert_false(uses_old());
    lab.events.up(lab.events.ctx);
    assert_string_equal(app_transport_phase_name(&lab.transport), "current");
    assert_int_equal(lab.store.image.next_transport_key.len_bytes, 0);
    transport_lab_boot(&lab);
    assert_false(uses_old());
    assert_int_equal(lab.n_ups, 2);
    assert_int_equal(lab.n_downs, 1);
}

static void a_refused_key_gives_way_to_the_old_one_for_a_while(void **state)
{
    (void)state;
    assert_ok(transport_lab_renew(&lab));
    for (uint64_t pause_ms = MINUTE_MS; pause_ms < HOUR_MS; pause_ms *= 2) {
        open_and_fail(PORT_NET_DOWN_REFUSED);
        assert_true(uses_old());
        lab.events.up(lab.events.ctx);
        lab.now_ms += pause_ms - 1;
        assert_false(is_other_due());
        lab.events.down(lab.events.ctx, PORT_NET_DOWN_LOST);
        assert_true(uses_old());
        lab.events.up(lab.events.ctx);
        lab.now_ms++;
        assert_true(is_other_due());
        assert_int_equal(is_due(0, true), 2 * pause_ms > HOUR_MS);
        lab.events.down(lab.events.ctx, PORT_NET_DOWN_LOST);
    }
    /* Tried so often in vain, it is given up when somebody asks for another; not by itself. */
    assert_false(is_due(0, false));
    assert_true(is_due(0, true));
    assert_ok(transport_lab_renew(&lab));
    assert_false(uses_old());
    lab.events.up(lab.events.ctx);
    assert_string_equal(app_transport_phase_name(&lab.transport), "current");
}

static void a_refusal_counts_behind_a_session_that_was_closed_here(void **state)
{
    (void)state;
    lab.events.up(lab.events.ctx);
    assert_ok(transport_lab_renew(&lab));
    open_and_fail(PORT_NET_DOWN_REFUSED); /* the uplink closed the session without an event */
    assert_true(uses_old());
}

static void a_key_that_nobody_answers_to_gives_way_after_three_times(void **state)
{
    (void)state;
    assert_ok(transport_lab_renew(&lab));
    open_and_fail(PORT_NET_DOWN_UNREACHABLE);
    open_and_fail(PORT_NET_DOWN_UNREACHABLE);
    open_and_fail(PORT_NET_DOWN_UNREACHABLE);
    assert_true(uses_old());
    lab.events.down(lab.events.ctx, PORT_NET_DOWN_UNREACHABLE);
    lab.now_ms += MINUTE_MS;
    assert_false(uses_old());
    lab.events.up(lab.events.ctx);
    assert_string_equal(app_transport_phase_name(&lab.transport), "current");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_time_when_the_certificate_ends_soon_or_somebody_says_so, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_short_life_is_renewed_in_its_last_third, begin, end),
        cmocka_unit_test_setup_teardown(a_key_that_waits_is_asked_for_with_the_same_request, begin, end),
        cmocka_unit_test_setup_teardown(what_is_no_certificate_of_the_key_and_the_device_is_refused, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_key_is_the_key_when_a_session_came_up_with_it, begin, end),
        cmocka_unit_test_setup_teardown(a_refused_key_gives_way_to_the_old_one_for_a_while, begin, end),
        cmocka_unit_test_setup_teardown(a_refusal_counts_behind_a_session_that_was_closed_here, begin, end),
        cmocka_unit_test_setup_teardown(a_key_that_nobody_answers_to_gives_way_after_three_times, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
