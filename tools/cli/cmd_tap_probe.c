/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace tap probe`: what a field engineer is looking at, as a table: units, models, points, values. It
 * only reads. */
#include "firmware/taps/sunspec/tap_sunspec.h"
#include "tools/cli/cli.h"
#include "tools/cli/modbus_call.h"
#include "tools/cli/options.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    UNIT_MAX = 255,
    TIMEOUT_MAX_MS = 60000,
    MODEL_MAX_REGISTERS = 65536,
    DIGITS_CHARS = 24,
    VALUE_CHARS = 512,
    REFUSAL_MOST = 3, /* exceptions 1 to 3 are about the question */
};

enum option { UNITS, TIMEOUT, ALL };

static const struct cli_option options[] = {
    [UNITS] = {"--unit", "N", false, CLI_REPEAT_MAX,
               "Unit to ask, or FIRST-LAST; default: 1. Many TCP devices answer for all."},
    [TIMEOUT] = {"--timeout", "MS", false, 0, "How long an answer may take; default: 1000."},
    [ALL] = {"--all", NULL, false, 0, "Points that the device does not implement, too."},
};

static const struct cli_usage usage = {
    .verb = "tap probe",
    .positional = "tcp://HOST[:PORT]|rtu:///dev/TTY[?baud=N&parity=even|odd&stop=2]",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .help = "Looks for SunSpec at a Modbus TCP device or gateway, or on a serial line, and prints its models "
            "and what their "
            "points say.\n"
            "Nothing is ever written to the device.",
};

static uint16_t registers[MODEL_MAX_REGISTERS];

/* "1" or "3-12". */
static bool read_units(const char *text, unsigned *first, unsigned *last)
{
    char begin[8] = "";
    const char *dash = strchr(text, '-');
    uint64_t number = 0;
    size_t len = dash == NULL ? strlen(text) : (size_t)(dash - text);
    if (len >= sizeof begin) {
        return false;
    }
    (void)snprintf(begin, sizeof begin, "%.*s", (int)len, text);
    if (!cli_number(begin, UNIT_MAX, &number)) {
        return false;
    }
    *first = (unsigned)number;
    if (dash != NULL && !cli_number(dash + 1, UNIT_MAX, &number)) {
        return false;
    }
    *last = (unsigned)number;
    return *first <= *last;
}

/* integer * 10^scale, every digit of it. */
static void print_decimal(const struct tap_sunspec_value *value, char out[VALUE_CHARS])
{
    char digits[DIGITS_CHARS];
    uint64_t size = value->integer < 0 ? 0 - (uint64_t)value->integer : (uint64_t)value->integer;
    const char *sign = value->integer < 0 ? "-" : "";
    int n_digits = snprintf(digits, sizeof digits, "%" PRIu64, size);
    if (value->scale >= 0) {
        (void)snprintf(out, VALUE_CHARS, "%s%s%.*s", sign, digits, size == 0 ? 0 : value->scale,
                       "0000000000");
        return;
    }
    int n_behind = -value->scale;
    if (n_digits <= n_behind) {
        (void)snprintf(out, VALUE_CHARS, "%s0.%.*s%s", sign, n_behind - n_digits, "0000000000", digits);
    } else {
        (void)snprintf(out, VALUE_CHARS, "%s%.*s.%s", sign, n_digits - n_behind, digits,
                       digits + n_digits - n_behind);
    }
}

static void add(char out[VALUE_CHARS], const char *text)
{
    size_t len = strlen(out);
    (void)snprintf(out + len, VALUE_CHARS - len, " %s", text);
}

/* The names of a bitfield's bits, or of an enumerated value. */
static void add_symbols(const struct tap_sunspec_value *value, char out[VALUE_CHARS])
{
    const char *name = NULL;
    switch (value->point->type) {
    case TAP_SUNSPEC_BITFIELD16:
    case TAP_SUNSPEC_BITFIELD32:
        for (uint32_t bit = 0; bit < 32; bit++) {
            name = (value->integer >> bit & 1) != 0 ? tap_sunspec_symbol(value->point, bit) : NULL;
            if (name != NULL) {
                add(out, name);
            }
        }
        break;
    case TAP_SUNSPEC_ENUM16:
    case TAP_SUNSPEC_ENUM32:
        name = tap_sunspec_symbol(value->point, (uint32_t)value->integer);
        if (name != NULL) {
            add(out, name);
        }
        break;
    default:
        break;
    }
}

/* Text of others, printable. */
static void print_text(const struct tap_sunspec_value *value, char out[VALUE_CHARS])
{
    char text[TAP_SUNSPEC_TEXT_MAX_BYTES];
    size_t len = tap_sunspec_text(value, text);
    for (size_t i = 0; i < len; i++) {
        out[i] = (char)(isprint((unsigned char)text[i]) ? text[i] : '?');
    }
    out[len] = '\0';
}

static void print_value(const struct tap_sunspec_value *value, char out[VALUE_CHARS])
{
    switch (value->form) {
    case TAP_SUNSPEC_NOT_IMPLEMENTED:
        (void)snprintf(out, VALUE_CHARS, "-");
        break;
    case TAP_SUNSPEC_INTEGER:
        print_decimal(value, out);
        add_symbols(value, out);
        break;
    case TAP_SUNSPEC_REAL:
        (void)snprintf(out, VALUE_CHARS, "%.9g", (double)value->real);
        break;
    case TAP_SUNSPEC_TEXT:
        print_text(value, out);
        break;
    case TAP_SUNSPEC_OUT_OF_RANGE:
        (void)snprintf(out, VALUE_CHARS, "out of range");
        break;
    }
}

static void print_points(const struct tap_sunspec_model *model, const struct tap_sunspec_found *found,
                         bool all)
{
    struct tap_sunspec_walk walk;
    struct tap_sunspec_value value;
    char name[TAP_SUNSPEC_NAME_MAX_BYTES];
    char text[VALUE_CHARS];
    tap_sunspec_walk(&walk, model, registers, found->n_registers);
    while (tap_sunspec_next(&walk, &value)) {
        bool is_head = value.at < TAP_SUNSPEC_HEAD_REGISTERS;
        if (is_head || value.point->type == TAP_SUNSPEC_SUNSSF ||
            (value.form == TAP_SUNSPEC_NOT_IMPLEMENTED && !all)) {
            continue;
        }
        tap_sunspec_name(&value, name);
        print_value(&value, text);
        (void)printf("    %5u  %-24s  %-10s  %s\n", (unsigned)found->address + value.at, name,
                     value.point->unit[0] == '\0' ? "-" : value.point->unit, text);
    }
}

static void print_model(struct cli_modbus *modbus, uint8_t unit, const struct tap_sunspec_found *found,
                        bool all)
{
    const struct tap_sunspec_model *model = tap_sunspec_model(found->id);
    (void)printf("  model %u  %s  %u registers at %u\n", found->id, model == NULL ? "unknown" : model->name,
                 found->n_registers, found->address);
    if (model == NULL) {
        return;
    }
    if (cli_modbus_read(modbus, unit, found->address, found->n_registers, registers)) {
        print_points(model, found, all);
    } else {
        (void)printf("    can't be read: %s\n", modbus->why);
    }
}

/* The unit is there and refuses. */
static bool is_of_unit(const struct tap_modbus *line)
{
    return line->state == TAP_MODBUS_EXCEPTION && line->exception <= REFUSAL_MOST;
}

/* True: it has SunSpec. */
static bool probe(struct cli_modbus *modbus, uint8_t unit, bool all)
{
    struct tap_sunspec_discovery discovery;
    bool is_heard = false;
    tap_sunspec_discover(&discovery, unit);
    while (discovery.state == TAP_SUNSPEC_SEARCHING) {
        struct tap_modbus_request question;
        tap_sunspec_question(&discovery, &question);
        bool is_read = cli_modbus_read(modbus, unit, question.address, question.n_registers, registers);
        is_heard = is_heard || is_read || is_of_unit(&modbus->line);
        if (!is_read && !is_heard) {
            break; /* it does not answer: the other bases would take their time-outs, too */
        }
        tap_sunspec_answer(&discovery, is_read ? registers : NULL);
    }
    if (!discovery.has_base) {
        (void)printf("unit %u  %s%s\n", unit,
                     is_heard ? "no SunSpec" : "no answer: ", is_heard ? "" : modbus->why);
        return false;
    }
    (void)printf("unit %u  %u models%s%s\n", unit, discovery.n_models,
                 discovery.state == TAP_SUNSPEC_CUT ? ", and the list breaks off: " : "",
                 discovery.state == TAP_SUNSPEC_CUT ? modbus->why : "");
    for (size_t i = 0; i < discovery.n_models; i++) {
        print_model(modbus, unit, &discovery.models[i], all);
    }
    return true;
}

/* True when each --unit can be; what can't was told. */
static bool check_units(const struct cli_arguments *arguments)
{
    for (size_t i = 0; i < arguments->n_values[UNITS]; i++) {
        unsigned first = 0;
        unsigned last = 0;
        if (!read_units(arguments->values[UNITS][i], &first, &last)) {
            (void)fprintf(stderr, "headrace tap probe: --unit %s: units are 0 to 255, or FIRST-LAST\n",
                          arguments->values[UNITS][i]);
            return false;
        }
    }
    return true;
}

/* Returns how many units have SunSpec. */
static unsigned probe_all(struct cli_modbus *modbus, const struct cli_arguments *arguments)
{
    unsigned n_found = 0;
    bool all = cli_option_or(arguments, ALL, NULL) != NULL;
    size_t n_ranges = arguments->n_values[UNITS];
    for (size_t i = 0; i < (n_ranges == 0 ? 1 : n_ranges); i++) {
        unsigned first = 1;
        unsigned last = 1;
        if (n_ranges != 0 && !read_units(arguments->values[UNITS][i], &first, &last)) {
            continue; /* check_units has told */
        }
        for (unsigned unit = first; unit <= last; unit++) {
            n_found += probe(modbus, (uint8_t)unit, all) ? 1 : 0;
        }
    }
    return n_found;
}

int cli_tap_probe(int argc, char **argv)
{
    struct cli_arguments arguments;
    struct cli_modbus modbus = {.fd = -1};
    uint64_t timeout_ms = 0;
    int parsed = cli_options_parse(&usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    if (!cli_modbus_address(&modbus, arguments.positional)) {
        (void)fprintf(stderr,
                      "headrace tap probe: %s is neither tcp://HOST[:PORT] nor rtu:///dev/TTY[?baud=N]\n",
                      arguments.positional);
        return CLI_USAGE;
    }
    if (!cli_number(cli_option_or(&arguments, TIMEOUT, "1000"), TIMEOUT_MAX_MS, &timeout_ms) ||
        timeout_ms == 0) {
        (void)fprintf(stderr, "headrace tap probe: --timeout is 1 to %d milliseconds\n", TIMEOUT_MAX_MS);
        return CLI_USAGE;
    }
    if (!check_units(&arguments)) {
        return CLI_USAGE;
    }
    modbus.timeout_ms = (uint32_t)timeout_ms;
    if (!cli_modbus_connect(&modbus)) {
        (void)fprintf(stderr, "headrace tap probe: %s: %s\n", arguments.positional, modbus.why);
        return CLI_FAILED;
    }
    unsigned n_found = probe_all(&modbus, &arguments);
    cli_modbus_close(&modbus);
    return n_found > 0 ? CLI_OK : CLI_FAILED;
}
