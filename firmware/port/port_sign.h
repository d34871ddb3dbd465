/* SPDX-License-Identifier: Apache-2.0
 *
 * The record key, behind a door: the core asks for a signature and never sees the key. */
#ifndef PORT_SIGN_H
#define PORT_SIGN_H

#include "proto/base/status.h"
#include "proto/wire/batch.h"

struct port_sign {
    uint16_t key_epoch;
    uint8_t spki_sha256[WIRE_DIGEST_BYTES]; /* of the public key's SubjectPublicKeyInfo in DER */
    /* ES256 over the bytes (hashed inside, deterministic as RFC 6979 where the platform can): raw r || s.
     * HR_IO: the key store failed, nothing was written. May take hundreds of milliseconds on a
     * microcontroller. [loop] */
    HR_MUST_USE struct hr_status (*sign)(void *ctx, struct hr_bytes message,
                                         uint8_t signature[WIRE_SIGNATURE_BYTES]);
    void *ctx;
};

#endif
