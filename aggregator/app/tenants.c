/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/tenants.h"

#include "aggregator/io/ledger.h"

#include <stdlib.h>
#include <string.h>

struct app_tenant {
    struct app_tenant *older; /* in the list of all names */
    uint64_t device_id;
    char name[LEDGER_NAME_MAX_CHARS + 1];
};

bool app_tenants_init(struct app_tenants *tenants, uint32_t max_devices)
{
    uint32_t n_slots = 16;
    while (n_slots < 2 * max_devices) {
        n_slots *= 2;
    }
    *tenants = (struct app_tenants){.n_slots = n_slots, .slots = calloc(n_slots, sizeof(tenants->slots[0]))};
    return tenants->slots != NULL && pthread_rwlock_init(&tenants->lock, NULL) == 0;
}

/* The slot of the device, or the empty one where it would stand. */
static struct app_tenant **find(struct app_tenants *tenants, uint64_t device_id)
{
    uint32_t at = (uint32_t)((device_id * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
    for (;; at++) {
        struct app_tenant **slot = &tenants->slots[at & (tenants->n_slots - 1)];
        if (*slot == NULL || (*slot)->device_id == device_id) {
            return slot;
        }
    }
}

bool app_tenants_set(struct app_tenants *tenants, uint64_t device_id, const char *tenant)
{
    const struct app_tenant *known = *find(tenants, device_id);
    if (known != NULL && strcmp(known->name, tenant) == 0) {
        return true;
    }
    struct app_tenant *entry = calloc(1, sizeof(*entry));
    if (entry == NULL) {
        return false;
    }
    entry->device_id = device_id;
    strncpy(entry->name, tenant, sizeof(entry->name) - 1);
    entry->older = tenants->names;
    tenants->names = entry;
    (void)pthread_rwlock_wrlock(&tenants->lock);
    *find(tenants, device_id) = entry;
    (void)pthread_rwlock_unlock(&tenants->lock);
    return true;
}

const char *app_tenants_of(void *ctx, uint64_t device_id)
{
    struct app_tenants *tenants = ctx;
    (void)pthread_rwlock_rdlock(&tenants->lock);
    const struct app_tenant *entry = *find(tenants, device_id);
    (void)pthread_rwlock_unlock(&tenants->lock);
    return entry != NULL ? entry->name : "unknown";
}

void app_tenants_free(struct app_tenants *tenants)
{
    while (tenants->names != NULL) {
        struct app_tenant *entry = tenants->names;
        tenants->names = entry->older;
        free(entry);
    }
    free(tenants->slots);
    (void)pthread_rwlock_destroy(&tenants->lock);
}
