/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/event.h"

#include "proto/base/assert.h"

#include <string.h>

enum {
    FEED = NORM_COMMON_COUNT,
    KEY,
    CODE,
    MARKET,
    PRODUCT,
    LOCATION_TYPE,
    LOCATION_ID,
    LOCATION_NAME,
    REGION,
    TIMEZONE,
    MINUTES,
    UNIT,
    SUBJECT,
    ROLE,
    START,
    END,
    PUBLISHED,
    VERSION,
    VALUE,
    N_MEGAWATT,
};

/* Prices go on with their components, constraints with what they guard. */
enum {
    ENERGY = N_MEGAWATT,
    CONGESTION,
    LOSS,
    GHG,
    ENERGY_DERIVED,
    PRICE_QUARANTINE,
    N_PRICE,
};
enum {
    TELEMETRY_QUARANTINE = N_MEGAWATT,
    N_TELEMETRY,
};
enum {
    CONTINGENCY = N_MEGAWATT,
    LIMIT,
    N_CONSTRAINT,
};

#define CONTRACT_FIELDS                                                                                      \
    NORM_COMMON_FIELDS, [FEED] = {"feed", NORM_STRING, false, NULL},                                         \
                        [KEY] = {"observation_key", NORM_STRING, false, NULL},                               \
                        [CODE] = {"iso_code", NORM_STRING, false, NULL},                                     \
                        [MARKET] = {"iso_market", NORM_STRING, false, NULL},                                 \
                        [PRODUCT] = {"iso_product", NORM_STRING, false, NULL},                               \
                        [LOCATION_TYPE] = {"iso_location_type", NORM_STRING, false, NULL},                   \
                        [LOCATION_ID] = {"iso_location_id", NORM_STRING, false, NULL},                       \
                        [LOCATION_NAME] = {"iso_location_name", NORM_STRING, true, NULL},                    \
                        [REGION] = {"iso_region", NORM_STRING, true, NULL},                                  \
                        [TIMEZONE] = {"iso_timezone", NORM_STRING, false, NULL},                             \
                        [MINUTES] = {"iso_interval_minutes", NORM_LONG, false, NULL},                        \
                        [UNIT] = {"iso_unit", NORM_STRING, false, NULL},                                     \
                        [SUBJECT] = {"iso_subject", NORM_STRING, false, NULL},                               \
                        [ROLE] = {"iso_curve_role", NORM_STRING, false, NULL},                               \
                        [START] = {"interval_start", NORM_LONG, false, "timestamp-micros"},                  \
                        [END] = {"interval_end", NORM_LONG, false, "timestamp-micros"},                      \
                        [PUBLISHED] = {"published_at", NORM_LONG, true, "timestamp-micros"},                 \
                        [VERSION] = {"source_version", NORM_LONG, true, NULL}

static const struct norm_field price_fields[N_PRICE] = {
    CONTRACT_FIELDS,
    [VALUE] = {"value", NORM_DOUBLE, false, NULL},
    [ENERGY] = {"energy", NORM_DOUBLE, true, NULL},
    [CONGESTION] = {"congestion", NORM_DOUBLE, true, NULL},
    [LOSS] = {"loss", NORM_DOUBLE, true, NULL},
    [GHG] = {"ghg", NORM_DOUBLE, true, NULL},
    [ENERGY_DERIVED] = {"energy_derived", NORM_BOOLEAN, false, NULL},
    [PRICE_QUARANTINE] = {"quarantine", NORM_STRING, true, NULL},
};
static const struct norm_field megawatt_fields[N_MEGAWATT] = {
    CONTRACT_FIELDS, [VALUE] = {"value", NORM_DOUBLE, false, NULL}};
static const struct norm_field telemetry_fields[N_TELEMETRY] = {
    CONTRACT_FIELDS,
    [VALUE] = {"value", NORM_DOUBLE, false, NULL},
    [TELEMETRY_QUARANTINE] = {"quarantine", NORM_STRING, true, NULL},
};
static const struct norm_field constraint_fields[N_CONSTRAINT] = {
    CONTRACT_FIELDS,
    [VALUE] = {"value", NORM_DOUBLE, true, NULL},
    [CONTINGENCY] = {"contingency", NORM_STRING, true, NULL},
    [LIMIT] = {"limit_mw", NORM_DOUBLE, true, NULL},
};

#define SCHEMA(name_, topic_, fields_, n_fields_, n_aside_)                                                  \
    {.name = (name_),                                                                                        \
     .topic = (topic_),                                                                                      \
     .version = NORM_ISO_SCHEMA_VERSION,                                                                     \
     .fields = (fields_),                                                                                    \
     .n_fields = (n_fields_),                                                                                \
     .n_aside = (n_aside_)}
#define OF_EACH_ISO(name_, topic_, fields_, n_fields_, n_aside_)                                             \
    {                                                                                                        \
        [NORM_CAISO] = SCHEMA(name_, topic_ ".caiso", fields_, n_fields_, n_aside_),                         \
        [NORM_MISO] = SCHEMA(name_, topic_ ".miso", fields_, n_fields_, n_aside_),                           \
        [NORM_SPP] = SCHEMA(name_, topic_ ".spp", fields_, n_fields_, n_aside_),                             \
        [NORM_PJM] = SCHEMA(name_, topic_ ".pjm", fields_, n_fields_, n_aside_),                             \
        [NORM_ERCOT] = SCHEMA(name_, topic_ ".ercot", fields_, n_fields_, n_aside_),                         \
        [NORM_ISONE] = SCHEMA(name_, topic_ ".isone", fields_, n_fields_, n_aside_),                         \
        [NORM_NYISO] = SCHEMA(name_, topic_ ".nyiso", fields_, n_fields_, n_aside_),                         \
    }

