/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/admin.h"
#include "aggregator/app/app.h"
#include "aggregator/app/log.h"

static struct hr_status start(const struct http_config *config, const char *event, struct http_server **out)
{
    char why[512] = "";
    struct hr_status status = http_start(config, out, why, sizeof(why));
    if (hr_is_ok(status)) {
        APP_LOG(APP_INFO, event, app_text("address", config->address), app_number("port", http_port(*out)));
    } else {
        APP_LOG(APP_ERROR, "http", app_text("why", why));
    }
    return status;
}

struct hr_status app_web_start(struct app *app)
{
    app_metrics_fill(app);
    struct http_config http = {.metrics = app->metrics,
                               .n_metrics = app->n_metrics,
                               .readiness = app_readiness,
                               .local_role = app->config.has_admin ? HTTP_ROLE_VIEWER : HTTP_ROLE_ADMIN,
                               .admin = app_admin,
                               .ctx = app};
    if (app->config.has_http) {
        http.address = app->config.http.address;
        http.port = app->config.http.port;
        http.max_connections = app->config.http.max_connections;
        HR_TRY(start(&http, "http_listening", &app->http));
    }
    if (app->config.has_admin) {
        const struct config_admin *admin = &app->config.admin;
        const struct http_tls tls = {.certificate = admin->certificate,
                                     .key = admin->key,
                                     .operator_ca = admin->operator_ca,
                                     .denied = admin->revoked[0] != '\0' ? admin->revoked : NULL};
        http.tls = &tls;
        http.address = admin->address;
        http.port = admin->port;
        http.max_connections = admin->max_connections;
        HR_TRY(start(&http, "admin_listening", &app->admin));
    }
    return hr_ok();
}

void app_web_stop(struct app *app)
{
    if (app->admin != NULL) {
        http_stop(app->admin);
    }
    if (app->http != NULL) {
        http_stop(app->http);
    }
}
