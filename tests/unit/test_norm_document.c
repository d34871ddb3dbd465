/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents that span batches: the same of them wherever a reader begins, and what is told when a piece is
 * missing or wrong. */
#include "tests/support/document_lab.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

static void a_document_over_many_batches_is_the_same_wherever_reading_begins(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 20001), 0, 3, NULL);
    document_lab_document(2, document_lab_body(2, 300), 0, 3, NULL); /* within a batch */
    document_lab_document(3, document_lab_body(3, 30002), 1, 2, NULL);
    document_lab_seal();
    document_lab_same_from_everywhere();
    for (uint32_t id = 1; id <= 3; id++) {
        assert_non_null(document_lab_told(id, NORM_DOCUMENT_HEAD));
        assert_non_null(document_lab_told(id, NORM_DOCUMENT_WHOLE));
    }
    assert_int_equal(document_lab.n_told, 6);
}

static void a_lost_batch_is_told_once_and_the_next_document_is_whole(void **state)
{
    (void)state;
    for (uint32_t lost = 0; lost < 7; lost++) {
        document_lab_start();
        document_lab_document(1, document_lab_body(1, 20001), 0, 3, NULL); /* 21 records in 7 batches */
        document_lab_document(2, document_lab_body(2, 5002), 0, 3, NULL);
        document_lab_seal();
        document_lab.is_lost[lost] = true;
        document_lab_same_from_everywhere();
        assert_null(document_lab_told(1, NORM_DOCUMENT_WHOLE));
        assert_non_null(document_lab_told(2, NORM_DOCUMENT_WHOLE));
        const struct document_lab_told *broken = document_lab_told(1, NORM_DOCUMENT_BROKEN);
        if (lost == 0) {
            assert_string_equal(broken == NULL ? document_lab_told(0, NORM_DOCUMENT_BROKEN)->text
                                               : broken->text,
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
    (void)state;
    static const struct {
        void (*change)(struct edge_document *head);
        uint32_t encoding;
        const char *text;
    } CASES[] = {{spoil_hash, 0, "SHA-256"},    {spoil_hash, 1, "SHA-256"},     {spoil_length, 0, "SHA-256"},
                 {spoil_length, 1, "unpacked"}, {spoil_encoding, 0, "encoded"}, {make_huge, 0, "too large"},
                 {make_huge, 1, "too large"},   {make_long, 0, "too large"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        document_lab_start();
        document_lab_document(1, document_lab_body(1, 4001), CASES[i].encoding, 2, CASES[i].change);
        document_lab_document(2, document_lab_body(2, 4002), 0, 2, NULL);
        document_lab_seal();
        document_lab_same_from_everywhere();
        assert_non_null(strstr(document_lab_told(1, NORM_DOCUMENT_BROKEN)->text, CASES[i].text));
        assert_null(document_lab_told(1, NORM_DOCUMENT_WHOLE));
        assert_non_null(document_lab_told(2, NORM_DOCUMENT_WHOLE));
    }
}

static void refuse(struct edge_document *head)
{
    head->http_status = 429;
}

static void what_is_no_content_is_told_by_its_head_alone(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 4001), 0, 2, refuse);
    document_lab_seal();
    document_lab_same_from_everywhere();
    assert_int_equal(document_lab.n_told, 1);
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
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 6001), 0, 3, NULL);
    document_lab.n_made -= 1; /* cut by a restart */
    document_lab.maker.next_seq -= 1;
    document_lab.n_pending = 0;
    document_lab.maker.boot_id++;
    document_lab_document(1, document_lab_body(2, 6002), 0, 3, NULL);
    document_lab_seal();
    document_lab_same_from_everywhere();
    assert_int_equal(document_lab.n_told, 3);
    assert_int_equal(document_lab.told[2].outcome, NORM_DOCUMENT_WHOLE);
}

static void a_ledger_that_is_away_gives_nothing_and_the_same_later(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 9001), 0, 3, NULL);
    document_lab_seal();
    document_lab.is_away = true;
    document_lab_read_from(2);
    assert_int_equal(document_lab.told[document_lab.n_told - 1].outcome, NORM_DOCUMENT_UNREADABLE);
    document_lab.is_away = false;
    document_lab_same_from_everywhere();
    assert_non_null(document_lab_told(1, NORM_DOCUMENT_WHOLE));
}

static void reading_in_order_reads_nothing_twice_but_the_document(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 40001), 0, 3, NULL);
    document_lab_seal();
    document_lab_read_from(0);
    assert_int_equal(document_lab.n_reads, 1);
}

static void batches_of_others_between_cost_no_search(void **state)
{
    (void)state;
    document_lab_start();
    document_lab.n_foreign = 3;
    document_lab_document(1, document_lab_body(1, 40001), 0, 3, NULL);
    document_lab_seal();
    document_lab_read_from(0);
    assert_int_equal(document_lab.n_reads, 1);
    assert_non_null(document_lab_told(1, NORM_DOCUMENT_WHOLE));
    document_lab_same_from_everywhere();
}

