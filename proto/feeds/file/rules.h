/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of a feed's `rules:`. Private to the room. */
#ifndef FEEDS_FILE_RULES_H
#define FEEDS_FILE_RULES_H

#include "proto/config/config.h"

/* Of struct feeds_rules. */
extern const struct conf_table feeds_rules_table;

#endif
