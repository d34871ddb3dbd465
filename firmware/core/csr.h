/* SPDX-License-Identifier: Apache-2.0
 *
 * A certification request (RFC 2986) of a P-256 key, as a device makes it: its subject is the serial of the
 * hardware and nothing else, and its signature is ECDSA with SHA-256 (RFC 5758). [any] */
#ifndef FW_CSR_H
#define FW_CSR_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"
#include "proto/wire/batch.h"

enum { FW_SPKI_BYTES = 91, FW_CSR_SERIAL_MAX_CHARS = 63, FW_CSR_MAX_BYTES = 320 };

/* What is to be signed: the CertificationRequestInfo. Asserts that the serial is not empty and not too long.
 */
size_t fw_csr_info(const char *serial, const uint8_t spki[FW_SPKI_BYTES], uint8_t out[FW_CSR_MAX_BYTES]);

/* The request, of the info and its signature r || s. `out` may not be where info is. */
size_t fw_csr_make(struct hr_bytes info, const uint8_t signature[WIRE_SIGNATURE_BYTES],
                   uint8_t out[FW_CSR_MAX_BYTES]);

#endif
