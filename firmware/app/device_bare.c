/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/device.h"
#include "firmware/app/device_parts.h"

#include "firmware/app/console.h"
#include "firmware/app/plant.h"
#include "firmware/app/trust_store.h"
#include "firmware/ports/cortex_m/netif.h"
#include "proto/base/assert.h"

enum {
    CHUNK_BYTES = 128,
    CHUNKS_A_TURN = 16, /* so that the network gets its turn while a full line comes in */
    TICK_MS = 1000,
    RETRY_FIRST_MS = 1000,
    RETRY_MAX_MS = 60 * 1000,

    SEAL_MAX_AGE_MS = 5000,
    SEAL_MAX_BYTES = WIRE_MCU_ENVELOPE_MAX_BYTES - WIRE_PREFIX_BYTES - 2 * 64,
    STATS_INTERVAL_MS = 60 * 1000,
    ANCHOR_INTERVAL_MS = 60 * 1000,
};

/* ---- ports ---- */

static uint64_t clock_uptime_ms(void *ctx)
{
    (void)ctx;
    return board_uptime_ms();
}

const struct port_clock app_device_clock = {clock_uptime_ms, NULL};

/* ---- patience ---- */

void app_retry_plan(struct app_retry *retry)
{
    uint32_t shift = retry->n < 6 ? retry->n : 6;
    uint32_t pause_ms = (uint32_t)RETRY_FIRST_MS << shift;
    retry->n++;
    retry->at_ms = board_uptime_ms() + (pause_ms < RETRY_MAX_MS ? pause_ms : RETRY_MAX_MS);
}

static bool is_due(const struct app_retry *retry)
{
    return retry->at_ms != 0 && retry->at_ms <= board_uptime_ms();
}

/* ---- counters ---- */

static void device_stats(void *ctx, struct edge_stats *out)
{
    app_device_stats(ctx, out);
}

static void framer_stats(void *ctx, struct edge_stats *out)
{
    const struct app_device *device = ctx;
    tap_ais_stats(&device->framer, out);
}

/* ---- start ---- */

static const char *reset_name(void)
{
    static const char *const names[] = {
        [BOARD_RESET_POWER] = "power",
        [BOARD_RESET_SOFTWARE] = "software",
        [BOARD_RESET_WATCHDOG] = "watchdog",
        [BOARD_RESET_FAULT] = "fault",
    };
    return names[board_reset_cause()];
}

static void say_identity(const struct app_identity *identity)
{
    char id[APP_HEX_CHARS + 1];
    APP_SAY("identity", {"device", app_hex_u64(identity->store.image.device_id, id), 0},
            {"name", identity->store.image.name, 0}, {"key_epoch", NULL, identity->store.image.key_epoch});
    if (identity->store.image.console_locked) {
        app_console_text("The console is locked: it tells states and changes nothing.\r\n");
    }
}

static void on_message(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    struct app_device *device = ctx;
    /* The collector counts what it does not take, and its next step says when the flash has failed. */
    hr_ignore(fw_collector_offer_ais(&device->collector, ais, uptime_ms));
}

static void start_framer(struct app_device *device)
{
    const struct tap_ais_config config = {.assembly_timeout_ms = 0};
    const struct tap_ais_sink sink = {on_message, device};
    tap_ais_init(&device->framer, &config, &sink);
    tap_ais_stream_init(&device->line, 0);
}

/* What was found to be missing is told at once; its Loss record follows. */
static void say_hole(const struct fw_spool *spool)
{
    static const char *const reasons[] = {
        [EDGE_LOSS_OVERFLOW] = "overflow",
        [EDGE_LOSS_DAMAGED] = "damaged",
        [EDGE_LOSS_REFUSED] = "refused",
    };
    struct edge_loss loss;
    if (hr_is_ok(fw_spool_pending_loss(spool, &loss))) {
        const char *reason = loss.reason < HR_ARRAY_LEN(reasons) ? reasons[loss.reason] : NULL;
        PORT_LOG(app_console_log(), PORT_LOG_WARN, "spool_hole", {"reason", reason, 0},
                 {"from_batch", NULL, loss.from_seq}, {"to_batch", NULL, loss.to_seq},
                 {"records", NULL, loss.n_records});
    }
}

