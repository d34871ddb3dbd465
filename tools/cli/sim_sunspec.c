/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace sim sunspec` */
#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/modbus_answer.h"
#include "tools/cli/options.h"
#include "tools/cli/sim_plant.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
    PEERS = 65,
    READ_BYTES = 512,
    LINE_CHARS = 128,
    TICK_MS = 100,
    SPEED_MAX = 86400,
    HOUR_MAX = 23,
    BACKLOG = 64
};

enum option { INVERTERS, SEED, PORT, RTU, PTY, HOUR, SPEED, COUNT, MODELS };

static const struct cli_option options[] = {
    [INVERTERS] = {"--inverters", "N", false, 0, "units 3 on (2); unit 1 is the meter, 2 the battery"},
    [SEED] = {"--seed", "N", false, 0, "the same seed gives the same sky (1)"},
    [PORT] = {"--port", "N", false, 0, "TCP port on loopback (0: a free one, which is told)"},
    [RTU] = {"--rtu", NULL, false, 0, "RTU too, over a pseudo terminal, whose path is told"},
    [PTY] = {"--pty", "PATH", false, 0, "the same, with a link at PATH to the pseudo terminal"},
    [HOUR] = {"--hour", "N", false, 0, "of the day at which it begins (10)"},
    [SPEED] = {"--speed", "N", false, 0, "simulated seconds in a second (1); 0: time stands still"},
    [MODELS] = {"--models", NULL, false, 0, "one unit more, which has every model, with seeded values"},
    [COUNT] = {"--count", NULL, false, 0, "an inverter's WH is how often it has answered"},
};

static const struct cli_usage usage = {
    .verb = "sim sunspec",
    .options = options,
    .n_options = HR_ARRAY_LEN(options),
    .help = "Serves a plant over Modbus: inverters under a seeded sky, a battery, and the meter to the grid. "
            "Lines on stdin are\n"
            "commands: UNIT FAULT, with a fault of none, silent, late, wrong_unit, truncated, bad_crc, "
            "illegal_address, busy,\n"
            "not_implemented, no_scale, model_65.\n"
            "Each is answered by \"ok\" or by what is wrong with it. It goes on until it is interrupted.",
};

struct server {
    struct sim_plant plant;
    enum sim_fault faults[256];
    int listener;
    int fds[PEERS]; /* -1: free; the first is the pseudo terminal's */
    struct cli_modbus_peer peers[PEERS];
    bool has_stdin;
    size_t line_chars;
    char line[LINE_CHARS];
};

static struct server server;
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static double clock_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- opening ---- */

static bool listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int on = 1;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server.listener < 0 || setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(server.listener, (const struct sockaddr *)&address, len) != 0 ||
        listen(server.listener, BACKLOG) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&address, &len) != 0) {
        (void)fprintf(stderr, "headrace sim sunspec: port %u: %s\n", port, strerror(errno));
        return false;
    }
    (void)printf("tcp://127.0.0.1:%u\n", ntohs(address.sin_port));
    return true;
}

/* The other side stays open here as well, so that its users may come and go. */
static bool open_pty(const char *link_path)
{
    struct termios raw;
    char path[LINE_CHARS] = "";
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    const char *name = NULL;
    if (fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0) {
        name = ptsname(fd);
    }
    if (name != NULL) {
        (void)snprintf(path, sizeof path, "%s", name);
    }
    int other = path[0] == '\0' ? -1 : open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (other < 0 || tcgetattr(other, &raw) != 0) {
        (void)fprintf(stderr, "headrace sim sunspec: pseudo terminal: %s\n", strerror(errno));
        return false;
    }
    raw.c_iflag = 0;
    raw.c_oflag = 0;
    raw.c_lflag = 0;
    raw.c_cflag = CS8 | CREAD | CLOCAL | B9600;
    (void)tcsetattr(other, TCSANOW, &raw);
    if (link_path != NULL) {
        char target[1];
        if (readlink(link_path, target, sizeof target) >= 0) {
            (void)unlink(link_path); /* of a simulator that was killed */
        }
        if (symlink(path, link_path) != 0) {
            (void)fprintf(stderr, "headrace sim sunspec: %s: %s\n", link_path, strerror(errno));
            return false;
        }
    }
    server.fds[0] = fd;
    server.peers[0] = (struct cli_modbus_peer){.framing = TAP_MODBUS_RTU};
    (void)printf("rtu %s\n", link_path != NULL ? link_path : path);
    return true;
}

/* ---- serving ---- */

static void take_peer(void)
{
    int fd = accept(server.listener, NULL, NULL);
    for (size_t i = 1; i < PEERS && fd >= 0; i++) {
        if (server.fds[i] < 0) {
            (void)fcntl(fd, F_SETFL, O_NONBLOCK);
            server.fds[i] = fd;
            server.peers[i] = (struct cli_modbus_peer){.framing = TAP_MODBUS_TCP};
            return;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void end_peer(size_t i)
{
    (void)close(server.fds[i]);
    server.fds[i] = -1;
}

static void serve_peer(size_t i)
{
    uint8_t bytes[READ_BYTES];
    uint8_t out[CLI_MODBUS_ANSWER_MAX_BYTES];
    ssize_t n_read = read(server.fds[i], bytes, sizeof bytes);
    if (n_read <= 0) {
        if (n_read == 0 || (errno != EAGAIN && errno != EINTR)) {
            end_peer(i);
        }
        return;
    }
    for (size_t at = 0; at < (size_t)n_read;) {
        size_t n_taken = 0;
        size_t len = cli_modbus_answer(&server.peers[i], &server.plant, server.faults,
                                       hr_bytes_of(bytes + at, (size_t)n_read - at), &n_taken, out);
        at += n_taken;
        /* A peer that takes no answer loses it, as it would on a wire; one that is gone is seen by the next
         * read. */
        if (len > 0 && write(server.fds[i], out, len) < 0 && errno != EAGAIN) {
            end_peer(i);
            return;
        }
    }
}

/* "UNIT FAULT" */
static const char *obey(const char *command)
{
    char unit_text[8] = "";
    const char *space = strchr(command, ' ');
    uint64_t unit = 0;
    if (space == NULL || space - command >= (int)sizeof unit_text) {
        return "a command is UNIT FAULT";
    }
    (void)snprintf(unit_text, sizeof unit_text, "%.*s", (int)(space - command), command);
    if (!cli_number(unit_text, UINT8_MAX, &unit) || cli_plant_device(&server.plant, (uint8_t)unit) == NULL) {
        return "no such unit";
    }
    for (int i = 0; i < SIM_N_FAULTS; i++) {
        if (strcmp(space + 1, CLI_SIM_FAULT_NAMES[i]) == 0) {
            server.faults[unit] = (enum sim_fault)i;
            return "ok";
        }
    }
    return "no such fault";
}

static void read_commands(void)
{
    char bytes[LINE_CHARS];
    ssize_t n_read = read(STDIN_FILENO, bytes, sizeof bytes);
    if (n_read <= 0) {
        server.has_stdin = false;
        return;
    }
    for (ssize_t i = 0; i < n_read; i++) {
        if (bytes[i] == '\n') {
            server.line[server.line_chars] = '\0';
            server.line_chars = 0;
            (void)printf("%s\n", obey(server.line));
        } else if (server.line_chars < sizeof server.line - 1) {
            server.line[server.line_chars++] = bytes[i];
        }
    }
}

static void serve(double speed)
{
    double last_s = clock_s();
    while (interrupted == 0) {
        struct pollfd fds[PEERS + 2];
        for (size_t i = 0; i < PEERS; i++) {
            fds[i] = (struct pollfd){.fd = server.fds[i], .events = POLLIN};
        }
        fds[PEERS] = (struct pollfd){.fd = server.listener, .events = POLLIN};
        fds[PEERS + 1] = (struct pollfd){.fd = server.has_stdin ? STDIN_FILENO : -1, .events = POLLIN};
        int n_ready = poll(fds, PEERS + 2, TICK_MS);
        double now_s = clock_s();
        cli_plant_step(&server.plant, (now_s - last_s) * speed);
        last_s = now_s;
        for (size_t i = 0; i < PEERS && n_ready > 0; i++) {
            if (fds[i].revents != 0) {
                serve_peer(i);
            }
        }
        if (n_ready > 0 && fds[PEERS].revents != 0) {
            take_peer();
        }
        if (n_ready > 0 && fds[PEERS + 1].revents != 0) {
            read_commands();
        }
    }
}

static bool number_of(const struct cli_arguments *arguments, enum option option, const char *fallback,
                      uint64_t max, uint64_t *out)
{
    const char *text = cli_option_or(arguments, option, fallback);
    if (!cli_number(text, max, out)) {
        (void)fprintf(stderr, "headrace sim sunspec: %s %s: a number up to %llu\n", options[option].name,
                      text, (unsigned long long)max);
        return false;
    }
    return true;
}

int cli_sim_sunspec(int argc, char **argv)
{
    struct cli_arguments arguments;
    uint64_t n_inverters = 0;
    uint64_t seed = 0;
    uint64_t port = 0;
    uint64_t hour = 0;
    uint64_t speed = 0;
    const struct sigaction stop = {.sa_handler = on_signal};
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    if (!number_of(&arguments, INVERTERS, "2", SIM_PLANT_DEVICES_MAX - 3, &n_inverters) ||
        !number_of(&arguments, SEED, "1", UINT64_MAX, &seed) ||
        !number_of(&arguments, PORT, "0", UINT16_MAX, &port) ||
        !number_of(&arguments, HOUR, "10", HOUR_MAX, &hour) ||
        !number_of(&arguments, SPEED, "1", SPEED_MAX, &speed)) {
        return CLI_USAGE;
    }
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    server.has_stdin = true;
    for (size_t i = 0; i < PEERS; i++) {
        server.fds[i] = -1;
    }
    const char *link_path = cli_option_or(&arguments, PTY, NULL);
    bool has_rtu = link_path != NULL || cli_option_or(&arguments, RTU, NULL) != NULL;
    cli_plant_init(&server.plant, seed, (size_t)n_inverters, (double)hour * 3600);
    if (cli_option_or(&arguments, MODELS, NULL) != NULL) {
        cli_plant_add_models(&server.plant);
    }
    server.plant.counts = cli_option_or(&arguments, COUNT, NULL) != NULL;
    if (!listen_on((uint16_t)port) || (has_rtu && !open_pty(link_path))) {
        return CLI_FAILED;
    }
    serve((double)speed);
    if (link_path != NULL) {
        (void)unlink(link_path);
    }
    return CLI_OK;
}
