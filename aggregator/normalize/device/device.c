/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/device/device.h"

#include "proto/base/assert.h"

#include <string.h>

enum field {
    KIND = NORM_COMMON_COUNT,
    SUBJECT_BOOT_ID,
    BOOT_REASON,
    FIRMWARE_VERSION,
    PREVIOUS_STREAM,
    RECOVERED_RECORDS,
    LOSS_FROM_SEQ,
    LOSS_TO_SEQ,
    LOSS_FIRST_RECORD_SEQ,
    LOSS_RECORDS,
    LOSS_REASON,
    LOSS_LAST_DIGEST,
    COUNTER_SOURCE,
    COUNTER_NAME,
    COUNTER_VALUE,
    EVENT_CODE,
    EVENT_TEXT,
    ANCHOR_UPTIME_MS,
    ANCHOR_UTC,
    ANCHOR_ERROR_MS,
    ANCHOR_SOURCE,
    KEY_FROM_EPOCH,
    KEY_TO_EPOCH,
    KEY_SWITCH_SEQ,
    KEY_SPKI,
    RAW,
    FIELD_COUNT,
};

static const struct norm_field fields[FIELD_COUNT] = {
    NORM_COMMON_FIELDS,
    [KIND] = {"kind", NORM_STRING, false, NULL},
    [SUBJECT_BOOT_ID] = {"subject_boot_id", NORM_LONG, true, NULL},
    [BOOT_REASON] = {"boot_reason", NORM_STRING, true, NULL},
    [FIRMWARE_VERSION] = {"firmware_version", NORM_STRING, true, NULL},
    [PREVIOUS_STREAM] = {"previous_stream", NORM_LONG, true, NULL},
    [RECOVERED_RECORDS] = {"recovered_records", NORM_LONG, true, NULL},
    [LOSS_FROM_SEQ] = {"loss_from_seq", NORM_LONG, true, NULL},
    [LOSS_TO_SEQ] = {"loss_to_seq", NORM_LONG, true, NULL},
    [LOSS_FIRST_RECORD_SEQ] = {"loss_first_record_seq", NORM_LONG, true, NULL},
    [LOSS_RECORDS] = {"loss_records", NORM_LONG, true, NULL},
    [LOSS_REASON] = {"loss_reason", NORM_STRING, true, NULL},
    [LOSS_LAST_DIGEST] = {"loss_last_digest", NORM_BYTES, true, NULL},
    [COUNTER_SOURCE] = {"counter_source", NORM_STRING, true, NULL},
    [COUNTER_NAME] = {"counter_name", NORM_STRING, true, NULL},
    [COUNTER_VALUE] = {"counter_value", NORM_LONG, true, NULL},
    [EVENT_CODE] = {"event_code", NORM_LONG, true, NULL},
    [EVENT_TEXT] = {"event_text", NORM_STRING, true, NULL},
    [ANCHOR_UPTIME_MS] = {"anchor_uptime_ms", NORM_LONG, true, NULL},
    [ANCHOR_UTC] = {"anchor_utc", NORM_LONG, true, "timestamp-micros"},
    [ANCHOR_ERROR_MS] = {"anchor_error_ms", NORM_LONG, true, NULL},
    [ANCHOR_SOURCE] = {"anchor_source", NORM_STRING, true, NULL},
    [KEY_FROM_EPOCH] = {"key_from_epoch", NORM_LONG, true, NULL},
    [KEY_TO_EPOCH] = {"key_to_epoch", NORM_LONG, true, NULL},
    [KEY_SWITCH_SEQ] = {"key_switch_seq", NORM_LONG, true, NULL},
    [KEY_SPKI] = {"key_spki", NORM_BYTES, true, NULL},
    [RAW] = {"raw", NORM_BYTES, true, NULL},
};

const struct norm_schema norm_device_schema = {
    .name = "headrace_device_events",
    .topic = "headrace.device.events",
    .version = 2,
    .fields = fields,
    .n_fields = FIELD_COUNT,
};