static enum app_trouble open_spool(struct app_device *device)
{
    const struct fw_spool_config config = {
        .flash = &device->spool_part.port,
        .hash = crypto_hash(),
        .device_id = device->identity.store.image.device_id,
        .envelope_max_bytes = WIRE_MCU_ENVELOPE_MAX_BYTES,
        .sectors = device->sectors,
        .stage = device->stage,
        .stage_bytes = sizeof device->stage,
        .first_stream = device->identity.store.image.first_stream,
    };
    struct fw_spool_report *report = &device->report;
    struct hr_status status = fw_spool_open(&device->spool, &config, report);
    if (!hr_is_ok(status)) {
        return hr_is(status, HR_CORRUPT) ? APP_SPOOL_FOREIGN : APP_SPOOL_FAILED;
    }
    struct fw_spool_state state;
    fw_spool_state(&device->spool, &state);
    APP_SAY("spool",
            {"found",
             report->formatted ? "new"
             : report->clean   ? "closed"
                               : "cut",
             0},
            {"stream", NULL, state.stream}, {"sealed_batches", NULL, state.next_batch_seq},
            {"acked_batches", NULL, (uint32_t)(state.acked_seq + 1)}, /* WIRE_SEQ_NONE + 1 is 0 */
            {"recovered_records", NULL, report->recovered_records},
            {"torn_entries", NULL, report->torn_entries});
    say_hole(&device->spool);
    return APP_FINE;
}

/* ---- the collector ---- */

static struct hr_status start_collector(struct app_device *device)
{
    device->uplink = app_no_network;
    if (device->has_network) {
        app_network_start_client(device);
    }
    const uint32_t seal_max_age_ms = device->identity.store.image.seal_max_age_ms;
    const struct fw_collector_config config = {
        .clock = &app_device_clock,
        .random = crypto_random(),
        .log = app_console_log(),
        .keys = &device->identity.keys.pair.port,
        .verify = &device->identity.keys.pair.verify,
        .net = &device->uplink,
        .utc = NULL,
        .renew = &device->transport.port,
        .hash = crypto_hash(),
        .trust = app_trust_store_followed(),
        .spool = &device->spool,
        .report = &device->report,
        .version = APP_VERSION,
        .envelope = device->envelope,
        .envelope_capacity_bytes = sizeof device->envelope,
        .seal_max_age_ms = seal_max_age_ms != 0 ? seal_max_age_ms : SEAL_MAX_AGE_MS,
        .seal_max_bytes = SEAL_MAX_BYTES,
        .stats_interval_ms = STATS_INTERVAL_MS,
        .anchor_interval_ms = ANCHOR_INTERVAL_MS,
    };
    HR_TRY(fw_collector_start(&device->collector, &config));
    fw_collector_add_source(&device->collector, (struct fw_stats_source){framer_stats, device});
    app_trust_store_count(&device->collector);
    app_plant_start(&device->collector, board_flash(), &device->identity.store.image.regions);
    fw_collector_add_source(&device->collector, (struct fw_stats_source){device_stats, device});
    PORT_LOG(app_console_log(), PORT_LOG_INFO, "collector_started",
             {"boot_id", NULL, device->collector.boot_id});
    return hr_ok();
}

static void say_trouble(const struct app_device *device)
{
    PORT_LOG(app_console_log(), PORT_LOG_ERROR, app_trouble_name(device->trouble),
             {"advice", app_trouble_advice(device->trouble), 0});
}

/* The flash under the spool failed: what it holds is read again after a while, with growing patience. */
static void give_up_spool(struct app_device *device)
{
    device->trouble = APP_SPOOL_FAILED;
    app_plant_stop();
    app_retry_plan(&device->memory);
    if (device->net_runs) {
        net_client_end(&device->net);
        device->net_runs = false;
    }
    say_trouble(device);
}

static void start_collecting(struct app_device *device)
{
    device->memory.at_ms = 0;
    device->settled_ms = board_uptime_ms() + RETRY_MAX_MS;
    /* A card that failed has to be woken again. */
    device->trouble = board_flash() != NULL ? open_spool(device) : APP_SPOOL_FAILED;
    if (device->trouble == APP_SPOOL_FOREIGN) {
        say_trouble(device);
    } else if (device->trouble != APP_FINE || !hr_is_ok(start_collector(device))) {
        give_up_spool(device);
    }
}

/* Everything that needs the memory. */
static void start_device(struct app_device *device)
{
    const bool was_known = device->identity.is_known;
    device->memory.at_ms = 0;
    const struct port_flash *memory = board_flash();
    device->trouble = memory != NULL ? app_identity_load(&device->identity, memory) : APP_NO_MEMORY;
    if (device->identity.is_known && !was_known) {
        say_identity(&device->identity);
    }
    if (device->identity.store.is_known) {
        app_shell_start_ceremony(device);
    }
    if (device->trouble != APP_FINE) {
        if (device->trouble == APP_NO_MEMORY) {
            app_retry_plan(&device->memory);
        }
        say_trouble(device);
        return;
    }
    if (device->identity.store.image.serial_baud != 0) {
        board_serial_speed(device->identity.store.image.serial_baud);
    }
    const struct image_regions *regions = &device->identity.store.image.regions;
    port_flash_part_init(&device->spool_part, memory, regions->spool_first_sector, regions->spool_n_sectors);
    app_network_open_transport(device);
    app_network_start(device);
    start_collecting(device);
}

