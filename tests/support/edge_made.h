/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of plants with every field in use; tests/vectors/edge_records.txt has their bytes. */
#ifndef EDGE_MADE_H
#define EDGE_MADE_H

#include "proto/edge/record.h"

static inline struct edge_record made_channel(void)
{
    struct edge_record record = {.dt_ms = 12, .kind = EDGE_CHANNEL};
    record.as.channel = (struct edge_channel){
        .channel = 65535,
        .device = "inverter-3",
        .model = 160,
        .point = "module[2].DCWH",
        .unit = "Wh",
        .scale = -2,
        .kind = EDGE_CHANNEL_ACCUMULATOR,
        .width_bits = 32,
        .interval_ms = 1000,
        .silence_ms = 60000,
        .dead_band = 5,
    };
    return record;
}

static inline struct edge_record made_samples_with_holes(void)
{
    struct edge_record record = {.dt_ms = 250, .kind = EDGE_SAMPLES};
    record.as.samples = (struct edge_samples){.first_channel = 300,
                                              .n_values = 3,
                                              .skip = {0, 2, 1000},
                                              .quality = {0, EDGE_QUALITY_COMMS_ERROR, 0},
                                              .value = {-1, INT64_MIN, INT64_MAX}};
    return record;
}

#endif
