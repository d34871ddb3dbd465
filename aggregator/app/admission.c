/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/admission.h"

#include "aggregator/app/exit.h"
#include "aggregator/app/log.h"
#include "aggregator/app/time.h"
#include "proto/base/assert.h"
#include "proto/base/failpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { TICK_MS = 100, FULL_DISK_MS = 10000 };

/* ---- what the core calls ---- */

static void on_key_added(void *ctx, uint64_t device_id, const struct ledger_key *key)
{
    struct app_admission *admission = ctx;
    struct hr_status status = verify_keyring_put(admission->keyring, device_id, key->epoch,
                                                 hr_bytes_of(key->spki, key->spki_len_bytes));
    if (!hr_is_ok(status)) {
        APP_LOG(APP_ERROR, "key_not_usable", app_number("device_id", device_id),
                app_number("epoch", key->epoch), app_text("why", hr_code_name(status.code)));
    }
}

static void on_key_dropped(void *ctx, uint64_t device_id, uint16_t epoch)
{
    verify_keyring_drop(((struct app_admission *)ctx)->keyring, device_id, epoch);
}

static bool proof_holds(void *ctx, struct hr_bytes spki, struct hr_bytes message,
                        const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    (void)ctx;
    return verify_proof_holds(spki, message, signature);
}

struct event_row {
    const char *name;
    enum app_level level;
};

static const struct event_row event_rows[] = {
    [AGG_EVENT_STREAM_STARTED] = {"stream_started", APP_INFO},
    [AGG_EVENT_LOSS] = {"loss", APP_WARN},
    [AGG_EVENT_LOSS_REFUSED] = {"loss_refused", APP_WARN},
    [AGG_EVENT_FORK] = {"fork", APP_ERROR},
    [AGG_EVENT_EQUIVOCATION] = {"equivocation", APP_ERROR},
    [AGG_EVENT_RECORD_DISCONTINUITY] = {"record_discontinuity", APP_WARN},
    [AGG_EVENT_KEY_SWITCHED] = {"key_switched", APP_INFO},
    [AGG_EVENT_KEY_SWITCH_REFUSED] = {"key_switch_refused", APP_WARN},
    [AGG_EVENT_DEVICE_STATE] = {"device_state", APP_INFO},
    [AGG_EVENT_REGISTRY_REFUSED] = {"registry_refused", APP_ERROR},
    [AGG_EVENT_REGISTRY_OUTDATED] = {"registry_outdated", APP_WARN},
    [AGG_EVENT_LEDGER_FULL] = {"group_refused", APP_DEBUG}, /* note_room tells it once */
    [AGG_EVENT_LEDGER_AWAY] = {"ledger_away", APP_ERROR},
    [AGG_EVENT_FENCED] = {"ledger_fenced", APP_ERROR},
    [AGG_EVENT_CLOCK_STEP] = {"clock_step", APP_WARN},
};

static void on_event(void *ctx, const struct agg_event *event)
{
    struct app_admission *admission = ctx;
    HR_ASSERT((size_t)event->kind < HR_ARRAY_LEN(event_rows));
    const struct event_row *row = &event_rows[event->kind];
    APP_LOG(row->level, row->name, app_number("device_id", event->device_id),
            app_number("stream", event->stream), app_number("seq", event->seq),
            app_number("to_seq", event->to_seq), app_number("n", event->n), app_text("text", event->text));
    if (event->kind == AGG_EVENT_DEVICE_STATE) {
        admission->devices_changing = true;
    }
}

void app_admission_ports(struct app_admission *admission, struct agg_ports *ports)
{
    ports->release = app_batch_release;
    ports->key_added = on_key_added;
    ports->key_dropped = on_key_dropped;
    ports->proof_holds = proof_holds;
    ports->event = on_event;
    ports->ctx = admission;
}

/* ---- groups ---- */

/* Nothing may be answered any more, and nothing may be tried again after an fsync error (PROTOCOL 8.6): the
 * truth is on the disk, and the next start reads it. */
