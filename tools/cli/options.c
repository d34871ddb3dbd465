/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/options.h"

#include "proto/base/assert.h"
#include "tools/cli/cli.h"
#include "tools/cli/files.h"
#include "tools/cli/nearest.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t find_option(const struct cli_usage *usage, const char *name)
{
    for (size_t i = 0; i < usage->n_options; i++) {
        if (strcmp(usage->options[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Of verbs that write files, whether or not their tables have them (cli_options_of_files). */
static bool has_file_options;

static const struct cli_option file_options[] = {
    {"--dry-run", NULL, false, 1, "Tell what would be written, and change nothing."},
    {"--json", NULL, false, 1, "A line of JSON for each file."},
};

void cli_options_of_files(void)
{
    has_file_options = true;
}

static void print_file_options(const struct cli_usage *usage, FILE *out)
{
    for (size_t i = 0; i < HR_ARRAY_LEN(file_options) && has_file_options; i++) {
        if (find_option(usage, file_options[i].name) == SIZE_MAX) {
            (void)fprintf(out, "  %-26s %s\n", file_options[i].name, file_options[i].help);
        }
    }
}

/* False: it is none of them. */
static bool take_file_option(const char *name)
{
    const bool is_dry_run = strcmp(name, file_options[0].name) == 0;
    const bool is_json = strcmp(name, file_options[1].name) == 0;
    if (!has_file_options || (!is_dry_run && !is_json)) {
        return false;
    }
    cli_files_mode(is_dry_run, is_json);
    return true;
}

static void complain(const struct cli_usage *usage, const char *name)
{
    const char *names[CLI_OPTIONS_MAX];
    for (size_t i = 0; i < usage->n_options; i++) {
        names[i] = usage->options[i].name;
    }
    const char *nearest = cli_nearest(name, names, usage->n_options);
    (void)fprintf(stderr, "headrace %s: no option %s%s%s%s\n", usage->verb, name,
                  nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                  nearest != NULL ? "?" : "");
}

static void print_usage(const struct cli_usage *usage, FILE *out)
{
    (void)fprintf(out, "usage: headrace %s", usage->verb);
    if (usage->positional != NULL) {
        (void)fprintf(out, " %s", usage->positional);
    }
    for (size_t i = 0; i < usage->n_options; i++) {
        const struct cli_option *option = &usage->options[i];
        (void)fprintf(out, option->required ? " %s%s%s" : " [%s%s%s]", option->name,
                      option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
    }
    (void)fprintf(out, "\n\n%s\n", usage->help);
    for (size_t i = 0; i < usage->n_options; i++) {
        const struct cli_option *option = &usage->options[i];
        char left[48];
        (void)snprintf(left, sizeof(left), "%s %s", option->name, option->value != NULL ? option->value : "");
        (void)fprintf(out, "  %-26s %s\n", left, option->help);
    }
    print_file_options(usage, out);
    if (strstr(usage->help, "Exit codes") == NULL) {
        (void)fputs(
            "\nExit codes: 0 good, 1 refused or could not be done, 2 can't be judged yet, 3 wrong usage.\n",
            out);
    }
}

/* Takes the option at argv[*at] and its value; false after a complaint. */
static bool take_option(const struct cli_usage *usage, int *at, char **argv, struct cli_arguments *out)
{
    const char *name = argv[*at];
    size_t index = find_option(usage, name);
    if (index == SIZE_MAX) {
        const bool is_taken = take_file_option(name);
        if (!is_taken) {
            complain(usage, name);
        }
        return is_taken;
    }
    const struct cli_option *option = &usage->options[index];
    const char *value = name;
    if (option->value != NULL) {
        value = argv[*at + 1];
        if (value == NULL) {
            (void)fprintf(stderr, "headrace %s: %s needs %s\n", usage->verb, name, option->value);
            return false;
        }
        *at += 1;
    }
    size_t most = option->most == 0 ? 1 : option->most;
    if (out->n_values[index] == most) {
        (void)fprintf(stderr, "headrace %s: %s is given more than %zu times\n", usage->verb, name, most);
        return false;
    }
    out->values[index][out->n_values[index]++] = value;
    return true;
}

static bool check_required(const struct cli_usage *usage, const struct cli_arguments *out)
{
    bool good = true;
    for (size_t i = 0; i < usage->n_options; i++) {
        if (usage->options[i].required && out->n_values[i] == 0) {
            (void)fprintf(stderr, "headrace %s: %s %s is missing\n", usage->verb, usage->options[i].name,
                          usage->options[i].value);
            good = false;
        }
    }
    if (usage->positional != NULL && usage->positional[0] != '[' && out->positional == NULL) {
        (void)fprintf(stderr, "headrace %s: %s is missing\n", usage->verb, usage->positional);
        good = false;
    }
    return good;
}

int cli_options_parse(const struct cli_usage *usage, int argc, char **argv, struct cli_arguments *out)
{
    HR_ASSERT(usage->n_options <= CLI_OPTIONS_MAX);
    *out = (struct cli_arguments){0};
    bool good = true;
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--help") == 0) {
            print_usage(usage, stdout);
            return CLI_OK;
        }
        if (strncmp(argv[at], "--", 2) == 0) {
            good = take_option(usage, &at, argv, out) && good;
        } else if (usage->positional != NULL && out->positional == NULL) {
            out->positional = argv[at];
        } else {
            (void)fprintf(stderr, "headrace %s: '%s' is one word too many\n", usage->verb, argv[at]);
            good = false;
        }
    }
    good = check_required(usage, out) && good;
    if (!good) {
        (void)fprintf(stderr, "`headrace %s --help` says how.\n", usage->verb);
    }
    return good ? CLI_PARSED : CLI_USAGE;
}

const char *cli_option_or(const struct cli_arguments *arguments, size_t option, const char *fallback)
{
    return arguments->n_values[option] > 0 ? arguments->values[option][0] : fallback;
}

bool cli_number(const char *text, uint64_t max, uint64_t *out)
{
    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, hexadecimal ? 16 : 10);
    if (errno != 0 || *end != '\0' || value > max) {
        return false;
    }
    *out = value;
    return true;
}

bool cli_device_id(const char *verb, const char *text, uint64_t *out)
{
    bool good = cli_number(text, CLI_DEVICE_ID_MAX, out) && *out != 0;
    if (!good) {
        (void)fprintf(stderr, "headrace %s: '%s' is no device id\n", verb, text);
    }
    return good;
}

bool cli_is_name(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > 63 || text[0] == '.' || text[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr(".-_", text[i]) == NULL) {
            return false;
        }
    }
    return true;
}
