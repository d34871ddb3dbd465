/* SPDX-License-Identifier: Apache-2.0
 *
 * What a parser does with the cells of a record. */
#include "aggregator/normalize/iso/form.h"

#include <string.h>

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

bool norm_run_join(struct norm_iso_run *run, struct hr_bytes name, int64_t start_s, int64_t end_s,
                   unsigned part, double value)
{
    const struct norm_join_name *place = norm_join_name(run->join, name);
    struct norm_join_entry *entry = place != NULL ? norm_join_entry(run->join, place, start_s, end_s) : NULL;
    if (entry == NULL) {
        return full(run);
    }
    switch (norm_join_put(entry, part, value)) {
    case NORM_JOIN_PUT:
        return true;
    case NORM_JOIN_SAME:
        run->result->n_repeated++;
        break;
    case NORM_JOIN_OTHER:
        norm_run_tell(run, NORM_ISO_CONFLICT, "two values in one document", name);
        break;
    }
    return false;
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
