/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/sections.h"

static void check_admin(const void *section, struct conf_place *place)
{
    const struct config_admin *admin = section;
    config_check_file(place, "certificate", admin->certificate);
    config_check_file(place, "key", admin->key);
    config_check_file(place, "operator_ca", admin->operator_ca);
    config_check_file(place, "revoked", admin->revoked);
    config_check_secret(place, "key", admin->key);
}

static const struct conf_field admin_fields[] = {
    {.key = "address",
     .type = CONF_STRING,
     CONF_AT(struct config_admin, address),
     .fallback = "0.0.0.0",
     .check_text = config_check_address,
     .help = "Numeric."},
    {.key = "port",
     .type = CONF_UINT,
     CONF_AT(struct config_admin, port),
     .fallback = "9465",
     .help = "0: any free one; the log tells which."},
    {.key = "certificate",
     .type = CONF_STRING,
     CONF_AT(struct config_admin, certificate),
     .required = true,
     .min = 1,
     .help = "PEM file: the certificate that operators are shown."},
    {.key = "key",
     .type = CONF_STRING,
     CONF_AT(struct config_admin, key),
     .required = true,
     .min = 1,
     .help = "PEM file: its private key; mode 0600."},
    {.key = "operator_ca",
     .type = CONF_STRING,
     CONF_AT(struct config_admin, operator_ca),
     .required = true,
     .min = 1,
     .help = "PEM file: who signs the certificates of operators, and nobody else's."},
    {.key = "revoked",
     .type = CONF_STRING,
     CONF_AT(struct config_admin, revoked),
     .fallback = "",
     .help = "Text file: serial numbers of operators' certificates that don't count any more, one a line; "
             "looked at with every request."},
    {.key = "max_connections",
     .type = CONF_UINT,
     CONF_AT(struct config_admin, max_connections),
     .fallback = "16",
     .min = 1,
     .max = 1024,
     .help = "At a time."},
};

const struct conf_table config_admin_table = {CONF_FIELDS(admin_fields), .check = check_admin};
