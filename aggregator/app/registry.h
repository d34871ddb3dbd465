/* SPDX-License-Identifier: Apache-2.0
 *
 * Follows the registry directory: each second, and at once when asked, entries that are new or changed are
 * read and sent to the core. A file that can't be read is told once, with line and key, and changes nothing.
 */
#ifndef APP_REGISTRY_H
#define APP_REGISTRY_H

#include "aggregator/io/ledger.h"
#include "proto/base/status.h"

#include <pthread.h>
#include <stdatomic.h>

struct app_registry_stamp;

struct app_registry {
    const char *directory;
    uint32_t max_entries;
    /* Takes an entry over; false: not now, it will be given again. */
    bool (*entry)(void *ctx, const struct ledger_device *device);
    void *ctx;

    struct app_registry_stamp *stamps; /* by device id, rising */
    uint32_t n_stamps;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool asked;
    bool forgetful; /* the next scan reads every entry */
    bool stopping;
    _Atomic uint64_t n_read;   /* entries read and handed on */
    _Atomic uint64_t n_errors; /* entries that could not be read */
};

/* directory, max_entries, entry and ctx are filled. HR_IO: no memory. */
HR_MUST_USE struct hr_status app_registry_init(struct app_registry *registry);
/* Looks through the directory once. Also before the thread runs, never beside it. */
void app_registry_scan(struct app_registry *registry);
HR_MUST_USE struct hr_status app_registry_start(struct app_registry *registry);
void app_registry_ask(struct app_registry *registry);
/* What was handed on has been lost: all of it is read again with the next scan. [any thread] */
void app_registry_forget(struct app_registry *registry);
/* Ends the thread, if it runs, and frees. */
void app_registry_stop(struct app_registry *registry, bool running);

#endif
