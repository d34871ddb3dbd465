/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/iso.h"

#include "proto/base/assert.h"

#include <string.h>

static const struct norm_iso_feed feeds[] = {
    {"caiso_da_lmp", NORM_CAISO, NORM_ISO_DA_LMP, "DAM", 60, false},
    {"caiso_rt_lmp", NORM_CAISO, NORM_ISO_RT_LMP, "RTM", 5, false},
    {"caiso_rtpd_lmp", NORM_CAISO, NORM_ISO_RT_LMP, "RTPD", 15, false},
    {"caiso_load", NORM_CAISO, NORM_ISO_TELEMETRY, "ACTUAL", 60, false},
    {"caiso_load_forecast", NORM_CAISO, NORM_ISO_TELEMETRY, "DAM", 60, false},
    {"caiso_wind_solar", NORM_CAISO, NORM_ISO_TELEMETRY, "ACTUAL", 60, false},
    {"caiso_fuel_mix", NORM_CAISO, NORM_ISO_TELEMETRY, "OUTLOOK", 5, false},
    {"caiso_outlook", NORM_CAISO, NORM_ISO_TELEMETRY, "OUTLOOK", 5, false},
    {"caiso_da_schedule", NORM_CAISO, NORM_ISO_DA_SCHEDULE, "DAM", 60, false},
    {"caiso_outage", NORM_CAISO, NORM_ISO_OUTAGE, "DAM", 60, false},
    {"caiso_da_constraint", NORM_CAISO, NORM_ISO_CONSTRAINT, "DAM", 60, false},
    {"caiso_rt_constraint", NORM_CAISO, NORM_ISO_CONSTRAINT, "RTM", 5, false},
    {"miso_rt_lmp", NORM_MISO, NORM_ISO_RT_LMP, "RT_5MIN_EXPOST", 5, false},
    {"miso_rt_lmp_final", NORM_MISO, NORM_ISO_RT_LMP, "RT_FINAL", 60, false},
    {"miso_rt_lmp_prelim", NORM_MISO, NORM_ISO_RT_LMP, "RT_PRELIM", 60, false},
    {"miso_da_lmp", NORM_MISO, NORM_ISO_DA_LMP, "DA_EXPOST", 60, false},
    {"miso_da_lmp_exante", NORM_MISO, NORM_ISO_DA_LMP, "DA_EXANTE", 60, false},
    {"miso_fuel_mix", NORM_MISO, NORM_ISO_TELEMETRY, "RT", 5, false},
    {"miso_wind_solar", NORM_MISO, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"miso_load", NORM_MISO, NORM_ISO_TELEMETRY, "RT", 5, false},
    {"miso_outage", NORM_MISO, NORM_ISO_OUTAGE, "RT", 1440, false},
    {"miso_rt_constraint", NORM_MISO, NORM_ISO_CONSTRAINT, "RT", 5, true},
    {"spp_rt_lmp", NORM_SPP, NORM_ISO_RT_LMP, "RTBM", 5, true},
    {"spp_da_lmp", NORM_SPP, NORM_ISO_DA_LMP, "DAMKT", 60, true},
    {"spp_fuel_mix", NORM_SPP, NORM_ISO_TELEMETRY, "RT", 5, true},
    {"spp_load", NORM_SPP, NORM_ISO_TELEMETRY, "RT", 60, true},
    {"spp_outage", NORM_SPP, NORM_ISO_OUTAGE, "FORECAST", 60, true},
    {"spp_da_constraint", NORM_SPP, NORM_ISO_CONSTRAINT, "DAMKT", 60, true},
    {"spp_rt_constraint", NORM_SPP, NORM_ISO_CONSTRAINT, "RTBM", 5, true},
    {"pjm_da_lmp", NORM_PJM, NORM_ISO_DA_LMP, "DA", 60, false},
    {"pjm_da_lmp_hub", NORM_PJM, NORM_ISO_DA_LMP, "DA", 60, false},
    {"pjm_rt_lmp", NORM_PJM, NORM_ISO_RT_LMP, "RT_5MIN_UNVERIFIED", 5, false},
    {"pjm_rt_lmp_verified", NORM_PJM, NORM_ISO_RT_LMP, "RT_5MIN", 5, false},
    {"pjm_rt_hourly_lmp", NORM_PJM, NORM_ISO_RT_LMP, "RT_HOURLY", 60, false},
    {"pjm_load", NORM_PJM, NORM_ISO_TELEMETRY, "RT", 0, false},
    {"pjm_load_hourly", NORM_PJM, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"pjm_load_forecast", NORM_PJM, NORM_ISO_TELEMETRY, "FORECAST", 60, false},
    {"pjm_fuel_mix", NORM_PJM, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"pjm_solar", NORM_PJM, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"pjm_wind", NORM_PJM, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"pjm_solar_forecast", NORM_PJM, NORM_ISO_TELEMETRY, "FORECAST", 60, false},
    {"pjm_outage", NORM_PJM, NORM_ISO_OUTAGE, "FORECAST", 1440, false},
    {"pjm_da_constraint", NORM_PJM, NORM_ISO_CONSTRAINT, "DA", 60, false},
    {"pjm_rt_constraint", NORM_PJM, NORM_ISO_CONSTRAINT, "RT_5MIN", 5, false},
    {"ercot_da_spp", NORM_ERCOT, NORM_ISO_DA_LMP, "DAM", 60, false},
    {"ercot_rt_spp", NORM_ERCOT, NORM_ISO_RT_LMP, "RTM", 15, false},
    {"ercot_rt_lmp", NORM_ERCOT, NORM_ISO_RT_LMP, "SCED", 0, false},
    {"ercot_load", NORM_ERCOT, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"ercot_load_forecast", NORM_ERCOT, NORM_ISO_TELEMETRY, "FORECAST", 60, false},
    {"ercot_fuel_mix", NORM_ERCOT, NORM_ISO_TELEMETRY, "RT", 0, false},
    {"ercot_solar", NORM_ERCOT, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"ercot_wind", NORM_ERCOT, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"ercot_outage", NORM_ERCOT, NORM_ISO_OUTAGE, "FORECAST", 60, false},
    {"ercot_da_constraint", NORM_ERCOT, NORM_ISO_CONSTRAINT, "DAM", 60, false},
    {"ercot_rt_constraint", NORM_ERCOT, NORM_ISO_CONSTRAINT, "SCED", 0, false},
    {"isone_da_lmp", NORM_ISONE, NORM_ISO_DA_LMP, "DA", 60, false},
    {"isone_rt_lmp", NORM_ISONE, NORM_ISO_RT_LMP, "RT_5MIN", 5, false},
    {"isone_rt_lmp_final", NORM_ISONE, NORM_ISO_RT_LMP, "RT_5MIN_FINAL", 5, false},
    {"isone_rt_hourly_lmp", NORM_ISONE, NORM_ISO_RT_LMP, "RT_HOURLY", 60, false},
    {"isone_load", NORM_ISONE, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"isone_load_5min", NORM_ISONE, NORM_ISO_TELEMETRY, "RT", 5, false},
    {"isone_load_forecast", NORM_ISONE, NORM_ISO_TELEMETRY, "FORECAST", 60, false},
    {"isone_fuel_mix", NORM_ISONE, NORM_ISO_TELEMETRY, "RT", 0, false},
    {"isone_da_schedule", NORM_ISONE, NORM_ISO_DA_SCHEDULE, "DA", 60, false},
    {"isone_outage", NORM_ISONE, NORM_ISO_OUTAGE, "MORNING_REPORT", 1440, false},
    {"isone_da_constraint", NORM_ISONE, NORM_ISO_CONSTRAINT, "DA", 60, false},
    {"isone_rt_constraint", NORM_ISONE, NORM_ISO_CONSTRAINT, "RT_5MIN", 5, false},
    {"nyiso_da_lmp", NORM_NYISO, NORM_ISO_DA_LMP, "DAM", 60, false},
    {"nyiso_da_lmp_gen", NORM_NYISO, NORM_ISO_DA_LMP, "DAM", 60, false},
    {"nyiso_rt_lmp", NORM_NYISO, NORM_ISO_RT_LMP, "RTD", 5, true},
    {"nyiso_rt_lmp_gen", NORM_NYISO, NORM_ISO_RT_LMP, "RTD", 5, true},
    {"nyiso_rt_hourly_lmp", NORM_NYISO, NORM_ISO_RT_LMP, "RT_HOURLY", 60, false},
    {"nyiso_load", NORM_NYISO, NORM_ISO_TELEMETRY, "RT", 0, false},
    {"nyiso_load_forecast", NORM_NYISO, NORM_ISO_TELEMETRY, "FORECAST", 60, false},
    {"nyiso_fuel_mix", NORM_NYISO, NORM_ISO_TELEMETRY, "RT", 0, false},
    {"nyiso_wind_solar", NORM_NYISO, NORM_ISO_TELEMETRY, "RT", 60, false},
    {"nyiso_outage", NORM_NYISO, NORM_ISO_OUTAGE, "FORECAST", 1440, false},
    {"nyiso_rt_constraint", NORM_NYISO, NORM_ISO_CONSTRAINT, "RTD", 5, true},
    {"nyiso_da_constraint", NORM_NYISO, NORM_ISO_CONSTRAINT, "DAM", 60, false},
};

