/* SPDX-License-Identifier: Apache-2.0
 *
 * A board without a Modbus line. */
#include "firmware/app/plant.h"

void app_plant_start(struct fw_collector *collector, const struct port_flash *memory,
                     const struct image_regions *regions)
{
    (void)collector;
    (void)memory;
    (void)regions;
}

void app_plant_stop(void)
{
}

uint32_t app_plant_step(void)
{
    return FW_NEVER_MS;
}

bool app_plant_hears(void)
{
    return false;
}
