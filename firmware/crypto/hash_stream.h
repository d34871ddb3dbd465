/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 piece by piece. Not on boards, whose documents are records. */
#ifndef CRYPTO_HASH_STREAM_H
#define CRYPTO_HASH_STREAM_H

#include "proto/wire/hash_stream.h"

/* Static storage; crypto_start need not have been called. [any] */
const struct wire_hash_stream *crypto_hash_stream(void);

#endif
