/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents that span batches, out of a stream that a test holds in memory: the same of it wherever a reader
 * begins, and what is told when a piece is missing or wrong. */
#include "aggregator/normalize/iso/document.h"
#include "tests/support/batch_maker.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { MAX_BATCHES = 64, MAX_RECORDS = 8, DEVICE = 7 };

static struct batch_maker maker;
static struct made_batch made[MAX_BATCHES];
static bool is_lost[MAX_BATCHES];
static uint32_t n_made;
static struct edge_record pending[MAX_RECORDS];
static uint16_t n_pending;
static struct edge_record last_put;
static struct norm_documents documents;
static bool is_away;        /* the ledger can't be read */
static uint32_t first_kept; /* retention has deleted the batches before */
static bool is_again;       /* the reader looks at what was published */
static uint32_t n_cut, n_cut_documents;
static uint32_t n_reads;
static uint32_t n_foreign; /* leaves of another device behind each batch */

/* ---- the stream ---- */

static void begin_stream(void **state)
{
    static const uint8_t none[WIRE_DIGEST_BYTES];
    (void)state;
    batch_maker_start(&maker, DEVICE, 0, none);
    memset(is_lost, 0, sizeof is_lost);
    n_made = n_pending = 0;
    is_away = is_again = false;
    first_kept = 0;
    n_reads = 0;
    n_foreign = 0;
}

static void seal(void)
{
    batch_maker_next(&maker, pending, n_pending, 0, &made[n_made++]);
    n_pending = 0;
}

static void put(const struct edge_record *record, uint16_t a_batch)
{
    last_put = *record;
    pending[n_pending++] = *record;
    if (n_pending >= a_batch) {
        seal();
    }
}

/* The records of a document; `change` may spoil its head. a_batch records stand in a batch, at most 3. */
static void put_document(uint32_t id, struct hr_bytes body, uint32_t encoding, uint16_t a_batch,
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
    put(&record, a_batch);
    for (uint32_t i = 0; i < n_chunks; i++) {
        size_t left = sent.len_bytes - (size_t)i * 1024;
        memset(&record, 0, sizeof record);
        record.kind = EDGE_CHUNK;
        record.as.chunk = (struct edge_chunk){
            .document_id = id, .index = i, .len_bytes = (uint16_t)(left < 1024 ? left : 1024)};
        memcpy(record.as.chunk.data, sent.data + (size_t)i * 1024, record.as.chunk.len_bytes);
        put(&record, a_batch);
    }
}

static struct hr_bytes body_of(uint32_t seed, size_t len_bytes)
{
    static uint8_t bytes[4][64 * 1024];
    for (size_t i = 0; i < len_bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[len_bytes % 4][i] = (uint8_t)(seed >> 24);
    }
    return hr_bytes_of(bytes[len_bytes % 4], len_bytes);
}

/* ---- the reader ---- */

