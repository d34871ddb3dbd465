/* SPDX-License-Identifier: Apache-2.0
 *
 * What may stand as text in a record, in a ledger and in JSON. [any] */
#ifndef HR_TEXT_H
#define HR_TEXT_H

#include "proto/base/bytes.h"

#include <stdbool.h>

/* True when text is UTF-8 (RFC 3629) without control characters; an empty one is. Doubts every byte. */
bool hr_text_ok(struct hr_bytes text);

#endif
