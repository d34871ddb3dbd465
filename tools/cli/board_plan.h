/* SPDX-License-Identifier: Apache-2.0
 *
 * The poll plan of a board: a YAML file into the page of proto/image/plan.h. tools/cli/README.md shows one.
 */
#ifndef CLI_BOARD_PLAN_H
#define CLI_BOARD_PLAN_H

#include "proto/image/plan.h"

struct cli_plan_page {
    uint8_t bytes[IMAGE_PLAN_MAX_BYTES];
    size_t len_bytes;
};

/* Reads and compiles the file for the board. Every mistake is told on stderr as file:line:key: message; then
 * HR_MALFORMED, or HR_NOT_FOUND or HR_IO for the file. */
HR_MUST_USE struct hr_status cli_plan_compile(const char *path, const char *board, struct cli_plan_page *out);

/* Prints the plan that stands behind the spool of these regions in the file that is open at fd, a line for
 * its front and one for each unit; nothing when there is none. */
void cli_plan_show(int fd, const struct image_regions *regions);

#endif
