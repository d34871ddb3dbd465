/* SPDX-License-Identifier: Apache-2.0
 *
 * SunSpec: finding models, and what single registers mean. Registers are written out by hand;
 * test_sunspec_oracle.py reads every point of every model. */
#include "firmware/taps/sunspec/tap_sunspec.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { ADDRESSES = 65536, INVERTER_REGISTERS = 52, MODULES_REGISTERS = 2 + 48 };

/* A device: its registers, and from where to where it answers. */
struct device {
    uint16_t registers[ADDRESSES];
    uint32_t begin;
    uint32_t end;
};

static struct device device;
static struct tap_sunspec_discovery found;

static void put(uint32_t *at, uint16_t value)
{
    device.registers[(*at)++] = value;
}

static void start_device(uint32_t base)
{
    memset(&device, 0, sizeof device);
    device.begin = base;
    device.end = base;
    put(&device.end, 0x5375);
    put(&device.end, 0x6E53);
}

static void add_model(uint16_t id, uint16_t length)
{
    put(&device.end, id);
    put(&device.end, length);
    device.end += length;
}

static void end_models(void)
{
    put(&device.end, 0xFFFF);
    put(&device.end, 0);
}

/* Asks the device as long as there is something to ask. Returns the number of questions. */
static unsigned discover(void)
{
    unsigned n_questions = 0;
    tap_sunspec_discover(&found, 7);
    while (found.state == TAP_SUNSPEC_SEARCHING) {
        struct tap_modbus_request question;
        tap_sunspec_question(&found, &question);
        assert_int_equal(question.unit, 7);
        assert_int_equal(question.table, TAP_MODBUS_HOLDING);
        bool is_there = question.address >= device.begin &&
                        (uint32_t)question.address + question.n_registers <= device.end;
        tap_sunspec_answer(&found, is_there ? &device.registers[question.address] : NULL);
        n_questions++;
        assert_true(n_questions < 100);
    }
    return n_questions;
}

static void models_are_found_at_each_base(void **state)
{
    static const uint16_t BASE[] = {40000, 0, 50000};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        start_device(BASE[i]);
        add_model(1, 66);
        add_model(103, 50);
        end_models();
        assert_int_equal(discover(), i + 4);
        assert_int_equal(found.state, TAP_SUNSPEC_FOUND);
        assert_int_equal(found.n_models, 2);
        assert_int_equal(found.models[0].id, 1);
        assert_int_equal(found.models[0].address, BASE[i] + 2);
        assert_int_equal(found.models[0].n_registers, 68);
        assert_int_equal(found.models[1].id, 103);
        assert_int_equal(found.models[1].address, BASE[i] + 70);
        assert_int_equal(found.models[1].n_registers, 52);
    }
}

static void a_model_1_of_length_65_does_not_shift_the_next(void **state)
{
    (void)state;
    start_device(40000);
    add_model(1, 65);
    add_model(103, 50);
    end_models();
    (void)discover();
    assert_int_equal(found.state, TAP_SUNSPEC_FOUND);
    assert_int_equal(found.models[1].address, 40002 + 67);
    assert_int_equal(found.models[1].id, 103);
}

static void a_device_without_sunspec_is_asked_three_times(void **state)
{
    (void)state;
    memset(&device, 0, sizeof device);
    assert_int_equal(discover(), 3);
    assert_int_equal(found.state, TAP_SUNSPEC_NO_SUNSPEC);
    device.end = ADDRESSES; /* it answers, with zeros */
    assert_int_equal(discover(), 3);
    assert_int_equal(found.state, TAP_SUNSPEC_NO_SUNSPEC);
    assert_int_equal(found.n_models, 0);
}

static void a_list_without_an_end_is_a_beginning(void **state)
{
    (void)state;
    start_device(40000);
    add_model(1, 66);
    add_model(103, 50);
    (void)discover();
    assert_int_equal(found.state, TAP_SUNSPEC_CUT);
    assert_int_equal(found.n_models, 2);
}

