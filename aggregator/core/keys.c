/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/internal.h"

#include <string.h>

static const struct ledger_key *key_of(const struct ledger_device *entry, uint32_t epoch)
{
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        if (entry->keys[i].epoch == epoch) {
            return &entry->keys[i];
        }
    }
    return NULL;
}

enum wire_ack_status agg_key_stands(const struct ledger_device *entry, const struct wire_header *header)
{
    const struct ledger_key *key = key_of(entry, header->key_epoch);
    if (agg_is_cut_off(entry, header)) {
        return WIRE_ACK_REVOKED;
    }
    if (key == NULL) {
        return header->key_epoch < entry->first_epoch ? WIRE_ACK_BAD_SIGNATURE : WIRE_ACK_UNKNOWN_KEY;
    }
    if (key->revoked) {
        return WIRE_ACK_REVOKED;
    }
    bool is_early =
        agg_compare_places(header->stream, header->batch_seq, key->from_stream, key->from_seq) < 0;
    bool is_late = agg_compare_places(header->stream, header->batch_seq, key->to_stream, key->to_seq) >= 0;
    return is_early || is_late ? WIRE_ACK_BAD_SIGNATURE : WIRE_ACK_OK;
}

/* ---- the window of keys in memory ---- */

/* The key that signs, and the one before it: so that a second batch for a place that is filled already is
 * known as an equivocation, not just as a bad signature, for one rotation long. */
enum { KEYS_KEPT = 2 };

static uint32_t oldest_of(const struct ledger_device *entry)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < entry->n_keys; i++) {
        oldest = entry->keys[i].epoch < entry->keys[oldest].epoch ? i : oldest;
    }
    return oldest;
}

/* Every place at which it might sign is filled, or in a stream that the device has left. */
static bool is_over(const struct agg_device *device, const struct ledger_key *key)
{
    uint32_t stream = 0;
    uint32_t seq = 0;
    agg_head_place(device, &stream, &seq);
    return key->revoked || agg_compare_places(key->to_stream, key->to_seq, stream, seq) <= 0;
}

bool agg_key_has_room(const struct agg_device *device, const struct ledger_device *entry)
{
    return entry->n_keys < LEDGER_DEVICE_MAX_KEYS || is_over(device, &entry->keys[oldest_of(entry)]);
}

/* Takes the oldest key out when it is over. False: it stays. */
static bool leave_out(const struct agg_device *device, struct ledger_device *entry, struct ledger_key *out)
{
    uint32_t oldest = oldest_of(entry);
    if (!is_over(device, &entry->keys[oldest])) {
        return false;
    }
    *out = entry->keys[oldest];
    entry->n_keys--;
    memmove(&entry->keys[oldest], &entry->keys[oldest + 1], (entry->n_keys - oldest) * sizeof entry->keys[0]);
    entry->first_epoch = entry->keys[oldest_of(entry)].epoch;
    return true;
}

bool agg_key_room(struct agg_core *core, const struct agg_device *device, struct ledger_device *entry)
{
    struct agg_group *group = &core->group;
    struct ledger_old_key old = {.device_id = device->device_id};
    while (entry->n_keys >= KEYS_KEPT && leave_out(device, entry, &old.key)) {
        /* Its row goes along once more: it may have got its end, or itself, in this very group. */
        HR_ASSERT(group->n_old_keys < GROUP_MAX_OLD_KEYS);
        group->old_keys[group->n_old_keys++] = old;
    }
    return entry->n_keys < LEDGER_DEVICE_MAX_KEYS;
}

void agg_keys_trim(struct agg_device *device)
{
    struct ledger_key out;
    while (device->state.entry.n_keys > KEYS_KEPT && leave_out(device, &device->state.entry, &out)) {
    }
}

struct spki_search {
    const uint8_t *spki;
    bool is_found;
};

static void compare_spki(void *ctx, const struct ledger_old_key *row)
{
    struct spki_search *search = ctx;
    search->is_found = search->is_found || memcmp(row->key.spki, search->spki, LEDGER_SPKI_MAX_BYTES) == 0;
}

