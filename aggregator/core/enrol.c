/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/enrol_work.h"

#include <string.h>

struct hr_status agg_enrol_deny(const struct agg_enrol_work *work, const char *why)
{
    work->out->why = why;
    return hr_status_of(HR_DENIED);
}

static struct hr_status find(const struct agg_enrol_work *work, const char *serial, uint64_t device_id,
                             struct ledger_enrolment *out)
{
    const struct ledger *ledger = work->core->ports.ledger;
    if (ledger->find_enrolment == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct hr_status status = ledger->find_enrolment(ledger->ctx, serial, device_id, out);
    return hr_is_ok(status) || hr_is(status, HR_NOT_FOUND) ? status : hr_status_of(HR_AGAIN);
}

static bool is_gone(enum ledger_device_state state)
{
    return state == LEDGER_DEVICE_REVOKED || state == LEDGER_DEVICE_RETIRED;
}

void agg_enrol_fill(const struct agg_enrol_work *work)
{
    const struct ledger_device *entry = &work->device->state.entry;
    memcpy(work->out->name, entry->name, sizeof work->out->name);
    work->out->state = entry->state;
    work->out->revision = entry->revision;
}

/* ---- making a change ---- */

/* Stages what the device has become, with its audit entry. */
void agg_enrol_stage(const struct agg_enrol_work *work, const struct ledger_device *before,
                     const char *action)
{
    struct agg_core *core = work->core;
    core->group.enrolments[0] = work->out->enrolment;
    core->group.n_enrolments = 1;
    agg_refresh_session_state(work->device);
    const struct agg_cause cause = {work->request->actor, action, work->out->enrolment.serial};
    agg_audit(core, work->device, before, &cause);
    if (before == NULL || before->state != work->device->state.entry.state) {
        agg_announce(core, work->device, AGG_EVENT_DEVICE_STATE);
    }
    agg_enrol_fill(work);
}

void agg_enrol_reason(struct ledger_device *entry, const char *reason)
{
    memset(entry->reason, 0, sizeof entry->reason);
    memcpy(entry->reason, reason, strlen(reason));
}

/* ---- claim ---- */

static uint64_t next_device_id(const struct agg_core *core)
{
    const uint32_t n = atomic_load_explicit(&core->n_devices, memory_order_relaxed);
    uint64_t highest = 0;
    for (uint32_t i = 0; i < n; i++) {
        highest = core->devices[i].device_id > highest ? core->devices[i].device_id : highest;
    }
    return highest + 1;
}

static struct hr_status claim_again(struct agg_enrol_work *work)
{
    const struct ledger_device *entry = &work->device->state.entry;
    if (is_gone(entry->state)) {
        return agg_enrol_deny(
            work, "this hardware's device is revoked or retired: give it another device by replace");
    }
    if (strcmp(entry->name, work->request->name) != 0 ||
        strcmp(work->out->enrolment.site, work->request->wanted.site) != 0) {
        return agg_enrol_deny(work, "this serial is claimed under another name or site");
    }
    agg_enrol_fill(work);
    return hr_ok();
}

static struct hr_status claim(struct agg_enrol_work *work)
{
    const struct agg_enrolling *request = work->request;
    if (work->device != NULL) {
        return claim_again(work);
    }
    const uint64_t wanted = request->wanted.device_id;
    const uint64_t device_id = wanted != 0 ? wanted : next_device_id(work->core);
    const struct agg_device *taken = agg_find(work->core, device_id);
    if (taken != NULL && taken->state.is_known) {
        return agg_enrol_deny(work,
                              "that device is there already: for new hardware in its place say replace");
    }
    work->out->enrolment = request->wanted;
    work->out->enrolment.device_id = device_id;
    work->out->enrolment.epoch = 1;
    work->out->enrolment.first_stream = 0;
    work->out->enrolment.spki_len_bytes = work->out->enrolment.certificate_len_bytes = 0;
    work->out->is_new = true;
    work->out->state = LEDGER_DEVICE_CLAIMED;
    work->out->revision = 1;
    if (request->dry_run) {
        return hr_ok();
    }
    work->device = agg_find_or_add(work->core, device_id);
    if (work->device == NULL) {
        return hr_status_of(HR_FULL);
    }
    agg_touch_entry(work->core, work->device);
    struct ledger_device *entry = &work->device->state.entry;
    *entry = (struct ledger_device){.device_id = device_id, .state = LEDGER_DEVICE_CLAIMED, .revision = 1};
    memcpy(entry->name, request->name, sizeof entry->name);
    memcpy(entry->tenant, request->tenant, sizeof entry->tenant);
    agg_enrol_reason(entry, "claimed");
    work->device->state.is_known = true;
    agg_enrol_stage(work, NULL, "claimed");
    return hr_ok();
}

/* ---- replace ---- */

/* Old hardware signs nothing more: its keys end behind the last batch that was taken. */
static void close_keys(struct agg_device *device)
{
    uint32_t stream = 0;
    uint32_t seq = 0;
    agg_head_place(device, &stream, &seq);
    for (uint32_t i = 0; i < device->state.entry.n_keys; i++) {
        struct ledger_key *key = &device->state.entry.keys[i];
        if (key->to_stream == UINT32_MAX && key->to_seq == UINT32_MAX) {
            key->to_stream = stream;
            key->to_seq = seq;
        }
    }
}

/* Nor does its transport key open a session; one that was certified before there were rows of keys gets one.
 */
static void bar_transport(const struct agg_enrol_work *work, const struct ledger_enrolment *old)
{
    if (work->device->state.last_number == 0 && old->spki_len_bytes != 0) {
        uint8_t key[WIRE_DIGEST_BYTES];
        const struct hr_bytes spki = hr_bytes_of(old->spki, old->spki_len_bytes);
        wire_sha256(work->core->ports.hash, &spki, 1, key);
        (void)agg_certificate_add(work->core, work->device, key,
                                  hr_bytes_of(old->certificate, old->certificate_len_bytes), NULL);
    }
    agg_certificates_bar(work->core, work->device);
    work->device->state.entry.wants_transport = LEDGER_TRANSPORT_NOT;
}

static uint16_t newest_epoch(const struct ledger_device *entry)
{
    uint16_t newest = 0;
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        newest = entry->keys[i].epoch > newest ? entry->keys[i].epoch : newest;
    }
    return newest;
}

