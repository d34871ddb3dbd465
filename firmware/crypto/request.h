/* SPDX-License-Identifier: Apache-2.0
 *
 * Transport keys that a device makes itself, and requests for their certificates (PKCS#10, RFC 2986), for
 * platforms that have files. All asks for crypto_start. */
#ifndef CRYPTO_REQUEST_H
#define CRYPTO_REQUEST_H

#include "firmware/crypto/device_key.h"
#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum { CRYPTO_KEY_PEM_MAX_BYTES = 512, CRYPTO_REQUEST_MAX_BYTES = 512 };

/* Makes a P-256 key, as PEM with a NUL. HR_IO: no random numbers, or no memory. Wipe it after use. */
HR_MUST_USE struct hr_status crypto_transport_key_make(char out[CRYPTO_KEY_PEM_MAX_BYTES]);

/* A request of the key (PEM with its NUL) for the name, in DER. HR_MALFORMED: no P-256 key. HR_IO: it can't
 * be made. */
HR_MUST_USE struct hr_status crypto_request_make(const char *key_pem, const char *common_name,
                                                 uint8_t out[CRYPTO_REQUEST_MAX_BYTES], size_t *len_bytes);

/* Whether the certificate (DER) is of the key (PEM with its NUL). */
bool crypto_certificate_is_of_pem(struct hr_bytes certificate, const char *key_pem);

/* Of the first certificate of a PEM file. HR_IO: it can't be read. */
HR_MUST_USE struct hr_status crypto_certificate_file_read(const char *path,
                                                          struct crypto_certificate_facts *out);

#endif
