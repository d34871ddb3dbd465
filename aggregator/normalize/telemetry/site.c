/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/telemetry/site.h"

#include "aggregator/normalize/telemetry/telemetry.h"
#include "proto/base/assert.h"

#include <string.h>

enum technology { INVERTER, BATTERY, METER, N_TECHNOLOGIES };

_Static_assert((int)N_TECHNOLOGIES == (int)NORM_SITE_TECHNOLOGIES, "one total each");

/* Active power of SunSpec models in W. Model 701 tells what an inverter's 101 to 113 tell too, and would
 * count twice. */
static const struct {
    uint16_t first_model, last_model;
    enum technology technology;
} powers[] = {{101, 103, INVERTER}, {111, 113, INVERTER}, {201, 204, METER}, {802, 802, BATTERY}};

/* Powers are added as integers, so that their order says nothing: 65,535 of these are within 64 bits. */
static const double most_milliwatts = 140737488355328.0; /* 2^47 */
static const double milliwatts_per_megawatt = 1e9;

/* N_TECHNOLOGIES: it is no active power. */
static enum technology technology_of(const struct edge_channel *what)
{
    if (what->kind != EDGE_CHANNEL_MEASUREMENT || strcmp(what->point, "W") != 0) {
        return N_TECHNOLOGIES;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(powers); i++) {
        if (what->model >= powers[i].first_model && what->model <= powers[i].last_model) {
            return powers[i].technology;
        }
    }
    return N_TECHNOLOGIES;
}

static void put_subject(const struct norm_site *site, enum technology technology, char *out)
{
    static const char *const subjects[N_TECHNOLOGIES] = {
        [INVERTER] = "generation.", [BATTERY] = "generation.battery", [METER] = "net.meter"};
    const char *fuel = technology == INVERTER ? site->inverter_fuel : "";
    size_t len = strlen(subjects[technology]);
    size_t fuel_len = strlen(fuel);
    HR_ASSERT(len + fuel_len < NORM_SITE_SUBJECT_CHARS);
    memcpy(out, subjects[technology], len);
    memcpy(out + len, fuel, fuel_len + 1);
}

struct norm_site norm_site_of(uint64_t collector, const char *name, const char *iso_code, const char *node,
                              const char *inverter_fuel)
{
    struct norm_site site = {
        .collector = collector, .name = name, .node = node, .inverter_fuel = inverter_fuel};
    for (enum norm_iso iso = NORM_CAISO; iso_code != NULL && iso < NORM_ISO_COUNT; iso++) {
        if (strcmp(norm_iso_code(iso), iso_code) == 0) {
            site.iso = iso;
            site.has_node = true;
        }
    }
    HR_ASSERT(site.has_node == (iso_code != NULL));
    return site;
}

static uint32_t add_text(uint32_t hash, const char *text)
{
    for (size_t i = 0; i <= strlen(text); i++) {
        hash = (hash ^ (uint8_t)text[i]) * UINT32_C(16777619);
    }
    return hash;
}

uint32_t norm_site_version(const struct norm_site *sites, size_t n_sites)
{
    uint32_t version = 0;
    for (size_t i = 0; i < n_sites; i++) {
        if (sites[i].has_node) {
            uint32_t hash = UINT32_C(2166136261) ^ (uint32_t)sites[i].collector ^
                            (uint32_t)(sites[i].collector >> 32) * UINT32_C(31);
            hash = add_text(hash, norm_iso_code(sites[i].iso));
            hash = add_text(add_text(hash, sites[i].node), sites[i].inverter_fuel);
            version ^= add_text(hash, sites[i].name); /* their order says nothing */
        }
    }
    return version >> 8;
}

struct adding {
    struct norm_site_total totals[N_TECHNOLOGIES];
    int64_t milliwatts[N_TECHNOLOGIES];
};

static void add_channel(void *ctx, const struct norm_channel *channel, bool has_value)
{
    struct adding *adding = ctx;
    enum technology technology = technology_of(&channel->what);
    if (technology == N_TECHNOLOGIES) {
        return;
    }
    struct norm_site_total *total = &adding->totals[technology];
    double milliwatts = norm_telemetry_scaled(channel->value, channel->what.scale, false) * 1000.0;
    if (!has_value || milliwatts >= most_milliwatts || milliwatts <= -most_milliwatts) {
        total->n_other++;
        return;
    }
    total->n_good++;
    adding->milliwatts[technology] += (int64_t)(milliwatts < 0.0 ? milliwatts - 0.5 : milliwatts + 0.5);
}

size_t norm_site_totals(const struct norm_site *site, struct norm_channels *channels,
                        const struct norm_input *input, struct norm_site_total out[NORM_SITE_TECHNOLOGIES])
{
    struct adding adding = {0};
    size_t n = 0;
    norm_channels_each(channels, input, add_channel, &adding);
    for (enum technology i = INVERTER; i < N_TECHNOLOGIES; i++) {
        if (adding.totals[i].n_good > 0) {
            out[n] = adding.totals[i];
            out[n].value_mw = (double)adding.milliwatts[i] / milliwatts_per_megawatt;
            put_subject(site, i, out[n].subject);
            n++;
        }
    }
    return n;
}

const struct norm_schema *norm_site_values(const struct norm_site *site, const struct norm_site_total *total,
                                           int64_t end_s, char key[NORM_ISO_KEY_CHARS],
                                           struct norm_value *values)
{
    const struct norm_iso_feed feed = {.name = "plant_total",
                                       .iso = site->iso,
                                       .product = NORM_ISO_TELEMETRY,
                                       .market = "PLANT",
                                       .interval_min = NORM_SITE_TOTAL_S / 60};
    const struct norm_iso_row row = {
        .feed = &feed,
        .market = hr_bytes_of(feed.market, strlen(feed.market)),
        .location_type = NORM_ISO_NODE,
        .location_id = hr_bytes_of(site->node, strlen(site->node)),
        .location_name = hr_bytes_of(site->name, strlen(site->name)),
        .subject = total->subject,
        .curve_role = "actual",
        .unit = "MW",
        .start_s = end_s - NORM_SITE_TOTAL_S,
        .end_s = end_s,
        .value = total->value_mw,
        .has = NORM_ISO_HAS_VALUE,
        .quarantine = total->n_other > 0 ? "incomplete" : NULL,
    };
    norm_iso_key(&row, key);
    norm_iso_values(&row, key, values);
    return norm_iso_schema(site->iso, NORM_ISO_TELEMETRY);
}