static _Noreturn void end_without_answering(void)
{
    APP_LOG(APP_ERROR, "ledger_outcome_unknown", app_text("text", "the process ends without acknowledging"));
    _exit(APP_EXIT_LEDGER);
}

/* A ledger that gets full, or has room again, is told once; every refused group would be a line too many. */
static void note_room(struct app_admission *admission, bool is_full, const char *why)
{
    int expected = is_full ? APP_LEDGER_GOOD : APP_LEDGER_FULL;
    int next = is_full ? APP_LEDGER_FULL : APP_LEDGER_GOOD;
    if (!atomic_compare_exchange_strong(&admission->health, &expected, next)) {
        return;
    }
    if (is_full) {
        APP_LOG(APP_ERROR, "ledger_full", app_text("why", why),
                app_text("text", "collectors are told to come again later; they keep what they have"));
    } else {
        APP_LOG(APP_INFO, "ledger_has_room",
                app_number("used_bytes", atomic_load(&admission->room->used_bytes)));
    }
}

void app_admission_looked(void *ctx, const char *why_full)
{
    struct app_admission *admission = ctx;
    if (why_full != NULL || app_monotonic_ms() >= atomic_load(&admission->full_until_ms)) {
        note_room(admission, why_full != NULL, why_full);
    }
}

static struct hr_status commit(struct app_admission *admission, const struct ledger_commit *change)
{
    if (change->n_batches > 0 && atomic_load(&admission->is_behind)) {
        return hr_status_of(HR_FULL); /* collectors keep what they have and come again */
    }
    HR_FAILPOINT("before_commit");
    struct hr_status status = admission->ledger->commit(admission->ledger->ctx, change);
    HR_FAILPOINT("after_commit");
    switch (status.code) {
    case HR_OK:
        if (change->n_batches > 0) {
            atomic_store(&admission->size, change->batches[change->n_batches - 1].leaf + 1);
        }
        atomic_store(&admission->full_until_ms, 0);
        note_room(admission, false, NULL);
        atomic_store(&admission->health, APP_LEDGER_GOOD);
        break;
    case HR_FULL: {
        const char *why = app_room_why_full(admission->room);
        atomic_store(&admission->full_until_ms, app_monotonic_ms() + FULL_DISK_MS);
        note_room(admission, true, why != NULL ? why : "the disk is full");
        break;
    }
    case HR_DENIED:
        atomic_store(&admission->health, APP_LEDGER_FENCED);
        break;
    case HR_AGAIN:
        atomic_store(&admission->health, APP_LEDGER_AWAY);
        break;
    case HR_MALFORMED:
    case HR_CORRUPT:
    case HR_IO:
    case HR_NOT_FOUND:
    case HR_CLOSED:
        end_without_answering();
    }
    return status;
}

static bool group_is_open(const struct app_admission *admission)
{
    return agg_group_waiting(admission->core) > 0;
}

static void close_group(struct app_admission *admission)
{
    admission->group_since_ms = 0;
    const struct ledger_commit *change = agg_group_take(admission->core);
    if (change == NULL && !group_is_open(admission)) {
        return;
    }
    bool has_batches = change != NULL && change->n_batches > 0;
    struct hr_status status = change != NULL ? commit(admission, change) : hr_ok();
    agg_group_settle(admission->core, status);
    if (admission->decision != NULL) {
        app_decision_settle(admission->decision, status);
        admission->decision = NULL;
    }
    HR_FAILPOINT("after_ack");
    if (hr_is_ok(status) && has_batches) {
        admission->committed(admission->ctx);
    }
    if (admission->devices_changing) {
        admission->devices_changing = false;
        admission->devices_changed(admission->ctx, hr_is_ok(status));
    }
}

static void register_device(struct app_admission *admission, const struct ledger_device *device)
{
    struct hr_status status = agg_register(admission->core, device);
    if (hr_is(status, HR_AGAIN)) {
        close_group(admission);
        status = agg_register(admission->core, device);
    }
    if (!hr_is_ok(status)) {
        APP_LOG(APP_ERROR, "registry_entry_refused", app_number("device_id", device->device_id),
                app_text("why", hr_is(status, HR_DENIED)
                                    ? "an epoch would get another key"
                                    : "more devices, or keys of one, than there is room for"));
        return;
    }
    if (!app_tenants_set(admission->tenants, device->device_id, device->tenant)) {
        APP_LOG(APP_ERROR, "no_memory", app_text("for", "tenant"));
    }
    admission->devices_changing = true;
}

