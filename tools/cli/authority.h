/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificate authority's directory:
 *
 *     root.crt root.key              signs the three below, and trust bundles; keep the key offline
 *     root-b.crt root-b.key          the second root: signs trust bundles, and issuers when the first can't
 * any more. Older folders have none device-ca.crt device-ca.key    signs devices; what an aggregator trusts
 * (client_ca) server-ca.crt server-ca.key    signs aggregators; what a collector trusts (ca) operator-ca.crt
 * operator-ca.key    signs operators; what an aggregator trusts for its admin API
 *
 * A .key may hold no key but say in which token it is (token_keys.h).
 *
 * Three issuers, so that nothing that may sign devices can make a server that devices believe, or an
 * operator, nor any other way round. */
#ifndef CLI_AUTHORITY_H
#define CLI_AUTHORITY_H

#include "tools/cli/files.h"
#include "tools/cli/token_keys.h"
#include "tools/cli/x509.h"

#define CLI_ROOT_B           "root-b"
#define CLI_ISSUER_DEVICES   "device-ca"
#define CLI_ISSUER_SERVERS   "server-ca"
#define CLI_ISSUER_OPERATORS "operator-ca"

/* A key made and certified by the issuer of that name in the directory. */
struct cli_certified {
    struct cli_pem key; /* wipe after use */
    struct cli_pem certificate;
};

/* Whether the issuer could sign now: its files are there, the passphrase is right, the clock can be. */
HR_MUST_USE struct hr_status cli_authority_check(const char *directory, const char *issuer_name);

HR_MUST_USE struct hr_status cli_authority_certify(const char *directory, const char *issuer_name,
                                                   const struct cli_certificate *wanted,
                                                   struct cli_certified *out);
/* A certificate of a public key that somebody else has; the caller frees it. */
HR_MUST_USE struct hr_status cli_authority_sign(const char *directory, const char *issuer_name,
                                                const struct cli_certificate *wanted, EVP_PKEY *subject_key,
                                                X509 **out);

/* Makes DIR/FILE.key and .crt and tells so on stdout; issuer_name NULL: it signs itself. HR_DENIED: one of
 * the files is there, and no force. */
HR_MUST_USE struct hr_status cli_authority_make(const char *directory, const char *file_name,
                                                const char *issuer_name, const struct cli_certificate *wanted,
                                                bool force);

/* Whether `ca init` may go on with these words: what can't be had back, an authority in --dir that --force
 * replaces, is asked for at a terminal; elsewhere --yes says it. *argc is without --yes then, which is no
 * option of the verb. False: told. */
bool cli_authority_replace_is_meant(int *argc, char **argv);

/* Calls back DIR/operator-NAME.crt; told. HR_MALFORMED, HR_IO: told, and nothing was written. */
HR_MUST_USE struct hr_status cli_operator_revoke(const char *directory, const char *name);

/* Would FILE.crt, made for `name`, take the place of an authority's own? Tells what to do. */
bool cli_authority_is_reserved(const char *verb, const char *name, const char *file);

#endif
