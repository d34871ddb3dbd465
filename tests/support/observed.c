/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/observed.h"

#include "aggregator/normalize/norm.h"

enum { VALUE = NORM_COMMON_COUNT, N_FIELDS, IN_AN_HOUR = 20 };

static const struct norm_field fields[N_FIELDS] = {
    NORM_COMMON_FIELDS,
    [VALUE] = {"value", NORM_LONG, true, NULL},
};
const struct norm_schema observed_schema = {
    .name = "observed", .topic = "sim.observed", .version = 1, .fields = fields, .n_fields = N_FIELDS};
static const struct norm_schema *const schemas[] = {&observed_schema};

static bool takes(enum edge_kind kind)
{
    return kind == EDGE_CHUNK;
}

/* False: it says nothing new, or it can't be told. */
static bool ask(const struct norm_input *input, const uint8_t row[2], uint32_t *revision)
{
    const struct norm_known *known = input->memory;
    const struct norm_subject_key of = {.family = 7,
                                        .hour = row[0] / IN_AN_HOUR,
                                        .end_s = row[0] >= OBSERVED_FORGOTTEN ? 0 : INT64_C(1) << 40,
                                        .name = row[0]};
    struct norm_said said;
    uint64_t content = (uint64_t)row[1] + 1;
    if (!known->last(known->ctx, &of, &said) || said.content == content) {
        return false;
    }
    *revision = said.content == 0 ? 0 : said.revision + 1;
    known->say(known->ctx, &of, &(struct norm_said){content, *revision});
    return true;
}

static void take(void *ctx, const struct norm_input *input, const struct edge_record *record,
                 uint32_t record_index, const struct norm_emit *emit)
{
    (void)ctx;
    const struct edge_chunk *chunk = &record->as.chunk;
    for (uint32_t output = 0; 2 * output < chunk->len_bytes; output++) {
        const uint8_t *row = chunk->data + (size_t)2 * output;
        struct norm_value values[N_FIELDS];
        struct norm_common_text text;
        const struct norm_subject subject = {.input = input,
                                             .schema = &observed_schema,
                                             .producer = "observed",
                                             .record_index = record_index,
                                             .output_index = output,
                                             .dt_ms = record->dt_ms};
        uint32_t revision = 0;
        if (!ask(input, row, &revision)) {
            continue;
        }
        struct norm_time when = norm_common_fill(&subject, &text, values);
        values[NORM_REVISION] = norm_long(revision);
        values[VALUE] = norm_long(observed_value(row[1], revision));
        emit->event(emit->ctx, &(struct norm_event){.schema = &observed_schema,
                                                    .values = values,
                                                    .key = hr_bytes_of(row, 1),
                                                    .occurred_at_us = when.occurred_at_us,
                                                    .record_index = record_index,
                                                    .output_index = output});
    }
}

const struct normalizer observed_normalizer = {
    .source = "observed", .version = 1, .schemas = schemas, .n_schemas = 1, .takes = takes, .record = take};

bool observed_expect(struct observed_model *model, const uint8_t row[2], int64_t *value)
{
    struct norm_said *said = &model->said[row[0]];
    uint64_t content = (uint64_t)row[1] + 1;
    bool is_first = said->content == 0 || row[0] >= OBSERVED_FORGOTTEN;
    if (!is_first && said->content == content) {
        return false;
    }
    *said = (struct norm_said){content, is_first ? 0 : said->revision + 1};
    *value = observed_value(row[1], said->revision);
    return true;
}