/* An event that is being put together. */
struct draft {
    struct norm_subject subject;
    struct norm_common_text text;
    struct norm_time when;
    struct norm_value values[FIELD_COUNT];
};

static struct norm_value text_value(const char *text)
{
    return norm_chars(text, strlen(text));
}

/* A count of 64 bits in an Avro long: past its end it stays there. */
static struct norm_value count_value(uint64_t count)
{
    return norm_long(count > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)count);
}

/* The name of a number that a device sent, or "other" when this build doesn't know it. */
static struct norm_value name_value(const char *const *names, size_t n_names, uint32_t number)
{
    return text_value(number < n_names && names[number] != NULL ? names[number] : "other");
}

static void draft_start(struct draft *draft, const struct norm_input *input, uint32_t dt_ms,
                        uint32_t record_index, const char *kind)
{
    draft->subject = (struct norm_subject){
        .input = input,
        .schema = &norm_device_schema,
        .producer = "headrace/device/1",
        .record_index = record_index,
        .dt_ms = dt_ms,
    };
    for (size_t i = NORM_COMMON_COUNT; i < FIELD_COUNT; i++) {
        draft->values[i] = norm_null();
    }
    draft->values[KIND] = text_value(kind);
}

static void draft_emit(struct draft *draft, const struct norm_emit *emit)
{
    draft->when = norm_common_fill(&draft->subject, &draft->text, draft->values);
    const struct norm_event event = {
        .schema = &norm_device_schema,
        .values = draft->values,
        .key = hr_bytes_of(draft->text.device_id, sizeof(draft->text.device_id)),
        .occurred_at_us = draft->when.occurred_at_us,
        .record_index = draft->subject.record_index,
        .output_index = draft->subject.output_index,
    };

    emit->event(emit->ctx, &event);
}

static void boot_fill(struct norm_value *values, const struct edge_boot *boot)
{
    static const char *const reasons[] = {
        [EDGE_BOOT_FIRST] = "first",
        [EDGE_BOOT_CLEAN] = "clean",
        [EDGE_BOOT_UNCLEAN] = "unclean",
        [EDGE_BOOT_NEW_STREAM] = "new_stream",
    };

    values[SUBJECT_BOOT_ID] = norm_long(boot->boot_id);
    values[BOOT_REASON] = name_value(reasons, HR_ARRAY_LEN(reasons), boot->reason);
    values[FIRMWARE_VERSION] = norm_text_or_null(boot->version);
    values[PREVIOUS_STREAM] = norm_long(boot->previous_stream);
    values[RECOVERED_RECORDS] = norm_long(boot->recovered_records);
}

static void loss_fill(struct norm_value *values, const struct edge_loss *loss)
{
    static const char *const reasons[] = {
        [EDGE_LOSS_OVERFLOW] = "overflow",
        [EDGE_LOSS_DAMAGED] = "damaged",
        [EDGE_LOSS_REFUSED] = "refused",
    };

    values[LOSS_FROM_SEQ] = norm_long(loss->from_seq);
    values[LOSS_TO_SEQ] = norm_long(loss->to_seq);
    values[LOSS_FIRST_RECORD_SEQ] = count_value(loss->first_record_seq);
    values[LOSS_RECORDS] = norm_long(loss->n_records);
    values[LOSS_REASON] = name_value(reasons, HR_ARRAY_LEN(reasons), loss->reason);
    values[LOSS_LAST_DIGEST] = norm_chars((const char *)loss->last_digest, sizeof(loss->last_digest));
}

static void anchor_fill(struct norm_value *values, const struct edge_time_anchor *anchor)
{
    static const char *const sources[] = {
        [EDGE_ANCHOR_ACK] = "ack",
        [EDGE_ANCHOR_HOST_CLOCK] = "host_clock",
    };

    values[SUBJECT_BOOT_ID] = norm_long(anchor->boot_id);
    values[ANCHOR_UPTIME_MS] = count_value(anchor->uptime_ms);
    values[ANCHOR_UTC] =
        anchor->utc_ms < UINT64_C(1) << 48 ? count_value(anchor->utc_ms * 1000) : norm_null();
    values[ANCHOR_ERROR_MS] = norm_long(anchor->err_ms);
    values[ANCHOR_SOURCE] = name_value(sources, HR_ARRAY_LEN(sources), anchor->source);
}

