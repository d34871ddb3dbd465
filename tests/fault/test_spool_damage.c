/* SPDX-License-Identifier: Apache-2.0
 *
 * Flash that rots, can't be read, can't be programmed, erased or synced: the spool shows nothing wrong, says
 * what is lost, and goes on with the rest. */
#include "firmware/core/spool_internal.h"
#include "tests/support/spool_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lab lab;
static char plan_text[96];

static int make_lab(void **state)
{
    (void)state;
    lab_make(&lab, &lab_small_ring);
    return lab_open(&lab) ? 0 : 1;
}

static int free_lab(void **state)
{
    (void)state;
    lab_free(&lab);
    return 0;
}

static struct hr_status read_status(uint32_t seq)
{
    uint8_t bytes[LAB_ENVELOPE_MAX_BYTES];
    uint32_t len_bytes = 0;
    return fw_spool_read(&lab.spool, seq, bytes, sizeof bytes, &len_bytes);
}

static void make_batches(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        assert_true(lab_batch(&lab, 5));
    }
}

/* Where in flash the seal of a batch stands, and where its first entry. */
static struct fw_spool_place place_of(uint32_t seq)
{
    struct fw_spool_place place;
    assert_ok(fw_spool_find(&lab.spool, lab.stream, seq, &place));
    return place;
}

static uint32_t address_in(const struct fw_spool_place *place, uint32_t offset)
{
    return place->sector * lab.config.flash.sector_bytes + offset;
}

/* ---- single wounds ---- */

static void a_batch_that_rots_is_a_hole_and_its_neighbours_read(void **state)
{
    (void)state;
    struct edge_loss loss;
    make_batches(4);
    lab.holes_expected = true;
    struct fw_spool_place place = place_of(1);
    sim_flash_flip(&lab.flash, address_in(&place, place.start_offset + 48), 3);
    assert_code(read_status(1), HR_CORRUPT);
    assert_code(read_status(1), HR_NOT_FOUND);
    assert_ok(fw_spool_pending_loss(&lab.spool, &loss));
    assert_int_equal(loss.reason, EDGE_LOSS_DAMAGED);
    assert_int_equal(loss.from_seq, 1);
    assert_int_equal(loss.to_seq, 1);
    assert_int_equal(loss.n_records, 5);
    assert_memory_equal(loss.last_digest, lab_find(&lab, 1, 1)->digest, sizeof loss.last_digest);
    lab_check(&lab);
    lab_drain(&lab);
}

static void a_batch_whose_seal_rots_is_known_from_the_next_one(void **state)
{
    (void)state;
    struct edge_loss loss;
    make_batches(4);
    lab.holes_expected = true;
    struct fw_spool_place place = place_of(1);
    sim_flash_flip(&lab.flash, address_in(&place, place.seal.offset + 20), 0);
    assert_code(read_status(1), HR_CORRUPT);
    assert_ok(fw_spool_pending_loss(&lab.spool, &loss));
    assert_int_equal(loss.first_record_seq, 5);
    assert_int_equal(loss.n_records, 5);
    assert_memory_equal(loss.last_digest, lab_find(&lab, 1, 1)->digest, sizeof loss.last_digest);
    assert_true(lab_open(&lab));
    lab_drain(&lab);
}

static void a_sector_whose_header_rots_is_one_hole(void **state)
{
    (void)state;
    struct edge_loss loss;
    make_batches(9);
    lab.holes_expected = true;
    struct fw_spool_place place = place_of(4);
    const struct fw_spool_sector sector = lab.sectors[place.sector];
    sim_flash_flip(&lab.flash, address_in(&place, 9), 1);
    assert_true(lab_open(&lab));
    assert_ok(fw_spool_pending_loss(&lab.spool, &loss));
    assert_int_equal(loss.reason, EDGE_LOSS_DAMAGED);
    assert_int_equal(loss.from_seq, sector.first_batch_seq);
    assert_int_equal(loss.to_seq, sector.first_batch_seq + sector.n_batches - 1);
    assert_int_equal(loss.n_records, 5 * sector.n_batches);
    lab_drain(&lab);
}

