/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways out that a C library offers. On a board there is none: a library that gives up is told on the
 * console like a failed assertion of our own, and the board starts again. */
#include "proto/base/assert.h"

#include <assert.h>
#include <stdlib.h>

void __assert_func(const char *file, int line, const char *function, const char *expression)
{
    (void)function;
    hr_assert_failed(expression, file, line);
}

void exit(int code)
{
    (void)code;
    hr_assert_failed("exit", __FILE__, __LINE__);
}

void abort(void)
{
    hr_assert_failed("abort", __FILE__, __LINE__);
}
