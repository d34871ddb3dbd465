/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/app/app.h"
#include "aggregator/app/exit.h"
#include "aggregator/app/log.h"
#include "aggregator/app/sinks.h"
#include "aggregator/app/time.h"
#include "aggregator/config/registry_entry.h"
#include "aggregator/ledger/choice/choice.h"
#include "aggregator/zoneinfo/zoneinfo.h"
#include "proto/base/assert.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IO_STEP_MS = 1000, LAST_ANSWERS_MS = 2000, SUPERVISE_S = 1, KEYS_PER_DEVICE = 4 };

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line)
{
    APP_LOG(APP_ERROR, "assertion_failed", app_text("expression", expression), app_text("file", file),
            app_number("line", (uint64_t)line));
    abort();
}

static void log_ledger(void *ctx, const char *text)
{
    (void)ctx;
    APP_LOG(APP_ERROR, "ledger", app_text("text", text));
}

void app_source_event(void *ctx, const struct source_event *event)
{
    (void)ctx;
    static const struct {
        const char *name;
        enum app_level level;
    } rows[] = {
        [SOURCE_EVENT_LISTENING] = {"listening", APP_INFO},
        [SOURCE_EVENT_SESSION_OPENED] = {"session_opened", APP_INFO},
        [SOURCE_EVENT_SESSION_CLOSED] = {"session_closed", APP_INFO},
        [SOURCE_EVENT_SESSION_REFUSED] = {"session_refused", APP_WARN},
        [SOURCE_EVENT_HANDSHAKE_FAILED] = {"handshake_failed", APP_WARN},
        [SOURCE_EVENT_CERTIFICATE_EXPIRED] = {"certificate_expired", APP_WARN},
        [SOURCE_EVENT_REQUEST_REFUSED] = {"request_refused", APP_WARN},
        [SOURCE_EVENT_MALFORMED_MESSAGE] = {"malformed_message", APP_WARN},
        [SOURCE_EVENT_LIBRARY] = {"coap_library", APP_WARN},
    };
    HR_ASSERT((size_t)event->kind < HR_ARRAY_LEN(rows));
    APP_LOG(rows[event->kind].level, rows[event->kind].name, app_text("peer", event->peer),
            app_number("device_id", event->device_id), app_text("text", event->text));
}

/* ---- glue between the threads ---- */

static void on_committed(void *ctx)
{
    struct app *app = ctx;
    for (size_t i = 0; i < app->n_publishers; i++) {
        app_publisher_wake(&app->publishers[i]);
    }
}

static void on_devices_changed(void *ctx, bool kept)
{
    struct app *app = ctx;
    if (kept) {
        source_coap_recheck(app->source);
    } else {
        app_registry_forget(&app->registry);
    }
}

/* [registry thread] */
static bool on_registry_entry(void *ctx, const struct ledger_device *device)
{
    struct app *app = ctx;
    if (!atomic_load(&app->serving)) {
        app_admission_register(&app->admission, device); /* at start, still on the only thread */
        return true;
    }
    struct app_device *item = malloc(sizeof(*item));
    if (item == NULL) {
        return false;
    }
    *item = (struct app_device){.item = {.kind = APP_ITEM_DEVICE, .owner = item}, .device = *device};
    if (!hr_is_ok(app_inbox_put(&app->inbox, &item->item))) {
        free(item);
        return false;
    }
    return true;
}

static void *run_io(void *ctx)
{
    struct app *app = ctx;
    bool refusing = false;
    while (atomic_load(&app->io_phase) != APP_IO_END) {
        if (!refusing && atomic_load(&app->io_phase) == APP_IO_REFUSE) {
            source_coap_refuse_new(app->source);
            refusing = true;
            (void)sem_post(&app->io_refuses);
        }
        source_coap_step(app->source, IO_STEP_MS);
        if (app->trust != NULL) {
            app_trust_follow(app->trust);
        }
    }
    uint64_t until_ms = app_monotonic_ms() + LAST_ANSWERS_MS;
    while (source_coap_waiting(app->source) > 0 && app_monotonic_ms() < until_ms) {
        source_coap_step(app->source, 1);
    }
    return NULL;
}

/* ---- start ---- */

static void count_leaves(struct app *app)
{
    uint64_t n_leaves = 0;
    if (hr_is_ok(app->ledger.size(app->ledger.ctx, &n_leaves))) {
        atomic_store(&app->admission.size, n_leaves);
    }
}

static void keep_tenant(void *ctx, const struct ledger_device *device)
{
    if (!app_tenants_set(ctx, device->device_id, device->tenant)) {
        APP_LOG(APP_ERROR, "no_memory", app_text("for", "tenant"));
    }
}

