/* SPDX-License-Identifier: Apache-2.0
 *
 * Which authorities a gateway believes: those of its configuration, or of the trust bundle that it follows
 * (firmware/core/trust.h), kept in a folder:
 *
 *     bundle.0 bundle.1     the bundle, two copies
 *     authorities.pem       what is in it, for the TLS library; made anew from the bundle at each start
 *
 * [loop] */
#ifndef APP_TRUST_H
#define APP_TRUST_H

#include "firmware/app/config.h"
#include "firmware/core/collector.h"
#include "firmware/port/port_log.h"

enum { APP_TRUST_NAME_CHARS = 24, APP_TRUST_PATH_CHARS = APP_PATH_MAX_CHARS + 2 * APP_TRUST_NAME_CHARS };

/* The caller keeps it where it is: `ca` and `server_name` are read at each opening of a session. */
struct app_trust {
    struct fw_trust trust;
    bool is_followed; /* there is a bundle; else trust is as configured and does not change */
    const struct app_config *config;
    char folder[APP_PATH_MAX_CHARS + 1];
    char ca[APP_TRUST_PATH_CHARS];
    char server_name[NET_HOST_MAX_CHARS + 1];
};

/* crypto_start was called. A folder without a bundle that checks is told, and the configuration is believed.
 * HR_IO: the folder can't be written; told. */
HR_MUST_USE struct hr_status app_trust_open(struct app_trust *trust, const struct app_config *config,
                                            const struct port_log *log);

/* What it counts goes into the collector's Stats records. */
void app_trust_count(struct app_trust *trust, struct fw_collector *collector);

#endif
