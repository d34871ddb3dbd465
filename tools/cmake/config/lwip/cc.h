/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lwIP asks of a compiler and a program. hr_assert_failed is proto/base/assert.h's; random numbers come from
 * firmware/ports/cortex_m.
 */
#ifndef HEADRACE_LWIP_CC_H
#define HEADRACE_LWIP_CC_H

#include <stdint.h>

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line);
uint32_t port_netif_random(void);

#define LWIP_PLATFORM_ASSERT(message) hr_assert_failed(message, "lwip", __LINE__)
#define LWIP_PLATFORM_DIAG(arguments) ((void)0)
#define LWIP_RAND() port_netif_random()
#define LWIP_NO_CTYPE_H 0

#endif
