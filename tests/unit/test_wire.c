/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/wire/ack.h"
#include "proto/wire/batch.h"
#include "proto/wire/merkle.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"
#include "tests/support/test_vectors.h"

#include <string.h>

static const char signature_file[] = "tests/vectors/signature.txt";

/* The header of the shared vector, as its line of hexadecimal says it. */
static struct wire_header vector_header(void)
{
    struct wire_header header = {
        .flags = 0,
        .device_id = 0x0102030405060708,
        .stream = 3,
        .key_epoch = 2,
        .batch_seq = 41,
        .first_record_seq = 2560,
        .n_records = 2,
        .payload_len_bytes = 18,
        .boot_id = 7,
        .base_uptime_ms = 3600000,
        .schema_id = WIRE_SCHEMA_ID,
    };
    memset(header.prev_digest, 0x11, sizeof header.prev_digest);
    (void)test_vector(signature_file, "root", header.root, sizeof header.root);
    return header;
}

static void header_has_the_bytes_of_the_shared_vector(void **state)
{
    (void)state;
    uint8_t expected[WIRE_HEADER_BYTES];
    assert_int_equal(test_vector(signature_file, "header", expected, sizeof expected), WIRE_HEADER_BYTES);
    struct wire_header header = vector_header();
    uint8_t bytes[WIRE_HEADER_BYTES];
    wire_header_encode(&header, bytes);
    assert_memory_equal(bytes, expected, sizeof bytes);
}

static void header_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct wire_header header = vector_header();
    header.flags = WIRE_FLAGS_KNOWN;
    header.device_id = UINT64_MAX;
    header.batch_seq = WIRE_SEQ_NONE - 1;
    header.first_record_seq = ((uint64_t)1 << 48) - 1;
    header.base_uptime_ms = ((uint64_t)1 << 48) - 1;
    uint8_t bytes[WIRE_HEADER_BYTES];
    wire_header_encode(&header, bytes);
    struct wire_header read;
    assert_ok(wire_header_decode(bytes, &read));
    assert_int_equal(read.flags, header.flags);
    assert_true(read.device_id == header.device_id);
    assert_int_equal(read.stream, header.stream);
    assert_int_equal(read.key_epoch, header.key_epoch);
    assert_int_equal(read.batch_seq, header.batch_seq);
    assert_true(read.first_record_seq == header.first_record_seq);
    assert_int_equal(read.n_records, header.n_records);
    assert_int_equal(read.payload_len_bytes, header.payload_len_bytes);
    assert_int_equal(read.boot_id, header.boot_id);
    assert_true(read.base_uptime_ms == header.base_uptime_ms);
    assert_int_equal(read.schema_id, header.schema_id);
    assert_memory_equal(read.prev_digest, header.prev_digest, WIRE_DIGEST_BYTES);
    assert_memory_equal(read.root, header.root, WIRE_DIGEST_BYTES);
}

static void header_that_this_build_does_not_know_is_refused_without_a_trace(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        enum hr_code want;
    } cases[] = {
        {0, 0x46, HR_NOT_FOUND},  /* magic */
        {1, 0xB2, HR_NOT_FOUND},  /* magic */
        {2, 0x02, HR_NOT_FOUND},  /* algorithm */
        {2, 0x00, HR_NOT_FOUND},  /* no algorithm */
        {43, 0x02, HR_NOT_FOUND}, /* schema */
        {3, 0x10, HR_MALFORMED},  /* a flag of the future */
        {3, 0x80, HR_MALFORMED},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        uint8_t bytes[WIRE_HEADER_BYTES];
        (void)test_vector(signature_file, "header", bytes, sizeof bytes);
        bytes[cases[i].at] = cases[i].value;
        struct wire_header read = {.boot_id = 99};
        assert_code(wire_header_decode(bytes, &read), cases[i].want);
        assert_int_equal(read.boot_id, 99);
    }
    uint8_t bytes[WIRE_HEADER_BYTES];
    (void)test_vector(signature_file, "header", bytes, sizeof bytes);
    memset(bytes + 18, 0xFF, 4); /* batch_seq: the number that no batch has */
    struct wire_header read;
    assert_code(wire_header_decode(bytes, &read), HR_MALFORMED);
}

