/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"
#include "tools/cli/authority.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/trust_file.h"
#include "tools/cli/trust_print.h"
#include "tools/cli/verbs.h"

#include <inttypes.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIR, OUT, CA, SIGNER, NAME, THRESHOLD, KEY, SIGN, SHOW, JSON, PKCS11 };

/* What a bundle is made of; the bundle borrows from it. */
struct material {
    struct cli_der authorities[TRUST_MAX_CA];
    uint8_t signers[TRUST_MAX_SIGNERS][TRUST_SPKI_BYTES];
    EVP_PKEY *keys[CLI_REPEAT_MAX];
    size_t n_keys;
};

static struct material material;
static struct cli_trust_file file;

/* ---- what goes in ---- */

static struct hr_status add_authority(struct trust_bundle *bundle, const char *path)
{
    X509 *certificate = NULL;
    if (bundle->n_ca == TRUST_MAX_CA) {
        (void)fprintf(stderr, "headrace ca bundle: at most %d authorities\n", TRUST_MAX_CA);
        return hr_status_of(HR_FULL);
    }
    HR_TRY(cli_certificate_read(path, &certificate));
    struct cli_der *der = &material.authorities[bundle->n_ca];
    bool is_authority = X509_check_ca(certificate) == 1;
    struct hr_status status = cli_certificate_der(certificate, der);
    X509_free(certificate);
    if (!is_authority) {
        (void)fprintf(stderr, "headrace ca bundle: %s is no authority's certificate\n", path);
        return hr_status_of(HR_MALFORMED);
    }
    bundle->ca[bundle->n_ca++] = hr_bytes_of(der->bytes, der->len_bytes);
    return status;
}

static struct hr_status add_signer(struct trust_bundle *bundle, const char *path)
{
    X509 *certificate = NULL;
    uint8_t spki[TRUST_SPKI_BYTES];
    if (bundle->n_signers == TRUST_MAX_SIGNERS) {
        (void)fprintf(stderr, "headrace ca bundle: at most %d signers\n", TRUST_MAX_SIGNERS);
        return hr_status_of(HR_FULL);
    }
    HR_TRY(cli_certificate_read(path, &certificate));
    struct hr_status status = cli_key_spki(X509_get0_pubkey(certificate), spki);
    X509_free(certificate);
    HR_TRY(status);
    size_t at = 0; /* rising, as the format wants them */
    while (at < bundle->n_signers && memcmp(material.signers[at], spki, sizeof spki) < 0) {
        at++;
    }
    memmove(material.signers[at + 1], material.signers[at], (bundle->n_signers - at) * sizeof spki);
    memcpy(material.signers[at], spki, sizeof spki);
    bundle->n_signers++;
    return hr_ok();
}

typedef struct hr_status (*adder)(struct trust_bundle *bundle, const char *path);

/* The files that were given, or those of the authority's folder that are there. */
static struct hr_status add_files(const struct cli_arguments *given, size_t option,
                                  const char *const fallback[2], adder add, struct trust_bundle *bundle)
{
    for (size_t i = 0; i < given->n_values[option]; i++) {
        HR_TRY(add(bundle, given->values[option][i]));
    }
    for (size_t i = 0; i < 2 && given->n_values[option] == 0 && fallback[i] != NULL; i++) {
        struct cli_path path;
        HR_TRY(cli_path_of(&path, given->values[DIR][0], "%s", fallback[i]));
        if (i == 0 || access(path.text, F_OK) == 0) {
            HR_TRY(add(bundle, path.text));
        }
    }
    return hr_ok();
}

static struct hr_status add_key(struct trust_bundle *bundle, const char *path)
{
    (void)bundle;
    HR_TRY(cli_key_read(path, &material.keys[material.n_keys]));
    material.n_keys++;
    return hr_ok();
}

/* Keys that were named, or those of the folder that are at hand. */
static struct hr_status take_keys(const struct cli_arguments *given)
{
    static const char *const fallback[] = {"root.key", "root-b.key"};
    for (size_t i = 0; i < given->n_values[KEY]; i++) {
        HR_TRY(add_key(NULL, given->values[KEY][i]));
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(fallback) && given->n_values[KEY] == 0 && given->n_values[DIR] > 0;
         i++) {
        struct cli_path path;
        HR_TRY(cli_path_of(&path, given->values[DIR][0], "%s", fallback[i]));
        if (access(path.text, F_OK) == 0) {
            struct hr_status added = add_key(NULL, path.text);
            bool is_elsewhere = hr_is(added, HR_NOT_FOUND) && cli_token_is_named(path.text);
            HR_TRY(is_elsewhere ? hr_ok() : added); /* the other root's token may be at hand */
        }
    }
    if (material.n_keys == 0) {
        (void)fputs("headrace ca bundle: no key signs: root.key is not in --dir; --key FILE names one\n",
                    stderr);
        return hr_status_of(HR_NOT_FOUND);
    }
    return hr_ok();
}

