/* SPDX-License-Identifier: Apache-2.0
 *
 * The Linux sources against real terminals, sockets and files on this machine. Time is the test's own: pauses
 * pass by setting the clock forward, and readiness is waited for with poll. */
#include "firmware/ports/linux/source.h"
#include "firmware/taps/ais/tap_ais.h"
#include "tests/support/loopback.h"
#include "tests/support/test_cmocka.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum { READY_TIMEOUT_MS = 120000, TEXT_MAX = 8192 };

static struct port_linux_source source;
static uint64_t now_ms;
static char last_event[64];

/* What each stream has given since the last start. */
static struct {
    char text[TEXT_MAX];
    size_t len;
    unsigned n_ended;
    unsigned n_datagrams;
} got[PORT_LINUX_SOURCE_STREAMS];

static void note(void *ctx, enum port_log_level level, const char *event, const struct port_log_field *fields,
                 uint32_t n_fields)
{
    (void)ctx;
    (void)level;
    (void)fields;
    (void)n_fields;
    (void)snprintf(last_event, sizeof last_event, "%s", event);
}

static const struct port_log LOG = {note, NULL};

static struct hr_status open_source(const struct port_linux_source_config *config)
{
    now_ms = 1000;
    memset(got, 0, sizeof got);
    return port_linux_source_open(&source, config, &LOG, now_ms);
}

/* One read, noted in got. */
static struct hr_status read_once(void)
{
    uint8_t bytes[2048];
    struct port_linux_source_chunk chunk;
    struct hr_status status = port_linux_source_read(&source, now_ms, bytes, sizeof bytes, &chunk);
    if (!hr_is_ok(status)) {
        return status;
    }
    assert_true(chunk.stream < PORT_LINUX_SOURCE_STREAMS);
    if (chunk.event == PORT_LINUX_SOURCE_ENDED) {
        assert_int_equal(chunk.len_bytes, 0);
        got[chunk.stream].n_ended++;
        return status;
    }
    assert_true(chunk.len_bytes > 0 && got[chunk.stream].len + chunk.len_bytes < TEXT_MAX);
    memcpy(got[chunk.stream].text + got[chunk.stream].len, bytes, chunk.len_bytes);
    got[chunk.stream].len += chunk.len_bytes;
    got[chunk.stream].n_datagrams += chunk.event == PORT_LINUX_SOURCE_DATAGRAM;
    return status;
}

/* Reads until *counter is at least `wanted`. */
static void read_until(const uint64_t *counter, uint64_t wanted)
{
    while (*counter < wanted) {
        struct pollfd fds[PORT_LINUX_SOURCE_FDS];
        if (!hr_is(read_once(), HR_AGAIN) || *counter >= wanted) {
            continue;
        }
        size_t n = port_linux_source_fds(&source, now_ms, fds);
        assert_true(n > 0);
        assert_true(poll(fds, (nfds_t)n, READY_TIMEOUT_MS) > 0);
    }
}

static void read_bytes(uint8_t stream, size_t len)
{
    while (got[stream].len < len) {
        struct pollfd fds[PORT_LINUX_SOURCE_FDS];
        if (hr_is(read_once(), HR_AGAIN)) {
            size_t n = port_linux_source_fds(&source, now_ms, fds);
            assert_true(n > 0);
            assert_true(poll(fds, (nfds_t)n, READY_TIMEOUT_MS) > 0);
        }
    }
}

static void assert_got(uint8_t stream, const char *text)
{
    read_bytes(stream, strlen(text));
    assert_int_equal(got[stream].len, strlen(text));
    assert_memory_equal(got[stream].text, text, strlen(text));
}

static void write_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int connect_to(uint16_t port, int type)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(port)};
    int fd = socket(AF_INET, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static struct port_linux_source_config config_of(enum port_linux_source_kind kind, const char *where,
                                                 uint16_t port)
{
    struct port_linux_source_config config = {.kind = kind, .port = port, .baud = 38400};
    bool is_path = kind == PORT_LINUX_SOURCE_SERIAL || kind == PORT_LINUX_SOURCE_FILE;
    (void)snprintf(is_path ? config.path : config.host, sizeof config.path, "%s", where);
    return config;
}

/* The master's side of a new terminal; the other side is what `link` names. */
static int open_terminal(const char *link)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    (void)unlink(link);
    assert_int_equal(symlink(ptsname(master), link), 0);
    return master;
}

