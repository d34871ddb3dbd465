/* SPDX-License-Identifier: Apache-2.0
 *
 * An answer as records: one Document, then its Chunks (proto/SPEC.md section 3). The bytes are those that
 * came, packed by zstd where that makes them shorter. They are packed while they come and go to a file
 * without a name, so that a document of any length takes some 400 KB of memory while it comes and none
 * afterwards. What is not longer than TAP_DOCUMENT_FIRST_BYTES meets neither file nor heap. For gateways.
 * [any] */
#ifndef TAP_DOCUMENT_H
#define TAP_DOCUMENT_H

#include "proto/base/bytes.h"
#include "proto/edge/record.h"
#include "proto/wire/hash_stream.h"

#include <stdio.h>

enum tap_encoding { TAP_AS_RECEIVED = 0, TAP_ZSTD = 1 };

enum { TAP_DOCUMENT_FIRST_BYTES = 4096 };

/* An all-zero one holds nothing and may be freed. Members other than `head` are private. */
struct tap_document {
    struct edge_document head;
    uint32_t n_given; /* records given so far: the Document, then the chunks */
    const struct wire_hash_stream *hash;
    struct wire_hash_state digest;
    const char *folder;
    FILE *file;   /* NULL: everything is in `first` */
    void *packer; /* NULL: bytes go as they come */
    uint64_t len_bytes;
    size_t n_first; /* bytes in `first` */
    uint8_t first[TAP_DOCUMENT_FIRST_BYTES];
};

/* Makes it empty and ready for bytes; it was freed before. Both pointers are kept. `folder` takes files that
 * have no name and are gone with the process. */
void tap_document_begin(struct tap_document *document, const char *folder,
                        const struct wire_hash_stream *hash);

/* The next bytes. HR_IO: the folder takes no file, the disk is full, or memory is short; errno tells. Then it
 * can only be freed. */
HR_MUST_USE struct hr_status tap_document_add(struct tap_document *document, struct hr_bytes bytes);

/* How a body begins: all of it when it is not longer than this. Borrowed until the next call. */
struct hr_bytes tap_document_first(const struct tap_document *document);

/* Fills sha256, len_bytes, n_chunks and encoding of document->head; no byte is added afterwards. An empty
 * body gives no chunk and the SHA-256 of nothing. HR_IO as tap_document_add. */
HR_MUST_USE struct hr_status tap_document_end(struct tap_document *document);

/* The next record; HR_CLOSED: all were given. HR_IO: what was kept can't be read again. */
HR_MUST_USE struct hr_status tap_document_next(struct tap_document *document, struct edge_record *out);

/* Lets go of file and memory; head stays. */
void tap_document_free(struct tap_document *document);

/* Copies text of a stranger: printable ASCII as it is, other bytes as '?', cut to capacity. */
void tap_text_copy(char *out, size_t capacity_bytes, const char *text);

#endif
