/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/shell.h"

#include "boards/family/board.h"
#include "firmware/app/console.h"
#include "firmware/app/device.h"
#include "firmware/ports/cortex_m/netif.h"
#include "proto/base/assert.h"

#include <string.h>

enum { BACKSPACE = 0x08, DELETE = 0x7F, TYPED_BYTES = 16 };

struct command {
    const char *name;
    const char *help;
    bool changes; /* a locked console refuses it */
    void (*run)(struct app_device *device);
};

/* ---- what there is to tell ---- */

/* The counters that are not 0, a line a source. */
static void say_stats(const struct edge_stats *stats)
{
    app_console_text(stats->source);
    for (uint16_t i = 0; i < stats->n_counters; i++) {
        const struct edge_counter *counter = &stats->counter[i];
        if (counter->value != 0) {
            app_console_field(counter->name, NULL, (int64_t)counter->value);
        }
    }
    app_console_text("\r\n");
}

static const char *state_name(const struct app_device *device)
{
    return device->trouble == APP_FINE ? fw_uplink_state_name(&device->collector.uplink)
                                       : app_trouble_name(device->trouble);
}

static void run_status(struct app_device *device)
{
    APP_SAY("status", {"board", board_info.name, 0}, {"version", APP_VERSION, 0},
            {"state", state_name(device), 0}, {"uptime_ms", NULL, (int64_t)board_uptime_ms()},
            {"refused_lines", NULL, device->shell.refused});
    if (device->trouble != APP_FINE) {
        APP_SAY("trouble", {"what", app_trouble_name(device->trouble), 0},
                {"advice", app_trouble_advice(device->trouble), 0});
    }
    const struct fw_collector *collector = &device->collector;
    uint32_t n_sources = device->trouble == APP_FINE ? collector->n_sources : 0;
    for (uint32_t i = 0; i < n_sources; i++) {
        collector->sources[i].stats(collector->sources[i].ctx, &device->stats);
        say_stats(&device->stats);
    }
    if (n_sources == 0) {
        app_device_stats(device, &device->stats);
        say_stats(&device->stats);
    }
}

static void say_transport(const struct app_device *device)
{
    const struct app_transport *transport = &device->transport;
    char digest[APP_HEX_CHARS + 1];
    if (transport->config.store == NULL) {
        return; /* what the image says can't be used, so none was opened */
    }
    APP_SAY("transport",
            {"key_sha256", app_hex(transport->facts.spki_sha256, APP_TRANSPORT_SHOWN_BYTES, digest), 0},
            {"certificate_ends_s", NULL, (int64_t)transport->facts.ends_s},
            {"next", app_transport_phase_name(transport), 0});
}

static void run_keys(struct app_device *device)
{
    const struct app_identity *identity = &device->identity;
    char id[APP_HEX_CHARS + 1];
    char digest[APP_HEX_CHARS + 1] = "";
    if (!identity->is_known) {
        app_console_text("keys none: the board is not provisioned\r\n");
        return;
    }
    if (device->trouble == APP_FINE) {
        const struct port_keys *keys = &identity->keys.pair.port;
        const struct port_sign *sign = keys->note.phase == PORT_KEYS_IN_USE ? &keys->next : &keys->key;
        (void)app_hex(sign->spki_sha256, WIRE_DIGEST_BYTES, digest);
    }
    APP_SAY("keys", {"device", app_hex_u64(identity->store.image.device_id, id), 0},
            {"name", identity->store.image.name, 0}, {"key_epoch", NULL, identity->store.image.key_epoch},
            {"record_key_sha256", digest, 0}, {"trusted_authorities", NULL, identity->store.image.n_ca},
            {"image_sequence", NULL, identity->store.image.sequence});
    say_transport(device);
}

static void run_renew(struct app_device *device)
{
    if (!device->identity.is_known) {
        app_console_text("renew nothing: the board is not provisioned\r\n");
        return;
    }
    device->renewal_is_asked = true;
    app_console_text("renew asked for: another transport key, when an aggregator is there\r\n");
}

static void run_spool(struct app_device *device)
{
    if (device->trouble != APP_FINE) {
        app_console_text("spool closed\r\n");
        return;
    }
    struct fw_spool_state spool;
    fw_spool_state(&device->spool, &spool);
    APP_SAY("spool", {"stream", NULL, spool.stream}, {"sealed_batches", NULL, spool.next_batch_seq},
            {"acked_batches", NULL, (uint32_t)(spool.acked_seq + 1)}, /* WIRE_SEQ_NONE + 1 is 0 */
            {"next_record_seq", NULL, (int64_t)spool.next_record_seq},
            {"open_records", NULL, spool.open_records}, {"used_bytes", NULL, (int64_t)spool.bytes_used},
            {"capacity_bytes", NULL, (int64_t)spool.bytes_capacity},
            {"drained", fw_collector_is_drained(&device->collector) ? "yes" : "no", 0},
            {"boot_id", NULL, device->collector.boot_id});
}

