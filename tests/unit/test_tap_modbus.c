/* SPDX-License-Identifier: Apache-2.0
 *
 * The Modbus framer. Frames are written out by hand; CRCs by an independent program, and two from the
 * standards. */
#include "firmware/taps/modbus/tap_modbus.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

#define BYTES(text) hr_bytes_of(text, sizeof(text) - 1)

static const struct tap_modbus_request TWO = {.unit = 0x11, .table = TAP_MODBUS_HOLDING, .n_registers = 2};
/* Unit 0x11: registers 0x1234 and 0xABCD. */
#define RTU_ANSWER  "\x11\x03\x04\x12\x34\xAB\xCD\x11\xE1"
#define RTU_FOREIGN "\x12\x03\x04\x12\x34\xAB\xCD\x22\xE1"
#define TCP_PDU     "\x03\x04\x12\x34\xAB\xCD"
#define TCP_ANSWER  "\0\1\0\0\0\7\x11" TCP_PDU

static struct tap_modbus t;

static void ask(enum tap_modbus_framing framing)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    tap_modbus_init(&t, framing);
    (void)tap_modbus_ask(&t, &TWO, out);
}

/* In pieces of this length. */
static enum tap_modbus_state feed(struct hr_bytes bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.len_bytes; at += piece) {
        size_t len = bytes.len_bytes - at < piece ? bytes.len_bytes - at : piece;
        (void)tap_modbus_feed(&t, hr_bytes_of(bytes.data + at, len));
    }
    return t.state;
}

static void assert_answered(void)
{
    assert_int_equal(t.state, TAP_MODBUS_ANSWERED);
    assert_int_equal(t.registers[0], 0x1234);
    assert_int_equal(t.registers[1], 0xABCD);
    assert_int_equal(t.counter[TAP_MODBUS_ANSWERS], 1);
}

/* The request ends in this state, whatever the cut, and the next one is answered. */
static void assert_ends(enum tap_modbus_framing framing, struct hr_bytes bytes, enum tap_modbus_state want,
                        enum tap_modbus_counter counter)
{
    struct hr_bytes answer =
        framing == TAP_MODBUS_RTU ? BYTES(RTU_ANSWER) : BYTES("\0\2\0\0\0\7\x11" TCP_PDU);
    for (size_t piece = 1; piece <= bytes.len_bytes + 1; piece++) {
        uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
        ask(framing);
        (void)feed(bytes, piece);
        assert_int_equal(tap_modbus_over(&t), want);
        assert_int_equal(t.counter[counter], 1);
        assert_int_equal(t.counter[TAP_MODBUS_ANSWERS], 0);
        if (framing == TAP_MODBUS_TCP && want == TAP_MODBUS_TRUNCATED) {
            tap_modbus_reset(&t); /* half a frame stays half a frame on a stream */
        }
        (void)tap_modbus_ask(&t, &TWO, out);
        (void)feed(answer, piece);
        assert_answered();
    }
}

static void the_crc_is_that_of_the_standard(void **state)
{
    (void)state;
    assert_int_equal(tap_modbus_crc(BYTES("123456789")), 0x4B37);
    assert_int_equal(tap_modbus_crc(BYTES("\x02\x07")), 0x1241); /* Serial Line V1.02, 6.2.2 */
    assert_int_equal(tap_modbus_crc(BYTES("")), 0xFFFF);
}

static void requests_have_the_bytes_of_the_standard(void **state)
{
    const struct tap_modbus_request ten = {
        .unit = 1, .table = TAP_MODBUS_HOLDING, .address = 0, .n_registers = 10};
    const struct tap_modbus_request last = {
        .unit = 255, .table = TAP_MODBUS_INPUT, .address = 65535, .n_registers = 1};
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    (void)state;
    tap_modbus_init(&t, TAP_MODBUS_RTU);
    assert_int_equal(tap_modbus_ask(&t, &ten, out), 8);
    assert_memory_equal(out, "\x01\x03\x00\x00\x00\x0A\xC5\xCD", 8);
    tap_modbus_init(&t, TAP_MODBUS_TCP);
    assert_int_equal(tap_modbus_ask(&t, &ten, out), 12);
    assert_memory_equal(out, "\0\1\0\0\0\6\x01\x03\x00\x00\x00\x0A", 12);
    (void)tap_modbus_over(&t);
    assert_int_equal(tap_modbus_ask(&t, &last, out), 12);
    assert_memory_equal(out, "\0\2\0\0\0\6\xFF\x04\xFF\xFF\x00\x01", 12);
}

