/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream of documents in memory, and a reader of them that begins wherever a test likes, with batches lost,
 * retention and other devices between. One at a time. */
#ifndef DOCUMENT_LAB_H
#define DOCUMENT_LAB_H

#include "aggregator/normalize/iso/document.h"
#include "tests/support/batch_maker.h"

enum { DOCUMENT_LAB_BATCHES = 64, DOCUMENT_LAB_TOLD = 256 };

/* What came of a record that is told. */
struct document_lab_told {
    uint32_t seq, index;
    enum norm_document_outcome outcome;
    uint32_t id;
    uint8_t sha256[32];
    char text[NORM_DOCUMENT_TEXT_CHARS];
};

extern struct document_lab {
    struct batch_maker maker;
    bool is_lost[DOCUMENT_LAB_BATCHES];
    uint32_t n_made;
    uint16_t n_pending; /* records for the next batch */
    struct edge_record last_put;

    struct norm_documents documents;
    bool is_away;        /* the ledger can't be read */
    uint32_t first_kept; /* retention has deleted the batches before */
    bool is_again;       /* the reader looks at what was published */
    uint32_t n_foreign;  /* leaves of another device behind each batch */
    uint32_t n_reads;
    uint32_t n_cut, n_cut_documents;
    struct document_lab_told told[DOCUMENT_LAB_TOLD];
    uint32_t n_told;
} document_lab;

/* For cmocka: room for the reader. */
int document_lab_setup(void **state);
int document_lab_teardown(void **state);

/* ---- the stream ---- */

/* Forgets everything. */
void document_lab_start(void);
void document_lab_seal(void);
/* Seals when there are a_batch records. */
void document_lab_put(const struct edge_record *record, uint16_t a_batch);
/* The records of a document; `change` may spoil its head. a_batch records stand in a batch, at most 3. */
void document_lab_document(uint32_t id, struct hr_bytes body, uint32_t encoding, uint16_t a_batch,
                           void (*change)(struct edge_document *head));
/* A chunk of 9 bytes, of no document that is there. */
void document_lab_chunk(uint32_t id, uint32_t index);
/* Some bytes; until the next of the same length modulo 4. */
struct hr_bytes document_lab_body(uint32_t seed, size_t len_bytes);

/* ---- the reader ---- */

struct ledger_batch document_lab_batch(uint32_t seq);
/* A reader that knows nothing yet. */
void document_lab_forget(void);
void document_lab_take(uint32_t seq);
/* Knows what was read before without telling anything. */
void document_lab_recall(uint32_t seq);
void document_lab_pass_foreign(uint64_t from_leaf, uint64_t n);
/* A new reader of all batches from there on. */
void document_lab_read_from(uint32_t first);
/* Whoever begins at a later batch is told the same of it as one who read all. */
void document_lab_same_from_everywhere(void);
/* NULL: that was not told. */
const struct document_lab_told *document_lab_told(uint32_t id, enum norm_document_outcome outcome);

#endif
