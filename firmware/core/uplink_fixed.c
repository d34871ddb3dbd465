/* SPDX-License-Identifier: Apache-2.0
 *
 * In the place of uplink_trust.c on microcontrollers, whose image holds one authority: their uplink has no
 * trust. */
#include "firmware/core/uplink_internal.h"

#include "proto/base/assert.h"

void fw_uplink_trust_hint(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    (void)ack;
    HR_ASSERT(uplink->config.trust == NULL);
}

void fw_uplink_ask_trust(struct fw_uplink *uplink)
{
    (void)uplink;
}

void fw_uplink_trust_forget(struct fw_uplink *uplink)
{
    (void)uplink;
}

bool fw_uplink_trust_answered(struct fw_uplink *uplink, uint32_t token, uint8_t coap_code,
                              struct hr_bytes payload)
{
    (void)uplink, (void)token, (void)coap_code, (void)payload;
    return false;
}

bool fw_uplink_trust_timed_out(struct fw_uplink *uplink, uint32_t token)
{
    (void)uplink, (void)token;
    return false;
}
