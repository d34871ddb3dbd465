/* SPDX-License-Identifier: Apache-2.0
 *
 * How the uplink fetches trust bundles (proto/SPEC.md 4.10): by a hint, in pieces, one version after the
 * other; what is lost is asked for again, and what is refused is told and let be for a while. */
#include "firmware/crypto/crypto.h"
#include "proto/base/cursor.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_vectors.h"
#include "tests/support/uplink_lab.h"

#include <string.h>

#define MINUTE_MS (UINT64_C(60) * 1000)

enum { CONTENT = 2 << 5 | 5, NOT_FOUND = 4 << 5 | 4, PIECE_BYTES = 500, HEAD_BYTES = 8 };

static const char vectors_file[] = "tests/vectors/trust.txt";

static struct {
    struct fw_trust trust;
    uint8_t copies[FW_TRUST_COPIES][TRUST_MAX_BYTES];
    size_t len_bytes[FW_TRUST_COPIES];
    bool is_asked; /* a request is out */
    uint32_t token;
    uint32_t version;
    uint32_t offset;
} device;

/* ---- what a platform keeps, and what its network is asked ---- */

static struct hr_status load(void *ctx, uint32_t copy, uint8_t *out, size_t capacity_bytes, size_t *len_bytes)
{
    (void)ctx;
    assert_true(device.len_bytes[copy] <= capacity_bytes);
    memcpy(out, device.copies[copy], device.len_bytes[copy]);
    *len_bytes = device.len_bytes[copy];
    return hr_status_of(*len_bytes == 0 ? HR_NOT_FOUND : HR_OK);
}

static struct hr_status save(void *ctx, uint32_t copy, struct hr_bytes bytes)
{
    (void)ctx;
    memcpy(device.copies[copy], bytes.data, bytes.len_bytes);
    device.len_bytes[copy] = bytes.len_bytes;
    return hr_ok();
}

static struct hr_status take_any(void *ctx, const struct trust_bundle *bundle)
{
    (void)ctx, (void)bundle;
    return hr_ok();
}

static struct hr_status verify(void *ctx, const uint8_t spki[TRUST_SPKI_BYTES],
                               const uint8_t digest[WIRE_DIGEST_BYTES],
                               const uint8_t signature[TRUST_ECDSA_BYTES])
{
    (void)ctx;
    return crypto_verify_digest(spki, digest, signature);
}

static struct hr_status get_trust(void *ctx, uint32_t token, uint32_t version, uint32_t offset)
{
    (void)ctx;
    assert_false(device.is_asked);
    device.is_asked = true;
    device.token = token;
    device.version = version;
    device.offset = offset;
    return hr_ok();
}

/* A device that follows version 1, with a session and so many batches. */
static struct uplink_lab *lab_that_follows(uint32_t n_batches)
{
    const struct fw_trust_platform platform = {load, save, take_any, take_any, NULL};
    const struct trust_verify verifier = {.verify = verify};
    struct uplink_lab *lab = lab_of_test();
    memset(&device, 0, sizeof device);
    device.len_bytes[0] = test_vector(vectors_file, "first", device.copies[0], TRUST_MAX_BYTES);
    assert_ok(crypto_start());
    assert_ok(fw_trust_open(&device.trust, &platform, crypto_hash(), &verifier));
    lab_blank(lab, 43, LAB_MAX_SECTORS);
    lab->net.get_trust = get_trust;
    lab_restart(lab);
    lab->collector.uplink.config.trust = &device.trust;
    lab_offer(lab, n_batches - 1);
    lab_connect(lab);
    return lab;
}

/* ---- what the aggregator says ---- */

static void accept(struct uplink_lab *lab, uint32_t seq, uint8_t hints)
{
    struct wire_ack ack = lab_ack_of(WIRE_ACK_OK, seq);
    ack.hints = hints;
    lab_answer(lab, lab_post(lab, seq), &ack, 0);
}

static void answer(struct uplink_lab *lab, uint8_t code, struct hr_bytes payload)
{
    assert_true(device.is_asked);
    device.is_asked = false;
    lab->events.answer(lab->events.ctx, device.token, code, payload, 0);
    lab_step(lab);
}

/* A piece of a bundle of total_bytes, from `at` on. */
static void give_piece(struct uplink_lab *lab, const uint8_t *bundle, size_t total_bytes, size_t at)
{
    uint8_t piece[HEAD_BYTES + PIECE_BYTES];
    struct hr_writer writer = hr_writer_over(piece, sizeof piece);
    size_t left_bytes = total_bytes - at;
    hr_write_u32(&writer, device.version);
    hr_write_u16(&writer, (uint16_t)total_bytes);
    hr_write_u16(&writer, (uint16_t)at);
    hr_write_raw(&writer, bundle + at, left_bytes < PIECE_BYTES ? left_bytes : PIECE_BYTES);
    assert_true(hr_writer_ok(&writer));
    answer(lab, CONTENT, hr_bytes_of(piece, writer.at));
}

