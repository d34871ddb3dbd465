/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CRYPTO_INTERNAL_H
#define CRYPTO_INTERNAL_H

#include "proto/base/status.h"

/* Readies PSA over whatever source of random numbers the platform has. HR_IO as crypto_start. */
HR_MUST_USE struct hr_status crypto_psa_start(void);

struct mbedtls_x509_crt;
struct crypto_certificate_facts;
/* What a parsed certificate says. */
void crypto_facts_of(const struct mbedtls_x509_crt *certificate, struct crypto_certificate_facts *out);

/* False before crypto_psa_start: no key may be taken yet. */
bool crypto_is_started(void);

#endif
