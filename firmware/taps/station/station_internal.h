/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of a station share; nobody else includes this. */
#ifndef STATION_INTERNAL_H
#define STATION_INTERNAL_H

#include "firmware/taps/station/station.h"

/* ---- what a device has (station_plan.c) ---- */

/* Forgets the plan; nothing is polled. */
void station_plan_clear(struct station_device *device);

/* Whether any group wants something of the model. */
bool station_plan_wants(const struct station_device *device, uint16_t model);

/* Adds the points of a model whose registers were read that a group wants. */
void station_plan_add_model(struct station_device *device, const struct tap_sunspec_found *found,
                            const uint16_t *registers, uint16_t n_registers);

/* Adds the rows of the device's register map. HR_MALFORMED: as station_init. */
HR_MUST_USE struct hr_status station_plan_add_map(struct station_device *device);

/* Gives channels and begins to poll. */
HR_MUST_USE struct hr_status station_plan_start(struct station_device *device, uint64_t now_ms);

/* ---- the search for models (station_search.c) ---- */

/* From now on, or once `after_ms` is over. */
void station_search_begin(struct station_device *device, uint64_t now_ms);

/* What to ask; only while it is not RESTING. */
void station_search_question(const struct station_device *device, struct tap_modbus_request *out);

/* How it ended. */
void station_search_answer(struct station_device *device, const struct tap_modbus *framer, uint64_t now_ms);

/* ---- what comes out (station_line.c) ---- */

void station_say(struct station_device *device, enum station_event event, uint32_t number);

/* Of struct plant_sink; ctx is the device. */
void station_take_sample(void *ctx, const struct plant_sample *sample, uint64_t now_ms);

#endif
