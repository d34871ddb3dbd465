/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses of aggregators as text. */
#include "firmware/net/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    struct net_address address;
    assert_true(hr_is_ok(net_address_parse("coaps://agg.example", &address)));
    assert_int_equal(address.scheme, NET_COAPS);
    assert_string_equal(address.host, "agg.example");
    assert_int_equal(address.port, 5684);
    assert_true(hr_is_ok(net_address_parse("coaps+tcp://[2001:db8::1]:65535", &address)));
    assert_int_equal(address.scheme, NET_COAPS_TCP);
    assert_string_equal(address.host, "2001:db8::1");
    assert_int_equal(address.port, 65535);
    static const char *const bad[] = {"",
                                      "coap://plain.example",
                                      "coaps://",
                                      "coaps://:5684",
                                      "coaps://host:",
                                      "coaps://host:0",
                                      "coaps://host:65536",
                                      "coaps://host:1x",
                                      "coaps://host/path",
                                      "coaps://[::1",
                                      "coaps://[::1]x",
                                      "COAPS://host"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(hr_is(net_address_parse(bad[i], &address), HR_MALFORMED));
    }
    assert_int_equal(address.port, 65535);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
