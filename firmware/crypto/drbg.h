/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers out of a seed, for platforms that have no source of their own: HMAC_DRBG with SHA-256 (NIST
 * SP 800-90A 10.1.2), never reseeded, because a boot ends long before 2^48 requests. One generator. [loop] */
#ifndef CRYPTO_DRBG_H
#define CRYPTO_DRBG_H

#include "proto/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Starts it anew. HR_IO: out of memory, and it is as without a seed. Nothing is kept of the seed. */
HR_MUST_USE struct hr_status crypto_drbg_seed(const uint8_t *seed, size_t len_bytes);

/* HR_DENIED: it has no seed; out is zeros. */
HR_MUST_USE struct hr_status crypto_drbg_fill(uint8_t *out, size_t len_bytes);

/* Forgets the seed. */
void crypto_drbg_forget(void);

#endif
