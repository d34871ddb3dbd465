/* SPDX-License-Identifier: Apache-2.0
 *
 * A fleet that moves by itself: ships, boats, base stations and buoys, and what each says on the radio. The
 * same seed, size and times give the same messages. */
#ifndef CLI_SIM_FLEET_H
#define CLI_SIM_FLEET_H

#include "proto/edge/record.h"

#include <stdint.h>

struct cli_fleet;

/* n_vessels from 1 to 100000. NULL: out of memory. Free with cli_fleet_free. */
struct cli_fleet *cli_fleet_new(uint32_t n_vessels, uint64_t seed);
void cli_fleet_free(struct cli_fleet *fleet);

/* The next message of the fleet; each member speaks in its turn. at_s is the simulated time in seconds since
 * 2026-01-01T00:00:00Z and never goes back. */
void cli_fleet_next(struct cli_fleet *fleet, double at_s, struct edge_ais *out);

#endif