static char *temporary_name(char name[32])
{
    (void)snprintf(name, 32, "/tmp/headrace-XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    return name;
}

static void a_serial_line_is_raw_and_ours_alone(void **state)
{
    (void)state;
    char link[32];
    int master = open_terminal(temporary_name(link));
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_SERIAL, link, 0);
    assert_ok(open_source(&config));
    assert_int_equal(source.counts.opened, 1);
    /* What a cooked terminal would turn, swallow or make a signal of. */
    write_text(master, "!A\r\n\x03\x11\x13\x04\xFF\x80z");
    assert_got(0, "!A\r\n\x03\x11\x13\x04\xFF\x80z");

    struct termios settings;
    assert_int_equal(tcgetattr(source.stream[0], &settings), 0);
    assert_int_equal(cfgetispeed(&settings), B38400);
    assert_int_equal(settings.c_cflag & (CSIZE | CSTOPB | PARENB), CS8);

    struct port_linux_source second;
    assert_ok(port_linux_source_open(&second, &config, &LOG, now_ms));
    assert_int_equal(second.counts.failed, 1);
    assert_string_equal(last_event, "source_unreachable");
    port_linux_source_close(&second);
    port_linux_source_close(&source);
    assert_int_equal(close(master), 0);
    (void)unlink(link);
}

static void a_serial_device_that_goes_away_is_opened_again(void **state)
{
    (void)state;
    char link[32];
    int master = open_terminal(temporary_name(link));
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_SERIAL, link, 0);
    assert_ok(open_source(&config));
    assert_int_equal(close(master), 0);
    read_until(&source.counts.lost, 1);
    assert_int_equal(got[0].n_ended, 1);
    struct pollfd fds[PORT_LINUX_SOURCE_FDS];
    assert_int_equal(port_linux_source_fds(&source, now_ms, fds), 0);
    assert_int_equal(port_linux_source_wait_ms(&source, now_ms), 250);

    master = open_terminal(link);
    now_ms += 250;
    read_until(&source.counts.opened, 2);
    write_text(master, "again");
    assert_got(0, "again");
    port_linux_source_close(&source);
    assert_int_equal(close(master), 0);
    (void)unlink(link);
}

static void a_two_way_serial_line_is_written_to_with_its_parity(void **state)
{
    (void)state;
    char link[32];
    char text[8] = "";
    int master = open_terminal(temporary_name(link));
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_SERIAL, link, 0);
    config.is_two_way = true;
    config.has_two_stop_bits = true;
    config.parity = PORT_LINUX_PARITY_ODD;
    assert_ok(open_source(&config));
    assert_true(port_linux_source_is_open(&source));
    struct termios settings;
    assert_int_equal(tcgetattr(source.stream[0], &settings), 0);
    assert_int_equal(settings.c_cflag & CSTOPB, CSTOPB);
    assert_int_equal(settings.c_cflag & PARODD, PARODD);
    assert_ok(port_linux_source_write(&source, hr_bytes_of("ask", 3)));
    assert_int_equal(read(master, text, sizeof text), 3);
    assert_string_equal(text, "ask");
    write_text(master, "answer");
    assert_got(0, "answer");
    port_linux_source_close(&source);
    assert_false(port_linux_source_is_open(&source));
    assert_code(port_linux_source_write(&source, hr_bytes_of("ask", 3)), HR_AGAIN);
    assert_int_equal(close(master), 0);
    (void)unlink(link);

    /* One that is for listening only can't be written to. */
    master = open_terminal(link);
    config.is_two_way = false;
    assert_ok(open_source(&config));
    assert_code(port_linux_source_write(&source, hr_bytes_of("ask", 3)), HR_IO);
    port_linux_source_close(&source);
    assert_int_equal(close(master), 0);
    (void)unlink(link);
}

