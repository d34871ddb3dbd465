/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEMP_FOLDER_H
#define TEMP_FOLDER_H

enum { TEMP_PATH_CHARS = 256 };

/* A folder of its own for one test, under $TMPDIR or /tmp. */
struct temp_folder {
    char path[TEMP_PATH_CHARS];
};

void temp_folder_make(struct temp_folder *folder);
/* Removes the folder and the files in it (no folders within). */
void temp_folder_remove(const struct temp_folder *folder);
/* "<folder>/<name>", in memory of the caller: 2 * TEMP_PATH_CHARS. */
const char *temp_folder_file(const struct temp_folder *folder, const char *name, char *out);

#endif