static void an_answer_is_taken_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 16; piece++) {
        ask(TAP_MODBUS_RTU);
        assert_int_equal(feed(BYTES("\x11\x03\x04\x12\x34\xAB\xCD\x11"), piece), TAP_MODBUS_WAITING);
        (void)feed(BYTES("\xE1"), piece);
        assert_answered();
        ask(TAP_MODBUS_TCP);
        (void)feed(BYTES(TCP_ANSWER), piece);
        assert_answered();
    }
}

static void the_longest_answer_has_125_registers(void **state)
{
    const struct tap_modbus_request most = {
        .unit = 9, .table = TAP_MODBUS_INPUT, .address = 7, .n_registers = 125};
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    uint8_t answer[9 + 250] = {0, 1, 0, 0, 0, 253, 9, 4, 250};
    (void)state;
    for (size_t i = 0; i < 125; i++) {
        answer[9 + 2 * i] = (uint8_t)(i + 1);
        answer[10 + 2 * i] = (uint8_t)(255 - i);
    }
    tap_modbus_init(&t, TAP_MODBUS_TCP);
    (void)tap_modbus_ask(&t, &most, out);
    assert_int_equal(feed(hr_bytes_of(answer, sizeof answer), 100), TAP_MODBUS_ANSWERED);
    assert_int_equal(t.registers[0], 0x01FF);
    assert_int_equal(t.registers[124], 0x7D83);
}

static void an_exception_ends_the_request_with_its_code(void **state)
{
    (void)state;
    assert_ends(TAP_MODBUS_RTU, BYTES("\x11\x83\x02\xC1\x34"), TAP_MODBUS_EXCEPTION, TAP_MODBUS_EXCEPTIONS);
    ask(TAP_MODBUS_RTU);
    (void)feed(BYTES("\x11\x83\x02\xC1\x34"), 5);
    assert_int_equal(t.exception, 2); /* illegal address */
    assert_ends(TAP_MODBUS_TCP, BYTES("\0\1\0\0\0\3\x11\x83\x02"), TAP_MODBUS_EXCEPTION,
                TAP_MODBUS_EXCEPTIONS);
    ask(TAP_MODBUS_TCP);
    (void)feed(BYTES("\0\1\0\0\0\3\x11\x83\x0B"), 9);
    assert_int_equal(t.exception, 11); /* gateway: the target did not answer */
}

static void a_device_that_is_absent_is_silent(void **state)
{
    (void)state;
    assert_ends(TAP_MODBUS_RTU, BYTES(""), TAP_MODBUS_SILENT, TAP_MODBUS_SILENCES);
    assert_ends(TAP_MODBUS_TCP, BYTES(""), TAP_MODBUS_SILENT, TAP_MODBUS_SILENCES);
}

static void a_slow_device_on_tcp_answers_nobody_elses_request(void **state)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    (void)state;
    ask(TAP_MODBUS_TCP);
    assert_int_equal(tap_modbus_over(&t), TAP_MODBUS_SILENT);
    (void)tap_modbus_ask(&t, &TWO, out);
    assert_int_equal(feed(BYTES("\0\1\0\0\0\7\x11\x03\x04\x55\x55\x55\x55"), 4), TAP_MODBUS_WAITING);
    (void)feed(BYTES("\0\2\0\0\0\7\x11" TCP_PDU), 4);
    assert_answered();
    assert_int_equal(t.counter[TAP_MODBUS_FOREIGN_FRAMES], 1);
    (void)tap_modbus_ask(&t, &TWO, out);
    (void)feed(BYTES("\0\2\0\0\0\7\x11" TCP_PDU), 4); /* once more, and then nothing */
    assert_int_equal(tap_modbus_over(&t), TAP_MODBUS_SILENT);
}

