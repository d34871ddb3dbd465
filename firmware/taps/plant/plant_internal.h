/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the poll engine share; nobody else includes this. */
#ifndef PLANT_INTERNAL_H
#define PLANT_INTERNAL_H

#include "firmware/taps/plant/plant.h"

/* The read gave these registers: each of its points is looked at. */
void plant_report_read(struct plant *plant, const struct plant_read *read, const uint16_t *registers,
                       uint64_t now_ms);

/* The read gave none: its points have this quality, with their last value where there was one. */
void plant_report_failure(struct plant *plant, const struct plant_read *read, enum plant_quality quality,
                          uint64_t now_ms);

#endif
