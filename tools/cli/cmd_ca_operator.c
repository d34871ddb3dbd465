/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "tools/cli/authority.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ISSUER_DAYS = 10 * 365, OPERATOR_DAYS = 365, NAME_CHARS = 80 };

/* An authority of before there were operators gets their issuer when its root is at hand. */
static struct hr_status make_operators_issuer(const char *directory)
{
    struct cli_path certificate;
    HR_TRY(cli_path_of(&certificate, directory, CLI_ISSUER_OPERATORS ".crt"));
    if (access(certificate.text, F_OK) == 0) {
        return hr_ok();
    }
    struct cli_path root;
    HR_TRY(cli_path_of(&root, directory, "root.key"));
    struct cli_token_place place;
    bool is_in_token = cli_token_is_named(root.text);
    HR_TRY(is_in_token ? cli_token_place_of(root.text, &place) : hr_ok());
    const struct cli_certificate wanted = {.role = CLI_ROLE_ISSUER,
                                           .common_name = "headrace operators",
                                           .days = ISSUER_DAYS,
                                           .is_encrypted = cli_key_is_encrypted(root.text),
                                           .place = is_in_token ? &place : NULL};
    return cli_authority_make(directory, CLI_ISSUER_OPERATORS, "root", &wanted, false);
}

static struct hr_status make_operator(const char *directory, const char *file, const char *name,
                                      const char *role, int days, bool force)
{
    struct cli_path key;
    const struct cli_certificate wanted = {
        .role = CLI_ROLE_OPERATOR, .common_name = name, .unit = role, .days = days};
    HR_TRY(cli_path_of(&key, directory, "%s.key", file));
    struct cli_path old;
    HR_TRY(cli_path_of(&old, directory, "%s.crt", file));
    if (!force) {
        HR_TRY(cli_files_absent(&key, 1));
    } else if (access(old.text, F_OK) == 0) {
        /* Its serial number is nowhere else: what is replaced could never be called back. */
        HR_TRY(cli_operator_revoke(directory, name));
    }
    HR_TRY(make_operators_issuer(directory));
    return cli_authority_make(directory, file, CLI_ISSUER_OPERATORS, &wanted, force);
}

static bool is_operator_role(const char *text)
{
    return strcmp(text, "viewer") == 0 || strcmp(text, "operator") == 0 || strcmp(text, "admin") == 0;
}

int cli_ca_operator(int argc, char **argv)
{
    enum { DIR, NAME, ROLE, DAYS, FORCE, PKCS11 };
    enum { MAX_DAYS = 3650, MAX_NAME_CHARS = 48 };
    static const struct cli_option options[] = {
        {"--dir", "DIR", true, 1, "The authority's directory, from `ca init`."},
        {"--name", "NAME", true, 1, "The operator's name; stands in audit entries."},
        {"--role", "ROLE", true, 1,
         "viewer: looks. operator: also replays, quarantine, release. admin: also revokes and retires."},
        {"--days", "N", false, 1, "How long the certificate is valid; default 365."},
        {"--force", NULL, false, 1,
         "Replace the files of an earlier certificate, which is called back (`ca revoke`)."},
        CLI_TOKEN_OPTIONS,
    };
    static const struct cli_usage usage = {
        "ca operator", NULL, options, HR_ARRAY_LEN(options),
        "Makes an operator's key and certificate for the admin API, DIR/operator-NAME.key and .crt.\n"
        "Give it as few days as will do; `ca revoke` calls it back before."};
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    const char *name = given.values[NAME][0];
    const char *role = given.values[ROLE][0];
    uint64_t days = OPERATOR_DAYS;
    bool has_days = given.n_values[DAYS] > 0;
    if (!cli_is_name(name) || strlen(name) > MAX_NAME_CHARS || !is_operator_role(role) ||
        (has_days && (!cli_number(given.values[DAYS][0], MAX_DAYS, &days) || days == 0))) {
        (void)fputs("headrace ca operator: --name is up to 48 letters, digits, '.', '-' and '_'; --role is "
                    "viewer, operator or admin; --days is 1 to 3650\n",
                    stderr);
        return CLI_USAGE;
    }
    cli_token_override(&given, PKCS11);
    char file[NAME_CHARS];
    (void)snprintf(file, sizeof file, "operator-%s", name);
    if (cli_authority_is_reserved("ca operator", name, file)) {
        return CLI_USAGE;
    }
    struct hr_status made =
        make_operator(given.values[DIR][0], file, name, role, (int)days, given.n_values[FORCE] > 0);
    return hr_is_ok(made) ? CLI_OK : CLI_FAILED;
}
