/* SPDX-License-Identifier: Apache-2.0
 *
 * What the ceremony (firmware/core/ceremony.h) needs of a device: keys, certificates and addresses, with the
 * crypto library behind them. The same on boards and gateways; what is said goes where the caller wants. */
#ifndef APP_PROVISIONER_H
#define APP_PROVISIONER_H

#include "firmware/core/ceremony.h"

struct app_provisioner {
    struct fw_ceremony ceremony;
    struct fw_ceremony_ports ports;
    uint8_t digest[WIRE_DIGEST_BYTES];
};

/* `digest` is the SHA-256 of the firmware; `say` and its ctx as struct fw_ceremony_ports has them. Store and
 * stage are kept. */
void app_provisioner_init(struct app_provisioner *provisioner, struct fw_identity_store *store,
                          uint8_t stage[FW_CEREMONY_STAGE_BYTES], const uint8_t digest[WIRE_DIGEST_BYTES],
                          void (*say)(void *ctx, const char *text), void *ctx);

#endif