static void encode_header(void *ctx)
{
    uint8_t bytes[WIRE_HEADER_BYTES];
    wire_header_encode(ctx, bytes);
}

static void header_encoding_asserts_what_48_bits_and_known_flags_can_say(void **state)
{
    (void)state;
    struct wire_header header = vector_header();
    assert_false(test_asserts(encode_header, &header));
    header.first_record_seq = (uint64_t)1 << 48;
    assert_true(test_asserts(encode_header, &header));
    header = vector_header();
    header.base_uptime_ms = (uint64_t)1 << 48;
    assert_true(test_asserts(encode_header, &header));
    header = vector_header();
    header.flags = 0x10;
    assert_true(test_asserts(encode_header, &header));
    header = vector_header();
    header.batch_seq = WIRE_SEQ_NONE;
    assert_true(test_asserts(encode_header, &header));
}

static void signed_bytes_and_digest_are_those_of_the_shared_vector(void **state)
{
    (void)state;
    uint8_t header[WIRE_HEADER_BYTES];
    uint8_t spki_sha256[WIRE_DIGEST_BYTES];
    uint8_t expected_tbs[WIRE_TBS_BYTES];
    uint8_t expected[WIRE_DIGEST_BYTES];
    (void)test_vector(signature_file, "header", header, sizeof header);
    (void)test_vector(signature_file, "spki_sha256", spki_sha256, sizeof spki_sha256);
    assert_int_equal(test_vector(signature_file, "tbs", expected_tbs, sizeof expected_tbs), WIRE_TBS_BYTES);

    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(header, spki_sha256, tbs);
    assert_memory_equal(tbs, expected_tbs, sizeof tbs);

    uint8_t digest[WIRE_DIGEST_BYTES];
    struct hr_bytes part = hr_bytes_of(tbs, sizeof tbs);
    wire_sha256(test_hash(), &part, 1, digest);
    (void)test_vector(signature_file, "tbs_sha256", expected, sizeof expected);
    assert_memory_equal(digest, expected, sizeof digest);

    wire_batch_digest(test_hash(), header, digest);
    (void)test_vector(signature_file, "batch_digest", expected, sizeof expected);
    assert_memory_equal(digest, expected, sizeof digest);
}

static void stream_anchor_is_the_hash_that_the_spec_writes_out(void **state)
{
    (void)state;
    /* SHA-256("edge.stream0.v1" || 0102030405060708 || 00000003 || 32 zeros), by Python's hashlib. */
    uint8_t expected[WIRE_DIGEST_BYTES];
    (void)test_hex("da6f93fa545164c543b2fad9a9ae2dad053488d2fb84a4b1108fc1c7b7a27296", expected,
                   sizeof expected);
    static const uint8_t no_digest[WIRE_DIGEST_BYTES] = {0};
    uint8_t anchor[WIRE_DIGEST_BYTES];
    wire_stream_anchor(test_hash(), 0x0102030405060708, 3, no_digest, anchor);
    assert_memory_equal(anchor, expected, sizeof anchor);
}

/* The leaves and roots of the test data of Certificate Transparency's reference implementation (RFC 6962). */
static const char *const rfc6962_leaves[] = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
};
static const char *const rfc6962_roots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void merkle_roots_are_those_of_certificate_transparency_as_the_tree_grows(void **state)
{
    (void)state;
    struct wire_merkle merkle;
    wire_merkle_start(&merkle);
    for (size_t n = 0; n < HR_ARRAY_LEN(rfc6962_roots); n++) {
        uint8_t expected[WIRE_DIGEST_BYTES];
        uint8_t root[WIRE_DIGEST_BYTES];
        (void)test_hex(rfc6962_roots[n], expected, sizeof expected);
        wire_merkle_root(&merkle, test_hash(), root);
        assert_memory_equal(root, expected, sizeof root);
        if (n < HR_ARRAY_LEN(rfc6962_leaves)) {
            uint8_t leaf[16];
            size_t len_bytes = test_hex(rfc6962_leaves[n], leaf, sizeof leaf);
            wire_merkle_add(&merkle, test_hash(), hr_bytes_of(leaf, len_bytes));
        }
    }
}

