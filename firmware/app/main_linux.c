/* SPDX-License-Identifier: Apache-2.0
 *
 * headrace-collector: static objects, wiring, and one loop. */
#include "firmware/app/backfill.h"
#include "firmware/app/config.h"
#include "firmware/app/identity_file.h"
#include "firmware/app/key_files.h"
#include "firmware/app/key_store.h"
#include "firmware/app/renew.h"
#include "firmware/app/spool_file.h"
#include "firmware/app/status.h"
#include "firmware/app/taps.h"
#include "firmware/app/transport_file.h"
#include "firmware/app/trust.h"
#include "firmware/app/trust_store.h"
#include "firmware/core/collector.h"
#include "firmware/net/client.h"
#include "firmware/ports/linux/host.h"
#include "firmware/ports/linux/log_json.h"
#include "firmware/ports/linux/resolve.h"
#include "proto/base/assert.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_BAD_CONFIG = 2, EXIT_USAGE = 3 };

enum {
    MAX_FDS = 160,
    STATUS_INTERVAL_MS = 1000,
    ROOM_FOR_RECORDINGS_PERCENT = 50, /* of the spool; beyond, what can wait is left where it is */
};

enum phase { PHASE_RUNNING, PHASE_FLUSHING, PHASE_DONE };

struct app {
    struct app_config config;
    struct port_log_json log;
    struct app_key_files key_files; /* where the configuration names files */
    struct app_key_store key_store; /* where it names a directory */
    struct app_key_pair *keys;
    struct app_trust trust;
    struct app_identity_file identity; /* where the configuration names a directory */
    bool has_identity;
    struct app_renew renew;
    struct app_transport_file transport; /* in its place where has_identity */
    struct app_spool_file spool_file;
    struct net_address addresses[NET_MAX_ADDRESSES];
    struct net_client net;
    struct net_parts parts;
    struct fw_collector collector;
    struct app_taps *taps;
    uint8_t envelope[WIRE_GATEWAY_ENVELOPE_MAX_BYTES];
    int signal_fd;
    bool once;
    enum phase phase;
    uint64_t flush_until_ms;
    uint64_t next_status_ms;
    bool status_failed;
};

static struct app app;

_Static_assert(NET_BODY_MAX_BYTES == WIRE_GATEWAY_ENVELOPE_MAX_BYTES, "an envelope fits a request");

_Noreturn void hr_assert_failed(const char *expression, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}

/* ---- arguments ---- */

struct arguments {
    const char *config_path;
    bool check;
    bool once;
};

static int usage(FILE *out, int code)
{
    (void)fputs(
        "usage: headrace-collector --config FILE [--check] [--once]\n"
        "       headrace-collector backfill --config FILE --feed NAME --from TIME --to TIME\n"
        "       headrace-collector --schema | --version | --help\n"
        "\n"
        "Takes records from the taps of the configuration, keeps them in the spool, and brings them to an\n"
        "aggregator. boards/linux_gateway/collector.yaml shows every key.\n"
        "\n"
        "  --check   check the configuration and the files that it names, tell every mistake, and end\n"
        "  --once    end when every file and stdin tap has ended and all is acknowledged\n"
        "  --schema  print the JSON Schema of the configuration\n"
        "  SIGUSR1   change the record key (`headrace device rotate` asks for it from afar)\n"
        "\n"
        "Exit codes: 0 ended as asked, 1 the spool or a key failed, 2 the configuration is wrong, 3 usage.\n",
        out);
    return code;
}

/* Gives an exit code when there is nothing to run; -1: run. */
static int take_arguments(int argc, char **argv, struct arguments *out)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            out->config_path = argv[++i];
        } else if (strcmp(argv[i], "--check") == 0) {
            out->check = true;
        } else if (strcmp(argv[i], "--once") == 0) {
            out->once = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            (void)puts("headrace-collector " APP_VERSION);
            return EXIT_SUCCESS;
        } else if (strcmp(argv[i], "--schema") == 0) {
            app_config_print_schema(stdout);
            return EXIT_SUCCESS;
        } else if (strcmp(argv[i], "--help") == 0) {
            return usage(stdout, EXIT_SUCCESS);
        } else {
            (void)fprintf(stderr, "headrace-collector: what is '%s'?\n", argv[i]);
            return usage(stderr, EXIT_USAGE);
        }
    }
    return out->config_path != NULL ? -1 : usage(stderr, EXIT_USAGE);
}

/* ---- wiring ---- */

