/* SPDX-License-Identifier: Apache-2.0
 *
 * What was published of a leaf, as bytes (feed_span.notes): for each event its feed, its record and output,
 * how often it was corrected, and what it said (norm_content_of). A replay compares with it, so that it knows
 * what changed without reading it back from the sink. About 8 bytes an event. Pure. [any]
 *
 * A leaf is u32 n_runs and the runs; a run is u32 feed, u16 record, u16 output, u8 flags, u16 n, and n times
 * u64 content and, with AGG_RUN_REVISED, u16 revision. The record rises by 1 from one event of a run to the
 * next, with AGG_RUN_OUTPUTS the output does. With AGG_RUN_FAR another u16 follows n: the high half of the
 * first output. */
#ifndef AGG_NOTES_H
#define AGG_NOTES_H

#include "aggregator/io/normalizer.h"
#include "proto/base/cursor.h"

enum {
    AGG_RUN_OUTPUTS = 1,
    AGG_RUN_REVISED = 2,
    AGG_RUN_FAR = 4,
    /* The payload of an envelope is below 64 KB and an event takes a byte of it or more, but for those of
     * documents, which have a bound of their own. */
    AGG_LEAF_MAX_NOTES = 65536 + NORM_DOCUMENT_EVENTS_MAX,
    AGG_LEAF_NOTES_MAX_BYTES =
        7 << 19, /* room for all of them, unless most change feed from one to the next */
};

/* Published by normalizers that are gone: differs from everything. */
#define AGG_CONTENT_UNKNOWN UINT64_C(0)

struct agg_note {
    uint32_t feed; /* agg_feed_id of its topic */
    uint16_t record;
    uint32_t output;
    uint16_t revision; /* stays at 65535 */
    uint64_t content;
};

/* Writes leaves one behind the other. */
struct agg_notes_writer {
    struct hr_writer out;
    size_t leaf_at; /* of the open leaf */
    size_t run_at;  /* of the open run's header */
    uint32_t n_runs;
    uint32_t n_notes;  /* of the open leaf */
    uint64_t n_beyond; /* events without a note, of all leaves */
    uint16_t n;        /* events in the open run */
    uint8_t flags;
    struct agg_note next; /* that would go on in the open run */
};

/* FNV-1a of the topic's name. */
uint32_t agg_feed_id(const char *topic);

void agg_notes_begin(struct agg_notes_writer *writer);
/* A leaf that has AGG_LEAF_MAX_NOTES or AGG_LEAF_NOTES_MAX_BYTES takes no more: what events say that have no
 * note is unknown, so a replay publishes them again. */
void agg_notes_add(struct agg_notes_writer *writer, const struct agg_note *note);
/* Ends the leaf. HR_FULL: it or something before did not fit. */
HR_MUST_USE struct hr_status agg_notes_end(struct agg_notes_writer *writer);

/* Orders the notes of a leaf by record, output and feed, without memory of its own: n log n, or n when they
 * are in order already, as they are unless a replay added to them. */
void agg_notes_sort(struct agg_note *notes, uint32_t n_notes);
/* Among notes that are in order, the one of that feed, record and output; NULL: none. */
struct agg_note *agg_notes_find(struct agg_note *notes, uint32_t n_notes, const struct agg_note *wanted);

/* Reads the next leaf into notes, at most AGG_LEAF_MAX_NOTES of them. HR_CORRUPT: no notes. */
HR_MUST_USE struct hr_status agg_notes_next(struct hr_reader *in, struct agg_note *notes, uint32_t *n_notes);

#endif
