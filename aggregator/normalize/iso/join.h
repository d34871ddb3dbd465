/* SPDX-License-Identifier: Apache-2.0
 *
 * What one document has said so far, for forms that spread an observation over several records (CAISO: one
 * for each component, MISO: one row of 24 hours for each), that repeat records, or that tell the repeated
 * hour by the order of a location's rows. Fixed places; a document that needs more fails. [any] */
#ifndef NORM_JOIN_H
#define NORM_JOIN_H

#include "aggregator/normalize/iso/iso.h"

enum {
    NORM_JOIN_PARTS = 5,
    NORM_JOIN_NAME_SLOTS = 1 << 17,
    NORM_JOIN_SLOTS = 1 << 20,
    NORM_JOIN_TEXT_BYTES = 4 << 20,
};

struct norm_join_name {
    uint32_t text_at;
    uint16_t len_bytes;
    uint8_t location_type; /* enum norm_iso_location */
    int64_t last_s;        /* for rows that are told apart by their order; NORM_TIME_MIN_S at first */
};

struct norm_join_entry {
    uint32_t name;
    uint32_t length_s;
    int64_t start_s;
    double parts[NORM_JOIN_PARTS];
    uint8_t has; /* a bit for each part */
};

struct norm_join {
    uint32_t n_names;
    uint32_t n_entries;
    uint32_t text_len;
    struct norm_join_name names[NORM_ISO_LOCATIONS_MAX];
    uint32_t name_slots[NORM_JOIN_NAME_SLOTS]; /* number + 1, 0: empty */
    uint32_t slots[NORM_JOIN_SLOTS];
    struct norm_join_entry entries[NORM_ISO_JOINED_MAX]; /* in order of their first record */
    char text[NORM_JOIN_TEXT_BYTES];
};

/* Forgets everything. */
void norm_join_clear(struct norm_join *join);
/* The place of a name, which is made when it is new; NULL: full. */
struct norm_join_name *norm_join_name(struct norm_join *join, struct hr_bytes name);
struct hr_bytes norm_join_text(const struct norm_join *join, const struct norm_join_name *name);
/* The observation of that name and interval, made with no parts when it is new; NULL: full. */
struct norm_join_entry *norm_join_entry(struct norm_join *join, const struct norm_join_name *name,
                                        int64_t start_s, int64_t end_s);

enum norm_join_put { NORM_JOIN_PUT, NORM_JOIN_SAME, NORM_JOIN_OTHER };

/* Sets a part that is not there yet; SAME or OTHER: it was, with this value or another, and stays. */
enum norm_join_put norm_join_put(struct norm_join_entry *entry, unsigned part, double value);

#endif
