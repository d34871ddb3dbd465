/* SPDX-License-Identifier: Apache-2.0
 *
 * What the values of enumerations and bitfields are called: by the definition of the SunSpec model, or by
 * what the Channel itself says. [any] */
#ifndef NORM_SYMBOL_H
#define NORM_SYMBOL_H

#include "proto/edge/record.h"

enum { NORM_SYMBOL_CHARS = 512 };

/* The name of an enumerated value, or those of the bits that are set with commas between them, "" when none
 * is; a bit without a name is "bit 7". What does not fit is left out. Writes no NUL; returns the length, or
 * SIZE_MAX: an enumerated value without a name. */
size_t norm_symbol(const struct edge_channel *channel, int64_t value, char out[NORM_SYMBOL_CHARS]);

/* The name of the channel's SunSpec model; NULL: none, or not among the tables. */
const char *norm_symbol_model(const struct edge_channel *channel);

#endif