static void a_late_answer_on_rtu_is_dropped_before_the_next_request(void **state)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    (void)state;
    ask(TAP_MODBUS_RTU);
    (void)tap_modbus_over(&t);
    (void)feed(BYTES("\x11\x03\x04\x12\x34"),
               2); /* while nothing is waited for, and cut by the next request */
    assert_int_equal(t.state, TAP_MODBUS_SILENT);
    (void)tap_modbus_ask(&t, &TWO, out);
    (void)feed(BYTES(RTU_ANSWER), 9);
    assert_answered();
    assert_int_equal(t.counter[TAP_MODBUS_NOISE_BYTES], 5);
}

static void another_units_answer_is_passed_over_and_named(void **state)
{
    (void)state;
    assert_ends(TAP_MODBUS_RTU, BYTES(RTU_FOREIGN), TAP_MODBUS_WRONG_UNIT, TAP_MODBUS_WRONG_UNITS);
    assert_ends(TAP_MODBUS_TCP, BYTES("\0\1\0\0\0\7\x12" TCP_PDU), TAP_MODBUS_WRONG_UNIT,
                TAP_MODBUS_WRONG_UNITS);
    for (size_t piece = 1; piece < 20; piece++) {
        ask(TAP_MODBUS_RTU);
        (void)feed(BYTES(RTU_FOREIGN RTU_ANSWER), piece);
        assert_answered();
        assert_int_equal(t.counter[TAP_MODBUS_FOREIGN_FRAMES], 1);
    }
}

static void an_answer_to_another_question_is_not_taken(void **state)
{
    (void)state;
    /* One register, three, another function; unit and CRC are right. */
    assert_ends(TAP_MODBUS_RTU, BYTES("\x11\x03\x02\x12\x34\x74\xF0"), TAP_MODBUS_WRONG_ANSWER,
                TAP_MODBUS_WRONG_ANSWERS);
    assert_ends(TAP_MODBUS_RTU, BYTES("\x11\x03\x06\x12\x34\x56\x78\x9A\xBC\xA4\x83"),
                TAP_MODBUS_WRONG_ANSWER, TAP_MODBUS_WRONG_ANSWERS);
    assert_ends(TAP_MODBUS_RTU, BYTES("\x11\x04\x04\x11\x11\x22\x22\x27\xC5"), TAP_MODBUS_WRONG_ANSWER,
                TAP_MODBUS_WRONG_ANSWERS);
    assert_ends(TAP_MODBUS_TCP, BYTES("\0\1\0\0\0\5\x11\x03\x02\x12\x34"), TAP_MODBUS_WRONG_ANSWER,
                TAP_MODBUS_WRONG_ANSWERS);
    /* Its count is right and its length is not. */
    assert_ends(TAP_MODBUS_TCP, BYTES("\0\1\0\0\0\6\x11\x03\x04\x12\x34\xAB"), TAP_MODBUS_WRONG_ANSWER,
                TAP_MODBUS_WRONG_ANSWERS);
}

static void a_truncated_frame_is_named_wherever_it_ends(void **state)
{
    (void)state;
    for (size_t len = 1; len < sizeof RTU_ANSWER - 1; len++) {
        assert_ends(TAP_MODBUS_RTU, hr_bytes_of(RTU_ANSWER, len), TAP_MODBUS_TRUNCATED,
                    TAP_MODBUS_TRUNCATIONS);
    }
    for (size_t len = 1; len < sizeof TCP_ANSWER - 1; len++) {
        assert_ends(TAP_MODBUS_TCP, hr_bytes_of(TCP_ANSWER, len), TAP_MODBUS_TRUNCATED,
                    TAP_MODBUS_TRUNCATIONS);
    }
}

