/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/document_internal.h"
#include "aggregator/normalize/iso/read/source.h"
#include "aggregator/normalize/norm.h"
#include "proto/base/assert.h"

#include <string.h>

enum {
    HTTP_OK_FIRST = 200,
    HTTP_OK_LAST = 299,
    HTTP_NOT_MODIFIED = 304,
    ENCODING_AS_RECEIVED = 0,
    ENCODING_ZSTD = 1,
};

enum norm_document_kind norm_document_kind_of(const struct edge_document *head)
{
    bool is_good = head->http_status >= HTTP_OK_FIRST && head->http_status <= HTTP_OK_LAST;
    if (head->http_status == HTTP_NOT_MODIFIED) {
        return NORM_DOCUMENT_UNCHANGED;
    }
    if (!is_good) {
        return head->http_status == 0 ? NORM_DOCUMENT_UNANSWERED : NORM_DOCUMENT_REFUSED;
    }
    if (head->error[0] != '\0') {
        return NORM_DOCUMENT_FAULTY;
    }
    if (head->n_chunks > 0) {
        return NORM_DOCUMENT_CONTENT;
    }
    return head->len_bytes > 0 ? NORM_DOCUMENT_UNCHANGED : NORM_DOCUMENT_EMPTY;
}

const char *norm_document_kind_name(enum norm_document_kind kind)
{
    static const char *const NAMES[] = {"content", "unchanged", "empty", "faulty", "refused", "unanswered"};
    HR_ASSERT((size_t)kind < HR_ARRAY_LEN(NAMES));
    return NAMES[kind];
}

void norm_documents_init(struct norm_documents *documents, const struct wire_hash *hash, uint8_t *packed,
                         uint8_t *body)
{
    memset(documents, 0, sizeof *documents);
    documents->hash = hash;
    documents->packed = packed;
    documents->body = body;
    documents->leaf = UINT64_MAX;
}

/* ---- texts ---- */

static void put_text(char *out, const char *text)
{
    size_t at = strlen(out);
    size_t len = strlen(text);
    HR_ASSERT(at + len < NORM_DOCUMENT_TEXT_CHARS);
    memcpy(out + at, text, len + 1);
}

static void put_number(char *out, uint32_t number)
{
    char digits[12] = "";
    size_t at = sizeof digits - 1;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put_text(out, digits + at);
}

static void tell_broken(struct norm_document_found *out, const char *text)
{
    out->outcome = NORM_DOCUMENT_BROKEN;
    out->text[0] = '\0';
    put_text(out->text, text);
}

static void tell_cut(struct norm_document_found *out, uint32_t document_id, bool is_first)
{
    out->outcome = NORM_DOCUMENT_CUT;
    out->is_first = is_first;
    out->head = (struct edge_document){.document_id = document_id};
}

/* ---- places ---- */

static struct norm_document_place *place_of(struct norm_documents *documents, const struct norm_input *input)
{
    uint64_t hash =
        (input->batch->device_id ^ (uint64_t)input->batch->stream << 32) * UINT64_C(0x9E3779B97F4A7C15);
    return &documents->places[hash >> 32 & (NORM_DOCUMENT_PLACES - 1)];
}

struct norm_document_place norm_document_place_at(const struct norm_input *input, uint32_t document_id)
{
    return (struct norm_document_place){.device_id = input->batch->device_id,
                                        .leaf = input->batch->leaf,
                                        .stream = input->batch->stream,
                                        .boot_id = input->envelope.header.boot_id,
                                        .document_id = document_id,
                                        .seq = input->batch->seq,
                                        .last_leaf = input->batch->leaf};
}

static bool is_too_large(const struct edge_document *head)
{
    return head->n_chunks > NORM_DOCUMENT_MAX_CHUNKS || head->len_bytes > NORM_DOCUMENT_MAX_BYTES;
}

uint32_t norm_document_wanted_chunks(const struct edge_document *head)
{
    bool is_wanted = norm_document_kind_of(head) == NORM_DOCUMENT_CONTENT && !is_too_large(head);
    return is_wanted ? head->n_chunks : 0;
}

static bool is_of_stream(const struct norm_document_place *place, const struct norm_input *input)
{
    return place->state != NORM_PLACE_FREE && !place->is_held &&
           place->device_id == input->batch->device_id && place->stream == input->batch->stream;
}

