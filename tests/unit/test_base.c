/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"
#include "proto/base/cursor.h"
#include "proto/base/text.h"
#include "proto/base/wipe.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

static void cursor_writes_big_endian_and_reads_the_same_values_back(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B,
                                       0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 'x'};
    uint8_t bytes[sizeof expected];
    struct hr_writer writer = hr_writer_over(bytes, sizeof bytes);
    hr_write_u8(&writer, 0x01);
    hr_write_u16(&writer, 0x0203);
    hr_write_u32(&writer, 0x04050607);
    hr_write_u48(&writer, 0x08090A0B0C0D);
    hr_write_u64(&writer, 0x0E0F101112131415);
    hr_write_raw(&writer, "x", 1);
    assert_true(hr_writer_ok(&writer));
    assert_int_equal(writer.at, sizeof expected);
    assert_memory_equal(bytes, expected, sizeof expected);

    struct hr_reader reader = hr_reader_over(hr_bytes_of(bytes, sizeof bytes));
    assert_int_equal(hr_read_u8(&reader), 0x01);
    assert_int_equal(hr_read_u16(&reader), 0x0203);
    assert_int_equal(hr_read_u32(&reader), 0x04050607);
    assert_true(hr_read_u48(&reader) == 0x08090A0B0C0D);
    assert_true(hr_read_u64(&reader) == 0x0E0F101112131415);
    char last = '\0';
    hr_read_raw(&reader, &last, 1);
    assert_int_equal(last, 'x');
    assert_true(hr_reader_ok(&reader));
    assert_int_equal(hr_reader_left(&reader), 0);
}

static void reader_past_its_end_fails_for_good_and_gives_zeros(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0xAA, 0xBB, 0xCC};
    struct hr_reader reader = hr_reader_over(hr_bytes_of(bytes, sizeof bytes));
    assert_int_equal(hr_read_u8(&reader), 0xAA);
    assert_int_equal(hr_read_u32(&reader), 0);
    assert_false(hr_reader_ok(&reader));
    assert_int_equal(hr_reader_left(&reader), 0);
    assert_int_equal(hr_read_u8(&reader), 0); /* a byte is left, but the reader has failed */
    uint8_t raw[2] = {1, 1};
    hr_read_raw(&reader, raw, sizeof raw);
    assert_int_equal(raw[0] | raw[1], 0);
    struct hr_bytes slice = hr_read_slice(&reader, 1);
    assert_null(slice.data);
    assert_int_equal(slice.len_bytes, 0);
}

static void reader_is_not_fooled_by_a_length_near_the_largest(void **state)
{
    (void)state;
    static const uint8_t bytes[4] = {0};
    struct hr_reader reader = hr_reader_over(hr_bytes_of(bytes, sizeof bytes));
    (void)hr_read_u8(&reader);
    assert_null(hr_read_slice(&reader, SIZE_MAX).data);
    assert_false(hr_reader_ok(&reader));
}

static void slice_borrows_from_the_input(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct hr_reader reader = hr_reader_over(hr_bytes_of(bytes, sizeof bytes));
    (void)hr_read_u8(&reader);
    struct hr_bytes slice = hr_read_slice(&reader, 2);
    assert_ptr_equal(slice.data, bytes + 1);
    assert_int_equal(slice.len_bytes, 2);
    assert_int_equal(hr_reader_left(&reader), 1);
}

static void writer_past_its_end_writes_nothing_of_the_field_and_fails_for_good(void **state)
{
    (void)state;
    uint8_t bytes[4] = {9, 9, 9, 9};
    struct hr_writer writer = hr_writer_over(bytes, 3);
    hr_write_u16(&writer, 0x0102);
    hr_write_u32(&writer, 0xFFFFFFFF);
    assert_false(hr_writer_ok(&writer));
    hr_write_u8(&writer, 7);
    static const uint8_t expected[4] = {1, 2, 9, 9};
    assert_memory_equal(bytes, expected, sizeof expected);
    assert_int_equal(writer.at, 2);
}

