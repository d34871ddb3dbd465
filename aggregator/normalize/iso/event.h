/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows as events: the schemas of schemas/avro and their values. The fields that every event begins with
 * (norm.h) are the caller's, who knows from which record a row came. [any] */
#ifndef NORM_ISO_EVENT_H
#define NORM_ISO_EVENT_H

#include "aggregator/normalize/iso/iso.h"
#include "aggregator/normalize/norm.h"

enum {
    NORM_ISO_EVENT_FIELDS_MAX = NORM_COMMON_COUNT + 26,
    NORM_ISO_SCHEMA_VERSION = 1,
};

/* iso_rt_lmp for iso.rt.lmp.caiso, and so on; static storage. */
const struct norm_schema *norm_iso_schema(enum norm_iso iso, enum norm_iso_product product);

/* Fills values[NORM_COMMON_COUNT..n_fields) of the row's schema. They borrow from row and key, which
 * norm_iso_key made of it. A row without a value is one of a constraint, as the parsers make them. */
void norm_iso_values(const struct norm_iso_row *row, const char *key, struct norm_value *values);

#endif