static bool is_of_document(const struct norm_document_place *place, const struct norm_input *input,
                           uint32_t document_id)
{
    return place->boot_id == input->envelope.header.boot_id && place->document_id == document_id;
}

/* Does memory say where this document begins? What it says of another moment of the log is not asked: it is
 * forgotten when leaves don't follow each other. */
static bool is_known(const struct norm_document_place *place, const struct norm_input *input,
                     uint32_t document_id)
{
    return is_of_stream(place, input) && is_of_document(place, input, document_id) &&
           input->batch->seq - place->seq <= NORM_DOCUMENT_REACH_BATCHES;
}

/* ---- what retention must leave ---- */

static void hold(struct norm_documents *documents, uint64_t from_leaf, uint64_t end_leaf)
{
    struct norm_document_hold *last = &documents->holds[NORM_DOCUMENT_HOLDS - 1];
    for (uint32_t i = 0; i < documents->n_holds; i++) {
        if (documents->holds[i].from_leaf == from_leaf) { /* what is known now counts */
            documents->holds[i].end_leaf = end_leaf;
            return;
        }
    }
    if (from_leaf == end_leaf) {
        return; /* who asks for it asks for all of it */
    }
    if (documents->n_holds < NORM_DOCUMENT_HOLDS) {
        documents->holds[documents->n_holds++] = (struct norm_document_hold){from_leaf, end_leaf};
        return;
    }
    last->from_leaf = from_leaf < last->from_leaf ? from_leaf : last->from_leaf;
    last->end_leaf = end_leaf > last->end_leaf ? end_leaf : last->end_leaf;
}

static bool is_open(const struct norm_document_place *place)
{
    return place->state == NORM_PLACE_KNOWN && !place->is_ended;
}

static uint64_t patience_end(const struct norm_document_place *place)
{
    return place->last_leaf + NORM_DOCUMENT_PATIENCE_LEAVES;
}

static uint64_t open_from(const struct norm_documents *documents, uint64_t since)
{
    uint64_t from = UINT64_MAX;
    for (uint32_t i = 0; i < NORM_DOCUMENT_PLACES; i++) {
        const struct norm_document_place *place = &documents->places[i];
        bool is_needed = is_open(place) && since <= patience_end(place);
        from = is_needed && place->leaf < from ? place->leaf : from;
    }
    return from;
}

uint64_t norm_documents_needs(struct norm_documents *documents, uint64_t since)
{
    uint64_t from = open_from(documents, since);
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < documents->n_holds; i++) {
        const struct norm_document_hold held = documents->holds[i];
        if (held.end_leaf >= since) {
            documents->holds[n_kept++] = held;
            from = held.from_leaf < from ? held.from_leaf : from;
        }
    }
    documents->n_holds = n_kept;
    return from;
}

/* Another document gets the place: of the next one of the same stream it is known that the former will not
 * go on; of another stream, or of another moment of the log, it is not. */
static void put_place(struct norm_documents *documents, struct norm_document_place *place,
                      const struct norm_document_place *next)
{
    bool is_same_stream = place->device_id == next->device_id && place->stream == next->stream;
    if (is_open(place) && place->leaf != next->leaf && (place->is_held || !is_same_stream)) {
        hold(documents, place->leaf, patience_end(place));
    }
    *place = *next;
}

void norm_documents_batch(struct norm_documents *documents, uint64_t leaf)
{
    bool is_again = leaf == documents->leaf;
    bool is_next = leaf == documents->leaf + 1;
    documents->leaf = leaf;
    for (uint32_t i = 0; i < NORM_DOCUMENT_PLACES && !is_next; i++) {
        struct norm_document_place *place = &documents->places[i];
        bool is_of_batch = place->leaf == leaf || (place->is_ended && place->last_leaf == leaf);
        place->is_held = place->is_held || !is_again || is_of_batch;
    }
}

/* ---- putting together ---- */

struct gathering {
    struct norm_documents *documents;
    struct norm_document_found *out;
    uint32_t document_id;
    uint32_t n_chunks; /* in packed, from the first on */
    uint32_t n_ends;   /* chunks with the last index */
    size_t len_bytes;
};

