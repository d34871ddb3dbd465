/* SPDX-License-Identifier: Apache-2.0
 *
 * headrace sim iso */
#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/sim_iso_serve.h"
#include "tools/cli/sim_stop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NODES_MAX = 50000, DAY_S = 86400 };

static const double SPEED_MAX = 1e6;

enum {
    OPTION_LISTEN,
    OPTION_SEED,
    OPTION_NODES,
    OPTION_START,
    OPTION_SPEED,
    OPTION_PAYLOADS,
    OPTION_FEEDS,
    OPTION_EXPECT,
    OPTION_LIMIT,
    OPTION_FAULT
};

static const struct cli_option OPTIONS[] = {
    [OPTION_LISTEN] = {"--listen", "ADDRESS:PORT", false, CLI_REPEAT_MAX,
                       "where; port 0 is a free one, which is told (127.0.0.1:0)"},
    [OPTION_SEED] = {"--seed", "N", false, 0, "the same seed gives the same prices (1)"},
    [OPTION_NODES] = {"--nodes", "N", false, 0, "locations of each operator (100)"},
    [OPTION_START] = {"--start", "DAY", false, 0, "begin at that market day, YYYY-MM-DD (now)"},
    [OPTION_SPEED] = {"--speed", "X", false, 0,
                      "simulated seconds a second (1); 0: every window is there, and each document of the "
                      "newest interval is of the next one"},
    [OPTION_PAYLOADS] =
        {"--payloads", "DIR", false, 0,
         "answer with the files FEED.* in it, in the order of their names; the last one stays"},
    [OPTION_FEEDS] = {"--feeds", "DIR", false, 0, "by whose URLs payloads are found (schemas/feeds)"},
    [OPTION_EXPECT] = {"--expect", "FILE", false, 0,
                       "write every observation that was served, as JSON lines"},
    [OPTION_LIMIT] = {"--limit", "HOST=N/S", false, CLI_REPEAT_MAX,
                      "at most N requests to the host in S seconds; 0/1: no limit"},
    [OPTION_FAULT] = {"--fault", "KIND@N", false, CLI_REPEAT_MAX,
                      "request N meets 429, 503, 401, hang, half, type or empty"},
};

static const struct cli_usage USAGE = {
    .verb = "sim iso",
    .options = OPTIONS,
    .n_options = HR_ARRAY_LEN(OPTIONS),
    .help =
        "Answers over HTTP/1.1 as CAISO OASIS, MISO, SPP, PJM, ERCOT, ISO-NE and NYISO do: real-time and "
        "day-ahead\n"
        "prices of a made-up market, in the operators' own formats, at their own paths; or recorded "
        "documents of any\n"
        "feed. Limits of hosts are kept (CAISO 1 in 5 s, ERCOT 30 and PJM 6 in a minute): what is more gets "
        "429 with\n"
        "Retry-After, and is counted. GET /_counts tells all counts; POST "
        "/_fault?kind=KIND&feed=FEED&count=N makes\n"
        "the next requests fail. On stderr a JSON line says where it listens. Ends when interrupted.",
};

static bool misused(const char *option, const char *value, const char *why)
{
    (void)fprintf(stderr, "headrace sim iso: %s %s: %s\n", option, value, why);
    return false;
}

/* "oasis.caiso.com=1/5" */
static bool take_limit(struct cli_iso_sim *sim, const char *text)
{
    char word[FEEDS_TEXT_MAX_CHARS + 1];
    uint64_t n_most = 0;
    uint64_t period_s = 0;
    const char *equals = strchr(text, '=');
    const char *slash = equals != NULL ? strchr(equals, '/') : NULL;
    if (slash == NULL || (size_t)(slash - text) >= sizeof word) {
        return false;
    }
    memcpy(word, text, (size_t)(slash - text));
    word[slash - text] = '\0';
    word[equals - text] = '\0';
    if (!cli_number(word + (equals - text) + 1, CLI_ISO_LIMIT_MAX, &n_most) ||
        !cli_number(slash + 1, DAY_S, &period_s) || period_s == 0) {
        return false;
    }
    struct cli_iso_host *host = cli_iso_host_of(sim, word);
    if (host == NULL) {
        return false;
    }
    host->n_most = (uint32_t)n_most;
    host->period_ms = (uint32_t)period_s * 1000;
    return true;
}

static bool take_repeated(const struct cli_arguments *arguments, struct cli_iso_sim *sim)
{
    bool is_good = true;
    for (size_t i = 0; i < arguments->n_values[OPTION_LIMIT]; i++) {
        const char *text = arguments->values[OPTION_LIMIT][i];
        is_good =
            (take_limit(sim, text) || misused("--limit", text, "not HOST=N/SECONDS, N up to 120")) && is_good;
    }
    for (size_t i = 0; i < arguments->n_values[OPTION_FAULT]; i++) {
        const char *text = arguments->values[OPTION_FAULT][i];
        is_good = (cli_iso_fault_parse(sim, text) || misused("--fault", text, "not KIND@N")) && is_good;
    }
    return is_good;
}