static struct hr_status open_ledger(struct app *app)
{
    const struct ledger_report report = {.log = log_ledger};
    HR_TRY(ledger_choice_open(&app->config.ledger, &report, &app->ledger));
    return app->ledger.load_devices(app->ledger.ctx, keep_tenant, &app->tenants);
}

/* The core asks its ports only from within calls, and the source is there before the first one that answers.
 */
static void answer_later(void *ctx, const struct source_answer *answer)
{
    const struct app *app = ctx;
    struct source_answers answers = source_coap_answers(app->source);
    answers.answer(answers.ctx, answer);
}

static struct hr_status place_core(struct app *app)
{
    const struct config_limits *from = &app->config.limits;
    const struct agg_limits limits = {.max_devices = from->max_devices,
                                      .max_held = from->max_held,
                                      .retry_after_s = (uint32_t)(from->retry_after_ms / 1000),
                                      .key_max_age_ms = (int64_t)app->config.rotation.record_key_max_age_ms,
                                      .certificate_overlap_ms = (int64_t)app->config.renewal.overlap_ms};
    struct agg_ports ports = {.clock = *app_clock(),
                              .hash = verify_hash(),
                              .answers = {.answer = answer_later, .ctx = app},
                              .ledger = &app->ledger};
    app_admission_ports(&app->admission, &ports);
    app->core_memory = malloc(agg_core_bytes(&limits));
    if (app->core_memory == NULL ||
        !hr_is_ok(verify_keyring_new(KEYS_PER_DEVICE * from->max_devices, &app->keyring))) {
        APP_LOG(APP_ERROR, "no_memory", app_text("for", "max_devices"));
        return hr_status_of(HR_IO);
    }
    app->admission.keyring = app->keyring;
    app->admission.core = agg_core_place(app->core_memory, &limits, &ports);
    return agg_core_load(app->admission.core);
}

static uint32_t verify_threads(const struct app *app)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t n = app->config.verify_threads != 0 ? app->config.verify_threads
                                                 : (uint32_t)(processors > 0 ? processors : 1);
    return n < VERIFY_MAX_THREADS ? n : VERIFY_MAX_THREADS;
}

/* What every sink has got, the feed ledger has seen and no running replay will read, as far as this process
 * knows. */
static uint64_t delivered(void *ctx)
{
    const struct app *app = ctx;
    uint64_t least = app->n_publishers > 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < app->n_publishers; i++) {
        uint64_t needed = atomic_load(&app->publishers[i].figures[APP_PUBLISHED_NEEDED]);
        least = needed < least ? needed : least;
    }
    return least;
}

static void on_looked(void *ctx, const char *why_full)
{
    struct app *app = ctx;
    app_admission_looked(&app->admission, why_full);
}

static struct hr_status start_admission(struct app *app)
{
    app_inbox_init(&app->inbox);
    const struct app_room_config room = {.ledger = &app->ledger,
                                         .retention_ms = app->config.ledger.retention_ms,
                                         .revisions_ms = app->config.ledger.revisions_ms,
                                         .n_spared = app->config.sinks.transaction_max_batches,
                                         .delivered = delivered,
                                         .looked = on_looked,
                                         .ctx = app};
    app_room_init(&app->room, &room);
    app->admission.room = &app->room;
    app->admission.ledger = &app->ledger;
    app->admission.inbox = &app->inbox;
    app->admission.intake = &app->intake;
    app->admission.tenants = &app->tenants;
    app->admission.commit_window_ms = (uint32_t)app->config.limits.commit_window_ms;
    app->admission.committed = on_committed;
    app->admission.devices_changed = on_devices_changed;
    app->admission.ctx = app;
    count_leaves(app);
    HR_TRY(place_core(app));
    const struct app_intake_config intake = {.n_threads = verify_threads(app),
                                             .max_waiting = app->config.limits.max_waiting,
                                             .max_inflight_bytes = app->config.limits.max_inflight_bytes,
                                             .inbox = &app->inbox,
                                             .core = app->admission.core,
                                             .keyring = app->keyring};
    return app_intake_start(&app->intake, &intake);
}

