/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that the tool makes: whole or not at all, and never over another one by accident. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { CLI_PATH_MAX_CHARS = 1024 };

struct cli_path {
    char text[CLI_PATH_MAX_CHARS];
};

/* "dir/name", where name is printf's. Asserts nothing: a path that is too long is told on stderr and is
 * HR_FULL. */
HR_MUST_USE struct hr_status cli_path_of(struct cli_path *out, const char *dir, const char *name, ...)
    __attribute__((format(printf, 3, 4)));

/* Makes the directory (0755) if it is not there. HR_IO after a complaint. */
HR_MUST_USE struct hr_status cli_directory_make(const char *path);

/* Writes to path by way of a temporary file beside it, synced before it is renamed. `secret` gives it mode
 * 0600, else 0644. Without `replace` an existing file is HR_DENIED. Complaints go to stderr; the file is as
 * before. */
HR_MUST_USE struct hr_status cli_file_write(const char *path, struct hr_bytes content, bool secret,
                                            bool replace);

/* Adds to how this run writes: is_dry_run: nothing is written or made, but all else is as if it were;
 * is_json: files are told as JSON. */
void cli_files_mode(bool is_dry_run, bool is_json);
bool cli_files_are_dry(void);
bool cli_files_are_json(void);
/* Tells on stdout that a file was written, or would be: "wrote PATH", or {"wrote":"PATH","dry_run":false}. */
void cli_file_tell(const char *path);
/* " (a dry run: nothing was changed)", or nothing. */
const char *cli_files_dry_note(void);

/* The whole file. HR_NOT_FOUND: there is none, which is not told; HR_FULL: longer than capacity; HR_IO. */
HR_MUST_USE struct hr_status cli_file_read(const char *path, uint8_t *out, size_t capacity,
                                           size_t *len_bytes);

/* HR_DENIED, with each name told, when one of the files exists; the way to refuse before anything is written.
 */
HR_MUST_USE struct hr_status cli_files_absent(const struct cli_path *paths, size_t n_paths);

#endif
