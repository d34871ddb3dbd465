/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/telemetry/telemetry.h"

static const struct norm_field fields[NORM_TELEMETRY_FIELD_COUNT] = {
    NORM_COMMON_FIELDS,
    [NORM_TELEMETRY_DEVICE] = {"device", NORM_STRING, false, NULL},
    [NORM_TELEMETRY_MODEL] = {"model", NORM_LONG, true, NULL},
    [NORM_TELEMETRY_MODEL_NAME] = {"model_name", NORM_STRING, true, NULL},
    [NORM_TELEMETRY_POINT] = {"point", NORM_STRING, false, NULL},
    [NORM_TELEMETRY_CHANNEL] = {"channel", NORM_LONG, false, NULL},
    [NORM_TELEMETRY_KIND] = {"kind", NORM_STRING, false, NULL},
    [NORM_TELEMETRY_VALUE] = {"value", NORM_DOUBLE, true, NULL},
    [NORM_TELEMETRY_UNIT] = {"unit", NORM_STRING, true, NULL},
    [NORM_TELEMETRY_QUALITY] = {"quality", NORM_STRING, false, NULL},
    [NORM_TELEMETRY_SYMBOL] = {"symbol", NORM_STRING, true, NULL},
    [NORM_TELEMETRY_DELTA] = {"delta", NORM_DOUBLE, true, NULL},
    [NORM_TELEMETRY_DELTA_KIND] = {"delta_kind", NORM_STRING, true, NULL},
    [NORM_TELEMETRY_DEAD_BAND] = {"dead_band", NORM_DOUBLE, true, NULL},
    [NORM_TELEMETRY_RAW_VALUE] = {"raw_value", NORM_LONG, false, NULL},
    [NORM_TELEMETRY_SCALE] = {"scale", NORM_LONG, false, NULL},
    [NORM_TELEMETRY_SITE] = {"site", NORM_STRING, true, NULL},
};

const struct norm_schema norm_telemetry_schema = {
    .name = "plant_telemetry",
    .topic = "plant.telemetry",
    .version = 1,
    .fields = fields,
    .n_fields = NORM_TELEMETRY_FIELD_COUNT,
    .n_aside = 1,
};
