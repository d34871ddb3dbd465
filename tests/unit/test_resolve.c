/* SPDX-License-Identifier: Apache-2.0
 *
 * port_resolve over the host's resolver. */
#include "firmware/ports/linux/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { PATIENCE_MS = 120000 };

static uint64_t real_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct hr_status outcome(const char *host, struct port_ip *out, size_t capacity, size_t *n_out,
                                const char **why)
{
    const struct port_resolve *resolve = port_linux_resolve();
    uint64_t deadline_ms = real_ms() + PATIENCE_MS;
    struct hr_status status = hr_ok();
    do {
        assert_true(real_ms() < deadline_ms);
        status = resolve->poll(resolve->ctx, host, out, capacity, n_out, why);
    } while (hr_is(status, HR_AGAIN));
    return status;
}

static void starts(const char *host)
{
    const struct port_resolve *resolve = port_linux_resolve();
    assert_true(hr_is_ok(resolve->start(resolve->ctx, host)));
}

static void addresses_as_text_are_taken(void **state)
{
    (void)state;
    static const uint8_t documentation[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};
    struct port_ip ip[2];
    size_t n_ips = 0;
    const char *why = NULL;
    starts("192.0.2.1");
    starts("2001:db8::7");
    assert_true(hr_is_ok(outcome("192.0.2.1", ip, 2, &n_ips, &why)));
    assert_int_equal(n_ips, 1);
    assert_int_equal(ip[0].family, PORT_IPV4);
    assert_memory_equal(ip[0].bytes, ((uint8_t[]){192, 0, 2, 1}), 4);
    assert_true(hr_is_ok(outcome("2001:db8::7", ip, 2, &n_ips, &why)));
    assert_int_equal(n_ips, 1);
    assert_int_equal(ip[0].family, PORT_IPV6);
    assert_memory_equal(ip[0].bytes, documentation, sizeof documentation);
}

static void a_name_is_found_once_a_look_up(void **state)
{
    (void)state;
    struct port_ip ip[PORT_RESOLVE_MAX_RESULTS];
    size_t n_ips = 0;
    const char *why = NULL;
    starts("localhost");
    starts("localhost");
    assert_true(hr_is_ok(outcome("localhost", ip, PORT_RESOLVE_MAX_RESULTS, &n_ips, &why)));
    assert_true(n_ips >= 1);
    assert_true(hr_is(outcome("localhost", ip, 1, &n_ips, &why), HR_NOT_FOUND));
    assert_string_equal(why, "no look-up was started");
}

static void a_name_that_nobody_has_is_not_found(void **state)
{
    (void)state;
    struct port_ip ip[1];
    size_t n_ips = 99;
    const char *why = NULL;
    starts("no-such-host.invalid");
    assert_true(hr_is(outcome("no-such-host.invalid", ip, 1, &n_ips, &why), HR_NOT_FOUND));
    assert_int_equal(n_ips, 99);
    assert_non_null(why);
}

static void outcomes_that_nobody_fetched_make_room(void **state)
{
    (void)state;
    const struct port_resolve *resolve = port_linux_resolve();
    static char hosts[40][24];
    uint64_t deadline_ms = real_ms() + PATIENCE_MS;
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(hosts[i], sizeof hosts[i], "192.0.2.%u", i);
        while (!hr_is_ok(resolve->start(resolve->ctx, hosts[i]))) {
            assert_true(real_ms() < deadline_ms);
        }
    }
    struct port_ip ip[1];
    size_t n_ips = 0;
    const char *why = NULL;
    assert_true(hr_is_ok(outcome(hosts[39], ip, 1, &n_ips, &why)));
    assert_int_equal(ip[0].bytes[3], 39);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_as_text_are_taken),
        cmocka_unit_test(a_name_is_found_once_a_look_up),
        cmocka_unit_test(a_name_that_nobody_has_is_not_found),
        cmocka_unit_test(outcomes_that_nobody_fetched_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