/* Whoever has no identity yet waits for the ceremony that gives it one. */
static struct hr_status wait_for_identity(void)
{
    while (!app_identity_file_is_enrolled(&app.identity)) {
        struct signalfd_siginfo info;
        struct pollfd fds[1 + APP_IDENTITY_FDS] = {{.fd = app.signal_fd, .events = POLLIN}};
        const size_t n_fds = 1 + app_identity_file_fds(&app.identity, fds + 1);
        (void)poll(fds, (nfds_t)n_fds, -1);
        if (read(app.signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
            return hr_status_of(HR_CLOSED);
        }
        HR_TRY(app_identity_file_step(&app.identity));
    }
    return hr_ok();
}

static struct hr_status open_keys(void)
{
    if (app.config.identity.directory[0] == '\0') {
        app.keys = &app.key_files.pair;
        return app_key_files_open(&app.key_files, &app.config.identity, &app.log.port);
    }
    HR_TRY(app_identity_file_open(&app.identity, &app.config.identity, &app.log.port));
    app.has_identity = true;
    HR_TRY(wait_for_identity());
    HR_TRY(app_identity_file_apply(&app.identity, &app.config));
    HR_TRY(app_trust_store_open(&app.log.port));
    app.keys = &app.key_store.pair;
    return app_key_store_open(&app.key_store, &app.identity.store);
}

/* Of an identity in a directory. */
static struct hr_status choose(void *ctx, struct net_credentials *out, const char **server_name)
{
    struct hr_bytes certificate;
    struct hr_bytes key;
    (void)ctx;
    HR_TRY(app_transport_file_choose(&app.transport, &certificate, &key));
    *out = (struct net_credentials){
        .kind = NET_CREDENTIALS_MEMORY,
        .of.memory = {.ca = app_trust_store_ca(), .certificate = certificate, .key = key}};
    *server_name = app_trust_store_server_name();
    return hr_ok();
}

/* Nothing where choose gives them. */
static struct net_credentials credentials(void)
{
    return (struct net_credentials){
        .kind = NET_CREDENTIALS_FILES,
        .of.files = {.ca = app.trust.ca, .certificate = app.renew.certificate, .key = app.renew.key}};
}

static struct net_config net_config_of(const struct app_config *config)
{
    struct net_config net = {
        .addresses = app.addresses,
        .n_addresses = (uint8_t)config->n_aggregators,
        .window = (uint8_t)config->window,
        .server_name = app.trust.server_name,
        .credentials = credentials(),
        .choose = app.has_identity ? choose : NULL,
        .open_timeout_ms = config->open_timeout_ms,
        .exchange_timeout_ms = config->exchange_timeout_ms,
        .silence_ms = config->silence_ms,
        .ack_timeout_ms = config->ack_timeout_ms,
        .max_retransmit = (uint16_t)config->max_retransmit,
        .parts = &app.parts,
        .clock = port_linux_clock(),
        .log = &app.log.port,
        .resolve = port_linux_resolve(),
    };
    for (uint32_t i = 0; i < config->n_aggregators; i++) {
        struct hr_status status = net_address_parse(config->aggregators[i], &app.addresses[i]);
        HR_ASSERT(hr_is_ok(status)); /* it was checked with the configuration */
    }
    return net;
}

static struct hr_status start_collector(const struct fw_spool_report *report)
{
    /* The uplink asks port_net for its window and addresses at once, and port_net wants the uplink's events:
     * the events are known as soon as the collector has a place. */
    const struct net_config net = net_config_of(&app.config);
    struct port_net_events events = fw_collector_net_events(&app.collector);
    events = app.has_identity ? app_transport_watch(&app.transport.transport, events)
                              : app_renew_watch(&app.renew, events);
    net_client_init(&app.net, &net, &events);
    const struct fw_collector_config config = {
        .clock = port_linux_clock(),
        .random = port_linux_random(),
        .log = &app.log.port,
        .keys = &app.keys->port,
        .verify = &app.keys->verify,
        .net = &app.net.port,
        .utc = port_linux_utc(),
        .hash = crypto_hash(),
        .trust = app.trust.is_followed ? &app.trust.trust : app_trust_store_followed(),
        .renew = app.has_identity ? &app.transport.transport.port : app_renew_port(&app.renew),
        .spool = &app.spool_file.spool,
        .report = report,
        .version = APP_VERSION,
        .envelope = app.envelope,
        .envelope_capacity_bytes = sizeof app.envelope,
        .seal_max_age_ms = app.config.seal_max_age_ms,
        .seal_max_bytes = app.config.seal_max_bytes,
        .stats_interval_ms = app.config.stats_interval_ms,
        .anchor_interval_ms = app.config.anchor_interval_ms,
    };
    HR_TRY(fw_collector_start(&app.collector, &config));
    app_trust_count(&app.trust, &app.collector);
    app_trust_store_count(&app.collector);
    return hr_ok();
}

static struct hr_status open_signals(void)
{
    sigset_t taken;
    (void)sigemptyset(&taken);
    (void)sigaddset(&taken, SIGTERM);
    (void)sigaddset(&taken, SIGINT);
    (void)sigaddset(&taken, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &taken, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return hr_status_of(HR_IO);
    }
    app.signal_fd = signalfd(-1, &taken, SFD_NONBLOCK | SFD_CLOEXEC);
    return app.signal_fd >= 0 ? hr_ok() : hr_status_of(HR_IO);
}

static struct hr_status start(void)
{
    struct fw_spool_report report;
    HR_TRY(open_signals());
    HR_TRY(open_keys());
    HR_TRY(app_trust_open(&app.trust, &app.config, &app.log.port));
    if (app.has_identity) {
        app_transport_file_open(&app.transport, &app.config, &app.identity.store, port_linux_clock(),
                                &app.log.port);
    } else {
        app_renew_open(&app.renew, &app.config, port_linux_clock(), &app.log.port);
    }
    const uint32_t first_stream = app.has_identity ? app.identity.store.image.first_stream : 0;
    HR_TRY(app_spool_file_open(&app.spool_file, &app.config, first_stream, &app.log.port, &report));
    HR_TRY(start_collector(&report));
    HR_TRY(app_taps_open(&app.config, &app.collector, port_linux_clock(), &app.log.port, &app.taps));
    PORT_LOG(&app.log.port, PORT_LOG_INFO, "collector_started", {"version", APP_VERSION, 0},
             {"name", app.config.name, 0}, {"device_id", NULL, (int64_t)app.config.device_id},
             {"boot_id", NULL, app.collector.boot_id});
    return hr_ok();
}

/* ---- the loop ---- */

static uint64_t now_ms(void)
{
    return port_uptime_ms(port_linux_clock());
}

static struct hr_status begin_flush(uint64_t for_ms)
{
    app.phase = PHASE_FLUSHING;
    app.flush_until_ms = now_ms() + for_ms;
    return fw_collector_begin_end(&app.collector);
}

/* The operator's command: `kill -USR1`, or systemctl kill -s USR1. */
static void change_record_key(void)
{
    struct hr_status status = fw_collector_rotate(&app.collector);
    HR_ASSERT(hr_is_ok(status)); /* every gateway can */
}

static struct hr_status take_signals(void)
{
    struct signalfd_siginfo info;
    while (read(app.signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        PORT_LOG(&app.log.port, PORT_LOG_INFO, "signal", {"number", NULL, (int64_t)info.ssi_signo});
        if (info.ssi_signo == SIGUSR1) {
            change_record_key();
        } else if (app.phase == PHASE_RUNNING) {
            HR_TRY(begin_flush(app.config.shutdown_flush_ms));
        } else {
            app.flush_until_ms = 0;
        }
    }
    return hr_ok();
}

static bool recordings_must_wait(void)
{
    struct fw_spool_state spool;
    fw_spool_state(&app.spool_file.spool, &spool);
    return spool.bytes_used > spool.bytes_capacity / 100 * ROOM_FOR_RECORDINGS_PERCENT;
}

static void write_status(void)
{
    if (app.config.status_path[0] == '\0') {
        return;
    }
    struct hr_status status =
        app_status_write(app.config.status_path, &app.collector, app.config.device_id, app.config.name,
                         app.has_identity ? &app.transport.transport.facts : &app.renew.facts);
    if (!hr_is_ok(status) && !app.status_failed) {
        PORT_LOG(&app.log.port, PORT_LOG_WARN, "status_not_written", {"path", app.config.status_path, 0},
                 {"reason", strerror(errno), 0});
    }
    app.status_failed = !hr_is_ok(status);
}

static void write_status_when_due(void)
{
    uint64_t now = now_ms();
    if (now >= app.next_status_ms) {
        app.next_status_ms = now + STATUS_INTERVAL_MS;
        write_status();
    }
}

static struct hr_status pump_taps(uint32_t *wait_ms)
{
    *wait_ms = FW_NEVER_MS;
    if (app.phase != PHASE_RUNNING || !fw_collector_is_ready(&app.collector)) {
        return hr_ok();
    }
    HR_TRY(app_taps_pump(app.taps, recordings_must_wait(), wait_ms));
    if (app.once && app_taps_have_ended(app.taps)) {
        return begin_flush(UINT32_MAX);
    }
    return hr_ok();
}

static void end_when_flushed(void)
{
    if (app.phase == PHASE_FLUSHING &&
        (fw_collector_is_drained(&app.collector) || now_ms() >= app.flush_until_ms)) {
        app.phase = PHASE_DONE;
    }
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t until(uint64_t moment_ms)
{
    uint64_t now = now_ms();
    uint64_t left_ms = moment_ms > now ? moment_ms - now : 0;
    return left_ms < FW_NEVER_MS ? (uint32_t)left_ms : FW_NEVER_MS;
}

/* One turn: what arrived, what is due, what it makes the uplink send; then how long there is nothing to do.
 * Answers that the network step delivers are for the next turn, which then comes at once. */
static struct hr_status turn(uint32_t *wait_ms)
{
    uint32_t taps_wait_ms = 0;
    uint32_t collector_wait_ms = 0;
    HR_TRY(take_signals());
    if (app.has_identity) {
        HR_TRY(app_identity_file_step(&app.identity));
    }
    HR_TRY(pump_taps(&taps_wait_ms));
    HR_TRY(fw_collector_step(&app.collector, &collector_wait_ms));
    uint32_t net_wait_ms = net_client_step(&app.net);
    write_status_when_due();
    end_when_flushed();

    *wait_ms = least(least(taps_wait_ms, net_wait_ms), collector_wait_ms);
    *wait_ms = least(*wait_ms, until(app.next_status_ms));
    if (app.phase == PHASE_FLUSHING) {
        *wait_ms = least(*wait_ms, until(app.flush_until_ms));
    }
    return hr_ok();
}

static void wait_for_events(uint32_t wait_ms)
{
    struct pollfd fds[MAX_FDS] = {
        {.fd = app.signal_fd, .events = POLLIN},
        {.fd = net_client_fd(&app.net), .events = POLLIN},
    };
    size_t n_fds = 2;
    if (app.has_identity) {
        n_fds += app_identity_file_fds(&app.identity, fds + n_fds);
    }
    if (app.phase == PHASE_RUNNING && fw_collector_is_ready(&app.collector)) {
        n_fds += app_taps_fds(app.taps, recordings_must_wait(), fds + n_fds, MAX_FDS - n_fds);
    }
    int timeout_ms = wait_ms > INT32_MAX ? -1 : (int)wait_ms;
    /* A failure (EINTR) is one more turn. */
    (void)poll(fds, (nfds_t)n_fds, timeout_ms);
}

static struct hr_status run(void)
{
    while (app.phase != PHASE_DONE) {
        uint32_t wait_ms = 0;
        HR_TRY(turn(&wait_ms));
        if (app.phase != PHASE_DONE) {
            wait_for_events(wait_ms);
        }
    }
    return fw_collector_end(&app.collector);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.config_path = NULL};
    bool is_backfill = argc > 1 && strcmp(argv[1], "backfill") == 0;
    int code = is_backfill ? -1 : take_arguments(argc, argv, &arguments);
    if (code >= 0) {
        return code;
    }
    if (!hr_is_ok(crypto_start())) {
        (void)fputs("headrace-collector: no entropy for the crypto library\n", stderr);
        return EXIT_FAILED;
    }
    if (is_backfill) {
        return app_backfill_command(argc - 1, argv + 1);
    }
    if (!hr_is_ok(app_config_load(arguments.config_path, &app.config, stderr))) {
        return EXIT_BAD_CONFIG;
    }
    if (arguments.check) {
        (void)printf("%s: no mistakes\n", arguments.config_path);
        return EXIT_SUCCESS;
    }
    app.once = arguments.once;
    port_log_json_init(&app.log, STDERR_FILENO, (enum port_log_level)app.config.log_level);

    struct hr_status status = start();
    if (hr_is_ok(status)) {
        status = run();
        bool drained = hr_is_ok(status) && fw_collector_is_drained(&app.collector);
        PORT_LOG(&app.log.port, PORT_LOG_INFO, "collector_ended", {"status", hr_code_name(status.code), 0},
                 {"drained", NULL, drained});
        write_status();
        net_client_end(&app.net);
        app_taps_close(app.taps);
    } else {
        PORT_LOG(&app.log.port, PORT_LOG_ERROR, "collector_not_started",
                 {"status", hr_code_name(status.code), 0});
    }
    if (hr_is(status, HR_CLOSED)) {
        status = hr_ok(); /* it was asked to end before it had an identity */
    }
    app_spool_file_close(&app.spool_file);
    if (app.has_identity) {
        app_identity_file_close(&app.identity);
    }
    return hr_is_ok(status) ? EXIT_SUCCESS : EXIT_FAILED;
}