static struct ledger_batch batch_at(uint32_t seq)
{
    uint64_t leaf = 100; /* dense: what is lost has none */
    for (uint32_t before = 0; before < seq; before++) {
        leaf += is_lost[before] ? 0 : 1 + n_foreign;
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
    n_reads++;
    for (uint32_t seq = from_seq; seq <= to_seq && !is_away; seq++) {
        struct ledger_batch batch = batch_at(seq);
        if (!is_lost[seq] && seq >= first_kept) {
            each(each_ctx, &batch);
        }
    }
    return !is_away;
}

static bool edge_is_there(void *ctx)
{
    (void)ctx;
    return first_kept > 0;
}

static void count_cut(void *ctx, const struct ledger_batch *batch, uint32_t document_id, bool is_first)
{
    (void)ctx, (void)batch, (void)document_id;
    n_cut++;
    n_cut_documents += is_first ? 1 : 0;
}

/* What came of a record that is told. */
struct told {
    uint32_t seq, index;
    enum norm_document_outcome outcome;
    uint32_t id;
    uint8_t sha256[32];
    char text[NORM_DOCUMENT_TEXT_CHARS];
};

static struct told told[256];
static uint32_t n_told;

static void take(uint32_t seq)
{
    static struct norm_document_found found;
    static struct edge_record record;
    static const struct norm_edge edge = {edge_is_there, count_cut};
    const struct norm_past past = {.read = read_past, .edge = is_again ? &edge : NULL};
    struct ledger_batch batch = batch_at(seq);
    struct norm_input input = {.batch = &batch, .tenant = "", .past = &past};
    struct hr_bytes raw;
    assert_ok(wire_envelope_split(batch.envelope, &input.envelope));
    struct hr_reader payload = hr_reader_over(input.envelope.payload);
    norm_documents_batch(&documents, batch.leaf);
    for (uint32_t index = 0; hr_is_ok(wire_record_next(&payload, &raw)); index++) {
        assert_ok(edge_record_decode(raw, &record));
        norm_documents_take(&documents, &input, &record, index, &found);
        if (found.outcome == NORM_DOCUMENT_CUT) {
            edge.cut(NULL, &batch, found.head.document_id, found.is_first);
        }
        if (found.outcome == NORM_DOCUMENT_NOTHING) {
            continue;
        }
        struct told *it = &told[n_told++];
        *it =
            (struct told){.seq = seq, .index = index, .outcome = found.outcome, .id = found.head.document_id};
        if (found.outcome == NORM_DOCUMENT_WHOLE) {
            wire_sha256(test_hash(), &found.body, 1, it->sha256);
            assert_memory_equal(it->sha256, found.head.sha256, sizeof it->sha256);
        }
        if (found.outcome == NORM_DOCUMENT_BROKEN) {
            memcpy(it->text, found.text, sizeof it->text);
        }
    }
}

static void pass_foreign(uint64_t from_leaf, uint64_t n)
{
    for (uint64_t leaf = from_leaf; leaf < from_leaf + n; leaf++) {
        norm_documents_batch(&documents, leaf);
    }
}

static void read_from(uint32_t first)
{
    n_told = n_cut = n_cut_documents = 0;
    norm_documents_init(&documents, test_hash(), documents.packed, documents.body);
    for (uint32_t seq = first; seq < n_made; seq++) {
        if (!is_lost[seq]) {
            take(seq);
            pass_foreign(batch_at(seq).leaf + 1, n_foreign);
        }
    }
}

/* Whoever begins at a later batch is told the same of it as one who read all. */
static void assert_same_from_everywhere(void)
{
    static struct told all[256];
    read_from(0);
    uint32_t n_all = n_told;
    memcpy(all, told, sizeof all);
    for (uint32_t first = 1; first < n_made; first++) {
        read_from(first);
        uint32_t skipped = 0;
        while (skipped < n_all && all[skipped].seq < first) {
            skipped++;
        }
        assert_int_equal(n_told, n_all - skipped);
        assert_memory_equal(told, all + skipped, n_told * sizeof told[0]);
    }
    read_from(0);
}

static const struct told *told_of(uint32_t id, enum norm_document_outcome outcome)
{
    for (uint32_t i = 0; i < n_told; i++) {
        if (told[i].id == id && told[i].outcome == outcome) {
            return &told[i];
        }
    }
    return NULL;
}

/* ---- tests ---- */

static void a_document_over_many_batches_is_the_same_wherever_reading_begins(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 20001), 0, 3, NULL);
    put_document(2, body_of(2, 300), 0, 3, NULL); /* within a batch */
    put_document(3, body_of(3, 30002), 1, 2, NULL);
    seal();
    assert_same_from_everywhere();
    for (uint32_t id = 1; id <= 3; id++) {
        assert_non_null(told_of(id, NORM_DOCUMENT_HEAD));
        assert_non_null(told_of(id, NORM_DOCUMENT_WHOLE));
    }
    assert_int_equal(n_told, 6);
}

