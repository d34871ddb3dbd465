/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents and retention: what of the log an open one needs, what is said of one whose beginning is gone,
 * and how a reader knows after a restart what is open. */
#include "tests/support/document_lab.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

static void retention_leaves_what_an_open_document_needs(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 9001), 0, 3, NULL); /* 10 records in batches 0 to 3 */
    document_lab_document(2, document_lab_body(2, 9002), 0, 3, NULL); /* from batch 3 on */
    document_lab_seal();
    document_lab_read_from(0);
    document_lab.n_told = 0;
    document_lab_forget();
    assert_true(norm_documents_needs(&document_lab.documents, 100) == UINT64_MAX);
    document_lab_take(0);
    document_lab_take(1);
    assert_true(norm_documents_needs(&document_lab.documents, 102) == 100); /* open */
    document_lab_take(2);
    document_lab_take(3);
    assert_true(norm_documents_needs(&document_lab.documents, 103) ==
                100); /* ended, and may come once more */
    assert_true(norm_documents_needs(&document_lab.documents, 104) == 103); /* the second one is open */
    for (uint32_t seq = 4; seq < document_lab.n_made; seq++) {
        document_lab_take(seq);
    }
    assert_true(norm_documents_needs(&document_lab.documents, 100 + document_lab.n_made) == UINT64_MAX);
    document_lab_take(1); /* a replay: what is forgotten by it is held */
    document_lab_take(4);
    assert_true(norm_documents_needs(&document_lab.documents, 101) == 100);
}

static void retention_waits_for_a_gateway_that_died_no_longer_than_patience(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 9001), 0, 3, NULL);
    document_lab_seal();
    document_lab_forget();
    document_lab_take(0);
    document_lab_take(1);
    document_lab_pass_foreign(102, NORM_DOCUMENT_PATIENCE_LEAVES - 1);
    assert_true(norm_documents_needs(&document_lab.documents, document_lab.documents.leaf) == 100);
    document_lab_pass_foreign(document_lab.documents.leaf + 1, 2);
    assert_true(norm_documents_needs(&document_lab.documents, document_lab.documents.leaf) == UINT64_MAX);
}

/* A replay goes back and forth between its leaves and those that are new. */
static void retention_leaves_an_open_document_that_a_replay_came_between(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 9001), 0, 3, NULL); /* batches 0 to 3 */
    document_lab_document(2, document_lab_body(2, 9002), 0, 3, NULL); /* from batch 3 on */
    document_lab_seal();
    document_lab_read_from(0);
    document_lab_forget();
    for (uint32_t seq = 0; seq <= 4; seq++) {
        document_lab_take(seq);
    }
    assert_true(norm_documents_needs(&document_lab.documents, 105) == 103);
    for (uint32_t again = 0; again < 3; again++) {
        document_lab_take(0);
        document_lab_take(1); /* the replay has the first one open, in the place of the second */
        assert_true(norm_documents_needs(&document_lab.documents, 102) == 100);
        assert_true(norm_documents_needs(&document_lab.documents, 105) <= 103);
    }
    document_lab_pass_foreign(105, 7);
    assert_true(norm_documents_needs(&document_lab.documents, 112) <= 103);
    document_lab_take(2);
    document_lab_take(3); /* the replay is through */
    document_lab_take(4);
    document_lab_take(5);
    assert_true(norm_documents_needs(&document_lab.documents, 106) == 103);
    document_lab_take(6); /* and here the second one ends */
    assert_true(norm_documents_needs(&document_lab.documents, 107) == UINT64_MAX);
}

/* What was told of it when it came can't be told again, and nothing else may be told instead. */
static void a_document_whose_beginning_retention_took_is_passed_over_and_counted(void **state)
{
    (void)state;
    for (uint32_t kept = 1; kept < 7; kept++) {
        document_lab_start();
        document_lab_document(1, document_lab_body(1, 20001), 0, 3, NULL); /* 21 records in 7 batches */
        document_lab_document(2, document_lab_body(2, 5002), 0, 3, NULL);
        document_lab_seal();
        document_lab.first_kept = kept;
        document_lab.is_again = true;
        for (uint32_t first = kept; first < 7; first++) {
            document_lab_read_from(first);
            assert_int_equal(document_lab.n_cut, 3 * (7 - first));
            assert_int_equal(document_lab.n_cut_documents, 1);
            assert_null(document_lab_told(1, NORM_DOCUMENT_BROKEN));
            assert_null(document_lab_told(1, NORM_DOCUMENT_WHOLE));
            assert_non_null(document_lab_told(2, NORM_DOCUMENT_WHOLE));
        }
        document_lab.is_again = false; /* whoever sees it for the first time is not left in doubt */
        document_lab_read_from(kept);
        assert_non_null(strstr(document_lab_told(1, NORM_DOCUMENT_BROKEN)->text, "beginning is missing"));
        assert_int_equal(document_lab.n_cut, 0);
    }
}

