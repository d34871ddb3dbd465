/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/device/device.h"
#include "aggregator/normalize/norm.h"

/* Counts on the way to the caller's emit. */
struct counted {
    const struct norm_emit *to;
    uint32_t n_events;
};

static void counted_event(void *ctx, const struct norm_event *event)
{
    struct counted *counted = ctx;

    counted->n_events++;
    counted->to->event(counted->to->ctx, event);
}

/* n_normalizers: nobody takes it. */
static size_t taker_of(const struct normalizer *const *normalizers, size_t n_normalizers, enum edge_kind kind)
{
    for (size_t i = 0; i < n_normalizers; i++) {
        if (normalizers[i]->takes(kind)) {
            return i;
        }
    }
    return n_normalizers;
}

static void tell_batch(const struct normalizer *const *normalizers, size_t n_normalizers,
                       const struct norm_input *input)
{
    for (size_t i = 0; i < n_normalizers; i++) {
        if (normalizers[i]->batch != NULL) {
            normalizers[i]->batch(normalizers[i]->ctx, input);
        }
    }
}

struct norm_batch_result norm_batch(const struct normalizer *const *normalizers, size_t n_normalizers,
                                    const struct norm_input *input, const struct norm_emit *emit)
{
    struct norm_batch_result result = {0};
    struct counted counted = {emit, 0};
    const struct norm_emit counting = {counted_event, &counted};
    struct hr_reader payload = hr_reader_over(input->envelope.payload);
    struct edge_record record;

    tell_batch(normalizers, n_normalizers, input);
    for (uint32_t index = 0;; index++) {
        struct hr_bytes raw;
        size_t at = payload.at;
        struct hr_status framed = wire_record_next(&payload, &raw);

        if (hr_is(framed, HR_CLOSED)) {
            break;
        }
        result.n_records++;
        if (!hr_is_ok(framed)) {
            /* Admission checked the framing, so the ledger gave us other bytes than it took. What is left of
             * the payload is one event; no record boundary can be trusted behind it. */
            raw = hr_bytes_of(input->envelope.payload.data + at, input->envelope.payload.len_bytes - at);
            result.n_malformed++;
            norm_device_misfit(input, NORM_DEVICE_MALFORMED_RECORD, raw, 0, index, &counting);
            break;
        }
        if (!hr_is_ok(edge_record_decode(raw, &record))) {
            result.n_malformed++;
            norm_device_misfit(input, NORM_DEVICE_MALFORMED_RECORD, raw, 0, index, &counting);
            continue;
        }
        size_t which = taker_of(normalizers, n_normalizers, record.kind);

        if (which < n_normalizers) {
            const struct normalizer *taker = normalizers[which];

            result.taken |= 1u << which;
            taker->record(taker->ctx, input, &record, index, &counting);
        } else {
            result.n_unrouted++;
            norm_device_misfit(
                input, record.kind == EDGE_NONE ? NORM_DEVICE_UNKNOWN_RECORD : NORM_DEVICE_UNROUTED_RECORD,
                raw, record.dt_ms, index, &counting);
        }
    }
    result.n_events = counted.n_events;
    return result;
}

void norm_batch_recall(const struct normalizer *const *normalizers, size_t n_normalizers,
                       const struct norm_input *input)
{
    struct hr_reader payload = hr_reader_over(input->envelope.payload);
    struct edge_record record;
    struct hr_bytes raw;

    tell_batch(normalizers, n_normalizers, input);
    while (hr_is_ok(wire_record_next(&payload, &raw))) {
        if (!hr_is_ok(edge_record_decode(raw, &record))) {
            continue;
        }
        size_t which = taker_of(normalizers, n_normalizers, record.kind);

        if (which < n_normalizers && normalizers[which]->recall != NULL) {
            normalizers[which]->recall(normalizers[which]->ctx, input, &record);
        }
    }
}

void norm_no_memory(const struct norm_input *input)
{
    if (input->trouble != NULL && hr_is_ok(*input->trouble)) {
        *input->trouble = hr_status_of(HR_AGAIN);
    }
}
