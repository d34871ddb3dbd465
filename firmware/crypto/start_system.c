/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the operating system has random numbers, PSA asks it for them. */
#include "firmware/crypto/crypto.h"
#include "firmware/crypto/internal.h"

struct hr_status crypto_start(void)
{
    return crypto_psa_start();
}
