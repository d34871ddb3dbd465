/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the simulator's lines go, over real sockets on loopback. */
#include "tests/support/loopback.h"
#include "tests/support/test_cmocka.h"
#include "tools/cli/sim_output.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct cli_sim_output output;
static volatile sig_atomic_t stop;

static void parse(const char *scheme, uint16_t port)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s://127.0.0.1:%u", scheme, port);
    assert_true(cli_sim_output_parse(&output, text));
}

static void send_line(const char *line)
{
    assert_ok(cli_sim_output_line(&output, line, strlen(line)));
}

static void assert_reads(int fd, const char *text)
{
    char got[256];
    size_t len = 0;
    while (len < strlen(text)) {
        ssize_t n = read(fd, got + len, sizeof got - len);
        assert_true(n > 0);
        len += (size_t)n;
    }
    assert_int_equal(len, strlen(text));
    assert_memory_equal(got, text, len);
}

static void places_are_told_apart(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"",
                                        "x",
                                        "tcp://",
                                        "tcp://h",
                                        "tcp://:1",
                                        "udp://:99",
                                        "udp://h:",
                                        "tcp://h:port",
                                        "tcp://h:123456789",
                                        "http://h:1",
                                        "tcp-listen://"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        assert_false(cli_sim_output_parse(&output, WRONG[i]));
    }
    assert_true(cli_sim_output_parse(&output, "-"));
    assert_int_equal(output.kind, CLI_SIM_STDOUT);
    assert_true(cli_sim_output_parse(&output, "tcp-listen://:2000"));
    assert_int_equal(output.kind, CLI_SIM_TCP_LISTEN);
    assert_string_equal(output.host, "");
    assert_true(cli_sim_output_parse(&output, "udp://[::1]:10110"));
    assert_int_equal(output.kind, CLI_SIM_UDP);
    assert_string_equal(output.host, "::1");
    assert_string_equal(output.port, "10110");
}

static void a_tcp_peer_that_comes_back_gets_what_the_one_before_did_not(void **state)
{
    (void)state;
    uint16_t port = 0;
    int listener = loopback_socket(SOCK_STREAM, &port);
    assert_int_equal(listen(listener, 4), 0);
    parse("tcp", port);
    assert_ok(cli_sim_output_open(&output, &stop));
    int peer = accept(listener, NULL, NULL);
    send_line("one\n");
    assert_ok(cli_sim_output_flush(&output));
    assert_reads(peer, "one\n");

    /* A connection that is reset makes the next write fail at once. */
    send_line("lost\n");
    assert_ok(cli_sim_output_flush(&output));
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    assert_int_equal(close(peer), 0);
    send_line("two\n");
    assert_ok(cli_sim_output_flush(&output));
    assert_int_equal(output.reconnects, 1);
    peer = accept(listener, NULL, NULL);
    assert_reads(peer, "two\n");
    cli_sim_output_close(&output);
    assert_int_equal(close(peer), 0);
    assert_int_equal(close(listener), 0);
}

static void waiting_for_a_peer_ends_when_asked_to_stop(void **state)
{
    (void)state;
    uint16_t port = 0;
    int not_listening = loopback_socket(SOCK_STREAM, &port);
    parse("tcp", port);
    stop = 1;
    assert_code(cli_sim_output_open(&output, &stop), HR_CLOSED);
    stop = 0;
    cli_sim_output_close(&output);
    assert_int_equal(close(not_listening), 0);
}

static void a_port_that_is_taken_is_an_error(void **state)
{
    (void)state;
    uint16_t port = 0;
    int taken = loopback_socket(SOCK_STREAM, &port);
    assert_int_equal(listen(taken, 1), 0);
    parse("tcp-listen", port);
    assert_code(cli_sim_output_open(&output, &stop), HR_IO);
    cli_sim_output_close(&output);
    assert_int_equal(close(taken), 0);
}

static void datagrams_hold_whole_lines_and_fit_a_packet(void **state)
{
    (void)state;
    enum { LINES = 100 };
    uint16_t port = 0;
    int receiver = loopback_socket(SOCK_DGRAM, &port);
    parse("udp", port);
    assert_ok(cli_sim_output_open(&output, &stop));
    for (unsigned i = 0; i < LINES; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "line %03u .........................................\r\n", i);
        send_line(line);
    }
    assert_ok(cli_sim_output_flush(&output));
    unsigned n_lines = 0;
    while (n_lines < LINES) {
        char packet[2048];
        ssize_t len = recv(receiver, packet, sizeof packet, 0);
        assert_true(len > 0 && len <= CLI_SIM_DATAGRAM_BYTES);
        assert_int_equal(packet[len - 1], '\n');
        for (ssize_t i = 0; i < len; i++) {
            n_lines += packet[i] == '\n';
        }
    }
    assert_int_equal(n_lines, LINES);
    cli_sim_output_close(&output);
    assert_int_equal(close(receiver), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_told_apart),
        cmocka_unit_test(a_tcp_peer_that_comes_back_gets_what_the_one_before_did_not),
        cmocka_unit_test(waiting_for_a_peer_ends_when_asked_to_stop),
        cmocka_unit_test(a_port_that_is_taken_is_an_error),
        cmocka_unit_test(datagrams_hold_whole_lines_and_fit_a_packet),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
