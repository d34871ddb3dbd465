/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/document.h"
#include "aggregator/normalize/iso/iso.h"
#include "aggregator/normalize/norm.h"
#include "aggregator/verify/verify.h"
#include "aggregator/zoneinfo/zoneinfo.h"
#include "proto/base/text.h"
#include "tools/cli/cli.h"
#include "tools/cli/places.h"
#include "tools/cli/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Leaves of one transaction. */
enum { CHUNK_BATCHES = 256, CHUNK_BYTES = 4 << 20 };
enum { MS_PER_S = 1000 };

struct reading {
    struct cli_places_read *read;
    struct norm_zones zones;
    struct norm_documents documents;
    struct norm_document_found found; /* large */
    struct norm_iso_work *work;
    uint64_t next_leaf, end_leaf, size;
    bool is_ledger_broken;    /* a read of the ledger failed, which it told itself */
    bool is_hole;             /* the leaf that must come next did not */
    bool is_envelope_broken;  /* nor is it what it must be */
    struct hr_status trouble; /* HR_AGAIN: there was no memory for a document */
    struct hr_status status;  /* of the table */
};

/* A document on its way into the table. */
struct telling {
    struct reading *reading;
    const struct ledger_batch *batch;
    int64_t undated_s; /* since when a list of locations without dates is valid */
    char sha256[CLI_DIGEST_TEXT_CHARS];
};

/* ---- documents ---- */

/* A text of strangers for the table: UTF-8 without control characters, '?' for each byte of what is none. */
static void clean(struct hr_bytes text, char out[CLI_PLACES_TEXT_CHARS])
{
    size_t len = text.len_bytes;
    if (len >= CLI_PLACES_TEXT_CHARS) {
        for (len = CLI_PLACES_TEXT_CHARS - 1; len > 0 && (text.data[len] & 0xC0) == 0x80; len--) {
        }
    }
    bool is_ok = hr_text_ok((struct hr_bytes){text.data, len});
    for (size_t i = 0; i < len; i++) {
        uint8_t c = text.data[i];
        out[i] = is_ok || (c >= 0x20 && c < 0x7F) ? (char)c : '?';
    }
    out[len] = '\0';
}

static void take_place(void *ctx, const struct norm_iso_place *place)
{
    struct telling *telling = ctx;
    struct reading *reading = telling->reading;
    char id[CLI_PLACES_TEXT_CHARS];
    char name[CLI_PLACES_TEXT_CHARS];
    char zone[CLI_PLACES_TEXT_CHARS];
    clean(place->id, id);
    clean(place->name, name);
    clean(place->zone, zone);
    if (!hr_is_ok(reading->status) || id[0] == '\0') {
        return;
    }
    const struct cli_place_said said = {
        .iso = norm_iso_code(place->iso),
        .kind = norm_iso_location_name(place->type),
        .id = id,
        .name = name,
        .zone = zone,
        .from_s = place->has_valid_from ? place->valid_from_s : telling->undated_s,
        .feed = reading->found.head.feed,
        .leaf = telling->batch->leaf,
        .document_sha256 = telling->sha256,
    };
    reading->status = cli_places_say(reading->read->places, &said, &reading->read->counts);
}

static void pass_row(void *ctx, const struct norm_iso_row *row)
{
    (void)ctx;
    (void)row;
}

static void read_document(struct reading *reading, const struct norm_input *input)
{
    const struct norm_document_found *found = &reading->found;
    const struct edge_document *head = &found->head;
    const struct norm_iso_feed *feed = norm_iso_feed_of(hr_bytes_of(head->feed, strlen(head->feed)));
    if (feed == NULL) {
        return; /* nobody knows what it says; the publisher tells so */
    }
    int64_t undated_ms = head->window_start_ms != 0 ? head->window_start_ms : input->batch->received_utc_ms;
    struct telling telling = {.reading = reading, .batch = input->batch, .undated_s = undated_ms / MS_PER_S};
    (void)cli_digest_text(head->sha256, telling.sha256);
    const struct norm_iso_document document = {.feed = feed,
                                               .body = found->body,
                                               .name = hr_bytes_of(head->request, strlen(head->request)),
                                               .zones = &reading->zones,
                                               .max_bytes = NORM_DOCUMENT_MAX_BYTES};
    const struct norm_iso_sink sink = {.row = pass_row, .place = take_place, .ctx = &telling};
    struct norm_iso_result result;
    norm_iso_document(reading->work, &document, &sink, &result);
    if (result.code == HR_AGAIN) {
        norm_no_memory(input);
    }
    reading->read->counts.n_documents += result.code == HR_OK ? 1 : 0;
}

/* ---- a normalizer, that norm_batch hands the records of a batch ---- */

static bool takes(enum edge_kind kind)
{
    return kind == EDGE_DOCUMENT || kind == EDGE_CHUNK;
}

static void take_batch(void *ctx, const struct norm_input *input)
{
    struct reading *reading = ctx;
    norm_documents_batch(&reading->documents, input->batch->leaf);
}

