/* SPDX-License-Identifier: Apache-2.0
 *
 * headrace sim ais */
#include "firmware/taps/ais/tap_ais.h"
#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/sim_fleet.h"
#include "tools/cli/sim_output.h"
#include "tools/cli/sim_stop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { VESSELS_MAX = 100000, RATE_MAX = 1000000, SECONDS_MAX = 31536000 };

/* Messages that are due within one tick leave together: fewer, fuller packets at high rates. */
static const int64_t TICK_NS = 5000000;
static const int64_t SECOND_NS = 1000000000;

/* Without a rate, simulated time still goes on: each vessel speaks as often as one under way does. */
static const double UNPACED_REPORT_S = 10;

enum { OPTION_VESSELS, OPTION_RATE, OPTION_COUNT, OPTION_SECONDS, OPTION_SEED, OPTION_TO };

static const struct cli_option OPTIONS[] = {
    [OPTION_VESSELS] = {"--vessels", "N", false, 0, "ships, boats, base stations and buoys (100)"},
    [OPTION_RATE] = {"--rate", "N", false, 0, "messages a second in all (10); 0: as fast as they are taken"},
    [OPTION_COUNT] = {"--count", "N", false, 0, "end after exactly so many messages"},
    [OPTION_SECONDS] = {"--seconds", "N", false, 0, "end after so long"},
    [OPTION_SEED] = {"--seed", "N", false, 0, "the same seed gives the same messages (1)"},
    [OPTION_TO] = {"--to", "WHERE", false, 0,
                   "tcp://HOST:PORT, tcp-listen://[HOST]:PORT, udp://HOST:PORT or - for stdout (-)"},
};

static const struct cli_usage USAGE = {
    .verb = "sim ais",
    .options = OPTIONS,
    .n_options = HR_ARRAY_LEN(OPTIONS),
    .help = "Writes the AIVDM sentences of a fleet that moves about twelve waters: positions of classes A "
            "and B,\n"
            "statics, base stations, buoys and long-range reports. Without --count and --seconds it goes on "
            "until it\n"
            "is interrupted. At the end a JSON line on stderr says how much was written. TCP waits for its "
            "peer, and\n"
            "waits again when it goes away.",
};

static const volatile sig_atomic_t *stop_asked;

struct simulation {
    uint64_t n_vessels;
    uint64_t rate;       /* 0: no pace */
    uint64_t n_wanted;   /* messages; UINT64_MAX: no end */
    int64_t duration_ns; /* 0: no end */
    uint64_t seed;
    uint64_t n_messages;
    uint64_t n_sentences;
    struct cli_fleet *fleet;
    struct cli_sim_output output;
};

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void sleep_until(int64_t at_ns)
{
    struct timespec at = {.tv_sec = at_ns / SECOND_NS, .tv_nsec = at_ns % SECOND_NS};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR && !*stop_asked) {
    }
}

static struct hr_status write_message(struct simulation *sim, double at_s)
{
    struct edge_ais ais;
    char line[TAP_AIS_SENTENCE_MAX_BYTES];
    cli_fleet_next(sim->fleet, at_s, &ais);
    uint8_t n_parts = tap_ais_parts(&ais);
    for (uint8_t part = 1; part <= n_parts; part++) {
        size_t len = tap_ais_print(&ais, part, (uint8_t)(sim->n_messages % 10), line);
        HR_TRY(cli_sim_output_line(&sim->output, line, len));
    }
    sim->n_sentences += n_parts;
    sim->n_messages++;
    return hr_ok();
}

/* When message `index` is due after the start. Never off by the sum of many roundings. */
static int64_t due_ns(const struct simulation *sim, uint64_t index)
{
    uint64_t second_ns = (uint64_t)SECOND_NS;
    return (int64_t)(index / sim->rate * second_ns + index % sim->rate * second_ns / sim->rate);
}

/* Until the wanted number, the duration or a signal; HR_CLOSED when a signal cut a wait for the peer short.
 */
