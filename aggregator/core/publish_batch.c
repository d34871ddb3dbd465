/* SPDX-License-Identifier: Apache-2.0
 *
 * One batch on its way from the ledger to the sink and into the fold. */
#include "aggregator/core/publish_internal.h"
#include "aggregator/normalize/norm.h"
#include "proto/base/assert.h"
#include "proto/base/failpoint.h"

#include <string.h>

enum { TOPIC_MAX_CHARS = 64 };

/* What the emit callback needs to know about the batch at hand. */
struct emission {
    struct agg_transaction *transaction;
    struct sink_origin origin;
    uint32_t used; /* bit i: normalizer i took a record or had events */
};

struct hr_status agg_transaction_begin(struct agg_transaction *transaction)
{
    if (transaction->is_begun) {
        return hr_ok();
    }
    const struct sink *sink = transaction->publish->config.sink;
    HR_TRY(sink->begin(sink->ctx, transaction->publish->next_leaf));
    transaction->is_begun = true;
    HR_FAILPOINT("publish_begun");
    return hr_ok();
}

/* For norm_past. */
static bool read_past(void *ctx, const struct ledger_batch *batch, uint32_t from_seq, uint32_t to_seq,
                      void (*each)(void *each_ctx, const struct ledger_batch *batch), void *each_ctx)
{
    struct agg_publish *publish = ctx;
    const struct ledger *ledger = publish->config.ledger;
    const struct ledger_range range = {batch->device_id, batch->stream, from_seq, to_seq};
    struct hr_status read = ledger->read_stream(ledger->ctx, &range, each, each_ctx);
    publish->past_read = hr_is_ok(publish->past_read) ? read : publish->past_read;
    return hr_is_ok(read);
}

struct hr_status agg_publish_asked(const struct agg_publish *publish)
{
    const struct agg_recall *recall =
        publish->config.fold != NULL ? publish->config.fold->config.recall : NULL;
    return hr_is_ok(publish->past_read) && recall != NULL ? recall->status : publish->past_read;
}

struct hr_status agg_publish_bare_input(struct agg_publish *publish, const struct ledger_batch *batch,
                                        struct norm_input *input)
{
    const struct agg_publish_config *config = &publish->config;
    *input = (struct norm_input){.batch = batch,
                                 .tenant = config->tenant_of(config->tenant_ctx, batch->device_id)};
    publish->past_read = hr_ok();
    publish->past = (struct norm_past){.read = read_past, .ctx = publish};
    input->past = config->ledger->read_stream != NULL ? &publish->past : NULL;
    input->trouble = &publish->past_read;
    return hr_status_of(hr_is_ok(wire_envelope_split(batch->envelope, &input->envelope)) ? HR_OK
                                                                                         : HR_CORRUPT);
}

struct hr_status agg_publish_input(struct agg_publish *publish, const struct ledger_batch *batch,
                                   struct norm_input *input, struct edge_time_anchor *anchor)
{
    const struct agg_publish_config *config = &publish->config;
    HR_TRY(agg_publish_bare_input(publish, batch, input));
    input->memory = config->fold != NULL ? agg_fold_memory(config->fold, batch) : NULL;
    struct hr_status found = config->ledger->anchor_at(config->ledger->ctx, batch->device_id,
                                                       input->envelope.header.boot_id, batch->leaf, anchor);
    input->anchor = hr_is_ok(found) ? anchor : NULL;
    return hr_is(found, HR_NOT_FOUND) ? hr_ok() : found;
}

void agg_publish_origin(const struct norm_input *input, struct sink_origin *out)
{
    const struct ledger_batch *batch = input->batch;
    *out = (struct sink_origin){.device_id = batch->device_id,
                                .stream = batch->stream,
                                .key_epoch = input->envelope.header.key_epoch,
                                .batch_seq = batch->seq,
                                .leaf = batch->leaf,
                                .received_utc_ms = batch->received_utc_ms,
                                .slot = SINK_NO_SLOT};
    memcpy(out->batch_digest, batch->digest, WIRE_DIGEST_BYTES);
}