static void a_loss_is_pending_again_when_its_carrier_rots(void **state)
{
    (void)state;
    struct edge_loss loss;
    uint32_t carrier_seq;
    make_batches(2);
    lab.holes_expected = true;
    assert_ok(fw_spool_abandon(&lab.spool, 0, EDGE_LOSS_REFUSED));
    make_batches(2);
    assert_ok(fw_spool_loss_carrier(&lab.spool, 0, &carrier_seq));
    assert_int_equal(carrier_seq, 2);
    struct fw_spool_place place = place_of(carrier_seq);
    sim_flash_flip(&lab.flash, address_in(&place, place.start_offset + 40), 5);
    assert_code(read_status(carrier_seq), HR_CORRUPT);
    assert_ok(fw_spool_pending_loss(&lab.spool, &loss));
    assert_int_equal(loss.from_seq, 0);
    assert_code(fw_spool_loss_carrier(&lab.spool, 0, &carrier_seq), HR_NOT_FOUND);
    lab_drain(&lab);
}

static void a_seal_that_reads_torn_after_it_was_shown_keeps_its_number(void **state)
{
    (void)state;
    /* The last seal was half programmed and read well at the first start, when it may have been sent; from
     * then on it reads torn. Power goes at each operation of the second start. */
    for (uint32_t op = 0;; op++) {
        lab_reset(&lab);
        assert_true(lab_open(&lab));
        make_batches(2);
        struct fw_spool_place place = place_of(1);
        uint32_t address = address_in(&place, place.seal.offset + 30);
        assert_true(lab_open(&lab));
        lab.holes_expected = true;
        sim_flash_flip(&lab.flash, address, 2);
        sim_flash_plan(&lab.flash, (struct sim_flash_cut){op, 3, SIM_FLASH_ALL_SURVIVE});
        bool opened = lab_open(&lab);
        bool was_cut = lab.flash.is_off;
        sim_flash_power_on(&lab.flash);
        assert_true(opened || was_cut);
        assert_true(lab_open(&lab));
        assert_true(lab_state(&lab).next_batch_seq >= 2);
        lab_drain(&lab);
        if (!was_cut) {
            assert_true(op > 2);
            break;
        }
    }
}

static void a_new_stream_in_a_full_ring_survives_a_cut_before_its_first_batch(void **state)
{
    (void)state;
    while (lab.spool.book.n_gaps == 0) {
        assert_true(lab_begin(&lab) && lab_append(&lab, 5) && lab_seal(&lab));
    }
    const struct edge_loss lost = lab.spool.book.gaps[0].hole.loss;
    uint32_t n_live = lab_state(&lab).next_batch_seq - lost.to_seq - 1;
    assert_true(lab_new_stream(&lab, 2));
    sim_flash_plan(&lab.flash, (struct sim_flash_cut){1, 5, SIM_FLASH_ALL_SURVIVE});
    assert_false(lab_carry(&lab));
    assert_true(lab.flash.is_off);
    sim_flash_power_on(&lab.flash);
    assert_true(lab_open(&lab));
    /* Raw flash won't be appended to and no sector is free: the one that started the stream is written anew.
     */
    uint32_t n_left = 0;
    for (uint32_t seq = 0; seq <= lost.to_seq + n_live; seq++) {
        n_left += fw_spool_is_live(&lab.spool.book, 1, seq) ? 1 : 0;
    }
    assert_int_equal(n_left, n_live);
    assert_true(lab_new_stream(&lab, 3) && lab_carry(&lab));
    lab_drain(&lab);
}

/* ---- wounds everywhere ---- */

/* Reads everything that a damaged spool still offers: what it gives is what was sealed, and the chain holds.
 */
static void check_damaged(void)
{
    uint8_t bytes[LAB_ENVELOPE_MAX_BYTES];
    uint32_t len_bytes;
    struct fw_spool_state found = lab_state(&lab);
    for (uint32_t seq = found.acked_seq + 1; seq < found.next_batch_seq; seq++) {
        struct hr_status status = fw_spool_read(&lab.spool, seq, bytes, sizeof bytes, &len_bytes);
        const struct lab_batch *batch = lab_find(&lab, lab.stream, seq);
        assert_true(hr_is_ok(status) || hr_is(status, HR_CORRUPT) || hr_is(status, HR_NOT_FOUND));
        if (!hr_is_ok(status)) {
            assert_non_null(fw_spool_gap_at(&lab.spool.book, seq));
            continue;
        }
        struct wire_envelope envelope;
        uint8_t digest[WIRE_DIGEST_BYTES];
        assert_ok(wire_envelope_split(hr_bytes_of(bytes, len_bytes), &envelope));
        wire_batch_digest(test_hash(), envelope.header_bytes, digest);
        assert_non_null(batch);
        assert_memory_equal(digest, batch->digest, sizeof digest);
        assert_code(wire_payload_check(test_hash(), envelope.payload, envelope.header.n_records,
                                       envelope.header.root),
                    HR_OK);
    }
    for (uint32_t i = 0; i < lab.spool.book.n_gaps; i++) {
        const struct edge_loss *loss = &lab.spool.book.gaps[i].hole.loss;
        const struct lab_batch *last = lab_find(&lab, lab.stream, loss->to_seq);
        assert_non_null(last);
        assert_memory_equal(loss->last_digest, last->digest, sizeof last->digest);
        assert_int_equal(loss->first_record_seq + loss->n_records, last->first_record_seq + last->n_records);
    }
    /* And it still takes batches. */
    if (fw_spool_is_open(&lab.spool)) {
        assert_ok(fw_spool_seal(&lab.spool, &lab.sign.port, 0));
    }
    assert_ok(fw_spool_begin(&lab.spool, 99, 0));
    assert_ok(fw_spool_append(&lab.spool, hr_bytes_of("still here", 10)));
    assert_ok(fw_spool_seal(&lab.spool, &lab.sign.port, 0));
    /* A word that can't be read may lie under the new batch. */
    struct hr_status status = read_status(lab_state(&lab).next_batch_seq - 1);
    assert_true(hr_is_ok(status) || (lab.flash.n_unreadable > 0 && hr_is(status, HR_CORRUPT)));
}

