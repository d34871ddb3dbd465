/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/net/client.h"
#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/enrol.h"
#include "tools/cli/options.h"
#include "tools/cli/token_keys.h"
#include "tools/cli/verbs.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAC_DEVICE_BYTES = 5, LOCAL_UNICAST = 0x02 };

enum option {
    CA,
    REGISTRY,
    OUT,
    NAME,
    TENANT,
    ID,
    AGGREGATOR,
    SERVER_NAME,
    FORCE,
    PKCS11,
    TOKEN,
    BOARD,
    SITE,
    IPV4,
    GATEWAY,
    DNS,
    IPV6,
    MAC,
    BAUD,
    SEAL_MAX_AGE,
    SPOOL_SECTORS,
    UNLOCKED,
    PLAN,
    N_OPTIONS
};

static const struct cli_option options[] = {
    [CA] = {"--ca", "DIR", true, 1, "The authority's directory, from `headrace ca init`."},
    [REGISTRY] = {"--registry", "DIR", true, 1, "The aggregator's registry directory."},
    [OUT] = {"--out", "DIR", true, 1, "Where the device's files go."},
    [NAME] = {"--name", "NAME", true, 1, "What people call the device."},
    [TENANT] = {"--tenant", "NAME", false, 1, "Whose data it is; default default."},
    [ID] = {"--device-id", "N|auto", false, 1,
            "Its number; default auto, one above the registry's greatest."},
    [AGGREGATOR] = {"--aggregator", "URI", false, IMAGE_MAX_AGGREGATORS,
                    "Where it sends to, up to four; default coaps://SERVER_NAME:5684."},
    [SERVER_NAME] = {"--server-name", "NAME", false, 1,
                     "What the aggregator's certificate says; default aggregator."},
    [FORCE] = {"--force", NULL, false, 1,
               "Replace files; a device in the registry gets a further key epoch."},
    [PKCS11] = CLI_TOKEN_OPTIONS,
    [BOARD] = {"--board", "BOARD", false, 1, "A microcontroller: writes an image of its memory."},
    [SITE] = {"--site", "TEXT", false, 1, "Board: where it stands."},
    [IPV4] = {"--ipv4", "dhcp|A.B.C.D/N", false, 1, "Board: its address; default dhcp."},
    [GATEWAY] = {"--gateway", "A.B.C.D", false, 1, "Board: the way out of a static network."},
    [DNS] = {"--dns", "A.B.C.D", false, 1, "Board: who knows names in a static network."},
    [IPV6] = {"--ipv6", "auto|ADDRESS/N", false, 1, "Board: default auto, by router advertisement."},
    [MAC] = {"--mac", "XX:XX:XX:XX:XX:XX", false, 1, "Board: default 02 and the end of the device id."},
    [BAUD] = {"--baud", "N", false, 1, "Board: of the AIS line; default the board's."},
    [SEAL_MAX_AGE] = {"--seal-max-age", "DURATION", false, 1,
                      "Board: 100ms to 60m after which a batch is sealed."},
    [SPOOL_SECTORS] = {"--spool-sectors", "N", false, 1, "Board: from 4 on; default all that it has."},
    [UNLOCKED] = {"--unlocked", NULL, false, 1, "Board: the console may change things. Not for the field."},
    [PLAN] = {"--plan", "FILE", false, 1, "Board: YAML, what it polls over its Modbus line."},
};

static const struct cli_usage usage = {
    "device enrol", NULL, options, N_OPTIONS,
    "Makes a device's transport key and certificate, its record key, and its registry entry. A gateway gets\n"
    "them as files, with the identity part of its configuration; a microcontroller (--board) as memory.img, "
    "an\n"
    "image of its non-volatile memory with an empty spool. Works offline. What holds private keys has mode\n"
    "0600."};

static bool complain(const char *option, const char *value, const char *what)
{
    (void)fprintf(stderr, "headrace device enrol: %s '%s' %s\n", option, value, what);
    return false;
}

/* ---- who it is ---- */

/* Ids count up from the greatest that the registry has, so that none is given twice while entries are kept.
 */