static void a_walk_ends_whatever_lengths_a_device_tells(void **state)
{
    (void)state;
    start_device(40000);
    add_model(1, 66);
    put(&device.end, 103);
    put(&device.end, 0xFFF0); /* behind the last address */
    device.end = ADDRESSES;
    (void)discover();
    assert_int_equal(found.state, TAP_SUNSPEC_CUT);
    assert_int_equal(found.n_models, 1);

    start_device(50000);
    for (unsigned i = 0; i < TAP_SUNSPEC_FOUND_MAX + 1; i++) {
        add_model(64001, 0);
    }
    end_models();
    (void)discover();
    assert_int_equal(found.state, TAP_SUNSPEC_CUT);
    assert_int_equal(found.n_models, TAP_SUNSPEC_FOUND_MAX);

    start_device(0);
    add_model(64001, 65530); /* the end model would stand at 65534, and its length at 65535 */
    device.end = ADDRESSES;
    device.registers[65534] = 0xFFFF;
    (void)discover();
    assert_int_equal(found.state, TAP_SUNSPEC_FOUND);
    device.registers[3] = 65531;
    (void)discover();
    assert_int_equal(found.state, TAP_SUNSPEC_CUT);
}

/* The value of the point, of a model over these registers. */
static struct tap_sunspec_value value_of(uint16_t id, const uint16_t *registers, uint16_t n_registers,
                                         const char *name)
{
    struct tap_sunspec_walk walk;
    struct tap_sunspec_value value;
    char said[TAP_SUNSPEC_NAME_MAX_BYTES];
    tap_sunspec_walk(&walk, tap_sunspec_model(id), registers, n_registers);
    while (tap_sunspec_next(&walk, &value)) {
        tap_sunspec_name(&value, said);
        if (strcmp(said, name) == 0) {
            return value;
        }
    }
    fail_msg("model %u has no %s", id, name);
    return value;
}

static void assert_integer(const struct tap_sunspec_value *value, int64_t integer, int scale)
{
    assert_int_equal(value->form, TAP_SUNSPEC_INTEGER);
    assert_int_equal(value->integer, integer);
    assert_int_equal(value->scale, scale);
}

/* Model 103: A at 2, A_SF at 6, W at 14, W_SF at 15, WH at 24 with WH_SF at 26, St at 38, Evt1 at 40. */
static void an_inverter_is_read_as_its_definition_says(void **state)
{
    uint16_t registers[INVERTER_REGISTERS] = {103, 50};
    struct tap_sunspec_value value;
    (void)state;
    registers[2] = 1234;
    registers[6] = 0xFFFE;  /* 10^-2 */
    registers[14] = 0xFF9C; /* -100 */
    registers[15] = 1;
    registers[24] = 0x0001;
    registers[25] = 0x86A0;
    registers[38] = 4;
    registers[41] = 0x0009;
    value = value_of(103, registers, INVERTER_REGISTERS, "A");
    assert_integer(&value, 1234, -2);
    assert_string_equal(value.point->unit, "A");
    value = value_of(103, registers, INVERTER_REGISTERS, "W");
    assert_integer(&value, -100, 1);
    value = value_of(103, registers, INVERTER_REGISTERS, "WH");
    assert_integer(&value, 100000, 0);
    value = value_of(103, registers, INVERTER_REGISTERS, "St");
    assert_string_equal(tap_sunspec_symbol(value.point, (uint32_t)value.integer), "MPPT");
    assert_null(tap_sunspec_symbol(value.point, 99));
    value = value_of(103, registers, INVERTER_REGISTERS, "Evt1");
    assert_integer(&value, 9, 0);
    assert_string_equal(tap_sunspec_symbol(value.point, 0), "GROUND_FAULT");
    assert_string_equal(tap_sunspec_symbol(value.point, 3), "DC_DISCONNECT");
}

static void what_a_device_does_not_have_is_not_a_number(void **state)
{
    uint16_t registers[INVERTER_REGISTERS] = {103, 50};
    struct tap_sunspec_value value;
    (void)state;
    registers[2] = 0xFFFF;                                            /* uint16 */
    registers[14] = 0x8000;                                           /* int16 */
    registers[38] = 0xFFFF;                                           /* enum16 */
    registers[40] = registers[41] = 0xFFFF;                           /* bitfield32 */
    static const char *const NONE[] = {"A", "W", "WH", "St", "Evt1"}; /* WH: an accumulator of 0 */
    for (size_t i = 0; i < 5; i++) {
        value = value_of(103, registers, INVERTER_REGISTERS, NONE[i]);
        assert_int_equal(value.form, TAP_SUNSPEC_NOT_IMPLEMENTED);
    }
}

