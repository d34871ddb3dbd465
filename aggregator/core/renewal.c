/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

struct hr_status agg_renewal(struct agg_core *core, const struct agg_decision *decision,
                             struct agg_decided *out)
{
    HR_ASSERT(decision->kind == AGG_RENEWAL);
    if (agg_group_is_full(core)) {
        return hr_status_of(HR_AGAIN);
    }
    struct agg_device *device = agg_find(core, decision->device_id);
    if (device == NULL || !device->state.is_known) {
        return hr_status_of(HR_NOT_FOUND);
    }
    const struct ledger_device before = device->state.entry;
    *out = (struct agg_decided){.before = before.state, .after = before.state, .revision = before.revision};
    if (before.state == LEDGER_DEVICE_REVOKED || before.state == LEDGER_DEVICE_RETIRED) {
        return hr_status_of(HR_DENIED);
    }
    const struct agg_cause cause = {decision->actor, "certified", decision->reason};
    out->is_new = true;
    agg_touch_entry(core, device);
    agg_audit(core, device, &before, &cause);
    return hr_ok();
}