static void a_lost_batch_is_told_once_and_the_next_document_is_whole(void **state)
{
    for (uint32_t lost = 0; lost < 7; lost++) {
        begin_stream(state);
        put_document(1, body_of(1, 20001), 0, 3, NULL); /* 21 records in 7 batches */
        put_document(2, body_of(2, 5002), 0, 3, NULL);
        seal();
        is_lost[lost] = true;
        assert_same_from_everywhere();
        assert_null(told_of(1, NORM_DOCUMENT_WHOLE));
        assert_non_null(told_of(2, NORM_DOCUMENT_WHOLE));
        const struct told *broken = told_of(1, NORM_DOCUMENT_BROKEN);
        if (lost == 0) {
            assert_string_equal(broken == NULL ? told_of(0, NORM_DOCUMENT_BROKEN)->text : broken->text,
                                "its beginning is missing");
        } else if (lost < 6) {
            assert_non_null(strstr(broken->text, " is missing"));
        } else {
            assert_null(broken); /* its last chunk is gone: the Loss tells */
        }
    }
}

static void spoil_hash(struct edge_document *head)
{
    head->sha256[5] ^= 1;
}

static void spoil_length(struct edge_document *head)
{
    head->len_bytes++;
}

static void spoil_encoding(struct edge_document *head)
{
    head->encoding = 2;
}

static void make_huge(struct edge_document *head)
{
    head->len_bytes = NORM_DOCUMENT_MAX_BYTES + 1;
}

static void make_long(struct edge_document *head)
{
    head->n_chunks = NORM_DOCUMENT_MAX_CHUNKS + 1;
}

static void wrong_bytes_are_told_and_stop_nothing(void **state)
{
    static const struct {
        void (*change)(struct edge_document *head);
        uint32_t encoding;
        const char *text;
    } CASES[] = {{spoil_hash, 0, "SHA-256"},    {spoil_hash, 1, "SHA-256"},     {spoil_length, 0, "SHA-256"},
                 {spoil_length, 1, "unpacked"}, {spoil_encoding, 0, "encoded"}, {make_huge, 0, "too large"},
                 {make_huge, 1, "too large"},   {make_long, 0, "too large"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        begin_stream(state);
        put_document(1, body_of(1, 4001), CASES[i].encoding, 2, CASES[i].change);
        put_document(2, body_of(2, 4002), 0, 2, NULL);
        seal();
        assert_same_from_everywhere();
        assert_non_null(strstr(told_of(1, NORM_DOCUMENT_BROKEN)->text, CASES[i].text));
        assert_null(told_of(1, NORM_DOCUMENT_WHOLE));
        assert_non_null(told_of(2, NORM_DOCUMENT_WHOLE));
    }
}

static void refuse(struct edge_document *head)
{
    head->http_status = 429;
}

static void what_is_no_content_is_told_by_its_head_alone(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 4001), 0, 2, refuse);
    seal();
    assert_same_from_everywhere();
    assert_int_equal(n_told, 1);
    struct edge_document head = {.http_status = 200, .n_chunks = 1, .len_bytes = 9};
    assert_int_equal(norm_document_kind_of(&head), NORM_DOCUMENT_CONTENT);
    head.error[0] = 'x';
    assert_int_equal(norm_document_kind_of(&head), NORM_DOCUMENT_FAULTY);
    head = (struct edge_document){.http_status = 200, .len_bytes = 9};
    assert_int_equal(norm_document_kind_of(&head), NORM_DOCUMENT_UNCHANGED);
    head.len_bytes = 0;
    assert_int_equal(norm_document_kind_of(&head), NORM_DOCUMENT_EMPTY);
    head.http_status = 304;
    assert_int_equal(norm_document_kind_of(&head), NORM_DOCUMENT_UNCHANGED);
    head.http_status = 500;
    assert_int_equal(norm_document_kind_of(&head), NORM_DOCUMENT_REFUSED);
    head.http_status = 0;
    assert_int_equal(norm_document_kind_of(&head), NORM_DOCUMENT_UNANSWERED);
}

