/* SPDX-License-Identifier: Apache-2.0
 *
 * Transport keys of devices (proto/SPEC.md 4.11): which open a session, and until when. No key is over
 * because of a date alone: there is always a newer one, and a session was opened with it. */
#include "aggregator/core/internal.h"

#include <string.h>

static const int64_t OVERLAP_MS = INT64_C(30) * 24 * 60 * 60 * 1000;

static int64_t now_utc_ms(const struct agg_core *core)
{
    return core->ports.clock.utc_ms(core->ports.clock.ctx);
}

int64_t agg_overlap_end(const struct agg_core *core)
{
    const int64_t overlap_ms = core->limits.certificate_overlap_ms;
    return now_utc_ms(core) + (overlap_ms != 0 ? overlap_ms : OVERLAP_MS);
}

bool agg_certificate_is_over(const struct agg_certificate *certificate, int64_t now_utc)
{
    return certificate->is_barred || (certificate->ends_utc_ms != 0 && certificate->ends_utc_ms <= now_utc);
}

struct agg_certificate *agg_certificate_of(struct agg_device *device, const uint8_t key[WIRE_DIGEST_BYTES])
{
    for (uint32_t i = 0; i < AGG_DEVICE_CERTIFICATES; i++) {
        struct agg_certificate *certificate = &device->state.certificates[i];
        if (certificate->number != 0 && memcmp(certificate->key, key, WIRE_DIGEST_BYTES) == 0) {
            return certificate;
        }
    }
    return NULL;
}

/* ---- for other threads ---- */

static void words_of(const uint8_t key[WIRE_DIGEST_BYTES], uint64_t out[4])
{
    memcpy(out, key, WIRE_DIGEST_BYTES);
}

void agg_certificates_publish(struct agg_device *device)
{
    for (uint32_t i = 0; i < AGG_DEVICE_CERTIFICATES; i++) {
        const struct agg_certificate *from = &device->state.certificates[i];
        struct agg_pass_place *to = &device->passes[i];
        uint64_t words[4];
        words_of(from->key, words);
        for (uint32_t word = 0; word < HR_ARRAY_LEN(words); word++) {
            atomic_store_explicit(&to->key[word], words[word], memory_order_relaxed);
        }
        atomic_store_explicit(&to->ends_utc_ms, from->ends_utc_ms, memory_order_relaxed);
        atomic_store_explicit(&to->is_barred, from->is_barred, memory_order_relaxed);
        atomic_store_explicit(&to->is_used, from->used_utc_ms != 0, memory_order_relaxed);
    }
    atomic_store_explicit(&device->is_judged, device->state.last_number != 0, memory_order_release);
}

static bool is_key(const struct agg_pass_place *place, const uint64_t words[4])
{
    bool is_same = true;
    for (uint32_t word = 0; word < 4; word++) {
        is_same = is_same && atomic_load_explicit(&place->key[word], memory_order_relaxed) == words[word];
    }
    return is_same;
}

enum agg_pass agg_judge_key(const struct agg_core *core, uint64_t device_id,
                            const uint8_t key[WIRE_DIGEST_BYTES], int64_t now_utc)
{
    const struct agg_device *device = agg_find(core, device_id);
    if (device == NULL || !atomic_load_explicit(&device->is_judged, memory_order_acquire)) {
        return AGG_PASS_GOOD;
    }
    uint64_t words[4];
    words_of(key, words);
    const struct agg_pass_place *place = NULL;
    for (uint32_t i = 0; i < AGG_DEVICE_CERTIFICATES && place == NULL; i++) {
        place = is_key(&device->passes[i], words) ? &device->passes[i] : NULL;
    }
    if (place == NULL) {
        return AGG_PASS_UNKNOWN;
    }
    if (atomic_load_explicit(&place->is_barred, memory_order_relaxed)) {
        return AGG_PASS_REPLACED;
    }
    const int64_t ends_utc_ms = atomic_load_explicit(&place->ends_utc_ms, memory_order_relaxed);
    if (ends_utc_ms != 0) {
        return ends_utc_ms <= now_utc ? AGG_PASS_ENDED : AGG_PASS_SUPERSEDED;
    }
    return atomic_load_explicit(&place->is_used, memory_order_relaxed) ? AGG_PASS_GOOD : AGG_PASS_FIRST;
}

/* ---- places ---- */

/* How well the place can do without its key: 0 is free. What is in use has no newer one that was used. */
static uint32_t rank_of(const struct agg_certificate *certificate, int64_t now_utc)
{
    if (certificate->number == 0) {
        return 0;
    }
    if (agg_certificate_is_over(certificate, now_utc)) {
        return 1;
    }
    if (certificate->used_utc_ms == 0) {
        return 2;
    }
    return certificate->ends_utc_ms != 0 ? 3 : 4;
}

static struct agg_certificate *spare(const struct agg_core *core, struct agg_device *device,
                                     const struct agg_certificate *spared_not)
{
    const int64_t now_utc = now_utc_ms(core);
    struct agg_certificate *best = NULL;
    for (uint32_t i = 0; i < AGG_DEVICE_CERTIFICATES; i++) {
        struct agg_certificate *place = &device->state.certificates[i];
        const uint32_t rank = rank_of(place, now_utc);
        if (place != spared_not && (best == NULL || rank < rank_of(best, now_utc) ||
                                    (rank == rank_of(best, now_utc) && place->number < best->number))) {
            best = place;
        }
    }
    return best;
}

