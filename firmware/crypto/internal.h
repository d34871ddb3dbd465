/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_INTERNAL_H
#define CRYPTO_INTERNAL_H

#include "proto/base/status.h"

/* Readies PSA over whatever source of random numbers the platform has. HR_IO as crypto_start. */
HR_MUST_USE struct hr_status crypto_psa_start(void);

/* False before crypto_psa_start: no key may be taken yet. */
bool crypto_is_started(void);

#endif
