/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose device is whose, for the publishers. Names are kept as long as the table lives, also those that a
 * device had before, because a publisher may still hold one. */
#ifndef APP_TENANTS_H
#define APP_TENANTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct app_tenant;

struct app_tenants {
    pthread_rwlock_t lock;
    struct app_tenant **slots; /* open addressing, a power of two, at most half full */
    uint32_t n_slots;
    struct app_tenant *names; /* every name ever given, for freeing */
};

/* Room for max_devices; false: no memory. */
bool app_tenants_init(struct app_tenants *tenants, uint32_t max_devices);
/* [one thread]; false: no memory, and the device keeps the name it had. */
bool app_tenants_set(struct app_tenants *tenants, uint64_t device_id, const char *tenant);
/* "unknown" for a device that is not in the table. ctx is the table. [any thread] */
const char *app_tenants_of(void *ctx, uint64_t device_id);
void app_tenants_free(struct app_tenants *tenants);

#endif
