/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that a device makes for itself, and what it looks at before it takes a certificate. The same on boards
 * and gateways. [loop] */
#ifndef CRYPTO_DEVICE_KEY_H
#define CRYPTO_DEVICE_KEY_H

#include "firmware/crypto/crypto.h"

enum {
    CRYPTO_KEY_BYTES = 121, /* DER ECPrivateKey (RFC 5915) on P-256, with its public half */
    CRYPTO_DEVICE_NAME_CHARS = 32,
};

/* What a certificate says of itself. */
struct crypto_certificate_facts {
    uint64_t begins_s; /* seconds since 1970 */
    uint64_t ends_s;
    uint8_t spki_sha256[WIRE_DIGEST_BYTES];
};

/* Fills out from the library's generator. HR_IO: it has nothing. */
HR_MUST_USE struct hr_status crypto_random_fill(uint8_t *out, size_t len_bytes);

/* A new key, which the library keeps nothing of. HR_DENIED: the library was not started. HR_IO: it can't.
 * Wipe `out` (hr_wipe) after use. May take hundreds of milliseconds on a microcontroller. */
HR_MUST_USE struct hr_status crypto_key_new(uint8_t out[CRYPTO_KEY_BYTES]);

/* Is this a certificate of the public key? HR_MALFORMED: it is none. HR_DENIED: of another key. */
HR_MUST_USE struct hr_status crypto_certificate_is_of(struct hr_bytes certificate,
                                                      const uint8_t spki[CRYPTO_SPKI_BYTES]);
/* Is its subject this common name and nothing else? HR_MALFORMED: it is no certificate. HR_DENIED: another.
 */
HR_MUST_USE struct hr_status crypto_certificate_names(struct hr_bytes certificate, const char *common_name);
/* HR_MALFORMED: it is no certificate. */
HR_MUST_USE struct hr_status crypto_certificate_read(struct hr_bytes certificate,
                                                     struct crypto_certificate_facts *out);
/* The common name of a device's certificates (proto/SPEC.md 4.11): "headrace-device-" and 16 hexadecimal
 * digits, with a NUL. */
void crypto_device_name(uint64_t device_id, char out[CRYPTO_DEVICE_NAME_CHARS + 1]);
/* Is this a certificate of an authority? HR_MALFORMED: it is none. */
HR_MUST_USE struct hr_status crypto_certificate_signs(struct hr_bytes certificate);

#endif