bool agg_key_is_used(const struct agg_core *core, const struct ledger_device *entry,
                     const uint8_t spki[LEDGER_SPKI_MAX_BYTES])
{
    const struct ledger *ledger = core->ports.ledger;
    struct spki_search search = {.spki = spki};
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        const struct ledger_old_key row = {.key = entry->keys[i]};
        compare_spki(&search, &row);
    }
    for (uint32_t i = 0; i < core->group.n_old_keys; i++) {
        if (core->group.old_keys[i].device_id == entry->device_id) {
            compare_spki(&search, &core->group.old_keys[i]);
        }
    }
    if (entry->first_epoch != 0 && !search.is_found && ledger->list_keys != NULL) {
        /* A ledger that can't be read now must not cost the device its new key, which is lost for good when
         * it is refused: whoever shows an old one had the current one to sign with. */
        hr_ignore(ledger->list_keys(ledger->ctx, entry->device_id, compare_spki, &search));
    }
    return search.is_found;
}

/* ---- the switch ---- */

/* PROTOCOL 2.4 R2: the new key signs "edge.keyswitch.v1" || device || stream || switch_seq || prev_digest,
 * where prev_digest is that of the header of the batch that carries the record. */
static bool is_proven(struct agg_core *core, const struct agg_batch *batch,
                      const struct edge_key_switch *key_switch)
{
    static const char domain[] = "edge.keyswitch.v1";
    uint8_t message[sizeof domain - 1 + 8 + 4 + 4 + WIRE_DIGEST_BYTES];
    struct hr_writer writer = hr_writer_over(message, sizeof message);
    hr_write_raw(&writer, domain, sizeof domain - 1);
    hr_write_u64(&writer, batch->parts.header.device_id);
    hr_write_u32(&writer, batch->parts.header.stream);
    hr_write_u32(&writer, key_switch->switch_seq);
    hr_write_raw(&writer, batch->parts.header.prev_digest, WIRE_DIGEST_BYTES);
    HR_ASSERT(hr_writer_ok(&writer));
    return core->ports.proof_holds(core->ports.ctx, hr_bytes_of(key_switch->spki, sizeof key_switch->spki),
                                   hr_bytes_of(message, sizeof message), key_switch->proof);
}

/* Why the switch is not followed, or NULL. */
static const char *objection(struct agg_core *core, const struct agg_device *device,
                             const struct agg_batch *batch, const struct edge_key_switch *key_switch)
{
    const struct ledger_device *entry = &device->state.entry;
    const struct wire_header *header = &batch->parts.header;
    if ((header->flags & WIRE_FLAG_KEY_SWITCH) == 0) {
        return "the batch is not flagged";
    }
    if (key_switch->from_epoch != header->key_epoch || key_switch->to_epoch != key_switch->from_epoch + 1 ||
        key_switch->to_epoch > UINT16_MAX) {
        return "epochs do not follow each other";
    }
    if (key_switch->switch_seq != header->batch_seq + 1) {
        return "the switch is not at the next batch";
    }
    if (key_of(entry, key_switch->to_epoch) != NULL) {
        return "the epoch has a key";
    }
    if (!agg_key_has_room(device, entry)) {
        return "the device has all the keys that may sign at a time";
    }
    if (agg_key_is_used(core, entry, key_switch->spki)) {
        return "the key was used before";
    }
    return is_proven(core, batch, key_switch) ? NULL : "the new key does not prove itself";
}

