/* SPDX-License-Identifier: Apache-2.0
 *
 * What firmware/core/spool.h promises while power stays on and flash is sound. The other days are in
 * tests/fault. */
#include "firmware/crypto/crypto.h"
#include "proto/base/crc32c.h"
#include "proto/edge/record.h"
#include "tests/support/signature_vector.h"
#include "tests/support/spool_lab.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdlib.h>
#include <string.h>

static struct lab lab;

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

static struct wire_envelope read_envelope(uint32_t seq, uint8_t out[LAB_ENVELOPE_MAX_BYTES])
{
    struct wire_envelope envelope;
    uint32_t len_bytes = 0;
    assert_ok(fw_spool_read(&lab.spool, seq, out, LAB_ENVELOPE_MAX_BYTES, &len_bytes));
    assert_ok(wire_envelope_split(hr_bytes_of(out, len_bytes), &envelope));
    return envelope;
}

static void make_batches(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        assert_true(lab_batch(&lab, 5));
    }
}

/* Batches by a caller that reports no holes. */
static void fill_without_loss(uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        assert_true(lab_begin(&lab) && lab_append(&lab, 5) && lab_seal(&lab));
    }
}

static void widen_ring(void)
{
    struct lab_config wide = lab_small_ring;
    wide.flash.n_sectors = 16;
    lab_free(&lab);
    lab_make(&lab, &wide);
    assert_true(lab_open(&lab));
}

/* ---- opening ---- */

static void blank_flash_becomes_an_empty_spool_of_the_first_stream(void **state)
{
    (void)state;
    static const uint8_t zeros[WIRE_DIGEST_BYTES];
    uint8_t anchor[WIRE_DIGEST_BYTES];
    struct fw_spool_state found = lab_state(&lab);
    assert_true(lab.report.formatted);
    assert_int_equal(found.stream, 1);
    assert_int_equal(found.next_batch_seq, 0);
    assert_int_equal(found.next_record_seq, 0);
    assert_int_equal(found.acked_seq, WIRE_SEQ_NONE);
    assert_int_equal(found.oldest_seq, 0);
    assert_int_equal(found.bytes_capacity, 6 * 2048);
    wire_stream_anchor(test_hash(), 0x1122334455667788u, 1, zeros, anchor);
    assert_memory_equal(found.last_digest, anchor, sizeof anchor);
}

static void a_clean_end_is_reported_and_an_unclean_one_is_not(void **state)
{
    (void)state;
    make_batches(2);
    assert_true(lab_close(&lab) && lab_open(&lab));
    assert_true(lab.report.clean);
    assert_false(lab.report.formatted);
    make_batches(1);
    assert_true(lab_open(&lab));
    assert_false(lab.report.clean);
    assert_int_equal(lab.report.last_boot_id, 2);
}

static void unsealed_records_come_back_as_the_open_batch_of_their_boot(void **state)
{
    (void)state;
    uint8_t bytes[LAB_ENVELOPE_MAX_BYTES];
    make_batches(1);
    assert_true(lab_begin(&lab) && lab_append(&lab, 6));
    assert_true(lab_open(&lab)); /* lab_check compares the records */
    assert_true(fw_spool_is_open(&lab.spool));
    assert_true(lab.report.recovered_records > 0);
    assert_int_equal(lab_state(&lab).open_records, lab.report.recovered_records);
    uint32_t recovered = lab.report.recovered_records;
    assert_true(lab_seal(&lab));
    struct wire_envelope envelope = read_envelope(1, bytes);
    assert_int_equal(envelope.header.boot_id, 1);
    assert_int_equal(envelope.header.base_uptime_ms, 1000);
    assert_int_equal(envelope.header.n_records, recovered);
    assert_int_equal(envelope.header.first_record_seq, 5);
}

