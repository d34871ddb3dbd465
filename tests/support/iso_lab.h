/* SPDX-License-Identifier: Apache-2.0
 *
 * A document through aggregator/normalize/iso, its rows and findings kept to look at. One at a time. */
#ifndef ISO_LAB_H
#define ISO_LAB_H

#include "aggregator/normalize/iso/iso.h"

enum { ISO_LAB_TEXT_CHARS = 96, ISO_LAB_ANOMALIES_MAX = 64, ISO_LAB_PLACES_MAX = 64 };

struct iso_lab_row {
    struct norm_iso_row row; /* its texts are those below */
    char location[ISO_LAB_TEXT_CHARS];
    char subject[NORM_ISO_SUBJECT_CHARS];
    char market[ISO_LAB_TEXT_CHARS];
    char key[NORM_ISO_KEY_CHARS];
};

struct iso_lab_place {
    struct norm_iso_place place; /* its texts are those below */
    char id[ISO_LAB_TEXT_CHARS];
    char name[ISO_LAB_TEXT_CHARS];
    char zone[ISO_LAB_TEXT_CHARS];
};

struct iso_lab {
    struct norm_iso_result result;
    struct iso_lab_row *rows; /* grows; freed with the next document */
    size_t n_rows;
    size_t capacity;
    struct norm_iso_anomaly anomalies[ISO_LAB_ANOMALIES_MAX];
    char texts[ISO_LAB_ANOMALIES_MAX][NORM_ISO_ANOMALY_CHARS];
    size_t n_anomalies;
    struct iso_lab_place places[ISO_LAB_PLACES_MAX]; /* the first of them */
    size_t n_places;
    uint64_t max_bytes; /* of the documents to come; 0: the default */
};

/* cmocka group set-up: time zones and memory. Fails the group without tzdata. */
int iso_lab_start(void **state);
int iso_lab_stop(void **state);

extern struct iso_lab iso_lab;
extern struct norm_zones iso_lab_zones;

/* `feed` "auto" or NULL: by the form. */
void iso_lab_read(const char *feed, const char *name, struct hr_bytes body);
void iso_lab_read_text(const char *feed, const char *name, const char *text);

/* The first row of that location; fails the test when there is none. */
const struct norm_iso_row *iso_lab_at(const char *location);
/* Unix seconds of "2025-11-02T06:00:00Z". */
int64_t iso_lab_utc(const char *text);

/* An archive with members as they are given, deflated. Returns its length. */
size_t iso_lab_zip(const char *const *names, const struct hr_bytes *members, size_t n_members, uint8_t *out,
                   size_t capacity_bytes);

#endif