const struct norm_iso_feed *norm_iso_feeds(size_t *n_feeds)
{
    *n_feeds = HR_ARRAY_LEN(feeds);
    return feeds;
}

const struct norm_iso_feed *norm_iso_feed_of(struct hr_bytes name)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(feeds); i++) {
        if (strlen(feeds[i].name) == name.len_bytes &&
            memcmp(feeds[i].name, name.data, name.len_bytes) == 0) {
            return &feeds[i];
        }
    }
    return NULL;
}

const char *norm_iso_finding_name(enum norm_iso_finding finding)
{
    static const char *const NAMES[] = {"bad_number", "bad_time",      "bad_record", "identity_breach",
                                        "conflict",   "name_mismatch", "document"};
    HR_ASSERT((size_t)finding < HR_ARRAY_LEN(NAMES));
    return NAMES[finding];
}

const char *norm_iso_product_name(enum norm_iso_product product)
{
    static const char *const NAMES[] = {"rt_lmp",    "da_lmp", "da_schedule",
                                        "telemetry", "outage", "constraint"};
    HR_ASSERT((size_t)product < HR_ARRAY_LEN(NAMES));
    return NAMES[product];
}

const char *norm_iso_location_name(enum norm_iso_location location)
{
    static const char *const NAMES[] = {"hub",     "zone",   "node",     "interface",
                                        "reserve", "system", "facility", "untyped"};
    HR_ASSERT((size_t)location < HR_ARRAY_LEN(NAMES));
    return NAMES[location];
}

const char *norm_iso_kind_name(enum norm_iso_kind kind)
{
    static const char *const NAMES[] = {"data",    "no_data",   "throttled", "not_found",
                                        "listing", "reference", "other",     "unknown"};
    HR_ASSERT((size_t)kind < HR_ARRAY_LEN(NAMES));
    return NAMES[kind];
}
