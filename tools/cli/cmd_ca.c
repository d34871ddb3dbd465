/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/authority.h"
#include "tools/cli/cli.h"
#include "tools/cli/nearest.h"
#include "tools/cli/options.h"
#include "tools/cli/trust_file.h"
#include "tools/cli/validity.h"
#include "tools/cli/verbs.h"

#include "proto/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROOT_DAYS = 15 * 365, ISSUER_DAYS = 10 * 365, SERVER_DAYS = 730 };

struct pair {
    struct cli_path key;
    struct cli_path certificate;
};

/* The files of an authority, without their endings. */
static const char *const authority_files[] = {"root", CLI_ROOT_B, CLI_ISSUER_DEVICES, CLI_ISSUER_SERVERS,
                                              CLI_ISSUER_OPERATORS};

enum { N_ROOTS = 2 };

bool cli_authority_is_reserved(const char *verb, const char *name, const char *file)
{
    bool is_of_authority = false;
    for (size_t i = 0; i < HR_ARRAY_LEN(authority_files); i++) {
        is_of_authority = is_of_authority || strcmp(authority_files[i], file) == 0;
    }
    if (is_of_authority) {
        (void)fprintf(stderr,
                      "headrace %s: --name '%s': %s.key and %s.crt are the authority's own; choose another "
                      "name (`headrace ca init --force` replaces an authority)\n",
                      verb, name, file, file);
    }
    return is_of_authority;
}

static struct hr_status pair_at(const char *directory, const char *name, struct pair *out)
{
    HR_TRY(cli_path_of(&out->key, directory, "%s.key", name));
    return cli_path_of(&out->certificate, directory, "%s.crt", name);
}

static struct hr_status write_pair(const struct pair *at, struct cli_certified *made, bool force)
{
    struct hr_status status =
        cli_file_write(at->key.text, hr_bytes_of(made->key.text, made->key.len_bytes), true, force);
    cli_pem_wipe(&made->key);
    HR_TRY(status);
    HR_TRY(cli_file_write(at->certificate.text,
                          hr_bytes_of(made->certificate.text, made->certificate.len_bytes), false, force));
    cli_file_tell(at->key.text);
    cli_file_tell(at->certificate.text);
    return hr_ok();
}

