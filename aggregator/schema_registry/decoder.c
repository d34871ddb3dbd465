/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/decoder.h"

#include "aggregator/schema_registry/json_out.h"

#include <avro.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16 }; /* our records have one level; a foreign schema may refer to itself */

struct schema_decoder {
    avro_schema_t schema;
    avro_value_iface_t *iface;
    avro_value_t value;
    avro_reader_t reader;
};

static bool value_json(struct schema_json *out, const avro_value_t *value, int depth);

/* avro-c's macro for this casts -1 to its enum, for interfaces without the call; the generic one has it. */
static avro_type_t type_of(const avro_value_t *value)
{
    return value->iface->get_type(value->iface, value->self);
}

static void number_json(struct schema_json *out, const avro_value_t *value)
{
    int32_t number = 0;
    int64_t wide = 0;
    float single = 0;
    double real = 0;

    if (type_of(value) == AVRO_INT32) {
        (void)avro_value_get_int(value, &number);
        schema_json_long(out, number);
    } else if (type_of(value) == AVRO_INT64) {
        (void)avro_value_get_long(value, &wide);
        schema_json_long(out, wide);
    } else if (type_of(value) == AVRO_FLOAT) {
        (void)avro_value_get_float(value, &single);
        schema_json_real(out, (double)single);
    } else {
        (void)avro_value_get_double(value, &real);
        schema_json_real(out, real);
    }
}

static void bytes_json(struct schema_json *out, const avro_value_t *value)
{
    const void *bytes = NULL;
    const char *chars = NULL;
    size_t len_bytes = 0;

    if (type_of(value) == AVRO_STRING) {
        (void)avro_value_get_string(value, &chars, &len_bytes);
        /* avro-c counts the NUL that it adds. */
        schema_json_string(out, hr_bytes_of(chars, len_bytes == 0 ? 0 : len_bytes - 1));
        return;
    }
    if (type_of(value) == AVRO_BYTES) {
        (void)avro_value_get_bytes(value, &bytes, &len_bytes);
    } else {
        (void)avro_value_get_fixed(value, &bytes, &len_bytes);
    }
    schema_json_hex(out, hr_bytes_of(bytes, len_bytes));
}

/* Records and maps as objects, arrays as arrays. */
static bool container_json(struct schema_json *out, const avro_value_t *value, int depth)
{
    bool is_array = type_of(value) == AVRO_ARRAY;
    size_t n_items = 0;

    if (avro_value_get_size(value, &n_items) != 0) {
        return false;
    }
    schema_json_text(out, is_array ? "[" : "{");
    for (size_t i = 0; i < n_items; i++) {
        avro_value_t item;
        const char *name = NULL;

        if (avro_value_get_by_index(value, i, &item, &name) != 0) {
            return false;
        }
        schema_json_text(out, i == 0 ? "" : ",");
        if (!is_array) {
            schema_json_string(out, hr_bytes_of(name, strlen(name)));
            schema_json_text(out, ":");
        }
        if (!value_json(out, &item, depth + 1)) {
            return false;
        }
    }
    schema_json_text(out, is_array ? "]" : "}");
    return true;
}

static bool union_json(struct schema_json *out, const avro_value_t *value, int depth)
{
    avro_value_t branch;

    return avro_value_get_current_branch(value, &branch) == 0 && value_json(out, &branch, depth + 1);
}

static void enum_json(struct schema_json *out, const avro_value_t *value)
{
    int symbol = 0;

    (void)avro_value_get_enum(value, &symbol);
    const char *name = avro_schema_enum_get(avro_value_get_schema(value), symbol);

    schema_json_string(out, hr_bytes_of(name, name == NULL ? 0 : strlen(name)));
}

static bool value_json(struct schema_json *out, const avro_value_t *value, int depth)
{
    int flag = 0;

    if (depth > DEPTH_MAX) {
        return false;
    }
    switch (type_of(value)) {
    case AVRO_INT32:
    case AVRO_INT64:
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        number_json(out, value);
        return true;
    case AVRO_STRING:
    case AVRO_BYTES:
    case AVRO_FIXED:
        bytes_json(out, value);
        return true;
    case AVRO_BOOLEAN:
        (void)avro_value_get_boolean(value, &flag);
        schema_json_text(out, flag ? "true" : "false");
        return true;
    case AVRO_NULL:
        schema_json_text(out, "null");
        return true;
    case AVRO_ENUM:
        enum_json(out, value);
        return true;
    case AVRO_UNION:
        return union_json(out, value, depth);
    case AVRO_RECORD:
    case AVRO_MAP:
    case AVRO_ARRAY:
        return container_json(out, value, depth);
    case AVRO_LINK:
    default:
        return false;
    }
}

void schema_decoder_close(struct schema_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    if (decoder->reader != NULL) {
        avro_reader_free(decoder->reader);
    }
    if (decoder->value.iface != NULL) {
        avro_value_decref(&decoder->value);
    }
    if (decoder->iface != NULL) {
        avro_value_iface_decref(decoder->iface);
    }
    avro_schema_decref(decoder->schema);
    free(decoder);
}

struct hr_status schema_decoder_open(struct hr_bytes text, struct schema_decoder **out)
{
    avro_schema_t schema;

    if (avro_schema_from_json_length((const char *)text.data, text.len_bytes, &schema) != 0) {
        return hr_status_of(HR_MALFORMED);
    }
    struct schema_decoder *decoder = is_avro_record(schema) ? calloc(1, sizeof(*decoder)) : NULL;

    if (decoder == NULL) {
        avro_schema_decref(schema);
        return hr_status_of(HR_MALFORMED);
    }
    decoder->schema = schema;
    decoder->reader = avro_reader_memory("", 0);
    decoder->iface = avro_generic_class_from_schema(schema);
    if (decoder->reader == NULL || decoder->iface == NULL ||
        avro_generic_value_new(decoder->iface, &decoder->value) != 0) {
        decoder->value.iface = NULL;
        schema_decoder_close(decoder);
        return hr_status_of(HR_MALFORMED);
    }
    *out = decoder;
    return hr_ok();
}

void schema_decoder_source(struct schema_decoder *decoder, struct hr_bytes values)
{
    avro_reader_memory_set_source(decoder->reader, (const char *)values.data, (int64_t)values.len_bytes);
}

struct hr_status schema_decoder_next(struct schema_decoder *decoder, char *out, size_t capacity_bytes,
                                     size_t *len_bytes)
{
    struct schema_json json = {out, capacity_bytes, 0, false};

    if (avro_value_reset(&decoder->value) != 0 || avro_value_read(decoder->reader, &decoder->value) != 0 ||
        !value_json(&json, &decoder->value, 0)) {
        return hr_status_of(HR_MALFORMED);
    }
    if (json.full) {
        return hr_status_of(HR_FULL);
    }
    *len_bytes = json.at;
    return hr_ok();
}

struct hr_status schema_decoder_json(struct schema_decoder *decoder, struct hr_bytes value, char *out,
                                     size_t capacity_bytes, size_t *len_bytes)
{
    size_t found_bytes = 0;
    char more;

    schema_decoder_source(decoder, value);
    HR_TRY(schema_decoder_next(decoder, out, capacity_bytes, &found_bytes));
    /* A value of another schema often decodes and leaves bytes over. */
    if (avro_read(decoder->reader, &more, 1) == 0) {
        return hr_status_of(HR_MALFORMED);
    }
    *len_bytes = found_bytes;
    return hr_ok();
}