static struct ledger_certificate *stage(struct agg_core *core, const struct agg_device *device,
                                        const struct agg_certificate *certificate)
{
    struct agg_group *group = &core->group;
    HR_ASSERT(group->n_certificates < GROUP_MAX_CERTIFICATES);
    struct ledger_certificate *row = &group->certificates[group->n_certificates++];
    *row = (struct ledger_certificate){.device_id = device->device_id,
                                       .number = certificate->number,
                                       .is_barred = certificate->is_barred,
                                       .issued_utc_ms = certificate->issued_utc_ms,
                                       .used_utc_ms = certificate->used_utc_ms,
                                       .ends_utc_ms = certificate->ends_utc_ms};
    memcpy(row->key, certificate->key, sizeof row->key);
    return row;
}

void agg_certificate_stage(struct agg_core *core, const struct agg_device *device,
                           const struct agg_certificate *certificate)
{
    (void)stage(core, device, certificate);
}

/* What is not in memory opens no session, so what stands there ends now. */
static struct agg_certificate *make_room(struct agg_core *core, struct agg_device *device,
                                         const struct agg_certificate *spared_not)
{
    struct agg_certificate *place = spare(core, device, spared_not);
    const int64_t now_utc = now_utc_ms(core);
    if (place->number != 0 && !agg_certificate_is_over(place, now_utc)) {
        place->ends_utc_ms = now_utc;
        agg_certificate_stage(core, device, place);
    }
    return place;
}

struct agg_certificate *agg_certificate_add(struct agg_core *core, struct agg_device *device,
                                            const uint8_t key[WIRE_DIGEST_BYTES], struct hr_bytes certificate,
                                            const struct agg_certificate *spared_not)
{
    struct agg_certificate *place = make_room(core, device, spared_not);
    *place =
        (struct agg_certificate){.number = ++device->state.last_number, .issued_utc_ms = now_utc_ms(core)};
    memcpy(place->key, key, sizeof place->key);
    struct ledger_certificate *row = stage(core, device, place);
    HR_ASSERT(certificate.len_bytes <= sizeof row->certificate);
    memcpy(row->certificate, certificate.data, certificate.len_bytes);
    row->certificate_len_bytes = (uint16_t)certificate.len_bytes;
    return place;
}

struct hr_status agg_certificate_find(const struct agg_core *core, uint64_t device_id,
                                      const uint8_t key[WIRE_DIGEST_BYTES], struct ledger_certificate *out)
{
    const struct ledger *ledger = core->ports.ledger;
    if (ledger->find_certificate == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    struct hr_status status = ledger->find_certificate(ledger->ctx, device_id, key, out);
    return hr_is_ok(status) || hr_is(status, HR_NOT_FOUND) ? status : hr_status_of(HR_AGAIN);
}

struct hr_status agg_certificate_enrol(struct agg_core *core, struct agg_device *device,
                                       const uint8_t key[WIRE_DIGEST_BYTES], struct hr_bytes certificate)
{
    static struct ledger_certificate row; /* one core thread */
    struct hr_status status = agg_certificate_find(core, device->device_id, key, &row);
    if (hr_is(status, HR_AGAIN)) {
        return status;
    }
    agg_touch_entry(core, device);
    if (!hr_is_ok(status)) {
        (void)agg_certificate_add(core, device, key, certificate, NULL);
        return hr_ok();
    }
    struct agg_certificate *again = agg_certificate_of(device, key);
    again = again != NULL ? again : make_room(core, device, NULL);
    *again = (struct agg_certificate){.number = row.number, .issued_utc_ms = row.issued_utc_ms};
    memcpy(again->key, key, sizeof again->key);
    agg_certificate_stage(core, device, again);
    return hr_ok();
}

void agg_certificates_bar(struct agg_core *core, struct agg_device *device)
{
    for (uint32_t i = 0; i < AGG_DEVICE_CERTIFICATES; i++) {
        struct agg_certificate *certificate = &device->state.certificates[i];
        if (certificate->number != 0 && !certificate->is_barred) {
            certificate->is_barred = true;
            agg_certificate_stage(core, device, certificate);
        }
    }
}

/* ---- at start ---- */

static void load_certificate(void *ctx, const struct ledger_certificate *row)
{
    struct agg_core *core = ctx;
    struct agg_device *device = agg_find(core, row->device_id);
    if (device == NULL) {
        core->load_status = hr_status_of(HR_CORRUPT);
        return;
    }
    struct agg_certificate *place = spare(core, device, NULL);
    *place = (struct agg_certificate){.number = row->number,
                                      .is_barred = row->is_barred,
                                      .issued_utc_ms = row->issued_utc_ms,
                                      .used_utc_ms = row->used_utc_ms,
                                      .ends_utc_ms = row->ends_utc_ms};
    memcpy(place->key, row->key, sizeof place->key);
    device->state.last_number = row->number;
    agg_certificates_publish(device);
}

struct hr_status agg_certificates_load(struct agg_core *core)
{
    const struct ledger *ledger = core->ports.ledger;
    if (ledger->certificates == NULL) {
        return hr_ok();
    }
    HR_TRY(ledger->certificates(ledger->ctx, 0, load_certificate, core));
    return core->load_status;
}