/* Without a signature of the version before, nobody would ever take the next one: most likely the file is of
 * another authority. */
static struct hr_status check_follows(void)
{
    bool follows = file.n_bundles == 0;
    const struct trust_bundle *last = &file.bundles[follows ? 0 : file.n_bundles - 1];
    for (size_t i = 0; i < material.n_keys && !follows; i++) {
        uint8_t spki[CLI_SPKI_BYTES];
        HR_TRY(cli_key_spki(material.keys[i], spki));
        follows = cli_trust_is_signer(last, spki);
    }
    if (!follows) {
        (void)fprintf(
            stderr,
            "headrace ca bundle: none of these keys signs what follows version %" PRIu32
            " in %s: is that file of this authority? else begin where its signers' keys are (--key). "
            "Nothing was written\n",
            file.n_bundles, file.path);
    }
    return hr_status_of(follows ? HR_OK : HR_DENIED);
}

/* ---- the verbs ---- */

static int tell(size_t n_new, bool is_json)
{
    const struct trust_bundle *last = &file.bundles[file.n_bundles - 1];
    bool is_complete = cli_trust_is_complete(&file, file.n_bundles - 1);
    if (is_json) {
        cli_trust_print(last, is_complete, true);
    } else {
        (void)printf("%s: version %" PRIu32 ", %zu signature%s added, %u in all, %s%s\n", file.path,
                     last->version, n_new, n_new == 1 ? "" : "s", (unsigned)last->n_signatures,
                     is_complete ? "complete" : "not complete", cli_files_dry_note());
    }
    if (!is_complete) {
        (void)fprintf(
            stderr,
            "headrace ca bundle: devices won't take it yet: it wants %u of its own signers%s. Where another "
            "signer's key is, say `headrace ca bundle --sign %s --key KEY`\n",
            (unsigned)last->threshold,
            last->version > 1 ? ", and as many of the version before as that says" : "", file.path);
    }
    return is_complete ? CLI_OK : CLI_INCOMPLETE;
}

static struct hr_status make(const struct cli_arguments *given, const char *path, size_t *n_new)
{
    static const char *const authorities[2] = {"server-ca.crt", NULL};
    static const char *const signers[2] = {"root.crt", "root-b.crt"};
    uint64_t threshold = 1;
    struct trust_bundle bundle = {.version = 1};
    HR_TRY(cli_trust_read(path, &file));
    if (file.n_bundles > 0 && !cli_trust_is_complete(&file, file.n_bundles - 1)) {
        (void)fprintf(stderr,
                      "headrace ca bundle: version %" PRIu32 " in %s still wants signatures (--sign)\n",
                      file.n_bundles, path);
        return hr_status_of(HR_DENIED);
    }
    if (given->n_values[THRESHOLD] > 0 &&
        !cli_number(given->values[THRESHOLD][0], TRUST_MAX_SIGNERS, &threshold)) {
        (void)fputs("headrace ca bundle: --threshold is a number up to 6\n", stderr);
        return hr_status_of(HR_MALFORMED);
    }
    bundle.version = file.n_bundles + 1;
    bundle.threshold = (uint8_t)threshold;
    HR_TRY(add_files(given, CA, authorities, add_authority, &bundle));
    HR_TRY(add_files(given, SIGNER, signers, add_signer, &bundle));
    for (size_t i = 0; i < TRUST_MAX_SIGNERS; i++) {
        bundle.signers[i] = material.signers[i];
    }
    for (size_t i = 0; i < given->n_values[NAME] && i < TRUST_MAX_NAMES; i++) {
        bundle.names[bundle.n_names++] = given->values[NAME][i];
    }
    HR_TRY(take_keys(given));
    HR_TRY(check_follows());
    return cli_trust_sign(&file, &bundle, material.keys, material.n_keys, n_new);
}

