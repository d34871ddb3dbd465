/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

static struct ledger_key *key_of(struct ledger_device *entry, uint16_t epoch)
{
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        if (entry->keys[i].epoch == epoch) {
            return &entry->keys[i];
        }
    }
    return NULL;
}

static bool is_same_spki(const struct ledger_key *a, const struct ledger_key *b)
{
    return a->spki_len_bytes == b->spki_len_bytes && memcmp(a->spki, b->spki, a->spki_len_bytes) == 0;
}

/* An end that a KeySwitch set stands against an entry that knows none. */
static void merge_end(struct ledger_key *into, const struct ledger_key *known)
{
    if (into->to_stream == UINT32_MAX && into->to_seq == UINT32_MAX) {
        into->to_stream = known->to_stream;
        into->to_seq = known->to_seq;
    }
}

/* Adds the keys of `entry` to `merged`, which has those that are known: by the chain of the device too, so
 * that a key which the entry doesn't name stays. */
static struct hr_status merge_keys(struct agg_core *core, const struct agg_device *device,
                                   struct ledger_device *merged, const struct ledger_device *entry)
{
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        struct ledger_key *known = key_of(merged, entry->keys[i].epoch);
        if (known == NULL && entry->keys[i].epoch < merged->first_epoch) {
            continue; /* it is over, and the ledger has it */
        }
        if (known == NULL &&
            (!agg_key_room(core, device, merged) || entry->keys[i].epoch < merged->first_epoch)) {
            return hr_status_of(HR_FULL);
        }
        if (known == NULL) {
            merged->keys[merged->n_keys++] = entry->keys[i];
            continue;
        }
        if (!is_same_spki(known, &entry->keys[i])) {
            return hr_status_of(HR_DENIED);
        }
        struct ledger_key updated = entry->keys[i];
        merge_end(&updated, known);
        updated.since_utc_ms = known->since_utc_ms;
        *known = updated;
    }
    return hr_ok();
}

static bool may_send(const struct ledger_device *entry)
{
    return entry->state == LEDGER_DEVICE_ENROLLED || entry->state == LEDGER_DEVICE_ACTIVE ||
           entry->state == LEDGER_DEVICE_ROTATING;
}

static bool is_same_key(const struct ledger_key *known, const struct ledger_key *named)
{
    struct ledger_key updated = *named;
    merge_end(&updated, known);
    return is_same_spki(known, named) && known->revoked == named->revoked &&
           known->from_stream == named->from_stream && known->from_seq == named->from_seq &&
           known->to_stream == updated.to_stream && known->to_seq == updated.to_seq;
}

/* Does an entry that changes nothing say otherwise than what is known? Keys that it doesn't name stay anyway,
 * and the device may have them by its own chain. */
static bool is_outdated(struct ledger_device *known, const struct ledger_device *entry)
{
    bool is_other = (known->state != entry->state && !(may_send(known) && may_send(entry))) ||
                    strcmp(known->name, entry->name) != 0 || strcmp(known->tenant, entry->tenant) != 0;
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        const struct ledger_key *key = key_of(known, entry->keys[i].epoch);
        bool is_over = key == NULL && entry->keys[i].epoch < known->first_epoch;
        is_other = is_other || (!is_over && (key == NULL || !is_same_key(key, &entry->keys[i])));
    }
    return is_other;
}

static void merge_state(struct ledger_device *merged, const struct ledger_device *entry, bool has_sent)
{
    bool is_rotating = merged->state == LEDGER_DEVICE_ROTATING && may_send(entry);
    merged->state = is_rotating ? LEDGER_DEVICE_ROTATING : entry->state;
    if (may_send(entry) && !is_rotating) {
        merged->state = has_sent ? LEDGER_DEVICE_ACTIVE : LEDGER_DEVICE_ENROLLED;
    }
    memcpy(merged->name, entry->name, sizeof merged->name);
    memcpy(merged->tenant, entry->tenant, sizeof merged->tenant);
    memcpy(merged->reason, entry->reason, sizeof merged->reason);
    merged->revision = entry->revision;
    if (entry->state != LEDGER_DEVICE_REVOKED && entry->state != LEDGER_DEVICE_RETIRED) {
        merged->cut = LEDGER_CUT_NONE;
        merged->cut_stream = merged->cut_seq = 0;
    }
}

static void date_keys(const struct agg_core *core, struct ledger_device *entry)
{
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        if (entry->keys[i].since_utc_ms == 0) {
            entry->keys[i].since_utc_ms = core->ports.clock.utc_ms(core->ports.clock.ctx);
        }
    }
}

void agg_announce(struct agg_core *core, const struct agg_device *device, enum agg_event_kind kind)
{
    static const char *const names[] = {
        [LEDGER_DEVICE_ENROLLED] = "enrolled",       [LEDGER_DEVICE_ACTIVE] = "active",
        [LEDGER_DEVICE_QUARANTINED] = "quarantined", [LEDGER_DEVICE_REVOKED] = "revoked",
        [LEDGER_DEVICE_RETIRED] = "retired",         [LEDGER_DEVICE_CLAIMED] = "claimed",
        [LEDGER_DEVICE_ROTATING] = "rotating"};
    struct agg_event event = {.kind = kind,
                              .device_id = device->device_id,
                              .n = device->state.entry.revision,
                              .text = names[device->state.entry.state]};
    core->ports.event(core->ports.ctx, &event);
}

