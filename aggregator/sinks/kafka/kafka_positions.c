/* SPDX-License-Identifier: Apache-2.0
 *
 * Where events went, from the acknowledgements of the broker. An interceptor sees each of them in the thread
 * that read it, so successful deliveries need no reports of their own, which the publisher would have to poll
 * for. */
#include "aggregator/sinks/kafka/kafka_private.h"

void *sink_kafka_opaque_of(uint16_t slot)
{
    return (void *)((uintptr_t)slot + 1); /* NULL is what messages without one have */
}

/* NOLINTNEXTLINE(readability-non-const-parameter): librdkafka sets the types of these parameters. */
rd_kafka_resp_err_t sink_kafka_on_acknowledgement(rd_kafka_t *client, rd_kafka_message_t *message,
                                                  void *opaque)
{
    (void)client;
    struct sink_kafka *sink = opaque;
    uintptr_t tag = (uintptr_t)message->_private;
    if (tag == 0 || tag > SINK_MAX_SLOTS || message->err != RD_KAFKA_RESP_ERR_NO_ERROR ||
        message->offset < 0 || message->partition < 0) {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    uint64_t at = (uint64_t)(tag - 1) * sink->widest + (uint32_t)message->partition;
    if (at >= KAFKA_MAX_CELLS) {
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    struct kafka_cell *cell = &sink->cells[at];
    if (cell->n_records == 0) {
        sink->touched[atomic_fetch_add(&sink->n_touched, 1)] = (uint32_t)at;
        cell->first_offset = message->offset;
    }
    cell->last_offset = message->offset;
    cell->n_records++;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

void sink_kafka_cells_reset(struct sink_kafka *sink)
{
    uint32_t n = atomic_exchange(&sink->n_touched, 0);
    for (uint32_t i = 0; i < n; i++) {
        sink->cells[sink->touched[i]].n_records = 0;
    }
    sink->widest = 1;
    for (size_t i = 0; i < sink->n_topics; i++) {
        uint32_t n_partitions = (uint32_t)sink->topics[i].n_partitions;
        sink->widest = n_partitions > sink->widest ? n_partitions : sink->widest;
    }
}

void sink_kafka_positions(void *ctx, void (*each)(void *each_ctx, const struct sink_position *position),
                          void *each_ctx)
{
    struct sink_kafka *sink = ctx;
    uint32_t n = atomic_load(&sink->n_touched);
    for (uint32_t i = 0; i < n; i++) {
        const struct kafka_cell *cell = &sink->cells[sink->touched[i]];
        const struct sink_position position = {.slot = (uint16_t)(sink->touched[i] / sink->widest),
                                               .partition = (int32_t)(sink->touched[i] % sink->widest),
                                               .first_offset = cell->first_offset,
                                               .last_offset = cell->last_offset,
                                               .n_records = cell->n_records};
        each(each_ctx, &position);
    }
}
