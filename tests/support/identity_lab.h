/* SPDX-License-Identifier: Apache-2.0
 *
 * Small identities for tests of what keeps them; keys and certificates are DER of the right shape only. */
#ifndef IDENTITY_LAB_H
#define IDENTITY_LAB_H

#include "firmware/ports/sim/flash_sim.h"
#include "proto/image/image.h"

/* One that fits the memory, everything in it after the device's number. Static storage. */
struct image_identity identity_of(const struct sim_flash *flash, uint64_t device_id);

/* Whether they say the same but for the sequence. */
bool identity_is(const struct image_identity *a, const struct image_identity *b);

/* Writes both copies, as the tool does (is_even: one sequence), or as a device leaves them (the second copy
 * has a higher one). */
void identity_write(struct sim_flash *flash, uint64_t device_id, bool is_even);

#endif
