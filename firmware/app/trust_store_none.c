/* SPDX-License-Identifier: Apache-2.0
 *
 * In the place of trust_store.c where there is no room for bundles: the device believes the one authority of
 * its identity, from which nothing is copied. */
#include "firmware/app/trust_store.h"

#include "proto/base/assert.h"

static const struct image_identity *image;

void app_trust_store_init(const struct port_flash *memory, uint64_t at, struct fw_identity_store *identity)
{
    (void)memory, (void)at;
    image = &identity->image;
}

struct hr_status app_trust_store_open(const struct port_log *log)
{
    (void)log;
    /* To leave out another authority would be no one's word. */
    return hr_status_of(image->n_ca == 1 ? HR_OK : HR_DENIED);
}

struct hr_bytes app_trust_store_ca(void)
{
    return image->ca[0];
}

const char *app_trust_store_server_name(void)
{
    return image->server_name;
}

struct fw_trust *app_trust_store_followed(void)
{
    return NULL;
}

void app_trust_store_count(struct fw_collector *collector)
{
    (void)collector;
}

bool app_trust_store_follows(void)
{
    return false;
}

struct hr_status app_trust_store_keep(uint32_t i, struct hr_bytes piece, struct image_identity *next)
{
    (void)i, (void)piece, (void)next;
    HR_ASSERT(false);
    return hr_status_of(HR_MALFORMED);
}
