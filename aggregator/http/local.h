/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether somebody on this machine asks. */
#ifndef HTTP_LOCAL_H
#define HTTP_LOCAL_H

#include <microhttpd.h>
#include <stdbool.h>

/* From a loopback address, for a host that is a number or localhost (not a name that somebody made to lead
 * here), and without the marks of a proxy, which asks for somebody else. [http thread] */
bool http_is_local(struct MHD_Connection *connection);

#endif
