/* SPDX-License-Identifier: Apache-2.0
 *
 * Sections of the configuration that have a file of their own, and the checks that several share. */
#ifndef CONFIG_SECTIONS_H
#define CONFIG_SECTIONS_H

#include "aggregator/config/config.h"

extern const struct conf_table config_ledger_table;
extern const struct conf_table config_admin_table;
extern const struct conf_table config_site_table;

/* Complains when two sites share a collector or a name. */
void config_check_sites(const struct config_aggregator *config, struct conf_place *place);
extern const struct conf_table config_rotation_table;
extern const struct conf_table config_renewal_table;

/* For conf_field.check_text. */
const char *config_check_address(const char *text);

/* Complains when a file is named and can't be read. */
void config_check_file(struct conf_place *place, const char *key, const char *path);
/* Complains when the file may be read by others than its owner. */
void config_check_secret(struct conf_place *place, const char *key, const char *path);

#endif
