/* SPDX-License-Identifier: Apache-2.0
 *
 * What the file of a poll plan says, checked; board_plan.c makes the page of it. */
#ifndef CLI_BOARD_PLAN_FILE_H
#define CLI_BOARD_PLAN_FILE_H

#include "proto/config/config.h"
#include "proto/image/plan.h"

enum {
    PLAN_MAX_MAPS = 16,
    PLAN_TEXT_CHARS = IMAGE_PLAN_NAME_MAX_CHARS + 1,
    PLAN_FIRST_TYPE = IMAGE_INT16, /* of the first name of a type */
    PLAN_FIRST_TABLE = 3,
};

struct plan_point {
    char name[PLAN_TEXT_CHARS];
    char measure[IMAGE_PLAN_MEASURE_MAX_CHARS + 1];
    char scale_from[PLAN_TEXT_CHARS];
    uint32_t type;  /* enum image_register - PLAN_FIRST_TYPE */
    uint32_t table; /* - PLAN_FIRST_TABLE */
    uint32_t address;
    uint32_t model;
    uint32_t interval_ms; /* 0: the map's */
    uint32_t silence_ms;
    uint32_t dead_band;
    double scale;
    bool is_each;
};

struct plan_map {
    char name[PLAN_TEXT_CHARS];
    uint32_t model;
    uint32_t interval_ms;
    uint32_t n_points;
    struct plan_point points[IMAGE_PLAN_MAX_POINTS];
};

struct plan_unit {
    char name[PLAN_TEXT_CHARS];
    char map[PLAN_TEXT_CHARS];
    uint8_t unit;
    uint32_t timeout_ms;
    uint8_t n_retries;
    uint32_t backoff_ms;
    uint8_t n_failures;
    uint32_t pause_ms;
    uint32_t longest_pause_ms;
};

struct plan_file {
    uint32_t baud;
    uint32_t n_maps;
    struct plan_map maps[PLAN_MAX_MAPS];
    uint32_t n_units;
    struct plan_unit units[IMAGE_PLAN_MAX_UNITS];
};

/* As conf_load. Each unit has its map, and each scale_from its point. */
HR_MUST_USE struct hr_status cli_plan_file_load(const char *path, struct plan_file *out,
                                                struct conf_report *report);

/* The map of that name; NULL: there is none. */
const struct plan_map *cli_plan_file_map(const struct plan_file *file, const char *name);

#endif