static const struct norm_schema schemas[NORM_ISO_PRODUCT_COUNT][NORM_ISO_COUNT] = {
    [NORM_ISO_RT_LMP] = OF_EACH_ISO("iso_rt_lmp", "iso.rt.lmp", price_fields, N_PRICE, 1),
    [NORM_ISO_DA_LMP] = OF_EACH_ISO("iso_da_lmp", "iso.da.lmp", price_fields, N_PRICE, 1),
    [NORM_ISO_DA_SCHEDULE] =
        OF_EACH_ISO("iso_da_schedule", "iso.da.schedule", megawatt_fields, N_MEGAWATT, 0),
    [NORM_ISO_TELEMETRY] = OF_EACH_ISO("iso_telemetry", "iso.rt.telemetry", telemetry_fields, N_TELEMETRY, 1),
    [NORM_ISO_OUTAGE] = OF_EACH_ISO("outage_event", "iso.events.outage", megawatt_fields, N_MEGAWATT, 0),
    [NORM_ISO_CONSTRAINT] =
        OF_EACH_ISO("constraint_event", "iso.events.constraint", constraint_fields, N_CONSTRAINT, 0),
};

const struct norm_schema *norm_iso_schema(enum norm_iso iso, enum norm_iso_product product)
{
    HR_ASSERT(iso < NORM_ISO_COUNT && product < NORM_ISO_PRODUCT_COUNT);
    return &schemas[product][iso];
}

static struct norm_value text_of(const char *text)
{
    return norm_chars(text, strlen(text));
}

static struct norm_value text_or_null(const char *text)
{
    return text == NULL ? norm_null() : text_of(text);
}

static struct norm_value bytes_or_null(struct hr_bytes bytes)
{
    return bytes.len_bytes == 0 ? norm_null() : (struct norm_value){.as.bytes = bytes};
}

static struct norm_value real_or_null(const struct norm_iso_row *row, enum norm_iso_has bit, double real)
{
    return (row->has & (uint32_t)bit) != 0 ? norm_real(real) : norm_null();
}

static struct norm_value instant(int64_t utc_s)
{
    return norm_long(utc_s * 1000000);
}

static void fill_contract(const struct norm_iso_row *row, const char *key, struct norm_value *values)
{
    const struct norm_iso_feed *feed = row->feed;
    values[FEED] = text_of(feed->name);
    values[KEY] = text_of(key);
    values[CODE] = text_of(norm_iso_code(feed->iso));
    values[MARKET] = (struct norm_value){.as.bytes = row->market};
    values[PRODUCT] = text_of(norm_iso_product_name(feed->product));
    values[LOCATION_TYPE] = text_of(norm_iso_location_name(row->location_type));
    values[LOCATION_ID] = (struct norm_value){.as.bytes = row->location_id};
    values[LOCATION_NAME] = bytes_or_null(row->location_name);
    values[REGION] = bytes_or_null(row->region);
    values[TIMEZONE] = text_of(norm_zone_id_name(norm_iso_zone_id(feed->iso)));
    values[MINUTES] = norm_long((row->end_s - row->start_s) / NORM_MINUTE_S);
    values[UNIT] = text_of(row->unit);
    values[SUBJECT] = text_of(row->subject);
    values[ROLE] = text_of(row->curve_role);
    values[START] = instant(row->start_s);
    values[END] = instant(row->end_s);
    values[PUBLISHED] = (row->has & NORM_ISO_HAS_PUBLISHED) != 0 ? instant(row->published_s) : norm_null();
    values[VERSION] = (row->has & NORM_ISO_HAS_VERSION) != 0 ? norm_long(row->version) : norm_null();
}

void norm_iso_values(const struct norm_iso_row *row, const char *key, struct norm_value *values)
{
    fill_contract(row, key, values);
    values[VALUE] = real_or_null(row, NORM_ISO_HAS_VALUE, row->value);
    switch (row->feed->product) {
    case NORM_ISO_RT_LMP:
    case NORM_ISO_DA_LMP:
        values[ENERGY] = real_or_null(row, NORM_ISO_HAS_ENERGY, row->energy);
        values[CONGESTION] = real_or_null(row, NORM_ISO_HAS_CONGESTION, row->congestion);
        values[LOSS] = real_or_null(row, NORM_ISO_HAS_LOSS, row->loss);
        values[GHG] = real_or_null(row, NORM_ISO_HAS_GHG, row->ghg);
        values[ENERGY_DERIVED] = norm_flag((row->has & NORM_ISO_ENERGY_DERIVED) != 0);
        values[PRICE_QUARANTINE] = text_or_null(row->quarantine);
        break;
    case NORM_ISO_TELEMETRY:
        values[TELEMETRY_QUARANTINE] = text_or_null(row->quarantine);
        break;
    case NORM_ISO_CONSTRAINT:
        values[CONTINGENCY] = bytes_or_null(row->contingency);
        values[LIMIT] = real_or_null(row, NORM_ISO_HAS_LIMIT, row->limit_mw);
        break;
    case NORM_ISO_DA_SCHEDULE:
    case NORM_ISO_OUTAGE:
    case NORM_ISO_PRODUCT_COUNT:
        break;
    }
}