static void a_flipped_bit_never_gives_registers(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < (sizeof RTU_ANSWER - 1) * 8; bit++) {
        char flipped[sizeof RTU_ANSWER - 1];
        memcpy(flipped, RTU_ANSWER, sizeof flipped);
        flipped[bit / 8] = (char)(flipped[bit / 8] ^ (1 << bit % 8));
        ask(TAP_MODBUS_RTU);
        (void)feed(hr_bytes_of(flipped, sizeof flipped), 3);
        enum tap_modbus_state ended = tap_modbus_over(&t);
        assert_int_not_equal(ended, TAP_MODBUS_ANSWERED);
        assert_int_not_equal(ended, TAP_MODBUS_EXCEPTION);
        if (bit >= 24) { /* the head is right */
            assert_int_equal(ended, TAP_MODBUS_BAD_CRC);
        }
    }
    assert_ends(TAP_MODBUS_RTU, BYTES("\x11\x03\x04\x12\x34\xAB\xCD\x11\xE0"), TAP_MODBUS_BAD_CRC,
                TAP_MODBUS_BAD_CRCS);
}

static void a_bad_crc_is_named_and_gives_no_registers(void **state)
{
    (void)state;
    assert_ends(TAP_MODBUS_RTU, BYTES("\x11\x03\x04\x12\x34\xAB\xCD\x11\xA1"), TAP_MODBUS_BAD_CRC,
                TAP_MODBUS_BAD_CRCS);
}

static void noise_before_an_answer_is_passed_over(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 16; piece++) {
        ask(TAP_MODBUS_RTU);
        (void)feed(BYTES("\x00\xFF\x11" RTU_ANSWER), piece);
        assert_answered();
        assert_int_equal(t.counter[TAP_MODBUS_NOISE_BYTES], 3);
    }
    assert_ends(TAP_MODBUS_RTU, BYTES("\x00\x55\x55\x55\x55\xFF"), TAP_MODBUS_NOISE, TAP_MODBUS_NOISES);
}

static void a_babbling_line_fills_nothing(void **state)
{
    uint8_t noise[1000];
    (void)state;
    ask(TAP_MODBUS_RTU);
    for (size_t i = 0; i < sizeof noise; i++) { /* heads of long frames, over and over */
        noise[i] = (uint8_t)("\x11\x03\xFA"[i % 3]);
    }
    assert_int_equal(feed(hr_bytes_of(noise, sizeof noise), 1), TAP_MODBUS_WAITING);
    assert_true(t.len_bytes < TAP_MODBUS_FRAME_MAX_BYTES);
    assert_true(tap_modbus_over(&t) != TAP_MODBUS_ANSWERED);
}

static void a_header_that_cannot_be_breaks_the_stream(void **state)
{
    static const struct hr_bytes BAD[] = {
        {(const uint8_t *)"\0\1\0\1\0\7\x11", 7},   /* not Modbus */
        {(const uint8_t *)"\0\1\0\0\0\1\x11", 7},   /* no function */
        {(const uint8_t *)"\0\1\0\0\0\xFF\x11", 7}, /* longer than a PDU may be */
        {(const uint8_t *)"HTTP/1.1 400", 12},
    };
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        ask(TAP_MODBUS_TCP);
        assert_int_equal(feed(BAD[i], 5), TAP_MODBUS_BROKEN);
        assert_int_equal(feed(BYTES(TCP_ANSWER), 5), TAP_MODBUS_BROKEN);
        assert_int_equal(t.counter[TAP_MODBUS_BROKEN_STREAMS], 1);
        tap_modbus_reset(&t);
        (void)tap_modbus_ask(&t, &TWO, out);
        (void)feed(BYTES("\0\2\0\0\0\7\x11" TCP_PDU), 5);
        assert_answered();
    }
}

