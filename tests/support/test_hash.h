/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_HASH_H
#define TEST_HASH_H

#include "proto/wire/hash.h"

/* SHA-256 for tests of rooms that have no crypto library of their own. Static storage, may be used from any
 * thread. It is mbedTLS' plain function because that library is in every build, those of boards included. */
const struct wire_hash *test_hash(void);

#endif