static struct hr_status run(struct simulation *sim)
{
    int64_t start_ns = now_ns();
    while (sim->n_messages < sim->n_wanted && !*stop_asked) {
        int64_t gone_ns = now_ns() - start_ns;
        if (sim->duration_ns != 0 && gone_ns >= sim->duration_ns) {
            break;
        }
        if (sim->rate == 0) {
            HR_TRY(write_message(sim, (double)sim->n_messages * UNPACED_REPORT_S / (double)sim->n_vessels));
            continue;
        }
        int64_t at_ns = due_ns(sim, sim->n_messages);
        if (at_ns <= gone_ns) {
            HR_TRY(write_message(sim, (double)at_ns / (double)SECOND_NS));
            continue;
        }
        HR_TRY(cli_sim_output_flush(&sim->output));
        sleep_until(start_ns + (at_ns > gone_ns + TICK_NS ? at_ns : gone_ns + TICK_NS));
    }
    return cli_sim_output_flush(&sim->output);
}

static bool read_options(const struct cli_arguments *arguments, struct simulation *sim)
{
    const struct {
        size_t option;
        const char *fallback;
        uint64_t most;
        uint64_t *out;
    } NUMBER[] = {
        {OPTION_VESSELS, "100", VESSELS_MAX, &sim->n_vessels},
        {OPTION_RATE, "10", RATE_MAX, &sim->rate},
        {OPTION_COUNT, "0xffffffffffffffff", UINT64_MAX, &sim->n_wanted},
        {OPTION_SEED, "1", UINT64_MAX, &sim->seed},
    };
    bool good = true;
    for (size_t i = 0; i < HR_ARRAY_LEN(NUMBER); i++) {
        const char *text = cli_option_or(arguments, NUMBER[i].option, NUMBER[i].fallback);
        if (!cli_number(text, NUMBER[i].most, NUMBER[i].out)) {
            (void)fprintf(stderr, "headrace sim ais: %s %s: not a number up to %" PRIu64 "\n",
                          OPTIONS[NUMBER[i].option].name, text, NUMBER[i].most);
            good = false;
        }
    }
    uint64_t seconds = 0;
    if (!cli_number(cli_option_or(arguments, OPTION_SECONDS, "0"), SECONDS_MAX, &seconds)) {
        (void)fprintf(stderr, "headrace sim ais: --seconds: not a number up to %d\n", SECONDS_MAX);
        good = false;
    }
    sim->duration_ns = (int64_t)seconds * SECOND_NS;
    if (sim->n_vessels == 0) {
        (void)fputs("headrace sim ais: --vessels: at least 1\n", stderr);
        good = false;
    }
    const char *to = cli_option_or(arguments, OPTION_TO, "-");
    if (!cli_sim_output_parse(&sim->output, to)) {
        (void)fprintf(stderr,
                      "headrace sim ais: --to %s: not tcp://HOST:PORT, tcp-listen://[HOST]:PORT, "
                      "udp://HOST:PORT or -\n",
                      to);
        good = false;
    }
    return good;
}

/* With a rate and a duration the number of messages is known, and doesn't hang on how busy the machine is. */
static void settle_count(struct simulation *sim)
{
    if (sim->rate == 0 || sim->duration_ns == 0) {
        return;
    }
    uint64_t n_in_time = sim->rate * (uint64_t)(sim->duration_ns / SECOND_NS);
    if (n_in_time < sim->n_wanted) {
        sim->n_wanted = n_in_time;
    }
    sim->duration_ns = 0;
}

int cli_sim_ais(int argc, char **argv)
{
    static struct simulation sim;
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&USAGE, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    if (!read_options(&arguments, &sim)) {
        return CLI_USAGE;
    }
    settle_count(&sim);
    stop_asked = cli_sim_stop_on_signals();
    sim.fleet = cli_fleet_new((uint32_t)sim.n_vessels, sim.seed);
    if (sim.fleet == NULL) {
        (void)fputs("headrace sim ais: out of memory\n", stderr);
        return CLI_FAILED;
    }
    struct hr_status status = cli_sim_output_open(&sim.output, stop_asked);
    if (hr_is_ok(status)) {
        status = run(&sim);
    }
    cli_sim_output_close(&sim.output);
    cli_fleet_free(sim.fleet);
    (void)fprintf(stderr, "{\"sentences\":%" PRIu64 ",\"messages\":%" PRIu64 ",\"reconnects\":%" PRIu64 "}\n",
                  sim.n_sentences, sim.n_messages, sim.output.reconnects);
    return hr_is_ok(status) || hr_is(status, HR_CLOSED) ? CLI_OK : CLI_FAILED;
}