static void take_record(void *ctx, const struct norm_input *input, const struct edge_record *record,
                        uint32_t record_index, const struct norm_emit *emit)
{
    struct reading *reading = ctx;
    struct norm_document_found *found = &reading->found;
    (void)emit;
    norm_documents_take(&reading->documents, input, record, record_index, found);
    if (found->outcome == NORM_DOCUMENT_WHOLE) {
        read_document(reading, input);
    } else if (found->outcome == NORM_DOCUMENT_UNREADABLE) {
        norm_no_memory(input); /* or the ledger can't be read, which it told */
    } else if (found->outcome == NORM_DOCUMENT_CUT && found->is_first) {
        reading->read->n_cut++;
    }
}

static void pass_event(void *ctx, const struct norm_event *event)
{
    (void)ctx;
    (void)event; /* of records that are no business of ours */
}

/* ---- the log ---- */

static bool read_past(void *ctx, const struct ledger_batch *batch, uint32_t from_seq, uint32_t to_seq,
                      void (*each)(void *each_ctx, const struct ledger_batch *batch), void *each_ctx)
{
    struct reading *reading = ctx;
    const struct ledger *ledger = reading->read->ledger;
    const struct ledger_range range = {batch->device_id, batch->stream, from_seq, to_seq};
    bool is_read = hr_is_ok(ledger->read_stream(ledger->ctx, &range, each, each_ctx));
    reading->is_ledger_broken = reading->is_ledger_broken || !is_read;
    return is_read;
}

static bool edge_is_there(void *ctx)
{
    struct reading *reading = ctx;
    const struct ledger *ledger = reading->read->ledger;
    uint64_t first_leaf = 0;
    bool is_read = hr_is_ok(ledger->first_leaf(ledger->ctx, &first_leaf));
    reading->is_ledger_broken = reading->is_ledger_broken || !is_read;
    return is_read && first_leaf > 0;
}

/* take_record counts them. */
static void edge_cut(void *ctx, const struct ledger_batch *batch, uint32_t document_id, bool is_first)
{
    (void)ctx;
    (void)batch;
    (void)document_id;
    (void)is_first;
}

static void take_leaf(void *ctx, const struct ledger_batch *batch)
{
    struct reading *reading = ctx;
    static const struct norm_edge edge = {edge_is_there, edge_cut};
    const struct normalizer normalizer = {
        .source = "iso", .takes = takes, .batch = take_batch, .record = take_record, .ctx = reading};
    const struct normalizer *const list[] = {&normalizer};
    const struct norm_past past = {.read = read_past, .edge = &edge, .ctx = reading};
    const struct norm_emit emit = {.event = pass_event};
    struct norm_input input = {.batch = batch, .tenant = "", .past = &past, .trouble = &reading->trouble};
    if (batch->leaf >= reading->end_leaf || !hr_is_ok(reading->status) || reading->is_hole) {
        return;
    }
    if (batch->leaf != reading->next_leaf) {
        reading->is_hole = true;
        return;
    }
    if (!hr_is_ok(wire_envelope_split(batch->envelope, &input.envelope))) {
        reading->is_envelope_broken = true;
        reading->status = hr_status_of(HR_CORRUPT);
        return;
    }
    (void)norm_batch(list, 1, &input, &emit);
    if (hr_is_ok(reading->status)) {
        reading->status = reading->is_ledger_broken ? hr_status_of(HR_IO) : reading->trouble;
    }
    reading->next_leaf++;
}

/* ---- the whole ---- */

static int fail(const struct reading *reading, int code, const char *text)
{
    (void)fprintf(stderr, "headrace %s: %s\n", reading->read->places->verb, text);
    return code;
}

static void set_end(struct reading *reading)
{
    uint64_t max = reading->read->max_leaves;
    uint64_t left = reading->size > reading->next_leaf ? reading->size - reading->next_leaf : 0;
    reading->end_leaf = reading->next_leaf + (max != 0 && max < left ? max : left);
}

/* What the next leaf is when it is not there: taken by retention, and then passed over if that was asked for.
 */
static int pass_hole(struct reading *reading)
{
    struct cli_places_read *read = reading->read;
    uint64_t first_leaf = 0;
    if (!hr_is_ok(read->ledger->first_leaf(read->ledger->ctx, &first_leaf))) {
        return fail(reading, CLI_FAILED, "the ledger can't be read");
    }
    if (first_leaf <= reading->next_leaf) {
        (void)fprintf(
            stderr, "headrace %s: leaf %" PRIu64 " is not there; `headrace ledger fsck` says what is wrong\n",
            read->places->verb, reading->next_leaf);
        return CLI_INCOMPLETE;
    }
    if (!read->may_skip) {
        (void)fprintf(
            stderr,
            "headrace %s: retention took leaves %" PRIu64 " to %" PRIu64
            " of this ledger before they were read. Read them from an export of it (`headrace ledger "
            "rebuild` makes a ledger of it), or pass over them with --skip.\n",
            read->places->verb, reading->next_leaf, first_leaf - 1);
        return CLI_INCOMPLETE;
    }
    read->n_skipped += first_leaf - reading->next_leaf;
    reading->next_leaf = first_leaf;
    set_end(reading);
    return CLI_OK;
}

