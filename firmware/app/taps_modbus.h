/* SPDX-License-Identifier: Apache-2.0
 *
 * The Modbus tap of the configuration: every line of its plant is kept open and polled, and what comes of it
 * is offered as Channel and Samples records. [loop] */
#ifndef APP_TAPS_MODBUS_H
#define APP_TAPS_MODBUS_H

#include "firmware/app/config.h"
#include "firmware/core/collector.h"

#include <poll.h>

struct app_modbus;

/* Adds its counters to the collector: modbus, plant, modbus_line. What is not there yet is tried again.
 * HR_IO: memory, or the plant's file is not as it was when it was checked; it was logged. */
HR_MUST_USE struct hr_status app_modbus_open(const struct app_tap *config, struct fw_collector *collector,
                                             const struct port_clock *clock, const struct port_log *log,
                                             struct app_modbus **out);

size_t app_modbus_fds(struct app_modbus *modbus, struct pollfd *fds, size_t capacity);

/* HR_IO as fw_collector_offer. */
HR_MUST_USE struct hr_status app_modbus_pump(struct app_modbus *modbus, uint32_t *wait_ms);

void app_modbus_close(struct app_modbus *modbus);

#endif
