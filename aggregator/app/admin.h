/* SPDX-License-Identifier: Apache-2.0
 *
 * The admin API.
 *
 *     POST /reprocess               asks for a replay; GET lists them, GET /reprocess/ID shows one
 *     GET  /devices[/after/ID]      a page of the registry; of ?state=STATE and ?name=PART alone
 *     GET  /devices/ID              one device, with its record keys
 *     POST /devices/ID/decision     quarantine, release, revoke, retire (decision.h)
 *     GET  /devices/ID/audit[/after/N], /audit[/after/N]    who changed what
 *
 * A page has at most 64 rows; the next is the one after the last row's id, and an empty one is the end. Over
 * TLS a viewer may look, an operator ask for replays and decide what can be undone, an admin everything. In
 * plain it is for this machine alone, which may do everything as long as nothing is served over TLS, and only
 * look when something is. */
#ifndef APP_ADMIN_H
#define APP_ADMIN_H

#include "aggregator/http/http.h"

#define APP_ADMIN_WANTS_OPERATOR "over https, a certificate with the role operator or admin may do that"

struct app;
struct app_reply;

/* For http_config.admin; ctx is the app. */
bool app_admin(void *ctx, const struct http_request *request, struct http_reply *reply);

/* The part of it under /devices and /audit; false: the path is none of these. */
bool app_admin_devices(struct app *app, const struct http_request *request, struct http_reply *reply);
/* admin_transport.c: adds the transport keys of a device as a member behind a list, which stays open. HR_IO:
 * the ledger can't be read now. */
HR_MUST_USE struct hr_status app_admin_transport(const struct app *app, uint64_t device_id,
                                                 struct app_reply *text);
/* admin_claims.c: the provisioning ceremony */
bool app_admin_claims(struct app *app, const struct http_request *request, struct http_reply *reply);

#endif