static void merkle_root_of_300_leaves_is_the_recursive_definition(void **state)
{
    (void)state;
    /* MTH of RFC 6962 section 2.1, written out in Python, over the leaves 0000, 0001 ... 012b. */
    uint8_t expected[WIRE_DIGEST_BYTES];
    (void)test_hex("6323b7440f53f742380c606a0c27e5d4847c818f8b1dc01d1ee71d5a2ac5b467", expected,
                   sizeof expected);
    struct wire_merkle merkle;
    wire_merkle_start(&merkle);
    for (unsigned i = 0; i < 300; i++) {
        uint8_t leaf[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        wire_merkle_add(&merkle, test_hash(), hr_bytes_of(leaf, sizeof leaf));
    }
    uint8_t root[WIRE_DIGEST_BYTES];
    wire_merkle_root(&merkle, test_hash(), root);
    assert_memory_equal(root, expected, sizeof root);
}

static void grow_to_65536_leaves(void *ctx)
{
    struct wire_merkle *merkle = ctx;
    for (uint32_t i = 0; i <= UINT16_MAX; i++) {
        wire_merkle_add(merkle, test_hash(), hr_bytes_of("", 0));
    }
}

static void merkle_tree_asserts_before_its_levels_run_out(void **state)
{
    (void)state;
    struct wire_merkle merkle;
    wire_merkle_start(&merkle);
    assert_true(test_asserts(grow_to_65536_leaves, &merkle));
}

/* Three records, a, bc and def, with the root that Python's hashlib gives them. */
static const uint8_t three_records[] = {1, 'a', 2, 'b', 'c', 3, 'd', 'e', 'f'};

static void three_records_root(uint8_t root[WIRE_DIGEST_BYTES])
{
    (void)test_hex("48908c61f041953cc0e2f3ff40b8566b5ab1bde9d0d90a4376fb70ebefdcb64a", root,
                   WIRE_DIGEST_BYTES);
}

static size_t make_envelope(uint8_t *out, struct hr_bytes payload)
{
    struct wire_header header = vector_header();
    header.n_records = 3;
    header.payload_len_bytes = (uint16_t)payload.len_bytes;
    three_records_root(header.root);
    wire_header_encode(&header, out);
    memset(out + WIRE_HEADER_BYTES, 0x55, WIRE_SIGNATURE_BYTES);
    memcpy(out + WIRE_PREFIX_BYTES, payload.data, payload.len_bytes);
    return WIRE_PREFIX_BYTES + payload.len_bytes;
}

static void envelope_is_split_into_header_signature_and_payload(void **state)
{
    (void)state;
    uint8_t bytes[WIRE_MCU_ENVELOPE_MAX_BYTES];
    size_t len_bytes = make_envelope(bytes, hr_bytes_of(three_records, sizeof three_records));
    struct wire_envelope envelope;
    assert_ok(wire_envelope_split(hr_bytes_of(bytes, len_bytes), &envelope));
    assert_ptr_equal(envelope.header_bytes, bytes);
    assert_ptr_equal(envelope.signature_bytes, bytes + 108);
    assert_ptr_equal(envelope.payload.data, bytes + 172);
    assert_int_equal(envelope.payload.len_bytes, sizeof three_records);
    assert_int_equal(envelope.header.n_records, 3);
    assert_ok(
        wire_payload_check(test_hash(), envelope.payload, envelope.header.n_records, envelope.header.root));
}

static void envelope_of_any_other_length_is_malformed(void **state)
{
    (void)state;
    uint8_t bytes[WIRE_MCU_ENVELOPE_MAX_BYTES] = {0};
    size_t whole = make_envelope(bytes, hr_bytes_of(three_records, sizeof three_records));
    for (size_t len_bytes = 0; len_bytes <= whole + 3; len_bytes++) {
        struct wire_envelope envelope = {.header_bytes = NULL};
        enum hr_code want = len_bytes == whole ? HR_OK : HR_MALFORMED;
        assert_code(wire_envelope_split(hr_bytes_of(bytes, len_bytes), &envelope), want);
        assert_true((envelope.header_bytes != NULL) == (want == HR_OK));
    }
}

static void records_come_out_in_order_and_then_the_end(void **state)
{
    (void)state;
    struct hr_reader reader = hr_reader_over(hr_bytes_of(three_records, sizeof three_records));
    static const char *const wanted[] = {"a", "bc", "def"};
    struct hr_bytes record;
    for (size_t i = 0; i < HR_ARRAY_LEN(wanted); i++) {
        assert_ok(wire_record_next(&reader, &record));
        assert_int_equal(record.len_bytes, strlen(wanted[i]));
        assert_memory_equal(record.data, wanted[i], record.len_bytes);
    }
    assert_code(wire_record_next(&reader, &record), HR_CLOSED);
    assert_code(wire_record_next(&reader, &record), HR_CLOSED);
}

static void badly_framed_record_is_malformed_and_stays_so(void **state)
{
    (void)state;
    static const struct {
        size_t len_bytes;
        uint8_t bytes[4];
    } wrong[] = {
        {1, {0x00}},                /* an empty record */
        {2, {0x02, 'a'}},           /* runs over the end */
        {3, {0x81, 0x00, 'a'}},     /* a padded length */
        {1, {0x80}},                /* half a length */
        {4, {0xFF, 0xFF, 0xFF, 1}}, /* far over the end */
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        struct hr_reader reader = hr_reader_over(hr_bytes_of(wrong[i].bytes, wrong[i].len_bytes));
        struct hr_bytes record = {NULL, 7};
        assert_code(wire_record_next(&reader, &record), HR_MALFORMED);
        assert_int_equal(record.len_bytes, 7);
        assert_code(wire_record_next(&reader, &record), HR_MALFORMED);
    }
}

static void payload_check_finds_every_flipped_bit_and_a_wrong_count(void **state)
{
    (void)state;
    uint8_t root[WIRE_DIGEST_BYTES];
    three_records_root(root);
    struct hr_bytes whole = hr_bytes_of(three_records, sizeof three_records);
    assert_ok(wire_payload_check(test_hash(), whole, 3, root));
    assert_code(wire_payload_check(test_hash(), whole, 2, root), HR_MALFORMED);
    assert_code(wire_payload_check(test_hash(), whole, 4, root), HR_MALFORMED);
    assert_code(wire_payload_check(test_hash(), whole, 0, root), HR_MALFORMED);
    unsigned n_denied = 0;
    for (size_t bit = 0; bit < 8 * sizeof three_records; bit++) {
        uint8_t flipped[sizeof three_records];
        memcpy(flipped, three_records, sizeof flipped);
        flipped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct hr_status status =
            wire_payload_check(test_hash(), hr_bytes_of(flipped, sizeof flipped), 3, root);
        assert_false(hr_is_ok(status));
        n_denied += hr_is(status, HR_DENIED) ? 1 : 0;
    }
    assert_true(n_denied >= 6 * 8); /* each bit that is not of a length */
    root[31] ^= 1;
    assert_code(wire_payload_check(test_hash(), whole, 3, root), HR_DENIED);
}

static void heartbeat_without_records_has_the_root_of_nothing(void **state)
{
    (void)state;
    uint8_t root[WIRE_DIGEST_BYTES];
    (void)test_hex(rfc6962_roots[0], root, sizeof root);
    assert_ok(wire_payload_check(test_hash(), hr_bytes_of(NULL, 0), 0, root));
    assert_code(wire_payload_check(test_hash(), hr_bytes_of("\x01x", 2), 0, root), HR_MALFORMED);
}

static const uint8_t ack_bytes[WIRE_ACK_BYTES] = {
    0x01,                                           /* version */
    0x02,                                           /* gap */
    0x00, 0x00, 0x00, 0x03,                         /* stream */
    0x00, 0x00, 0x01, 0x29,                         /* cum_seq */
    0x80, 0x00, 0x00, 0x01,                         /* sack */
    0xC5, 0x3D, 0x59, 0x62, 0x8E, 0x61, 0x48, 0x79, /* cum_digest */
    0x01, 0x9A, 0xA2, 0x00, 0x00, 0x7F,             /* server_utc_ms */
    0x0A,                                           /* rotate, slow */
};

static void ack_has_the_29_bytes_of_the_spec_in_both_directions(void **state)
{
    (void)state;
    struct wire_ack ack;
    assert_ok(wire_ack_decode(hr_bytes_of(ack_bytes, sizeof ack_bytes), &ack));
    assert_int_equal(ack.status, WIRE_ACK_GAP);
    assert_int_equal(ack.stream, 3);
    assert_int_equal(ack.cum_seq, 297);
    assert_int_equal(ack.sack, 0x80000001);
    assert_memory_equal(ack.cum_digest, ack_bytes + 14, WIRE_ACK_DIGEST_BYTES);
    assert_true(ack.server_utc_ms == 0x019AA200007F);
    assert_int_equal(ack.hints, WIRE_HINT_ROTATE | WIRE_HINT_SLOW);
    uint8_t bytes[WIRE_ACK_BYTES];
    wire_ack_encode(&ack, bytes);
    assert_memory_equal(bytes, ack_bytes, sizeof bytes);
}

static void ack_that_is_not_understood_is_refused_without_a_trace(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        enum hr_code want;
    } cases[] = {
        {0, 2, HR_NOT_FOUND},   {0, 0, HR_NOT_FOUND},     {1, 16, HR_MALFORMED},
        {1, 255, HR_MALFORMED}, {28, 0x20, HR_MALFORMED},
    };
    struct wire_ack ack = {.cum_seq = 5};
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        uint8_t bytes[WIRE_ACK_BYTES];
        memcpy(bytes, ack_bytes, sizeof bytes);
        bytes[cases[i].at] = cases[i].value;
        assert_code(wire_ack_decode(hr_bytes_of(bytes, sizeof bytes), &ack), cases[i].want);
    }
    uint8_t longer[WIRE_ACK_BYTES + 1] = {0};
    memcpy(longer, ack_bytes, sizeof ack_bytes);
    assert_code(wire_ack_decode(hr_bytes_of(longer, sizeof longer), &ack), HR_MALFORMED);
    for (size_t len_bytes = 0; len_bytes < WIRE_ACK_BYTES; len_bytes++) {
        assert_code(wire_ack_decode(hr_bytes_of(ack_bytes, len_bytes), &ack), HR_MALFORMED);
    }
    assert_int_equal(ack.cum_seq, 5);
}

