/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/resident.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void code_that_was_given_back_comes_back(void **state)
{
    (void)state;
    int numbers[] = {3, 1, 2};
    char text[32];
    uint64_t first_kb = port_linux_give_back_code();
    assert_true(first_kb > 0);
    /* Code, constants and relocated tables of this program and of its libraries. */
    qsort(numbers, 3, sizeof numbers[0], ascending);
    assert_int_equal(snprintf(text, sizeof text, "%d %d %.2f", numbers[0], numbers[2], 1.25), 8);
    assert_string_equal(text, "1 3 1.25");
    /* What came back since is less than what was there. */
    assert_true(port_linux_give_back_code() <= first_kb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_that_was_given_back_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
