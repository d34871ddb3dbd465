/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP tap of the configuration: its feeds are read, and it is driven. A build without libcurl has
 * taps_http_none.c, which says so. [loop] */
#ifndef APP_TAPS_HTTP_H
#define APP_TAPS_HTTP_H

#include "firmware/app/config.h"
#include "firmware/core/collector.h"
#include "proto/config/config.h"
#include "proto/feeds/feeds.h"
#include "proto/feeds/zone.h"

#include <poll.h>

struct app_http;

/* A check of the configuration: each feed's file is read, and every mistake told. */
void app_http_check(const struct app_tap *tap, struct conf_place *place);

/* A feed that this tap polls, and its zone. HR_NOT_FOUND: it does not poll one of that name. */
HR_MUST_USE struct hr_status app_http_find(const struct app_tap *tap, const char *name,
                                           struct feeds_feed *out, struct feeds_zone *zone);

/* Bodies wait in the spool's folder, in files without a name. HR_IO: it was logged. */
HR_MUST_USE struct hr_status app_http_open(const struct app_tap *config, const char *spool_path,
                                           struct fw_collector *collector, const struct port_clock *clock,
                                           const struct port_log *log, struct app_http **out);

size_t app_http_fds(struct app_http *http, struct pollfd *fds, size_t capacity);

/* HR_IO as fw_collector_offer. */
HR_MUST_USE struct hr_status app_http_pump(struct app_http *http, bool hold, uint32_t *wait_ms);

void app_http_close(struct app_http *http);

#endif
