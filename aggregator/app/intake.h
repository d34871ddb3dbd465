/* SPDX-License-Identifier: Apache-2.0
 *
 * From the source to the core: an envelope is copied once, judged by a worker, and put into the core's inbox.
 * The bytes on the way are bounded; beyond the bound the source is told to say 5.03. */
#ifndef APP_INTAKE_H
#define APP_INTAKE_H

#include "aggregator/app/inbox.h"
#include "aggregator/core/admit.h"
#include "aggregator/verify/verify.h"

#include <stdatomic.h>

struct app_intake {
    struct app_inbox *inbox;
    const struct agg_core *core; /* asked only whom it admits */
    struct verify_pool *pool;
    uint64_t max_inflight_bytes;
    _Atomic uint64_t inflight_bytes;
    _Atomic uint32_t n_verifying; /* batches that have not reached the inbox yet */
};

/* An envelope and what is known of it; freed by app_batch_release. */
struct app_batch {
    struct verify_job job; /* first: a worker gives it back by this address */
    struct app_item item;
    struct agg_batch batch;
    struct app_intake *intake;
    size_t cost_bytes;
    uint8_t envelope[];
};

struct app_head {
    struct app_item item;
    struct source_ticket ticket;
    uint64_t device_id;
    uint32_t stream;
};

/* A device has this version of the trust bundle. */
struct app_bundle {
    struct app_item item;
    uint64_t device_id;
    uint32_t version;
};

struct app_device {
    struct app_item item;
    struct ledger_device device;
};

struct app_intake_config {
    uint32_t n_threads;
    uint32_t max_waiting;
    uint64_t max_inflight_bytes;
    struct app_inbox *inbox;
    const struct agg_core *core;
    struct verify_keyring *keyring;
};

/* Starts the workers. HR_IO: no thread or no memory. */
HR_MUST_USE struct hr_status app_intake_start(struct app_intake *intake,
                                              const struct app_intake_config *config);
/* What the source calls. */
struct source_handler app_intake_handler(struct app_intake *intake);
/* Finishes what was taken and ends the workers; the source gets HR_FULL from now on. */
void app_intake_stop(struct app_intake *intake);

/* The core has done with it (struct agg_ports.release). */
void app_batch_release(void *ctx, struct agg_batch *batch);

#endif
