/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of app_plant share: plant_bare.c has the line, plant_records_bare.c makes records of what it
 * brings. [loop] */
#ifndef APP_PLANT_PARTS_H
#define APP_PLANT_PARTS_H

#include "firmware/app/plant.h"
#include "firmware/core/counters.h"
#include "firmware/core/plan.h"
#include "firmware/taps/plant/plant.h"

struct app_plant_counts {
    uint64_t bus_bytes;
    uint64_t bus_dropped; /* ring and receiver were full */
    uint64_t channels;    /* entries of the dictionary that were written */
};

struct app_plant {
    struct fw_collector *collector; /* NULL: nothing is polled */
    struct fw_plan plan;
    struct plant engine;
    struct plant_device devices[APP_PLANT_MAX_UNITS];
    struct plant_point points[APP_PLANT_MAX_POINTS];
    struct plant_read reads[APP_PLANT_MAX_POINTS];
    struct tap_modbus line;
    bool is_asked;        /* a request is under way */
    uint64_t deadline_ms; /* of it */
    uint64_t ask_at_ms;   /* when the next may be */
    /* The dictionary: which channels were told in the stream, in batches before batches_end. Channel i + 1 is
     * point i; the scale that was told is the one that the point has. */
    uint32_t stream;
    uint32_t batches_end;
    bool is_told[APP_PLANT_MAX_POINTS];
    uint16_t last_channel;     /* in the record */
    struct edge_record record; /* the Samples that are gathered, or a Channel */
    struct app_plant_counts counts;
};

/* Begins the Samples of one answer. */
void app_plant_begin(struct app_plant *plant);
/* Of struct plant_sink; ctx is the plant. */
void app_plant_on_sample(void *ctx, const struct plant_sample *sample, uint64_t now_ms);
/* Offers what was gathered. */
void app_plant_flush(struct app_plant *plant, uint64_t now_ms);

#endif
