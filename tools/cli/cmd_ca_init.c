/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "tools/cli/authority.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/token_keys.h"
#include "tools/cli/validity.h"
#include "tools/cli/verbs.h"

#include <stdio.h>
#include <string.h>

enum { ROOT_DAYS = 15 * 365, ISSUER_DAYS = 10 * 365 };

/* Where the keys of an authority go, in the order of cli_authority_files; a module of NULL: into files. */
typedef struct cli_token_place places[CLI_AUTHORITY_N_FILES];

static struct hr_status try_tokens(const struct cli_token_place *at)
{
    for (size_t i = 0; at->module != NULL && i < CLI_AUTHORITY_N_FILES; i++) {
        HR_TRY(cli_token_try(&at[i]));
    }
    return hr_ok();
}

static struct hr_status init(const char *directory, const char *name, bool is_encrypted, bool force,
                             const struct cli_token_place *at)
{
    const char *const *files = cli_authority_files;
    char common_names[CLI_AUTHORITY_N_FILES][96];
    struct cli_path paths[2 * CLI_AUTHORITY_N_FILES];
    for (size_t i = 0; i < CLI_AUTHORITY_N_FILES; i++) {
        static const char *const what[] = {"root", "root B", "devices", "servers", "operators"};
        HR_TRY(cli_path_of(&paths[2 * i], directory, "%s.key", files[i]));
        HR_TRY(cli_path_of(&paths[2 * i + 1], directory, "%s.crt", files[i]));
        (void)snprintf(common_names[i], sizeof(common_names[i]), "%s %s", name, what[i]);
    }
    HR_TRY(cli_validity_clock());
    if (!force) {
        HR_TRY(cli_files_absent(paths, HR_ARRAY_LEN(paths)));
    }
    HR_TRY(try_tokens(at));
    HR_TRY(cli_directory_make(directory));
    for (size_t i = 0; i < CLI_AUTHORITY_N_FILES; i++) {
        bool is_root = i < CLI_AUTHORITY_N_ROOTS;
        const struct cli_certificate wanted = {.role = is_root ? CLI_ROLE_ROOT : CLI_ROLE_ISSUER,
                                               .common_name = common_names[i],
                                               .days = is_root ? ROOT_DAYS : ISSUER_DAYS,
                                               .is_encrypted = is_encrypted,
                                               .key_name = files[i],
                                               .place = at[i].module != NULL ? &at[i] : NULL};
        HR_TRY(cli_authority_make(directory, files[i], is_root ? NULL : "root", &wanted, force));
    }
    return hr_ok();
}

enum { DIR, NAME, ENCRYPT, FORCE, PKCS11, TOKEN, ROOT_TOKEN, ROOT_B_TOKEN };

/* False: the options don't go together, which was told. */
static bool take_places(const struct cli_arguments *given, places out)
{
    const char *token = cli_option_or(given, TOKEN, NULL);
    const char *root = cli_option_or(given, ROOT_TOKEN, token);
    const char *root_b = cli_option_or(given, ROOT_B_TOKEN, root);
    bool has_module = given->n_values[PKCS11] > 0;
    if (has_module != (token != NULL) || (!has_module && root_b != NULL) ||
        (has_module && given->n_values[ENCRYPT] > 0)) {
        (void)fputs(
            "headrace ca init: --pkcs11 and --token go together, --root-token and --root-b-token with "
            "them; --encrypt is of keys in files\n",
            stderr);
        return false;
    }
    for (size_t i = 0; i < CLI_AUTHORITY_N_FILES; i++) {
        out[i] = (struct cli_token_place){.module = cli_option_or(given, PKCS11, NULL),
                                          .token = i == 0                      ? root
                                                   : i < CLI_AUTHORITY_N_ROOTS ? root_b
                                                                               : token,
                                          .beside = given->n_values[FORCE] > 0};
    }
    return true;
}

int cli_ca_init(int argc, char **argv)
{
    static const struct cli_option options[] = {
        {"--dir", "DIR", true, 1, "Where the authority's keys and certificates go."},
        {"--name", "NAME", false, 1, "What stands in the certificates; default headrace."},
        {"--encrypt", NULL, false, 1,
         "Keys under a passphrase: asked for, or of $HEADRACE_CA_PASSPHRASE_FILE or "
         "$HEADRACE_CA_PASSPHRASE."},
        {"--force", NULL, false, 1, "Replace an authority. Everything it signed is then worthless."},
        {"--pkcs11", "MODULE", false, 1,
         "Keys are made in a PKCS#11 token and stay there; the file of its module, as "
         "/usr/lib/softhsm/libsofthsm2.so."},
        {"--token", "LABEL", false, 1, "The token's label or serial number."},
        {"--root-token", "LABEL", false, 1, "Another token for the roots; default that of --token."},
        {"--root-b-token", "LABEL", false, 1,
         "Another token for the second root; default that of --root-token."},
    };
    static const struct cli_usage usage = {"ca init", NULL, options, HR_ARRAY_LEN(options),
                                           "Makes two roots, and issuers for devices, servers and operators "
                                           "under the first. Keys have mode 0600, or are\n"
                                           "in a token, and their files say where.\n"
                                           "The roots' keys sign new issuers and trust bundles: keep them "
                                           "offline, in two places."};
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    const char *name = cli_option_or(&given, NAME, "headrace");
    if (!cli_is_name(name) || strlen(name) > 48) { /* a common name has at most 64 characters (RFC 5280) */
        (void)fprintf(stderr,
                      "headrace ca init: --name '%s': letters, digits, '.', '-' and '_', at most 48\n", name);
        return CLI_USAGE;
    }
    places at;
    if (!take_places(&given, at)) {
        return CLI_USAGE;
    }
    bool is_encrypted = given.n_values[ENCRYPT] > 0;
    struct hr_status made = init(given.values[DIR][0], name, is_encrypted, given.n_values[FORCE] > 0, at);
    return hr_is_ok(made) ? CLI_OK : CLI_FAILED;
}
