/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/enrol.h"

#include "aggregator/core/internal.h"
#include "proto/base/cursor.h"

#include <string.h>

/* What a request works on. */
struct work {
    struct agg_core *core;
    const struct agg_enrolling *request;
    struct agg_enrolled *out;
    struct agg_device *device; /* NULL: none yet */
};

static struct hr_status deny(const struct work *work, const char *why)
{
    work->out->why = why;
    return hr_status_of(HR_DENIED);
}

static struct hr_status find(const struct work *work, const char *serial, uint64_t device_id,
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

static void fill(const struct work *work)
{
    const struct ledger_device *entry = &work->device->state.entry;
    memcpy(work->out->name, entry->name, sizeof work->out->name);
    work->out->state = entry->state;
    work->out->revision = entry->revision;
}

/* ---- making a change ---- */

/* Stages what the device has become, with its audit entry. */
static void stage(const struct work *work, const struct ledger_device *before, const char *action)
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
    fill(work);
}

static void set_reason(struct ledger_device *entry, const char *reason)
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

static struct hr_status claim_again(struct work *work)
{
    const struct ledger_device *entry = &work->device->state.entry;
    if (is_gone(entry->state)) {
        return deny(work, "this hardware's device is revoked or retired: give it another device by replace");
    }
    if (strcmp(entry->name, work->request->name) != 0 ||
        strcmp(work->out->enrolment.site, work->request->wanted.site) != 0) {
        return deny(work, "this serial is claimed under another name or site");
    }
    fill(work);
    return hr_ok();
}

static struct hr_status claim(struct work *work)
{
    const struct agg_enrolling *request = work->request;
    if (work->device != NULL) {
        return claim_again(work);
    }
    const uint64_t wanted = request->wanted.device_id;
    const uint64_t device_id = wanted != 0 ? wanted : next_device_id(work->core);
    const struct agg_device *taken = agg_find(work->core, device_id);
    if (taken != NULL && taken->state.is_known) {
        return deny(work, "that device is there already: for new hardware in its place say replace");
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
    set_reason(entry, "claimed");
    work->device->state.is_known = true;
    stage(work, NULL, "claimed");
    return hr_ok();
}

/* ---- replace ---- */

/* Old hardware signs nothing more: its keys end behind the last batch that was taken. */
static void close_keys(struct agg_device *device)
{
    const struct agg_device_state *state = &device->state;
    const uint32_t stream = state->n_streams > 0 ? state->streams[0].stream : 0;
    const uint32_t seq = state->n_streams > 0 ? agg_next_seq(&state->streams[0]) : 0;
    for (uint32_t i = 0; i < device->state.entry.n_keys; i++) {
        struct ledger_key *key = &device->state.entry.keys[i];
        if (key->to_stream == UINT32_MAX && key->to_seq == UINT32_MAX) {
            key->to_stream = stream;
            key->to_seq = seq;
        }
    }
}

static uint16_t newest_epoch(const struct ledger_device *entry)
{
    uint16_t newest = 0;
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        newest = entry->keys[i].epoch > newest ? entry->keys[i].epoch : newest;
    }
    return newest;
}

static bool is_same_hardware(const struct ledger_enrolment *known, const struct ledger_enrolment *wanted)
{
    return strcmp(known->serial, wanted->serial) == 0 && known->spki_len_bytes == wanted->spki_len_bytes &&
           memcmp(known->spki, wanted->spki, known->spki_len_bytes) == 0;
}