static void another_boot_with_the_same_number_is_another_document(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 6001), 0, 3, NULL);
    n_made -= 1; /* cut by a restart */
    maker.next_seq -= 1;
    n_pending = 0;
    maker.boot_id++;
    put_document(1, body_of(2, 6002), 0, 3, NULL);
    seal();
    assert_same_from_everywhere();
    assert_int_equal(n_told, 3);
    assert_int_equal(told[2].outcome, NORM_DOCUMENT_WHOLE);
}

static void a_ledger_that_is_away_gives_nothing_and_the_same_later(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 9001), 0, 3, NULL);
    seal();
    is_away = true;
    read_from(2);
    assert_int_equal(told[n_told - 1].outcome, NORM_DOCUMENT_UNREADABLE);
    is_away = false;
    assert_same_from_everywhere();
    assert_non_null(told_of(1, NORM_DOCUMENT_WHOLE));
}

static void reading_in_order_reads_nothing_twice_but_the_document(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 40001), 0, 3, NULL);
    seal();
    read_from(0);
    assert_int_equal(n_reads, 1);
}

static void retention_leaves_what_an_open_document_needs(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 9001), 0, 3, NULL); /* 10 records in batches 0 to 3 */
    put_document(2, body_of(2, 9002), 0, 3, NULL); /* from batch 3 on */
    seal();
    read_from(0);
    n_told = 0;
    norm_documents_init(&documents, test_hash(), documents.packed, documents.body);
    assert_true(norm_documents_needs(&documents, 100) == UINT64_MAX);
    take(0);
    take(1);
    assert_true(norm_documents_needs(&documents, 102) == 100); /* open */
    take(2);
    take(3);
    assert_true(norm_documents_needs(&documents, 103) == 100); /* ended, and may come once more */
    assert_true(norm_documents_needs(&documents, 104) == 103); /* the second one is open */
    for (uint32_t seq = 4; seq < n_made; seq++) {
        take(seq);
    }
    assert_true(norm_documents_needs(&documents, 100 + n_made) == UINT64_MAX);
    take(1); /* a replay: what is forgotten by it is held */
    take(4);
    assert_true(norm_documents_needs(&documents, 101) == 100);
}

static void batches_of_others_between_cost_no_search(void **state)
{
    begin_stream(state);
    n_foreign = 3;
    put_document(1, body_of(1, 40001), 0, 3, NULL);
    seal();
    read_from(0);
    assert_int_equal(n_reads, 1);
    assert_non_null(told_of(1, NORM_DOCUMENT_WHOLE));
    assert_same_from_everywhere();
}

static void a_batch_that_comes_twice_says_the_same_twice(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 9001), 0, 3, NULL); /* 10 records: its end and the next head share a batch */
    put_document(2, body_of(2, 5002), 0, 3, NULL);
    put_document(3, body_of(3, 301), 0, 3, NULL); /* within a batch */
    seal();
    read_from(0);
    norm_documents_init(&documents, test_hash(), documents.packed, documents.body);
    for (uint32_t seq = 0; seq < n_made; seq++) {
        struct told once[8];
        n_told = 0;
        take(seq);
        uint32_t n_once = n_told;
        assert_true(n_once <= 8);
        memcpy(once, told, n_once * sizeof once[0]);
        for (uint32_t again = 0; again < 2; again++) {
            n_told = 0;
            take(seq);
            assert_int_equal(n_told, n_once);
            assert_memory_equal(told, once, n_once * sizeof once[0]);
        }
    }
    assert_true(norm_documents_needs(&documents, 100 + n_made) == UINT64_MAX);
}

static void repeat_last(uint32_t n)
{
    static struct edge_record last;
    last = last_put;
    for (uint32_t i = 0; i < n; i++) {
        put(&last, 3);
    }
}

