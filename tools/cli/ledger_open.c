/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/ledger_open.h"

#include <stdio.h>

/* `ctx` points to the verb. */
static void complain(void *ctx, const char *text)
{
    const char *const *verb = ctx;
    (void)fprintf(stderr, "headrace %s: %s\n", *verb, text);
}

/* NULL after a complaint; *code is then the exit code. */
static const struct config_ledger *choose(const char *verb, const char *file, const char *path, int *code)
{
    static struct config_aggregator config;
    static struct conf_report mistakes;
    *code = CLI_FAILED;
    if ((path == NULL) == (file == NULL)) {
        (void)fprintf(stderr, "headrace %s: give a FILE, or --config YAML\n", verb);
        *code = CLI_USAGE;
        return NULL;
    }
    if (path != NULL && !hr_is_ok(config_load(path, &config, &mistakes))) {
        conf_report_print(&mistakes, stderr);
        return NULL;
    }
    if (path == NULL && snprintf(config.ledger.sqlite, sizeof config.ledger.sqlite, "%s", file) >=
                            (int)sizeof config.ledger.sqlite) {
        (void)fprintf(stderr, "headrace %s: the path is too long\n", verb);
        return NULL;
    }
    return &config.ledger;
}

/* A ledger keeps the report as long as it is open. */
static struct ledger_report report_of(const char *verb)
{
    static const char *kept;
    kept = verb;
    return (struct ledger_report){.log = complain, .ctx = &kept};
}

int cli_ledger_open_reader(const char *verb, const char *file, const char *config, struct ledger *out)
{
    int code = CLI_OK;
    const struct config_ledger *ledger = choose(verb, file, config, &code);
    const struct ledger_report report = report_of(verb);
    if (ledger == NULL) {
        return code;
    }
    return hr_is_ok(ledger_choice_open_reader(ledger, &report, out)) ? CLI_OK : CLI_FAILED;
}

int cli_ledger_open_new(const char *verb, const char *file, const char *config,
                        const struct ledger_birth *birth, struct ledger *out)
{
    int code = CLI_OK;
    const struct config_ledger *ledger = choose(verb, file, config, &code);
    const struct ledger_report report = report_of(verb);
    if (ledger == NULL) {
        return code;
    }
    return hr_is_ok(ledger_choice_open_new(ledger, &report, birth, out)) ? CLI_OK : CLI_FAILED;
}
