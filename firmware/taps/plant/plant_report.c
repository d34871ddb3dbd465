/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/plant/plant_internal.h"

static uint64_t distance(int64_t a, int64_t b)
{
    return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

static void report(struct plant *plant, struct plant_point *point, const struct plant_sample *sample,
                   uint64_t now_ms)
{
    bool is_same = point->is_reported && point->quality == sample->quality && point->scale == sample->scale &&
                   distance(point->value, sample->value) <= point->dead_band;
    bool is_silent = point->silence_ms != 0 && now_ms - point->reported_ms >= point->silence_ms;
    if (is_same && !is_silent && !point->is_each) {
        plant->counter[PLANT_SUPPRESSED]++;
        return;
    }
    plant->counter[PLANT_SAMPLES]++;
    plant->sink.sample(plant->sink.ctx, sample, now_ms);
    point->is_reported = true;
    point->quality = sample->quality;
    point->scale = sample->scale;
    point->value = sample->value;
    point->reported_ms = now_ms;
}

/* A real in thousandths, half away from zero. */
static bool to_thousandths(float real, int64_t *out)
{
    double scaled = (double)real * 1000.0;
    if (scaled <= -9.0e18 || scaled >= 9.0e18) {
        return false;
    }
    *out = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    return true;
}

static void judge(const struct tap_sunspec_value *value, struct plant_sample *sample)
{
    sample->quality = PLANT_GOOD;
    switch (value->form) {
    case TAP_SUNSPEC_INTEGER:
        sample->value = value->integer;
        sample->scale = value->scale;
        break;
    case TAP_SUNSPEC_REAL:
        sample->scale = PLANT_REAL_SCALE;
        if (!to_thousandths(value->real, &sample->value)) {
            sample->quality = PLANT_OUT_OF_RANGE;
        }
        break;
    case TAP_SUNSPEC_NOT_IMPLEMENTED:
        sample->quality = PLANT_NOT_IMPLEMENTED;
        break;
    case TAP_SUNSPEC_TEXT:
    case TAP_SUNSPEC_OUT_OF_RANGE:
        sample->quality = PLANT_OUT_OF_RANGE;
        break;
    }
}

void plant_report_read(struct plant *plant, const struct plant_read *read, const uint16_t *registers,
                       uint64_t now_ms)
{
    struct plant_point *points = &plant->points[read->first_point];
    /* Scale factors first: a value and its scale that come in one answer belong together. */
    for (size_t i = 0; i < read->n_points; i++) {
        if (points[i].item->type == TAP_SUNSPEC_SUNSSF) {
            points[i].registers[0] = registers[points[i].address - read->address];
            points[i].is_read = true;
        }
    }
    for (size_t i = 0; i < read->n_points; i++) {
        struct plant_point *point = &points[i];
        const struct plant_point *scale = NULL;
        struct tap_sunspec_value value = {.point = point->item,
                                          .registers = &registers[point->address - read->address]};
        /* It stays at its last scale where it has no value, so that the channel does not change for that. */
        struct plant_sample sample = {.point = point, .scale = point->is_reported ? point->scale : 0};
        if (point->scale_point != PLANT_NO_POINT) {
            scale = &plant->points[point->scale_point];
        }
        if (point->is_hidden || (scale != NULL && !scale->is_read)) {
            continue;
        }
        tap_sunspec_read(&value, scale == NULL ? NULL : scale->registers);
        judge(&value, &sample);
        report(plant, point, &sample, now_ms);
    }
}

void plant_report_failure(struct plant *plant, const struct plant_read *read, enum plant_quality quality,
                          uint64_t now_ms)
{
    for (size_t i = 0; i < read->n_points; i++) {
        struct plant_point *point = &plant->points[read->first_point + i];
        struct plant_sample sample = {.point = point, .quality = quality};
        if (point->is_hidden) {
            continue;
        }
        if (point->is_reported) {
            sample.value = quality == PLANT_NOT_IMPLEMENTED ? 0 : point->value;
            sample.scale = point->scale;
        }
        report(plant, point, &sample, now_ms);
    }
}
