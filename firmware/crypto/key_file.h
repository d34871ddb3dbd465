/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and certificates in files, for platforms that have files. Every refusal comes with a sentence that
 * names the file and says what is wrong with it. */
#ifndef CRYPTO_KEY_FILE_H
#define CRYPTO_KEY_FILE_H

#include "firmware/crypto/crypto.h"

/* Why a file was refused, for people. */
struct crypto_fault {
    char text[512];
};

/* Loads a record key as crypto_signer_load, from a file that nobody but its owner may read or write.
 * HR_DENIED: the permissions are wider. HR_NOT_FOUND: no such file. HR_IO: it can't be read. HR_MALFORMED:
 * not a P-256 private key. Writes fault on every failure. */
HR_MUST_USE struct hr_status crypto_signer_load_file(struct crypto_signer *signer, const char *path,
                                                     uint16_t key_epoch, struct crypto_fault *fault);

/* The three files of a (D)TLS client. */
struct crypto_identity {
    const char *ca_path;          /* PEM, one or more certificates that servers are checked against */
    const char *certificate_path; /* PEM, our certificate first, then intermediates */
    const char *key_path;         /* PEM private key of the certificate */
};

/* Checks that the three files are there, parse and belong together, and that the private key is its owner's
 * only. Codes as crypto_signer_load_file; HR_DENIED also for a key that is not that of the certificate. A
 * certificate past its end is not refused here: the aggregator decides about that. Writes fault on every
 * failure. */
HR_MUST_USE struct hr_status crypto_identity_check(const struct crypto_identity *identity,
                                                   struct crypto_fault *fault);

#endif