/* One transaction over the next leaves. */
static int read_chunk(struct reading *reading)
{
    struct cli_places_read *read = reading->read;
    const struct ledger *ledger = read->ledger;
    const struct cli_places_counts before = read->counts;
    uint64_t n_cut_before = read->n_cut;
    uint64_t from = reading->next_leaf;
    uint64_t left = reading->end_leaf - from;
    reading->status = cli_places_begin(read->places);
    if (!hr_is_ok(reading->status)) {
        return CLI_FAILED;
    }
    struct hr_status scan =
        ledger->read(ledger->ctx, from, left < CHUNK_BATCHES ? (uint32_t)left : (uint32_t)CHUNK_BATCHES,
                     CHUNK_BYTES, take_leaf, reading);
    bool is_read = hr_is_ok(scan) || hr_is(scan, HR_NOT_FOUND);
    reading->is_hole = reading->is_hole || (is_read && reading->next_leaf == from);
    if (is_read && hr_is_ok(reading->status) && reading->next_leaf > from) {
        reading->status = cli_places_commit(read->places, ledger->origin(ledger->ctx), reading->next_leaf);
        if (hr_is_ok(reading->status)) {
            read->n_leaves += reading->next_leaf - from;
            return CLI_OK; /* a hole behind it is found by the next call */
        }
    }
    cli_places_rollback(read->places);
    read->counts = before;
    read->n_cut = n_cut_before;
    if (reading->is_envelope_broken) {
        (void)fprintf(stderr, "headrace %s: leaf %" PRIu64 " is no batch; `headrace ledger fsck` says more\n",
                      read->places->verb, reading->next_leaf);
        return CLI_INCOMPLETE;
    }
    if (!is_read || reading->is_ledger_broken) {
        return fail(reading, CLI_FAILED, "the ledger can't be read");
    }
    if (!hr_is_ok(reading->trouble)) {
        return fail(reading, CLI_FAILED, "there is no memory to read a document");
    }
    return hr_is_ok(reading->status) ? CLI_OK : CLI_FAILED; /* the table told why */
}

/* Is the file one of this log, and not of a later state of it? */
static int compare(const struct reading *reading, uint64_t size)
{
    const struct cli_places *places = reading->read->places;
    const char *origin = reading->read->ledger->origin(reading->read->ledger->ctx);
    if (places->has_cursor && strcmp(places->origin, origin) != 0) {
        (void)fprintf(stderr,
                      "headrace %s: %s was read from log %s, and this ledger holds log %s. Give its own "
                      "ledger, or another file: a table is of one log.\n",
                      places->verb, places->path, places->origin, origin);
        return CLI_FAILED;
    }
    if (places->has_cursor && places->next_leaf > size) {
        (void)fprintf(stderr,
                      "headrace %s: %s has seen leaves up to %" PRIu64 ", and this ledger ends at %" PRIu64
                      ": it is an older copy, or has lost some. Give the ledger that is written now, or make "
                      "a new file from this one.\n",
                      places->verb, places->path, places->next_leaf, size);
        return CLI_FAILED;
    }
    return CLI_OK;
}

static int start(struct reading *reading)
{
    struct cli_places_read *read = reading->read;
    if (!hr_is_ok(read->ledger->size(read->ledger->ctx, &reading->size)) ||
        read->ledger->read_stream == NULL) {
        return fail(reading, CLI_FAILED, "the ledger can't be read");
    }
    reading->next_leaf = read->places->has_cursor ? read->places->next_leaf : 0;
    set_end(reading);
    return compare(reading, reading->size);
}

static int read_all(struct reading *reading)
{
    int code = start(reading);
    while (code == CLI_OK && reading->next_leaf < reading->end_leaf) {
        reading->is_hole = false;
        code = read_chunk(reading);
        if (code == CLI_OK && reading->is_hole) {
            code = pass_hole(reading);
        }
    }
    return code;
}

int cli_places_read(struct cli_places_read *read)
{
    struct reading *reading = calloc(1, sizeof *reading);
    void *work = calloc(1, norm_iso_work_bytes());
    uint8_t *bodies = calloc(2, NORM_DOCUMENT_MAX_BYTES); /* pages come as they are touched */
    char message[ZONEINFO_MESSAGE_CHARS] = "no memory";
    int code = CLI_FAILED;
    if (reading != NULL && work != NULL && bodies != NULL &&
        hr_is_ok(zoneinfo_load(NULL, &reading->zones, message))) {
        reading->read = read;
        reading->work = norm_iso_work_in(work);
        norm_documents_init(&reading->documents, verify_hash(), bodies, bodies + NORM_DOCUMENT_MAX_BYTES);
        code = read_all(reading);
    } else {
        (void)fprintf(stderr, "headrace %s: %s\n", read->places->verb, message);
    }
    free(bodies);
    free(work);
    free(reading);
    return code;
}
