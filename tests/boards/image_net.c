/* SPDX-License-Identifier: Apache-2.0
 *
 * A board that does nothing but talk to an aggregator: session after session, each with so many posts, and a
 * line on the console about what each has left in memory. What it is to do stands in the words
 *
 *     host=NAME port=N sessions=N posts=N   whom to talk to, how often
 *     clock_stands=1                        lwIP's clock stands 100 ms before its wrap until a byte is typed
 *     static=1                              its addresses are not DHCP's: those of test_net.py
 *     family=4, family=6                    it begins with an address of this family, and not of both
 *     seed=0                                it has no random numbers
 *     ack_timeout=N                         milliseconds until what is not answered is sent again
 *     hog=N                                 so much of the pool is somebody else's in the first session, and
 * 250 bytes less in each that follows; sessions may fail
 *
 * and its credentials at the start of its memory: four lengths of 16 bits (little-endian), then a seed, the
 * authority, the certificate and the key in DER. */
#include "boards/family/board.h"
#include "boards/family/command.h"
#include "boards/family/semihost.h"
#include "firmware/crypto/crypto.h"
#include "firmware/net/client.h"
#include "firmware/ports/cortex_m/netif.h"
#include "firmware/ports/cortex_m/pool.h"
#include "proto/base/assert.h"

#include <lwip/stats.h>
#include <lwip/sys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOG_STEP_BYTES = 250, BEFORE_WRAP_MS = 100 };
enum { N_BLOBS = 4, MEMORY_BYTES = 2048, SEED = 0, AUTHORITY = 1, CERTIFICATE = 2, KEY = 3 };

enum phase { CONNECTING, UP, POSTING, ENDED };

static uint8_t memory[MEMORY_BYTES];
static struct hr_bytes blobs[N_BLOBS];
static struct net_address address;
static struct net_client client;
static enum phase phase;
static bool failed;
static uint32_t hogged_bytes;
static uint32_t n_answers;
static uint8_t envelope[NET_BODY_MAX_BYTES];

static uint32_t word(const char *name, uint32_t fallback)
{
    const char *value = board_command_value(name);
    return value == NULL ? fallback : board_command_number(value, NULL);
}

/* In place of the port's: the same clock, begun elsewhere. While it stands no timer of lwIP or libcoap runs
 * out, so what the test waits for happens before the wrap, however slow the machine is. */
static bool clock_stands;
static uint32_t clock_begin_ms;

u32_t sys_now(void)
{
    return clock_begin_ms + (clock_stands ? 0 : (uint32_t)board_uptime_ms());
}

static void stop_clock(void)
{
    clock_stands = true;
    clock_begin_ms = 0u - BEFORE_WRAP_MS;
}

static void let_clock_go_on(void)
{
    uint8_t byte;
    if (clock_stands && board_console_read(&byte, 1) != 0) {
        clock_begin_ms -= (uint32_t)board_uptime_ms();
        clock_stands = false;
    }
}

static void say(const char *text)
{
    board_console_write(text, strlen(text));
}

static void log_line(void *ctx, enum port_log_level level, const char *event,
                     const struct port_log_field *fields, uint32_t n_fields)
{
    (void)ctx;
    if (level == PORT_LOG_DEBUG) {
        return;
    }
    say(event);
    for (uint32_t i = 0; i < n_fields; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%ld", (long)fields[i].number);
        say(" ");
        say(fields[i].key);
        say("=");
        say(fields[i].text != NULL ? fields[i].text : number);
    }
    say("\r\n");
}

static const struct port_log console = {log_line, NULL};

static uint64_t uptime_ms(void *ctx)
{
    (void)ctx;
    return board_uptime_ms();
}

static const struct port_clock board_clock = {uptime_ms, NULL};

static uint32_t no_chance(void *ctx)
{
    (void)ctx;
    return 4; /* there is no seed */
}

static const struct port_random no_random = {no_chance, NULL};

static void stop(const char *why)
{
    say(why);
    say("\r\n");
    board_semihost_exit(1);
}

static void read_credentials(void)
{
    const struct port_flash *flash = board_flash();
    if (flash == NULL || !hr_is_ok(flash->read(flash->ctx, 0, memory, sizeof memory))) {
        stop("no memory");
    }
    size_t at = 2 * N_BLOBS;
    for (size_t i = 0; i < N_BLOBS; i++) {
        size_t len_bytes = (size_t)memory[2 * i] | (size_t)memory[2 * i + 1] << 8;
        HR_ASSERT(at + len_bytes <= sizeof memory);
        blobs[i] = hr_bytes_of(memory + at, len_bytes);
        at += len_bytes;
    }
}

static void start_network(void)
{
    struct port_netif_config config = {
        .mac = {0x02, 0x48, 0x52, 0x00, 0x00, 0x07},
        .dhcp = word("static", 0) == 0,
        .ipv4 = {10, 77, 0, 99},
        .ipv4_mask = {255, 255, 255, 0},
        .ipv4_gateway = {10, 77, 0, 1},
        .ipv4_dns = {10, 77, 0, 3},
        .random = &no_random,
        .log = &console,
    };
    static const uint8_t ipv6[PORT_IPV6_BYTES] = {0xfd, 0x78, [15] = 0x99};
    if (!config.dhcp) {
        memcpy(config.ipv6, ipv6, sizeof ipv6);
    }
    if (word("seed", 1) != 0) {
        HR_ASSERT(blobs[SEED].len_bytes == CRYPTO_SEED_BYTES);
        HR_ASSERT(hr_is_ok(crypto_start_seeded(blobs[SEED].data)));
        config.random = crypto_random();
    }
    if (!hr_is_ok(port_netif_start(&config))) {
        stop("no ethernet");
    }
}