/* Makes a key and its certificate; issuer NULL: it signs itself. */
static struct hr_status certify(const struct cli_certificate *wanted, const struct cli_issuer *issuer,
                                struct cli_certified *out)
{
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    HR_TRY(wanted->place != NULL ? cli_token_key_new(wanted->place, wanted->common_name, &key, &out->key)
                                 : cli_key_new(&key));
    struct hr_status status = cli_certificate_issue(wanted, key, issuer, &certificate);
    if (hr_is_ok(status) && wanted->place == NULL) {
        status =
            wanted->is_encrypted
                ? cli_key_encrypted_pem(
                      key, wanted->key_name != NULL ? wanted->key_name : "the authority's keys", &out->key)
                : cli_key_pem(key, &out->key);
    }
    if (hr_is_ok(status)) {
        status = cli_certificate_pem(certificate, &out->certificate);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}

/* Free with close_issuer in any case. */
static struct hr_status open_issuer(const char *directory, const char *issuer_name, struct cli_issuer *out)
{
    struct pair at;
    HR_TRY(pair_at(directory, issuer_name, &at));
    struct hr_status status = cli_certificate_read(at.certificate.text, &out->certificate);
    if (!hr_is_ok(status)) {
        (void)fprintf(
            stderr,
            "headrace: is %s the authority's directory, as `headrace ca init` makes it? nothing was "
            "signed\n",
            directory);
    }
    HR_TRY(status);
    HR_TRY(cli_validity_issuer(at.certificate.text, out->certificate));
    return cli_key_read(at.key.text, &out->key);
}

static void close_issuer(struct cli_issuer *issuer)
{
    EVP_PKEY_free(issuer->key);
    X509_free(issuer->certificate);
}

struct hr_status cli_authority_check(const char *directory, const char *issuer_name)
{
    struct cli_issuer issuer = {0};
    struct hr_status status = open_issuer(directory, issuer_name, &issuer);
    close_issuer(&issuer);
    return status;
}

struct hr_status cli_authority_certify(const char *directory, const char *issuer_name,
                                       const struct cli_certificate *wanted, struct cli_certified *out)
{
    struct cli_issuer issuer = {.name = issuer_name};
    struct hr_status status = open_issuer(directory, issuer_name, &issuer);
    if (hr_is_ok(status)) {
        status = certify(wanted, &issuer, out);
    }
    close_issuer(&issuer);
    return status;
}

struct hr_status cli_authority_sign(const char *directory, const char *issuer_name,
                                    const struct cli_certificate *wanted, EVP_PKEY *subject_key, X509 **out)
{
    struct cli_issuer issuer = {.name = issuer_name};
    struct hr_status status = open_issuer(directory, issuer_name, &issuer);
    if (hr_is_ok(status)) {
        status = cli_certificate_issue(wanted, subject_key, &issuer, out);
    }
    close_issuer(&issuer);
    return status;
}

/* Its issuer may be one that would be made in this run. */
static struct hr_status would_make(const char *directory, const struct pair *at, const char *issuer_name)
{
    static bool is_first = true;
    const bool can_be_checked = is_first && issuer_name != NULL;
    is_first = false;
    HR_TRY(can_be_checked ? cli_authority_check(directory, issuer_name) : hr_ok());
    cli_file_tell(at->key.text);
    cli_file_tell(at->certificate.text);
    return hr_ok();
}

struct hr_status cli_authority_make(const char *directory, const char *file_name, const char *issuer_name,
                                    const struct cli_certificate *wanted, bool force)
{
    struct pair at;
    struct cli_certified made;
    HR_TRY(pair_at(directory, file_name, &at));
    if (cli_files_are_dry()) {
        return would_make(directory, &at, issuer_name);
    }
    struct hr_status status = issuer_name != NULL
                                  ? cli_authority_certify(directory, issuer_name, wanted, &made)
                                  : certify(wanted, NULL, &made);
    if (hr_is_ok(status)) {
        status = cli_token_key_prove();
    }
    if (hr_is_ok(status)) {
        status = write_pair(&at, &made, force);
    }
    cli_token_key_settle(hr_is_ok(status));
    return status;
}

/* Where the keys of an authority go, in the order of authority_files; a module of NULL: into files. */
typedef struct cli_token_place places[HR_ARRAY_LEN(authority_files)];

static struct hr_status try_tokens(const struct cli_token_place *at)
{
    for (size_t i = 0; at->module != NULL && i < HR_ARRAY_LEN(authority_files); i++) {
        HR_TRY(cli_token_try(&at[i]));
    }
    return hr_ok();
}

static struct hr_status init(const char *directory, const char *name, bool is_encrypted, bool force,
                             const struct cli_token_place *at)
{
    const char *const *files = authority_files;
    char common_names[HR_ARRAY_LEN(authority_files)][96];
    struct cli_path paths[2 * HR_ARRAY_LEN(authority_files)];
    for (size_t i = 0; i < HR_ARRAY_LEN(authority_files); i++) {
        static const char *const what[] = {"root", "root B", "devices", "servers", "operators"};
        struct pair pair;
        HR_TRY(pair_at(directory, files[i], &pair));
        paths[2 * i] = pair.key;
        paths[2 * i + 1] = pair.certificate;
        (void)snprintf(common_names[i], sizeof(common_names[i]), "%s %s", name, what[i]);
    }
    if (!force) {
        HR_TRY(cli_files_absent(paths, HR_ARRAY_LEN(paths)));
    }
    HR_TRY(try_tokens(at));
    HR_TRY(cli_directory_make(directory));
    for (size_t i = 0; i < HR_ARRAY_LEN(authority_files); i++) {
        bool is_root = i < N_ROOTS;
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

enum { INIT_DIR, INIT_NAME, INIT_ENCRYPT, INIT_FORCE, INIT_PKCS11, INIT_TOKEN, INIT_ROOT, INIT_ROOT_B };

/* False: the options don't go together, which was told. */
static bool take_places(const struct cli_arguments *given, places out)
{
    const char *token = cli_option_or(given, INIT_TOKEN, NULL);
    const char *root = cli_option_or(given, INIT_ROOT, token);
    const char *root_b = cli_option_or(given, INIT_ROOT_B, root);
    bool has_module = given->n_values[INIT_PKCS11] > 0;
    if (has_module != (token != NULL) || (!has_module && root_b != NULL) ||
        (has_module && given->n_values[INIT_ENCRYPT] > 0)) {
        (void)fputs(
            "headrace ca init: --pkcs11 and --token go together, --root-token and --root-b-token with "
            "them; --encrypt is of keys in files\n",
            stderr);
        return false;
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(authority_files); i++) {
        out[i] = (struct cli_token_place){.module = cli_option_or(given, INIT_PKCS11, NULL),
                                          .token = i == 0        ? root
                                                   : i < N_ROOTS ? root_b
                                                                 : token,
                                          .beside = given->n_values[INIT_FORCE] > 0};
    }
    return true;
}

static int cli_ca_init(int argc, char **argv)
{
    static const struct cli_option options[] = {
        {"--dir", "DIR", true, 1, "Where the authority's keys and certificates go."},
        {"--name", "NAME", false, 1, "What stands in the certificates; default headrace."},
        {"--encrypt", NULL, false, 1,
         "Keys under a passphrase: asked for, or of $HEADRACE_CA_PASSPHRASE_FILE or "
         "$HEADRACE_CA_PASSPHRASE."},
        {"--force", NULL, false, 1,
         "Replace an authority: it is asked for, or --yes says it. Everything it signed is then worthless."},
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
    const char *name = cli_option_or(&given, INIT_NAME, "headrace");
    if (!cli_is_name(name) || strlen(name) > 48) { /* a common name has at most 64 characters (RFC 5280) */
        (void)fprintf(stderr,
                      "headrace ca init: --name '%s': letters, digits, '.', '-' and '_', at most 48\n", name);
        return CLI_USAGE;
    }
    places at;
    if (!take_places(&given, at)) {
        return CLI_USAGE;
    }
    bool is_encrypted = given.n_values[INIT_ENCRYPT] > 0;
    struct hr_status made =
        init(given.values[INIT_DIR][0], name, is_encrypted, given.n_values[INIT_FORCE] > 0, at);
    return hr_is_ok(made) ? CLI_OK : CLI_FAILED;
}

/* Devices that follow the trust bundle believe what stands in it, and nothing else. */
static bool devices_believe(const char *directory, const char *issuer)
{
    static struct cli_trust_file file;
    struct cli_path path;
    struct pair at;
    X509 *certificate = NULL;
    uint8_t *der = NULL;
    if (!hr_is_ok(cli_path_of(&path, directory, "trust.bundle")) || access(path.text, F_OK) != 0) {
        return true;
    }
    if (!hr_is_ok(cli_trust_read(path.text, &file)) || !hr_is_ok(pair_at(directory, issuer, &at)) ||
        !hr_is_ok(cli_certificate_read(at.certificate.text, &certificate))) {
        return false;
    }
    const struct trust_bundle *newest = cli_trust_newest(&file);
    const int len = i2d_X509(certificate, &der);
    X509_free(certificate);
    bool is_believed = newest == NULL;
    for (size_t i = 0; len > 0 && !is_believed && i < newest->n_ca; i++) {
        is_believed =
            newest->ca[i].len_bytes == (size_t)len && memcmp(newest->ca[i].data, der, (size_t)len) == 0;
    }
    OPENSSL_free(der);
    if (!is_believed) {
        (void)fprintf(
            stderr,
            "headrace ca server: %s does not stand in version %" PRIu32
            " of %s: no device that follows it believes what it signs. `ca bundle --ca` makes a version with "
            "it; --issuer NAME signs by another, or by this one when it is meant\n",
            issuer, newest->version, path.text);
    }
    return is_believed;
}

static int cli_ca_server(int argc, char **argv)
{
    enum { DIR, NAME, SAN, ISSUER, FORCE, PKCS11 };
    static const struct cli_option options[] = {
        {"--dir", "DIR", true, 1, "The authority's directory, from `ca init`."},
        {"--name", "NAME", true, 1, "DNS name of the aggregator, such as agg.example."},
        {"--san", "NAME|IP", false, CLI_REPEAT_MAX, "A further DNS name or address; may be repeated."},
        {"--issuer", "NAME", false, 1, "Who signs it, from `ca issuer`; default server-ca."},
        {"--force", NULL, false, 1, "Replace the files of an earlier certificate."},
        CLI_TOKEN_OPTIONS,
    };
    static const struct cli_usage usage = {
        "ca server", NULL, options, HR_ARRAY_LEN(options),
        "Makes an aggregator's key and certificate, DIR/NAME.key and DIR/NAME.crt."};
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    const char *name = given.values[NAME][0];
    if (!cli_is_name(name)) {
        (void)fprintf(stderr, "headrace ca server: --name '%s': letters, digits, '.', '-' and '_'\n", name);
        return CLI_USAGE;
    }
    if (cli_authority_is_reserved("ca server", name, name)) {
        return CLI_USAGE;
    }
    cli_token_override(&given, PKCS11);
    const char *names[CLI_REPEAT_MAX + 1] = {name};
    memcpy(&names[1], given.values[SAN], sizeof(given.values[SAN]));
    const struct cli_certificate wanted = {.role = CLI_ROLE_SERVER,
                                           .common_name = name,
                                           .names = names,
                                           .n_names = given.n_values[SAN] + 1,
                                           .days = SERVER_DAYS};
    bool force = given.n_values[FORCE] > 0;
    struct pair at;
    const char *issuer = cli_option_or(&given, ISSUER, CLI_ISSUER_SERVERS);
    if (!devices_believe(given.values[DIR][0], issuer) && given.n_values[ISSUER] == 0) {
        return CLI_FAILED;
    }
    if (!hr_is_ok(pair_at(given.values[DIR][0], name, &at)) ||
        (!force && !hr_is_ok(cli_files_absent(&at.key, 1)))) {
        return CLI_FAILED;
    }
    return hr_is_ok(cli_authority_make(given.values[DIR][0], name, issuer, &wanted, force)) ? CLI_OK
                                                                                            : CLI_FAILED;
}

static int init_if_meant(int argc, char **argv)
{
    if (!hr_is_ok(cli_validity_clock())) {
        return CLI_FAILED;
    }
    return cli_authority_replace_is_meant(&argc, argv) ? cli_ca_init(argc, argv) : CLI_USAGE;
}

int cli_ca(int argc, char **argv)
{
    static const char *const words[] = {"init", "server", "operator", "revoke", "issuer", "bundle"};
    cli_options_of_files();
    if (argc >= 2 && strcmp(argv[1], "init") == 0) {
        return init_if_meant(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "server") == 0) {
        return cli_ca_server(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "operator") == 0) {
        return cli_ca_operator(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "issuer") == 0) {
        return cli_ca_issuer(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "bundle") == 0) {
        return cli_ca_bundle(argc - 1, argv + 1);
    }
    if (argc >= 2 && strcmp(argv[1], "revoke") == 0) {
        return cli_ca_revoke(argc - 1, argv + 1);
    }
    FILE *out = cli_help_begin("ca", argc >= 2 ? argv[1] : NULL, words, HR_ARRAY_LEN(words));
    (void)fputs("usage: headrace ca init --dir DIR [--name NAME] [--pkcs11 MODULE --token LABEL]\n"
                "       headrace ca server --dir DIR --name NAME [--san NAME|IP ...] [--issuer NAME]\n"
                "       headrace ca operator --dir DIR --name NAME --role viewer|operator|admin [--days N]\n"
                "       headrace ca revoke --dir DIR --name OPERATOR|--serial HEX\n"
                "       headrace ca issuer --dir DIR --name NAME [--root root|root-b]\n"
                "       headrace ca bundle --dir DIR [--ca FILE ...] [--signer FILE ...] [--threshold N] "
                "[--key FILE ...]\n"
                "       headrace ca bundle --sign FILE --key FILE | --show FILE [--json]\n",
                out);
    return cli_help_end(out);
}
