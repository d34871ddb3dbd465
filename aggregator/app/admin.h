/* SPDX-License-Identifier: Apache-2.0
 *
 * The admin API: POST /reprocess asks for a replay, GET /reprocess lists them, GET /reprocess/ID shows one.
 */
#ifndef APP_ADMIN_H
#define APP_ADMIN_H

#include "aggregator/http/http.h"

/* For http_config.admin; ctx is the app. */
bool app_admin(void *ctx, const struct http_request *request, struct http_reply *reply);

#endif
