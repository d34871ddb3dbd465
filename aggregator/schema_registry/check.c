/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/schema.h"

#include <avro.h>
#include <stdio.h>
#include <string.h>

static const char *const wanted_names[] = {
    [NORM_LONG] = "long",     [NORM_DOUBLE] = "double", [NORM_BOOLEAN] = "boolean",
    [NORM_STRING] = "string", [NORM_BYTES] = "bytes",
};

static struct hr_status field_check(const struct norm_field *field, avro_schema_t record, size_t index,
                                    char *why, size_t why_capacity)
{
    const char *name = avro_schema_record_field_name(record, (int)index);
    avro_schema_t type = avro_schema_record_field_get_by_index(record, (int)index);
    bool nullable = is_avro_union(type);

    if (strcmp(name, field->name) != 0) {
        (void)snprintf(why, why_capacity, "field %zu is %s in the .avsc and %s in the table", index, name,
                       field->name);
        return hr_status_of(HR_MALFORMED);
    }
    if (nullable) {
        if (avro_schema_union_size(type) != 2 || !is_avro_null(avro_schema_union_branch(type, 0))) {
            (void)snprintf(why, why_capacity, "field %s is a union other than [null, type]", name);
            return hr_status_of(HR_MALFORMED);
        }
        type = avro_schema_union_branch(type, 1);
    }
    if (nullable != field->nullable || strcmp(avro_schema_type_name(type), wanted_names[field->type]) != 0) {
        (void)snprintf(why, why_capacity, "field %s is %s%s in the .avsc and %s%s in the table", name,
                       nullable ? "nullable " : "", avro_schema_type_name(type),
                       field->nullable ? "nullable " : "", wanted_names[field->type]);
        return hr_status_of(HR_MALFORMED);
    }
    return hr_ok();
}

static struct hr_status record_check(const struct norm_schema *schema, avro_schema_t record, char *why,
                                     size_t why_capacity)
{
    if (!is_avro_record(record) || strcmp(avro_schema_name(record), schema->name) != 0) {
        (void)snprintf(why, why_capacity, "the .avsc is not a record named %s", schema->name);
        return hr_status_of(HR_MALFORMED);
    }
    if (avro_schema_record_size(record) != schema->n_fields) {
        (void)snprintf(why, why_capacity, "%zu fields in the .avsc and %u in the table",
                       avro_schema_record_size(record), (unsigned)schema->n_fields);
        return hr_status_of(HR_MALFORMED);
    }
    for (size_t i = 0; i < schema->n_fields; i++) {
        HR_TRY(field_check(&schema->fields[i], record, i, why, why_capacity));
    }
    return hr_ok();
}

struct hr_status schema_check(const struct norm_schema *schema, char *why, size_t why_capacity)
{
    struct hr_bytes text;
    avro_schema_t record;

    if (!hr_is_ok(schema_text(schema->name, &text))) {
        (void)snprintf(why, why_capacity, "no schemas/avro/%s.avsc", schema->name);
        return hr_status_of(HR_NOT_FOUND);
    }
    if (avro_schema_from_json_length((const char *)text.data, text.len_bytes, &record) != 0) {
        (void)snprintf(why, why_capacity, "schemas/avro/%s.avsc: %s", schema->name, avro_strerror());
        return hr_status_of(HR_MALFORMED);
    }
    struct hr_status status = record_check(schema, record, why, why_capacity);

    avro_schema_decref(record);
    return status;
}
