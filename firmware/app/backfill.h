/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests for windows of the past: one small file a feed, in the folder `<spool's path>.backfill`, which
 * `headrace-collector backfill` leaves and the running collector takes and keeps up to date. What is done
 * stays there, so that it is not done again. */
#ifndef APP_BACKFILL_H
#define APP_BACKFILL_H

#include "firmware/app/config.h"
#include "firmware/port/port_clock.h"
#include "firmware/port/port_log.h"
#include "proto/feeds/feeds.h"

#include <stdint.h>

enum { APP_BACKFILL_FOLDER_CAPACITY = APP_PATH_MAX_CHARS + 16 };

/* Unix milliseconds. All windows before next_ms were visited and are in the spool; done: next_ms >= to_ms. */
struct app_backfill {
    char feed[FEEDS_NAME_MAX_CHARS + 1];
    int64_t from_ms;
    int64_t to_ms;
    int64_t next_ms;
};

void app_backfill_folder(const char *spool_path, char out[APP_BACKFILL_FOLDER_CAPACITY]);

/* HR_NOT_FOUND: there is no such file. HR_MALFORMED: it does not hold what app_backfill_write writes. */
HR_MUST_USE struct hr_status app_backfill_read(const char *folder, const char *feed,
                                               struct app_backfill *out);

/* Durable when it returns, and whole or as before whenever the power goes. Makes the folder. HR_IO: errno. */
HR_MUST_USE struct hr_status app_backfill_write(const char *folder, const struct app_backfill *backfill);

/* The command, argv[0] being its name. Its exit code. */
int app_backfill_command(int argc, char **argv);

/* ---- in the collector ---- */

struct app_backfills;
struct fw_collector;
struct tap_http;

struct app_backfills_config {
    const char *folder; /* kept */
    const struct port_clock *clock;
    const struct port_log *log;
    const struct fw_collector *collector;
    struct tap_http *tap;
};

HR_MUST_USE struct hr_status app_backfills_open(const struct app_backfills_config *config,
                                                struct app_backfills **out);
/* Takes requests that are new, and writes down how far those under way have come, once that is in the spool.
 * *wait_ms: call again then at the latest. */
void app_backfills_pump(struct app_backfills *backfills, uint32_t *wait_ms);
/* Every record of the windows before next_ms was offered. */
void app_backfills_walked(struct app_backfills *backfills, const char *feed, int64_t next_ms);
void app_backfills_close(struct app_backfills *backfills);

#endif