void agg_key_switch(struct agg_core *core, struct agg_device *device, const struct agg_batch *batch,
                    const struct edge_key_switch *key_switch)
{
    struct ledger_device *entry = &device->state.entry;
    const char *why_not = objection(core, device, batch, key_switch);
    if (why_not != NULL) {
        agg_count_staged(core, AGG_COUNT_KEY_SWITCHES_REFUSED, 1);
        agg_emit(core, AGG_EVENT_KEY_SWITCH_REFUSED, batch, key_switch->to_epoch, why_not);
        return;
    }
    agg_touch_entry(core, device);
    const struct ledger_device before = *entry;
    uint32_t stream = batch->parts.header.stream;
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        struct ledger_key *old = &entry->keys[i];
        if (old->epoch == key_switch->from_epoch &&
            agg_compare_places(stream, key_switch->switch_seq, old->to_stream, old->to_seq) < 0) {
            old->to_stream = stream;
            old->to_seq = key_switch->switch_seq;
        }
    }
    const bool has_room = agg_key_room(core, device, entry);
    HR_ASSERT(has_room); /* the objection asked */
    struct ledger_key *key = &entry->keys[entry->n_keys++];
    *key = (struct ledger_key){.epoch = (uint16_t)key_switch->to_epoch,
                               .spki_len_bytes = sizeof key_switch->spki,
                               .from_stream = stream,
                               .from_seq = key_switch->switch_seq,
                               .to_stream = UINT32_MAX,
                               .to_seq = UINT32_MAX,
                               .since_utc_ms = core->ports.clock.utc_ms(core->ports.clock.ctx)};
    memcpy(key->spki, key_switch->spki, sizeof key_switch->spki);
    core->ports.key_added(core->ports.ctx, device->device_id, key);
    entry->wants_key = false;
    entry->state = entry->state == LEDGER_DEVICE_ACTIVE ? LEDGER_DEVICE_ROTATING : entry->state;
    const struct agg_cause cause = {"device", "key_switched", ""};
    agg_audit(core, device, &before, &cause);
    agg_count_staged(core, AGG_COUNT_KEY_SWITCHES, 1);
    agg_emit(core, AGG_EVENT_KEY_SWITCHED, batch, key_switch->to_epoch, NULL);
}

static const struct ledger_key *newest_of(const struct ledger_device *entry)
{
    const struct ledger_key *newest = NULL;
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        newest = newest == NULL || entry->keys[i].epoch > newest->epoch ? &entry->keys[i] : newest;
    }
    return newest;
}

void agg_key_used(struct agg_core *core, struct agg_device *device, const struct agg_batch *batch)
{
    struct ledger_device *entry = &device->state.entry;
    const struct ledger_key *newest = newest_of(entry);
    if (entry->state != LEDGER_DEVICE_ROTATING || newest == NULL ||
        newest->epoch != batch->parts.header.key_epoch) {
        return;
    }
    agg_touch_entry(core, device);
    const struct ledger_device before = *entry;
    const struct agg_cause cause = {"device", "key_in_use", ""};
    entry->state = LEDGER_DEVICE_ACTIVE;
    agg_audit(core, device, &before, &cause);
    agg_emit(core, AGG_EVENT_DEVICE_STATE, batch, 0, "active");
}

/* Keys of a fleet that was enrolled in one day end over a tenth of their age. */
static bool is_too_old(const struct agg_core *core, uint64_t device_id, const struct ledger_key *key)
{
    int64_t max_age_ms = core->limits.key_max_age_ms;
    if (max_age_ms == 0 || key->since_utc_ms == 0) {
        return false;
    }
    int64_t share = (int64_t)((device_id * UINT64_C(0x9E3779B97F4A7C15)) >> 48);
    int64_t age_ms = core->ports.clock.utc_ms(core->ports.clock.ctx) - key->since_utc_ms;
    return age_ms >= max_age_ms - max_age_ms / 10 / 65536 * share;
}

uint8_t agg_hints(const struct agg_core *core, const struct agg_device *device)
{
    const struct ledger_device *entry = &device->state.entry;
    const struct ledger_key *newest = newest_of(entry);
    bool is_asked = device->state.is_known && entry->state == LEDGER_DEVICE_ACTIVE && newest != NULL &&
                    (entry->wants_key || is_too_old(core, device->device_id, newest));
    bool is_asked_transport = device->state.is_known && entry->wants_transport != LEDGER_TRANSPORT_NOT;
    return (uint8_t)((is_asked ? WIRE_HINT_ROTATE : 0) | (is_asked_transport ? WIRE_HINT_RENEW : 0));
}
