/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/backfill.h"
#include "firmware/app/taps_http.h"
#include "proto/base/assert.h"

#include <stdio.h>

void app_http_check(const struct app_tap *tap, struct conf_place *place)
{
    (void)tap;
    conf_complain(place, "type", "this build has no HTTP tap: it takes libcurl and zstd (HEADRACE_TAP_HTTP)");
}

struct hr_status app_http_open(const struct app_tap *config, const char *spool_path,
                               struct fw_collector *collector, const struct port_clock *clock,
                               const struct port_log *log, struct app_http **out)
{
    (void)spool_path;
    (void)config;
    (void)collector;
    (void)clock;
    (void)log;
    (void)out;
    return hr_status_of(HR_IO);
}

size_t app_http_fds(struct app_http *http, struct pollfd *fds, size_t capacity)
{
    (void)http;
    (void)fds;
    (void)capacity;
    return 0;
}

struct hr_status app_http_pump(struct app_http *http, bool hold, uint32_t *wait_ms)
{
    (void)http;
    (void)hold;
    (void)wait_ms;
    return hr_status_of(HR_IO);
}

int app_backfill_command(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)fputs("headrace-collector: this build polls nothing: it has no libcurl\n", stderr);
    return 1;
}

void app_http_close(struct app_http *http)
{
    (void)http;
}