static void audit_entry(struct agg_core *core, const struct agg_device *device,
                        const struct ledger_device *before)
{
    static const char *const actions[] = {
        [LEDGER_DEVICE_ENROLLED] = "released",       [LEDGER_DEVICE_ACTIVE] = "released",
        [LEDGER_DEVICE_QUARANTINED] = "quarantined", [LEDGER_DEVICE_REVOKED] = "revoked",
        [LEDGER_DEVICE_RETIRED] = "retired",         [LEDGER_DEVICE_CLAIMED] = "claimed",
        [LEDGER_DEVICE_ROTATING] = "rotating"};
    const struct ledger_device *now = &device->state.entry;
    bool is_decided = before != NULL && before->state != now->state;
    const char *action = before == NULL ? "registered" : is_decided ? actions[now->state] : "changed";
    const struct agg_cause cause = {"registry", action, now->reason};
    agg_audit(core, device, before, &cause);
}

static void add_keys(struct agg_core *core, const struct agg_device *device)
{
    for (uint32_t i = 0; i < device->state.entry.n_keys; i++) {
        core->ports.key_added(core->ports.ctx, device->device_id, &device->state.entry.keys[i]);
    }
}

struct hr_status agg_register(struct agg_core *core, const struct ledger_device *entry)
{
    if (agg_group_is_full(core)) {
        return hr_status_of(HR_AGAIN);
    }
    struct agg_device *device = agg_find_or_add(core, entry->device_id);
    if (device == NULL) {
        return hr_status_of(HR_FULL);
    }
    bool is_new = !device->state.is_known;
    if (!is_new && entry->revision <= device->state.entry.revision) {
        if (is_outdated(&device->state.entry, entry)) {
            agg_announce(core, device, AGG_EVENT_REGISTRY_OUTDATED);
        }
        return hr_ok();
    }
    struct ledger_device merged = device->state.entry;
    const uint32_t n_old_keys = core->group.n_old_keys;
    struct hr_status status = merge_keys(core, device, &merged, entry);
    if (!hr_is_ok(status)) {
        core->group.n_old_keys = n_old_keys;
        agg_count(core, AGG_COUNT_REGISTRY_REFUSED, 1);
        agg_announce(core, device, AGG_EVENT_REGISTRY_REFUSED);
        return status;
    }
    merge_state(&merged, entry, device->state.n_streams > 0);
    date_keys(core, &merged);
    agg_touch_entry(core, device);
    const struct ledger_device before = device->state.entry;
    bool is_state_new = is_new || merged.state != device->state.entry.state;
    device->state.entry = merged;
    device->state.is_known = true;
    agg_refresh_session_state(device);
    audit_entry(core, device, is_new ? NULL : &before);
    add_keys(core, device);
    agg_count_staged(core, AGG_COUNT_REGISTRY_APPLIED, 1);
    if (is_state_new) {
        agg_announce(core, device, AGG_EVENT_DEVICE_STATE);
    }
    return hr_ok();
}

static void load_device(void *ctx, const struct ledger_device *row)
{
    struct agg_core *core = ctx;
    struct agg_device *device = agg_find_or_add(core, row->device_id);
    if (device == NULL) {
        core->load_status = hr_status_of(HR_FULL);
        return;
    }
    device->state.entry = *row;
    device->state.is_known = true;
    agg_refresh_session_state(device);
}

/* Keeps the newest rows of the device, newest first. */
static void load_stream(void *ctx, const struct ledger_stream *row)
{
    struct agg_core *core = ctx;
    struct agg_device *device = agg_find(core, row->device_id);
    if (device == NULL) {
        core->load_status = hr_status_of(HR_CORRUPT);
        return;
    }
    struct agg_device_state *state = &device->state;
    uint32_t at = 0;
    while (at < state->n_streams && state->streams[at].stream > row->stream) {
        at++;
    }
    if (at == AGG_DEVICE_STREAMS_KEPT) {
        return;
    }
    memmove(&state->streams[at + 1], &state->streams[at],
            (AGG_DEVICE_STREAMS_KEPT - 1 - at) * sizeof state->streams[0]);
    state->streams[at] = *row;
    if (state->n_streams < AGG_DEVICE_STREAMS_KEPT) {
        state->n_streams++;
    }
}

struct hr_status agg_core_load(struct agg_core *core)
{
    const struct ledger *ledger = core->ports.ledger;
    core->load_status = hr_ok();
    HR_TRY(ledger->load_devices(ledger->ctx, load_device, core));
    HR_TRY(core->load_status);
    HR_TRY(agg_certificates_load(core));
    HR_TRY(ledger->load_streams(ledger->ctx, load_stream, core));
    HR_TRY(core->load_status);
    const uint32_t n_devices = atomic_load_explicit(&core->n_devices, memory_order_relaxed);
    for (uint32_t i = 0; i < n_devices; i++) {
        agg_keys_trim(&core->devices[i]); /* which asks where its streams stand */
        add_keys(core, &core->devices[i]);
    }
    return hr_ok();
}
