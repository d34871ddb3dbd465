/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/crypto/crypto.h"
#include "firmware/crypto/internal.h"

#include "proto/base/assert.h"

#include <psa/crypto.h>

static bool is_started;

struct hr_status crypto_psa_start(void)
{
    is_started = psa_crypto_init() == PSA_SUCCESS;
    return is_started ? hr_ok() : hr_status_of(HR_IO);
}

bool crypto_is_started(void)
{
    return is_started;
}

static uint32_t random_u32(void *ctx)
{
    (void)ctx;
    uint32_t number = 0;
    HR_ASSERT(is_started);
    HR_ASSERT(psa_generate_random((uint8_t *)&number, sizeof number) == PSA_SUCCESS);
    return number;
}

const struct port_random *crypto_random(void)
{
    static const struct port_random random = {random_u32, NULL};
    return &random;
}
