/* SPDX-License-Identifier: Apache-2.0
 *
 * An answer as records: one Document, then its Chunks (proto/SPEC.md section 3). The bytes are those that
 * came, packed by zstd where that makes them shorter. For gateways: the packed bytes are allocated. [any] */
#ifndef TAP_DOCUMENT_H
#define TAP_DOCUMENT_H

#include "proto/base/bytes.h"
#include "proto/edge/record.h"
#include "proto/wire/hash.h"

enum tap_encoding { TAP_AS_RECEIVED = 0, TAP_ZSTD = 1 };

struct tap_document {
    struct edge_document head;
    struct hr_bytes packed; /* what the chunks carry: borrowed from the body, or `owned` */
    uint8_t *owned;
    uint32_t n_given; /* records given so far: the Document, then the chunks */
};

/* Fills sha256, len_bytes, n_chunks and encoding of document->head for the body, which is borrowed until
 * tap_document_free, and makes it begin. An empty body gives no chunk and the SHA-256 of nothing. Without
 * memory to pack it in, the body goes as it was received. */
void tap_document_pack(struct tap_document *document, struct hr_bytes body, const struct wire_hash *hash);

/* The next record; HR_CLOSED: all were given. */
HR_MUST_USE struct hr_status tap_document_next(struct tap_document *document, struct edge_record *out);

void tap_document_free(struct tap_document *document);

/* Copies text of a stranger: printable ASCII as it is, other bytes as '?', cut to capacity. */
void tap_text_copy(char *out, size_t capacity_bytes, const char *text);

#endif
