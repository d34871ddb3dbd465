/* SPDX-License-Identifier: Apache-2.0
 *
 * What libraries expect of a C library and a board has not. A way out: a library that gives up is told on the
 * console like a failed assertion of our own, and the board starts again. And files: libcoap's own log, which
 * firmware/net takes from it, would bring newlib's streams in. */
#include "proto/base/assert.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
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

int vfprintf(FILE *stream, const char *format, va_list arguments)
{
    (void)stream;
    (void)format;
    (void)arguments;
    return 0;
}
