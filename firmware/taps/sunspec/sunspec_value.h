/* SPDX-License-Identifier: Apache-2.0
 *
 * One point's registers; nobody but this room includes this. */
#ifndef TAP_SUNSPEC_VALUE_H
#define TAP_SUNSPEC_VALUE_H

#include "firmware/taps/sunspec/tap_sunspec.h"

/* Fills form, scale, integer and real from point and registers. scale: the scale factor's register, NULL for
 * none. */
void tap_sunspec_read(struct tap_sunspec_value *value, const uint16_t *scale);

#endif