static void a_document_ends_once_however_often_its_last_chunk_comes(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 4001), 0, 3, NULL);
    repeat_last(8); /* in its batch and in the next one */
    put_document(2, body_of(2, 9002), 0, 3, spoil_hash);
    repeat_last(8); /* what is told as broken is told once too */
    seal();
    assert_same_from_everywhere();
    assert_int_equal(n_told, 4);
    assert_non_null(told_of(1, NORM_DOCUMENT_WHOLE));
    assert_non_null(told_of(2, NORM_DOCUMENT_BROKEN));
    for (uint32_t first = 0; first < n_made; first++) { /* nor when its batch is read twice */
        read_from(first);
        uint32_t n_all = n_told;
        read_from(first);
        take(n_made - 1);
        assert_int_equal(n_told, n_all);
    }
}

static void a_document_that_begins_again_ends_again(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 4001), 0, 3, NULL);
    put_document(1, body_of(1, 4001), 0, 3, NULL);
    seal();
    assert_same_from_everywhere();
    assert_int_equal(n_told, 4);
    assert_int_equal(told[3].outcome, NORM_DOCUMENT_WHOLE);
}

static void put_chunk(uint32_t id, uint32_t index)
{
    static struct edge_record record;
    memset(&record, 0, sizeof record);
    record.kind = EDGE_CHUNK;
    record.as.chunk = (struct edge_chunk){.document_id = id, .index = index, .len_bytes = 9};
    put(&record, 3);
}

static void a_document_that_begins_far_back_is_found_in_few_reads(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 60001), 0, 1, NULL); /* a record in a batch */
    seal();
    read_from(58);
    assert_non_null(told_of(1, NORM_DOCUMENT_WHOLE));
    assert_int_equal(n_reads, 3); /* 16 batches, the rest, and all of them for what they say */
}

static void chunks_of_nothing_cost_no_search_each(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 9001), 0, 3, NULL);
    for (uint32_t id = 100; id < 220; id++) {
        put_chunk(id, id % 7);
    }
    seal();
    assert_same_from_everywhere();
    assert_int_equal(n_told, 2 + 120);
    n_reads = 0;
    read_from(5);
    assert_int_equal(n_reads, 1);
}

static void a_record_of_another_document_ends_one(void **state)
{
    for (uint32_t where = 0; where < 7; where++) { /* within a batch and between them */
        begin_stream(state);
        put_document(1, body_of(1, 4001), 0, 3, NULL);
        for (uint32_t i = 0; i < where; i++) {
            put_chunk(1, 0); /* behind its end: nobody wants it */
        }
        put_document(2, body_of(2, 4001), 0, 3, NULL);
        put_chunk(1, 4);
        put_chunk(1, 3); /* the last one of document 1, which has no Document here */
        put_chunk(2, 3); /* nor has this */
        put_document(3, body_of(3, 9002), 0, 3, NULL);
        seal();
        assert_same_from_everywhere();
        assert_int_equal(n_told, 8);
        assert_int_equal(told[4].outcome, NORM_DOCUMENT_BROKEN);
        assert_int_equal(told[4].id, 1);
        assert_int_equal(told[5].outcome, NORM_DOCUMENT_BROKEN);
        assert_int_equal(told[5].id, 2);
        assert_int_equal(told[7].outcome, NORM_DOCUMENT_WHOLE);
    }
}

static void retention_waits_for_a_gateway_that_died_no_longer_than_patience(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 9001), 0, 3, NULL);
    seal();
    norm_documents_init(&documents, test_hash(), documents.packed, documents.body);
    take(0);
    take(1);
    pass_foreign(102, NORM_DOCUMENT_PATIENCE_LEAVES - 1);
    assert_true(norm_documents_needs(&documents, documents.leaf) == 100);
    pass_foreign(documents.leaf + 1, 2);
    assert_true(norm_documents_needs(&documents, documents.leaf) == UINT64_MAX);
}

