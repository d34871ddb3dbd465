/* SPDX-License-Identifier: Apache-2.0
 *
 * The aggregator as a whole: what main starts, and what the metrics look at. */
#ifndef APP_H
#define APP_H

#include "aggregator/app/admission.h"
#include "aggregator/app/intake.h"
#include "aggregator/app/publisher.h"
#include "aggregator/app/registry.h"
#include "aggregator/app/renewal.h"
#include "aggregator/app/room.h"
#include "aggregator/app/trust.h"
#include "aggregator/config/config.h"
#include "aggregator/http/http.h"
#include "aggregator/sources/coap/source_coap.h"

#include <semaphore.h>
#include <stdatomic.h>

enum { APP_MAX_PUBLISHERS = 2, APP_MAX_METRICS = 1280 };

/* What the I/O thread is to do; it goes down only. */
enum app_io_phase { APP_IO_SERVE, APP_IO_REFUSE, APP_IO_END };

struct app {
    struct config_aggregator config;
    struct app_tenants tenants;
    struct norm_zones zones;
    struct ledger ledger;
    struct verify_keyring *keyring;
    void *core_memory;
    struct app_inbox inbox;
    struct app_admission admission;
    struct app_intake intake;
    struct app_room room;
    struct app_registry registry;

    struct source_coap_listen listen[CONFIG_MAX_LISTEN];
    struct config_listen addresses[CONFIG_MAX_LISTEN];
    struct source_coap *source;
    struct app_trust *trust;     /* NULL: no bundles are handed out */
    struct app_renewal *renewal; /* NULL: certificates are not renewed */
    pthread_t io_thread;
    atomic_int io_phase; /* enum app_io_phase */
    sem_t io_refuses;    /* posted once the source takes nothing new */

    struct app_publisher publishers[APP_MAX_PUBLISHERS];
    size_t n_publishers;

    struct http_server *http;
    struct http_server *admin; /* over TLS */
    struct http_metric metrics[APP_MAX_METRICS];
    size_t n_metrics;
    atomic_bool serving;
};

/* Starts what listens for HTTP, in plain and over TLS, as configured. HR_IO: told in the log. */
HR_MUST_USE struct hr_status app_web_start(struct app *app);
void app_web_stop(struct app *app);
/* Fills app->metrics. */
void app_metrics_fill(struct app *app);
/* For http_config.readiness. ctx is the app. */
void app_readiness(void *ctx, struct http_readiness *out);
/* For source_coap_config.event. */
void app_source_event(void *ctx, const struct source_event *event);

#endif
