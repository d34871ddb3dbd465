/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/norm.h"

#include <string.h>

struct norm_value norm_text_or_null(const char *text)
{
    return text[0] == '\0' ? norm_null() : norm_chars(text, strlen(text));
}

static void device_id_put(uint64_t device_id, char out[NORM_DEVICE_ID_CHARS])
{
    uint8_t bytes[8];
    struct hr_writer writer = hr_writer_over(bytes, sizeof(bytes));

    hr_write_u64(&writer, device_id);
    norm_hex(bytes, sizeof(bytes), out);
}

struct norm_time norm_common_fill(const struct norm_subject *subject, struct norm_common_text *text,
                                  struct norm_value *values)
{
    const struct norm_input *input = subject->input;
    const struct wire_header *header = &input->envelope.header;
    const struct ledger_batch *batch = input->batch;
    struct norm_time when = norm_time_of(input, subject->dt_ms);
    const char *quality = norm_time_quality_name(when.quality);

    norm_event_id(batch->digest, subject->record_index, subject->output_index, text->event_id);
    norm_trace_id(batch->digest, text->trace_id);
    device_id_put(batch->device_id, text->device_id);

    values[NORM_EVENT_ID] = norm_chars(text->event_id, sizeof(text->event_id));
    values[NORM_TRACE_ID] = norm_chars(text->trace_id, sizeof(text->trace_id));
    values[NORM_OCCURRED_AT] = norm_long(when.occurred_at_us);
    values[NORM_TENANT_ID] = norm_chars(input->tenant, strlen(input->tenant));
    values[NORM_SCHEMA_VERSION] = norm_long(subject->schema->version);
    values[NORM_PRODUCER] = norm_chars(subject->producer, strlen(subject->producer));
    values[NORM_TIME_QUALITY] = norm_chars(quality, strlen(quality));
    values[NORM_TIME_ERROR_MS] = when.error_ms < 0 ? norm_null() : norm_long(when.error_ms);
    values[NORM_RECEIVED_AT] = norm_long(batch->received_utc_ms * 1000);
    values[NORM_DEVICE_ID] = norm_chars(text->device_id, sizeof(text->device_id));
    values[NORM_STREAM] = norm_long(batch->stream);
    values[NORM_BATCH_SEQ] = norm_long(batch->seq);
    values[NORM_RECORD_INDEX] = norm_long(subject->record_index);
    values[NORM_RECORD_SEQ] = norm_long((int64_t)header->first_record_seq + subject->record_index);
    values[NORM_LEAF] = norm_long((int64_t)batch->leaf);
    values[NORM_BOOT_ID] = norm_long(header->boot_id);
    values[NORM_UPTIME_MS] = norm_long((int64_t)header->base_uptime_ms + subject->dt_ms);
    values[NORM_REVISION] = norm_long(0);
    return when;
}
