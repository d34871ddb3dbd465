/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the zones of the market operators in the system's tzdata, which normalizers, being pure, can't.
 * Called once at start. */
#ifndef ZONEINFO_H
#define ZONEINFO_H

#include "aggregator/normalize/calendar/market.h"

#define ZONEINFO_FOLDER "/usr/share/zoneinfo"

enum { ZONEINFO_MESSAGE_CHARS = 256 };

/* Reads one zone, such as "America/Chicago", from `folder` (NULL: ZONEINFO_FOLDER). Blocks for one file of at
 * most 64 KB.
 *   HR_NOT_FOUND  no such file, or a name that leads out of the folder
 *   HR_IO         it can't be read
 *   HR_MALFORMED, HR_FULL as norm_zone_parse; HR_FULL also when it is longer
 * *zone is as it was, and `message` says what is wrong with which file. */
HR_MUST_USE struct hr_status zoneinfo_read(const char *folder, const char *name, struct norm_zone *zone,
                                           char message[ZONEINFO_MESSAGE_CHARS]);

/* All zones that the calendar needs. Fails as above; *zones is then undefined. */
HR_MUST_USE struct hr_status zoneinfo_load(const char *folder, struct norm_zones *zones,
                                           char message[ZONEINFO_MESSAGE_CHARS]);

#endif