static void gather_record(void *ctx, const struct ledger_batch *batch, const struct edge_record *record)
{
    struct gathering *gathering = ctx;
    (void)batch;
    if (norm_document_of(record) != gathering->document_id) {
        return; /* before the Document, in its batch */
    }
    if (record->kind == EDGE_DOCUMENT) { /* the nearest one counts */
        gathering->out->head = record->as.document;
        gathering->out->has_head = true;
        gathering->n_chunks = 0;
        gathering->n_ends = 0;
        gathering->len_bytes = 0;
        return;
    }
    const struct edge_chunk *chunk = &record->as.chunk;
    bool is_end = gathering->out->has_head && chunk->index + 1 == gathering->out->head.n_chunks;
    gathering->n_ends += is_end ? 1 : 0;
    if (chunk->index == gathering->n_chunks && chunk->index < NORM_DOCUMENT_MAX_CHUNKS) {
        memcpy(gathering->documents->packed + gathering->len_bytes, chunk->data, chunk->len_bytes);
        gathering->len_bytes += chunk->len_bytes;
        gathering->n_chunks++;
    }
}

/* Undoes the encoding and compares length and hash. */
static void open_body(struct gathering *gathering, const struct norm_input *input)
{
    struct norm_documents *documents = gathering->documents;
    struct norm_document_found *out = gathering->out;
    const struct edge_document *head = &out->head;
    struct hr_bytes body = hr_bytes_of(documents->packed, gathering->len_bytes);
    if (head->encoding == ENCODING_ZSTD) {
        struct hr_status unpacked = norm_zstd_unpack(body, documents->body, head->len_bytes);
        if (hr_is(unpacked, HR_AGAIN)) {
            norm_no_memory(input);
            out->outcome = NORM_DOCUMENT_UNREADABLE;
            return;
        }
        if (!hr_is_ok(unpacked)) {
            tell_broken(out, "its bytes can't be unpacked to the length that it says");
            return;
        }
        body = hr_bytes_of(documents->body, head->len_bytes);
    } else if (head->encoding != ENCODING_AS_RECEIVED) {
        tell_broken(out, "this build does not know how it is encoded");
        return;
    }
    uint8_t sha256[WIRE_DIGEST_BYTES];
    wire_sha256(documents->hash, &body, 1, sha256);
    if (body.len_bytes != head->len_bytes || memcmp(sha256, head->sha256, sizeof sha256) != 0) {
        tell_broken(out, "its bytes are not those of its SHA-256");
        return;
    }
    out->body = body;
    out->outcome = NORM_DOCUMENT_WHOLE;
}

static void gather(struct norm_documents *documents, const struct norm_input *input,
                   const struct norm_document_place *place, uint32_t record_index,
                   struct norm_document_found *out)
{
    struct gathering gathering = {.documents = documents, .out = out, .document_id = place->document_id};
    struct norm_look look = {.documents = documents,
                             .boot_id = place->boot_id,
                             .n_records = UINT32_MAX,
                             .record = gather_record,
                             .ctx = &gathering};
    uint32_t seq = input->batch->seq;
    if (place->seq < seq &&
        !input->past->read(input->past->ctx, input->batch, place->seq, seq - 1, norm_look_at_batch, &look)) {
        out->outcome = NORM_DOCUMENT_UNREADABLE;
        return;
    }
    look.n_records = record_index + 1;
    norm_look_at_batch(&look, input->batch);
    if (gathering.n_ends > 1) {
        return; /* the first of them said it */
    }
    bool is_behind_edge = !out->has_head && input->past != NULL && input->past->edge != NULL;
    if (is_behind_edge && input->past->edge->is_there(input->past->ctx)) {
        tell_cut(out, place->document_id, true); /* it was there, and is not */
        return;
    }
    if (!out->has_head || gathering.n_chunks != out->head.n_chunks) {
        tell_broken(out, "chunk ");
        put_number(out->text, gathering.n_chunks);
        put_text(out->text, " of ");
        put_number(out->text, place->n_chunks);
        put_text(out->text, " is missing");
        return;
    }
    open_body(&gathering, input);
}

