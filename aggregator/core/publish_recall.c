/* SPDX-License-Identifier: Apache-2.0
 *
 * What was published before this process began, told to normalizers once: memory of what is open ended with
 * the former process, and retention asks for it before it deletes. Read from the log, so there is no second
 * truth beside it. */
#include "aggregator/core/publish_internal.h"
#include "aggregator/normalize/norm.h"

enum { STEP_BATCHES = 1024, STEP_BYTES = 8 << 20 };

struct recall {
    struct agg_publish *publish;
    struct hr_status status; /* the first failure; later batches are passed over */
};

static void recall_batch(void *ctx, const struct ledger_batch *batch)
{
    struct recall *recall = ctx;
    struct agg_publish *publish = recall->publish;
    const struct agg_publish_config *config = &publish->config;
    struct norm_input input;
    if (!hr_is_ok(recall->status) || batch->leaf >= publish->recall_end) {
        return;
    }
    struct hr_status framed = agg_publish_bare_input(publish, batch, &input);
    if (hr_is_ok(framed)) { /* what is none says nothing; who publishes it will say so */
        norm_batch_recall(config->normalizers, config->n_normalizers, &input);
        recall->status = publish->past_read;
    }
    publish->recall_leaf = hr_is_ok(recall->status) ? batch->leaf + 1 : publish->recall_leaf;
}

/* Leaves from the end on come once more: they are published or folded by this process. */
static void find_leaves(struct agg_publish *publish)
{
    const struct agg_publish_config *config = &publish->config;
    uint64_t end = publish->next_leaf;
    uint64_t reach = 0;
    for (uint16_t i = 0; i < config->n_normalizers; i++) {
        const struct normalizer *normalizer = config->normalizers[i];
        bool is_asked = normalizer->recall != NULL && normalizer->recall_leaves > reach;
        reach = is_asked ? normalizer->recall_leaves : reach;
    }
    end = config->fold != NULL && config->fold->stored_leaf < end ? config->fold->stored_leaf : end;
    publish->recall_leaf = end > reach ? end - reach : 0;
    publish->recall_end = reach > 0 ? end : 0;
    publish->has_recalled = publish->recall_leaf >= publish->recall_end;
}

struct hr_status agg_publish_recall(struct agg_publish *publish)
{
    const struct ledger *ledger = publish->config.ledger;
    struct recall recall = {.publish = publish, .status = hr_ok()};
    if (publish->recall_end == 0) {
        find_leaves(publish);
    }
    if (publish->has_recalled) {
        return hr_ok();
    }
    uint64_t left = publish->recall_end - publish->recall_leaf;
    uint32_t n = left < STEP_BATCHES ? (uint32_t)left : STEP_BATCHES;
    struct hr_status read =
        ledger->read(ledger->ctx, publish->recall_leaf, n, STEP_BYTES, recall_batch, &recall);
    bool is_gone = hr_is(read, HR_NOT_FOUND); /* by retention of what a former process did not need */
    publish->has_recalled =
        hr_is_ok(recall.status) && (is_gone || publish->recall_leaf >= publish->recall_end);
    return hr_is_ok(recall.status) && !is_gone ? read : recall.status;
}
