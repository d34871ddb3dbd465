/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/publish.h"

#include "aggregator/normalize/norm.h"
#include "proto/base/assert.h"
#include "proto/base/failpoint.h"

#include <string.h>

enum { IDLE_WAIT_MS = 1000, RETRY_FIRST_MS = 100, TOPIC_MAX_CHARS = 64 };

/* One transaction while the ledger is read into it. */
struct transaction {
    struct agg_publish *publish;
    uint64_t next_leaf;
    uint32_t n_batches;
    uint64_t n_records;
    uint64_t n_events;
    struct hr_status status; /* the first failure; later batches are passed over */
    bool corrupt;            /* the ledger holds bytes that can't have been committed */
};

/* What the emit callback needs to know about the record at hand. */
struct emission {
    struct transaction *transaction;
    struct sink_origin origin;
    uint32_t used; /* bit i: normalizer i had events */
};

void agg_publish_init(struct agg_publish *publish, const struct agg_publish_config *config)
{
    HR_ASSERT(config->n_normalizers > 0 && config->n_normalizers <= AGG_PUBLISH_MAX_NORMALIZERS);
    HR_ASSERT(config->transaction_max_batches > 0 && config->transaction_max_bytes > 0);
    memset(publish, 0, sizeof *publish);
    publish->config = *config;
    publish->phase = AGG_PUBLISH_RECOVERING;
    publish->retry_wait_ms = RETRY_FIRST_MS;
}

static void halt(struct agg_publish *publish, const char *reason)
{
    publish->phase = AGG_PUBLISH_HALTED;
    publish->halt_reason = reason;
}

static void recover_later(struct agg_publish *publish)
{
    publish->phase = AGG_PUBLISH_RECOVERING;
    publish->retry_at_us = publish->config.clock->monotonic_us(publish->config.clock->ctx) +
                           (uint64_t)publish->retry_wait_ms * 1000u;
    publish->retry_wait_ms *= 2;
    if (publish->retry_wait_ms > publish->config.retry_max_ms) {
        publish->retry_wait_ms = publish->config.retry_max_ms;
    }
}

static uint32_t step_recover(struct agg_publish *publish)
{
    const struct agg_publish_config *config = &publish->config;
    uint64_t now_us = config->clock->monotonic_us(config->clock->ctx);
    if (now_us < publish->retry_at_us) {
        return (uint32_t)((publish->retry_at_us - now_us + 999) / 1000);
    }
    uint64_t size = 0;
    uint64_t next_leaf = 0;
    struct hr_status status = config->ledger->size(config->ledger->ctx, &size);
    if (hr_is_ok(status)) {
        status = config->sink->recover(config->sink->ctx, config->ledger->origin(config->ledger->ctx), size,
                                       config->recover_timeout_ms, &next_leaf);
    }
    if (hr_is(status, HR_CORRUPT) || (hr_is_ok(status) && next_leaf > size)) {
        halt(publish, "the sink holds more than the ledger, or a torn sequence");
        return UINT32_MAX;
    }
    if (!hr_is_ok(status)) {
        publish->stats.failures++;
        recover_later(publish);
        return publish->retry_wait_ms;
    }
    publish->stats.recoveries++;
    publish->stats.next_leaf = next_leaf;
    publish->next_leaf = next_leaf;
    publish->retry_wait_ms = RETRY_FIRST_MS;
    publish->phase = AGG_PUBLISH_RUNNING;
    return 0;
}

/* The normalizer whose event this is; every event comes from one of the schemas that they name. */
static size_t normalizer_of(const struct agg_publish_config *config, const struct norm_schema *schema)
{
    for (size_t i = 0; i < config->n_normalizers; i++) {
        const struct normalizer *normalizer = config->normalizers[i];
        for (size_t k = 0; k < normalizer->n_schemas; k++) {
            if (normalizer->schemas[k] == schema) {
                return i;
            }
        }
    }
    HR_ASSERT(false && "an event of a schema that no configured normalizer names");
    return 0;
}

static void put_event(void *ctx, const struct norm_event *event)
{
    struct emission *emission = ctx;
    struct transaction *transaction = emission->transaction;
    if (!hr_is_ok(transaction->status)) {
        return;
    }
    const struct agg_publish_config *config = &transaction->publish->config;
    size_t which = normalizer_of(config, event->schema);
    emission->used |= 1u << which;
    emission->origin.record_index = event->record_index;
    emission->origin.output_index = event->output_index;
    emission->origin.normalizer_version = config->normalizers[which]->version;
    norm_traceparent(emission->origin.batch_digest, event->record_index, emission->origin.traceparent);
    transaction->status = config->sink->put_event(config->sink->ctx, event, &emission->origin);
    transaction->n_events++;
}

/* The signed batch goes to the raw topic of each source that has events of it; one without any (a heartbeat)
 * goes to that of the last normalizer, which by contract is the device's own. */
