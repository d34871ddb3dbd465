/* SPDX-License-Identifier: Apache-2.0
 *
 * The two halves of verify_envelope, for the pool, which finds the key between them. */
#ifndef VERIFY_ENVELOPE_H
#define VERIFY_ENVELOPE_H

#include "aggregator/verify/verify.h"

/* Fills out: verdict OK and the parts, or MALFORMED or UNSUPPORTED. */
void verify_split(struct hr_bytes envelope, struct verify_result *out);
/* Checks signature and root of what was split; sets the verdict. */
void verify_parts(const struct verify_key *key, struct verify_result *result);

#endif
