/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEEDS_FILE_PAGES_H
#define FEEDS_FILE_PAGES_H

#include "proto/config/config.h"
#include "proto/feeds/feeds.h"

/* Of struct feeds_pages. */
extern const struct conf_table feeds_pages_table;

/* Complains of a feed whose pages can't be. */
void feeds_pages_check(const struct feeds_feed *feed, struct conf_place *place);

#endif
