/* SPDX-License-Identifier: Apache-2.0
 *
 * Clock, chance and wall clock of a Linux host as ports. Static storage; [any]. */
#ifndef PORT_LINUX_HOST_H
#define PORT_LINUX_HOST_H

#include "firmware/port/port_clock.h"
#include "firmware/port/port_random.h"
#include "firmware/port/port_utc.h"

/* Time since the machine's boot, suspend included. */
const struct port_clock *port_linux_clock(void);

/* The kernel's generator. */
const struct port_random *port_linux_random(void);

/* The system clock with the kernel's own bound of its error, as chrony or ntpd keep it; HR_AGAIN while the
 * kernel says that nothing disciplines the clock. */
const struct port_utc *port_linux_utc(void);

/* Unix milliseconds by the system clock, whether or not anything disciplines it: for finding what is due by
 * the calendar, never for dating records. */
int64_t port_linux_wall_ms(void);

#endif