static void writer_refuses_a_number_of_more_than_48_bits(void **state)
{
    (void)state;
    uint8_t bytes[8] = {0};
    struct hr_writer writer = hr_writer_over(bytes, sizeof bytes);
    hr_write_u48(&writer, (uint64_t)1 << 48);
    assert_false(hr_writer_ok(&writer));
    assert_int_equal(writer.at, 0);
}

static const struct {
    uint32_t value;
    size_t len_bytes;
    uint8_t bytes[5];
} varints[] = {
    {0, 1, {0x00}},
    {1, 1, {0x01}},
    {127, 1, {0x7F}},
    {128, 2, {0x80, 0x01}},
    {300, 2, {0xAC, 0x02}},
    {16383, 2, {0xFF, 0x7F}},
    {16384, 3, {0x80, 0x80, 0x01}},
    {2097152, 4, {0x80, 0x80, 0x80, 0x01}},
    {268435456, 5, {0x80, 0x80, 0x80, 0x80, 0x01}},
    {4294967295u, 5, {0xFF, 0xFF, 0xFF, 0xFF, 0x0F}},
};

static void varint_has_its_shortest_form_in_both_directions(void **state)
{
    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(varints); i++) {
        uint8_t bytes[5] = {0};
        struct hr_writer writer = hr_writer_over(bytes, varints[i].len_bytes);
        hr_write_varint32(&writer, varints[i].value);
        assert_true(hr_writer_ok(&writer));
        assert_int_equal(writer.at, varints[i].len_bytes);
        assert_int_equal(hr_varint32_len(varints[i].value), varints[i].len_bytes);
        assert_memory_equal(bytes, varints[i].bytes, sizeof bytes);

        struct hr_reader reader = hr_reader_over(hr_bytes_of(varints[i].bytes, varints[i].len_bytes));
        assert_int_equal(hr_read_varint32(&reader), varints[i].value);
        assert_true(hr_reader_ok(&reader));
        assert_int_equal(hr_reader_left(&reader), 0);

        struct hr_reader cut = hr_reader_over(hr_bytes_of(varints[i].bytes, varints[i].len_bytes - 1));
        assert_int_equal(hr_read_varint32(&cut), 0);
        assert_false(hr_reader_ok(&cut));

        struct hr_writer full = hr_writer_over(bytes, varints[i].len_bytes - 1);
        hr_write_varint32(&full, varints[i].value);
        assert_false(hr_writer_ok(&full));
    }
}

static void varint_padded_or_too_large_fails_the_reader(void **state)
{
    (void)state;
    static const struct {
        size_t len_bytes;
        uint8_t bytes[6];
    } wrong[] = {
        {2, {0x80, 0x00}},                         /* 0 in two bytes */
        {3, {0x81, 0x80, 0x00}},                   /* 1 in three */
        {5, {0x80, 0x80, 0x80, 0x80, 0x10}},       /* 2^32 */
        {5, {0xFF, 0xFF, 0xFF, 0xFF, 0x1F}},       /* 33 bits */
        {5, {0x80, 0x80, 0x80, 0x80, 0x00}},       /* 0 in five */
        {6, {0x80, 0x80, 0x80, 0x80, 0x80, 0x01}}, /* six bytes */
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        struct hr_reader reader = hr_reader_over(hr_bytes_of(wrong[i].bytes, wrong[i].len_bytes));
        assert_int_equal(hr_read_varint32(&reader), 0);
        assert_false(hr_reader_ok(&reader));
    }
}

static void crc32c_gives_the_values_of_rfc_3720(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0};
    uint8_t ones[32];
    uint8_t rising[32];
    uint8_t falling[32];
    memset(ones, 0xFF, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        rising[i] = i;
        falling[i] = (uint8_t)(31 - i);
    }
    static const uint8_t read_command[48] = {0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
                                             0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
                                             0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0};
    assert_int_equal(hr_crc32c(0, zeros, sizeof zeros), 0x8A9136AA);
    assert_int_equal(hr_crc32c(0, ones, sizeof ones), 0x62A8AB43);
    assert_int_equal(hr_crc32c(0, rising, sizeof rising), 0x46DD794E);
    assert_int_equal(hr_crc32c(0, falling, sizeof falling), 0x113FDB5C);
    assert_int_equal(hr_crc32c(0, read_command, sizeof read_command), 0xD9963A56);
    assert_int_equal(hr_crc32c(0, "123456789", 9), 0xE3069283);
}