static void run_net(struct app_device *device)
{
    if (!device->has_network) {
        app_console_text("net down\r\n");
        return;
    }
    struct port_netif_state net;
    port_netif_state(&net);
    APP_SAY("net", {"ipv4", net.has_ipv4 ? net.ipv4 : "none", 0},
            {"ipv6", net.has_ipv6 ? net.ipv6 : "none", 0}, {"frames_in", NULL, net.frames_in},
            {"frames_out", NULL, net.frames_out}, {"frames_dropped", NULL, net.frames_dropped});
    const struct image_identity *image = &device->identity.store.image;
    for (uint8_t i = 0; i < image->n_aggregators; i++) {
        APP_SAY("aggregator", {"uri", image->aggregators[i], 0}, {"server_name", image->server_name, 0},
                {"state", device->net.address == i ? state_name(device) : "waits", 0});
    }
}

static void run_reboot(struct app_device *device)
{
    app_console_text("reboot\r\n");
    app_device_reboot(device);
}

static void run_rotate(struct app_device *device)
{
    const bool is_asked = device->trouble == APP_FINE && hr_is_ok(fw_collector_rotate(&device->collector));
    app_console_text(is_asked ? "rotate asked\r\n" : "rotate no: it does not collect\r\n");
}

static void run_help(struct app_device *device);

static const struct command commands[] = {
    {"status", "what it does, and its counters", false, run_status},
    {"keys", "who it is; fingerprints only", false, run_keys},
    {"spool", "what waits in the memory", false, run_spool},
    {"net", "addresses and aggregators", false, run_net},
    {"rotate", "makes another record key", true, run_rotate},
    {"renew", "makes another transport key", true, run_renew},
    {"reboot", "seals what is there and starts again", true, run_reboot},
    {"help", "this list", false, run_help},
};

static bool is_locked(const struct app_device *device)
{
    return device->identity.is_known && device->identity.store.image.console_locked;
}

static void run_help(struct app_device *device)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(commands); i++) {
        bool refused = commands[i].changes && is_locked(device);
        app_console_text(commands[i].name);
        app_console_text(": ");
        app_console_text(commands[i].help);
        app_console_text(refused ? " (locked)\r\n" : "\r\n");
    }
    if (is_locked(device)) {
        app_console_text("The console is locked: it tells states and changes nothing.\r\n");
    }
}

/* ---- the ceremony ---- */

void app_provisioner_say(void *ctx, const char *text)
{
    (void)ctx;
    app_console_text(text[0] == '\n' ? "\r\n" : text);
}

void app_provisioner_digest(void *ctx, uint8_t out[WIRE_DIGEST_BYTES])
{
    const struct hr_bytes firmware = board_firmware();
    (void)ctx;
    wire_sha256(crypto_hash(), &firmware, 1, out);
}

void app_shell_start_ceremony(struct app_device *device)
{
    app_provisioner_init(&device->ceremony, &device->identity.store, (uint8_t *)&device->stats, device);
    device->shell.has_ceremony = true;
}

/* True: the line was the ceremony's. A device that got its identity, or lost sight of it, begins anew. */
static bool run_ceremony(struct app_shell *shell, struct app_device *device)
{
    struct fw_ceremony *ceremony = &device->ceremony;
    if (!shell->has_ceremony || !fw_ceremony_line(ceremony, shell->line)) {
        return false;
    }
    if (ceremony->may_deliver || !device->identity.store.is_known) {
        app_device_reboot(device);
    }
    return true;
}

/* ---- lines ---- */

static void run_line(struct app_shell *shell, struct app_device *device)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(commands); i++) {
        if (strcmp(shell->line, commands[i].name) != 0) {
            continue;
        }
        if (commands[i].changes && is_locked(device)) {
            shell->refused++;
            APP_SAY("locked", {"command", shell->line, 0},
                    {"reason", "a provisioned board's console tells states and changes nothing", 0});
            return;
        }
        commands[i].run(device);
        return;
    }
    shell->refused++;
    APP_SAY("unknown", {"command", shell->line, 0}, {"try", "help", 0});
}

static void end_line(struct app_shell *shell, struct app_device *device)
{
    shell->line[shell->n_chars] = '\0';
    app_console_text("\r\n");
    if (shell->overlong) {
        shell->refused++;
        APP_SAY("too_long", {"max_chars", NULL, APP_SHELL_LINE_MAX_CHARS});
    } else if (shell->n_chars != 0 && !run_ceremony(shell, device)) {
        run_line(shell, device);
    }
    shell->n_chars = 0;
    shell->overlong = false;
    app_console_text("> ");
}

static void take(struct app_shell *shell, struct app_device *device, char typed)
{
    if (typed == '\r' || typed == '\n') {
        end_line(shell, device);
    } else if ((typed == BACKSPACE || typed == DELETE) && shell->n_chars > 0) {
        shell->n_chars--;
        app_console_text("\b \b");
    } else if (typed >= ' ' && typed <= '~') {
        if (shell->n_chars == APP_SHELL_LINE_MAX_CHARS) {
            shell->overlong = true;
            return;
        }
        shell->line[shell->n_chars++] = typed;
        board_console_write(&typed, 1);
    }
}

bool app_shell_step(struct app_shell *shell, struct app_device *device)
{
    uint8_t typed[TYPED_BYTES];
    size_t n_typed = board_console_read(typed, sizeof typed);
    for (size_t i = 0; i < n_typed; i++) {
        take(shell, device, (char)typed[i]);
    }
    return n_typed != 0;
}