static void bytes_that_nobody_asked_for_change_nothing(void **state)
{
    (void)state;
    tap_modbus_init(&t, TAP_MODBUS_TCP);
    assert_int_equal(feed(BYTES(TCP_ANSWER TCP_ANSWER), 3), TAP_MODBUS_IDLE);
    assert_int_equal(t.counter[TAP_MODBUS_FOREIGN_FRAMES], 2);
    ask(TAP_MODBUS_TCP);
    (void)feed(BYTES(TCP_ANSWER TCP_ANSWER), 40); /* doubled */
    assert_answered();
    assert_int_equal(t.counter[TAP_MODBUS_FOREIGN_FRAMES], 1);
}

static void ask_again(void *ctx)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    struct tap_modbus_request request = *(const struct tap_modbus_request *)ctx;
    (void)tap_modbus_ask(&t, &request, out);
}

static void a_caller_that_asks_what_cannot_be_asked_is_a_bug(void **state)
{
    struct tap_modbus_request none = {.unit = 1, .table = TAP_MODBUS_HOLDING, .n_registers = 0};
    struct tap_modbus_request many = {.unit = 1, .table = TAP_MODBUS_HOLDING, .n_registers = 126};
    struct tap_modbus_request over = {
        .unit = 1, .table = TAP_MODBUS_HOLDING, .address = 65535, .n_registers = 2};
    struct tap_modbus_request good = TWO;
    (void)state;
    tap_modbus_init(&t, TAP_MODBUS_TCP);
    assert_true(test_asserts(ask_again, &none));
    assert_true(test_asserts(ask_again, &many));
    assert_true(test_asserts(ask_again, &over));
    assert_false(test_asserts(ask_again, &good));
    ask(TAP_MODBUS_TCP);
    assert_true(test_asserts(ask_again, &good));
}

static void every_counter_and_state_has_a_name(void **state)
{
    struct edge_stats stats = {.source = "modbus"};
    (void)state;
    ask(TAP_MODBUS_RTU);
    (void)feed(BYTES(RTU_ANSWER), 9);
    tap_modbus_stats(&t, &stats);
    assert_int_equal(stats.n_counters, TAP_MODBUS_N_COUNTERS);
    assert_string_equal(stats.counter[TAP_MODBUS_ANSWERS].name, "answers");
    assert_int_equal(stats.counter[TAP_MODBUS_ANSWERS].value, 1);
    for (size_t i = 0; i < stats.n_counters; i++) {
        assert_true(stats.counter[i].name[0] != '\0');
    }
    for (int i = 0; i < TAP_MODBUS_N_STATES; i++) {
        assert_non_null(tap_modbus_state_name((enum tap_modbus_state)i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_crc_is_that_of_the_standard),
        cmocka_unit_test(requests_have_the_bytes_of_the_standard),
        cmocka_unit_test(an_answer_is_taken_however_it_is_cut),
        cmocka_unit_test(the_longest_answer_has_125_registers),
        cmocka_unit_test(an_exception_ends_the_request_with_its_code),
        cmocka_unit_test(a_device_that_is_absent_is_silent),
        cmocka_unit_test(a_slow_device_on_tcp_answers_nobody_elses_request),
        cmocka_unit_test(a_late_answer_on_rtu_is_dropped_before_the_next_request),
        cmocka_unit_test(another_units_answer_is_passed_over_and_named),
        cmocka_unit_test(an_answer_to_another_question_is_not_taken),
        cmocka_unit_test(a_truncated_frame_is_named_wherever_it_ends),
        cmocka_unit_test(a_flipped_bit_never_gives_registers),
        cmocka_unit_test(a_bad_crc_is_named_and_gives_no_registers),
        cmocka_unit_test(noise_before_an_answer_is_passed_over),
        cmocka_unit_test(a_babbling_line_fills_nothing),
        cmocka_unit_test(a_header_that_cannot_be_breaks_the_stream),
        cmocka_unit_test(bytes_that_nobody_asked_for_change_nothing),
        cmocka_unit_test(a_caller_that_asks_what_cannot_be_asked_is_a_bug),
        cmocka_unit_test(every_counter_and_state_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
