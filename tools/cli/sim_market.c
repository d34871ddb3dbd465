/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/sim_market.h"

#include "proto/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const RULES[CLI_MARKET_ISOS] = {
    [FEEDS_CAISO] = "PST8PDT,M3.2.0,M11.1.0", [FEEDS_MISO] = "EST5",
    [FEEDS_SPP] = "CST6CDT,M3.2.0,M11.1.0",   [FEEDS_PJM] = "EST5EDT,M3.2.0,M11.1.0",
    [FEEDS_ERCOT] = "CST6CDT,M3.2.0,M11.1.0", [FEEDS_ISONE] = "EST5EDT,M3.2.0,M11.1.0",
    [FEEDS_NYISO] = "EST5EDT,M3.2.0,M11.1.0",
};

/* Decimals of a printed price. */
static const unsigned DECIMALS[CLI_MARKET_ISOS] = {
    [FEEDS_CAISO] = 5, [FEEDS_MISO] = 2,  [FEEDS_SPP] = 4,   [FEEDS_PJM] = 6,
    [FEEDS_ERCOT] = 2, [FEEDS_ISONE] = 2, [FEEDS_NYISO] = 2,
};

void cli_market_init(struct cli_market *market, uint64_t seed, uint32_t n_nodes)
{
    *market = (struct cli_market){.seed = seed, .n_nodes = n_nodes};
    for (size_t i = 0; i < CLI_MARKET_ISOS; i++) {
        struct hr_status parsed = feeds_zone_parse(RULES[i], &market->zones[i]);
        HR_ASSERT(hr_is_ok(parsed));
    }
}

/* ---- locations ---- */

struct place {
    const char *id;
    const char *name;
    const char *type;
};

static const struct place FIRST[CLI_MARKET_ISOS][2] = {
    [FEEDS_CAISO] = {{"TH_NP15_GEN-APND", "TH_NP15_GEN-APND", "ALL_APNODES"},
                     {"DLAP_PGAE-APND", "DLAP_PGAE-APND", "ALL_APNODES"}},
    [FEEDS_MISO] = {{"INDIANA.HUB", "INDIANA.HUB", "Hub"}, {"ALTW.AZ", "ALTW.AZ", "Loadzone"}},
    [FEEDS_SPP] = {{"SPPNORTH_HUB", "SPPNORTH_HUB", ""}, {"SPPSOUTH_HUB", "SPPSOUTH_HUB", ""}},
    [FEEDS_PJM] = {{"51288", "WESTERN HUB", "HUB"}, {"1", "PJM-RTO", "ZONE"}},
    [FEEDS_ERCOT] = {{"HB_HUBAVG", "HB_HUBAVG", "HU"}, {"LZ_HOUSTON", "LZ_HOUSTON", "LZ"}},
    [FEEDS_ISONE] = {{"4000", ".H.INTERNAL_HUB", "HUB"}, {"4001", ".Z.MAINE", "LOAD ZONE"}},
    [FEEDS_NYISO] = {{"24008", "NYISO_LBMP_REFERENCE", ""}, {"23500", "ADK HUDSON___FALLS", ""}},
};

/* All further ones: patterns of the index, and from which number on. */
static const struct {
    const char *id;
    const char *name;
    const char *type;
} MORE[CLI_MARKET_ISOS] = {
    [FEEDS_CAISO] = {"SIM%05u_7_N001-APND", "SIM%05u_7_N001-APND", "ALL_APNODES"},
    [FEEDS_MISO] = {"SIM.UNIT%05u", "SIM.UNIT%05u", "Gennode"},
    [FEEDS_SPP] = {"SIM_UNIT%05u", "SIM.LA%05u", ""},
    [FEEDS_PJM] = {"34%05u", "SIM%05u 13 KV", "GEN"},
    [FEEDS_ERCOT] = {"SIM_RN%05u", "SIM_RN%05u", "RN"},
    [FEEDS_ISONE] = {"2%05u", "UN.SIM%05u13.8GEN", "NETWORK NODE"},
    [FEEDS_NYISO] = {"3%05u", "SIM____UNIT_%05u", ""},
};