static struct hr_status replace(struct work *work)
{
    const struct agg_enrolling *request = work->request;
    struct ledger_enrolment *enrolment = &work->out->enrolment;
    if (work->device != NULL && work->device->device_id != request->wanted.device_id) {
        return deny(work, "this serial is another device's");
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
    if (is_waiting || (is_known && !is_gone(entry->state) && is_same_hardware(enrolment, &request->wanted))) {
        fill(work);
        return hr_ok();
    }
    if (entry->state == LEDGER_DEVICE_RETIRED) {
        return deny(work, "a retired device stays so: claim a new one");
    }
    if (entry->n_keys == LEDGER_DEVICE_MAX_KEYS || newest_epoch(entry) == UINT16_MAX) {
        return deny(work, "the device has all the keys that it may have: claim a new one");
    }
    const struct agg_device_state *state = &work->device->state;
    memcpy(enrolment->serial, request->wanted.serial, sizeof enrolment->serial);
    memcpy(enrolment->nonce, request->wanted.nonce, sizeof enrolment->nonce);
    enrolment->device_id = entry->device_id;
    enrolment->epoch = (uint16_t)(newest_epoch(entry) + 1);
    enrolment->first_stream = state->n_streams > 0 ? state->streams[0].stream + 1 : 1;
    enrolment->spki_len_bytes = enrolment->certificate_len_bytes = 0;
    memset(enrolment->site, 0, is_known ? 0 : sizeof enrolment->site);
    work->out->is_new = true;
    if (request->dry_run) {
        fill(work);
        work->out->state = LEDGER_DEVICE_CLAIMED;
        return hr_ok();
    }
    agg_touch_entry(work->core, work->device);
    const struct ledger_device before = *entry;
    close_keys(work->device);
    entry->state = LEDGER_DEVICE_CLAIMED;
    entry->revision++;
    set_reason(entry, "replaced");
    agg_hold_drop_all(work->core, work->device, WIRE_ACK_REVOKED);
    stage(work, &before, "replaced");
    return hr_ok();
}

/* ---- certify ---- */

/* SPEC section 12.1. */
static bool hardware_proves_itself(const struct work *work)
{
    static const char domain[] = "edge.enrol.v1";
    const struct agg_enrolling *request = work->request;
    const struct ledger_enrolment *known = &work->out->enrolment;
    uint8_t
        message[sizeof domain - 1 + LEDGER_NONCE_BYTES + 1 + LEDGER_NAME_MAX_CHARS + 2 * WIRE_DIGEST_BYTES];
    uint8_t digest[WIRE_DIGEST_BYTES];
    const struct hr_bytes spki = hr_bytes_of(request->wanted.spki, request->wanted.spki_len_bytes);
    wire_sha256(work->core->ports.hash, &spki, 1, digest);
    struct hr_writer writer = hr_writer_over(message, sizeof message);
    hr_write_raw(&writer, domain, sizeof domain - 1);
    hr_write_raw(&writer, known->nonce, sizeof known->nonce);
    hr_write_u8(&writer, (uint8_t)strlen(known->serial));
    hr_write_raw(&writer, known->serial, strlen(known->serial));
    hr_write_raw(&writer, request->firmware, sizeof request->firmware);
    hr_write_raw(&writer, digest, sizeof digest);
    HR_ASSERT(hr_writer_ok(&writer));
    return work->core->ports.proof_holds(work->core->ports.ctx, spki, hr_bytes_of(message, writer.at),
                                         request->proof);
}

static struct hr_status certify(struct work *work)
{
    const struct agg_enrolling *request = work->request;
    struct ledger_enrolment *enrolment = &work->out->enrolment;
    if (work->device == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct ledger_device *entry = &work->device->state.entry;
    if (enrolment->spki_len_bytes != 0) {
        if (!is_same_hardware(enrolment, &request->wanted)) {
            return deny(work, "this serial has another key: if its memory was erased, say replace");
        }
        fill(work);
        return hr_ok();
    }
    if (entry->state != LEDGER_DEVICE_CLAIMED) {
        return deny(work, "the device is not claimed");
    }
    if (!hardware_proves_itself(work)) {
        return deny(work, "the hardware's proof does not hold: it signed another nonce, or is another");
    }
    work->out->is_new = true;
    if (request->dry_run) {
        fill(work);
        return hr_ok();
    }
    enrolment->spki_len_bytes = request->wanted.spki_len_bytes;
    memcpy(enrolment->spki, request->wanted.spki, sizeof enrolment->spki);
    enrolment->certificate_len_bytes = request->wanted.certificate_len_bytes;
    memcpy(enrolment->certificate, request->wanted.certificate, sizeof enrolment->certificate);
    agg_touch_entry(work->core, work->device);
    const struct ledger_device before = *entry;
    entry->state = LEDGER_DEVICE_ENROLLED;
    entry->revision++;
    set_reason(entry, "certified");
    stage(work, &before, "certified");
    return hr_ok();
}

/* ---- record key ---- */

/* SPEC section 12.2. */
static bool key_proves_itself(const struct work *work)
{
    static const char domain[] = "edge.keyswitch.v1";
    const struct agg_enrolling *request = work->request;
    const struct ledger_enrolment *known = &work->out->enrolment;
    const struct agg_ports *ports = &work->core->ports;
    uint8_t
        message[sizeof domain - 1 + 8 + 2 + LEDGER_NONCE_BYTES + WIRE_DIGEST_BYTES + LEDGER_SPKI_MAX_BYTES];
    uint8_t digest[WIRE_DIGEST_BYTES];
    const struct hr_bytes transport = hr_bytes_of(known->spki, known->spki_len_bytes);
    const struct hr_bytes record = hr_bytes_of(request->record_spki, sizeof request->record_spki);
    wire_sha256(ports->hash, &transport, 1, digest);
    struct hr_writer writer = hr_writer_over(message, sizeof message);
    hr_write_raw(&writer, domain, sizeof domain - 1);
    hr_write_u64(&writer, known->device_id);
    hr_write_u16(&writer, known->epoch);
    hr_write_raw(&writer, known->nonce, sizeof known->nonce);
    hr_write_raw(&writer, digest, sizeof digest);
    hr_write_raw(&writer, record.data, record.len_bytes);
    HR_ASSERT(hr_writer_ok(&writer));
    const struct hr_bytes bytes = hr_bytes_of(message, writer.at);
    return ports->proof_holds(ports->ctx, transport, bytes, request->signature) &&
           ports->proof_holds(ports->ctx, record, bytes, request->proof);
}

static bool is_used(const struct ledger_device *entry, const uint8_t spki[LEDGER_SPKI_MAX_BYTES])
{
    bool used = false;
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        used = used || memcmp(entry->keys[i].spki, spki, LEDGER_SPKI_MAX_BYTES) == 0;
    }
    return used;
}

static const struct ledger_key *key_of(const struct ledger_device *entry, uint16_t epoch)
{
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        if (entry->keys[i].epoch == epoch) {
            return &entry->keys[i];
        }
    }
    return NULL;
}

