/* SPDX-License-Identifier: Apache-2.0
 *
 * What a parser does with the cells of a record. */
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

static void put(char *text, size_t *len, struct hr_bytes bytes)
{
    for (size_t i = 0; i < bytes.len_bytes && *len + 1 < NORM_ISO_ANOMALY_CHARS; i++) {
        uint8_t c = bytes.data[i];
        text[(*len)++] = c >= 0x20 && c < 0x7F ? (char)c : '?';
    }
    text[*len] = '\0';
}

void norm_run_tell(struct norm_iso_run *run, enum norm_iso_finding finding, const char *what,
                   struct hr_bytes cell)
{
    char text[NORM_ISO_ANOMALY_CHARS];
    size_t len = 0;
    run->result->n_findings[finding]++;
    if (run->is_dry || run->sink->anomaly == NULL) {
        return;
    }
    put(text, &len, hr_bytes_of(what, strlen(what)));
    if (cell.data != NULL) {
        put(text, &len, hr_bytes_of(": ", 2));
        put(text, &len, cell);
    }
    run->sink->anomaly(run->sink->ctx, &(struct norm_iso_anomaly){finding, run->record, text});
}

void norm_run_reject(struct norm_iso_run *run, enum norm_iso_finding finding, const char *what,
                     struct hr_bytes cell)
{
    run->result->n_rejected++;
    norm_run_tell(run, finding, what, cell);
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

void norm_row_emit(struct norm_iso_run *run, const struct norm_iso_row *row)
{
    check_identity(run, row);
    run->result->n_rows++;
    if (!run->is_dry && run->sink->row != NULL) {
        run->sink->row(run->sink->ctx, row);
    }
}

static bool is_empty(struct hr_bytes cell)
{
    return norm_trim(cell).len_bytes == 0;
}

bool norm_run_number(struct norm_iso_run *run, const char *what, struct hr_bytes cell, double *out)
{
    if (is_empty(cell)) {
        run->result->n_blank++;
        return false;
    }
    if (!hr_is_ok(norm_number(cell, out))) {
        norm_run_reject(run, NORM_ISO_BAD_NUMBER, what, cell);
        return false;
    }
    return true;
}

bool norm_run_optional(struct norm_iso_run *run, const char *what, struct hr_bytes cell, double *out,
                       uint32_t *has, enum norm_iso_has bit)
{
    if (is_empty(cell)) {
        return true;
    }
    if (!hr_is_ok(norm_number(cell, out))) {
        norm_run_reject(run, NORM_ISO_BAD_NUMBER, what, cell);
        return false;
    }
    *has |= (uint32_t)bit;
    return true;
}

bool norm_run_utc(struct norm_iso_run *run, const char *what, struct hr_bytes cell, int64_t *utc_s)
{
    if (hr_is_ok(norm_utc_read(cell, utc_s))) {
        return true;
    }
    norm_run_reject(run, NORM_ISO_BAD_TIME, what, cell);
    return false;
}

bool norm_run_local(struct norm_iso_run *run, const char *what, struct hr_bytes cell, enum norm_fold fold,
                    int64_t *utc_s)
{
    struct norm_stamp stamp;
    enum norm_fault fault = NORM_FAULT_NONE;
    if (hr_is_ok(norm_stamp_read(cell, &stamp)) &&
        hr_is_ok(norm_zone_utc(run->zone, stamp.local_s, fold, utc_s, &fault))) {
        return true;
    }
    norm_run_reject(run, NORM_ISO_BAD_TIME, what, cell);
    return false;
}

static bool full(struct norm_iso_run *run)
{
    run->code = HR_FULL;
    return false;
}

bool norm_run_local_after(struct norm_iso_run *run, const char *what, struct hr_bytes cell,
                          struct hr_bytes series, int64_t *utc_s)
{
    struct norm_stamp stamp;
    enum norm_fault fault = NORM_FAULT_NONE;
    struct norm_join_name *name = norm_join_name(run->join, series);
    if (name == NULL) {
        return full(run);
    }
    if (!hr_is_ok(norm_stamp_read(cell, &stamp)) ||
        !hr_is_ok(norm_zone_utc_after(run->zone, stamp.local_s, name->last_s, utc_s, &fault))) {
        norm_run_reject(run, NORM_ISO_BAD_TIME, what, cell);
        return false;
    }
    name->last_s = *utc_s;
    return true;
}

bool norm_run_join(struct norm_iso_run *run, struct hr_bytes location, int64_t start_s, int64_t end_s,
                   unsigned part, double value)
{
    struct norm_join_name *name = norm_join_name(run->join, location);
    if (name == NULL) {
        return full(run);
    }
    struct norm_join_entry *entry = norm_join_entry(run->join, name, start_s, end_s);
    if (entry == NULL) {
        return full(run);
    }
    switch (norm_join_put(entry, part, value)) {
    case NORM_JOIN_PUT:
        break;
    case NORM_JOIN_SAME:
        run->result->n_repeated++;
        break;
    case NORM_JOIN_OTHER:
        norm_run_tell(run, NORM_ISO_CONFLICT, "two values in one document", location);
        break;
    }
    return true;
}

const char *norm_subject_of(const char *prefix, struct hr_bytes name, char out[NORM_ISO_SUBJECT_CHARS])
{
    size_t len = strlen(prefix);
    name = norm_trim(name);
    memcpy(out, prefix, len);
    for (size_t i = 0; i < name.len_bytes && len + 1 < NORM_ISO_SUBJECT_CHARS; i++) {
        uint8_t c = name.data[i];
        bool is_upper = c >= 'A' && c <= 'Z';
        bool is_word = is_upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        char put_char = is_upper ? (char)(c | 0x20) : '_';
        put_char = is_word && !is_upper ? (char)c : put_char;
        if (put_char != '_' || out[len - 1] != '_') {
            out[len++] = put_char;
        }
    }
    while (len > 0 && out[len - 1] == '_') {
        len--;
    }
    out[len] = '\0';
    return out;
}