void app_device_start(struct app_device *device)
{
    APP_SAY("headrace", {"version", APP_VERSION, 0}, {"board", board_info.name, 0},
            {"reset", reset_name(), 0});
    start_framer(device);
    start_device(device);
}

static void try_again(struct app_device *device)
{
    if (is_due(&device->memory)) {
        if (device->trouble == APP_NO_MEMORY) {
            start_device(device);
        } else {
            start_collecting(device);
        }
    }
    if (is_due(&device->network)) {
        app_network_start(device);
        if (device->has_network && device->trouble == APP_FINE) {
            app_network_start_client(device);
        }
    }
}

/* ---- the loop ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t until(uint64_t moment_ms)
{
    uint64_t now_ms = board_uptime_ms();
    uint64_t left_ms = moment_ms > now_ms ? moment_ms - now_ms : 0;
    return left_ms < FW_NEVER_MS ? (uint32_t)left_ms : FW_NEVER_MS;
}

static uint64_t messages_of(const struct app_device *device)
{
    return device->framer.counter[TAP_AIS_MESSAGES];
}

/* Takes what the serial input's interrupt has gathered. While batches are carried to a new stream it stays in
 * the ring; while there is no collector it is counted and dropped. True: a message came. */
static bool pump_serial(struct app_device *device)
{
    uint8_t chunk[CHUNK_BYTES];
    const uint64_t n_before = messages_of(device);
    for (uint32_t i = 0; i < CHUNKS_A_TURN; i++) {
        if (device->trouble == APP_FINE && !fw_collector_is_ready(&device->collector)) {
            break;
        }
        size_t len_bytes = board_serial_read(chunk, sizeof chunk);
        if (len_bytes == 0) {
            break;
        }
        device->counts.serial_bytes += len_bytes;
        if (device->trouble == APP_FINE) {
            tap_ais_feed(&device->framer, &device->line, hr_bytes_of(chunk, len_bytes), board_uptime_ms());
        } else {
            device->counts.serial_unused += len_bytes;
        }
    }
    return messages_of(device) != n_before;
}

static uint32_t step_collector(struct app_device *device)
{
    uint32_t wait_ms = 0;
    if (!hr_is_ok(fw_collector_step(&device->collector, &wait_ms))) {
        device->counts.spool_reopened++;
        give_up_spool(device);
        return 0;
    }
    if (until(device->settled_ms) == 0) {
        device->memory.n = 0;
    }
    return device->net_runs ? least(wait_ms, net_client_step(&device->net)) : wait_ms;
}

/* Sleeps for so long, or until something arrives. */
static void idle(struct app_device *device, uint32_t wait_ms)
{
    uint64_t end_ms = board_uptime_ms() + wait_ms;
    while (board_uptime_ms() < end_ms) {
        bool frame = device->has_network && board_ethernet_waiting() != 0;
        if (frame || pump_serial(device) || app_plant_hears() || app_shell_step(&device->shell, device)) {
            return;
        }
        board_wait();
    }
}

static void tick(struct app_device *device)
{
    if (until(device->next_tick_ms) == 0) {
        device->next_tick_ms = board_uptime_ms() + TICK_MS;
        tap_ais_tick(&device->framer, board_uptime_ms());
    }
}

void app_device_turn(struct app_device *device)
{
    uint64_t began_ms = board_uptime_ms();
    (void)pump_serial(device);
    (void)app_shell_step(&device->shell, device);
    tick(device);
    uint32_t wait_ms = until(device->next_tick_ms);
    if (device->has_network) {
        wait_ms = least(wait_ms, port_netif_step());
        board_watchdog_work();
        (void)pump_serial(device); /* a handshake may have taken seconds */
    }
    if (device->trouble == APP_FINE) {
        wait_ms = least(wait_ms, app_plant_step());
        wait_ms = least(wait_ms, step_collector(device));
    }
    if (device->identity.is_known && !device->identity.store.is_known) {
        app_device_reboot(device); /* a writing of the identity failed: what stands there is read anew */
    }
    try_again(device);
    uint64_t took_ms = board_uptime_ms() - began_ms;
    if (took_ms > device->counts.longest_turn_ms) {
        device->counts.longest_turn_ms = took_ms;
    }
    idle(device, wait_ms);
}

void app_device_reboot(struct app_device *device)
{
    if (device->trouble == APP_FINE) {
        /* What can't be sealed now is lost with the boot, and the Boot record of the next one says so. */
        hr_ignore(fw_collector_begin_end(&device->collector));
        hr_ignore(fw_collector_end(&device->collector));
    }
    board_reboot();
}
