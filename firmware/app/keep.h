/* SPDX-License-Identifier: Apache-2.0
 *
 * Small files that a gateway keeps for itself. */
#ifndef APP_KEEP_H
#define APP_KEEP_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <stdbool.h>

enum { APP_KEEP_NAME_CHARS = 24 };

/* Writes folder/name by way of a temporary file, synced before it is renamed: a cut leaves the old file or
 * the new one. `secret` gives it mode 0600, else 0644. HR_IO: errno tells; the file is as before, or the new
 * one.
 */
HR_MUST_USE struct hr_status app_keep_write(const char *folder, const char *name, struct hr_bytes bytes,
                                            bool secret);

/* Makes a rename or a removal in the folder durable. */
bool app_keep_sync(const char *folder);

#endif