bool agg_enrol_is_same(const struct ledger_enrolment *known, const struct ledger_enrolment *wanted)
{
    return strcmp(known->serial, wanted->serial) == 0 && known->spki_len_bytes == wanted->spki_len_bytes &&
           memcmp(known->spki, wanted->spki, known->spki_len_bytes) == 0;
}

static struct hr_status replace(struct agg_enrol_work *work)
{
    const struct agg_enrolling *request = work->request;
    struct ledger_enrolment *enrolment = &work->out->enrolment;
    if (work->device != NULL && work->device->device_id != request->wanted.device_id) {
        return agg_enrol_deny(work, "this serial is another device's");
    }
    work->device = agg_find(work->core, request->wanted.device_id);
    if (work->device == NULL || !work->device->state.is_known) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct ledger_device *entry = &work->device->state.entry;
    struct hr_status status = find(work, NULL, work->device->device_id, enrolment);
    if (hr_is(status, HR_AGAIN)) {
        return status;
    }
    const bool is_known = hr_is_ok(status);
    const bool is_waiting = is_known && entry->state == LEDGER_DEVICE_CLAIMED &&
                            strcmp(enrolment->serial, request->wanted.serial) == 0;
    if (is_waiting ||
        (is_known && !is_gone(entry->state) && agg_enrol_is_same(enrolment, &request->wanted))) {
        agg_enrol_fill(work);
        return hr_ok();
    }
    if (entry->state == LEDGER_DEVICE_RETIRED) {
        return agg_enrol_deny(work, "a retired device stays so: claim a new one");
    }
    if (newest_epoch(entry) == UINT16_MAX) {
        return agg_enrol_deny(work, "the device has had all the keys that it may have: claim a new one");
    }
    const struct agg_device_state *state = &work->device->state;
    const struct ledger_enrolment old = *enrolment;
    memcpy(enrolment->serial, request->wanted.serial, sizeof enrolment->serial);
    memcpy(enrolment->nonce, request->wanted.nonce, sizeof enrolment->nonce);
    enrolment->device_id = entry->device_id;
    enrolment->epoch = (uint16_t)(newest_epoch(entry) + 1);
    enrolment->first_stream = state->n_streams > 0 ? state->streams[0].stream + 1 : 1;
    enrolment->spki_len_bytes = enrolment->certificate_len_bytes = 0;
    memset(enrolment->spki, 0, sizeof enrolment->spki);
    memset(enrolment->certificate, 0, sizeof enrolment->certificate);
    memset(enrolment->site, 0, is_known ? 0 : sizeof enrolment->site);
    work->out->is_new = true;
    if (request->dry_run) {
        agg_enrol_fill(work);
        work->out->state = LEDGER_DEVICE_CLAIMED;
        return hr_ok();
    }
    agg_touch_entry(work->core, work->device);
    const struct ledger_device before = *entry;
    close_keys(work->device);
    bar_transport(work, &old);
    entry->state = LEDGER_DEVICE_CLAIMED;
    entry->cut = LEDGER_CUT_NONE;
    entry->cut_stream = entry->cut_seq = 0;
    entry->bundle = 0;
    entry->revision++;
    agg_enrol_reason(entry, "replaced");
    agg_hold_drop_all(work->core, work->device, WIRE_ACK_REVOKED);
    agg_enrol_stage(work, &before, "replaced");
    return hr_ok();
}

struct hr_status agg_enrol(struct agg_core *core, const struct agg_enrolling *request,
                           struct agg_enrolled *out)
{
    *out = (struct agg_enrolled){.why = NULL};
    struct agg_enrol_work work = {.core = core, .request = request, .out = out};
    if (core->is_fenced || agg_group_waiting(core) > 0 || agg_group_is_full(core)) {
        return hr_status_of(HR_AGAIN);
    }
    struct hr_status status = find(&work, request->wanted.serial, 0, &out->enrolment);
    if (hr_is(status, HR_AGAIN)) {
        return status;
    }
    if (hr_is_ok(status)) {
        work.device = agg_find(core, out->enrolment.device_id);
        HR_ASSERT(work.device != NULL && work.device->state.is_known);
        if (work.device->state.entry.revision >= UINT32_MAX - 1) {
            return hr_status_of(HR_FULL);
        }
    }
    switch (request->kind) {
    case AGG_CLAIM:
        return claim(&work);
    case AGG_REPLACE:
        return replace(&work);
    case AGG_CERTIFY:
        return agg_enrol_certify(&work);
    case AGG_RECORD_KEY:
        return agg_enrol_record_key(&work);
    }
    return hr_status_of(HR_DENIED);
}
