/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/schema.h"

#include "aggregator/schema_registry/avro_long.h"
#include "proto/base/assert.h"

#include <string.h>

enum {
    UNION_NULL = 0x00, /* zigzag of branch 0 and 1 of [null, type] */
    UNION_VALUE = 0x02,
    FIELD_MAX_BYTES = 1 + AVRO_LONG_MAX_BYTES, /* but for the bytes of strings */
};

static uint8_t *double_put(uint8_t *at, double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof(bits));
    for (unsigned shift = 0; shift < 64; shift += 8) {
        *at++ = (uint8_t)(bits >> shift);
    }
    return at;
}

struct hr_status schema_encode(const struct norm_event *event, uint8_t *out, size_t capacity_bytes,
                               size_t *len_bytes)
{
    const struct norm_schema *schema = event->schema;
    uint8_t *at = out;
    uint8_t *const end = out + capacity_bytes;

    for (uint16_t i = 0; i < schema->n_fields; i++) {
        const struct norm_field *field = &schema->fields[i];
        const struct norm_value *value = &event->values[i];

        HR_ASSERT(!value->is_null || field->nullable);
        /* One check a field, for the longest that it can be, is cheaper than one a byte; the last few bytes
         * of a buffer stay unused for it. */
        if ((size_t)(end - at) < FIELD_MAX_BYTES) {
            return hr_status_of(HR_FULL);
        }
        if (value->is_null) {
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
            at = schema_long_put(at, (int64_t)value->as.bytes.len_bytes);
            if ((size_t)(end - at) < value->as.bytes.len_bytes) {
                return hr_status_of(HR_FULL);
            }
            memcpy(at, value->as.bytes.data, value->as.bytes.len_bytes);
            at += value->as.bytes.len_bytes;
            break;
        }
    }
    *len_bytes = (size_t)(at - out);
    return hr_ok();
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