static void a_spool_of_another_device_or_format_is_refused_and_not_touched(void **state)
{
    (void)state;
    static uint8_t before[6 * 2048];
    struct fw_spool_report report;
    make_batches(2);
    memcpy(before, lab.flash.cells, sizeof before);
    struct fw_spool_config config = lab.spool.config;
    config.device_id++;
    assert_code(fw_spool_open(&lab.spool, &config, &report), HR_CORRUPT);
    assert_memory_equal(before, lab.flash.cells, sizeof before);

    /* A header of format 2 with the check that it needs. */
    config.device_id--;
    uint8_t *header = lab.flash.cells;
    uint32_t len_bytes = (uint32_t)(header[6] << 8 | header[7]);
    header[5] = 2;
    uint32_t crc = hr_crc32c(0, header, len_bytes - 4);
    for (uint32_t i = 0; i < 4; i++) {
        header[len_bytes - 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    memcpy(before, lab.flash.cells, sizeof before);
    assert_code(fw_spool_open(&lab.spool, &config, &report), HR_CORRUPT);
    assert_memory_equal(before, lab.flash.cells, sizeof before);
}

/* ---- batches ---- */

static void a_sealed_batch_reads_back_with_its_place_in_the_chain(void **state)
{
    (void)state;
    uint8_t first_bytes[LAB_ENVELOPE_MAX_BYTES];
    uint8_t second_bytes[LAB_ENVELOPE_MAX_BYTES];
    assert_true(lab_batch(&lab, 3) && lab_batch(&lab, 4));
    struct wire_envelope first = read_envelope(0, first_bytes);
    struct wire_envelope second = read_envelope(1, second_bytes);
    uint8_t digest[WIRE_DIGEST_BYTES];
    wire_batch_digest(test_hash(), first.header_bytes, digest);
    assert_int_equal(first.header.flags, WIRE_FLAG_FIRST_OF_STREAM);
    assert_int_equal(first.header.first_record_seq, 0);
    assert_int_equal(first.header.key_epoch, 1);
    assert_int_equal(second.header.flags, 0);
    assert_int_equal(second.header.first_record_seq, 3);
    assert_memory_equal(second.header.prev_digest, digest, sizeof digest);
    assert_ok(wire_payload_check(test_hash(), second.payload, 4, second.header.root));
    uint8_t tbs[WIRE_TBS_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    wire_tbs(second.header_bytes, lab.sign.port.spki_sha256, tbs);
    assert_ok(lab.sign.port.sign(&lab.sign, hr_bytes_of(tbs, sizeof tbs), signature));
    assert_memory_equal(second.signature_bytes, signature, sizeof signature);
}

static void a_batch_of_a_real_key_verifies(void **state)
{
    (void)state;
    struct signature_vector vector;
    struct crypto_signer signer;
    struct crypto_verifier verifier;
    /* SEC 1 ECPrivateKey (RFC 5915) of P-256 around the 32 bytes of the vector's key. */
    uint8_t der[51] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
    static const uint8_t curve[] = {0xA0, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
    uint8_t bytes[LAB_ENVELOPE_MAX_BYTES];
    signature_vector_load(&vector);
    memcpy(der + 7, vector.private_key, 32);
    memcpy(der + 39, curve, sizeof curve);
    assert_ok(crypto_start());
    assert_ok(crypto_signer_load(&signer, hr_bytes_of(der, sizeof der), 1));
    assert_ok(crypto_verifier_load(&verifier, signer.spki, 1));

    assert_ok(fw_spool_begin(&lab.spool, 1, 5));
    assert_ok(fw_spool_append(&lab.spool, hr_bytes_of("record", 6)));
    assert_ok(fw_spool_seal(&lab.spool, &signer.port, 0));
    struct wire_envelope envelope = read_envelope(0, bytes);
    uint8_t header[WIRE_HEADER_BYTES];
    memcpy(header, envelope.header_bytes, sizeof header);
    assert_ok(verifier.port.verify(verifier.port.ctx, 1, header, envelope.signature_bytes));
    header[80] ^= 1;
    assert_code(verifier.port.verify(verifier.port.ctx, 1, header, envelope.signature_bytes), HR_DENIED);
    crypto_verifier_unload(&verifier);
    crypto_signer_unload(&signer);
}

static void a_batch_of_no_records_is_a_heartbeat(void **state)
{
    (void)state;
    uint8_t bytes[LAB_ENVELOPE_MAX_BYTES];
    assert_true(lab_begin(&lab) && lab_seal(&lab));
    struct wire_envelope envelope = read_envelope(0, bytes);
    assert_int_equal(envelope.header.n_records, 0);
    assert_int_equal(envelope.payload.len_bytes, 0);
    assert_true(lab_open(&lab));
}

static void a_record_that_fits_no_batch_is_malformed_and_a_full_batch_is_full(void **state)
{
    (void)state;
    static const uint8_t bytes[512];
    assert_ok(fw_spool_begin(&lab.spool, 1, 0));
    assert_code(fw_spool_append(&lab.spool, hr_bytes_of(bytes, 0)), HR_MALFORMED);
    assert_code(fw_spool_append(&lab.spool, hr_bytes_of(bytes, sizeof bytes)), HR_MALFORMED);
    /* The stage of 128 bytes takes 12 of head, 1 of length and 115. */
    assert_code(fw_spool_append(&lab.spool, hr_bytes_of(bytes, 116)), HR_MALFORMED);
    assert_int_equal(lab_state(&lab).open_records, 0);
    /* 172 of prefix and twice 116 are 404 of 420 bytes: 16 are left, one of them for the length. */
    assert_ok(fw_spool_append(&lab.spool, hr_bytes_of(bytes, 115)));
    assert_ok(fw_spool_append(&lab.spool, hr_bytes_of(bytes, 115)));
    assert_code(fw_spool_append(&lab.spool, hr_bytes_of(bytes, 16)), HR_FULL);
    assert_int_equal(lab_state(&lab).open_payload_bytes, 232);
    assert_ok(fw_spool_append(&lab.spool, hr_bytes_of(bytes, 15)));
    assert_ok(fw_spool_seal(&lab.spool, &lab.sign.port, 0));
    uint8_t envelope[420];
    uint32_t len_bytes = 0;
    assert_code(fw_spool_read(&lab.spool, 0, envelope, 419, &len_bytes), HR_FULL);
    assert_code(fw_spool_read(&lab.spool, 0, envelope, 100, &len_bytes), HR_FULL);
    assert_ok(fw_spool_read(&lab.spool, 0, envelope, 420, &len_bytes));
    assert_int_equal(len_bytes, 420);
}

static void begin_twice(void *ctx)
{
    struct lab *l = ctx;
    hr_ignore(fw_spool_begin(&l->spool, 1, 0)); /* only the assert counts here */
    hr_ignore(fw_spool_begin(&l->spool, 1, 0));
}

static void begin_in_an_open_batch_asserts(void **state)
{
    (void)state;
    assert_true(test_asserts(begin_twice, &lab));
}

/* ---- acks ---- */

static void an_ack_frees_only_with_the_digest_of_its_batch(void **state)
{
    (void)state;
    uint8_t bytes[LAB_ENVELOPE_MAX_BYTES];
    uint8_t digest[WIRE_DIGEST_BYTES];
    uint32_t len_bytes;
    make_batches(3);
    struct wire_envelope envelope = read_envelope(1, bytes);
    wire_batch_digest(test_hash(), envelope.header_bytes, digest);
    digest[7] ^= 1;
    assert_code(fw_spool_ack(&lab.spool, 1, digest), HR_DENIED);
    assert_int_equal(lab_state(&lab).acked_seq, WIRE_SEQ_NONE);
    digest[7] ^= 1;
    assert_code(fw_spool_ack(&lab.spool, 3, digest), HR_NOT_FOUND);
    assert_ok(fw_spool_ack(&lab.spool, WIRE_SEQ_NONE, digest));
    assert_int_equal(lab_state(&lab).acked_seq, WIRE_SEQ_NONE);
    assert_ok(fw_spool_ack(&lab.spool, 1, digest));
    struct fw_spool_state found = lab_state(&lab);
    assert_int_equal(found.acked_seq, 1);
    assert_int_equal(found.oldest_seq, 2);
    assert_ok(fw_spool_ack(&lab.spool, 1, digest));
    assert_ok(fw_spool_ack(&lab.spool, 0, digest));
    assert_code(fw_spool_read(&lab.spool, 1, bytes, sizeof bytes, &len_bytes), HR_NOT_FOUND);
    assert_ok(fw_spool_read(&lab.spool, 2, bytes, sizeof bytes, &len_bytes));
    assert_code(fw_spool_read(&lab.spool, 3, bytes, sizeof bytes, &len_bytes), HR_NOT_FOUND);
}

static void acks_are_kept_by_a_clean_end(void **state)
{
    (void)state;
    make_batches(3);
    assert_true(lab_ack(&lab, 1) && lab_close(&lab) && lab_open(&lab));
    assert_int_equal(lab_state(&lab).acked_seq, 1);
}

static void a_ring_whose_batches_are_acked_never_loses_any(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        assert_true(lab_batch(&lab, 5));
        if (i >= 4) {
            assert_true(lab_ack(&lab, i - 4));
        }
        assert_int_equal(lab.spool.book.n_gaps, 0);
    }
    /* Wear is level: no sector is erased much more often than another. */
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    for (uint32_t i = 0; i < 6; i++) {
        least = lab.sectors[i].erase_count < least ? lab.sectors[i].erase_count : least;
        most = lab.sectors[i].erase_count > most ? lab.sectors[i].erase_count : most;
    }
    assert_true(most >= 5 && most - least <= 2);
    lab_drain(&lab);
}

/* ---- holes ---- */

static void overflow_drops_the_oldest_and_one_loss_covers_all_of_it(void **state)
{
    (void)state;
    struct edge_loss loss;
    uint32_t carrier_seq;
    fill_without_loss(40);
    assert_ok(fw_spool_pending_loss(&lab.spool, &loss));
    assert_int_equal(loss.reason, EDGE_LOSS_OVERFLOW);
    assert_int_equal(loss.from_seq, 0);
    assert_int_equal(loss.first_record_seq, 0);
    const struct lab_batch *last = lab_find(&lab, 1, loss.to_seq);
    assert_non_null(last);
    assert_int_equal(loss.n_records, last->first_record_seq + last->n_records);
    assert_memory_equal(loss.last_digest, last->digest, sizeof loss.last_digest);
    assert_int_equal(lab_state(&lab).oldest_seq, loss.to_seq + 1);
    assert_code(fw_spool_loss_carrier(&lab.spool, 0, &carrier_seq), HR_NOT_FOUND);

    uint32_t next_seq = lab_state(&lab).next_batch_seq;
    assert_true(lab_begin(&lab) && lab_append_loss(&lab) && lab_seal(&lab));
    assert_code(fw_spool_pending_loss(&lab.spool, &loss), HR_NOT_FOUND);
    assert_ok(fw_spool_loss_carrier(&lab.spool, 0, &carrier_seq));
    assert_int_equal(carrier_seq, next_seq);
    lab_drain(&lab);
}

static void an_ack_up_to_the_end_of_a_hole_ends_it_and_one_inside_does_nothing(void **state)
{
    (void)state;
    static const uint8_t any_digest[WIRE_ACK_DIGEST_BYTES];
    struct edge_loss loss;
    make_batches(40);
    (void)lab_begin(&lab);
    assert_true(lab_append_loss(&lab) && lab_seal(&lab));
    loss = lab.spool.book.gaps[0].hole.loss;
    assert_true(loss.to_seq > 1);
    assert_ok(fw_spool_ack(&lab.spool, 1, any_digest));
    assert_int_equal(lab_state(&lab).acked_seq, WIRE_SEQ_NONE);
    assert_code(fw_spool_ack(&lab.spool, loss.to_seq, any_digest), HR_DENIED);
    assert_ok(fw_spool_ack(&lab.spool, loss.to_seq, loss.last_digest));
    assert_int_equal(lab_state(&lab).acked_seq, loss.to_seq);
    assert_int_equal(lab.spool.book.n_gaps, 0);
}

static void a_loss_is_pending_again_when_its_carrier_is_evicted(void **state)
{
    (void)state;
    struct edge_loss loss;
    make_batches(25);
    (void)lab_begin(&lab);
    assert_true(lab_append_loss(&lab) && lab_seal(&lab));
    uint32_t carrier_seq;
    assert_ok(fw_spool_loss_carrier(&lab.spool, 0, &carrier_seq));
    while (lab.spool.book.gaps[0].hole.loss.to_seq < carrier_seq) {
        fill_without_loss(1);
    }
    assert_ok(fw_spool_pending_loss(&lab.spool, &loss));
    assert_int_equal(loss.from_seq, 0);
    assert_true(loss.to_seq >= carrier_seq);
    lab_drain(&lab);
}

static void an_abandoned_batch_is_a_hole_of_its_reason(void **state)
{
    (void)state;
    uint8_t bytes[LAB_ENVELOPE_MAX_BYTES];
    uint32_t len_bytes;
    struct edge_loss loss;
    lab.holes_expected = true;
    make_batches(4);
    assert_code(fw_spool_abandon(&lab.spool, 9, EDGE_LOSS_REFUSED), HR_NOT_FOUND);
    assert_ok(fw_spool_abandon(&lab.spool, 2, EDGE_LOSS_REFUSED));
    assert_code(fw_spool_abandon(&lab.spool, 2, EDGE_LOSS_REFUSED), HR_NOT_FOUND);
    assert_code(fw_spool_read(&lab.spool, 2, bytes, sizeof bytes, &len_bytes), HR_NOT_FOUND);
    assert_ok(fw_spool_pending_loss(&lab.spool, &loss));
    assert_int_equal(loss.from_seq, 2);
    assert_int_equal(loss.to_seq, 2);
    assert_int_equal(loss.reason, EDGE_LOSS_REFUSED);
    assert_int_equal(loss.first_record_seq, 10);
    assert_int_equal(loss.n_records, 5);
    assert_memory_equal(loss.last_digest, lab_find(&lab, 1, 2)->digest, sizeof loss.last_digest);
    assert_true(lab_open(&lab)); /* and it survives */
    struct edge_loss again;
    assert_ok(fw_spool_pending_loss(&lab.spool, &again));
    assert_memory_equal(again.last_digest, loss.last_digest, sizeof loss.last_digest);
    lab_drain(&lab);
}

static void more_holes_than_the_table_holds_merge_with_the_nearest(void **state)
{
    (void)state;
    widen_ring();
    lab.holes_expected = true;
    make_batches(20);
    for (uint32_t i = 0; i < 9; i++) {
        assert_ok(fw_spool_abandon(&lab.spool, 2 * i, EDGE_LOSS_REFUSED));
    }
    assert_int_equal(lab.spool.book.n_gaps, FW_SPOOL_MAX_HOLES);
    const struct edge_loss *merged = &lab.spool.book.gaps[FW_SPOOL_MAX_HOLES - 1].hole.loss;
    assert_int_equal(merged->from_seq, 14);
    assert_int_equal(merged->to_seq, 16);
    assert_int_equal(merged->n_records, 15);
    lab_check(&lab);
    lab_drain(&lab);
}

/* ---- streams ---- */

static void a_new_stream_is_anchored_in_the_old_one_and_carries_what_was_not_acked(void **state)
{
    (void)state;
    uint8_t bytes[LAB_ENVELOPE_MAX_BYTES];
    uint8_t anchor[WIRE_DIGEST_BYTES];
    make_batches(5);
    assert_true(lab_ack(&lab, 1));
    wire_stream_anchor(test_hash(), 0x1122334455667788u, 7, lab_state(&lab).last_digest, anchor);
    assert_true(lab_new_stream(&lab, 7));
    struct fw_spool_state found = lab_state(&lab);
    assert_int_equal(found.stream, 7);
    assert_int_equal(found.next_batch_seq, 0);
    assert_memory_equal(found.last_digest, anchor, sizeof anchor);
    assert_true(lab_carry(&lab)); /* compares the contents */
    found = lab_state(&lab);
    assert_int_equal(found.next_batch_seq, 3);
    assert_int_equal(found.next_record_seq, 15);
    struct wire_envelope envelope = read_envelope(0, bytes);
    assert_int_equal(envelope.header.flags, WIRE_FLAG_FIRST_OF_STREAM);
    assert_memory_equal(envelope.header.prev_digest, anchor, sizeof anchor);
    assert_code(fw_spool_carry(&lab.spool, &lab.sign.port), HR_NOT_FOUND);
    assert_true(lab_open(&lab));
    lab_drain(&lab);
}

static void a_full_ring_is_carried_without_losing_a_batch(void **state)
{
    (void)state;
    struct edge_loss loss;
    uint32_t n_gaps_at_most = 0;
    /* Filled to the brim: the last batch before the first eviction. */
    while (lab.spool.book.n_gaps == 0) {
        fill_without_loss(1);
    }
    const struct edge_loss lost = lab.spool.book.gaps[0].hole.loss;
    uint32_t n_live = lab_state(&lab).next_batch_seq - lost.to_seq - 1;
    assert_true(lab_new_stream(&lab, 2));
    for (uint32_t i = 0; i < n_live; i++) {
        assert_ok(fw_spool_carry(&lab.spool, &lab.sign.port));
        n_gaps_at_most = lab.spool.book.n_gaps > n_gaps_at_most ? lab.spool.book.n_gaps : n_gaps_at_most;
    }
    assert_code(fw_spool_carry(&lab.spool, &lab.sign.port), HR_NOT_FOUND);
    /* The hole of the old stream stands in the new one as number 0, and no other joined it. */
    assert_int_equal(n_gaps_at_most, 1);
    assert_ok(fw_spool_pending_loss(&lab.spool, &loss));
    assert_int_equal(loss.from_seq, 0);
    assert_int_equal(loss.to_seq, 0);
    assert_int_equal(loss.n_records, lost.n_records);
    assert_int_equal(lab_state(&lab).next_batch_seq, n_live + 1);
}

static void carrying_goes_on_over_a_second_new_stream(void **state)
{
    (void)state;
    make_batches(6);
    assert_true(lab_new_stream(&lab, 2));
    for (uint32_t i = 0; i < 2; i++) {
        lab.carrying = true;
        assert_ok(fw_spool_carry(&lab.spool, &lab.sign.port));
        lab_check(&lab);
    }
    assert_true(lab_new_stream(&lab, 3));
    assert_true(lab_carry(&lab));
    assert_int_equal(lab_state(&lab).next_batch_seq, 6);
    assert_true(lab_open(&lab));
    lab_drain(&lab);
}

static void a_new_stream_is_refused_when_too_many_ranges_wait(void **state)
{
    (void)state;
    struct hr_status status = hr_ok();
    uint32_t stream = 1;
    widen_ring();
    while (hr_is_ok(status) && stream < 40) {
        assert_true(lab_batch(&lab, 1));
        stream++;
        status = fw_spool_new_stream(&lab.spool, stream);
        lab.stream = stream;
        lab.acked_seq = WIRE_SEQ_NONE;
    }
    assert_code(status, HR_FULL);
    assert_int_equal(lab_state(&lab).stream, stream - 1);
    assert_int_equal(lab.spool.book.n_ranges, FW_SPOOL_MAX_CARRIES);
}

int main(void)
{
#define SPOOL_TEST(test) cmocka_unit_test_setup_teardown(test, make_lab, free_lab)
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(blank_flash_becomes_an_empty_spool_of_the_first_stream),
        SPOOL_TEST(a_clean_end_is_reported_and_an_unclean_one_is_not),
        SPOOL_TEST(unsealed_records_come_back_as_the_open_batch_of_their_boot),
        SPOOL_TEST(a_spool_of_another_device_or_format_is_refused_and_not_touched),
        SPOOL_TEST(a_sealed_batch_reads_back_with_its_place_in_the_chain),
        SPOOL_TEST(a_batch_of_a_real_key_verifies),
        SPOOL_TEST(a_batch_of_no_records_is_a_heartbeat),
        SPOOL_TEST(a_record_that_fits_no_batch_is_malformed_and_a_full_batch_is_full),
        SPOOL_TEST(begin_in_an_open_batch_asserts),
        SPOOL_TEST(an_ack_frees_only_with_the_digest_of_its_batch),
        SPOOL_TEST(acks_are_kept_by_a_clean_end),
        SPOOL_TEST(a_ring_whose_batches_are_acked_never_loses_any),
        SPOOL_TEST(overflow_drops_the_oldest_and_one_loss_covers_all_of_it),
        SPOOL_TEST(an_ack_up_to_the_end_of_a_hole_ends_it_and_one_inside_does_nothing),
        SPOOL_TEST(a_loss_is_pending_again_when_its_carrier_is_evicted),
        SPOOL_TEST(an_abandoned_batch_is_a_hole_of_its_reason),
        SPOOL_TEST(more_holes_than_the_table_holds_merge_with_the_nearest),
        SPOOL_TEST(a_new_stream_is_anchored_in_the_old_one_and_carries_what_was_not_acked),
        SPOOL_TEST(a_full_ring_is_carried_without_losing_a_batch),
        SPOOL_TEST(carrying_goes_on_over_a_second_new_stream),
        SPOOL_TEST(a_new_stream_is_refused_when_too_many_ranges_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
