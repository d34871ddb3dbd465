/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

#define FROM(state) (1u << (unsigned)(state))
#define MAY_SEND    (FROM(LEDGER_DEVICE_ENROLLED) | FROM(LEDGER_DEVICE_ACTIVE) | FROM(LEDGER_DEVICE_ROTATING))

/* PROTOCOL 2.2. What was revoked comes back by enrolling it again, never by a word. */
static const struct transition {
    unsigned from; /* a bit for each state */
    enum ledger_device_state to;
    const char *action;
} transitions[AGG_N_DECISIONS] = {
    [AGG_QUARANTINE] = {MAY_SEND, LEDGER_DEVICE_QUARANTINED, "quarantined"},
    [AGG_RELEASE] = {FROM(LEDGER_DEVICE_QUARANTINED), LEDGER_DEVICE_ACTIVE, "released"},
    [AGG_REVOKE] = {MAY_SEND | FROM(LEDGER_DEVICE_QUARANTINED) | FROM(LEDGER_DEVICE_CLAIMED) |
                        FROM(LEDGER_DEVICE_REVOKED),
                    LEDGER_DEVICE_REVOKED, "revoked"},
    [AGG_RETIRE] = {MAY_SEND | FROM(LEDGER_DEVICE_QUARANTINED) | FROM(LEDGER_DEVICE_REVOKED) |
                        FROM(LEDGER_DEVICE_CLAIMED),
                    LEDGER_DEVICE_RETIRED, "retired"},
};

/* Is the device where the decision would bring it? */
static bool is_there(const struct ledger_device *entry, const struct agg_decision *decision)
{
    enum ledger_device_state to = transitions[decision->kind].to;
    if (decision->kind == AGG_REVOKE && decision->has_place) {
        return entry->state == to && entry->cut != LEDGER_CUT_NONE && entry->cut_stream == decision->stream &&
               entry->cut_seq == decision->seq;
    }
    if (decision->kind == AGG_REVOKE) {
        return entry->state == to && entry->cut != LEDGER_CUT_OPEN;
    }
    return to == LEDGER_DEVICE_ACTIVE ? (FROM(entry->state) & MAY_SEND) != 0 : entry->state == to;
}

/* What a revocation does beside the state. */
static void apply_cut(struct agg_device *device, const struct agg_decision *decision,
                      const struct agg_decided *decided)
{
    struct ledger_device *entry = &device->state.entry;
    entry->cut = decided->cut;
    if (decision->has_place) {
        entry->cut_stream = decision->stream;
        entry->cut_seq = decision->seq;
    }
}

static void apply(struct agg_core *core, struct agg_device *device, const struct agg_decision *decision,
                  const struct agg_decided *decided)
{
    const enum ledger_device_state to = decided->after;
    const struct transition *transition = &transitions[decision->kind];
    struct ledger_device *entry = &device->state.entry;
    const struct ledger_device before = *entry;
    size_t len = strlen(decision->reason);
    agg_touch_entry(core, device);
    entry->state = to;
    entry->revision++;
    memset(entry->reason, 0, sizeof entry->reason);
    memcpy(entry->reason, decision->reason, len < sizeof entry->reason ? len : sizeof entry->reason - 1);
    if (decision->kind == AGG_REVOKE) {
        apply_cut(device, decision, decided);
    }
    agg_refresh_session_state(device);
    const bool has_place = decision->kind == AGG_REVOKE && decision->has_place;
    const struct agg_cause cause = {decision->actor, has_place ? "revoked_from" : transition->action,
                                    decision->reason};
    agg_audit(core, device, &before, &cause);
    if (has_place) {
        agg_audit_suspect(core, &decided->suspect);
    }
    if (to == LEDGER_DEVICE_QUARANTINED) {
        agg_hold_drop_all(core, device, WIRE_ACK_QUARANTINED);
    } else if ((FROM(to) & MAY_SEND) == 0) {
        /* What stands before a cut comes again. */
        agg_hold_drop_all(core, device,
                          agg_device_stands(entry) == WIRE_ACK_OK ? WIRE_ACK_GAP : WIRE_ACK_REVOKED);
    }
    agg_count_staged(core, AGG_COUNT_DECISIONS, 1);
    agg_announce(core, device, AGG_EVENT_DEVICE_STATE);
}

/* Asks for a new record key: no change of state, and no new revision, which registry entries are compared by.
 */
static struct hr_status ask_for_key(struct agg_core *core, struct agg_device *device,
                                    const struct agg_decision *decision, struct agg_decided *out)
{
    struct ledger_device *entry = &device->state.entry;
    if (entry->wants_key || entry->state == LEDGER_DEVICE_ROTATING) {
        return hr_ok();
    }
    if ((FROM(entry->state) & MAY_SEND) == 0) {
        return hr_status_of(HR_DENIED);
    }
    out->is_new = true;
    if (decision->dry_run) {
        return hr_ok();
    }
    agg_touch_entry(core, device);
    const struct ledger_device before = *entry;
    const struct agg_cause cause = {decision->actor, "rotation_asked", decision->reason};
    entry->wants_key = true;
    agg_audit(core, device, &before, &cause);
    agg_count_staged(core, AGG_COUNT_DECISIONS, 1);
    return hr_ok();
}

struct hr_status agg_decide(struct agg_core *core, const struct agg_decision *decision,
                            struct agg_decided *out)
{
    HR_ASSERT((size_t)decision->kind < AGG_N_DECISIONS);
    const struct transition *transition = &transitions[decision->kind];
    if (agg_group_is_full(core)) {
        return hr_status_of(HR_AGAIN);
    }
    struct agg_device *device = agg_find(core, decision->device_id);
    if (device == NULL || !device->state.is_known) {
        return hr_status_of(HR_NOT_FOUND);
    }
    const struct ledger_device *entry = &device->state.entry;
    bool is_released = transition->to == LEDGER_DEVICE_ACTIVE && device->state.n_streams == 0;
    *out = (struct agg_decided){.before = entry->state, .after = entry->state, .revision = entry->revision};
    if (decision->kind == AGG_ROTATE) {
        return ask_for_key(core, device, decision, out);
    }
    if (decision->kind == AGG_ROTATE_TRANSPORT || decision->kind == AGG_READMIT) {
        if ((FROM(entry->state) & (MAY_SEND | FROM(LEDGER_DEVICE_QUARANTINED))) == 0) {
            return hr_status_of(HR_DENIED);
        }
        return decision->kind == AGG_READMIT ? agg_readmit(core, device, decision, out)
                                             : agg_ask_transport(core, device, decision, out);
    }
    if (is_there(entry, decision)) {
        return hr_ok();
    }
    out->why = decision->kind == AGG_REVOKE ? agg_cut_objection(device, decision) : NULL;
    if ((transition->from & FROM(entry->state)) == 0 || out->why != NULL) {
        return hr_status_of(HR_DENIED);
    }
    if (entry->revision == UINT32_MAX) {
        return hr_status_of(HR_FULL);
    }
    out->after = is_released ? LEDGER_DEVICE_ENROLLED : transition->to;
    out->revision = entry->revision + 1;
    out->is_new = true;
    if (decision->kind == AGG_REVOKE) {
        agg_cut_plan(device, decision, out);
    }
    if (!decision->dry_run) {
        apply(core, device, decision, out);
    }
    return hr_ok();
}