void app_admission_register(struct app_admission *admission, const struct ledger_device *device)
{
    register_device(admission, device);
    if (agg_group_is_full(admission->core)) {
        close_group(admission);
    }
}

/* A decision is a group by itself: a ledger that has no room for batches may have room for it, and what it
 * would be refused with is not its own. Closing a group can open the next, with what was held. */
static void decide(struct app_admission *admission, struct app_decision *decision)
{
    while (group_is_open(admission)) {
        close_group(admission);
    }
    if (app_decision_make(decision, admission->core)) {
        admission->decision = decision;
        close_group(admission);
    }
}

static void handle(struct app_admission *admission, struct app_item *item)
{
    if (agg_group_is_full(admission->core)) {
        close_group(admission);
    }
    switch (item->kind) {
    case APP_ITEM_BATCH:
        agg_submit(admission->core, &((struct app_batch *)item->owner)->batch);
        HR_FAILPOINT("batch_submitted");
        break;
    case APP_ITEM_HEAD: {
        struct app_head *head = item->owner;
        agg_head(admission->core, head->ticket, head->device_id, head->stream);
        free(head);
        break;
    }
    case APP_ITEM_DEVICE: {
        struct app_device *device = item->owner;
        register_device(admission, &device->device);
        free(device);
        break;
    }
    case APP_ITEM_DECISION:
        decide(admission, item->owner);
        break;
    case APP_ITEM_BUNDLE: {
        struct app_bundle *bundle = item->owner;
        agg_has_bundle(admission->core, bundle->device_id, bundle->version);
        free(bundle);
        break;
    }
    }
}

/* How long to wait for the next item. With a group open, only while batches are being judged, and never
 * longer than its window. */
static uint32_t wait_ms(const struct app_admission *admission, uint64_t now_ms)
{
    if (!group_is_open(admission)) {
        return now_ms < admission->next_tick_ms ? (uint32_t)(admission->next_tick_ms - now_ms) : 0;
    }
    uint64_t age_ms = now_ms - admission->group_since_ms;
    if (atomic_load(&admission->intake->n_verifying) == 0 || age_ms >= admission->commit_window_ms) {
        return 0;
    }
    return admission->commit_window_ms - (uint32_t)age_ms;
}

static void *run(void *ctx)
{
    struct app_admission *admission = ctx;
    for (;;) {
        bool ending = app_inbox_is_closed(admission->inbox);
        struct app_item *list = app_inbox_take(admission->inbox, wait_ms(admission, app_monotonic_ms()));
        bool idle = list == NULL;
        while (list != NULL) {
            struct app_item *item = list;
            list = item->next;
            handle(admission, item);
        }
        uint64_t now_ms = app_monotonic_ms();
        if (group_is_open(admission) && admission->group_since_ms == 0) {
            admission->group_since_ms = now_ms;
        }
        if (group_is_open(admission) && wait_ms(admission, now_ms) == 0) {
            close_group(admission);
        }
        if (now_ms >= admission->next_tick_ms) {
            agg_tick(admission->core);
            admission->next_tick_ms = now_ms + TICK_MS;
        }
        if (ending && idle) {
            break;
        }
    }
    close_group(admission);
    agg_core_drain(admission->core);
    return NULL;
}

struct hr_status app_admission_start(struct app_admission *admission)
{
    close_group(admission); /* of registry entries taken before */
    admission->next_tick_ms = app_monotonic_ms() + TICK_MS;
    return hr_status_of(pthread_create(&admission->thread, NULL, run, admission) == 0 ? HR_OK : HR_IO);
}

void app_admission_join(struct app_admission *admission)
{
    (void)pthread_join(admission->thread, NULL);
}
