/* SPDX-License-Identifier: Apache-2.0
 *
 * Asserts are for our own bugs. They stay on in release builds and never stand on data from peers, files,
 * devices or configuration. hr_assert_failed is provided by the program (ports, tests): it must not return.
 */
#ifndef HR_ASSERT_H
#define HR_ASSERT_H

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line);

#define HR_ASSERT(expression) ((expression) ? (void)0 : hr_assert_failed(#expression, __FILE__, __LINE__))

#define HR_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