static struct hr_status next_device_id(const char *registry, uint64_t *out)
{
    DIR *directory = opendir(registry);
    if (directory == NULL) {
        perror(registry);
        return hr_status_of(HR_IO);
    }
    uint64_t greatest = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char *end = NULL;
        unsigned long long id = strtoull(entry->d_name, &end, 10);
        if (end != entry->d_name && strcmp(end, ".yaml") == 0 && id > greatest && id < CLI_DEVICE_ID_MAX) {
            greatest = id;
        }
    }
    (void)closedir(directory);
    *out = greatest + 1;
    return hr_ok();
}

static bool names_are_good(const struct cli_enrolment *enrolment)
{
    const char *const names[] = {enrolment->name, enrolment->tenant, enrolment->server_name};
    bool good = true;
    for (size_t i = 0; i < HR_ARRAY_LEN(names); i++) {
        if (!cli_is_name(names[i])) {
            (void)fprintf(stderr,
                          "headrace device enrol: '%s': letters, digits, '.', '-' and '_', at most 63\n",
                          names[i]);
            good = false;
        }
    }
    return good;
}

/* CLI_OK, or what to end with. */
static enum cli_exit take_device_id(const struct cli_arguments *given, struct cli_enrolment *out)
{
    const char *id = cli_option_or(given, ID, "auto");
    if (strcmp(id, "auto") == 0) {
        bool found = hr_is_ok(cli_directory_make(out->registry)) &&
                     hr_is_ok(next_device_id(out->registry, &out->device_id));
        return found ? CLI_OK : CLI_FAILED;
    }
    if (!cli_number(id, CLI_DEVICE_ID_MAX, &out->device_id) || out->device_id == 0) {
        (void)complain("--device-id", id, "is no number from 1 on");
        return CLI_USAGE;
    }
    return CLI_OK;
}

static bool take_aggregators(const struct cli_arguments *given, struct cli_enrolment *out)
{
    bool good = true;
    for (size_t i = 0; i < given->n_values[AGGREGATOR]; i++) {
        const char *uri = given->values[AGGREGATOR][i];
        struct net_address address;
        if (!hr_is_ok(net_address_parse(uri, &address))) {
            good = complain("--aggregator", uri, "is not coaps://HOST[:PORT] or coaps+tcp://HOST[:PORT]");
        } else if (out->board != NULL && address.scheme != NET_COAPS) {
            good = complain("--aggregator", uri, "goes over TCP, which boards have not: coaps://");
        } else if (out->board != NULL && strlen(uri) > IMAGE_URI_MAX_CHARS) {
            good = complain("--aggregator", uri, "is longer than the 95 characters that an image takes");
        }
        out->aggregators[out->n_aggregators++] = uri;
    }
    return good;
}

/* ---- a board's network ---- */

