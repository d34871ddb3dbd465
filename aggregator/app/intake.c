/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/intake.h"

#include "aggregator/app/decision.h"
#include "aggregator/app/log.h"
#include "aggregator/app/time.h"
#include "proto/base/failpoint.h"

#include <stdlib.h>
#include <string.h>

static void batch_free(struct app_batch *batch)
{
    atomic_fetch_sub(&batch->intake->inflight_bytes, batch->cost_bytes);
    free(batch);
}

void app_batch_release(void *ctx, struct agg_batch *batch)
{
    (void)ctx;
    batch_free(batch->owner);
}

/* [worker thread] */
static void on_judged(void *ctx, struct verify_job *job)
{
    struct app_intake *intake = ctx;
    struct app_batch *batch = (struct app_batch *)job;
    HR_FAILPOINT("after_verify");
    batch->batch.verdict = job->result.verdict;
    batch->batch.has_parts = job->result.has_parts;
    batch->batch.parts = job->result.parts;
    memcpy(batch->batch.digest, job->result.digest, sizeof(batch->batch.digest));
    /* The inbox is closed only after the workers have ended. */
    hr_ignore(app_inbox_put(intake->inbox, &batch->item));
    atomic_fetch_sub(&intake->n_verifying, 1);
}

static struct hr_status take_batch(void *ctx, struct source_ticket ticket, uint64_t certified_device_id,
                                   struct hr_bytes envelope)
{
    struct app_intake *intake = ctx;
    size_t cost_bytes = sizeof(struct app_batch) + envelope.len_bytes;
    if (atomic_fetch_add(&intake->inflight_bytes, cost_bytes) + cost_bytes > intake->max_inflight_bytes) {
        atomic_fetch_sub(&intake->inflight_bytes, cost_bytes);
        return hr_status_of(HR_FULL);
    }
    struct app_batch *batch = malloc(cost_bytes);
    if (batch == NULL) {
        atomic_fetch_sub(&intake->inflight_bytes, cost_bytes);
        return hr_status_of(HR_FULL);
    }
    memcpy(batch->envelope, envelope.data, envelope.len_bytes);
    struct hr_bytes copy = hr_bytes_of(batch->envelope, envelope.len_bytes);
    batch->item = (struct app_item){.kind = APP_ITEM_BATCH, .owner = batch};
    batch->intake = intake;
    batch->cost_bytes = cost_bytes;
    batch->job = (struct verify_job){.envelope = copy, .certified_device_id = certified_device_id};
    batch->batch = (struct agg_batch){.ticket = ticket,
                                      .certified_device_id = certified_device_id,
                                      .received_utc_ms = app_clock()->utc_ms(NULL),
                                      .envelope = copy,
                                      .owner = batch};
    atomic_fetch_add(&intake->n_verifying, 1);
    if (!hr_is_ok(verify_pool_submit(intake->pool, &batch->job))) {
        atomic_fetch_sub(&intake->n_verifying, 1);
        batch_free(batch);
        return hr_status_of(HR_FULL);
    }
    return hr_ok();
}

static struct hr_status take_head(void *ctx, struct source_ticket ticket, uint64_t certified_device_id,
                                  uint32_t stream)
{
    struct app_intake *intake = ctx;
    struct app_head *head = malloc(sizeof(*head));
    if (head == NULL) {
        return hr_status_of(HR_FULL);
    }
    *head = (struct app_head){.item = {.kind = APP_ITEM_HEAD, .owner = head},
                              .ticket = ticket,
                              .device_id = certified_device_id,
                              .stream = stream};
    if (!hr_is_ok(app_inbox_put(intake->inbox, &head->item))) {
        free(head);
        return hr_status_of(HR_FULL);
    }
    return hr_ok();
}

/* What can't be noted now is told again in the device's next session. */
static void note_bundle(void *ctx, uint64_t certified_device_id, uint32_t version)
{
    struct app_intake *intake = ctx;
    struct app_bundle *bundle = malloc(sizeof(*bundle));
    if (bundle == NULL) {
        return;
    }
    *bundle = (struct app_bundle){.item = {.kind = APP_ITEM_BUNDLE, .owner = bundle},
                                  .device_id = certified_device_id,
                                  .version = version};
    if (!hr_is_ok(app_inbox_put(intake->inbox, &bundle->item))) {
        free(bundle);
    }
}

static bool admits(void *ctx, uint64_t certified_device_id)
{
    const struct app_intake *intake = ctx;
    return agg_admits(intake->core, certified_device_id);
}

static const char *refuses_key(void *ctx, uint64_t certified_device_id, const uint8_t key[WIRE_DIGEST_BYTES])
{
    const struct app_intake *intake = ctx;
    switch (agg_judge_key(intake->core, certified_device_id, key, app_clock()->utc_ms(NULL))) {
    case AGG_PASS_ENDED:
        return "is over: the device has a newer one. If it lost that, say headrace device readmit DEVICE_ID";
    case AGG_PASS_REPLACED:
        return "is of hardware that was replaced";
    case AGG_PASS_UNKNOWN:
        return "is not the device's. If its certificate is good, say headrace device readmit DEVICE_ID --key "
               "KEY";
    case AGG_PASS_GOOD:
    case AGG_PASS_FIRST:
    case AGG_PASS_SUPERSEDED:
        break;
    }
    return NULL;
}

/* Should it be lost, the next session says it again. */
static void key_seen(void *ctx, uint64_t certified_device_id, const uint8_t key[WIRE_DIGEST_BYTES])
{
    const struct app_intake *intake = ctx;
    char reason[LEDGER_NAME_MAX_CHARS + 1];
    struct agg_shown shown = {.certificate_len_bytes = 0};
    enum agg_pass pass = agg_judge_key(intake->core, certified_device_id, key, app_clock()->utc_ms(NULL));
    if (pass == AGG_PASS_SUPERSEDED) {
        APP_LOG(APP_WARN, "transport_key_superseded", app_number("device_id", certified_device_id),
                app_text("text",
                         "the device is back on an older one: if it lost the newer, say headrace device "
                         "readmit DEVICE_ID"));
    }
    if (pass != AGG_PASS_FIRST) {
        return;
    }
    memcpy(shown.key, key, sizeof shown.key);
    app_key_reason(key, reason);
    const struct agg_decision decision = {.device_id = certified_device_id,
                                          .kind = AGG_FIRST_SEEN,
                                          .actor = "device",
                                          .reason = reason,
                                          .shown = &shown};
    hr_ignore(app_decision_tell(intake->inbox, &decision));
}

struct hr_status app_intake_start(struct app_intake *intake, const struct app_intake_config *config)
{
    *intake = (struct app_intake){
        .inbox = config->inbox, .core = config->core, .max_inflight_bytes = config->max_inflight_bytes};
    const struct verify_pool_config pool = {.n_threads = config->n_threads,
                                            .capacity_jobs = config->max_waiting,
                                            .keyring = config->keyring,
                                            .done = on_judged,
                                            .ctx = intake};
    return verify_pool_start(&pool, &intake->pool);
}

struct source_handler app_intake_handler(struct app_intake *intake)
{
    return (struct source_handler){.batch = take_batch,
                                   .head = take_head,
                                   .admits = admits,
                                   .refuses_key = refuses_key,
                                   .key_seen = key_seen,
                                   .has_bundle = note_bundle,
                                   .ctx = intake};
}

void app_intake_stop(struct app_intake *intake)
{
    verify_pool_stop(intake->pool);
    intake->pool = NULL;
}