static struct hr_status reopen(void)
{
    struct fw_spool_config config = lab.spool.config;
    return fw_spool_open(&lab.spool, &config, &lab.report);
}

static void wound_everywhere(uint32_t step_bytes, bool unreadable)
{
    static struct lab whole;
    uint32_t n_wounds = 0;
    /* A Loss, acks, holes and an unsealed end: every kind of entry is in flash. The newest seal is not
     * wounded: when that can't be read, nothing tells it from one that was never finished. */
    make_batches(14);
    assert_true(lab_ack(&lab, lab.spool.book.n_gaps > 0 ? lab.spool.book.gaps[0].hole.loss.to_seq + 2 : 2));
    make_batches(2);
    struct fw_spool_place newest = place_of(lab_state(&lab).next_batch_seq - 1);
    uint32_t spared_from = address_in(&newest, newest.seal.offset);
    uint32_t spared_to = address_in(&newest, newest.seal.end_offset);
    lab_make(&whole, &lab_small_ring);
    struct sim_flash flash = whole.flash;
    whole = lab;
    whole.flash = flash;
    sim_flash_copy(&whole.flash, &lab.flash);
    for (uint32_t address = 0; address < 6 * 2048; address += step_bytes) {
        flash = lab.flash;
        lab = whole;
        lab.flash = flash;
        lab.sign.port.ctx = &lab.sign;
        lab.flash.n_unreadable = 0;
        sim_flash_copy(&lab.flash, &whole.flash);
        if (address + 8 > spared_from && address < spared_to) {
            continue;
        }
        (void)snprintf(plan_text, sizeof plan_text, "wound at %u", address);
        lab.plan = plan_text;
        if (unreadable) {
            sim_flash_make_unreadable(&lab.flash, address, 8);
        } else {
            sim_flash_flip(&lab.flash, address, address % 8);
        }
        assert_ok(reopen());
        check_damaged();
        n_wounds++;
    }
    print_message("%u wounds\n", n_wounds);
    lab_free(&whole);
}

static void a_flipped_bit_anywhere_shows_nothing_wrong(void **state)
{
    (void)state;
    wound_everywhere(3, false);
}

static void an_unreadable_word_anywhere_shows_nothing_wrong(void **state)
{
    (void)state;
    wound_everywhere(8, true);
}

/* ---- operations that fail ---- */

static bool work(void)
{
    for (uint32_t i = 0; i < 16; i++) {
        if (!lab_batch(&lab, 5) || (i > 2 && !lab_ack(&lab, i - 3))) {
            return false;
        }
    }
    return lab_new_stream(&lab, lab.stream + 1) && lab_carry(&lab) && lab_batch(&lab, 5) && lab_close(&lab);
}

enum fault { PROGRAM_FAULT, ERASE_FAULT, SYNC_FAULT };

/* Lets one operation fail, each in turn; the spool goes on by itself or after it is opened again, and loses
 * nothing. */
