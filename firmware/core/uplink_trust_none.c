/* SPDX-License-Identifier: Apache-2.0
 *
 * In the place of uplink_trust.c on boards that have no room for a trust bundle: they believe the authority
 * that they were provisioned with. That another one is there is said once a boot, not once a batch. */
#include "firmware/core/uplink_internal.h"

#include "proto/base/assert.h"
#include "proto/wire/ack.h"

void fw_uplink_trust_hint(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    HR_ASSERT(uplink->config.trust == NULL);
    if ((ack->hints & WIRE_HINT_CONFIG) != 0 && !uplink->fetch.is_wanted) {
        uplink->fetch.is_wanted = true;
        fw_uplink_tell(uplink, FW_EVENT_TRUST_REFUSED,
                       "this board has no room for trust bundles: provision it before its authority ends");
    }
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
