/* SPDX-License-Identifier: Apache-2.0
 *
 * What the ceremony (firmware/core/ceremony.h) needs of a device: keys, certificates and addresses, with the
 * crypto library behind them. The same on boards and gateways; what is said goes where the caller wants. */
#ifndef APP_PROVISIONER_H
#define APP_PROVISIONER_H

#include "firmware/core/ceremony.h"

/* Store and stage are kept; ctx is what the two functions below get. */
void app_provisioner_init(struct fw_ceremony *ceremony, struct fw_identity_store *store,
                          uint8_t stage[FW_CEREMONY_STAGE_BYTES], void *ctx);

/* ---- of the platform: identity_file_linux.c, shell_bare.c ---- */
void app_provisioner_say(void *ctx, const char *text);
void app_provisioner_digest(void *ctx, uint8_t out[WIRE_DIGEST_BYTES]);

#endif
