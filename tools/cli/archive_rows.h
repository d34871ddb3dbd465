/* SPDX-License-Identifier: Apache-2.0
 *
 * How the parts of a row stand in a frame. */
#ifndef CLI_ARCHIVE_ROWS_H
#define CLI_ARCHIVE_ROWS_H

#include "proto/base/cursor.h"

/* The length (1) and so many bytes. */
void cli_put_text(struct hr_writer *out, const char *text);
/* False: too long, or with a zero byte in it. What is left of `out` is zero. */
bool cli_get_text(struct hr_reader *in, char *out, size_t capacity);
/* True: everything was read, and nothing is left. */
bool cli_row_is_done(const struct hr_reader *in);

#endif