static void a_scale_factor_of_0x8000_leaves_the_value_as_it_is(void **state)
{
    uint16_t registers[INVERTER_REGISTERS] = {103, 50};
    struct tap_sunspec_value value;
    (void)state;
    registers[2] = 77;
    registers[6] = 0x8000;
    value = value_of(103, registers, INVERTER_REGISTERS, "A");
    assert_integer(&value, 77, 0);
    value = value_of(103, registers, INVERTER_REGISTERS, "A_SF");
    assert_int_equal(value.form, TAP_SUNSPEC_NOT_IMPLEMENTED);
    registers[6] = 10;
    value = value_of(103, registers, INVERTER_REGISTERS, "A");
    assert_integer(&value, 77, 10);
    registers[6] = 11; /* no such scale factor */
    value = value_of(103, registers, INVERTER_REGISTERS, "A");
    assert_int_equal(value.form, TAP_SUNSPEC_OUT_OF_RANGE);
    value = value_of(103, registers, 5, "A"); /* the model ends before its scale factor */
    assert_integer(&value, 77, 0);
}

/* Model 113: A is a float32 at 2. */
static void a_nan_of_any_kind_is_not_implemented_and_an_infinity_is_no_value(void **state)
{
    static const uint16_t NANS[][2] = {{0x7FC0, 0}, {0xFFC0, 0}, {0x7F80, 1}, {0xFFFF, 0xFFFF}};
    uint16_t registers[62] = {113, 60};
    struct tap_sunspec_value value;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        memcpy(&registers[2], NANS[i], sizeof NANS[i]);
        value = value_of(113, registers, 62, "A");
        assert_int_equal(value.form, TAP_SUNSPEC_NOT_IMPLEMENTED);
    }
    registers[2] = 0xFF80;
    registers[3] = 0;
    value = value_of(113, registers, 62, "A");
    assert_int_equal(value.form, TAP_SUNSPEC_OUT_OF_RANGE);
    registers[2] = 0xC148; /* -12.5 */
    value = value_of(113, registers, 62, "A");
    assert_int_equal(value.form, TAP_SUNSPEC_REAL);
    assert_true(value.real == -12.5F);
}

/* Model 160: 10 registers, then 20 for each module. */
static void modules_repeat_until_the_model_ends(void **state)
{
    uint16_t registers[MODULES_REGISTERS] = {160, 48};
    struct tap_sunspec_walk walk;
    struct tap_sunspec_value value;
    char name[TAP_SUNSPEC_NAME_MAX_BYTES] = "";
    size_t n_points = 0;
    (void)state;
    tap_sunspec_walk(&walk, tap_sunspec_model(160), registers, MODULES_REGISTERS);
    while (tap_sunspec_next(&walk, &value)) {
        n_points++;
        tap_sunspec_name(&value, name);
    }
    assert_string_equal(name, "module[2].DCEvt");
    assert_int_equal(n_points, 9 + 10 + 10);
    registers[2] = 0xFFFF; /* DCA_SF */
    registers[10 + 20 + 9] = 55;
    value = value_of(160, registers, MODULES_REGISTERS, "module[2].DCA");
    assert_integer(&value, 55, -1);
}

/* Model 705: NPt at 7, NCrv at 8; each curve 11 registers and its points. */
static void a_count_beyond_the_model_reads_nothing_beyond_it(void **state)
{
    uint16_t registers[40] = {705, 38};
    struct tap_sunspec_walk walk;
    struct tap_sunspec_value value;
    (void)state;
    static const uint16_t COUNTS[] = {0, 1, 2, 3, 1000, 65534, 65535};
    for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
        registers[7] = COUNTS[i];
        registers[8] = COUNTS[i];
        for (uint16_t n = 0; n <= 40; n++) {
            tap_sunspec_walk(&walk, tap_sunspec_model(705), registers, n);
            while (tap_sunspec_next(&walk, &value)) {
                assert_true(value.at + value.point->n_registers <= n);
            }
        }
    }
}