/* "ADDRESS/BITS" of the family into its address_bytes and the bits. */
static bool parse_prefix(const char *text, int family, size_t address_bytes, void *address, uint8_t *bits)
{
    char host[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    uint64_t number = 0;
    if (slash == NULL || (size_t)(slash - text) >= sizeof(host) ||
        !cli_number(slash + 1, address_bytes * 8, &number) || number == 0) {
        return false;
    }
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    *bits = (uint8_t)number;
    return inet_pton(family, host, address) == 1;
}

static bool is_reachable(const struct image_ipv4 *ipv4, const uint8_t gateway[IMAGE_IPV4_BYTES])
{
    bool same = true;
    for (size_t i = 0; i < IMAGE_IPV4_BYTES; i++) {
        same = same && ((gateway[i] ^ ipv4->address[i]) & ipv4->mask[i]) == 0;
    }
    return same;
}

static bool take_ipv4(const struct cli_arguments *given, struct image_identity *out)
{
    const char *text = cli_option_or(given, IPV4, "dhcp");
    const char *gateway = cli_option_or(given, GATEWAY, NULL);
    const char *dns = cli_option_or(given, DNS, NULL);
    if (strcmp(text, "dhcp") == 0) {
        bool alone = gateway == NULL && dns == NULL;
        return alone || complain("--ipv4", "dhcp", "gives --gateway and --dns itself");
    }
    uint8_t bits = 0;
    struct image_ipv4 *ipv4 = &out->ipv4;
    if (!parse_prefix(text, AF_INET, sizeof(ipv4->address), ipv4->address, &bits) || bits > 30 ||
        ipv4->address[0] == 0 || ipv4->address[0] >= 224) {
        return complain("--ipv4", text, "is neither dhcp nor an address with 1 to 30 bits, as 192.0.2.7/24");
    }
    for (size_t i = 0; i < sizeof(ipv4->mask); i++) {
        size_t ones = bits > 8 * i ? bits - 8 * i : 0;
        ipv4->mask[i] = (uint8_t)(ones >= 8 ? 0xFF : 0xFF00u >> ones);
    }
    if (gateway != NULL && inet_pton(AF_INET, gateway, ipv4->gateway) != 1) {
        return complain("--gateway", gateway, "is no IPv4 address");
    }
    if (gateway != NULL && !is_reachable(ipv4, ipv4->gateway)) {
        return complain("--gateway", gateway, "is not in the network of --ipv4");
    }
    if (dns != NULL && inet_pton(AF_INET, dns, ipv4->dns) != 1) {
        return complain("--dns", dns, "is no IPv4 address");
    }
    out->has_ipv4 = true;
    return true;
}

static bool take_ipv6(const struct cli_arguments *given, struct image_identity *out)
{
    static const uint8_t none[IMAGE_IPV6_BYTES];
    const char *text = cli_option_or(given, IPV6, "auto");
    if (strcmp(text, "auto") == 0) {
        return true;
    }
    struct image_ipv6 *ipv6 = &out->ipv6;
    if (!parse_prefix(text, AF_INET6, sizeof(ipv6->address), ipv6->address, &ipv6->prefix_bits) ||
        ipv6->address[0] == 0xFF || memcmp(ipv6->address, none, sizeof(none)) == 0) {
        return complain("--ipv6", text, "is neither auto nor an address with its bits, as 2001:db8::7/64");
    }
    if (ipv6->prefix_bits != IMAGE_IPV6_PREFIX_BITS) {
        return complain("--ipv6", text, "has not 64 bits of network, and the firmware knows no other");
    }
    out->has_ipv6 = true;
    return true;
}

/* An address of the locally administered kind, which no maker gives. */
static bool take_mac(const struct cli_arguments *given, uint64_t device_id, struct image_identity *out)
{
    const char *text = cli_option_or(given, MAC, NULL);
    out->mac[0] = LOCAL_UNICAST;
    for (size_t i = 0; i < MAC_DEVICE_BYTES; i++) {
        out->mac[IMAGE_MAC_BYTES - 1 - i] = (uint8_t)(device_id >> (8 * i));
    }
    if (text == NULL) {
        return true;
    }
    /* Twelve digits with a colon behind every second but the last. */
    bool good = strlen(text) == 3 * IMAGE_MAC_BYTES - 1;
    bool zero = true;
    for (size_t i = 0; good && i < IMAGE_MAC_BYTES; i++) {
        const char *digits = text + 3 * i;
        good = isxdigit((unsigned char)digits[0]) && isxdigit((unsigned char)digits[1]) &&
               digits[2] == (i + 1 < IMAGE_MAC_BYTES ? ':' : '\0');
        out->mac[i] = good ? (uint8_t)strtoul(digits, NULL, 16) : 0;
        zero = zero && out->mac[i] == 0;
    }
    good = good && (out->mac[0] & 1u) == 0;
    return (good && !zero) ||
           complain("--mac", text, "is no MAC address of one machine, as 02:00:00:00:00:07");
}

/* ---- what else a board is told ---- */

static bool take_number(const struct cli_arguments *given, enum option option, uint64_t least, uint64_t most,
                        uint32_t *out)
{
    const char *text = cli_option_or(given, option, NULL);
    uint64_t number = 0;
    if (text == NULL) {
        return true;
    }
    if (!cli_number(text, most, &number) || number < least) {
        char what[80];
        (void)snprintf(what, sizeof(what), "is no number from %llu to %llu", (unsigned long long)least,
                       (unsigned long long)most);
        return complain(options[option].name, text, what);
    }
    *out = (uint32_t)number;
    return true;
}

static bool take_seal_max_age(const struct cli_arguments *given, struct image_identity *out)
{
    enum { LEAST_MS = 100, MOST_MS = 60 * 60 * 1000 };
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}};
    const char *text = cli_option_or(given, SEAL_MAX_AGE, NULL);
    if (text == NULL) {
        return true;
    }
    char *end = NULL;
    unsigned long number = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    for (size_t i = 0; end != NULL && number <= MOST_MS && i < HR_ARRAY_LEN(units); i++) {
        uint64_t ms = (uint64_t)number * units[i].ms;
        if (strcmp(end, units[i].name) == 0 && ms >= LEAST_MS && ms <= MOST_MS) {
            out->seal_max_age_ms = (uint32_t)ms;
            return true;
        }
    }
    return complain("--seal-max-age", text, "is no duration from 100ms to 60m, such as 500ms, 5s or 1m");
}