static void each_ack_status_has_its_coap_code_and_a_name_of_its_own(void **state)
{
    (void)state;
    /* Classes and details as the table of proto/SPEC.md section 4 prints them. */
    static const unsigned wanted[] = {204, 204, 204, 400, 401, 403, 403, 403,
                                      409, 409, 415, 422, 422, 429, 503, 205};
    for (unsigned i = 0; i < HR_ARRAY_LEN(wanted); i++) {
        uint8_t code = wire_ack_coap_code((enum wire_ack_status)i);
        assert_int_equal((code >> 5) * 100 + (code & 31), wanted[i]);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(wire_ack_status_name((enum wire_ack_status)i),
                                    wire_ack_status_name((enum wire_ack_status)j));
        }
    }
    assert_int_equal(HR_ARRAY_LEN(wanted), WIRE_ACK_STREAM_AHEAD + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_has_the_bytes_of_the_shared_vector),
        cmocka_unit_test(header_is_read_as_it_was_written),
        cmocka_unit_test(header_that_this_build_does_not_know_is_refused_without_a_trace),
        cmocka_unit_test(header_encoding_asserts_what_48_bits_and_known_flags_can_say),
        cmocka_unit_test(signed_bytes_and_digest_are_those_of_the_shared_vector),
        cmocka_unit_test(stream_anchor_is_the_hash_that_the_spec_writes_out),
        cmocka_unit_test(merkle_roots_are_those_of_certificate_transparency_as_the_tree_grows),
        cmocka_unit_test(merkle_root_of_300_leaves_is_the_recursive_definition),
        cmocka_unit_test(merkle_tree_asserts_before_its_levels_run_out),
        cmocka_unit_test(envelope_is_split_into_header_signature_and_payload),
        cmocka_unit_test(envelope_of_any_other_length_is_malformed),
        cmocka_unit_test(records_come_out_in_order_and_then_the_end),
        cmocka_unit_test(badly_framed_record_is_malformed_and_stays_so),
        cmocka_unit_test(payload_check_finds_every_flipped_bit_and_a_wrong_count),
        cmocka_unit_test(heartbeat_without_records_has_the_root_of_nothing),
        cmocka_unit_test(ack_has_the_29_bytes_of_the_spec_in_both_directions),
        cmocka_unit_test(ack_that_is_not_understood_is_refused_without_a_trace),
        cmocka_unit_test(each_ack_status_has_its_coap_code_and_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
