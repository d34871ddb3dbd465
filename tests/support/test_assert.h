/* SPDX-License-Identifier: Apache-2.0
 *
 * hr_assert_failed for test programs and fuzzers: it prints the expression and its place to stderr and
 * aborts. */
#ifndef TEST_ASSERT_H
#define TEST_ASSERT_H

#include <stdbool.h>

/* True when body(ctx) ends in a failed HR_ASSERT. The body runs in a child process, so nothing that it does
 * is seen here. */
bool test_asserts(void (*body)(void *ctx), void *ctx);

#endif
