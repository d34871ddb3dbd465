/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/schema.h"

#include "aggregator/schema_registry/avro_long.h"
#include "proto/base/assert.h"

#include <string.h>

enum {
    UNION_NULL = 0x00, /* zigzag of branch 0 and 1 of [null, type] */
    UNION_VALUE = 0x02,
};

static uint8_t *double_put(uint8_t *at, double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof(bits));
    /* Written out so that the compiler makes one store of it. */
    at[0] = (uint8_t)bits;
    at[1] = (uint8_t)(bits >> 8);
    at[2] = (uint8_t)(bits >> 16);
    at[3] = (uint8_t)(bits >> 24);
    at[4] = (uint8_t)(bits >> 32);
    at[5] = (uint8_t)(bits >> 40);
    at[6] = (uint8_t)(bits >> 48);
    at[7] = (uint8_t)(bits >> 56);
    return at + 8;
}

/* Writes fields [from, to); *left_for_texts is what strings may still take. NULL: they take more. */
static uint8_t *fields_put(const struct norm_event *event, uint32_t from, uint32_t to, uint8_t *at,
                           size_t *left_for_texts)
{
    const struct norm_field *field = event->schema->fields + from;
    const struct norm_field *const fields_end = event->schema->fields + to;
    const struct norm_value *value = event->values + from;

    for (; field < fields_end; field++, value++) {
        if (value->is_null) {
            HR_ASSERT(field->nullable);
            *at++ = UNION_NULL;
            continue;
        }
        if (field->nullable) {
            *at++ = UNION_VALUE;
        }
        switch (field->type) {
        case NORM_LONG:
            at = schema_long_put(at, value->as.number);
            break;
        case NORM_DOUBLE:
            at = double_put(at, value->as.real);
            break;
        case NORM_BOOLEAN:
            *at++ = value->as.flag ? 1 : 0;
            break;
        case NORM_STRING:
        case NORM_BYTES:
            if (value->as.bytes.len_bytes > *left_for_texts) {
                return NULL;
            }
            *left_for_texts -= value->as.bytes.len_bytes;
            at = schema_long_put(at, (int64_t)value->as.bytes.len_bytes);
            memcpy(at, value->as.bytes.data, value->as.bytes.len_bytes);
            at += value->as.bytes.len_bytes;
            break;
        }
    }
    return at;
}

static struct hr_status encode(const struct norm_event *event, uint32_t first_own, uint8_t *out,
                               size_t capacity_bytes, size_t *len_bytes, size_t *own_at)
{
    /* Room for the fixed part of every field is set aside at once, and only strings are checked against the
     * rest: most fields of an event are null, and a check on each costs as much as writing it. */
    size_t fixed_bytes = (size_t)event->schema->n_fields * SCHEMA_FIELD_FIXED_BYTES;

    if (capacity_bytes < fixed_bytes) {
        return hr_status_of(HR_FULL);
    }
    size_t left_for_texts = capacity_bytes - fixed_bytes;

    uint8_t *own = fields_put(event, 0, first_own, out, &left_for_texts);
    uint8_t *end =
        own == NULL ? NULL : fields_put(event, first_own, event->schema->n_fields, own, &left_for_texts);

    if (end == NULL) {
        return hr_status_of(HR_FULL);
    }
    *len_bytes = (size_t)(end - out);
    *own_at = (size_t)(own - out);
    return hr_ok();
}

const struct norm_encoder schema_encoder = {.encode = encode};

struct hr_status schema_encode(const struct norm_event *event, uint8_t *out, size_t capacity_bytes,
                               size_t *len_bytes)
{
    size_t own_at = 0;

    return encode(event, 0, out, capacity_bytes, len_bytes, &own_at);
}

void schema_frame(uint32_t schema_id, uint8_t out[SCHEMA_FRAMING_BYTES])
{
    out[0] = 0;
    out[1] = (uint8_t)(schema_id >> 24);
    out[2] = (uint8_t)(schema_id >> 16);
    out[3] = (uint8_t)(schema_id >> 8);
    out[4] = (uint8_t)schema_id;
}

struct hr_status schema_unframe(struct hr_bytes framed, uint32_t *schema_id, struct hr_bytes *value)
{
    const uint8_t *in = framed.data;

    if (framed.len_bytes < SCHEMA_FRAMING_BYTES || in[0] != 0) {
        return hr_status_of(HR_MALFORMED);
    }
    *schema_id = (uint32_t)in[1] << 24 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 8 | in[4];
    *value = hr_bytes_of(in + SCHEMA_FRAMING_BYTES, framed.len_bytes - SCHEMA_FRAMING_BYTES);
    return hr_ok();
}