static const char *objection(const struct work *work)
{
    const struct ledger_enrolment *known = &work->out->enrolment;
    const struct ledger_device *entry = &work->device->state.entry;
    if (known->spki_len_bytes == 0 ||
        (entry->state != LEDGER_DEVICE_ENROLLED && entry->state != LEDGER_DEVICE_ACTIVE)) {
        return "the device is not certified, or may not send";
    }
    if (work->request->wanted.epoch != known->epoch) {
        return "the key is of another epoch than the claim says";
    }
    if (is_used(entry, work->request->record_spki)) {
        return "the key was used before";
    }
    if (entry->n_keys == LEDGER_DEVICE_MAX_KEYS) {
        return "the device has all the keys that it may have";
    }
    return key_proves_itself(work) ? NULL : "the key does not prove itself";
}

static struct hr_status add_record_key(struct work *work)
{
    const struct agg_enrolling *request = work->request;
    if (work->device == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct ledger_device *entry = &work->device->state.entry;
    const struct ledger_key *known = key_of(entry, request->wanted.epoch);
    if (known != NULL) {
        if (memcmp(known->spki, request->record_spki, sizeof known->spki) != 0) {
            return deny(work, "that epoch has another key: if the device's memory was erased, say replace");
        }
        fill(work);
        return hr_ok();
    }
    const char *why_not = objection(work);
    if (why_not != NULL) {
        return deny(work, why_not);
    }
    work->out->is_new = true;
    if (request->dry_run) {
        fill(work);
        return hr_ok();
    }
    agg_touch_entry(work->core, work->device);
    const struct ledger_device before = *entry;
    struct ledger_key *key = &entry->keys[entry->n_keys++];
    *key = (struct ledger_key){.epoch = request->wanted.epoch,
                               .spki_len_bytes = LEDGER_SPKI_MAX_BYTES,
                               .from_stream = work->out->enrolment.first_stream,
                               .to_stream = UINT32_MAX,
                               .to_seq = UINT32_MAX};
    memcpy(key->spki, request->record_spki, sizeof key->spki);
    entry->revision++;
    work->core->ports.key_added(work->core->ports.ctx, entry->device_id, key);
    stage(work, &before, "key_registered");
    return hr_ok();
}

struct hr_status agg_enrol(struct agg_core *core, const struct agg_enrolling *request,
                           struct agg_enrolled *out)
{
    *out = (struct agg_enrolled){.why = NULL};
    struct work work = {.core = core, .request = request, .out = out};
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
        return certify(&work);
    case AGG_RECORD_KEY:
        return add_record_key(&work);
    }
    return hr_status_of(HR_DENIED);
}
