/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificates of operators that don't count any more: a text file of serial numbers in hex, one a line,
 * with anything behind a blank; empty lines and ones that begin with '#' are passed over. It is looked at
 * again before each request that its answer decides, so that a line counts from the next request on. */
#ifndef HTTP_DENIED_H
#define HTTP_DENIED_H

#include "aggregator/http/http.h"

enum { HTTP_DENIED_MAX = 4096 };

struct http_denied;

/* HR_IO: the file can't be read, or a line of it is no serial number; `why` tells which. `path` is copied. */
HR_MUST_USE struct hr_status http_denied_open(const char *path, struct http_denied **out, char *why,
                                              size_t why_capacity);
/* Is the peer's certificate on the list? While the file can't be read, or a line of it is wrong, everybody's
 * is: what it said last may be the very thing that was to be changed. [http thread] */
bool http_denied_has(struct http_denied *denied, const struct http_peer *peer);
/* NULL is fine. */
void http_denied_close(struct http_denied *denied);

#endif
