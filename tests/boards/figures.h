/* SPDX-License-Identifier: Apache-2.0
 *
 * What image_figures.c signs and hashes with: figures_crypto.c is what a board has, figures_plain.c only
 * SHA-256. */
#ifndef FIGURES_H
#define FIGURES_H

#include "firmware/port/port_sign.h"
#include "proto/wire/hash.h"

void figures_start(void);
const struct wire_hash *figures_hash(void);
const struct port_sign *figures_sign(void);

#endif
