/* SPDX-License-Identifier: Apache-2.0
 *
 * URL templates. {moment:view:pattern} stands for a time:
 *
 *   moment   start or end of the window, last (a second before its end), now
 *   view     utc, local (the feed's zone), repeated
 *   pattern  of utc and local: %Y %m %d %H %M %S and plain characters; a space becomes %20. Of repeated: text
 *            that stands there when the local clock shows that time for the second time, and else does not
 *
 * {moment:epoch} is Unix milliseconds. {moment:hour_ending} is the hour that the moment is in, 1 to 24,
 * named by its end. Braces stand for nothing else. [any] */
#ifndef FEEDS_URL_H
#define FEEDS_URL_H

#include "proto/feeds/window.h"

/* Writes the URL with its zero. NULL; or what is wrong, as static text, and *out is unspecified. At most
 * FEEDS_REQUEST_MAX_CHARS characters. */
const char *feeds_url_expand(const char *url, const struct feeds_zone *zone, struct feeds_window window,
                             int64_t now_ms, char out[FEEDS_REQUEST_MAX_CHARS + 1]);

/* Adds the parameter of a page, from 0 on, to an expanded URL. False: it would be too long. */
bool feeds_url_add_page(const struct feeds_pages *pages, uint32_t page,
                        char url[FEEDS_REQUEST_MAX_CHARS + 1]);

/* NULL, or what is wrong with a template: it asks for https, or for http on a loopback address, which is how
 * simulators are reached. */
const char *feeds_url_check(const char *url);

/* The host of a URL without port, cut to capacity_bytes. */
void feeds_url_host(const char *url, char *out, size_t capacity_bytes);

#endif
