/* SPDX-License-Identifier: Apache-2.0
 *
 * The arguments of a verb, by a table. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A device id fits a YAML integer and a person's patience. */
#define CLI_DEVICE_ID_MAX ((uint64_t)INT64_MAX)

enum { CLI_OPTIONS_MAX = 24, CLI_REPEAT_MAX = 8 };

struct cli_option {
    const char *name;  /* with its dashes: "--dir" */
    const char *value; /* what the value is called in help; NULL: a flag without one */
    bool required;
    uint8_t most; /* times it may be given; 0 means once */
    const char *help;
};

struct cli_usage {
    const char *verb;       /* "ca init" */
    const char *positional; /* what the one word without dashes is called, or NULL for none; required, unless
                               it is written in brackets: "[FILE]" */
    const struct cli_option *options; /* at most CLI_OPTIONS_MAX */
    size_t n_options;
    const char *help;
};

/* What was given; borrows from argv. */
struct cli_arguments {
    const char *positional;
    const char
        *values[CLI_OPTIONS_MAX][CLI_REPEAT_MAX]; /* by the index of the option; a flag's is its name */
    size_t n_values[CLI_OPTIONS_MAX];
};

enum { CLI_PARSED = -1 };

/* Reads argv[1] on. CLI_PARSED: go on. Else the verb ends with this exit code: CLI_OK, --help was asked for
 * and printed; CLI_USAGE, every mistake was told on stderr. */
HR_MUST_USE int cli_options_parse(const struct cli_usage *usage, int argc, char **argv,
                                  struct cli_arguments *out);

/* From here on each verb has --dry-run and --json besides its own options: they say how the files that it
 * writes are told (cli_files_mode). */
void cli_options_of_files(void);

/* The first value of an option, or `fallback`. */
const char *cli_option_or(const struct cli_arguments *arguments, size_t option, const char *fallback);

/* A number in decimal, or hexadecimal after 0x; false when it is anything else or above max. */
bool cli_number(const char *text, uint64_t max, uint64_t *out);

/* A device id, 1 to CLI_DEVICE_ID_MAX; false after telling that `text` is none. */
bool cli_device_id(const char *verb, const char *text, uint64_t *out);

/* Letters, digits, '.', '-', '_', at least one and at most 63, not beginning with '.' or '-': fit for a file
 * name, a common name and a YAML value alike. */
bool cli_is_name(const char *text);

#endif
