/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of transport keys: asked for, certified, used, over, and let in again. */
#include "aggregator/core/internal.h"

#include <string.h>

/* A certificate that was handed out less than that ago is on its way: the device has a turn at it in an hour.
 */
static const int64_t ON_ITS_WAY_MS = INT64_C(60) * 60 * 1000;

static int64_t now_utc_ms(const struct agg_core *core)
{
    return core->ports.clock.utc_ms(core->ports.clock.ctx);
}

static struct hr_status deny(struct agg_decided *out, const char *why)
{
    out->why = why;
    return hr_status_of(HR_DENIED);
}

/* The device of a decision that a device's session makes, with *out as it is before it. */
static struct hr_status begin(struct agg_core *core, const struct agg_decision *decision,
                              struct agg_device **device, struct agg_decided *out)
{
    HR_ASSERT(decision->shown != NULL);
    if (agg_group_is_full(core)) {
        return hr_status_of(HR_AGAIN);
    }
    *device = agg_find(core, decision->device_id);
    if (*device == NULL || !(*device)->state.is_known) {
        return hr_status_of(HR_NOT_FOUND);
    }
    const struct ledger_device *entry = &(*device)->state.entry;
    *out = (struct agg_decided){.before = entry->state, .after = entry->state, .revision = entry->revision};
    return entry->state == LEDGER_DEVICE_REVOKED || entry->state == LEDGER_DEVICE_RETIRED ||
                   entry->state == LEDGER_DEVICE_CLAIMED
               ? hr_status_of(HR_DENIED)
               : hr_ok();
}

static void note(struct agg_core *core, struct agg_device *device, const struct agg_decision *decision,
                 const char *action)
{
    const struct ledger_device before = device->state.entry;
    const struct agg_cause cause = {decision->actor, action, decision->reason};
    agg_audit(core, device, &before, &cause);
}

/* ---- certified ---- */

/* Who has an older key alone may be a thief of it: it gives no newer one by itself. */
static const char *objection(const struct agg_core *core, const struct agg_device *device,
                             const struct agg_certificate *own)
{
    if (device->state.last_number == 0) {
        return NULL;
    }
    if (own == NULL || agg_certificate_is_over(own, now_utc_ms(core))) {
        return "the session's own key is over, or not known";
    }
    return own->ends_utc_ms != 0 && device->state.entry.wants_transport != LEDGER_TRANSPORT_OF_ANY
               ? "the session's own key is superseded: headrace device readmit lets the device have another"
               : NULL;
}

struct hr_status agg_renewal(struct agg_core *core, const struct agg_decision *decision,
                             struct agg_decided *out)
{
    static struct ledger_certificate row; /* one core thread */
    struct agg_device *device = NULL;
    HR_ASSERT(decision->kind == AGG_RENEWAL);
    HR_TRY(begin(core, decision, &device, out));
    const struct agg_shown *shown = decision->shown;
    const struct agg_certificate *own = agg_certificate_of(device, shown->key);
    if (device->state.last_number == 0 && memcmp(shown->key, shown->next_key, WIRE_DIGEST_BYTES) == 0) {
        return deny(out, "that is the session's own key, which has its certificate");
    }
    struct hr_status status = agg_certificate_find(core, device->device_id, shown->next_key, &row);
    if (hr_is_ok(status)) {
        const bool is_over = row.is_barred || (row.ends_utc_ms != 0 && row.ends_utc_ms <= now_utc_ms(core));
        return is_over ? deny(out, "that key is over") : hr_ok();
    }
    if (hr_is(status, HR_AGAIN)) {
        return status;
    }
    const char *why_not = objection(core, device, own);
    if (why_not != NULL) {
        return deny(out, why_not);
    }
    out->is_new = true;
    agg_touch_entry(core, device);
    if (own == NULL) {
        struct agg_certificate *first = agg_certificate_add(
            core, device, shown->key, hr_bytes_of(shown->certificate, shown->certificate_len_bytes), NULL);
        first->used_utc_ms = first->issued_utc_ms;
        core->group.certificates[core->group.n_certificates - 1].used_utc_ms = first->used_utc_ms;
        own = first;
    }
    (void)agg_certificate_add(core, device, shown->next_key,
                              hr_bytes_of(shown->next_certificate, shown->next_certificate_len_bytes), own);
    note(core, device, decision, "certified");
    device->state.entry.wants_transport = LEDGER_TRANSPORT_NOT;
    return hr_ok();
}

/* ---- used ---- */

struct hr_status agg_key_seen(struct agg_core *core, const struct agg_decision *decision,
                              struct agg_decided *out)
{
    struct agg_device *device = NULL;
    HR_ASSERT(decision->kind == AGG_FIRST_SEEN);
    HR_TRY(begin(core, decision, &device, out));
    struct agg_certificate *seen = agg_certificate_of(device, decision->shown->key);
    if (seen == NULL || seen->is_barred || seen->used_utc_ms != 0) {
        return hr_ok();
    }
    out->is_new = true;
    agg_touch_entry(core, device);
    seen->used_utc_ms = now_utc_ms(core);
    agg_certificate_stage(core, device, seen);
    bool is_newer = false;
    for (uint32_t i = 0; i < AGG_DEVICE_CERTIFICATES; i++) {
        struct agg_certificate *older = &device->state.certificates[i];
        if (older->number != 0 && older->number < seen->number && older->ends_utc_ms == 0 &&
            !older->is_barred) {
            older->ends_utc_ms = agg_overlap_end(core);
            agg_certificate_stage(core, device, older);
            is_newer = true;
        }
    }
    if (is_newer) { /* the first key of all is nobody's successor */
        note(core, device, decision, "transport_used");
    }
    return hr_ok();
}