/* All of the bundle, as it is asked for. Gives how many pieces it took. */
static uint32_t give(struct uplink_lab *lab, const char *name)
{
    uint8_t bundle[TRUST_MAX_BYTES];
    size_t total_bytes = test_vector(vectors_file, name, bundle, sizeof bundle);
    uint32_t n_pieces = 0;
    for (size_t at = 0; at < total_bytes; at += PIECE_BYTES, n_pieces++) {
        assert_true(device.is_asked);
        assert_int_equal(device.offset, at);
        give_piece(lab, bundle, total_bytes, at);
    }
    return n_pieces;
}

static void a_bundle_comes_in_pieces_and_the_session_begins_anew(void **state)
{
    (void)state;
    struct uplink_lab *lab = lab_that_follows(6);
    accept(lab, 0, 0);
    assert_false(device.is_asked);
    accept(lab, 1, WIRE_HINT_CONFIG);
    assert_int_equal(device.version, 2);
    accept(lab, 2, WIRE_HINT_CONFIG); /* batches go on between the pieces */
    assert_int_equal(give(lab, "second"), 2);
    assert_int_equal(fw_trust_version(&device.trust), 2);
    assert_false(lab->net_is_open);
    lab_assert_event(lab, FW_EVENT_TRUST_CHANGED);
    lab_up(lab);
    struct wire_ack ack = lab_ack_of(WIRE_ACK_OK, 2);
    ack.hints = WIRE_HINT_CONFIG;
    lab_answer(lab, lab_head(lab), &ack, 0);
    accept(lab, 3, WIRE_HINT_CONFIG);
    assert_int_equal(device.version, 3);
    answer(lab, NOT_FOUND, hr_bytes_of("", 0));
    assert_false(device.is_asked);
    assert_int_equal(device.trust.counters.adopted, 1);
}

static void what_is_refused_is_told_once_and_let_be_for_a_while(void **state)
{
    (void)state;
    static const char *const names[] = {"second_by_its_own", "first", "third"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct uplink_lab *lab = lab_that_follows(8);
        accept(lab, 0, WIRE_HINT_CONFIG);
        (void)give(lab, names[i]);
        assert_int_equal(fw_trust_version(&device.trust), 1);
        assert_true(lab->net_is_open);
        lab_assert_event(lab, FW_EVENT_TRUST_REFUSED);
        const struct fw_trust_counters *counters = &device.trust.counters;
        assert_int_equal(counters->not_by_old + counters->stale + counters->skipped, 1);
        accept(lab, 1, WIRE_HINT_CONFIG);
        assert_false(device.is_asked);
        lab_pass(lab, 5 * MINUTE_MS);
        accept(lab, 2, WIRE_HINT_CONFIG);
        (void)give(lab, "second");
        assert_int_equal(fw_trust_version(&device.trust), 2);
    }
}

static void a_bundle_that_is_too_big_is_refused_by_its_first_piece(void **state)
{
    (void)state;
    uint8_t bundle[TRUST_MAX_BYTES + 1] = {0};
    struct uplink_lab *lab = lab_that_follows(3);
    accept(lab, 0, WIRE_HINT_CONFIG);
    give_piece(lab, bundle, sizeof bundle, 0);
    assert_false(device.is_asked);
    assert_int_equal(device.trust.counters.malformed, 1);
    lab_assert_event(lab, FW_EVENT_TRUST_REFUSED);
}

static void what_is_lost_or_does_not_continue_begins_again(void **state)
{
    (void)state;
    uint8_t bundle[TRUST_MAX_BYTES];
    size_t total_bytes = test_vector(vectors_file, "second", bundle, sizeof bundle);
    struct uplink_lab *lab = lab_that_follows(8);
    accept(lab, 0, WIRE_HINT_CONFIG);
    give_piece(lab, bundle, total_bytes, 0);
    assert_int_equal(device.offset, PIECE_BYTES);
    device.is_asked = false;
    lab->events.timeout(lab->events.ctx, device.token);
    lab_step(lab);
    assert_false(device.is_asked);
    accept(lab, 1, WIRE_HINT_CONFIG);
    assert_int_equal(device.offset, 0);
    give_piece(lab, bundle, total_bytes, 0);
    give_piece(lab, bundle, total_bytes, 0); /* not what was asked for */
    assert_false(device.is_asked);
    assert_int_equal(lab->collector.uplink.counters.bad_answers, 1);
    lab_pass(lab, 5 * MINUTE_MS);
    accept(lab, 2, WIRE_HINT_CONFIG);
    give_piece(lab, bundle, total_bytes, 0);
    device.is_asked = false;
    lab_down(lab, PORT_NET_DOWN_LOST);
    lab_up(lab);
    const struct wire_ack ack = lab_ack_of(WIRE_ACK_OK, 2);
    lab_answer(lab, lab_head(lab), &ack, 0);
    assert_true(device.is_asked);
    assert_int_equal(give(lab, "second"), 2);
    assert_int_equal(fw_trust_version(&device.trust), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_comes_in_pieces_and_the_session_begins_anew),
        cmocka_unit_test(what_is_refused_is_told_once_and_let_be_for_a_while),
        cmocka_unit_test(a_bundle_that_is_too_big_is_refused_by_its_first_piece),
        cmocka_unit_test(what_is_lost_or_does_not_continue_begins_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
