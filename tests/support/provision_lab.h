/* SPDX-License-Identifier: Apache-2.0
 *
 * A board's memory in RAM, provisioned by pages of tests/vectors. */
#ifndef PROVISION_LAB_H
#define PROVISION_LAB_H

#include "firmware/ports/sim/flash_sim.h"

#define PROVISION_VECTORS "tests/vectors/image_pages.txt"

/* Programs a page of the vectors at the address; 1 or more bytes of FF fill its last unit. */
void provision_write(struct sim_flash *flash, uint32_t address, const char *vector);

#endif