static void key_switch_fill(struct norm_value *values, const struct edge_key_switch *key)
{
    values[KEY_FROM_EPOCH] = norm_long(key->from_epoch);
    values[KEY_TO_EPOCH] = norm_long(key->to_epoch);
    values[KEY_SWITCH_SEQ] = norm_long(key->switch_seq);
    values[KEY_SPKI] = norm_chars((const char *)key->spki, sizeof(key->spki));
}

static void stats_emit(struct draft *draft, const struct edge_stats *stats, const struct norm_emit *emit)
{
    struct norm_value *values = draft->values;

    values[COUNTER_SOURCE] = norm_text_or_null(stats->source);
    if (stats->n_counters == 0) {
        draft_emit(draft, emit);
    }
    for (uint16_t i = 0; i < stats->n_counters; i++) {
        values[COUNTER_NAME] = norm_text_or_null(stats->counter[i].name);
        values[COUNTER_VALUE] = count_value(stats->counter[i].value);
        draft->subject.output_index = i;
        draft_emit(draft, emit);
    }
}

/* What each control record is called in the field `kind`; NULL: not one of ours. */
static const char *const kind_names[] = {
    [EDGE_TIME_ANCHOR] = "time_anchor",
    [EDGE_KEY_SWITCH] = "key_switch",
    [EDGE_LOSS] = "loss",
    [EDGE_BOOT] = "boot",
    [EDGE_STATS] = "stats",
    [EDGE_EVENT] = "event",
};

static bool device_takes(enum edge_kind kind)
{
    return (size_t)kind < HR_ARRAY_LEN(kind_names) && kind_names[kind] != NULL;
}

static void device_record(void *ctx, const struct norm_input *input, const struct edge_record *record,
                          uint32_t record_index, const struct norm_emit *emit)
{
    struct draft draft;

    (void)ctx;
    HR_ASSERT(device_takes(record->kind));
    draft_start(&draft, input, record->dt_ms, record_index, kind_names[record->kind]);
    if (record->kind == EDGE_STATS) {
        stats_emit(&draft, &record->as.stats, emit);
        return;
    }
    if (record->kind == EDGE_BOOT) {
        boot_fill(draft.values, &record->as.boot);
    } else if (record->kind == EDGE_LOSS) {
        loss_fill(draft.values, &record->as.loss);
    } else if (record->kind == EDGE_TIME_ANCHOR) {
        anchor_fill(draft.values, &record->as.time_anchor);
    } else if (record->kind == EDGE_KEY_SWITCH) {
        key_switch_fill(draft.values, &record->as.key_switch);
    } else {
        draft.values[EVENT_CODE] = norm_long(record->as.event.code);
        draft.values[EVENT_TEXT] = norm_text_or_null(record->as.event.text);
    }
    draft_emit(&draft, emit);
}

void norm_device_misfit(const struct norm_input *input, enum norm_device_misfit misfit, struct hr_bytes raw,
                        uint32_t dt_ms, uint32_t record_index, const struct norm_emit *emit)
{
    static const char *const names[] = {
        [NORM_DEVICE_MALFORMED_RECORD] = "malformed_record",
        [NORM_DEVICE_UNKNOWN_RECORD] = "unknown_record",
        [NORM_DEVICE_UNROUTED_RECORD] = "unrouted_record",
    };
    struct draft draft;

    draft_start(&draft, input, dt_ms, record_index, names[misfit]);
    draft.values[RAW].is_null = false;
    draft.values[RAW].as.bytes = raw;
    draft_emit(&draft, emit);
}

const struct normalizer *norm_device(void)
{
    static const struct norm_schema *const schemas[] = {&norm_device_schema};
    static const struct normalizer device = {
        .source = "device",
        .version = 1,
        .schemas = schemas,
        .n_schemas = HR_ARRAY_LEN(schemas),
        .takes = device_takes,
        .record = device_record,
    };

    return &device;
}