/* Each operator's own midnight of the day, or now. Without a clock, now is today's midnight. */
static bool take_start(const struct cli_arguments *arguments, struct cli_iso_sim *sim)
{
    const char *text = cli_option_or(arguments, OPTION_START, NULL);
    int64_t now_s = (int64_t)time(NULL);
    int64_t day_s = 0;
    if (text != NULL) {
        const char *rest = cli_sim_stamp_read(text, "%Y-%m-%d", &day_s);
        if (rest == NULL || *rest != '\0') {
            return misused("--start", text, "not a day, YYYY-MM-DD");
        }
    }
    for (size_t i = 0; i < CLI_MARKET_ISOS; i++) {
        const struct feeds_zone *zone = &sim->market.zones[i];
        if (text != NULL) { /* noon in UTC is the same day in all of America */
            sim->start_s[i] = feeds_zone_day_start_ms(zone, (day_s + DAY_S / 2) * 1000) / 1000;
        } else {
            sim->start_s[i] = sim->speed > 0 ? now_s : feeds_zone_day_start_ms(zone, now_s * 1000) / 1000;
        }
    }
    return true;
}

static bool take_options(const struct cli_arguments *arguments, struct cli_iso_sim *sim)
{
    uint64_t seed = 0;
    uint64_t n_nodes = 0;
    char *end = NULL;
    const char *speed = cli_option_or(arguments, OPTION_SPEED, "1");
    const char *nodes = cli_option_or(arguments, OPTION_NODES, "100");
    if (!cli_number(cli_option_or(arguments, OPTION_SEED, "1"), UINT64_MAX, &seed)) {
        return misused("--seed", cli_option_or(arguments, OPTION_SEED, ""), "not a number");
    }
    if (!cli_number(nodes, NODES_MAX, &n_nodes) || n_nodes == 0) {
        return misused("--nodes", nodes, "not a number from 1 to 50000");
    }
    sim->speed = strtod(speed, &end);
    if (end == speed || *end != '\0' || !(sim->speed >= 0 && sim->speed <= SPEED_MAX)) {
        return misused("--speed", speed, "not a number from 0 to 1000000");
    }
    cli_market_init(&sim->market, seed, (uint32_t)n_nodes);
    return take_repeated(arguments, sim) && take_start(arguments, sim);
}

static int serve(const struct cli_arguments *arguments, struct cli_iso_sim *sim)
{
    const volatile sig_atomic_t *stop = cli_sim_stop_on_signals();
    static const char *const ANYWHERE[] = {"127.0.0.1:0"};
    struct cli_sim_server *server = NULL;
    size_t n_addresses = arguments->n_values[OPTION_LISTEN];
    const char *const *addresses = n_addresses > 0 ? arguments->values[OPTION_LISTEN] : ANYWHERE;
    n_addresses = n_addresses > 0 ? n_addresses : 1;
    if (!hr_is_ok(cli_sim_server_open(addresses, n_addresses, &server))) {
        return CLI_FAILED;
    }
    for (size_t i = 0; i < n_addresses; i++) {
        char address[32];
        cli_sim_server_address(server, i, address, sizeof address);
        (void)fprintf(stderr, "{\"event\":\"listening\",\"address\":\"%s\"}\n", address);
    }
    const struct cli_sim_http http = {.handle = cli_iso_handle, .sent = cli_iso_sent, .ctx = sim};
    struct hr_status status = cli_sim_server_run(server, &http, stop);
    cli_sim_server_close(server);
    return hr_is_ok(status) ? CLI_OK : CLI_FAILED;
}

int cli_sim_iso(int argc, char **argv)
{
    static struct cli_iso_sim sim;
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&USAGE, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    cli_iso_sim_init(&sim);
    if (!take_options(&arguments, &sim)) {
        return CLI_USAGE;
    }
    const char *payloads = cli_option_or(&arguments, OPTION_PAYLOADS, NULL);
    const char *expect = cli_option_or(&arguments, OPTION_EXPECT, NULL);
    int code = CLI_FAILED;
    if (expect != NULL) {
        sim.expect = fopen(expect, "we");
    }
    if (expect != NULL && sim.expect == NULL) {
        (void)fprintf(stderr, "headrace sim iso: %s: %s\n", expect, strerror(errno));
    } else if (payloads == NULL ||
               cli_iso_payloads_find(&sim, payloads,
                                     cli_option_or(&arguments, OPTION_FEEDS, "schemas/feeds"))) {
        code = serve(&arguments, &sim);
    }
    cli_iso_payloads_free(&sim);
    if (sim.expect != NULL && fclose(sim.expect) != 0) {
        code = CLI_FAILED;
    }
    return code;
}
