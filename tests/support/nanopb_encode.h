/* SPDX-License-Identifier: Apache-2.0
 *
 * nanopb's encoder, generated from record.proto: what the bytes of our own are compared with. */
#ifndef NANOPB_ENCODE_H
#define NANOPB_ENCODE_H

#include "proto/edge/record.h"

/* Results as edge_record_encode. */
HR_MUST_USE struct hr_status nanopb_encode(const struct edge_record *record, uint8_t *out,
                                           size_t capacity_bytes, size_t *len_bytes);

#endif