static struct hr_status open_source(struct app *app)
{
    const struct config_limits *limits = &app->config.limits;
    for (uint32_t i = 0; i < app->config.n_uris; i++) {
        bool parsed = config_listen_parse(app->config.uris[i], &app->addresses[i]);
        HR_ASSERT(parsed); /* the configuration was checked */
        app->listen[i] = (struct source_coap_listen){.address = app->addresses[i].address,
                                                     .port = app->addresses[i].port,
                                                     .tcp = app->addresses[i].tcp};
    }
    if (app->config.trust_bundle[0] != '\0') {
        HR_TRY(app_trust_open(app->config.trust_bundle, &app->trust));
    }
    if (app->config.has_renewal) {
        HR_TRY(app_renewal_start(&app->config.renewal, &app->ledger, &app->inbox, &app->renewal));
    }
    const struct source_coap_config source = {
        .listen = app->listen,
        .n_listen = app->config.n_uris,
        .certificate = app->config.identity.certificate,
        .key = app->config.identity.key,
        .client_ca = app->config.identity.client_ca,
        .max_sessions = limits->max_sessions,
        .max_handshakes = limits->max_handshakes,
        .max_waiting = limits->max_waiting,
        .max_bodies = limits->max_bodies,
        .max_body_bytes = (uint32_t)limits->max_envelope_bytes,
        .idle_timeout_s = (uint32_t)(limits->session_idle_ms / 1000),
        .retry_after_s = (uint32_t)(limits->retry_after_ms / 1000),
        .handler = app_intake_handler(&app->intake),
        .renewal = app->renewal != NULL ? app_renewal_source(app->renewal) : NULL,
        .trust = app->trust != NULL ? app_trust_source(app->trust) : NULL,
        .event = app_source_event,
    };
    return source_coap_open(&source, &app->source);
}

static struct hr_status follow_registry(struct app *app)
{
    app->registry.directory = app->config.registry;
    app->registry.max_entries = app->config.limits.max_devices;
    app->registry.entry = on_registry_entry;
    app->registry.ctx = app;
    HR_TRY(app_registry_init(&app->registry));
    app_registry_scan(&app->registry);
    HR_TRY(app_admission_start(&app->admission));
    atomic_store(&app->serving, true);
    return app_registry_start(&app->registry);
}

/* Normalizers of the market operators' documents can't do without; a wrong hour would be worse than none. */
static struct hr_status load_zones(struct app *app)
{
    char message[ZONEINFO_MESSAGE_CHARS];
    struct hr_status loaded = zoneinfo_load(NULL, &app->zones, message);
    if (!hr_is_ok(loaded)) {
        APP_LOG(APP_ERROR, "time_zones", app_text("why", message),
                app_text("text", "the package tzdata has them"));
    }
    return loaded;
}

static struct hr_status start_publishers(struct app *app)
{
    const bool wanted[] = {[APP_PUBLISHER_FILES] = app->config.sinks.has_files,
                           [APP_PUBLISHER_KAFKA] = app->config.sinks.has_kafka};
    for (size_t kind = 0; kind < HR_ARRAY_LEN(wanted); kind++) {
        if (wanted[kind]) {
            app->publishers[app->n_publishers++] =
                (struct app_publisher){.kind = (enum app_publisher_kind)kind,
                                       .config = &app->config,
                                       .tenants = &app->tenants,
                                       .zones = &app->zones,
                                       .ledger = &app->ledger,
                                       .is_behind = &app->admission.is_behind};
        }
    }
    for (size_t i = 0; i < app->n_publishers; i++) {
        HR_TRY(app_publisher_start(&app->publishers[i]));
    }
    return hr_ok();
}

/* Everything that can fail, in the order in which each needs the one before. The I/O thread comes last:
 * nobody is answered before all of it stands. */
static struct hr_status start(struct app *app)
{
    if (!app_tenants_init(&app->tenants, app->config.limits.max_devices) ||
        sem_init(&app->io_refuses, 0, 0) != 0) {
        return hr_status_of(HR_IO);
    }
    HR_TRY(app_schemas_check());
    HR_TRY(load_zones(app));
    HR_TRY(open_ledger(app));
    HR_TRY(start_admission(app));
    HR_TRY(open_source(app));
    HR_TRY(start_publishers(app));
    HR_TRY(follow_registry(app));
    HR_TRY(app_room_start(&app->room));
    HR_TRY(app_web_start(app));
    return hr_status_of(pthread_create(&app->io_thread, NULL, run_io, app) == 0 ? HR_OK : HR_IO);
}

/* ---- end ---- */

/* Stop taking, judge what was taken, commit it, answer it, end the publishers after their transaction, and
 * close the ledger last. */
static void stop(struct app *app)
{
    atomic_store(&app->serving, false);
    atomic_store(&app->io_phase, APP_IO_REFUSE);
    source_coap_wake(app->source);
    while (sem_wait(&app->io_refuses) != 0) {
    }
    app_registry_stop(&app->registry, true);
    app_room_stop(&app->room);
    app_intake_stop(&app->intake);
    app_inbox_close(&app->inbox);
    app_admission_join(&app->admission);
    atomic_store(&app->io_phase, APP_IO_END);
    source_coap_wake(app->source);
    (void)pthread_join(app->io_thread, NULL);
    app_renewal_stop(app->renewal);
    for (size_t i = 0; i < app->n_publishers; i++) {
        app_publisher_stop(&app->publishers[i]);
    }
    app_web_stop(app);
    source_coap_close(app->source);
    app_trust_close(app->trust);
    app->ledger.close(app->ledger.ctx);
    verify_keyring_free(app->keyring);
    free(app->core_memory);
    app_inbox_free(&app->inbox);
    app_tenants_free(&app->tenants);
    (void)sem_destroy(&app->io_refuses);
}

