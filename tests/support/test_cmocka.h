/* SPDX-License-Identifier: Apache-2.0
 *
 * cmocka with the headers that it wants before it, and the two assertions that every test of ours needs. */
#ifndef TEST_CMOCKA_H
#define TEST_CMOCKA_H

#include "proto/base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define assert_ok(call)         assert_int_equal((call).code, HR_OK)
#define assert_code(call, want) assert_int_equal((call).code, (want))

#endif
