/* SPDX-License-Identifier: Apache-2.0
 *
 * Register maps of devices without SunSpec, each a file beside the plant's;
 * boards/linux_gateway/meter.yaml shows all keys. */
#ifndef APP_PLANT_MAP_H
#define APP_PLANT_MAP_H

#include "firmware/app/config_modbus.h"

/* Reads each map that a device of the plant names, once, relative to the folder of the plant's file. As
 * app_plant_load; maps that were read stay in the plant. */
HR_MUST_USE struct hr_status app_plant_maps_load(struct app_plant *plant, const char *plant_path,
                                                 struct conf_place *place, struct conf_report *report);

/* Tells the mistakes of another file at `plant` of the place; NULL: nobody asks. */
void app_plant_complain(struct conf_place *place, const struct conf_report *report);

#endif