static void a_tcp_client_writes_and_may_be_opened_anew_at_once(void **state)
{
    (void)state;
    uint16_t port = 0;
    char text[8] = "";
    int listener = loopback_socket(SOCK_STREAM, &port);
    assert_int_equal(listen(listener, 4), 0);
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_TCP_CLIENT, "127.0.0.1", port);
    assert_ok(open_source(&config));
    read_until(&source.counts.opened, 1);
    int peer = accept(listener, NULL, NULL);
    assert_ok(port_linux_source_write(&source, hr_bytes_of("ask", 3)));
    assert_int_equal(read(peer, text, sizeof text), 3);
    port_linux_source_reopen(&source, now_ms);
    assert_false(port_linux_source_is_open(&source));
    assert_int_equal(read(peer, text, sizeof text), 0);
    assert_int_equal(source.counts.lost, 1);
    assert_int_equal(port_linux_source_wait_ms(&source, now_ms), 0);
    read_until(&source.counts.opened, 2);
    assert_true(port_linux_source_is_open(&source));
    assert_int_equal(close(peer), 0);
    peer = accept(listener, NULL, NULL);
    write_text(peer, "two");
    assert_got(0, "two");
    port_linux_source_close(&source);
    assert_int_equal(close(peer), 0);
    assert_int_equal(close(listener), 0);
}

static void pauses_between_tries_grow_to_15_seconds(void **state)
{
    (void)state;
    static const uint32_t PAUSE_MS[] = {250, 500, 1000, 2000, 4000, 8000, 15000, 15000};
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_SERIAL, "/nonexistent/tty", 0);
    assert_ok(open_source(&config));
    for (size_t i = 0; i < sizeof PAUSE_MS / sizeof PAUSE_MS[0]; i++) {
        assert_int_equal(source.counts.failed, i + 1);
        assert_int_equal(port_linux_source_wait_ms(&source, now_ms), PAUSE_MS[i]);
        now_ms += PAUSE_MS[i] - 1;
        assert_code(read_once(), HR_AGAIN);
        assert_int_equal(source.counts.failed, i + 1);
        now_ms += 1;
        assert_code(read_once(), HR_AGAIN);
    }
    port_linux_source_close(&source);
    assert_int_equal(port_linux_source_wait_ms(&source, now_ms), UINT32_MAX);
}

static void a_tcp_client_connects_again_when_its_peer_goes(void **state)
{
    (void)state;
    uint16_t port = 0;
    int listener = loopback_socket(SOCK_STREAM, &port);
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_TCP_CLIENT, "127.0.0.1", port);
    /* Nobody listens yet. */
    assert_ok(open_source(&config));
    read_until(&source.counts.failed, 1);
    assert_int_equal(source.counts.opened, 0);

    assert_int_equal(listen(listener, 4), 0);
    now_ms += 250;
    read_until(&source.counts.opened, 1);
    int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    write_text(peer, "one");
    assert_got(0, "one");
    assert_int_equal(close(peer), 0);
    read_until(&source.counts.lost, 1);
    assert_int_equal(got[0].n_ended, 1);
    assert_string_equal(last_event, "source_lost");

    /* Bytes came, so the pause is the first again. */
    assert_int_equal(port_linux_source_wait_ms(&source, now_ms), 250);
    now_ms += 250;
    read_until(&source.counts.opened, 2);
    peer = accept(listener, NULL, NULL);
    write_text(peer, "two");
    assert_got(0, "onetwo");
    port_linux_source_close(&source);
    assert_int_equal(close(peer), 0);
    assert_int_equal(close(listener), 0);
}

static void a_tcp_peer_that_does_not_answer_is_given_up_after_10_seconds(void **state)
{
    (void)state;
    uint16_t port = 0;
    /* A listener whose queue of one is full drops what knocks: no answer, and no refusal. */
    int listener = loopback_socket(SOCK_STREAM, &port);
    assert_int_equal(listen(listener, 0), 0);
    int first = connect_to(port, SOCK_STREAM);
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_TCP_CLIENT, "127.0.0.1", port);
    assert_ok(open_source(&config));
    assert_int_equal(port_linux_source_wait_ms(&source, now_ms), 10000);
    now_ms += 9999;
    assert_code(read_once(), HR_AGAIN);
    assert_int_equal(source.counts.failed, 0);
    assert_int_equal(source.counts.opened, 0);
    now_ms += 1;
    assert_code(read_once(), HR_AGAIN);
    assert_int_equal(source.counts.failed, 1);
    port_linux_source_close(&source);
    assert_int_equal(close(first), 0);
    assert_int_equal(close(listener), 0);
}

