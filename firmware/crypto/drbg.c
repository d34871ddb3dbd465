/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/drbg.h"

#include <mbedtls/hmac_drbg.h>
#include <string.h>

static mbedtls_hmac_drbg_context drbg;
static bool has_seed;

void crypto_drbg_forget(void)
{
    if (has_seed) {
        mbedtls_hmac_drbg_free(&drbg);
    }
    has_seed = false;
}

struct hr_status crypto_drbg_seed(const uint8_t *seed, size_t len_bytes)
{
    crypto_drbg_forget();
    mbedtls_hmac_drbg_init(&drbg);
    if (mbedtls_hmac_drbg_seed_buf(&drbg, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), seed, len_bytes) !=
        0) {
        mbedtls_hmac_drbg_free(&drbg);
        return hr_status_of(HR_IO);
    }
    has_seed = true;
    return hr_ok();
}

struct hr_status crypto_drbg_fill(uint8_t *out, size_t len_bytes)
{
    bool failed = !has_seed;
    for (size_t at = 0; at < len_bytes && !failed; at += MBEDTLS_HMAC_DRBG_MAX_REQUEST) {
        size_t left_bytes = len_bytes - at;
        size_t part_bytes =
            left_bytes < MBEDTLS_HMAC_DRBG_MAX_REQUEST ? left_bytes : MBEDTLS_HMAC_DRBG_MAX_REQUEST;
        failed = mbedtls_hmac_drbg_random(&drbg, out + at, part_bytes) != 0;
    }
    if (failed) {
        memset(out, 0, len_bytes);
        return hr_status_of(HR_DENIED);
    }
    return hr_ok();
}
