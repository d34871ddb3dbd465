/* SPDX-License-Identifier: Apache-2.0
 *
 * This machine's clock beside the times that certificates say: one that is wrong by years would make
 * certificates that nobody believes. */
#ifndef CLI_VALIDITY_H
#define CLI_VALIDITY_H

#include "proto/base/status.h"

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_DAY_CHARS = 16 };

/* "2026-11-22", of UTC seconds; "?" where there is no such day. */
void cli_day_of(int64_t utc_s, char out[CLI_DAY_CHARS]);
/* The same of a certificate's time. */
void cli_day_of_certificate(const ASN1_TIME *time, char out[CLI_DAY_CHARS]);

/* Whether this clock can be right at all, which says nothing from 2024 on. HR_DENIED: told on stderr, with
 * what to do. */
HR_MUST_USE struct hr_status cli_validity_clock(void);

/* Whether `path`, an issuer's certificate, may sign today by this clock. HR_DENIED: as above. */
HR_MUST_USE struct hr_status cli_validity_issuer(const char *path, const X509 *certificate);

/* Whether somebody's own certificate is valid today by this clock; else `why` has what it says, and what to
 * do. */
bool cli_validity_own(const char *path, const X509 *certificate, char *why, size_t capacity);

/* Whether this clock and an aggregator's, 0: it did not tell, are within a day of each other, by which
 * certificates are dated back. HR_DENIED: as above. */
HR_MUST_USE struct hr_status cli_validity_beside(const char *verb, int64_t aggregator_utc_s);

#endif