/* For a chunk whose document memory doesn't know. False: the past can't be read. */
static bool find_place(struct norm_documents *documents, const struct norm_input *input, uint32_t document_id,
                       struct norm_document_place *place, bool *is_first)
{
    struct norm_document_place found = norm_document_place_at(input, document_id);
    found.state = NORM_PLACE_ABSENT;
    *is_first = true;
    /* The last record of the stream was of another document: nothing before it is of this one. */
    bool is_behind_other = is_of_stream(place, input) && !is_of_document(place, input, document_id);
    if (!is_behind_other && !norm_document_search(documents, input, document_id, &found, is_first)) {
        return false;
    }
    put_place(documents, place, &found);
    return true;
}

/* Where a chunk belongs. *is_first: nothing was told of it yet that is not whole. *is_end: it is the last one
 * of a document that is known. NULL: the past can't be read. */
static const struct norm_document_place *follow(struct norm_documents *documents,
                                                const struct norm_input *input,
                                                const struct edge_chunk *chunk, bool *is_first, bool *is_end)
{
    struct norm_document_place *place = place_of(documents, input);
    bool was_cut = place->state == NORM_PLACE_CUT && place->device_id == input->batch->device_id &&
                   place->stream == input->batch->stream && is_of_document(place, input, chunk->document_id);
    *is_first = false;
    if (!is_known(place, input, chunk->document_id) &&
        !find_place(documents, input, chunk->document_id, place, is_first)) {
        return NULL;
    }
    place->last_leaf = input->batch->leaf;
    *is_first = place->state == NORM_PLACE_CUT ? !was_cut : *is_first;
    *is_end = place->state == NORM_PLACE_KNOWN && place->n_chunks > 0 &&
              chunk->index == place->n_chunks - 1 && !place->is_ended;
    if (*is_end) {
        place->is_ended = true;
        hold(documents, place->leaf, input->batch->leaf);
    }
    return place;
}

static void begin(struct norm_documents *documents, const struct norm_input *input,
                  const struct edge_document *head)
{
    struct norm_document_place begun = norm_document_place_at(input, head->document_id);
    begun.state = NORM_PLACE_KNOWN;
    begun.n_chunks = norm_document_wanted_chunks(head);
    begun.is_ended = begun.n_chunks == 0;
    put_place(documents, place_of(documents, input), &begun);
}

static void take_chunk(struct norm_documents *documents, const struct norm_input *input,
                       const struct edge_chunk *chunk, uint32_t record_index, struct norm_document_found *out)
{
    bool is_first = false;
    bool is_end = false;
    const struct norm_document_place *place = follow(documents, input, chunk, &is_first, &is_end);
    if (place == NULL) {
        out->outcome = NORM_DOCUMENT_UNREADABLE;
    } else if (place->state == NORM_PLACE_CUT) {
        tell_cut(out, chunk->document_id, is_first);
    } else if (place->state == NORM_PLACE_ABSENT && is_first) {
        tell_broken(out, "its beginning is missing");
        out->head = (struct edge_document){.document_id = chunk->document_id};
    } else if (is_end) {
        gather(documents, input, place, record_index, out);
    }
}

void norm_documents_take(struct norm_documents *documents, const struct norm_input *input,
                         const struct edge_record *record, uint32_t record_index,
                         struct norm_document_found *out)
{
    HR_ASSERT(input->batch->leaf == documents->leaf);
    out->outcome = NORM_DOCUMENT_NOTHING;
    out->has_head = false;
    out->head = (struct edge_document){0};
    if (record->kind == EDGE_CHUNK) {
        take_chunk(documents, input, &record->as.chunk, record_index, out);
        return;
    }
    HR_ASSERT(record->kind == EDGE_DOCUMENT);
    begin(documents, input, &record->as.document);
    out->head = record->as.document;
    out->has_head = true;
    out->outcome = NORM_DOCUMENT_HEAD;
    if (norm_document_kind_of(&out->head) == NORM_DOCUMENT_CONTENT && is_too_large(&out->head)) {
        tell_broken(out, "it is too large");
    }
}

void norm_documents_recall(struct norm_documents *documents, const struct norm_input *input,
                           const struct edge_record *record)
{
    bool is_first = false;
    bool is_end = false;
    HR_ASSERT(input->batch->leaf == documents->leaf);
    if (record->kind == EDGE_DOCUMENT) {
        begin(documents, input, &record->as.document);
    } else {
        (void)follow(documents, input, &record->as.chunk, &is_first, &is_end);
    }
}
