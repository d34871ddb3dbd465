/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding values that stand one behind the other, as in a block of a container file. Private to the room. */
#ifndef SCHEMA_DECODER_H
#define SCHEMA_DECODER_H

#include "aggregator/schema_registry/schema.h"

/* Sets the bytes that schema_decoder_next reads; borrowed until the next call of this. */
void schema_decoder_source(struct schema_decoder *decoder, struct hr_bytes values);
/* As schema_decoder_json for the value at the front of the source. With HR_FULL it is skipped. */
HR_MUST_USE struct hr_status schema_decoder_next(struct schema_decoder *decoder, char *out,
                                                 size_t capacity_bytes, size_t *len_bytes);

#endif
