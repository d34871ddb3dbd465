/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/registry.h"

#include "aggregator/app/log.h"
#include "aggregator/app/time.h"
#include "aggregator/config/registry_entry.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SCAN_EVERY_MS = 1000, ENTRY_PATH_MAX_CHARS = 768 };

/* What a file looked like when it was last read. */
struct app_registry_stamp {
    uint64_t device_id;
    struct timespec modified;
    uint64_t inode;
    int64_t len_bytes;
};

struct hr_status app_registry_init(struct app_registry *registry)
{
    registry->stamps = calloc(registry->max_entries, sizeof(registry->stamps[0]));
    if (registry->stamps == NULL) {
        return hr_status_of(HR_IO);
    }
    (void)pthread_mutex_init(&registry->lock, NULL);
    app_cond_init(&registry->woken);
    return hr_ok();
}

static bool entry_id(const char *name, uint64_t *out)
{
    char *end = NULL;
    if (name[0] < '1' || name[0] > '9') {
        return false;
    }
    errno = 0;
    unsigned long long id = strtoull(name, &end, 10);
    *out = id;
    return errno == 0 && strcmp(end, ".yaml") == 0;
}

/* Index of the first stamp whose id is not below. */
static uint32_t lower_bound(const struct app_registry *registry, uint64_t device_id)
{
    uint32_t low = 0;
    uint32_t high = registry->n_stamps;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (registry->stamps[middle].device_id < device_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool same_stamp(const struct app_registry_stamp *a, const struct app_registry_stamp *b)
{
    return a->device_id == b->device_id && a->inode == b->inode && a->len_bytes == b->len_bytes &&
           a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

/* The place of this device, made when there is none; NULL: the table is full. */
static struct app_registry_stamp *place_of(struct app_registry *registry, uint64_t device_id)
{
    uint32_t at = lower_bound(registry, device_id);
    if (at < registry->n_stamps && registry->stamps[at].device_id == device_id) {
        return &registry->stamps[at];
    }
    if (registry->n_stamps == registry->max_entries) {
        return NULL;
    }
    memmove(&registry->stamps[at + 1], &registry->stamps[at],
            (registry->n_stamps - at) * sizeof(registry->stamps[0]));
    registry->n_stamps++;
    registry->stamps[at] = (struct app_registry_stamp){.device_id = device_id};
    return &registry->stamps[at];
}

static void tell_errors(struct app_registry *registry, const struct conf_report *report)
{
    atomic_fetch_add(&registry->n_errors, 1);
    uint32_t n = report->n_errors < CONF_MAX_ERRORS ? report->n_errors : CONF_MAX_ERRORS;
    for (uint32_t i = 0; i < n; i++) {
        const struct conf_error *error = &report->errors[i];
        APP_LOG(APP_ERROR, "registry_entry_unreadable", app_text("file", report->file),
                app_number("line", error->line), app_text("key", error->key),
                app_text("why", error->message));
    }
}

static void look_at(struct app_registry *registry, uint64_t device_id, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return;
    }
    const struct app_registry_stamp now = {.device_id = device_id,
                                           .modified = status.st_mtim,
                                           .inode = status.st_ino,
                                           .len_bytes = status.st_size};
    struct app_registry_stamp *place = place_of(registry, device_id);
    if (place == NULL) {
        APP_LOG(APP_ERROR, "registry_full", app_number("max_devices", registry->max_entries));
        return;
    }
    if (same_stamp(place, &now)) {
        return;
    }
    struct ledger_device device;
    struct conf_report report;
    if (!hr_is_ok(config_registry_load(path, &device, &report))) {
        tell_errors(registry, &report);
        *place = now; /* told once; the next change is read again */
        return;
    }
    if (registry->entry(registry->ctx, &device)) {
        *place = now;
        atomic_fetch_add(&registry->n_read, 1);
    }
}

void app_registry_scan(struct app_registry *registry)
{
    DIR *directory = opendir(registry->directory);
    if (directory == NULL) {
        atomic_fetch_add(&registry->n_errors, 1);
        APP_LOG(APP_ERROR, "registry_unreadable", app_text("directory", registry->directory),
                app_text("why", strerror(errno)));
        return;
    }
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char path[ENTRY_PATH_MAX_CHARS];
        uint64_t device_id = 0;
        int len = snprintf(path, sizeof(path), "%s/%s", registry->directory, entry->d_name);
        if (len > 0 && (size_t)len < sizeof(path) && entry_id(entry->d_name, &device_id)) {
            look_at(registry, device_id, path);
        }
    }
    (void)closedir(directory);
}

static void *run(void *ctx)
{
    struct app_registry *registry = ctx;
    (void)pthread_mutex_lock(&registry->lock);
    while (!registry->stopping) {
        struct timespec deadline = app_deadline_in_ms(SCAN_EVERY_MS);
        int waited = 0;
        while (!registry->asked && !registry->stopping && waited == 0) {
            waited = pthread_cond_timedwait(&registry->woken, &registry->lock, &deadline);
        }
        if (registry->stopping) {
            break;
        }
        registry->asked = false;
        if (registry->forgetful) {
            registry->forgetful = false;
            registry->n_stamps = 0;
        }
        (void)pthread_mutex_unlock(&registry->lock);
        app_registry_scan(registry);
        (void)pthread_mutex_lock(&registry->lock);
    }
    (void)pthread_mutex_unlock(&registry->lock);
    return NULL;
}

struct hr_status app_registry_start(struct app_registry *registry)
{
    return hr_status_of(pthread_create(&registry->thread, NULL, run, registry) == 0 ? HR_OK : HR_IO);
}

void app_registry_ask(struct app_registry *registry)
{
    (void)pthread_mutex_lock(&registry->lock);
    registry->asked = true;
    (void)pthread_cond_signal(&registry->woken);
    (void)pthread_mutex_unlock(&registry->lock);
}

void app_registry_forget(struct app_registry *registry)
{
    (void)pthread_mutex_lock(&registry->lock);
    registry->forgetful = true;
    (void)pthread_mutex_unlock(&registry->lock);
}

void app_registry_stop(struct app_registry *registry, bool running)
{
    (void)pthread_mutex_lock(&registry->lock);
    registry->stopping = true;
    (void)pthread_cond_signal(&registry->woken);
    (void)pthread_mutex_unlock(&registry->lock);
    if (running) {
        (void)pthread_join(registry->thread, NULL);
    }
    (void)pthread_cond_destroy(&registry->woken);
    (void)pthread_mutex_destroy(&registry->lock);
    free(registry->stamps);
}
