/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGNATURE_VECTOR_H
#define SIGNATURE_VECTOR_H

#include "proto/wire/batch.h"

/* The shared test vector of the batch signature, made with mbedTLS and verified with OpenSSL. */
struct signature_vector {
    uint8_t private_key[32];
    uint8_t spki_sha256[WIRE_DIGEST_BYTES];
    uint8_t header[WIRE_HEADER_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
};

/* Reads tests/vectors/signature.txt; ends the test program when a line is missing. */
void signature_vector_load(struct signature_vector *out);

#endif
