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

enum { CRYPTO_KEY_FILE_MAX_BYTES = 2000 };

/* Reads a key file that nobody but its owner may read or write, and puts a zero behind it. Codes as below.
 * Wipe `out` (hr_wipe) after use. */
HR_MUST_USE struct hr_status crypto_key_file_read(const char *path,
                                                  uint8_t out[CRYPTO_KEY_FILE_MAX_BYTES + 1],
                                                  size_t *len_bytes, struct crypto_fault *fault);

/* Loads a record key as crypto_signer_load, from a file that nobody but its owner may read or write.
 * HR_DENIED: the permissions are wider. HR_NOT_FOUND: no such file. HR_IO: it can't be read. HR_MALFORMED:
 * not a P-256 private key. Writes fault on every failure. */
HR_MUST_USE struct hr_status crypto_signer_load_file(struct crypto_signer *signer, const char *path,
                                                     uint16_t key_epoch, struct crypto_fault *fault);

/* Checks that the file holds certificates in PEM. One past its end is not refused here: whom it is shown to
 * decides about that. HR_NOT_FOUND, HR_IO, HR_MALFORMED as above. */
HR_MUST_USE struct hr_status crypto_certificates_check(const char *path, struct crypto_fault *fault);

/* A certificate in DER, and nothing behind it. HR_MALFORMED: it is none. */
HR_MUST_USE struct hr_status crypto_certificate_check_der(struct hr_bytes der);

enum { CRYPTO_CERTIFICATE_PEM_MAX_BYTES = 1024 }; /* of one of 640 bytes */

/* Writes it as PEM with a NUL, which *len_bytes does not count. HR_FULL: it does not fit. */
HR_MUST_USE struct hr_status crypto_certificate_pem(struct hr_bytes der, char *out, size_t capacity_bytes,
                                                    size_t *len_bytes);

/* Checks that the key file is its owner's only, and holds the private key of the first certificate of the
 * other file, which passed crypto_certificates_check. Codes as crypto_signer_load_file; HR_DENIED also for
 * another key. */
HR_MUST_USE struct hr_status crypto_key_pair_check(const char *certificate_path, const char *key_path,
                                                   struct crypto_fault *fault);

#endif
