/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "tools/cli/authority.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum { ISSUER_DAYS = 10 * 365, NAME_MAX_CHARS = 48 };

int cli_ca_issuer(int argc, char **argv)
{
    enum { DIR, NAME, ROOT, FORCE };
    static const struct cli_option options[] = {
        {"--dir", "DIR", true, 1, "The authority's directory, from `ca init`."},
        {"--name", "NAME", true, 1, "DIR/NAME.key and DIR/NAME.crt, such as server-ca-2027."},
        {"--root", "NAME", false, 1, "Which root signs: root, which is the default, or root-b."},
        {"--force", NULL, false, 1, "Replace the files of an earlier issuer."},
    };
    static const struct cli_usage usage = {
        "ca issuer", NULL, options, HR_ARRAY_LEN(options),
        "Makes another issuer, for `ca server --issuer NAME`. Devices believe what it signs once it stands "
        "in\n"
        "their trust bundle. Its key is under a passphrase when the root's is."};
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    const char *directory = given.values[DIR][0];
    const char *name = given.values[NAME][0];
    const char *root = cli_option_or(&given, ROOT, "root");
    struct cli_path root_key;
    if (!cli_is_name(name) || strlen(name) > NAME_MAX_CHARS || !cli_is_name(root)) {
        (void)fputs("headrace ca issuer: names are up to 48 letters, digits, '.', '-' and '_'\n", stderr);
        return CLI_USAGE;
    }
    if (cli_authority_is_reserved("ca issuer", name, name)) {
        return CLI_USAGE;
    }
    if (!hr_is_ok(cli_path_of(&root_key, directory, "%s.key", root))) {
        return CLI_FAILED;
    }
    const struct cli_certificate wanted = {.role = CLI_ROLE_ISSUER,
                                           .common_name = name,
                                           .days = ISSUER_DAYS,
                                           .is_encrypted = cli_key_is_encrypted(root_key.text),
                                           .key_name = name};
    return hr_is_ok(cli_authority_make(directory, name, root, &wanted, given.n_values[FORCE] > 0))
               ? CLI_OK
               : CLI_FAILED;
}
