/* SPDX-License-Identifier: Apache-2.0
 *
 * schemas/feeds as of the build (embed.cmake makes the definition). Private to the room. */
#ifndef FEEDS_FILE_EMBEDDED_H
#define FEEDS_FILE_EMBEDDED_H

#include "proto/base/bytes.h"

struct feeds_embedded {
    const char *name; /* of the file; NULL ends the table */
    struct hr_bytes text;
};

extern const struct feeds_embedded feeds_embedded[];

#endif
