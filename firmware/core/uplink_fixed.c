/* SPDX-License-Identifier: Apache-2.0
 *
 * In the place of uplink_renew.c on microcontrollers, whose image holds one transport key: their uplink has
 * no renewal. */
#include "firmware/core/uplink_internal.h"

void fw_uplink_renew_look(struct fw_uplink *uplink, const struct wire_ack *ack)
{
    (void)uplink, (void)ack;
}

void fw_uplink_ask_renewal(struct fw_uplink *uplink)
{
    (void)uplink;
}

void fw_uplink_renew_forget(struct fw_uplink *uplink)
{
    (void)uplink;
}

bool fw_uplink_renew_answered(struct fw_uplink *uplink, uint32_t token, uint8_t coap_code,
                              struct hr_bytes payload, uint32_t max_age_s)
{
    (void)uplink, (void)token, (void)coap_code, (void)payload, (void)max_age_s;
    return false;
}

bool fw_uplink_renew_timed_out(struct fw_uplink *uplink, uint32_t token)
{
    (void)uplink, (void)token;
    return false;
}