static struct hr_status sign(const struct cli_arguments *given, size_t *n_new)
{
    HR_TRY(cli_trust_read(given->values[SIGN][0], &file));
    if (file.n_bundles == 0) {
        (void)fprintf(stderr, "headrace ca bundle: there is no bundle in %s\n", file.path);
        return hr_status_of(HR_NOT_FOUND);
    }
    HR_TRY(take_keys(given));
    static uint8_t kept[TRUST_MAX_BYTES]; /* the bundle's place in the file is written anew */
    const struct trust_bundle *last = &file.bundles[file.n_bundles - 1];
    size_t len_bytes = last->body.len_bytes + 1 + last->n_signatures * (size_t)TRUST_SIGNATURE_BYTES;
    memcpy(kept, last->body.data, len_bytes);
    struct trust_bundle bundle;
    HR_TRY(trust_decode(hr_bytes_of(kept, len_bytes), &bundle));
    return cli_trust_sign(&file, &bundle, material.keys, material.n_keys, n_new);
}

static int show(const char *path, bool is_json)
{
    if (!hr_is_ok(cli_trust_read(path, &file))) {
        return CLI_FAILED;
    }
    if (file.n_bundles == 0) {
        (void)fprintf(stderr, "headrace ca bundle: there is no bundle in %s\n", path);
        return CLI_FAILED;
    }
    bool are_complete = true;
    for (uint32_t i = 0; i < file.n_bundles; i++) {
        bool is_complete = cli_trust_is_complete(&file, i);
        are_complete = are_complete && is_complete;
        cli_trust_print(&file.bundles[i], is_complete, is_json);
    }
    return are_complete ? CLI_OK : CLI_INCOMPLETE;
}

static const struct cli_option options[] = {
    {"--dir", "DIR", false, 1, "The authority's directory: the next version is made from it."},
    {"--out", "FILE", false, 1, "The file of bundles; default DIR/trust.bundle."},
    {"--ca", "FILE", false, TRUST_MAX_CA,
     "A certificate that signs aggregators; default DIR/server-ca.crt alone."},
    {"--signer", "FILE", false, TRUST_MAX_SIGNERS,
     "A certificate whose key signs bundles; default DIR/root.crt and, if there, DIR/root-b.crt."},
    {"--name", "NAME", false, TRUST_MAX_NAMES,
     "A name of aggregators; default: as each device is configured."},
    {"--threshold", "N", false, 1, "So many signers are needed; default 1."},
    {"--key", "FILE", false, CLI_REPEAT_MAX,
     "A key that signs; default DIR/root.key and DIR/root-b.key, if there."},
    {"--sign", "FILE", false, 1, "Add signatures to the newest version in FILE."},
    {"--show", "FILE", false, 1, "Show what is in FILE."},
    {"--json", NULL, false, 1, "JSON: a line for what was made, or for each version that is shown."},
    CLI_TOKEN_OPTIONS,
};

int cli_ca_bundle(int argc, char **argv)
{
    static const struct cli_usage usage = {"ca bundle", NULL, options, HR_ARRAY_LEN(options),
                                           "Makes the next version of the trust bundle: which authorities "
                                           "devices believe, and who signs the version\n"
                                           "after it. Devices take it when the signers of the version before "
                                           "and its own have signed. Exit code 2:\n"
                                           "signatures are missing."};
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    if (given.n_values[DIR] + given.n_values[SIGN] + given.n_values[SHOW] != 1) {
        (void)fputs("headrace ca bundle: one of --dir, --sign and --show\n", stderr);
        return CLI_USAGE;
    }
    if (given.n_values[SHOW] > 0) {
        return show(given.values[SHOW][0], given.n_values[JSON] > 0);
    }
    cli_token_override(&given, PKCS11);
    struct cli_path path = {.text = ""};
    size_t n_new = 0;
    struct hr_status status;
    if (given.n_values[SIGN] > 0) {
        status = sign(&given, &n_new);
    } else {
        status = cli_path_of(&path, given.values[DIR][0], "trust.bundle");
        if (hr_is_ok(status)) {
            status = make(&given, cli_option_or(&given, OUT, path.text), &n_new);
        }
    }
    for (size_t i = 0; i < material.n_keys; i++) {
        EVP_PKEY_free(material.keys[i]);
    }
    return hr_is_ok(status) ? tell(n_new, given.n_values[JSON] > 0) : CLI_FAILED;
}
