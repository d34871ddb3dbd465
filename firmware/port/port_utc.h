/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's own wall clock, where there is one that something disciplines (NTP, PTP, GNSS). It is used for
 * signed time anchors only; nothing is scheduled by it. */
#ifndef PORT_UTC_H
#define PORT_UTC_H

#include "proto/base/status.h"

#include <stdint.h>

struct port_utc {
    /* Unix milliseconds and the bound of their error. HR_AGAIN: the clock is not disciplined now, so that no
     * bound can be promised. [any] */
    HR_MUST_USE struct hr_status (*now)(void *ctx, uint64_t *utc_ms, uint32_t *err_ms);
    void *ctx;
};

#endif