/* ---- the client's events ---- */

static void on_up(void *ctx)
{
    (void)ctx;
    phase = UP;
}

static void on_down(void *ctx, enum port_net_down reason)
{
    (void)ctx;
    static const char *const names[] = {"unreachable", "refused", "lost"};
    say("down ");
    say(names[reason]);
    say("\r\n");
    phase = ENDED;
    failed |= hogged_bytes == 0;
}

static void on_answer(void *ctx, uint32_t token, uint8_t code, struct hr_bytes payload, uint32_t max_age_s)
{
    (void)ctx;
    (void)max_age_s;
    failed |= token != n_answers || code != 2 * 32 + 4 || payload.len_bytes != 29;
    n_answers++;
    phase = UP;
}

static void on_timeout(void *ctx, uint32_t token)
{
    (void)ctx;
    (void)token;
    say("timeout\r\n");
    failed = true;
    phase = UP;
}

static void start_client(void)
{
    const char *host = board_command_value("host");
    size_t chars = host == NULL ? 0 : strcspn(host, " ");
    if (chars == 0 || chars > NET_HOST_MAX_CHARS) {
        stop("no host");
    }
    address = (struct net_address){.scheme = NET_COAPS, .port = (uint16_t)word("port", 0)};
    memcpy(address.host, host, chars);
    const struct net_config config = {
        .addresses = &address,
        .n_addresses = 1,
        .window = NET_MAX_WINDOW,
        .server_name = "aggregator.test",
        .credentials = {.kind = NET_CREDENTIALS_MEMORY,
                        .of.memory = {blobs[AUTHORITY], blobs[CERTIFICATE], blobs[KEY]}},
        .open_timeout_ms = 120000,
        .exchange_timeout_ms = 120000,
        .silence_ms = 60000,
        .ack_timeout_ms = word("ack_timeout", 2000),
        .max_retransmit = 6,
        .clock = &board_clock,
        .log = &console,
        .resolve = port_netif_resolve(),
    };
    const struct port_net_events events = {on_up, on_down, on_answer, on_timeout, NULL};
    net_client_init(&client, &config, &events);
}

/* ---- sessions ---- */

static void turn(void)
{
    uint32_t wait_ms = port_netif_step();
    uint32_t client_ms = net_client_step(&client);
    uint64_t end_ms = board_uptime_ms() + (wait_ms < client_ms ? wait_ms : client_ms);
    while (board_ethernet_waiting() == 0 && board_uptime_ms() < end_ms) {
        board_wait();
        let_clock_go_on();
    }
}

static void tell_memory(const char *when, uint32_t number)
{
    struct port_pool_state pool;
    struct port_netif_state net;
    char line[160];
    port_pool_state(&pool);
    port_netif_state(&net);
    (void)snprintf(line, sizeof line,
                   "%s %lu used=%u blocks=%lu peak=%u refused=%lu heap=%u heap_peak=%u heap_err=%u pbufs=%u "
                   "pbuf_err=%u dropped=%lu\r\n",
                   when, (unsigned long)number, (unsigned)pool.used_bytes, (unsigned long)pool.blocks,
                   (unsigned)pool.peak_bytes, (unsigned long)pool.refused, (unsigned)lwip_stats.mem.used,
                   (unsigned)lwip_stats.mem.max, (unsigned)lwip_stats.mem.err,
                   (unsigned)lwip_stats.memp[MEMP_PBUF_POOL]->used,
                   (unsigned)lwip_stats.memp[MEMP_PBUF_POOL]->err, (unsigned long)net.frames_dropped);
    say(line);
}

static void run_session(uint32_t number, uint32_t n_posts)
{
    uint32_t less_bytes = number * HOG_STEP_BYTES;
    hogged_bytes = word("hog", 0) > less_bytes ? word("hog", 0) - less_bytes : 0;
    void *hog = hogged_bytes != 0 ? malloc(hogged_bytes) : NULL;
    HR_ASSERT(hogged_bytes == 0 || hog != NULL);
    phase = CONNECTING;
    n_answers = 0;
    if (!hr_is_ok(client.port.open(client.port.ctx, 0))) {
        stop("the session could not start");
    }
    while (phase != ENDED && (phase != UP || n_answers < n_posts)) {
        if (phase == UP) {
            memset(envelope, (int)(number + n_answers), sizeof envelope);
            struct hr_status status =
                client.port.post_batch(client.port.ctx, n_answers, hr_bytes_of(envelope, sizeof envelope));
            HR_ASSERT(hr_is_ok(status));
            phase = POSTING;
        }
        turn();
    }
    if (phase != ENDED) {
        tell_memory("open", number);
    }
    client.port.close(client.port.ctx);
    turn();
    free(hog);
    tell_memory("session", number);
}

static void wait_for_addresses(void)
{
    struct port_netif_state state;
    uint32_t family = word("family", 0);
    do {
        turn();
        port_netif_state(&state);
    } while ((!state.has_ipv4 && family != 6) || (!state.has_ipv6 && family != 4));
}

int main(void)
{
    board_start();
    if (word("clock_stands", 0) != 0) {
        stop_clock();
    }
    read_credentials();
    start_network();
    start_client();
    wait_for_addresses();
    uint32_t n_sessions = word("sessions", 1);
    for (uint32_t i = 0; i < n_sessions; i++) {
        run_session(i, word("posts", 1));
    }
    char line[48];
    (void)snprintf(line, sizeof line, "stack %u of %u\r\n", (unsigned)board_stack_used_bytes(),
                   (unsigned)board_stack_bytes());
    say(line);
    say(failed ? "failed\r\n" : "done\r\n");
    board_semihost_exit(failed ? 1 : 0);
}
