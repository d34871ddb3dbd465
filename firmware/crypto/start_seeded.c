/* SPDX-License-Identifier: Apache-2.0
 *
 * Where nothing has random numbers but the seed that a board was given (MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG). */
#include "firmware/crypto/crypto.h"
#include "firmware/crypto/drbg.h"
#include "firmware/crypto/internal.h"

#include <psa/crypto.h>

struct hr_status crypto_start_seeded(const uint8_t seed[CRYPTO_SEED_BYTES])
{
    HR_TRY(crypto_drbg_seed(seed, CRYPTO_SEED_BYTES));
    struct hr_status status = crypto_psa_start();
    if (!hr_is_ok(status)) {
        crypto_drbg_forget();
    }
    return status;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context, uint8_t *output,
                                             size_t output_size, size_t *output_length)
{
    (void)context;
    if (!hr_is_ok(crypto_drbg_fill(output, output_size))) {
        return PSA_ERROR_INSUFFICIENT_ENTROPY;
    }
    *output_length = output_size;
    return PSA_SUCCESS;
}