/* A process that has nothing to commit learns it from nobody else, nor that a database is back. */
static bool is_taken_over(struct app *app)
{
    struct hr_status status = app->ledger.is_writer(app->ledger.ctx);
    int away = APP_LEDGER_AWAY;
    if (hr_is(status, HR_CORRUPT)) {
        /* What was acknowledged is not there. The next start finds out who else knows of it. */
        APP_LOG(APP_ERROR, "commits_lost",
                app_text("text", "the ledger lacks what was committed; this process ends"));
        _exit(APP_EXIT_LEDGER);
    }
    if (hr_is(status, HR_DENIED)) {
        atomic_store(&app->admission.health, APP_LEDGER_FENCED);
    } else if (hr_is_ok(status)) {
        (void)atomic_compare_exchange_strong(&app->admission.health, &away, APP_LEDGER_GOOD);
    }
    return atomic_load(&app->admission.health) == APP_LEDGER_FENCED;
}

/* Until somebody asks for the end, or another writer took the ledger. */
static enum app_exit supervise(struct app *app, const sigset_t *signals)
{
    const struct timespec patience = {.tv_sec = SUPERVISE_S};
    for (;;) {
        int signal = sigtimedwait(signals, NULL, &patience);
        if (signal == SIGHUP) {
            app_registry_ask(&app->registry);
        } else if (signal == SIGTERM || signal == SIGINT) {
            APP_LOG(APP_INFO, "stopping", app_text("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"));
            return APP_EXIT_OK;
        }
        if (is_taken_over(app)) {
            APP_LOG(APP_ERROR, "taken_over",
                    app_text("text", "another process writes this ledger now; this one ends"));
            return APP_EXIT_TAKEN_OVER;
        }
    }
}

static void block_signals(sigset_t *signals)
{
    (void)sigemptyset(signals);
    (void)sigaddset(signals, SIGHUP);
    (void)sigaddset(signals, SIGINT);
    (void)sigaddset(signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static enum app_exit run(struct app *app)
{
    sigset_t signals;
    block_signals(&signals);
    app_log_level((enum app_level)app->config.log_level);
    if (!hr_is_ok(start(app))) {
        APP_LOG(APP_ERROR, "not_started", app_text("why", "the lines before say it"));
        /* Threads may run on what is half built: leaving is the clean way, nothing has been answered. */
        _exit(APP_EXIT_START);
    }
    APP_LOG(APP_INFO, "started", app_text("version", HEADRACE_VERSION),
            app_text("log", app->ledger.origin(app->ledger.ctx)),
            app_number("leaves", atomic_load(&app->admission.size)));
    enum app_exit result = supervise(app, &signals);
    stop(app);
    APP_LOG(APP_INFO, "stopped", app_number("exit", (uint64_t)result));
    return result;
}

static int usage(FILE *out, enum app_exit result)
{
    (void)fputs(
        "usage: headrace-aggregator --config FILE [--check]\n"
        "       headrace-aggregator --version | --print-schema | --print-registry-schema\n"
        "Exit codes: 0 stopped as asked, 1 could not start, 2 mistakes in the configuration, 3 wrong usage,\n"
        "4 the outcome of a commit is unknown, 5 another process took the ledger over.\n",
        out);
    return (int)result;
}

int main(int argc, char **argv)
{
    static struct app app;
    const char *path = NULL;
    bool check_only = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            path = argv[++i];
        } else if (strcmp(argv[i], "--check") == 0) {
            check_only = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            (void)printf("headrace-aggregator %s\n", HEADRACE_VERSION);
            return APP_EXIT_OK;
        } else if (strcmp(argv[i], "--print-schema") == 0) {
            conf_print_schema(config_table(), "Headrace aggregator", stdout);
            return APP_EXIT_OK;
        } else if (strcmp(argv[i], "--print-registry-schema") == 0) {
            conf_print_schema(config_registry_table(), "Headrace registry entry", stdout);
            return APP_EXIT_OK;
        } else if (strcmp(argv[i], "--help") == 0) {
            return usage(stdout, APP_EXIT_OK);
        } else {
            return usage(stderr, APP_EXIT_USAGE);
        }
    }
    if (path == NULL) {
        return usage(stderr, APP_EXIT_USAGE);
    }
    static struct conf_report report;
    if (!hr_is_ok(config_load(path, &app.config, &report))) {
        conf_report_print(&report, stderr);
        return APP_EXIT_CONFIG;
    }
    if (check_only) {
        (void)printf("%s is good\n", path);
        return APP_EXIT_OK;
    }
    return (int)run(&app);
}
