/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs about the registry share: which aggregator is asked, and the rows of its replies, which are
 * flat JSON objects. */
#ifndef CLI_ADMIN_ROWS_H
#define CLI_ADMIN_ROWS_H

#include "proto/base/bytes.h"
#include "tools/cli/admin_call.h"
#include "tools/cli/options.h"

#include <stdint.h>

/* The options that each of these verbs has, first in its table and in this order. */
enum cli_admin_option {
    CLI_ADMIN_URL,
    CLI_ADMIN_CONFIG,
    CLI_ADMIN_JSON,
    CLI_ADMIN_IDENTITY,
    CLI_ADMIN_CA,
    CLI_ADMIN_N_COMMON
};

enum { CLI_ADMIN_PATH_CHARS = 320 };

#define CLI_ADMIN_DEFAULT_CONFIG "/etc/headrace/aggregator.yaml"
#define CLI_ADMIN_COMMON_OPTIONS                                                                             \
    [CLI_ADMIN_URL] = {"--admin", "URL", false, 0,                                                           \
                       "http[s]://HOST:PORT of the aggregator; default: the configuration's http section."}, \
    [CLI_ADMIN_CONFIG] = {"--config", "YAML", false, 0,                                                      \
                          "The aggregator's configuration; default " CLI_ADMIN_DEFAULT_CONFIG "."},          \
    [CLI_ADMIN_JSON] = {"--json", NULL, false, 0, "JSON instead of a table."},                               \
    [CLI_ADMIN_IDENTITY] = {"--identity", "PATH", false, 0,                                                  \
                            "For https: PATH.crt and PATH.key are yours; default $HEADRACE_IDENTITY."},      \
    [CLI_ADMIN_CA] = {"--ca", "FILE", false, 0,                                                              \
                      "For https: who signs aggregators (server-ca.crt); default $HEADRACE_SERVER_CA."}

/* Finds the aggregator by the options; false: the mistake was told. */
bool cli_admin_find(const char *verb, const struct cli_arguments *arguments, struct cli_admin *out);

/* Who sits here, for the audit entry; NULL: nobody with a name that can stand there. */
const char *cli_admin_operator(void);

/* Asks, and tells what went wrong, an error of the aggregator's too. False: no reply of status 200. */
bool cli_admin_get(const char *verb, const struct cli_admin *admin, const char *path, const char *body,
                   struct cli_admin_reply *reply);

/* The path of the registry's page behind a device, of those alone that have `name` in theirs and are in
 * `state`; NULL: all. An aggregator of before it could choose sends them all the same. */
void cli_admin_devices_path(uint64_t after, const char *name, const char *state,
                            char out[CLI_ADMIN_PATH_CHARS]);

/* The next row at or behind *rest, which moves behind it; false: there is none. Borrowed from the reply. */
bool cli_row_next(const char **rest, struct hr_bytes *row);
/* A member of a row; "" and 0 when it has none of that name and type. */
void cli_row_text(struct hr_bytes row, const char *key, char *out, size_t capacity);
uint64_t cli_row_number(struct hr_bytes row, const char *key);
bool cli_row_has_number(struct hr_bytes row, const char *key);
bool cli_row_flag(struct hr_bytes row, const char *key);
/* The row as it came. */
void cli_row_print(struct hr_bytes row);

#endif
