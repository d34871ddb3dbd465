/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/document_lab.h"

#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { MAX_RECORDS = 8, DEVICE = 7 };

struct document_lab document_lab;
static struct made_batch made[DOCUMENT_LAB_BATCHES];
static struct edge_record pending[MAX_RECORDS];

/* ---- the stream ---- */

void document_lab_start(void)
{
    static const uint8_t none[WIRE_DIGEST_BYTES];
    batch_maker_start(&document_lab.maker, DEVICE, 0, none);
    memset(document_lab.is_lost, 0, sizeof document_lab.is_lost);
    document_lab.n_made = document_lab.n_pending = 0;
    document_lab.is_away = document_lab.is_again = false;
    document_lab.first_kept = 0;
    document_lab.n_reads = 0;
    document_lab.n_foreign = 0;
}

void document_lab_seal(void)
{
    batch_maker_next(&document_lab.maker, pending, document_lab.n_pending, 0, &made[document_lab.n_made++]);
    document_lab.n_pending = 0;
}

void document_lab_put(const struct edge_record *record, uint16_t a_batch)
{
    document_lab.last_put = *record;
    pending[document_lab.n_pending++] = *record;
    if (document_lab.n_pending >= a_batch) {
        document_lab_seal();
    }
}

void document_lab_document(uint32_t id, struct hr_bytes body, uint32_t encoding, uint16_t a_batch,
                           void (*change)(struct edge_document *head))
{
    static struct edge_record record;
    static uint8_t packed[256 * 1024];
    struct hr_bytes sent = body;
    memset(&record, 0, sizeof record);
    record.kind = EDGE_DOCUMENT;
    struct edge_document *head = &record.as.document;
    if (encoding == 1) {
        sent = hr_bytes_of(packed, ZSTD_compress(packed, sizeof packed, body.data, body.len_bytes, 3));
    }
    *head = (struct edge_document){.document_id = id,
                                   .feed = "caiso_da_lmp",
                                   .request = "https://oasis.caiso.com/",
                                   .http_status = 200,
                                   .len_bytes = (uint32_t)body.len_bytes,
                                   .n_chunks = (uint32_t)((sent.len_bytes + 1023) / 1024),
                                   .encoding = encoding};
    wire_sha256(test_hash(), &body, 1, head->sha256);
    uint32_t n_chunks = head->n_chunks;
    if (change != NULL) {
        change(head);
    }
    document_lab_put(&record, a_batch);
    for (uint32_t i = 0; i < n_chunks; i++) {
        size_t left = sent.len_bytes - (size_t)i * 1024;
        memset(&record, 0, sizeof record);
        record.kind = EDGE_CHUNK;
        record.as.chunk = (struct edge_chunk){
            .document_id = id, .index = i, .len_bytes = (uint16_t)(left < 1024 ? left : 1024)};
        memcpy(record.as.chunk.data, sent.data + (size_t)i * 1024, record.as.chunk.len_bytes);
        document_lab_put(&record, a_batch);
    }
}

struct hr_bytes document_lab_body(uint32_t seed, size_t len_bytes)
{
    static uint8_t bytes[4][64 * 1024];
    for (size_t i = 0; i < len_bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[len_bytes % 4][i] = (uint8_t)(seed >> 24);
    }
    return hr_bytes_of(bytes[len_bytes % 4], len_bytes);
}

void document_lab_chunk(uint32_t id, uint32_t index)
{
    static struct edge_record record;
    memset(&record, 0, sizeof record);
    record.kind = EDGE_CHUNK;
    record.as.chunk = (struct edge_chunk){.document_id = id, .index = index, .len_bytes = 9};
    document_lab_put(&record, 3);
}

/* ---- the reader ---- */

struct ledger_batch document_lab_batch(uint32_t seq)
{
    uint64_t leaf = 100; /* dense: what is lost has none */
    for (uint32_t before = 0; before < seq; before++) {
        leaf += document_lab.is_lost[before] ? 0 : 1 + document_lab.n_foreign;
    }
    struct ledger_batch batch = {.leaf = leaf,
                                 .device_id = DEVICE,
                                 .seq = seq,
                                 .envelope = hr_bytes_of(made[seq].bytes, made[seq].len_bytes)};
    memcpy(batch.digest, made[seq].digest, sizeof batch.digest);
    return batch;
}

static bool read_past(void *ctx, const struct ledger_batch *of, uint32_t from_seq, uint32_t to_seq,
                      void (*each)(void *each_ctx, const struct ledger_batch *batch), void *each_ctx)
{
    (void)ctx;
    assert_true(from_seq <= to_seq && to_seq < of->seq);
    document_lab.n_reads++;
    for (uint32_t seq = from_seq; seq <= to_seq && !document_lab.is_away; seq++) {
        struct ledger_batch batch = document_lab_batch(seq);
        if (!document_lab.is_lost[seq] && seq >= document_lab.first_kept) {
            each(each_ctx, &batch);
        }
    }
    return !document_lab.is_away;
}

static bool edge_is_there(void *ctx)
{
    (void)ctx;
    return document_lab.first_kept > 0;
}

