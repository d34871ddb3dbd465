/* SPDX-License-Identifier: Apache-2.0
 *
 * The taps of the configuration on Linux: sources of bytes, framers, and records offered to the collector.
 * [loop] */
#ifndef APP_TAPS_H
#define APP_TAPS_H

#include "firmware/app/config.h"
#include "firmware/core/collector.h"

#include <poll.h>

struct app_taps;

/* Opens every tap of the configuration and adds its counters to the collector. What can't be opened now and
 * may be later (a device, a receiver) is tried again by app_taps_pump. HR_IO: memory, or a port that can't be
 * listened on; it was logged. */
HR_MUST_USE struct hr_status app_taps_open(const struct app_config *config, struct fw_collector *collector,
                                           const struct port_clock *clock, const struct port_log *log,
                                           struct app_taps **out);

/* Adds the descriptors to be polled, at most capacity, and returns how many. When hold_recordings is set,
 * files and stdin are left alone: they can wait, and the spool has little room. */
size_t app_taps_fds(struct app_taps *taps, bool hold_recordings, struct pollfd *fds, size_t capacity);

/* Takes what has arrived, a bounded amount of each tap, and offers the records. *wait_ms: call again then at
 * the latest; 0: there is more now. HR_IO as fw_collector_offer. */
HR_MUST_USE struct hr_status app_taps_pump(struct app_taps *taps, bool hold_recordings, uint32_t *wait_ms);

/* True when every tap has come to its end; only files and stdin do. */
bool app_taps_have_ended(const struct app_taps *taps);

void app_taps_close(struct app_taps *taps);

#endif
