/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents out of the log. A gateway's answer of an operator is a Document record and then its Chunks
 * (proto/SPEC.md section 3), spread over several batches of one stream; what it says comes of the record that
 * ends it, with what the earlier batches hold. Those are read again, so the same log gives the same documents
 * wherever a reader begins; memory only saves the search for a Document that was seen on the way. [any] */
#ifndef NORM_DOCUMENT_H
#define NORM_DOCUMENT_H

#include "aggregator/io/normalizer.h"
#include "proto/wire/hash.h"

enum {
    NORM_DOCUMENT_MAX_BYTES = 64 << 20, /* of a body, and of what its chunks hold */
    NORM_DOCUMENT_MAX_CHUNKS = NORM_DOCUMENT_MAX_BYTES / EDGE_CHUNK_MAX_BYTES,
    NORM_DOCUMENT_REACH_BATCHES = 16384, /* of one stream, from a Document to its last chunk */
    NORM_DOCUMENT_PLACES = 1024,
    NORM_DOCUMENT_HOLDS = 256,
    NORM_DOCUMENT_PATIENCE_LEAVES = 65536, /* a document of which nothing came for so long is given up */
    NORM_DOCUMENT_TEXT_CHARS = 96,
};

enum norm_document_outcome {
    NORM_DOCUMENT_NOTHING,    /* a record in the middle or behind the end, or of what is no content */
    NORM_DOCUMENT_HEAD,       /* a Document record; see norm_document_kind_of */
    NORM_DOCUMENT_WHOLE,      /* the last chunk of content: head and body are filled */
    NORM_DOCUMENT_BROKEN,     /* it can't be had, for a reason that the log holds: `text` says which */
    NORM_DOCUMENT_CUT,        /* its beginning is one that retention deleted: nobody can say what it said */
    NORM_DOCUMENT_UNREADABLE, /* the earlier batches can't be read now, or there is no memory; their owner
                                 knows */
};

/* What a Document record stands for. */
enum norm_document_kind {
    NORM_DOCUMENT_CONTENT,   /* chunks follow, and hold what the operator published */
    NORM_DOCUMENT_UNCHANGED, /* what was published before */
    NORM_DOCUMENT_EMPTY,     /* an answer without a body */
    NORM_DOCUMENT_FAULTY,    /* cut off, too long or not what was asked for */
    NORM_DOCUMENT_REFUSED,   /* the operator said no */
    NORM_DOCUMENT_UNANSWERED,
    NORM_DOCUMENT_KIND_COUNT,
};

enum norm_document_kind norm_document_kind_of(const struct edge_document *head);
const char *norm_document_kind_name(enum norm_document_kind kind); /* "content" */

struct norm_document_found {
    enum norm_document_outcome outcome;
    bool has_head;                       /* BROKEN: without one, only document_id of head is filled */
    bool is_first;                       /* CUT: it was not told before; each record is */
    struct edge_document head;           /* HEAD, WHOLE, BROKEN; CUT: document_id */
    struct hr_bytes body;                /* WHOLE; until the next call */
    char text[NORM_DOCUMENT_TEXT_CHARS]; /* BROKEN */
};

/* Where the document of a stream's last record begins, or that its beginning is not there (any more). */
struct norm_document_place {
    enum { NORM_PLACE_FREE, NORM_PLACE_KNOWN, NORM_PLACE_ABSENT, NORM_PLACE_CUT } state;
    uint64_t device_id;
    uint64_t leaf; /* of the record that `seq` names */
    uint32_t stream, boot_id, document_id;
    uint32_t seq;      /* of the batch with the Document; ABSENT, CUT: with a chunk */
    uint32_t n_chunks; /* 0: nobody wants them */
    bool is_ended;
    bool is_held;       /* of another moment of the log: tells retention what to leave, and nobody else */
    uint64_t last_leaf; /* with a chunk of it */
};

/* Leaves that a document spans which has ended, or whose place another one took; one for a from_leaf. */
struct norm_document_hold {
    uint64_t from_leaf;
    uint64_t end_leaf; /* is in it; of a document that has not ended, where patience ends */
};

struct norm_documents {
    const struct wire_hash *hash;
    uint8_t *packed; /* NORM_DOCUMENT_MAX_BYTES each */
    uint8_t *body;
    uint64_t leaf; /* of the last batch */
    struct norm_document_place places[NORM_DOCUMENT_PLACES];
    struct norm_document_hold holds[NORM_DOCUMENT_HOLDS];
    uint32_t n_holds;
    struct edge_record record; /* of an earlier batch, while it is looked at */
};

/* `packed` and `body` have NORM_DOCUMENT_MAX_BYTES each and are kept, as is hash. */
void norm_documents_init(struct norm_documents *documents, const struct wire_hash *hash, uint8_t *packed,
                         uint8_t *body);
/* A batch whose records come next, of whatever kinds: leaves that follow each other are what lets memory
 * answer. */
void norm_documents_batch(struct norm_documents *documents, uint64_t leaf);
/* The next record of kind EDGE_DOCUMENT or EDGE_CHUNK of the batch. *out is large; its outcome is always
 * written. */
void norm_documents_take(struct norm_documents *documents, const struct norm_input *input,
                         const struct edge_record *record, uint32_t record_index,
                         struct norm_document_found *out);
/* As norm_documents_take of a record that was told before this memory was made: puts nothing together. When
 * the past can't be read its owner knows, and the batch comes again. */
void norm_documents_recall(struct norm_documents *documents, const struct norm_input *input,
                           const struct edge_record *record);

/* For needs_from of struct normalizer: where the first document begins that is open, or ended at `since` or
 * later. Known is what went by, or was recalled, since norm_documents_init; a document of which nothing came
 * in the NORM_DOCUMENT_PATIENCE_LEAVES before `since` is given up. */
uint64_t norm_documents_needs(struct norm_documents *documents, uint64_t since);

#endif
