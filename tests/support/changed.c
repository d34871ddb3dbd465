/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/changed.h"

#include "aggregator/normalize/norm.h"
#include "proto/base/assert.h"

#include <stdlib.h>
#include <string.h>

#if HR_FAULTS
/* An event on its way through. */
struct passing {
    const struct app_changed *changed;
    const struct norm_emit *to;
};

static void change_event(void *ctx, const struct norm_event *event)
{
    const struct passing *passing = ctx;
    struct norm_value values[APP_CHANGED_MAX_FIELDS];
    struct norm_event changed = *event;
    HR_ASSERT(event->schema->n_fields <= APP_CHANGED_MAX_FIELDS);
    memcpy(values, event->values, event->schema->n_fields * sizeof values[0]);
    changed.values = values;
    for (uint16_t i = 0; i < event->schema->n_fields; i++) {
        if (strcmp(event->schema->fields[i].name, "sog_kn") == 0 && !values[i].is_null) {
            values[i].as.real += passing->changed->by;
        }
    }
    passing->to->event(passing->to->ctx, &changed);
}

static void change_record(void *ctx, const struct norm_input *input, const struct edge_record *record,
                          uint32_t record_index, const struct norm_emit *emit)
{
    const struct app_changed *changed = ctx;
    struct passing passing = {changed, emit};
    const struct norm_emit through = {change_event, &passing};
    changed->original->record(changed->original->ctx, input, record, record_index, &through);
}

const struct normalizer *app_changed(struct app_changed *changed, const struct normalizer *original)
{
    const char *by = getenv("HEADRACE_CHANGED_AIS");
    if (by == NULL || strcmp(original->source, "ais") != 0) {
        return original;
    }
    changed->by = (int)strtol(by, NULL, 10);
    changed->original = original;
    changed->normalizer = *original;
    changed->normalizer.version = original->version + (uint32_t)changed->by;
    changed->normalizer.record = change_record;
    changed->normalizer.ctx = changed;
    return &changed->normalizer;
}

uint32_t app_changed_chunk(void)
{
    const char *events = getenv("HEADRACE_REPLAY_CHUNK");
    return events == NULL ? 0 : (uint32_t)strtoul(events, NULL, 10);
}
#endif
