/* SPDX-License-Identifier: Apache-2.0
 *
 * The search for the record that a document begins with, in the earlier batches of its stream. */
#include "aggregator/normalize/iso/document_internal.h"

#include <string.h>

enum {
    SEARCH_FIRST_BATCHES = 16, /* that are read at once */
    SEARCH_BATCHES = 64,
};

void norm_look_at_batch(void *ctx, const struct ledger_batch *batch)
{
    struct norm_look *look = ctx;
    struct wire_envelope envelope;
    bool is_envelope = hr_is_ok(wire_envelope_split(batch->envelope, &envelope));
    if (!is_envelope || envelope.header.boot_id != look->boot_id) {
        look->is_other_boot = true;
        return;
    }
    struct hr_reader payload = hr_reader_over(envelope.payload);
    struct edge_record *record = &look->documents->record;
    struct hr_bytes raw;
    for (uint32_t i = 0; i < look->n_records && hr_is_ok(wire_record_next(&payload, &raw)); i++) {
        bool is_record = hr_is_ok(edge_record_decode(raw, record));
        if (is_record && (record->kind == EDGE_DOCUMENT || record->kind == EDGE_CHUNK)) {
            look->record(look->ctx, batch, record);
        }
    }
}

uint32_t norm_document_of(const struct edge_record *record)
{
    return record->kind == EDGE_DOCUMENT ? record->as.document.document_id : record->as.chunk.document_id;
}

/* The search for a Document: backwards, range by range, each of them read forwards. */
struct search {
    struct norm_look look;
    uint32_t document_id;
    bool is_found;         /* place has it */
    bool is_stopped;       /* something else than the document was there: what is before is none of it */
    bool has_chunk;        /* behind that */
    uint32_t earliest_seq; /* of the batches that are there */
    struct norm_document_place place;
};

static void stop_search(struct search *search)
{
    search->is_found = false;
    search->is_stopped = true;
    search->has_chunk = false;
}

static void search_record(void *ctx, const struct ledger_batch *batch, const struct edge_record *record)
{
    struct search *search = ctx;
    if (norm_document_of(record) != search->document_id) {
        stop_search(search);
    } else if (record->kind == EDGE_CHUNK) {
        search->has_chunk = true;
    } else {
        search->is_found = true;
        search->place.seq = batch->seq;
        search->place.leaf = batch->leaf;
        search->place.n_chunks = norm_document_wanted_chunks(&record->as.document);
    }
}

static void search_batch(void *ctx, const struct ledger_batch *batch)
{
    struct search *search = ctx;
    search->earliest_seq = batch->seq < search->earliest_seq ? batch->seq : search->earliest_seq;
    norm_look_at_batch(&search->look, batch);
    if (search->look.is_other_boot) {
        search->look.is_other_boot = false;
        stop_search(search);
    }
}

/* Below the earliest batch that is there, others of the stream are not. Retention takes what is old, so all
 * of them may have been there; whoever sees the document for the first time is left what it needs. */
static bool is_cut(const struct search *search, const struct norm_past *past, uint32_t last_seq)
{
    bool may_be = !search->is_found && !search->is_stopped && search->earliest_seq > last_seq;
    return may_be && past->edge != NULL && past->edge->is_there(past->ctx);
}

bool norm_document_search(struct norm_documents *documents, const struct norm_input *input,
                          uint32_t document_id, struct norm_document_place *out, bool *is_first)
{
    struct search search = {.look = {.documents = documents,
                                     .boot_id = input->envelope.header.boot_id,
                                     .n_records = UINT32_MAX,
                                     .record = search_record},
                            .document_id = document_id,
                            .is_stopped = input->past == NULL,
                            .earliest_seq = input->batch->seq,
                            .place = norm_document_place_at(input, document_id)};
    search.look.ctx = &search;
    bool has_later_chunk = false;
    uint32_t seq = input->batch->seq;
    uint32_t last = seq > NORM_DOCUMENT_REACH_BATCHES ? seq - NORM_DOCUMENT_REACH_BATCHES : 0;
    uint32_t n_batches = SEARCH_FIRST_BATCHES;
    while (seq > last && !search.is_stopped && !search.is_found) {
        uint32_t from_seq = seq - last > n_batches ? seq - n_batches : last;
        has_later_chunk = has_later_chunk || search.has_chunk;
        if (!input->past->read(input->past->ctx, input->batch, from_seq, seq - 1, search_batch, &search)) {
            return false;
        }
        seq = from_seq; /* batches that are lost are passed over */
        n_batches = SEARCH_BATCHES;
    }
    *out = search.place;
    out->state = search.is_found                      ? NORM_PLACE_KNOWN
                 : is_cut(&search, input->past, last) ? NORM_PLACE_CUT
                                                      : NORM_PLACE_ABSENT;
    *is_first = !search.is_found && !search.has_chunk && !has_later_chunk;
    return true;
}