static bool site_is_good(const char *site)
{
    for (size_t i = 0; site != NULL && (site[0] == '\0' || site[i] != '\0'); i++) {
        if (site[i] < ' ' || site[i] > '~' || i == IMAGE_NAME_MAX_CHARS) {
            return complain("--site", site, "is not 1 to 63 characters of ASCII");
        }
    }
    return true;
}

static bool take_board(const struct cli_arguments *given, struct cli_enrolment *out)
{
    const struct image_board *board = out->board;
    struct image_identity *wanted = &out->wanted;
    wanted->regions =
        (struct image_regions){board->sector_bytes, board->program_unit_bytes,
                               image_spool_first_sector(board->sector_bytes), board->spool_n_sectors};
    wanted->site = cli_option_or(given, SITE, NULL);
    out->plan = cli_option_or(given, PLAN, NULL);
    wanted->console_locked = given->n_values[UNLOCKED] == 0;
    bool good = site_is_good(wanted->site);
    good = take_ipv4(given, wanted) && good;
    good = take_ipv6(given, wanted) && good;
    good = take_mac(given, out->device_id, wanted) && good;
    good = take_number(given, BAUD, 1200, 1000000, &wanted->serial_baud) && good;
    good = take_seal_max_age(given, wanted) && good;
    return take_number(given, SPOOL_SECTORS, 4, board->spool_n_sectors, &wanted->regions.spool_n_sectors) &&
           good;
}

static bool find_board(const struct cli_arguments *given, struct cli_enrolment *out)
{
    const char *name = cli_option_or(given, BOARD, NULL);
    if (name == NULL) {
        bool good = true;
        for (size_t i = SITE; i < N_OPTIONS; i++) {
            good = given->n_values[i] == 0 ? good
                                           : complain(options[i].name, given->values[i][0], "needs --board");
        }
        return good;
    }
    out->board = image_board_find(name);
    if (out->board == NULL) {
        (void)fprintf(stderr, "headrace device enrol: no board '%s'; there are:", name);
        for (size_t i = 0; image_board_at(i) != NULL; i++) {
            (void)fprintf(stderr, " %s", image_board_at(i)->name);
        }
        (void)fputs("\n", stderr);
    }
    return out->board != NULL;
}

int cli_device_enrol(int argc, char **argv)
{
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    struct cli_enrolment enrolment = {.authority = given.values[CA][0],
                                      .registry = given.values[REGISTRY][0],
                                      .out = given.values[OUT][0],
                                      .name = given.values[NAME][0],
                                      .tenant = cli_option_or(&given, TENANT, "default"),
                                      .server_name = cli_option_or(&given, SERVER_NAME, "aggregator"),
                                      .force = given.n_values[FORCE] > 0};
    cli_token_override(&given, PKCS11);
    char aggregator[128];
    (void)snprintf(aggregator, sizeof(aggregator), "coaps://%.63s:5684", enrolment.server_name);
    bool good = names_are_good(&enrolment);
    good = find_board(&given, &enrolment) && good;
    good = take_aggregators(&given, &enrolment) && good;
    if (enrolment.n_aggregators == 0) {
        enrolment.aggregators[enrolment.n_aggregators++] = aggregator;
    }
    enum cli_exit identified = good ? take_device_id(&given, &enrolment) : CLI_USAGE;
    if (identified != CLI_OK) {
        return (int)identified;
    }
    if (enrolment.board != NULL && !take_board(&given, &enrolment)) {
        return CLI_USAGE;
    }
    struct hr_status status =
        enrolment.board != NULL ? cli_enrol_board(&enrolment) : cli_enrol_gateway(&enrolment);
    return hr_is_ok(status) ? CLI_OK : CLI_FAILED;
}
