/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport key of a gateway and its successors: those of the configuration at first, and in a folder
 *
 *     next.key       a key that waits for its certificate
 *     next.pem       key and certificate that no session was opened with yet
 *     current.pem    key and certificate in use
 *     renew          made by an operator: it is time, whatever the certificate says
 *
 * Each step is one renaming, so a cut leaves the step before or the one behind. What is refused is not thrown
 * away: the key before it goes on being used, and the next one is tried again each hour. [loop] */
#ifndef APP_RENEW_H
#define APP_RENEW_H

#include "firmware/app/config.h"
#include "firmware/app/keep.h"
#include "firmware/core/uplink.h"
#include "firmware/crypto/request.h"
#include "firmware/port/port_clock.h"
#include "firmware/port/port_log.h"

enum { APP_RENEW_PATH_CHARS = APP_PATH_MAX_CHARS + 2 * APP_KEEP_NAME_CHARS };

enum app_renew_use { APP_RENEW_CONFIGURED, APP_RENEW_CURRENT, APP_RENEW_NEXT };

/* The caller keeps it where it is: `certificate` and `key` are read at each opening of a session. */
struct app_renew {
    struct fw_renew port;
    const struct app_config *config;
    const struct port_clock *clock;
    const struct port_log *log;
    struct port_net_events events; /* that are passed on */
    enum app_renew_use use;
    uint64_t not_next_until_ms; /* next.pem was refused */
    char certificate[APP_RENEW_PATH_CHARS];
    char key[APP_RENEW_PATH_CHARS];
    struct crypto_certificate_facts facts; /* of the certificate; zeros: it can't be read */
    size_t request_len_bytes;
    uint8_t request[CRYPTO_REQUEST_MAX_BYTES];
};

/* Chooses what the first session is opened with. Without a folder in the configuration the configured key
 * stays. */
void app_renew_open(struct app_renew *renew, const struct app_config *config, const struct port_clock *clock,
                    const struct port_log *log);

/* For fw_collector_config.renew: NULL without a folder. */
const struct fw_renew *app_renew_port(const struct app_renew *renew);

/* Has the events of the network pass through here, which tell what a session was opened with. */
struct port_net_events app_renew_watch(struct app_renew *renew, struct port_net_events events);

#endif
