/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/image/image.h"

#include <string.h>

enum { KB = 1024, MB = 1024 * 1024 };

static const struct image_board boards[] = {
    /* PSRAM behind a file of 16 MB; the spool is 1 MB of it. */
    {"qemu_mps2_an385", 4 * KB, 8, 256, 16 * MB, true},
    /* An SD card, whose size QEMU wants to be a power of two; the spool is 256 KB of it. */
    {"qemu_lm3s6965", 4 * KB, 8, 64, 1 * MB, false},
};

const struct image_board *image_board_at(size_t i)
{
    return i < HR_ARRAY_LEN(boards) ? &boards[i] : NULL;
}

const struct image_board *image_board_find(const char *name)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(boards); i++) {
        if (strcmp(boards[i].name, name) == 0) {
            return &boards[i];
        }
    }
    return NULL;
}

bool image_board_plan_limits(const char *name, uint8_t *max_units, uint8_t *max_points)
{
    static const struct {
        const char *name;
        uint8_t max_units;
        uint8_t max_points;
    } limits[] = {{"qemu_mps2_an385", 8, 40}}; /* BOARD_PLANT_* of its board.cmake */
    for (size_t i = 0; i < HR_ARRAY_LEN(limits); i++) {
        if (strcmp(limits[i].name, name) == 0) {
            *max_units = limits[i].max_units;
            *max_points = limits[i].max_points;
            return true;
        }
    }
    return false;
}