static void count_cut(void *ctx, const struct ledger_batch *batch, uint32_t document_id, bool is_first)
{
    (void)ctx, (void)batch, (void)document_id;
    document_lab.n_cut++;
    document_lab.n_cut_documents += is_first ? 1 : 0;
}

void document_lab_take(uint32_t seq)
{
    static struct norm_document_found found;
    static struct edge_record record;
    static const struct norm_edge edge = {edge_is_there, count_cut};
    const struct norm_past past = {.read = read_past, .edge = document_lab.is_again ? &edge : NULL};
    struct ledger_batch batch = document_lab_batch(seq);
    struct norm_input input = {.batch = &batch, .tenant = "", .past = &past};
    struct hr_bytes raw;
    assert_ok(wire_envelope_split(batch.envelope, &input.envelope));
    struct hr_reader payload = hr_reader_over(input.envelope.payload);
    norm_documents_batch(&document_lab.documents, batch.leaf);
    for (uint32_t index = 0; hr_is_ok(wire_record_next(&payload, &raw)); index++) {
        assert_ok(edge_record_decode(raw, &record));
        norm_documents_take(&document_lab.documents, &input, &record, index, &found);
        if (found.outcome == NORM_DOCUMENT_CUT) {
            edge.cut(NULL, &batch, found.head.document_id, found.is_first);
        }
        if (found.outcome == NORM_DOCUMENT_NOTHING) {
            continue;
        }
        struct document_lab_told *it = &document_lab.told[document_lab.n_told++];
        *it = (struct document_lab_told){
            .seq = seq, .index = index, .outcome = found.outcome, .id = found.head.document_id};
        if (found.outcome == NORM_DOCUMENT_WHOLE) {
            wire_sha256(test_hash(), &found.body, 1, it->sha256);
            assert_memory_equal(it->sha256, found.head.sha256, sizeof it->sha256);
        }
        if (found.outcome == NORM_DOCUMENT_BROKEN) {
            memcpy(it->text, found.text, sizeof it->text);
        }
    }
}

void document_lab_pass_foreign(uint64_t from_leaf, uint64_t n)
{
    for (uint64_t leaf = from_leaf; leaf < from_leaf + n; leaf++) {
        norm_documents_batch(&document_lab.documents, leaf);
    }
}

void document_lab_forget(void)
{
    struct norm_documents *documents = &document_lab.documents;
    norm_documents_init(documents, test_hash(), documents->packed, documents->body);
}

void document_lab_read_from(uint32_t first)
{
    document_lab.n_told = document_lab.n_cut = document_lab.n_cut_documents = 0;
    document_lab_forget();
    for (uint32_t seq = first; seq < document_lab.n_made; seq++) {
        if (!document_lab.is_lost[seq]) {
            document_lab_take(seq);
            document_lab_pass_foreign(document_lab_batch(seq).leaf + 1, document_lab.n_foreign);
        }
    }
}

void document_lab_same_from_everywhere(void)
{
    static struct document_lab_told all[256];
    document_lab_read_from(0);
    uint32_t n_all = document_lab.n_told;
    memcpy(all, document_lab.told, sizeof all);
    for (uint32_t first = 1; first < document_lab.n_made; first++) {
        document_lab_read_from(first);
        uint32_t skipped = 0;
        while (skipped < n_all && all[skipped].seq < first) {
            skipped++;
        }
        assert_int_equal(document_lab.n_told, n_all - skipped);
        assert_memory_equal(document_lab.told, all + skipped,
                            document_lab.n_told * sizeof document_lab.told[0]);
    }
    document_lab_read_from(0);
}

const struct document_lab_told *document_lab_told(uint32_t id, enum norm_document_outcome outcome)
{
    for (uint32_t i = 0; i < document_lab.n_told; i++) {
        if (document_lab.told[i].id == id && document_lab.told[i].outcome == outcome) {
            return &document_lab.told[i];
        }
    }
    return NULL;
}

void document_lab_recall(uint32_t seq)
{
    static struct edge_record record;
    static const struct norm_past past = {.read = read_past};
    struct ledger_batch batch = document_lab_batch(seq);
    struct norm_input input = {.batch = &batch, .tenant = "", .past = &past};
    struct hr_bytes raw;
    assert_ok(wire_envelope_split(batch.envelope, &input.envelope));
    struct hr_reader payload = hr_reader_over(input.envelope.payload);
    norm_documents_batch(&document_lab.documents, batch.leaf);
    while (hr_is_ok(wire_record_next(&payload, &raw))) {
        assert_ok(edge_record_decode(raw, &record));
        norm_documents_recall(&document_lab.documents, &input, &record);
    }
}

int document_lab_setup(void **state)
{
    (void)state;
    document_lab.documents.packed = malloc(NORM_DOCUMENT_MAX_BYTES);
    document_lab.documents.body = malloc(NORM_DOCUMENT_MAX_BYTES);
    return document_lab.documents.packed == NULL || document_lab.documents.body == NULL;
}

int document_lab_teardown(void **state)
{
    (void)state;
    free(document_lab.documents.packed);
    free(document_lab.documents.body);
    return 0;
}