/* Behind a batch that is there, retention took nothing. */
static void a_lost_beginning_is_told_also_at_the_edge_of_retention(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 3001), 0, 3, NULL);
    document_lab_document(2, document_lab_body(2, 9002), 0, 1, NULL);
    document_lab_seal();
    document_lab.is_lost[2] = true; /* with the second one's head; batch 1 ends the first one */
    document_lab.first_kept = 1;
    document_lab.is_again = true;
    for (uint32_t first = 1; first < 4; first++) {
        document_lab_read_from(first);
        assert_int_equal(document_lab.n_cut_documents, first == 1 ? 1 : 0);
        assert_non_null(document_lab_told(2, NORM_DOCUMENT_BROKEN));
    }
}

/* Retention may come between the first part of a document and its last. */
static void a_document_is_cut_also_when_its_beginning_goes_while_it_is_read(void **state)
{
    (void)state;
    document_lab_start();
    document_lab_document(1, document_lab_body(1, 9001), 0, 3, NULL);
    document_lab_seal();
    document_lab.n_told = document_lab.n_cut = document_lab.n_cut_documents = 0;
    document_lab.is_again = true;
    document_lab_forget();
    for (uint32_t seq = 0; seq < document_lab.n_made; seq++) {
        document_lab.first_kept = seq == document_lab.n_made - 1 ? 2 : 0;
        document_lab_take(seq);
    }
    assert_null(document_lab_told(1, NORM_DOCUMENT_BROKEN));
    assert_int_equal(document_lab.n_cut_documents, 1);
}

/* Whoever recalls what was read before knows as much of what is open as one who read it. */
static void what_is_open_is_known_from_the_log_wherever_recalling_begins(void **state)
{
    (void)state;
    document_lab_start();
    document_lab.n_foreign = 2;
    document_lab_document(1, document_lab_body(1, 9001), 0, 3, NULL);  /* batches 0 to 3 */
    document_lab_document(2, document_lab_body(2, 20002), 1, 3, NULL); /* from batch 3 on */
    document_lab_seal();
    for (uint32_t end = 1; end < document_lab.n_made; end++) {
        uint64_t since = document_lab_batch(end).leaf;
        document_lab_forget();
        for (uint32_t seq = 0; seq < end; seq++) {
            document_lab_take(seq);
        }
        uint64_t needed = norm_documents_needs(&document_lab.documents, since);
        assert_true(needed < since);
        for (uint32_t from = 0; from < end; from++) {
            document_lab_forget();
            for (uint32_t seq = from; seq < end; seq++) {
                document_lab_recall(seq);
            }
            assert_true(norm_documents_needs(&document_lab.documents, since) == needed);
        }
    }
    document_lab.n_told = 0;
    document_lab_take(document_lab.n_made - 1); /* and it goes on behind that */
    assert_non_null(document_lab_told(2, NORM_DOCUMENT_WHOLE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retention_leaves_what_an_open_document_needs),
        cmocka_unit_test(retention_waits_for_a_gateway_that_died_no_longer_than_patience),
        cmocka_unit_test(retention_leaves_an_open_document_that_a_replay_came_between),
        cmocka_unit_test(a_document_whose_beginning_retention_took_is_passed_over_and_counted),
        cmocka_unit_test(a_lost_beginning_is_told_also_at_the_edge_of_retention),
        cmocka_unit_test(a_document_is_cut_also_when_its_beginning_goes_while_it_is_read),
        cmocka_unit_test(what_is_open_is_known_from_the_log_wherever_recalling_begins),
    };
    return cmocka_run_group_tests(tests, document_lab_setup, document_lab_teardown);
}