void agg_publish_encode(struct agg_publish *publish, const struct norm_event *event, size_t *len_bytes,
                        uint64_t *content)
{
    uint8_t *value = publish->value + SINK_ROOM_BYTES;
    size_t own_at = 0;
    struct hr_status encoded = publish->config.encoder->encode(
        event, NORM_COMMON_COUNT, value, AGG_PUBLISH_MAX_VALUE_BYTES, len_bytes, &own_at);
    HR_ASSERT(hr_is_ok(encoded)); /* an event comes from one record, which is far below the capacity */
    if (content != NULL) {
        *content = norm_content_of(event, hr_bytes_of(value + own_at, *len_bytes - own_at));
    }
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
    struct agg_transaction *transaction = emission->transaction;
    struct agg_publish *publish = transaction->publish;
    const struct agg_publish_config *config = &publish->config;
    if (!hr_is_ok(transaction->status)) {
        return;
    }
    size_t len_bytes = 0;
    uint64_t content = AGG_CONTENT_UNKNOWN;
    agg_publish_encode(publish, event, &len_bytes, transaction->is_folding ? &content : NULL);
    emission->origin.slot =
        transaction->is_folding
            ? agg_fold_event(config->fold, agg_fold_feed_of(config->fold, event->schema), event, content)
            : SINK_NO_SLOT;
    transaction->n_events++;
    if (!transaction->is_live) {
        return;
    }
    size_t which = normalizer_of(config, event->schema);
    emission->used |= 1u << which;
    emission->origin.record_index = event->record_index;
    emission->origin.output_index = event->output_index;
    emission->origin.normalizer_version = config->normalizers[which]->version;
    norm_traceparent(emission->origin.batch_digest, event->record_index, emission->origin.traceparent);
    transaction->status = config->sink->put_event(config->sink->ctx, event, publish->value + SINK_ROOM_BYTES,
                                                  len_bytes, &emission->origin);
}

/* The signed batch goes to the raw topic of each source that has records in it; one without any (a heartbeat)
 * goes to that of the last normalizer, which by contract is the device's own. */
static void put_raw(const struct norm_input *input, struct emission *emission)
{
    struct agg_transaction *transaction = emission->transaction;
    const struct agg_publish_config *config = &transaction->publish->config;
    uint32_t fallback = 1u << (config->n_normalizers - 1u);
    uint32_t wanted = (emission->used & ~fallback) != 0 ? emission->used & ~fallback : fallback;
    emission->origin.record_index = SINK_WHOLE_BATCH;
    emission->origin.output_index = 0;
    emission->origin.slot = SINK_NO_SLOT;
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

static void keep_first(struct hr_status *first, struct hr_status status)
{
    *first = hr_is_ok(*first) ? status : *first;
}

void agg_publish_batch(void *ctx, const struct ledger_batch *batch)
{
    struct agg_transaction *transaction = ctx;
    struct agg_publish *publish = transaction->publish;
    const struct agg_publish_config *config = &publish->config;
    bool has_enough = transaction->n_events >= AGG_PUBLISH_ENOUGH_EVENTS ||
                      (transaction->is_folding && !agg_fold_has_room(config->fold));
    transaction->is_ended = transaction->is_ended || (transaction->n_batches > 0 && has_enough);
    if (!hr_is_ok(transaction->status) || transaction->is_ended) {
        return;
    }
    struct norm_input input;
    struct edge_time_anchor anchor;
    struct hr_status status = agg_publish_input(publish, batch, &input, &anchor);
    if (batch->leaf != transaction->next_leaf || hr_is(status, HR_CORRUPT)) {
        transaction->corrupt = true;
        transaction->status = hr_status_of(HR_CORRUPT);
        return;
    }
    keep_first(&transaction->status, status);
    if (transaction->is_live && hr_is_ok(transaction->status)) {
        transaction->status = agg_transaction_begin(transaction);
    }
    if (!hr_is_ok(transaction->status)) {
        return;
    }
    if (transaction->is_folding) {
        agg_fold_batch(config->fold, batch);
    }
    struct emission emission = {.transaction = transaction};
    agg_publish_origin(&input, &emission.origin);
    struct norm_emit emit = {put_event, &emission};
    struct norm_batch_result result = norm_batch(config->normalizers, config->n_normalizers, &input, &emit);
    keep_first(&transaction->status, agg_publish_asked(publish));
    emission.used |= result.taken;
    transaction->n_records += result.n_records;
    if (transaction->is_live) {
        put_raw(&input, &emission);
        memcpy(publish->last_digest, batch->digest, WIRE_DIGEST_BYTES);
        publish->has_last = true;
    }
    if (transaction->is_folding) {
        keep_first(&transaction->status, agg_fold_batch_end(config->fold));
    }
    transaction->next_leaf++;
    transaction->n_batches++;
    HR_FAILPOINT("publish_put");
}