static uint32_t fail_each(enum fault fault)
{
    uint32_t n_went_on = 0;
    for (uint32_t op = 0;; op++) {
        lab_reset(&lab);
        (void)snprintf(plan_text, sizeof plan_text, "fault %d at %u", (int)fault, op);
        lab.plan = plan_text;
        assert_true(lab_open(&lab));
        sim_flash_plan(&lab.flash, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
        lab.flash.faults = (struct sim_flash_faults){
            .program_op = fault == PROGRAM_FAULT ? op : SIM_FLASH_NEVER,
            .erase_op = fault == ERASE_FAULT ? op : SIM_FLASH_NEVER,
            .sync_op = fault == SYNC_FAULT ? op : SIM_FLASH_NEVER,
        };
        bool finished = work();
        if (lab.flash.n_faults_met == 0) {
            assert_true(finished && op > 3);
            return n_went_on;
        }
        n_went_on += finished ? 1 : 0;
        assert_true(lab_open(&lab));
        lab_drain(&lab);
    }
}

static void a_program_that_fails_loses_nothing(void **state)
{
    (void)state;
    /* Records in the open batch move to another sector without the caller noticing. */
    assert_true(fail_each(PROGRAM_FAULT) > 20);
}

static void an_erase_that_fails_is_never_noticed(void **state)
{
    (void)state;
    (void)fail_each(ERASE_FAULT);
}

static void a_sync_that_fails_loses_nothing_and_is_never_retried(void **state)
{
    (void)state;
    assert_int_equal(fail_each(SYNC_FAULT), 0);
}

static void after_a_failed_sync_nothing_is_written_until_the_next_open(void **state)
{
    (void)state;
    make_batches(2);
    assert_true(lab_begin(&lab) && lab_append(&lab, 2));
    sim_flash_plan(&lab.flash, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
    lab.flash.faults.sync_op = 0;
    assert_code(fw_spool_seal(&lab.spool, &lab.sign.port, 0), HR_IO);
    assert_int_equal(lab.flash.n_faults_met, 1);
    uint32_t n_ops = lab.flash.n_ops;
    assert_code(fw_spool_append(&lab.spool, hr_bytes_of("x", 1)), HR_IO);
    assert_code(fw_spool_seal(&lab.spool, &lab.sign.port, 0), HR_IO);
    assert_code(fw_spool_abandon(&lab.spool, 0, EDGE_LOSS_REFUSED), HR_IO);
    assert_int_equal(lab.flash.n_ops, n_ops);
    assert_ok(read_status(0));
    assert_true(lab_open(&lab));
    assert_int_equal(lab_state(&lab).open_records, 2);
    lab_drain(&lab);
}

static void a_signer_that_fails_leaves_the_batch_open(void **state)
{
    (void)state;
    assert_true(lab_begin(&lab) && lab_append(&lab, 3));
    lab.sign.fails = true;
    assert_code(fw_spool_seal(&lab.spool, &lab.sign.port, 0), HR_IO);
    assert_true(fw_spool_is_open(&lab.spool));
    assert_int_equal(lab_state(&lab).next_batch_seq, 0);
    lab.sign.fails = false;
    assert_true(lab_seal(&lab));
    lab_drain(&lab);
}

static void flash_that_can_not_be_read_at_all_is_not_started_anew(void **state)
{
    (void)state;
    make_batches(2);
    sim_flash_make_unreadable(&lab.flash, 0, 6 * 2048);
    sim_flash_plan(&lab.flash, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
    assert_code(reopen(), HR_IO);
    assert_int_equal(lab.flash.n_ops, 0);
    lab.flash.n_unreadable = 0;
    assert_true(lab_open(&lab));
    lab_drain(&lab);
}

int main(void)
{
#define SPOOL_TEST(test) cmocka_unit_test_setup_teardown(test, make_lab, free_lab)
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(a_batch_that_rots_is_a_hole_and_its_neighbours_read),
        SPOOL_TEST(a_batch_whose_seal_rots_is_known_from_the_next_one),
        SPOOL_TEST(a_sector_whose_header_rots_is_one_hole),
        SPOOL_TEST(a_loss_is_pending_again_when_its_carrier_rots),
        SPOOL_TEST(a_seal_that_reads_torn_after_it_was_shown_keeps_its_number),
        SPOOL_TEST(a_new_stream_in_a_full_ring_survives_a_cut_before_its_first_batch),
        SPOOL_TEST(a_flipped_bit_anywhere_shows_nothing_wrong),
        SPOOL_TEST(an_unreadable_word_anywhere_shows_nothing_wrong),
        SPOOL_TEST(a_program_that_fails_loses_nothing),
        SPOOL_TEST(an_erase_that_fails_is_never_noticed),
        SPOOL_TEST(a_sync_that_fails_loses_nothing_and_is_never_retried),
        SPOOL_TEST(after_a_failed_sync_nothing_is_written_until_the_next_open),
        SPOOL_TEST(a_signer_that_fails_leaves_the_batch_open),
        SPOOL_TEST(flash_that_can_not_be_read_at_all_is_not_started_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
