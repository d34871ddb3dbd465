/* SPDX-License-Identifier: Apache-2.0
 *
 * lwIP's clock. Its timers compare differences, so that the wrap after 49.7 days is no event. In a file of
 * its own, so that a test may put another clock in its place. */
#include "boards/family/board.h"

#include <lwip/sys.h>

u32_t sys_now(void)
{
    return (u32_t)board_uptime_ms();
}
