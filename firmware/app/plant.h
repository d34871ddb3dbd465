/* SPDX-License-Identifier: Apache-2.0
 *
 * A board's Modbus line: what the poll plan in its memory names is read in turn, and becomes Channel and
 * Samples records. plant_bare.c is linked where the board has such a line, plant_none_bare.c where it has
 * not. One request is under way at a time; nothing here waits but for the eight bytes of a request to go out.
 * Memory is of fixed size, by the BOARD_PLANT_* of the board. [loop] */
#ifndef APP_PLANT_H
#define APP_PLANT_H

#include "firmware/core/collector.h"
#include "firmware/port/port_flash.h"
#include "proto/image/image.h"

/* Reads the plan that stands behind the spool of these regions, says on the console what it found, and begins
 * to poll for the collector, which has been started and is kept. Without a plan, or with one that is damaged
 * or larger than the board's memory for it, nothing is polled. */
void app_plant_start(struct fw_collector *collector, const struct port_flash *memory,
                     const struct image_regions *regions);

/* Until the next start nothing is polled: there is no collector. */
void app_plant_stop(void);

/* Takes what the line has brought, judges the request under way, and makes the next one when it is due.
 * Samples go to the collector. Returns after how long to call again; FW_NEVER_MS: there is nothing to poll.
 */
uint32_t app_plant_step(void);

/* Takes what the line has brought. True: app_plant_step has something to do with it. */
bool app_plant_hears(void);

#endif