static void eight_senders_have_eight_streams_and_a_ninth_is_turned_away(void **state)
{
    (void)state;
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_TCP_SERVER, "127.0.0.1", 0);
    assert_ok(open_source(&config));
    uint16_t port = port_linux_source_port(&source);
    assert_true(port != 0);
    int sender[PORT_LINUX_SOURCE_STREAMS];
    for (uint8_t i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        sender[i] = connect_to(port, SOCK_STREAM);
        read_until(&source.counts.opened, i + 2U); /* the listener is one */
    }
    for (uint8_t i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        char text[] = {'s', (char)('0' + i), '\0'};
        write_text(sender[i], text);
    }
    for (uint8_t i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        char text[] = {'s', (char)('0' + i), '\0'};
        assert_got(i, text);
    }
    int ninth = connect_to(port, SOCK_STREAM);
    char byte;
    read_until(&source.counts.refused, 1);
    assert_int_equal(read(ninth, &byte, 1), 0);

    assert_int_equal(close(sender[3]), 0);
    read_until(&source.counts.lost, 1);
    assert_int_equal(got[3].n_ended, 1);
    sender[3] = connect_to(port, SOCK_STREAM);
    write_text(sender[3], "new");
    assert_got(3, "s3new");
    port_linux_source_close(&source);
    for (uint8_t i = 0; i < PORT_LINUX_SOURCE_STREAMS; i++) {
        assert_int_equal(close(sender[i]), 0);
    }
    assert_int_equal(close(ninth), 0);
}

static void a_busy_sender_does_not_starve_the_others(void **state)
{
    (void)state;
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_TCP_SERVER, "127.0.0.1", 0);
    assert_ok(open_source(&config));
    int busy = connect_to(port_linux_source_port(&source), SOCK_STREAM);
    read_until(&source.counts.opened, 2);
    int quiet = connect_to(port_linux_source_port(&source), SOCK_STREAM);
    read_until(&source.counts.opened, 3);
    char flood[3 * 2048];
    memset(flood, 'x', sizeof flood);
    assert_int_equal(write(busy, flood, sizeof flood), sizeof flood);
    write_text(quiet, "q");
    read_bytes(1, 1);
    assert_true(got[0].len <= 2048);
    read_bytes(0, sizeof flood);
    port_linux_source_close(&source);
    assert_int_equal(close(busy), 0);
    assert_int_equal(close(quiet), 0);
}

static void a_datagram_comes_whole_or_is_counted(void **state)
{
    (void)state;
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_UDP, "127.0.0.1", 0);
    assert_ok(open_source(&config));
    int sender = connect_to(port_linux_source_port(&source), SOCK_DGRAM);
    char big[2049];
    memset(big, 'x', sizeof big);
    write_text(sender, "one");
    assert_int_equal(write(sender, "", 0), 0);
    assert_int_equal(write(sender, big, sizeof big), sizeof big);
    write_text(sender, "two");
    assert_got(0, "onetwo");
    assert_int_equal(got[0].n_datagrams, 2);
    assert_int_equal(source.counts.cut_datagrams, 1);
    assert_int_equal(write(sender, big, sizeof big - 1), sizeof big - 1);
    read_bytes(0, 6 + sizeof big - 1);
    assert_int_equal(got[0].n_datagrams, 3);
    port_linux_source_close(&source);
    assert_int_equal(close(sender), 0);
}

static void a_file_ends_once(void **state)
{
    (void)state;
    char name[32];
    int fd = open(temporary_name(name), O_WRONLY);
    char big[5000];
    memset(big, 'f', sizeof big);
    assert_int_equal(write(fd, big, sizeof big), sizeof big);
    assert_int_equal(close(fd), 0);
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_FILE, name, 0);
    assert_ok(open_source(&config));
    while (got[0].n_ended == 0) {
        assert_ok(read_once());
    }
    assert_int_equal(got[0].len, sizeof big);
    assert_code(read_once(), HR_CLOSED);
    assert_code(read_once(), HR_CLOSED);
    assert_int_equal(got[0].n_ended, 1);
    port_linux_source_close(&source);
    (void)unlink(name);
}

static void stdin_is_read_without_being_made_nonblocking(void **state)
{
    (void)state;
    int ends[2];
    int kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    assert_ok(open_source(&(struct port_linux_source_config){.kind = PORT_LINUX_SOURCE_STDIN}));
    assert_code(read_once(), HR_AGAIN);
    write_text(ends[1], "in");
    assert_got(0, "in");
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(close(ends[1]), 0);
    assert_ok(read_once());
    assert_int_equal(got[0].n_ended, 1);
    assert_code(read_once(), HR_CLOSED);
    port_linux_source_close(&source);
    assert_true(fcntl(STDIN_FILENO, F_GETFL) >= 0);
    assert_int_equal(close(ends[0]), 0);
    if (kept >= 0) {
        assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
        assert_int_equal(close(kept), 0);
    }
}

