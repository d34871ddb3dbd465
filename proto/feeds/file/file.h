/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads feeds from YAML, a file each, strictly: every mistake is told as file:line:key: message with what to
 * do. For programs on Linux. [any] */
#ifndef FEEDS_FILE_H
#define FEEDS_FILE_H

#include "proto/config/config.h"
#include "proto/feeds/feeds.h"

/* Reads one feed and checks all but the name of its time zone, which takes the zone files of the host.
 * HR_MALFORMED, HR_NOT_FOUND, HR_IO: report tells why, *out is all zeros. */
HR_MUST_USE struct hr_status feeds_file_load(const char *path, struct feeds_feed *out,
                                             struct conf_report *report);

/* The same over text; `name` stands for the path, and ends as the feed's name does, and .yaml. */
HR_MUST_USE struct hr_status feeds_file_parse(const char *name, struct hr_bytes text, struct feeds_feed *out,
                                              struct conf_report *report);

enum { FEEDS_MAX_FILES = 512, FEEDS_PATH_MAX_CHARS = 255 };

struct feeds_paths {
    size_t n_paths;
    char paths[FEEDS_MAX_FILES][FEEDS_PATH_MAX_CHARS + 1];
};

/* Adds the *.yaml of a folder in the order of their names, or the file itself. HR_NOT_FOUND, HR_IO: errno
 * tells why. HR_FULL: there are more, or a path is too long. */
HR_MUST_USE struct hr_status feeds_paths_add(struct feeds_paths *paths, const char *file_or_folder);

/* The JSON Schema of such files, for editors. */
void feeds_file_print_schema(FILE *out);

#endif