static void put_raw(const struct norm_input *input, struct emission *emission)
{
    struct transaction *transaction = emission->transaction;
    const struct agg_publish_config *config = &transaction->publish->config;
    uint32_t fallback = 1u << (config->n_normalizers - 1u);
    uint32_t wanted = (emission->used & ~fallback) != 0 ? emission->used & ~fallback : fallback;
    emission->origin.record_index = SINK_WHOLE_BATCH;
    emission->origin.output_index = 0;
    norm_traceparent(emission->origin.batch_digest, 0, emission->origin.traceparent);
    for (size_t i = 0; i < config->n_normalizers && hr_is_ok(transaction->status); i++) {
        if ((wanted >> i & 1u) == 0) {
            continue;
        }
        char topic[TOPIC_MAX_CHARS];
        struct hr_writer writer = hr_writer_over(topic, sizeof topic);
        hr_write_raw(&writer, "ingestion.", 10);
        hr_write_raw(&writer, config->normalizers[i]->source, strlen(config->normalizers[i]->source));
        hr_write_raw(&writer, ".raw.v1", 8);
        HR_ASSERT(hr_writer_ok(&writer));
        emission->origin.normalizer_version = config->normalizers[i]->version;
        transaction->status =
            config->sink->put_raw(config->sink->ctx, topic, input->batch, &emission->origin);
    }
}

static void put_batch(void *ctx, const struct ledger_batch *batch)
{
    struct transaction *transaction = ctx;
    struct agg_publish *publish = transaction->publish;
    const struct agg_publish_config *config = &publish->config;
    if (!hr_is_ok(transaction->status)) {
        return;
    }
    if (transaction->n_batches == 0) {
        transaction->status = config->sink->begin(config->sink->ctx, batch->leaf);
        HR_FAILPOINT("publish_begun");
    }
    struct norm_input input = {.batch = batch,
                               .tenant = config->tenant_of(config->tenant_ctx, batch->device_id)};
    if (batch->leaf != transaction->next_leaf ||
        !hr_is_ok(wire_envelope_split(batch->envelope, &input.envelope))) {
        transaction->corrupt = true;
        transaction->status = hr_status_of(HR_CORRUPT);
        return;
    }
    struct edge_time_anchor anchor;
    struct hr_status found = config->ledger->anchor_at(config->ledger->ctx, batch->device_id,
                                                       input.envelope.header.boot_id, batch->leaf, &anchor);
    input.anchor = hr_is_ok(found) ? &anchor : NULL;
    if (!hr_is_ok(found) && !hr_is(found, HR_NOT_FOUND)) {
        transaction->status = found;
        return;
    }
    struct emission emission = {
        .transaction = transaction,
        .origin = {.device_id = batch->device_id,
                   .stream = batch->stream,
                   .key_epoch = input.envelope.header.key_epoch,
                   .batch_seq = batch->seq,
                   .leaf = batch->leaf,
                   .received_utc_ms = batch->received_utc_ms},
    };
    memcpy(emission.origin.batch_digest, batch->digest, WIRE_DIGEST_BYTES);
    struct norm_emit emit = {put_event, &emission};
    transaction->n_records += norm_batch(config->normalizers, config->n_normalizers, &input, &emit).n_records;
    put_raw(&input, &emission);
    transaction->next_leaf++;
    transaction->n_batches++;
    HR_FAILPOINT("publish_put");
}

static uint32_t step_publish(struct agg_publish *publish)
{
    const struct agg_publish_config *config = &publish->config;
    uint64_t now_us = config->clock->monotonic_us(config->clock->ctx);
    if (now_us < publish->linger_until_us) {
        return (uint32_t)((publish->linger_until_us - now_us + 999) / 1000);
    }
    struct transaction transaction = {.publish = publish, .next_leaf = publish->next_leaf, .status = hr_ok()};
    struct hr_status read =
        config->ledger->read(config->ledger->ctx, publish->next_leaf, config->transaction_max_batches,
                             config->transaction_max_bytes, put_batch, &transaction);
    if (hr_is(read, HR_NOT_FOUND)) {
        return IDLE_WAIT_MS;
    }
    if (transaction.corrupt) {
        halt(publish, "the ledger holds a leaf out of order or bytes that are no envelope");
        return UINT32_MAX;
    }
    struct hr_status status = hr_is_ok(read) ? transaction.status : read;
    if (hr_is_ok(status)) {
        HR_FAILPOINT("publish_before_commit");
        status = config->sink->commit(config->sink->ctx, transaction.next_leaf);
    }
    if (!hr_is_ok(status)) {
        publish->stats.failures++;
        recover_later(publish);
        return 0;
    }
    HR_FAILPOINT("publish_after_commit");
    publish->next_leaf = transaction.next_leaf;
    publish->stats.next_leaf = transaction.next_leaf;
    publish->stats.batches += transaction.n_batches;
    publish->stats.records += transaction.n_records;
    publish->stats.events += transaction.n_events;
    publish->stats.transactions++;
    if (transaction.n_batches < config->transaction_max_batches) {
        publish->linger_until_us =
            config->clock->monotonic_us(config->clock->ctx) + (uint64_t)config->linger_ms * 1000u;
    }
    /* The hint only saves a reader of the database some work; the cursor in the sink is what counts. */
    hr_ignore(config->ledger->set_hint(config->ledger->ctx, config->sink->name, transaction.next_leaf));
    return 0;
}

uint32_t agg_publish_step(struct agg_publish *publish)
{
    switch (publish->phase) {
    case AGG_PUBLISH_RECOVERING:
        return step_recover(publish);
    case AGG_PUBLISH_RUNNING:
        return step_publish(publish);
    case AGG_PUBLISH_HALTED:
        break;
    }
    return UINT32_MAX;
}
