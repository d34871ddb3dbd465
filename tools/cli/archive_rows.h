/* SPDX-License-Identifier: Apache-2.0
 *
 * How the parts of a row stand in a frame. */
#ifndef CLI_ARCHIVE_ROWS_H
#define CLI_ARCHIVE_ROWS_H

#include "aggregator/io/ledger.h"
#include "proto/base/cursor.h"

/* The length (1) and so many bytes. */
void cli_put_text(struct hr_writer *out, const char *text);
/* False: too long, or with a zero byte in it. What is left of `out` is zero. */
bool cli_get_text(struct hr_reader *in, char *out, size_t capacity);
/* True: everything was read, and nothing is left. */
void cli_put_key(struct hr_writer *out, const struct ledger_key *key);
bool cli_get_key(struct hr_reader *in, struct ledger_key *out);
/* archive_keys.c: the end of a device's row, which exports of earlier versions have not. */
void cli_put_device_trust(struct hr_writer *out, const struct ledger_device *device);
bool cli_get_device_trust(struct hr_reader *in, struct ledger_device *out);
bool cli_row_is_done(const struct hr_reader *in);

#endif