static void crc32c_of_parts_is_that_of_the_whole(void **state)
{
    (void)state;
    static const char digits[] = "123456789";
    for (size_t cut = 0; cut <= 9; cut++) {
        uint32_t crc = hr_crc32c(0, digits, cut);
        assert_int_equal(hr_crc32c(crc, &digits[cut], 9 - cut), 0xE3069283);
    }
}

static void every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned a = HR_OK; a <= HR_CLOSED; a++) {
        assert_string_not_equal(hr_code_name((enum hr_code)a), "unknown");
        for (unsigned b = HR_OK; b < a; b++) {
            assert_string_not_equal(hr_code_name((enum hr_code)a), hr_code_name((enum hr_code)b));
        }
    }
    assert_string_equal(hr_code_name((enum hr_code)(HR_CLOSED + 1)), "unknown");
}

static void assert_of(void *ctx)
{
    HR_ASSERT(*(const bool *)ctx);
}

static void failed_assert_ends_the_program_and_a_true_one_does_not(void **state)
{
    (void)state;
    bool holds = true;
    assert_false(test_asserts(assert_of, &holds));
    holds = false;
    assert_true(test_asserts(assert_of, &holds));
}

static void wipe_zeros_the_secret_and_nothing_beside_it(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0xA1, 0, 0, 0, 0, 0xA6};
    uint8_t bytes[] = {0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6};
    hr_wipe(bytes + 1, 4);
    assert_memory_equal(bytes, expected, sizeof expected);
    hr_wipe(bytes, 0);
    assert_memory_equal(bytes, expected, sizeof expected);
}

static void text_is_utf8_without_control_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"", true},
        {"plain ~", true},
        {"\xC2\xA0", true},         /* U+00A0 */
        {"\xDF\xBF", true},         /* U+07FF */
        {"\xE0\xA0\x80", true},     /* U+0800 */
        {"\xED\x9F\xBF", true},     /* U+D7FF */
        {"\xEF\xBF\xBD", true},     /* U+FFFD */
        {"\xF0\x90\x80\x80", true}, /* U+10000 */
        {"\xF4\x8F\xBF\xBF", true}, /* U+10FFFF */
        {"\x1F", false},
        {"\x7F", false},
        {"\xC2\x80", false},         /* U+0080, a control character */
        {"\xC1\x81", false},         /* overlong A */
        {"\xE0\x9F\xBF", false},     /* overlong U+07FF */
        {"\xED\xA0\x80", false},     /* a surrogate */
        {"\xF0\x8F\xBF\xBF", false}, /* overlong U+FFFF */
        {"\xF4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\x80", false},
        {"\xE2\x82", false}, /* cut */
        {"\xE2\x28\xA1", false},
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        assert_int_equal(hr_text_ok(hr_bytes_of(cases[i].text, strlen(cases[i].text))), cases[i].ok);
    }
    assert_false(hr_text_ok(hr_bytes_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cursor_writes_big_endian_and_reads_the_same_values_back),
        cmocka_unit_test(reader_past_its_end_fails_for_good_and_gives_zeros),
        cmocka_unit_test(reader_is_not_fooled_by_a_length_near_the_largest),
        cmocka_unit_test(slice_borrows_from_the_input),
        cmocka_unit_test(writer_past_its_end_writes_nothing_of_the_field_and_fails_for_good),
        cmocka_unit_test(writer_refuses_a_number_of_more_than_48_bits),
        cmocka_unit_test(varint_has_its_shortest_form_in_both_directions),
        cmocka_unit_test(varint_padded_or_too_large_fails_the_reader),
        cmocka_unit_test(crc32c_gives_the_values_of_rfc_3720),
        cmocka_unit_test(crc32c_of_parts_is_that_of_the_whole),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
        cmocka_unit_test(wipe_zeros_the_secret_and_nothing_beside_it),
        cmocka_unit_test(text_is_utf8_without_control_characters),
        cmocka_unit_test(failed_assert_ends_the_program_and_a_true_one_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
