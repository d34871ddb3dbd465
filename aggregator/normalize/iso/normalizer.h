/* SPDX-License-Identifier: Apache-2.0
 *
 * The normalizer of operators' documents: Document and Chunk records to events of iso.* and anomalies. The
 * events of a document are those of the record that ends it, in the order of its rows; what it says is that
 * of `headrace feeds test` for the same payload. It needs norm_input.past for documents of several batches.
 *
 * With norm_input.memory a row that says of its observation what was said last gives no event, but keeps its
 * output index: event n of a document is its row n for ever, whatever is remembered. One that says something
 * else is an event of the next revision. */
#ifndef NORM_ISO_NORMALIZER_H
#define NORM_ISO_NORMALIZER_H

#include "aggregator/normalize/iso/document.h"
#include "aggregator/normalize/iso/event.h"

enum {
    NORM_ISO_N_TOPICS =
        (int)NORM_ISO_COUNT * (int)NORM_ISO_PRODUCT_COUNT + 1, /* of events, with the anomalies' */
    NORM_ISO_BASIS_CHARS = 19,
    NORM_ISO_ANOMALIES_MAX = 256, /* of one document that become events; the rest is counted in one more */
};

/* What an inspector found. Borrowed during the call. */
struct norm_iso_found {
    const char *finding;         /* "range", ... */
    struct hr_bytes text;        /* for people */
    const char *observation_key; /* of the row; NULL: not of one row */
};

/* Looks at the rows of a document before they become events. What it finds must follow from the document and
 * this build alone, for it becomes events, and those of a replay are the same. Only why a row is quarantined
 * may depend on what came before: that counts neither for an event's identity nor for its content. */
struct norm_iso_inspector {
    void (*begin)(void *ctx, const struct norm_iso_feed *feed);
    /* Why the row is quarantined; NULL: it is not. Static storage. */
    const char *(*row)(void *ctx, const struct norm_iso_row *row);
    /* Tells what was found in the document, which has ended. */
    void (*end)(void *ctx, void (*tell)(void *tell_ctx, const struct norm_iso_found *found), void *tell_ctx);
    uint64_t digest; /* of what else its findings follow from: the rules */
    void *ctx;
};

struct norm_iso_config {
    const struct norm_zones *zones; /* kept, as are hash and memory */
    const struct wire_hash *hash;
    void *memory; /* norm_iso_memory_bytes(), aligned as malloc's; pages that nobody touched yet are best */
    const struct norm_iso_inspector *inspector; /* kept; NULL: none */
};

/* What became of documents since start, each once however often its batch comes; but for `cut`, replays count
 * nothing. */
struct norm_iso_counts {
    uint64_t documents[NORM_DOCUMENT_KIND_COUNT]; /* Document records */
    uint64_t normalized;                          /* content that was whole */
    uint64_t cut;                                 /* passed over by replays: retention took the beginning */
    uint64_t broken;                              /* content that could not be put together */
    uint64_t rows;                                /* read out of documents */
    uint64_t unchanged;                           /* of them: said before, so no event */
    uint64_t corrected;                           /* of them: events of a revision above 0 */
    uint64_t anomalies;
};

/* Large, and must not move. One thread. */
struct norm_iso_normalizer {
    struct normalizer normalizer;
    struct norm_iso_config config;
    struct norm_iso_work *work;
    struct norm_documents documents;
    struct norm_document_found found;
    const struct norm_schema *schemas[NORM_ISO_N_TOPICS];
    char basis[NORM_ISO_BASIS_CHARS + 1]; /* "z1a2b3c4d+r5e6f7a8b": zones and rules */
    struct norm_iso_counts counts;
    struct norm_iso_counts repeats;   /* of batches that were counted */
    struct norm_iso_counts *counting; /* one of these, for the batch at hand */
    struct norm_iso_counts before;    /* it */
    uint64_t next_leaf;               /* from it on nothing was counted */
    uint32_t n_events;                /* of the batch at hand */
};

/* Some 170 MB of address space, of which a document touches what it needs. */
size_t norm_iso_memory_bytes(void);
/* Fills iso->normalizer, source "iso". The configuration is copied. */
void norm_iso_init(struct norm_iso_normalizer *iso, const struct norm_iso_config *config);

/* Topics of events by number, for whoever lists them; number < NORM_ISO_N_TOPICS. */
const struct norm_schema *norm_iso_topic(size_t number);

#endif
