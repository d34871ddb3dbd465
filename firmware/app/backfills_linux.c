/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/backfill.h"
#include "firmware/core/collector.h"
#include "firmware/taps/http/tap_http.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 2000, SEAL_LOOK_MS = 200, MAX_BACKFILLS = 32 };

/* How far a backfill has come: in the file, in records that a seal will bring into the spool, and beyond. */
struct under_way {
    struct app_backfill file;
    int64_t offered_ms; /* 0: nothing waits for a seal */
    uint64_t seals;     /* that there were when it was offered */
    int64_t latest_ms;
};

struct app_backfills {
    struct app_backfills_config config;
    uint64_t look_ms;
    bool write_failed;
    uint32_t n;
    struct under_way under_way[MAX_BACKFILLS];
};

struct hr_status app_backfills_open(const struct app_backfills_config *config, struct app_backfills **out)
{
    struct app_backfills *backfills = calloc(1, sizeof *backfills);
    if (backfills == NULL) {
        return hr_status_of(HR_IO);
    }
    backfills->config = *config;
    *out = backfills;
    return hr_ok();
}

void app_backfills_close(struct app_backfills *backfills)
{
    free(backfills);
}

static struct under_way *find(struct app_backfills *backfills, const char *feed)
{
    for (uint32_t i = 0; i < backfills->n; i++) {
        if (strcmp(backfills->under_way[i].file.feed, feed) == 0) {
            return &backfills->under_way[i];
        }
    }
    return NULL;
}

/* ---- requests ---- */

static void begin(struct app_backfills *backfills, const char *feed)
{
    struct app_backfill found;
    const struct app_backfills_config *config = &backfills->config;
    if (find(backfills, feed) != NULL || backfills->n == MAX_BACKFILLS ||
        !hr_is_ok(app_backfill_read(config->folder, feed, &found)) || found.next_ms >= found.to_ms) {
        return;
    }
    if (!hr_is_ok(tap_http_backfill(config->tap, feed, found.next_ms, found.to_ms))) {
        return; /* a feed that is not polled here, or not any longer; the file stays */
    }
    backfills->under_way[backfills->n++] = (struct under_way){.file = found};
    PORT_LOG(config->log, PORT_LOG_INFO, "backfill_began", {"feed", feed, 0},
             {"next_ms", NULL, found.next_ms}, {"to_ms", NULL, found.to_ms});
}

static void look(struct app_backfills *backfills)
{
    DIR *folder = opendir(backfills->config.folder);
    if (folder == NULL) {
        return; /* nobody has asked for anything yet */
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            begin(backfills, entry->d_name);
        }
    }
    (void)closedir(folder);
}

/* ---- progress ---- */

void app_backfills_walked(struct app_backfills *backfills, const char *feed, int64_t next_ms)
{
    struct under_way *under_way = find(backfills, feed);
    if (under_way != NULL) {
        under_way->latest_ms = next_ms;
    }
}

static void write_down(struct app_backfills *backfills, struct under_way *under_way)
{
    const struct app_backfills_config *config = &backfills->config;
    struct app_backfill next = under_way->file;
    next.next_ms = under_way->offered_ms;
    if (!hr_is_ok(app_backfill_write(config->folder, &next))) {
        if (!backfills->write_failed) {
            PORT_LOG(config->log, PORT_LOG_WARN, "backfill_not_written", {"feed", next.feed, 0},
                     {"reason", strerror(errno), 0});
        }
        backfills->write_failed = true; /* it is tried again; windows may be asked for twice */
        return;
    }
    backfills->write_failed = false;
    under_way->file = next;
    under_way->offered_ms = 0;
}

/* A seal brings everything that was offered before it into the spool. */
static void follow(struct app_backfills *backfills, struct under_way *under_way)
{
    uint64_t seals = backfills->config.collector->counters.seals;
    if (under_way->offered_ms != 0 && seals > under_way->seals) {
        write_down(backfills, under_way);
    }
    if (under_way->offered_ms == 0 && under_way->latest_ms > under_way->file.next_ms) {
        under_way->offered_ms = under_way->latest_ms;
        under_way->seals = seals;
    }
}

void app_backfills_pump(struct app_backfills *backfills, uint32_t *wait_ms)
{
    uint64_t now_ms = port_uptime_ms(backfills->config.clock);
    if (now_ms >= backfills->look_ms) {
        backfills->look_ms = now_ms + LOOK_MS;
        look(backfills);
    }
    *wait_ms = (uint32_t)(backfills->look_ms - now_ms);
    for (uint32_t i = 0; i < backfills->n; i++) {
        struct under_way *under_way = &backfills->under_way[i];
        follow(backfills, under_way);
        if (under_way->offered_ms != 0) {
            *wait_ms = *wait_ms < SEAL_LOOK_MS ? *wait_ms : SEAL_LOOK_MS;
        }
        if (under_way->file.next_ms >= under_way->file.to_ms) {
            PORT_LOG(backfills->config.log, PORT_LOG_INFO, "backfill_done", {"feed", under_way->file.feed, 0},
                     {"to_ms", NULL, under_way->file.to_ms});
            *under_way = backfills->under_way[--backfills->n];
            i--;
        }
    }
}
