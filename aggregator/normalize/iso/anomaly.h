/* SPDX-License-Identifier: Apache-2.0
 *
 * Findings about operators' documents as events of data.quality.anomalies.v1 (data_quality_anomaly.avsc).
 * [any] */
#ifndef NORM_ISO_ANOMALY_H
#define NORM_ISO_ANOMALY_H

#include "aggregator/normalize/norm.h"

enum { NORM_ANOMALY_FIELDS_MAX = NORM_COMMON_COUNT + 12, NORM_ANOMALY_SHA256_CHARS = 64 };

extern const struct norm_schema norm_anomaly_schema;

/* What an anomaly says of its own. Texts are UTF-8, borrowed; the key of the event is the feed. */
struct norm_anomaly {
    const char *feed;     /* as the document says; may be one that this build does not know */
    const char *iso_code; /* NULL: the feed is not known */
    const char *request;  /* NULL: no Document */
    const char *sha256;   /* 64 hex digits; NULL: none */
    uint64_t record;      /* of the document, from 1; 0: the document itself */
    const char *finding;  /* norm_iso_finding_name, or what is wrong with the document */
    struct hr_bytes text;
    int64_t window_start_ms, window_end_ms; /* that was asked for; both 0: not known */
    const char *observation_key;            /* of the row; NULL: not of one row */
};

/* Fills values[NORM_COMMON_COUNT..n_fields). They borrow from the anomaly. */
void norm_anomaly_values(const struct norm_anomaly *anomaly, struct norm_value *values);

#endif
