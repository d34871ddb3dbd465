/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures and their checks are pure functions of their input here (ECDSA is deterministic), and cost more
 * than everything else of a simulation that walks the same way a thousand times. Each is computed once for a
 * test program, by the real code, and found again by the hash of its whole input. */
#ifndef SIGNATURE_MEMO_H
#define SIGNATURE_MEMO_H

#include "aggregator/verify/verify.h"
#include "tests/support/keys_model.h"

/* From now on the signers of the pool remember. Until keys_pool_empty. */
void signature_memo_sign(struct keys_pool *pool);
/* What verify_envelope says of the envelope and the key with that SPKI. */
enum wire_ack_status signature_memo_verdict(const struct verify_key *key, struct hr_bytes spki,
                                            struct hr_bytes envelope);
/* verify_proof_holds. */
bool signature_memo_holds(struct hr_bytes spki, struct hr_bytes message,
                          const uint8_t signature[WIRE_SIGNATURE_BYTES]);

#endif
