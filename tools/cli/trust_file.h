/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of trust bundles, one behind another, as `headrace ca bundle` makes it and an aggregator hands it
 * out. Failures are told on stderr. */
#ifndef CLI_TRUST_FILE_H
#define CLI_TRUST_FILE_H

#include "proto/image/image.h"
#include "proto/trust/trust.h"
#include "tools/cli/x509.h"

enum { CLI_TRUST_MAX_BUNDLES = 64, CLI_TRUST_FILE_MAX_BYTES = CLI_TRUST_MAX_BUNDLES * TRUST_MAX_BYTES };

struct cli_trust_file {
    const char *path;
    size_t len_bytes;
    uint32_t n_bundles;
    struct trust_bundle
        bundles[CLI_TRUST_MAX_BUNDLES]; /* slices of bytes; from version 1 on, rising by one */
    uint8_t bytes[CLI_TRUST_FILE_MAX_BYTES];
};

/* No file is one without a bundle. HR_MALFORMED: something in it is no bundle, or out of order. */
HR_MUST_USE struct hr_status cli_trust_read(const char *path, struct cli_trust_file *out);

/* Whether bundle i may be followed: signed by its own signers, and by those of the one before. */
bool cli_trust_is_complete(const struct cli_trust_file *file, uint32_t i);

/* The newest bundle that may be followed, with which a device begins; NULL: there is none. */
const struct trust_bundle *cli_trust_newest(const struct cli_trust_file *file);

/* Has the identity of a board that follows bundles begin with this one. */
void cli_trust_begin(const struct trust_bundle *bundle, struct image_identity *identity);

/* Whether this is a signature of the bundle by a key with this SPKI. */
bool cli_trust_is_signed_by(const struct trust_bundle *bundle, const uint8_t spki[TRUST_SPKI_BYTES]);

/* Signs the bundle and writes the file with it as the newest: behind those that are there, or in the place of
 * the same version. Keys that sign nothing that counts, for the signers of the bundle or of the one before,
 * are told and left out. *n_new: signatures added. */
HR_MUST_USE struct hr_status cli_trust_sign(struct cli_trust_file *file, struct trust_bundle *bundle,
                                            EVP_PKEY *const *keys, size_t n_keys, size_t *n_new);

#endif
