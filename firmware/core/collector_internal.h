/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the collector share; nobody else includes it. */
#ifndef FW_COLLECTOR_INTERNAL_H
#define FW_COLLECTOR_INTERNAL_H

#include "firmware/core/collector.h"

/* ---- collector.c ---- */

/* Remembers that the spool or the keys failed, and tells it once. Gives HR_IO. */
HR_MUST_USE struct hr_status fw_collector_fail(struct fw_collector *collector, const char *what,
                                               struct hr_status status);
/* Seals the open batch, if there is one. HR_IO as fw_collector_offer. */
HR_MUST_USE struct hr_status fw_collector_seal_open(struct fw_collector *collector);
/* Appends the record in scratch, which may seal. A record of our own that fits no batch is our own bug. HR_IO
 * as fw_collector_offer. */
HR_MUST_USE struct hr_status fw_collector_append_scratch(struct fw_collector *collector);

/* Seals the KeySwitch in scratch as a batch of its own; nothing is open before or after. HR_IO as above. */
HR_MUST_USE struct hr_status fw_collector_seal_key_switch(struct fw_collector *collector);

/* ---- collector_keys.c ---- */

const struct port_sign *fw_collector_signer(const struct fw_collector *collector);
/* Takes the switch of the record key as far as it goes now. HR_IO as fw_collector_offer. */
HR_MUST_USE struct hr_status fw_collector_turn_keys(struct fw_collector *collector);
/* Tells the uplink what it may not send yet. */
void fw_collector_bound_uplink(struct fw_collector *collector);

/* Of struct fw_uplink_owner. */
void fw_collector_on_hints(void *ctx, uint8_t hints);
bool fw_collector_on_key_refused(void *ctx, uint32_t seq, enum wire_ack_status status);

#endif
