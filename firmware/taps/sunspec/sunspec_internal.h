/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables that tools/sunspec/tables makes; nobody else includes this. */
#ifndef TAP_SUNSPEC_INTERNAL_H
#define TAP_SUNSPEC_INTERNAL_H

#include "firmware/taps/sunspec/tap_sunspec.h"

/* In the order of their numbers. */
extern const struct tap_sunspec_model TAP_SUNSPEC_MODELS[];
extern const size_t TAP_SUNSPEC_N_MODELS;

#endif
