/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests of the ceremony that bring a key: each proves itself before it counts. */
#include "aggregator/core/enrol_work.h"
#include "proto/base/cursor.h"

#include <string.h>

/* ---- certify ---- */

/* SPEC section 12.1. */
static bool hardware_proves_itself(const struct agg_enrol_work *work)
{
    static const char domain[] = "edge.enrol.v1";
    const struct agg_enrolling *request = work->request;
    const struct ledger_enrolment *known = &work->out->enrolment;
    uint8_t message[sizeof domain - 1 + LEDGER_NONCE_BYTES + 1 + LEDGER_NAME_MAX_CHARS +
                    (size_t)2 * WIRE_DIGEST_BYTES];
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

struct hr_status agg_enrol_certify(struct agg_enrol_work *work)
{
    const struct agg_enrolling *request = work->request;
    struct ledger_enrolment *enrolment = &work->out->enrolment;
    if (work->device == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct ledger_device *entry = &work->device->state.entry;
    if (enrolment->spki_len_bytes != 0) {
        if (!agg_enrol_is_same(enrolment, &request->wanted)) {
            return agg_enrol_deny(work, "this serial has another key: if its memory was erased, say replace");
        }
        agg_enrol_fill(work);
        return hr_ok();
    }
    if (entry->state != LEDGER_DEVICE_CLAIMED) {
        return agg_enrol_deny(work, "the device is not claimed");
    }
    if (!hardware_proves_itself(work)) {
        return agg_enrol_deny(
            work, "the hardware's proof does not hold: another device answered in between, or the line "
                  "is not to be trusted: look at it, and say it again");
    }
    work->out->is_new = true;
    if (request->dry_run) {
        agg_enrol_fill(work);
        return hr_ok();
    }
    enrolment->spki_len_bytes = request->wanted.spki_len_bytes;
    memcpy(enrolment->spki, request->wanted.spki, sizeof enrolment->spki);
    enrolment->certificate_len_bytes = request->wanted.certificate_len_bytes;
    memcpy(enrolment->certificate, request->wanted.certificate, sizeof enrolment->certificate);
    uint8_t key[WIRE_DIGEST_BYTES];
    const struct hr_bytes spki = hr_bytes_of(enrolment->spki, enrolment->spki_len_bytes);
    wire_sha256(work->core->ports.hash, &spki, 1, key);
    HR_TRY(agg_certificate_enrol(work->core, work->device, key,
                                 hr_bytes_of(enrolment->certificate, enrolment->certificate_len_bytes)));
    const struct ledger_device before = *entry;
    entry->state = LEDGER_DEVICE_ENROLLED;
    entry->revision++;
    agg_enrol_reason(entry, "certified");
    agg_enrol_stage(work, &before, "certified");
    return hr_ok();
}

/* ---- record key ---- */

/* SPEC section 12.2. */
static bool key_proves_itself(const struct agg_enrol_work *work)
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

static const struct ledger_key *key_of(const struct ledger_device *entry, uint16_t epoch)
{
    for (uint32_t i = 0; i < entry->n_keys; i++) {
        if (entry->keys[i].epoch == epoch) {
            return &entry->keys[i];
        }
    }
    return NULL;
}

static const char *objection(const struct agg_enrol_work *work)
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
    if (agg_key_is_used(work->core, entry, work->request->record_spki)) {
        return "the key was used before";
    }
    if (!agg_key_has_room(work->device, entry)) {
        return "the device has all the keys that may sign at a time";
    }
    return key_proves_itself(work) ? NULL : "the key does not prove itself";
}

struct hr_status agg_enrol_record_key(struct agg_enrol_work *work)
{
    const struct agg_enrolling *request = work->request;
    if (work->device == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct ledger_device *entry = &work->device->state.entry;
    const struct ledger_key *known = key_of(entry, request->wanted.epoch);
    if (known != NULL) {
        if (memcmp(known->spki, request->record_spki, sizeof known->spki) != 0) {
            return agg_enrol_deny(
                work, "that epoch has another key: if the device's memory was erased, say replace");
        }
        agg_enrol_fill(work);
        return hr_ok();
    }
    const char *why_not = objection(work);
    if (why_not != NULL) {
        return agg_enrol_deny(work, why_not);
    }
    work->out->is_new = true;
    if (request->dry_run) {
        agg_enrol_fill(work);
        return hr_ok();
    }
    agg_touch_entry(work->core, work->device);
    const struct ledger_device before = *entry;
    const bool has_room = agg_key_room(work->core, work->device, entry);
    HR_ASSERT(has_room); /* the objection asked */
    struct ledger_key *key = &entry->keys[entry->n_keys++];
    *key = (struct ledger_key){.epoch = request->wanted.epoch,
                               .spki_len_bytes = LEDGER_SPKI_MAX_BYTES,
                               .from_stream = work->out->enrolment.first_stream,
                               .to_stream = UINT32_MAX,
                               .to_seq = UINT32_MAX,
                               .since_utc_ms = work->core->ports.clock.utc_ms(work->core->ports.clock.ctx)};
    memcpy(key->spki, request->record_spki, sizeof key->spki);
    entry->revision++;
    work->core->ports.key_added(work->core->ports.ctx, entry->device_id, key);
    agg_enrol_stage(work, &before, "key_added");
    return hr_ok();
}
