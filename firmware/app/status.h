/* SPDX-License-Identifier: Apache-2.0
 *
 * What the collector is doing, as one JSON object in a file that is exchanged whole, for people and for
 * tools. */
#ifndef APP_STATUS_H
#define APP_STATUS_H

#include "firmware/core/collector.h"
#include "firmware/crypto/device_key.h"

/* Writes the file anew beside itself and moves it into place. HR_IO: it could not; the old one stands. */
HR_MUST_USE struct hr_status app_status_write(const char *path, const struct fw_collector *collector,
                                              uint64_t device_id, const char *name,
                                              const struct crypto_certificate_facts *transport);

#endif