static const struct place NYISO_ZONES[CLI_MARKET_NYISO_ZONES] = {
    {"61757", "CAPITL", ""}, {"61754", "CENTRL", ""}, {"61760", "DUNWOD", ""}, {"61753", "GENESE", ""},
    {"61844", "H Q", ""},    {"61758", "HUD VL", ""}, {"61762", "LONGIL", ""}, {"61756", "MHK VL", ""},
    {"61759", "MILLWD", ""}, {"61761", "N.Y.C.", ""}, {"61755", "NORTH", ""},  {"61845", "NPX", ""},
    {"61846", "O H", ""},    {"61847", "PJM", ""},    {"61752", "WEST", ""},
};

static void put_name(char out[CLI_MARKET_NAME_CHARS], const char *pattern, uint32_t index)
{
    const char *mark = strstr(pattern, "%05u");
    HR_ASSERT(mark != NULL);
    (void)snprintf(out, CLI_MARKET_NAME_CHARS, "%.*s%05" PRIu32 "%s", (int)(mark - pattern), pattern, index,
                   mark + 4);
}

void cli_market_node(enum feeds_iso iso, bool is_zonal, uint32_t index, struct cli_node *out)
{
    const struct place *place = NULL;
    if (iso == FEEDS_NYISO && is_zonal) {
        HR_ASSERT(index < CLI_MARKET_NYISO_ZONES);
        place = &NYISO_ZONES[index];
    } else if (index < HR_ARRAY_LEN(FIRST[iso])) {
        place = &FIRST[iso][index];
    }
    if (place == NULL) {
        put_name(out->id, MORE[iso].id, index);
        put_name(out->name, MORE[iso].name, index);
        out->type = MORE[iso].type;
        return;
    }
    (void)snprintf(out->id, sizeof out->id, "%s", place->id);
    (void)snprintf(out->name, sizeof out->name, "%s", place->name);
    out->type = place->type;
}

/* ---- prices ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value + UINT64_C(0x9E3779B97F4A7C15);
    hash = (hash ^ hash >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94D049BB133111EB);
    return hash ^ hash >> 31;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = mix(hash, (uint8_t)*text);
    }
    return hash;
}

/* Between -most and most cents, in units of the last decimal, of which the operator prints all. */
static int64_t amount(uint64_t hash, int64_t most_cents, int64_t units_a_cent)
{
    int64_t most = most_cents * units_a_cent;
    return (int64_t)(hash % (uint64_t)(2 * most + 1)) - most;
}

struct cli_price cli_market_price(const struct cli_market *market, enum feeds_iso iso, const char *feed,
                                  const char *location, int64_t start_s)
{
    uint64_t hour = mix_text(mix(market->seed, (uint64_t)start_s), feed);
    uint64_t node = mix_text(hour, location);
    struct cli_price price = {.decimals = DECIMALS[iso]};
    int64_t units = 1;
    for (unsigned i = 2; i < price.decimals; i++) {
        units *= 10;
    }
    /* One hour in 16 is scarce, one in 8 has more wind than load. */
    int64_t level_cents = hour % 16 == 0 ? 215000 : 3500;
    level_cents = hour % 8 == 1 ? -2500 : level_cents;
    price.energy = level_cents * units + amount(mix(hour, 1), 1500, units);
    price.congestion = node % 4 == 0 ? 0 : amount(mix(node, 2), 4000, units);
    price.loss = amount(mix(node, 3), 300, units);
    price.value = price.energy + price.congestion + price.loss;
    return price;
}

int64_t cli_market_local_s(const struct cli_market *market, enum feeds_iso iso, int64_t utc_s)
{
    struct feeds_local local = feeds_zone_local(&market->zones[iso], utc_s * 1000);
    uint32_t second = local.hour * 3600U + local.minute * 60U + local.second;
    return feeds_utc_ms(local.year, local.month, local.day, second) / 1000;
}
