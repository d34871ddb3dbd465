/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/sections.h"

#include <string.h>

enum { DEVICE_ID_CHARS = 16 };

static const char *check_collector(const char *text)
{
    size_t n_digits = strspn(text, "0123456789abcdef");
    return n_digits == DEVICE_ID_CHARS && text[n_digits] == '\0' ? NULL
                                                                 : "is no device id: 16 hexadecimal digits";
}

static void check_site(const void *section, struct conf_place *place)
{
    const struct config_site *site = section;
    if ((site->iso == 0) != (site->node[0] == '\0')) {
        conf_complain(place, "node", "iso and node belong together");
    }
}

uint64_t config_site_collector(const struct config_site *site)
{
    uint64_t device_id = 0;
    for (size_t i = 0; i < DEVICE_ID_CHARS; i++) {
        char digit = site->collector[i];
        device_id = device_id << 4 | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return device_id;
}

static const char *const iso_names[] = {"none",  "caiso", "miso",  "spp", "pjm",
                                        "ercot", "isone", "nyiso", NULL};
static const char *const fuel_names[] = {"solar", "wind", "hydro", "other", NULL};

const char *config_site_iso_code(const struct config_site *site)
{
    return site->iso == 0 ? NULL : iso_names[site->iso];
}

const char *config_site_fuel(const struct config_site *site)
{
    return fuel_names[site->inverters];
}

static const struct conf_field site_fields[] = {
    {.key = "name",
     .type = CONF_STRING,
     CONF_AT(struct config_site, name),
     .required = true,
     .min = 1,
     .help = "What consumers read as site."},
    {.key = "collector",
     .type = CONF_STRING,
     CONF_AT(struct config_site, collector),
     .required = true,
     .check_text = check_collector,
     .help = "Device id of the collector that stands there, 16 hexadecimal digits."},
    {.key = "iso",
     .type = CONF_ENUM,
     CONF_AT(struct config_site, iso),
     .names = iso_names,
     .fallback = "none",
     .help = "Operator whose node the site feeds; its totals go to iso.rt.telemetry.<iso>."},
    {.key = "node",
     .type = CONF_STRING,
     CONF_AT(struct config_site, node),
     .help = "Id of that node, as the operator writes it."},
    {.key = "inverters",
     .type = CONF_ENUM,
     CONF_AT(struct config_site, inverters),
     .names = fuel_names,
     .fallback = "solar",
     .help = "What its inverters turn into power."},
};

const struct conf_table config_site_table = {CONF_FIELDS(site_fields), .check = check_site};

/* One collector, one site: totals follow from one stream. */
void config_check_sites(const struct config_aggregator *config, struct conf_place *place)
{
    for (uint32_t i = 0; i < config->n_sites; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(config->sites[i].collector, config->sites[k].collector) == 0 ||
                strcmp(config->sites[i].name, config->sites[k].name) == 0) {
                conf_complain(place, "sites", "%s and %s have one collector or one name",
                              config->sites[k].name, config->sites[i].name);
                return;
            }
        }
    }
}

static const struct conf_field sites_only_fields[] = {
    {.key = "sites",
     .type = CONF_LIST,
     CONF_LIST_AT(struct config_aggregator, sites, n_sites),
     .table = &config_site_table,
     .help = "As in the whole configuration."},
};
static const struct conf_table sites_only_table = {
    CONF_FIELDS(sites_only_fields), .size_bytes = sizeof(struct config_aggregator), .is_open = true};

struct hr_status config_load_sites(const char *path, struct config_aggregator *out,
                                   struct conf_report *report)
{
    return conf_load(path, &sites_only_table, out, report);
}