/* A replay goes back and forth between its leaves and those that are new. */
static void retention_leaves_an_open_document_that_a_replay_came_between(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 9001), 0, 3, NULL); /* batches 0 to 3 */
    put_document(2, body_of(2, 9002), 0, 3, NULL); /* from batch 3 on */
    seal();
    read_from(0);
    norm_documents_init(&documents, test_hash(), documents.packed, documents.body);
    for (uint32_t seq = 0; seq <= 4; seq++) {
        take(seq);
    }
    assert_true(norm_documents_needs(&documents, 105) == 103);
    for (uint32_t again = 0; again < 3; again++) {
        take(0);
        take(1); /* the replay has the first one open, in the place of the second */
        assert_true(norm_documents_needs(&documents, 102) == 100);
        assert_true(norm_documents_needs(&documents, 105) <= 103);
    }
    pass_foreign(105, 7);
    assert_true(norm_documents_needs(&documents, 112) <= 103);
    take(2);
    take(3); /* the replay is through */
    take(4);
    take(5);
    assert_true(norm_documents_needs(&documents, 106) == 103);
    take(6); /* and here the second one ends */
    assert_true(norm_documents_needs(&documents, 107) == UINT64_MAX);
}

/* What was told of it when it came can't be told again, and nothing else may be told instead. */
static void a_document_whose_beginning_retention_took_is_passed_over_and_counted(void **state)
{
    for (uint32_t kept = 1; kept < 7; kept++) {
        begin_stream(state);
        put_document(1, body_of(1, 20001), 0, 3, NULL); /* 21 records in 7 batches */
        put_document(2, body_of(2, 5002), 0, 3, NULL);
        seal();
        first_kept = kept;
        is_again = true;
        for (uint32_t first = kept; first < 7; first++) {
            read_from(first);
            assert_int_equal(n_cut, 3 * (7 - first));
            assert_int_equal(n_cut_documents, 1);
            assert_null(told_of(1, NORM_DOCUMENT_BROKEN));
            assert_null(told_of(1, NORM_DOCUMENT_WHOLE));
            assert_non_null(told_of(2, NORM_DOCUMENT_WHOLE));
        }
        is_again = false; /* whoever sees it for the first time is not left in doubt */
        read_from(kept);
        assert_non_null(strstr(told_of(1, NORM_DOCUMENT_BROKEN)->text, "beginning is missing"));
        assert_int_equal(n_cut, 0);
    }
}

/* Behind a batch that is there, retention took nothing. */
static void a_lost_beginning_is_told_also_at_the_edge_of_retention(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 3001), 0, 3, NULL);
    put_document(2, body_of(2, 9002), 0, 1, NULL);
    seal();
    is_lost[2] = true; /* with the second one's head; batch 1 ends the first one */
    first_kept = 1;
    is_again = true;
    for (uint32_t first = 1; first < 4; first++) {
        read_from(first);
        assert_int_equal(n_cut_documents, first == 1 ? 1 : 0);
        assert_non_null(told_of(2, NORM_DOCUMENT_BROKEN));
    }
}

/* Retention may come between the first part of a document and its last. */
static void a_document_is_cut_also_when_its_beginning_goes_while_it_is_read(void **state)
{
    begin_stream(state);
    put_document(1, body_of(1, 9001), 0, 3, NULL);
    seal();
    n_told = n_cut = n_cut_documents = 0;
    is_again = true;
    norm_documents_init(&documents, test_hash(), documents.packed, documents.body);
    for (uint32_t seq = 0; seq < n_made; seq++) {
        first_kept = seq == n_made - 1 ? 2 : 0;
        take(seq);
    }
    assert_null(told_of(1, NORM_DOCUMENT_BROKEN));
    assert_int_equal(n_cut_documents, 1);
}