static void a_batch_that_comes_twice_says_the_same_twice(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 9001), 0, 3,
                          NULL); /* 10 records: its end and the next head share a batch */
    document_lab_document(2, document_lab_body(2, 5002), 0, 3, NULL);
    document_lab_document(3, document_lab_body(3, 301), 0, 3, NULL); /* within a batch */
    document_lab_seal();
    document_lab_read_from(0);
    document_lab_forget();
    for (uint32_t seq = 0; seq < document_lab.n_made; seq++) {
        struct document_lab_told once[8];
        document_lab.n_told = 0;
        document_lab_take(seq);
        uint32_t n_once = document_lab.n_told;
        assert_true(n_once <= 8);
        memcpy(once, document_lab.told, n_once * sizeof once[0]);
        for (uint32_t again = 0; again < 2; again++) {
            document_lab.n_told = 0;
            document_lab_take(seq);
            assert_int_equal(document_lab.n_told, n_once);
            assert_memory_equal(document_lab.told, once, n_once * sizeof once[0]);
        }
    }
    assert_true(norm_documents_needs(&document_lab.documents, 100 + document_lab.n_made) == UINT64_MAX);
}

static void repeat_last(uint32_t n)
{
    static struct edge_record last;
    last = document_lab.last_put;
    for (uint32_t i = 0; i < n; i++) {
        document_lab_put(&last, 3);
    }
}

static void a_document_ends_once_however_often_its_last_chunk_comes(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 4001), 0, 3, NULL);
    repeat_last(8); /* in its batch and in the next one */
    document_lab_document(2, document_lab_body(2, 9002), 0, 3, spoil_hash);
    repeat_last(8); /* what is told as broken is told once too */
    document_lab_seal();
    document_lab_same_from_everywhere();
    assert_int_equal(document_lab.n_told, 4);
    assert_non_null(document_lab_told(1, NORM_DOCUMENT_WHOLE));
    assert_non_null(document_lab_told(2, NORM_DOCUMENT_BROKEN));
    for (uint32_t first = 0; first < document_lab.n_made; first++) { /* nor when its batch is read twice */
        document_lab_read_from(first);
        uint32_t n_all = document_lab.n_told;
        document_lab_read_from(first);
        document_lab_take(document_lab.n_made - 1);
        assert_int_equal(document_lab.n_told, n_all);
    }
}

static void a_document_that_begins_again_ends_again(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 4001), 0, 3, NULL);
    document_lab_document(1, document_lab_body(1, 4001), 0, 3, NULL);
    document_lab_seal();
    document_lab_same_from_everywhere();
    assert_int_equal(document_lab.n_told, 4);
    assert_int_equal(document_lab.told[3].outcome, NORM_DOCUMENT_WHOLE);
}

static void a_document_that_begins_far_back_is_found_in_few_reads(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 60001), 0, 1, NULL); /* a record in a batch */
    document_lab_seal();
    document_lab_read_from(58);
    assert_non_null(document_lab_told(1, NORM_DOCUMENT_WHOLE));
    assert_int_equal(document_lab.n_reads, 3); /* 16 batches, the rest, and all of them for what they say */
}

static void chunks_of_nothing_cost_no_search_each(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 9001), 0, 3, NULL);
    for (uint32_t id = 100; id < 220; id++) {
        document_lab_chunk(id, id % 7);
    }
    document_lab_seal();
    document_lab_same_from_everywhere();
    assert_int_equal(document_lab.n_told, 2 + 120);
    document_lab.n_reads = 0;
    document_lab_read_from(5);
    assert_int_equal(document_lab.n_reads, 1);
}

static void a_record_of_another_document_ends_one(void **state)
{
    (void)state;
    for (uint32_t where = 0; where < 7; where++) { /* within a batch and between them */
        document_lab_start();
        document_lab_document(1, document_lab_body(1, 4001), 0, 3, NULL);
        for (uint32_t i = 0; i < where; i++) {
            document_lab_chunk(1, 0); /* behind its end: nobody wants it */
        }
        document_lab_document(2, document_lab_body(2, 4001), 0, 3, NULL);
        document_lab_chunk(1, 4);
        document_lab_chunk(1, 3); /* the last one of document 1, which has no Document here */
        document_lab_chunk(2, 3); /* nor has this */
        document_lab_document(3, document_lab_body(3, 9002), 0, 3, NULL);
        document_lab_seal();
        document_lab_same_from_everywhere();
        assert_int_equal(document_lab.n_told, 8);
        assert_int_equal(document_lab.told[4].outcome, NORM_DOCUMENT_BROKEN);
        assert_int_equal(document_lab.told[4].id, 1);
        assert_int_equal(document_lab.told[5].outcome, NORM_DOCUMENT_BROKEN);
        assert_int_equal(document_lab.told[5].id, 2);
        assert_int_equal(document_lab.told[7].outcome, NORM_DOCUMENT_WHOLE);
    }
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
        cmocka_unit_test(batches_of_others_between_cost_no_search),
        cmocka_unit_test(a_batch_that_comes_twice_says_the_same_twice),
        cmocka_unit_test(a_document_ends_once_however_often_its_last_chunk_comes),
        cmocka_unit_test(a_document_that_begins_again_ends_again),
        cmocka_unit_test(a_document_that_begins_far_back_is_found_in_few_reads),
        cmocka_unit_test(chunks_of_nothing_cost_no_search_each),
        cmocka_unit_test(a_record_of_another_document_ends_one),
    };
    return cmocka_run_group_tests(tests, document_lab_setup, document_lab_teardown);
}