/* ---- decisions of a person ---- */

static bool is_on_its_way(const struct agg_core *core, const struct agg_device *device)
{
    const int64_t now_utc = now_utc_ms(core);
    bool found = false;
    for (uint32_t i = 0; i < AGG_DEVICE_CERTIFICATES; i++) {
        const struct agg_certificate *certificate = &device->state.certificates[i];
        found = found || (certificate->number > 1 && certificate->number == device->state.last_number &&
                          certificate->used_utc_ms == 0 && !agg_certificate_is_over(certificate, now_utc) &&
                          certificate->issued_utc_ms + ON_ITS_WAY_MS > now_utc);
    }
    return found;
}

static void ask(struct agg_core *core, struct agg_device *device, const struct agg_decision *decision,
                const char *action, enum ledger_transport_wish wanted)
{
    note(core, device, decision, action);
    device->state.entry.wants_transport = wanted;
    agg_count_staged(core, AGG_COUNT_DECISIONS, 1);
}

struct hr_status agg_ask_transport(struct agg_core *core, struct agg_device *device,
                                   const struct agg_decision *decision, struct agg_decided *out)
{
    if (device->state.entry.wants_transport != LEDGER_TRANSPORT_NOT || is_on_its_way(core, device)) {
        return hr_ok();
    }
    if (device->state.entry.state == LEDGER_DEVICE_QUARANTINED) {
        return hr_status_of(HR_DENIED);
    }
    out->is_new = true;
    if (!decision->dry_run) {
        agg_touch_entry(core, device);
        ask(core, device, decision, "transport_asked", LEDGER_TRANSPORT_OF_CURRENT);
    }
    return hr_ok();
}

static void extend(struct agg_core *core, struct agg_device *device, struct agg_certificate *certificate)
{
    certificate->ends_utc_ms = agg_overlap_end(core);
    agg_certificate_stage(core, device, certificate);
}

static bool can_be_extended(const struct agg_certificate *certificate)
{
    return certificate->number != 0 && !certificate->is_barred && certificate->ends_utc_ms != 0;
}

static struct hr_status readmit_all(struct agg_core *core, struct agg_device *device,
                                    const struct agg_decision *decision, struct agg_decided *out)
{
    struct agg_certificate *all = device->state.certificates;
    for (uint32_t i = 0; i < AGG_DEVICE_CERTIFICATES; i++) {
        out->is_new = out->is_new || can_be_extended(&all[i]);
    }
    if (!out->is_new) {
        return deny(out, "none of its transport keys is superseded or over");
    }
    if (decision->dry_run) {
        return hr_ok();
    }
    agg_touch_entry(core, device);
    for (uint32_t i = 0; i < AGG_DEVICE_CERTIFICATES; i++) {
        if (can_be_extended(&all[i])) {
            extend(core, device, &all[i]);
        }
    }
    ask(core, device, decision, "readmitted", LEDGER_TRANSPORT_OF_ANY);
    return hr_ok();
}

static struct hr_status readmit_one(struct agg_core *core, struct agg_device *device,
                                    const struct agg_decision *decision, struct agg_decided *out)
{
    static struct ledger_certificate row; /* one core thread */
    const uint8_t *key = decision->shown->key;
    struct agg_certificate *certificate = agg_certificate_of(device, key);
    struct hr_status status = agg_certificate_find(core, device->device_id, key, &row);
    if (hr_is(status, HR_AGAIN)) {
        return status;
    }
    if (certificate == NULL && hr_is_ok(status)) {
        return deny(out, "that key is too old: the device has had others since");
    }
    if (certificate != NULL && certificate->is_barred) {
        return deny(out, "that key is of hardware that was replaced");
    }
    out->is_new = certificate == NULL ? device->state.last_number != 0 : can_be_extended(certificate);
    if (!out->is_new || decision->dry_run) {
        return hr_ok();
    }
    agg_touch_entry(core, device);
    if (certificate != NULL) {
        extend(core, device, certificate);
        ask(core, device, decision, "readmitted", LEDGER_TRANSPORT_OF_ANY);
    } else {
        (void)agg_certificate_add(core, device, key, hr_bytes_of("", 0), NULL);
        note(core, device, decision, "readmitted");
        agg_count_staged(core, AGG_COUNT_DECISIONS, 1);
    }
    return hr_ok();
}

struct hr_status agg_readmit(struct agg_core *core, struct agg_device *device,
                             const struct agg_decision *decision, struct agg_decided *out)
{
    return decision->shown != NULL ? readmit_one(core, device, decision, out)
                                   : readmit_all(core, device, decision, out);
}