/* Model 1: Mn is text at 2, Pad behind everything. */
static void text_ends_at_a_nul_and_padding_is_no_point(void **state)
{
    uint16_t registers[68] = {1, 66, 0x4865, 0x6164, 0x2100};
    char text[TAP_SUNSPEC_TEXT_MAX_BYTES];
    struct tap_sunspec_walk walk;
    struct tap_sunspec_value value;
    (void)state;
    value = value_of(1, registers, 68, "Mn");
    assert_int_equal(tap_sunspec_text(&value, text), 5);
    assert_string_equal(text, "Head!");
    value = value_of(1, registers, 68, "Opt");
    assert_int_equal(value.form, TAP_SUNSPEC_NOT_IMPLEMENTED);
    memset(&registers[2], 'x', 32);
    value = value_of(1, registers, 68, "Mn");
    assert_int_equal(tap_sunspec_text(&value, text), 32);
    for (uint16_t n = 67; n <= 68; n++) { /* length 65 and 66 */
        const char *last = "";
        tap_sunspec_walk(&walk, tap_sunspec_model(1), registers, n);
        while (tap_sunspec_next(&walk, &value)) {
            last = value.point->name;
        }
        assert_string_equal(last, "DA");
    }
}

static void accumulators_wrap_or_begin_anew(void **state)
{
    uint64_t delta = 0;
    (void)state;
    assert_int_equal(tap_sunspec_delta(TAP_SUNSPEC_ACC32, 10, 25, &delta), TAP_SUNSPEC_STEADY);
    assert_int_equal(delta, 15);
    assert_int_equal(tap_sunspec_delta(TAP_SUNSPEC_ACC32, 0xFFFFFFFE, 3, &delta), TAP_SUNSPEC_WRAPPED);
    assert_int_equal(delta, 5);
    assert_int_equal(tap_sunspec_delta(TAP_SUNSPEC_ACC16, 0xFFFF, 0, &delta), TAP_SUNSPEC_WRAPPED);
    assert_int_equal(delta, 1);
    assert_int_equal(tap_sunspec_delta(TAP_SUNSPEC_ACC64, UINT64_MAX, 4, &delta), TAP_SUNSPEC_WRAPPED);
    assert_int_equal(delta, 5);
    assert_int_equal(tap_sunspec_delta(TAP_SUNSPEC_ACC32, 100000, 7, &delta), TAP_SUNSPEC_RESET);
    assert_int_equal(delta, 7);
}

static void ask_beyond_the_end(void *ctx)
{
    struct tap_modbus_request question;
    tap_sunspec_question(ctx, &question);
}

static void a_search_that_ended_asks_nothing(void **state)
{
    (void)state;
    memset(&device, 0, sizeof device);
    (void)discover();
    assert_true(test_asserts(ask_beyond_the_end, &found));
    assert_null(tap_sunspec_model(64001));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_found_at_each_base),
        cmocka_unit_test(a_model_1_of_length_65_does_not_shift_the_next),
        cmocka_unit_test(a_device_without_sunspec_is_asked_three_times),
        cmocka_unit_test(a_list_without_an_end_is_a_beginning),
        cmocka_unit_test(a_walk_ends_whatever_lengths_a_device_tells),
        cmocka_unit_test(an_inverter_is_read_as_its_definition_says),
        cmocka_unit_test(what_a_device_does_not_have_is_not_a_number),
        cmocka_unit_test(a_scale_factor_of_0x8000_leaves_the_value_as_it_is),
        cmocka_unit_test(a_nan_of_any_kind_is_not_implemented_and_an_infinity_is_no_value),
        cmocka_unit_test(modules_repeat_until_the_model_ends),
        cmocka_unit_test(a_count_beyond_the_model_reads_nothing_beyond_it),
        cmocka_unit_test(text_ends_at_a_nul_and_padding_is_no_point),
        cmocka_unit_test(accumulators_wrap_or_begin_anew),
        cmocka_unit_test(a_search_that_ended_asks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
