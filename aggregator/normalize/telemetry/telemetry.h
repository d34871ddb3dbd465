/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples of plants to events of plant.telemetry: each value scaled, named and with its unit as the stream's
 * dictionary says, its quality, and the time with its uncertainty; totals of sites as site.h has them. A
 * sample whose channel no dictionary in reach explains is an event of data.quality.anomalies.v1; its bytes
 * are in ingestion.plant.raw.v1. It needs norm_input.past.
 *
 * The key of an event is the collector's id, so that its samples stay in order in one partition. */
#ifndef NORM_TELEMETRY_H
#define NORM_TELEMETRY_H

#include "aggregator/normalize/norm.h"
#include "aggregator/normalize/telemetry/channels.h"
#include "aggregator/normalize/telemetry/site.h"

/* schemas/avro/plant_telemetry.avsc. */
extern const struct norm_schema norm_telemetry_schema;

struct norm_telemetry_config {
    const struct norm_site *sites; /* kept; of one collector the first counts */
    size_t n_sites;
    void *memory; /* norm_telemetry_memory_bytes() of zeros, aligned as malloc's; kept */
};

/* What became of samples since start; those of a batch that is published again count again. */
struct norm_telemetry_counts {
    uint64_t samples; /* that became events */
    uint64_t bad;     /* of them: of another quality than good */
    uint64_t unknown; /* of channels that no dictionary explains */
    uint64_t totals;
};

/* Must not move. One thread. */
struct norm_telemetry {
    struct normalizer normalizer;
    struct norm_telemetry_config config;
    struct norm_channels *channels;
    struct norm_telemetry_counts counts;
};

/* Some 130 MB of address space, of which each channel touches its half KB. */
size_t norm_telemetry_memory_bytes(void);

/* Fills telemetry->normalizer, source "plant". The configuration is copied. Its version is another one with
 * other sites that have a node, since what comes of a batch is. */
void norm_telemetry_init(struct norm_telemetry *telemetry, const struct norm_telemetry_config *config);

/* ---- for its files and tests ---- */

enum norm_telemetry_field {
    NORM_TELEMETRY_DEVICE = NORM_COMMON_COUNT,
    NORM_TELEMETRY_MODEL,
    NORM_TELEMETRY_MODEL_NAME,
    NORM_TELEMETRY_POINT,
    NORM_TELEMETRY_CHANNEL,
    NORM_TELEMETRY_KIND,
    NORM_TELEMETRY_VALUE,
    NORM_TELEMETRY_UNIT,
    NORM_TELEMETRY_QUALITY,
    NORM_TELEMETRY_SYMBOL,
    NORM_TELEMETRY_DELTA,
    NORM_TELEMETRY_DELTA_KIND,
    NORM_TELEMETRY_DEAD_BAND,
    NORM_TELEMETRY_RAW_VALUE,
    NORM_TELEMETRY_SCALE,
    NORM_TELEMETRY_SITE, /* aside: where a collector stands is configuration, and not said by it */
    NORM_TELEMETRY_FIELD_COUNT,
};

/* The double nearest to value * 10^scale; the value's bits are a number without sign if is_unsigned. */
double norm_telemetry_scaled(int64_t value, int32_t scale, bool is_unsigned);

enum norm_telemetry_step {
    NORM_TELEMETRY_STEADY,
    NORM_TELEMETRY_WRAPPED, /* from the last quarter of its range into the first */
    NORM_TELEMETRY_RESET,   /* it fell otherwise: counted from 0, and what it lost nobody knows */
    NORM_TELEMETRY_NO_STEP, /* a value is beyond 2^width_bits */
};

/* How far an accumulator went. *delta is written unless it is NO_STEP. */
enum norm_telemetry_step norm_telemetry_delta(uint32_t width_bits, uint64_t before, uint64_t now,
                                              uint64_t *delta);

#endif
