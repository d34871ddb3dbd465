/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "tools/cli/authority.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum { ISSUER_DAYS = 10 * 365, NAME_MAX_CHARS = 48 };

enum { DIR, NAME, ROOT, FORCE, PKCS11, TOKEN };

/* Where the issuer's key goes: as the options say, else beside the root's. A module of NULL: into a file.
 * False: the mistake was told. */
static bool take_place(const struct cli_arguments *given, const char *root_key, struct cli_token_place *out)
{
    *out = (struct cli_token_place){.module = NULL};
    if (cli_token_is_named(root_key) && !hr_is_ok(cli_token_place_of(root_key, out))) {
        return false;
    }
    out->module = cli_option_or(given, PKCS11, out->module);
    out->token = cli_option_or(given, TOKEN, out->token);
    out->beside = given->n_values[FORCE] > 0;
    bool is_whole = (out->module != NULL) == (out->token != NULL);
    if (!is_whole) {
        (void)fputs("headrace ca issuer: --pkcs11 and --token go together\n", stderr);
    }
    return is_whole;
}

int cli_ca_issuer(int argc, char **argv)
{
    static const struct cli_option options[] = {
        {"--dir", "DIR", true, 1, "The authority's directory, from `ca init`."},
        {"--name", "NAME", true, 1, "DIR/NAME.key and DIR/NAME.crt, such as server-ca-2027."},
        {"--root", "NAME", false, 1, "Which root signs: root, which is the default, or root-b."},
        {"--force", NULL, false, 1, "Replace the files of an earlier issuer."},
        {"--pkcs11", "MODULE", false, 1, "The issuer's key is made in a token; default as the root's key."},
        {"--token", "LABEL", false, 1, "The token's label or serial number; default that of the root's key."},
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
    struct cli_token_place place;
    if (!hr_is_ok(cli_path_of(&root_key, directory, "%s.key", root)) ||
        !take_place(&given, root_key.text, &place)) {
        return CLI_FAILED;
    }
    const struct cli_certificate wanted = {.role = CLI_ROLE_ISSUER,
                                           .common_name = name,
                                           .days = ISSUER_DAYS,
                                           .is_encrypted = cli_key_is_encrypted(root_key.text),
                                           .key_name = name,
                                           .place = place.module != NULL ? &place : NULL};
    return hr_is_ok(cli_authority_make(directory, name, root, &wanted, given.n_values[FORCE] > 0))
               ? CLI_OK
               : CLI_FAILED;
}
