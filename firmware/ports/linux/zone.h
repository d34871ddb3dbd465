/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_LINUX_ZONE_H
#define PORT_LINUX_ZONE_H

#include "proto/base/status.h"

#include <stddef.h>

enum { PORT_LINUX_ZONE_RULE_MAX_CHARS = 127 };

/* The POSIX rule of an IANA zone (EST5EDT,M3.2.0,M11.1.0), which is the last line of its file in the host's
 * tzdata; the folder is /usr/share/zoneinfo, or $TZDIR. HR_NOT_FOUND: there is no such zone, or no tzdata.
 * HR_MALFORMED: the file has no rule. [any] */
HR_MUST_USE struct hr_status port_linux_zone_rule(const char *name,
                                                  char out[PORT_LINUX_ZONE_RULE_MAX_CHARS + 1]);

#endif