static void what_cannot_be_opened_says_so_and_leaves_nothing_open(void **state)
{
    (void)state;
    uint16_t port = 0;
    int taken = loopback_socket(SOCK_STREAM, &port);
    assert_int_equal(listen(taken, 1), 0);
    const struct {
        struct port_linux_source_config config;
        enum hr_code code;
    } CASE[] = {
        {config_of(PORT_LINUX_SOURCE_FILE, "/nonexistent/file", 0), HR_IO},
        {config_of(PORT_LINUX_SOURCE_TCP_SERVER, "127.0.0.1", port), HR_IO},
        {config_of(PORT_LINUX_SOURCE_UDP, "203.0.113.1", 0), HR_IO},
        {config_of(PORT_LINUX_SOURCE_TCP_CLIENT, "", 5000), HR_MALFORMED},
        {config_of(PORT_LINUX_SOURCE_TCP_CLIENT, "127.0.0.1", 0), HR_MALFORMED},
        {{.kind = PORT_LINUX_SOURCE_SERIAL, .path = "/dev/ttyS0", .baud = 12345}, HR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof CASE / sizeof CASE[0]; i++) {
        struct pollfd fds[PORT_LINUX_SOURCE_FDS];
        assert_code(open_source(&CASE[i].config), CASE[i].code);
        assert_int_equal(port_linux_source_fds(&source, now_ms, fds), 0);
        port_linux_source_close(&source);
    }
    assert_int_equal(close(taken), 0);
}

static void count_message(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    (void)ais;
    (void)uptime_ms;
    ++*(unsigned *)ctx;
}

static void half_lines_of_two_senders_become_two_messages(void **state)
{
    (void)state;
    static const char LINE[] = "!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0*23\r\n";
    static struct tap_ais tap;
    static struct tap_ais_stream stream[2];
    unsigned n_messages = 0;
    int sender[2];
    tap_ais_init(&tap, &(struct tap_ais_config){0}, &(struct tap_ais_sink){count_message, &n_messages});
    struct port_linux_source_config config = config_of(PORT_LINUX_SOURCE_TCP_SERVER, "127.0.0.1", 0);
    assert_ok(open_source(&config));
    for (uint8_t i = 0; i < 2; i++) {
        tap_ais_stream_init(&stream[i], i);
        sender[i] = connect_to(port_linux_source_port(&source), SOCK_STREAM);
        read_until(&source.counts.opened, i + 2U);
    }
    for (size_t half = 0; half < 2; half++) {
        for (uint8_t i = 0; i < 2; i++) {
            size_t before = got[i].len;
            const char *text = half == 0 ? LINE : LINE + 20;
            size_t len = half == 0 ? 20 : sizeof LINE - 21;
            assert_int_equal(write(sender[i], text, len), len);
            read_bytes(i, before + len);
            tap_ais_feed(&tap, &stream[i], hr_bytes_of(got[i].text + before, len), now_ms);
        }
    }
    assert_int_equal(n_messages, 2);
    port_linux_source_close(&source);
    assert_int_equal(close(sender[0]), 0);
    assert_int_equal(close(sender[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_serial_line_is_raw_and_ours_alone),
        cmocka_unit_test(a_serial_device_that_goes_away_is_opened_again),
        cmocka_unit_test(a_two_way_serial_line_is_written_to_with_its_parity),
        cmocka_unit_test(a_tcp_client_writes_and_may_be_opened_anew_at_once),
        cmocka_unit_test(pauses_between_tries_grow_to_15_seconds),
        cmocka_unit_test(a_tcp_client_connects_again_when_its_peer_goes),
        cmocka_unit_test(a_tcp_peer_that_does_not_answer_is_given_up_after_10_seconds),
        cmocka_unit_test(eight_senders_have_eight_streams_and_a_ninth_is_turned_away),
        cmocka_unit_test(a_busy_sender_does_not_starve_the_others),
        cmocka_unit_test(a_datagram_comes_whole_or_is_counted),
        cmocka_unit_test(a_file_ends_once),
        cmocka_unit_test(stdin_is_read_without_being_made_nonblocking),
        cmocka_unit_test(what_cannot_be_opened_says_so_and_leaves_nothing_open),
        cmocka_unit_test(half_lines_of_two_senders_become_two_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
