/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/sections.h"

#include <sys/stat.h>

static void check_renewal(const void *section, struct conf_place *place)
{
    const struct config_renewal *renewal = section;
    struct stat status;
    config_check_file(place, "issuer_certificate", renewal->issuer_certificate);
    config_check_file(place, "issuer_key", renewal->issuer_key);
    config_check_secret(place, "issuer_key", renewal->issuer_key);
    if (renewal->folder[0] != '\0' && (stat(renewal->folder, &status) != 0 || !S_ISDIR(status.st_mode))) {
        conf_complain(place, "folder", "%s is no directory", renewal->folder);
    }
}

static const struct conf_field renewal_fields[] = {
    {.key = "issuer_certificate",
     .type = CONF_STRING,
     CONF_AT(struct config_renewal, issuer_certificate),
     .required = true,
     .min = 1,
     .help = "PEM file: an issuer of devices, which client_ca believes."},
    {.key = "issuer_key",
     .type = CONF_STRING,
     CONF_AT(struct config_renewal, issuer_key),
     .required = true,
     .min = 1,
     .help = "Its private key, mode 0600: PEM and not encrypted, or a PKCS#11 URI with a pin-source."},
    {.key = "folder",
     .type = CONF_STRING,
     CONF_AT(struct config_renewal, folder),
     .fallback = "",
     .help =
         "Where earlier versions kept certificates: who asks for such a one again gets it. They stand in the "
         "ledger now."},
    {.key = "days",
     .type = CONF_UINT,
     CONF_AT(struct config_renewal, days),
     .fallback = "730",
     .min = 1,
     .max = 3650,
     .help = "How long they are valid."},
    {.key = "overlap",
     .type = CONF_DURATION,
     CONF_AT(struct config_renewal, overlap_ms),
     .fallback = "30d",
     .min = 1,
     .help = "How long a device's older certificates still open sessions once a newer one has."},
};

const struct conf_table config_renewal_table = {CONF_FIELDS(renewal_fields), .check = check_renewal};
