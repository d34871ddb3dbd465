/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rows of all operators have in common: where, what and for how long. */
#include "aggregator/normalize/iso/form.h"

#include <math.h>
#include <string.h>

/* How far printed components may be from the printed price: what rounding leaves, by operator. */
static const double TOLERANCE[NORM_ISO_COUNT] = {
    [NORM_CAISO] = 1.001e-5, [NORM_MISO] = 0.0101,  [NORM_SPP] = 1.01e-4,  [NORM_PJM] = 2e-6,
    [NORM_ERCOT] = 0.0101,   [NORM_ISONE] = 0.0151, [NORM_NYISO] = 0.0101,
};

struct norm_iso_row norm_row_of(const struct norm_iso_run *run, int64_t start_s, int64_t end_s)
{
    const char *market = run->feed->market;
    return (struct norm_iso_row){.feed = run->feed,
                                 .market = hr_bytes_of(market, strlen(market)),
                                 .location_type = NORM_ISO_UNTYPED,
                                 .subject = "",
                                 .curve_role = "",
                                 .unit = "",
                                 .start_s = start_s,
                                 .end_s = end_s};
}

static int64_t length_of(const struct norm_iso_run *run)
{
    return (int64_t)run->feed->interval_min * NORM_MINUTE_S;
}

struct norm_iso_row norm_row_from(const struct norm_iso_run *run, int64_t start_s)
{
    return norm_row_of(run, start_s, start_s + length_of(run));
}

struct norm_iso_row norm_row_until(const struct norm_iso_run *run, int64_t end_s)
{
    return norm_row_of(run, end_s - length_of(run), end_s);
}

bool norm_row_of_day(struct norm_iso_run *run, const char *what, struct hr_bytes cell,
                     struct norm_iso_row *row)
{
    int32_t day = 0;
    struct norm_market_day market_day;
    if (!hr_is_ok(norm_day_read(cell, &day)) || !hr_is_ok(norm_market_day_of(run->zone, day, &market_day))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, what, cell);
        return false;
    }
    *row = norm_row_of(run, market_day.start_utc_s, market_day.end_utc_s);
    return true;
}

bool norm_row_made(struct norm_iso_run *run, const char *what, struct hr_bytes cell, struct norm_iso_row *row)
{
    if (cell.len_bytes == 0) {
        return true;
    }
    row->has |= NORM_ISO_HAS_PUBLISHED;
    return norm_run_utc(run, what, cell, &row->published_s);
}

void norm_row_place(struct norm_iso_row *row, enum norm_iso_location type, struct hr_bytes id,
                    struct hr_bytes name)
{
    row->location_type = type;
    row->location_id = id;
    row->location_name = name;
}

void norm_row_system(struct norm_iso_row *row, const char *name)
{
    struct hr_bytes bytes = hr_bytes_of(name, strlen(name));
    norm_row_place(row, NORM_ISO_SYSTEM, bytes, bytes);
}

void norm_row_price(struct norm_iso_row *row)
{
    row->subject = "energy";
    row->curve_role = "price";
    row->unit = "USD/MWh";
}

void norm_row_shadow_price(struct norm_iso_row *row, double price)
{
    norm_row_price(row);
    row->subject = "shadow_price";
    row->value = price;
    row->has |= NORM_ISO_HAS_VALUE;
}

void norm_row_megawatts(struct norm_iso_row *row, const char *subject, const char *role, double value)
{
    row->subject = subject;
    row->curve_role = role;
    row->unit = "MW";
    row->value = value;
    row->has |= NORM_ISO_HAS_VALUE;
}

static void check_identity(struct norm_iso_run *run, const struct norm_iso_row *row)
{
    const uint32_t all =
        NORM_ISO_HAS_VALUE | NORM_ISO_HAS_ENERGY | NORM_ISO_HAS_CONGESTION | NORM_ISO_HAS_LOSS;
    if ((row->has & all) != all || (row->has & NORM_ISO_ENERGY_DERIVED) != 0) {
        return;
    }
    double rest = row->value - row->energy - row->congestion - row->loss -
                  ((row->has & NORM_ISO_HAS_GHG) != 0 ? row->ghg : 0);
    if (!(fabs(rest) <= TOLERANCE[run->feed->iso])) {
        norm_run_tell(run, NORM_ISO_IDENTITY_BREACH, "components do not add up to the price of",
                      row->location_id);
    }
}

void norm_place_emit(struct norm_iso_run *run, const struct norm_iso_place *place)
{
    run->result->n_places++;
    if (!run->is_dry && run->sink->place != NULL) {
        run->sink->place(run->sink->ctx, place);
    }
}

static size_t append(char *text, size_t len, size_t capacity, struct hr_bytes bytes)
{
    size_t n = bytes.len_bytes < capacity - len ? bytes.len_bytes : capacity - len;
    if (n > 0) {
        memcpy(text + len, bytes.data, n);
    }
    return len + n;
}

/* The first row of a place tells of it; when the join has no room left, further ones are not told of. */
static void tell_place(struct norm_iso_run *run, const struct norm_iso_row *row)
{
    const struct hr_bytes mark = hr_bytes_of("\1", 1); /* in no name that a parser joins by */
    const struct hr_bytes parts[] = {row->location_id, mark, row->location_name, mark, row->zone};
    char text[NORM_ISO_KEY_CHARS] = {'\1', (char)('a' + (int)row->location_type)};
    size_t len = 2;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        len = append(text, len, sizeof text, parts[i]);
    }
    uint32_t n_before = run->join->n_names;
    struct norm_market_day day;
    if (norm_join_name(run->join, hr_bytes_of(text, len)) == NULL || run->join->n_names == n_before ||
        !hr_is_ok(norm_market_day_at(run->zone, row->start_s, &day))) {
        return;
    }
    norm_place_emit(run, &(struct norm_iso_place){.iso = run->feed->iso,
                                                  .type = row->location_type,
                                                  .id = row->location_id,
                                                  .name = row->location_name,
                                                  .zone = row->zone,
                                                  .has_valid_from = true,
                                                  .valid_from_s = day.start_utc_s});
}

void norm_row_emit(struct norm_iso_run *run, const struct norm_iso_row *row)
{
    if ((row->has & NORM_ISO_HAS_VALUE) != 0 && !isfinite(row->value)) {
        norm_run_reject(run, NORM_ISO_BAD_NUMBER, "a sum beyond all numbers, of", row->location_id);
        return;
    }
    check_identity(run, row);
    if (run->tells_places && row->location_type != NORM_ISO_UNTYPED) {
        tell_place(run, row);
    }
    run->result->n_rows++;
    if (!run->is_dry && run->sink->row != NULL) {
        run->sink->row(run->sink->ctx, row);
    }
}

void norm_row_emit_once(struct norm_iso_run *run, const struct norm_iso_row *row)
{
    char key[NORM_ISO_KEY_CHARS];
    norm_iso_key(row, key);
    if (norm_run_join(run, hr_bytes_of(key, strlen(key)), row->start_s, row->end_s, 0, row->value)) {
        norm_row_emit(run, row);
    }
}
