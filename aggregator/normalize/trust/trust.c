/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/trust/trust.h"

#include "aggregator/io/sink.h"
#include "proto/base/assert.h"

#include <string.h>

enum {
    ENTRY,
    AT,
    SCHEMA_VERSION,
    DEVICE_ID,
    ACTION,
    ACTOR,
    REASON,
    STATE_BEFORE,
    STATE_AFTER,
    REVISION,
    OLD_KEY,
    NEW_KEY,
    LEAF,
    IS_SUSPECT,
    FROM_STREAM,
    FROM_SEQ,
    TO_STREAM,
    TO_SEQ,
    IS_EMPTY,
    FIELD_COUNT,
};

static const struct norm_field fields[FIELD_COUNT] = {
    [ENTRY] = {"entry", NORM_LONG, false, NULL},
    [AT] = {"at", NORM_LONG, false, "timestamp-micros"},
    [SCHEMA_VERSION] = {"schema_version", NORM_LONG, false, NULL},
    [DEVICE_ID] = {"device_id", NORM_STRING, false, NULL},
    [ACTION] = {"action", NORM_STRING, false, NULL},
    [ACTOR] = {"actor", NORM_STRING, false, NULL},
    [REASON] = {"reason", NORM_STRING, false, NULL},
    [STATE_BEFORE] = {"state_before", NORM_STRING, true, NULL},
    [STATE_AFTER] = {"state_after", NORM_STRING, false, NULL},
    [REVISION] = {"revision", NORM_LONG, false, NULL},
    [OLD_KEY] = {"old_key", NORM_STRING, true, NULL},
    [NEW_KEY] = {"new_key", NORM_STRING, true, NULL},
    [LEAF] = {"leaf", NORM_LONG, false, NULL},
    [IS_SUSPECT] = {"is_suspect", NORM_BOOLEAN, false, NULL},
    [FROM_STREAM] = {"suspect_from_stream", NORM_LONG, true, NULL},
    [FROM_SEQ] = {"suspect_from_seq", NORM_LONG, true, NULL},
    [TO_STREAM] = {"suspect_to_stream", NORM_LONG, true, NULL},
    [TO_SEQ] = {"suspect_to_seq", NORM_LONG, true, NULL},
    [IS_EMPTY] = {"is_empty", NORM_BOOLEAN, true, NULL},
};

const struct norm_schema norm_trust_schema = {
    .name = "headrace_trust",
    .topic = SINK_ENTRY_TOPIC,
    .version = 1,
    .fields = fields,
    .n_fields = FIELD_COUNT,
};

static struct norm_value state_value(enum ledger_device_state state)
{
    static const char *const names[] = {
        [LEDGER_DEVICE_ENROLLED] = "enrolled",       [LEDGER_DEVICE_ACTIVE] = "active",
        [LEDGER_DEVICE_QUARANTINED] = "quarantined", [LEDGER_DEVICE_REVOKED] = "revoked",
        [LEDGER_DEVICE_RETIRED] = "retired",         [LEDGER_DEVICE_CLAIMED] = "claimed",
        [LEDGER_DEVICE_ROTATING] = "rotating"};
    const char *name = (size_t)state <= LEDGER_DEVICE_STATE_LAST ? names[state] : "other";
    return norm_chars(name, strlen(name));
}

/* Null for zeros: no key. */
static struct norm_value key_value(const uint8_t digest[WIRE_DIGEST_BYTES], char out[2 * WIRE_DIGEST_BYTES])
{
    static const uint8_t none[WIRE_DIGEST_BYTES];
    if (memcmp(digest, none, sizeof none) == 0) {
        return norm_null();
    }
    norm_hex(digest, WIRE_DIGEST_BYTES, out);
    return norm_chars(out, 2 * (size_t)WIRE_DIGEST_BYTES);
}

static struct norm_value text_value(const char *text)
{
    return norm_chars(text, strlen(text));
}

void norm_trust_fill(const struct ledger_audit *entry, uint64_t number, struct norm_trust_event *out)
{
    HR_ASSERT((int)FIELD_COUNT == (int)NORM_TRUST_N_FIELDS);
    uint8_t device[8];
    struct hr_writer writer = hr_writer_over(device, sizeof device);
    hr_write_u64(&writer, entry->device_id);
    norm_hex(device, sizeof device, out->device_id);
    struct norm_value *values = out->values;
    values[ENTRY] = norm_long((int64_t)number);
    values[AT] = norm_long(entry->at_utc_ms * 1000);
    values[SCHEMA_VERSION] = norm_long(norm_trust_schema.version);
    values[DEVICE_ID] = norm_chars(out->device_id, sizeof out->device_id);
    values[ACTION] = text_value(entry->action);
    values[ACTOR] = text_value(entry->actor);
    values[REASON] = text_value(entry->reason);
    values[STATE_BEFORE] = entry->is_first ? norm_null() : state_value(entry->old_state);
    values[STATE_AFTER] = state_value(entry->new_state);
    values[REVISION] = norm_long(entry->revision);
    values[OLD_KEY] = key_value(entry->old_key, out->old_key);
    values[NEW_KEY] = key_value(entry->new_key, out->new_key);
    values[LEAF] = norm_long((int64_t)entry->leaf);
    values[IS_SUSPECT] = norm_flag(entry->is_suspect);
    const struct ledger_suspect *range = &entry->suspect;
    const uint32_t places[] = {range->from_stream, range->from_seq, range->to_stream, range->to_seq};
    for (size_t i = 0; i < 4; i++) {
        values[FROM_STREAM + i] = entry->is_suspect ? norm_long(places[i]) : norm_null();
    }
    bool is_empty = range->from_stream == range->to_stream && range->from_seq == range->to_seq;
    values[IS_EMPTY] = entry->is_suspect ? norm_flag(is_empty) : norm_null();
    out->event = (struct norm_event){.schema = &norm_trust_schema,
                                     .values = values,
                                     .key = hr_bytes_of(out->device_id, sizeof out->device_id),
                                     .occurred_at_us = entry->at_utc_ms * 1000};
}
