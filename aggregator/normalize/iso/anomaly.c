/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/anomaly.h"

#include <string.h>

enum {
    FEED = NORM_COMMON_COUNT,
    ISO_CODE,
    FINDING,
    TEXT,
    DOCUMENT_SHA256,
    DOCUMENT_REQUEST,
    DOCUMENT_RECORD,
    WINDOW_START,
    WINDOW_END,
    OBSERVATION_KEY,
    N_FIELDS,
};

static const struct norm_field fields[N_FIELDS] = {
    NORM_COMMON_FIELDS,
    [FEED] = {"feed", NORM_STRING, false, NULL},
    [ISO_CODE] = {"iso_code", NORM_STRING, true, NULL},
    [FINDING] = {"finding", NORM_STRING, false, NULL},
    [TEXT] = {"text", NORM_STRING, false, NULL},
    [DOCUMENT_SHA256] = {"document_sha256", NORM_STRING, true, NULL},
    [DOCUMENT_REQUEST] = {"document_request", NORM_STRING, true, NULL},
    [DOCUMENT_RECORD] = {"document_record", NORM_LONG, true, NULL},
    [WINDOW_START] = {"window_start", NORM_LONG, true, "timestamp-micros"},
    [WINDOW_END] = {"window_end", NORM_LONG, true, "timestamp-micros"},
    [OBSERVATION_KEY] = {"observation_key", NORM_STRING, true, NULL},
};

const struct norm_schema norm_anomaly_schema = {
    .name = "data_quality_anomaly",
    .topic = "data.quality.anomalies.v1",
    .version = 1,
    .fields = fields,
    .n_fields = N_FIELDS,
};

static struct norm_value text_or_null(const char *text)
{
    return text == NULL ? norm_null() : norm_text_or_null(text);
}

void norm_anomaly_values(const struct norm_anomaly *anomaly, struct norm_value *values)
{
    bool has_window = anomaly->window_start_ms != 0 || anomaly->window_end_ms != 0;
    values[FEED] = norm_chars(anomaly->feed, strlen(anomaly->feed));
    values[ISO_CODE] = text_or_null(anomaly->iso_code);
    values[FINDING] = norm_chars(anomaly->finding, strlen(anomaly->finding));
    values[TEXT] = (struct norm_value){.as.bytes = anomaly->text};
    values[DOCUMENT_SHA256] = text_or_null(anomaly->sha256);
    values[DOCUMENT_REQUEST] = text_or_null(anomaly->request);
    values[DOCUMENT_RECORD] = anomaly->record == 0 ? norm_null() : norm_long((int64_t)anomaly->record);
    values[WINDOW_START] = has_window ? norm_long(anomaly->window_start_ms * 1000) : norm_null();
    values[WINDOW_END] = has_window ? norm_long(anomaly->window_end_ms * 1000) : norm_null();
    values[OBSERVATION_KEY] = text_or_null(anomaly->observation_key);
}