/* Whoever recalls what was read before knows as much of what is open as one who read it. */
static void recall(uint32_t seq)
{
    static struct edge_record record;
    static const struct norm_past past = {.read = read_past};
    struct ledger_batch batch = batch_at(seq);
    struct norm_input input = {.batch = &batch, .tenant = "", .past = &past};
    struct hr_bytes raw;
    assert_ok(wire_envelope_split(batch.envelope, &input.envelope));
    struct hr_reader payload = hr_reader_over(input.envelope.payload);
    norm_documents_batch(&documents, batch.leaf);
    while (hr_is_ok(wire_record_next(&payload, &raw))) {
        assert_ok(edge_record_decode(raw, &record));
        norm_documents_recall(&documents, &input, &record);
    }
}

static void what_is_open_is_known_from_the_log_wherever_recalling_begins(void **state)
{
    begin_stream(state);
    n_foreign = 2;
    put_document(1, body_of(1, 9001), 0, 3, NULL);  /* batches 0 to 3 */
    put_document(2, body_of(2, 20002), 1, 3, NULL); /* from batch 3 on */
    seal();
    for (uint32_t end = 1; end < n_made; end++) {
        uint64_t since = batch_at(end).leaf;
        norm_documents_init(&documents, test_hash(), documents.packed, documents.body);
        for (uint32_t seq = 0; seq < end; seq++) {
            take(seq);
        }
        uint64_t needed = norm_documents_needs(&documents, since);
        assert_true(needed < since);
        for (uint32_t from = 0; from < end; from++) {
            norm_documents_init(&documents, test_hash(), documents.packed, documents.body);
            for (uint32_t seq = from; seq < end; seq++) {
                recall(seq);
            }
            assert_true(norm_documents_needs(&documents, since) == needed);
        }
    }
    n_told = 0;
    take(n_made - 1); /* and it goes on behind that */
    assert_non_null(told_of(2, NORM_DOCUMENT_WHOLE));
}

static int start(void **state)
{
    (void)state;
    documents.packed = malloc(NORM_DOCUMENT_MAX_BYTES);
    documents.body = malloc(NORM_DOCUMENT_MAX_BYTES);
    return documents.packed == NULL || documents.body == NULL;
}

static int stop(void **state)
{
    (void)state;
    free(documents.packed);
    free(documents.body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_over_many_batches_is_the_same_wherever_reading_begins),
        cmocka_unit_test(a_lost_batch_is_told_once_and_the_next_document_is_whole),
        cmocka_unit_test(wrong_bytes_are_told_and_stop_nothing),
        cmocka_unit_test(what_is_no_content_is_told_by_its_head_alone),
        cmocka_unit_test(another_boot_with_the_same_number_is_another_document),
        cmocka_unit_test(a_ledger_that_is_away_gives_nothing_and_the_same_later),
        cmocka_unit_test(reading_in_order_reads_nothing_twice_but_the_document),
        cmocka_unit_test(retention_leaves_what_an_open_document_needs),
        cmocka_unit_test(batches_of_others_between_cost_no_search),
        cmocka_unit_test(a_batch_that_comes_twice_says_the_same_twice),
        cmocka_unit_test(a_document_ends_once_however_often_its_last_chunk_comes),
        cmocka_unit_test(a_document_that_begins_again_ends_again),
        cmocka_unit_test(a_document_that_begins_far_back_is_found_in_few_reads),
        cmocka_unit_test(chunks_of_nothing_cost_no_search_each),
        cmocka_unit_test(a_record_of_another_document_ends_one),
        cmocka_unit_test(retention_waits_for_a_gateway_that_died_no_longer_than_patience),
        cmocka_unit_test(retention_leaves_an_open_document_that_a_replay_came_between),
        cmocka_unit_test(a_document_whose_beginning_retention_took_is_passed_over_and_counted),
        cmocka_unit_test(a_lost_beginning_is_told_also_at_the_edge_of_retention),
        cmocka_unit_test(a_document_is_cut_also_when_its_beginning_goes_while_it_is_read),
        cmocka_unit_test(what_is_open_is_known_from_the_log_wherever_recalling_begins),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
