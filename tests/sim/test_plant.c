/* SPDX-License-Identifier: Apache-2.0
 *
 * The poll engine and the framer before a simulated RTU bus, in virtual time. Devices are right, absent,
 * late, or damage what they say in one way; what the others report must not hang on it. */
#include "firmware/taps/plant/plant.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum {
    DEVICES = 3,
    POINTS = 400,
    SAMPLES = 4000,
    REGISTERS = 256,
    LATENCY_MS = 20,
    TIMEOUT_MS = 300,
    SECOND = 1000
};

enum behaviour {
    GOOD,
    ABSENT,
    LATE,
    WRONG_UNIT,
    TRUNCATED,
    BAD_CRC,
    WRONG_LENGTH,
    NOISE,
    BUSY,
    ILLEGAL_ADDRESS
};

struct said {
    uint64_t at_ms;
    uint32_t channel;
    int64_t value;
    int8_t scale;
    enum plant_quality quality;
};

static const struct tap_sunspec_item U16 = {
    .name = "u", .unit = "", .type = TAP_SUNSPEC_UINT16, .n_registers = 1};
static const struct tap_sunspec_item I32 = {
    .name = "i", .unit = "", .type = TAP_SUNSPEC_INT32, .n_registers = 2};
static const struct tap_sunspec_item SF = {
    .name = "s", .unit = "", .type = TAP_SUNSPEC_SUNSSF, .n_registers = 1};
static const struct tap_sunspec_item REAL = {
    .name = "f", .unit = "", .type = TAP_SUNSPEC_FLOAT32, .n_registers = 2};
static const struct tap_sunspec_item TEXT = {
    .name = "t", .unit = "", .type = TAP_SUNSPEC_STRING, .n_registers = 4};

static struct plant_device devices[DEVICES];
static struct plant_point points[POINTS];
static struct plant_read reads[POINTS];
static struct plant plant;
static struct tap_modbus line;
static uint64_t now_ms;
static uint16_t n_points;
static uint16_t registers[DEVICES][REGISTERS];
static enum behaviour behaviour[DEVICES];
static unsigned n_asked[DEVICES];
static uint16_t refuse_from; /* ILLEGAL_ADDRESS: only requests at this address and above */
static struct said said[SAMPLES];
static size_t n_said;

static void hear(void *ctx, const struct plant_sample *sample, uint64_t at_ms)
{
    (void)ctx;
    assert_true(n_said < SAMPLES);
    said[n_said++] =
        (struct said){at_ms, sample->point->channel, sample->value, sample->scale, sample->quality};
}

static void start(void)
{
    now_ms = 5000;
    n_points = 0;
    n_said = 0;
    refuse_from = 0;
    memset(points, 0, sizeof points);
    memset(registers, 0, sizeof registers);
    memset(n_asked, 0, sizeof n_asked);
    for (size_t i = 0; i < DEVICES; i++) {
        behaviour[i] = GOOD;
        devices[i].config = (struct plant_device_config){.unit = (uint8_t)(i + 1),
                                                         .timeout_ms = TIMEOUT_MS,
                                                         .n_retries = 2,
                                                         .backoff_ms = 100,
                                                         .n_failures = 3,
                                                         .open_ms = 10 * SECOND,
                                                         .open_max_ms = 40 * SECOND};
    }
}

/* A point on the channel of its index. */
static struct plant_point *add(uint16_t device, uint16_t address, const struct tap_sunspec_item *item)
{
    struct plant_point *point = &points[n_points];
    *point = (struct plant_point){.channel = n_points,
                                  .device = device,
                                  .address = address,
                                  .table = TAP_MODBUS_HOLDING,
                                  .item = item,
                                  .scale_point = PLANT_NO_POINT,
                                  .interval_ms = SECOND};
    n_points++;
    return point;
}

static enum hr_code plan(uint16_t max_reads)
{
    const struct plant_memory memory = {devices, DEVICES, points, n_points, reads, max_reads};
    tap_modbus_init(&line, TAP_MODBUS_RTU);
    return plant_init(&plant, &memory, &(struct plant_sink){hear, NULL}, now_ms).code;
}

/* Appends the CRC, bit by bit as the standard's appendix says it. */
static size_t seal(uint8_t *frame, size_t len)
{
    unsigned crc = 0xFFFF;
    for (size_t i = 0; i < len; i++) {
        crc ^= frame[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0xA001 : crc >> 1;
        }
    }
    frame[len] = (uint8_t)(crc & 0xFF);
    frame[len + 1] = (uint8_t)(crc >> 8);
    return len + 2;
}

/* What the device says to the request, if anything. */
static size_t answer(const struct tap_modbus_request *request, uint8_t *frame)
{
    size_t device = request->unit - 1U;
    enum behaviour how = behaviour[device];
    size_t n = how == WRONG_LENGTH ? request->n_registers + 1U : request->n_registers;
    size_t len = 3;
    n_asked[device]++;
    frame[0] = how == WRONG_UNIT ? 99 : request->unit;
    frame[1] = (uint8_t)request->table;
    frame[2] = (uint8_t)(n * 2);
    if (how == BUSY || (how == ILLEGAL_ADDRESS && request->address >= refuse_from)) {
        frame[1] |= 0x80;
        frame[2] = how == BUSY ? 6 : 2;
        return seal(frame, 3);
    }
    for (size_t i = 0; i < n; i++) {
        frame[len++] = (uint8_t)(registers[device][request->address + i] >> 8);
        frame[len++] = (uint8_t)(registers[device][request->address + i] & 0xFF);
    }
    len = seal(frame, len);
    frame[len - 1] ^= how == BAD_CRC ? 0x40 : 0;
    if (how == NOISE) {
        memset(frame, 0x55, len);
    }
    return how == ABSENT || how == LATE ? 0 : len - (how == TRUNCATED ? 3 : 0);
}

/* One request and its end. */
static void ask(const struct tap_modbus_request *request, uint32_t timeout_ms)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    uint8_t frame[TAP_MODBUS_FRAME_MAX_BYTES];
    (void)tap_modbus_ask(&line, request, out);
    size_t len = answer(request, frame);
    if (tap_modbus_feed(&line, hr_bytes_of(frame, len)) == TAP_MODBUS_WAITING) {
        now_ms += timeout_ms;
        (void)tap_modbus_over(&line);
        if (behaviour[request->unit - 1] == LATE) {
            behaviour[request->unit - 1] = GOOD;
            len = answer(request, frame);
            behaviour[request->unit - 1] = LATE;
            (void)tap_modbus_feed(&line, hr_bytes_of(frame, len)); /* when nobody waits any more */
        }
    } else {
        now_ms += LATENCY_MS;
    }
    plant_answer(&plant, &line, now_ms);
}

static void run_until(uint64_t end_ms)
{
    while (now_ms < end_ms) {
        struct tap_modbus_request request;
        uint32_t timeout_ms = 0;
        uint64_t wake_ms = 0;
        if (plant_next(&plant, now_ms, &request, &timeout_ms, &wake_ms)) {
            ask(&request, timeout_ms);
        } else {
            assert_true(wake_ms > now_ms);
            now_ms = wake_ms < end_ms ? wake_ms : end_ms;
        }
    }
}

static size_t n_samples_of(uint32_t channel)
{
    size_t n = 0;
    for (size_t i = 0; i < n_said; i++) {
        n += said[i].channel == channel;
    }
    return n;
}

static const struct said *last_of(uint32_t channel)
{
    for (size_t i = n_said; i > 0; i--) {
        if (said[i - 1].channel == channel) {
            return &said[i - 1];
        }
    }
    fail_msg("channel %u said nothing", (unsigned)channel);
    return &said[0];
}

static void contiguous_registers_are_read_at_once_up_to_125(void **state)
{
    (void)state;
    start();
    for (uint16_t i = 0; i < 130; i++) {
        (void)add(0, i, &U16);
    }
    (void)add(0, 131, &U16);                     /* a hole: registers that nobody wants may be refused */
    add(0, 132, &U16)->interval_ms = 5 * SECOND; /* another group */
    (void)add(1, 10, &I32);
    (void)add(1, 11, &U16); /* within the one before */
    (void)add(1, 12, &U16);
    assert_int_equal(plan(POINTS), HR_OK);
    static const uint16_t WANT[][3] = {{0, 125, 125}, {125, 5, 5}, {131, 1, 1}, {132, 1, 1}, {10, 3, 3}};
    assert_int_equal(plant.n_reads, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(reads[i].address, WANT[i][0]);
        assert_int_equal(reads[i].n_registers, WANT[i][1]);
        assert_int_equal(reads[i].n_points, WANT[i][2]);
    }
    assert_int_equal(plan(5), HR_OK);
    assert_int_equal(plan(4), HR_FULL);
}

static void a_value_of_two_registers_is_never_cut_in_two(void **state)
{
    (void)state;
    start();
    (void)add(0, 0, &U16);
    for (uint16_t i = 0; i < 63; i++) {
        (void)add(0, (uint16_t)(1 + 2 * i), &I32);
    }
    assert_int_equal(plan(POINTS), HR_OK);
    assert_int_equal(plant.n_reads, 2);
    assert_int_equal(reads[0].n_registers, 125);
    assert_int_equal(reads[1].address, 125);
    assert_int_equal(reads[1].n_registers, 2);
}

static void points_that_cannot_be_are_refused(void **state)
{
    (void)state;
    start();
    (void)add(0, 7, &U16);
    (void)add(0, 6, &U16);
    assert_int_equal(plan(POINTS), HR_MALFORMED);
    start();
    (void)add(1, 6, &U16);
    (void)add(0, 7, &U16);
    assert_int_equal(plan(POINTS), HR_MALFORMED);
    start();
    (void)add(DEVICES, 7, &U16);
    assert_int_equal(plan(POINTS), HR_MALFORMED);
    start();
    (void)add(0, 65535, &I32);
    assert_int_equal(plan(POINTS), HR_MALFORMED);
    start();
    add(0, 0, &U16)->scale_point = 0; /* not a scale factor */
    assert_int_equal(plan(POINTS), HR_MALFORMED);
    start();
    add(0, 0, &U16)->interval_ms = 0;
    assert_int_equal(plan(POINTS), HR_MALFORMED);
    start();
    (void)add(0, 0, &TEXT);
    assert_int_equal(plan(POINTS), HR_MALFORMED);
}

static void values_are_reported_when_they_change_or_were_silent_for_long(void **state)
{
    (void)state;
    start();
    add(0, 0, &U16)->dead_band = 5;
    add(0, 1, &U16)->silence_ms = 10 * SECOND;
    add(0, 2, &U16)->is_each = true;
    registers[0][0] = 100;
    assert_int_equal(plan(POINTS), HR_OK);
    run_until(now_ms + 5 * SECOND);
    registers[0][0] = 105;
    run_until(now_ms + 5 * SECOND);
    assert_int_equal(n_samples_of(0), 1);
    registers[0][0] = 94;
    run_until(now_ms + 21 * SECOND);
    assert_int_equal(n_samples_of(0), 2);
    assert_int_equal(last_of(0)->value, 94);
    assert_int_equal(n_samples_of(1), 4); /* at 0, 10, 20 and 30 s */
    assert_int_equal(n_samples_of(2), 31);
    assert_int_equal(plant.counter[PLANT_SAMPLES], 2 + 4 + 31);
    assert_int_equal(plant.counter[PLANT_SUPPRESSED], 93 - 37);
}

static void a_value_has_the_scale_that_came_with_it(void **state)
{
    (void)state;
    start();
    add(0, 0, &U16)->scale_point = 1;
    add(0, 1, &SF)->is_hidden = true;
    registers[0][0] = 2301;
    registers[0][1] = 0xFFFF; /* 10^-1 */
    assert_int_equal(plan(POINTS), HR_OK);
    run_until(now_ms + 3 * SECOND);
    assert_int_equal(n_said, 1);
    assert_int_equal(last_of(0)->value, 2301);
    assert_int_equal(last_of(0)->scale, -1);
    registers[0][1] = 0xFFFE;
    run_until(now_ms + 3 * SECOND);
    assert_int_equal(n_said, 2);
    assert_int_equal(last_of(0)->scale, -2);
    registers[0][1] = 0x8000;
    run_until(now_ms + 3 * SECOND);
    assert_int_equal(last_of(0)->scale, 0);
    registers[0][1] = 40;
    run_until(now_ms + 3 * SECOND);
    assert_int_equal(last_of(0)->quality, PLANT_OUT_OF_RANGE);
    registers[0][0] = 0xFFFF;
    run_until(now_ms + 3 * SECOND);
    assert_int_equal(last_of(0)->quality, PLANT_NOT_IMPLEMENTED);
    assert_int_equal(n_said, 5);
}

static void reals_are_thousandths_and_no_number_is_no_value(void **state)
{
    static const struct {
        uint16_t high;
        uint16_t low;
        int64_t value;
        enum plant_quality quality;
    } CASE[] = {
        {0xC148, 0x0000, -12500, PLANT_GOOD},       /* -12.5 */
        {0x3A83, 0x126F, 1, PLANT_GOOD},            /* 0.001 */
        {0x7FC0, 0x0000, 0, PLANT_NOT_IMPLEMENTED}, /* NaN */
        {0x7F80, 0x0000, 0, PLANT_OUT_OF_RANGE},    /* infinity */
        {0x5D5E, 0x0B6B, 0, PLANT_OUT_OF_RANGE},    /* 1e18: no room for thousandths */
    };
    (void)state;
    start();
    (void)add(0, 0, &REAL);
    assert_int_equal(plan(POINTS), HR_OK);
    for (size_t i = 0; i < sizeof CASE / sizeof CASE[0]; i++) {
        registers[0][0] = CASE[i].high;
        registers[0][1] = CASE[i].low;
        run_until(now_ms + 2 * SECOND);
        assert_int_equal(last_of(0)->quality, CASE[i].quality);
        assert_int_equal(last_of(0)->scale, PLANT_REAL_SCALE);
        assert_int_equal(last_of(0)->value, CASE[i].value);
    }
}

/* Three devices of two points; device 1 is as told. */
static void start_three(enum behaviour how)
{
    start();
    for (uint16_t device = 0; device < DEVICES; device++) {
        add(device, 0, &U16)->is_each = true;
        (void)add(device, 1, &U16);
        registers[device][0] = (uint16_t)(device + 10);
    }
    behaviour[1] = how;
    assert_int_equal(plan(POINTS), HR_OK);
}

static void one_devices_damage_disturbs_no_other(enum behaviour how, enum tap_modbus_counter counter)
{
    start_three(how);
    run_until(now_ms + 60 * SECOND);
    /* The other two missed no turn, and never said anything but good values. */
    assert_int_equal(n_samples_of(0), 60);
    assert_int_equal(n_samples_of(4), 60);
    assert_int_equal(n_samples_of(1), 1);
    for (size_t i = 0; i < n_said; i++) {
        if (said[i].channel / 2 != 1) {
            assert_int_equal(said[i].quality, PLANT_GOOD);
        }
    }
    /* The device's own points say so, its failures have their name, and it is left alone more and more:
     * opened after three turns of three tries, then asked once after 10 s, 20 s and 40 s. */
    assert_int_equal(last_of(2)->quality, PLANT_COMMS_ERROR);
    assert_int_equal(last_of(3)->quality, PLANT_COMMS_ERROR);
    assert_true(line.counter[counter] >= 9);
    assert_int_equal(plant.counter[PLANT_OPENED], 3);
    assert_int_equal(plant.counter[PLANT_RETRIES], 6);
    /* It comes back with one good answer. */
    behaviour[1] = GOOD;
    run_until(now_ms + 45 * SECOND);
    assert_int_equal(last_of(2)->quality, PLANT_GOOD);
    assert_int_equal(last_of(2)->value, 11);
    assert_int_equal(last_of(3)->quality, PLANT_GOOD);
    assert_int_equal(plant.counter[PLANT_OPENED], 3);
}

static void an_absent_device_disturbs_no_other(void **state)
{
    (void)state;
    one_devices_damage_disturbs_no_other(ABSENT, TAP_MODBUS_SILENCES);
}

static void a_slow_device_disturbs_no_other(void **state)
{
    (void)state;
    one_devices_damage_disturbs_no_other(LATE, TAP_MODBUS_SILENCES);
}

static void a_device_that_answers_for_another_unit_disturbs_no_other(void **state)
{
    (void)state;
    one_devices_damage_disturbs_no_other(WRONG_UNIT, TAP_MODBUS_WRONG_UNITS);
}

static void truncated_frames_disturb_no_other(void **state)
{
    (void)state;
    one_devices_damage_disturbs_no_other(TRUNCATED, TAP_MODBUS_TRUNCATIONS);
}

static void bad_crcs_disturb_no_other(void **state)
{
    (void)state;
    one_devices_damage_disturbs_no_other(BAD_CRC, TAP_MODBUS_BAD_CRCS);
}

static void answers_of_another_length_disturb_no_other(void **state)
{
    (void)state;
    one_devices_damage_disturbs_no_other(WRONG_LENGTH, TAP_MODBUS_WRONG_ANSWERS);
}

static void noise_disturbs_no_other(void **state)
{
    (void)state;
    one_devices_damage_disturbs_no_other(NOISE, TAP_MODBUS_NOISES);
}

static void a_busy_device_disturbs_no_other(void **state)
{
    (void)state;
    one_devices_damage_disturbs_no_other(BUSY, TAP_MODBUS_EXCEPTIONS);
}

static void one_missed_read_makes_values_stale_until_the_next(void **state)
{
    (void)state;
    start_three(GOOD);
    run_until(now_ms + 10 * SECOND + 500);
    behaviour[1] = ABSENT;
    run_until(now_ms + 1700);
    assert_int_equal(last_of(2)->quality, PLANT_STALE);
    assert_int_equal(last_of(2)->value, 11);
    behaviour[1] = GOOD;
    run_until(now_ms + 2 * SECOND);
    assert_int_equal(last_of(2)->quality, PLANT_GOOD);
    assert_int_equal(plant.counter[PLANT_OPENED], 0);
    assert_int_equal(n_samples_of(3), 3); /* good, stale, good */
}

static void an_illegal_address_is_the_devices_word_and_not_a_failure(void **state)
{
    (void)state;
    start();
    add(0, 0, &U16)->is_each = true;
    (void)add(0, 100, &U16);
    behaviour[0] = ILLEGAL_ADDRESS;
    refuse_from = 100;
    assert_int_equal(plan(POINTS), HR_OK);
    run_until(now_ms + 59 * SECOND);
    assert_int_equal(n_samples_of(0), 59);
    assert_int_equal(last_of(0)->quality, PLANT_GOOD);
    assert_int_equal(last_of(1)->quality, PLANT_NOT_IMPLEMENTED);
    assert_int_equal(n_samples_of(1), 1);
    assert_int_equal(plant.counter[PLANT_REFUSED], 1);
    assert_int_equal(plant.counter[PLANT_FAILED] + plant.counter[PLANT_OPENED], 0);
    behaviour[0] = GOOD;
    run_until(now_ms + 10 * SECOND);
    assert_int_equal(last_of(1)->quality, PLANT_GOOD);
}

static void a_line_that_is_too_slow_gives_each_read_its_turn(void **state)
{
    (void)state;
    start();
    for (uint16_t i = 0; i < 200; i++) { /* 200 reads of 20 ms a second */
        add(i < 100 ? 0 : 1, (uint16_t)(i % 100 * 2), &U16)->is_each = true;
    }
    assert_int_equal(plan(POINTS), HR_OK);
    run_until(now_ms + 40 * SECOND + 1);
    for (uint16_t i = 0; i < 200; i++) {
        size_t n = n_samples_of(i);
        assert_true(n >= 9 && n <= 11);
    }
    assert_true(plant.counter[PLANT_OVERRUN] > 1000);
}

static void a_lost_connection_is_not_a_devices_failure(void **state)
{
    struct tap_modbus_request request;
    uint32_t timeout_ms = 0;
    uint64_t wake_ms = 0;
    (void)state;
    start_three(GOOD);
    assert_true(plant_next(&plant, now_ms, &request, &timeout_ms, &wake_ms));
    assert_int_equal(timeout_ms, TIMEOUT_MS);
    plant_drop(&plant);
    assert_int_equal(n_said, 0);
    run_until(now_ms + SECOND);
    assert_int_equal(n_said, 6);
    assert_int_equal(plant.counter[PLANT_RETRIES], 0);
}

static void ask_twice(void *ctx)
{
    struct tap_modbus_request request;
    uint32_t timeout_ms = 0;
    uint64_t wake_ms = 0;
    (void)ctx;
    (void)plant_next(&plant, now_ms, &request, &timeout_ms, &wake_ms);
    (void)plant_next(&plant, now_ms, &request, &timeout_ms, &wake_ms);
}

static void a_second_request_on_the_line_is_a_bug_and_counters_have_names(void **state)
{
    struct edge_stats stats = {.source = "modbus"};
    (void)state;
    start_three(GOOD);
    assert_true(test_asserts(ask_twice, NULL));
    run_until(now_ms + SECOND);
    tap_modbus_stats(&line, &stats);
    plant_stats(&plant, &stats);
    assert_true(stats.n_counters <= EDGE_STATS_MAX_COUNTERS);
    for (size_t i = 0; i < stats.n_counters; i++) {
        assert_true(stats.counter[i].name[0] != '\0');
    }
    assert_string_equal(stats.counter[TAP_MODBUS_N_COUNTERS].name, "reads");
    assert_int_equal(stats.counter[TAP_MODBUS_N_COUNTERS].value, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contiguous_registers_are_read_at_once_up_to_125),
        cmocka_unit_test(a_value_of_two_registers_is_never_cut_in_two),
        cmocka_unit_test(points_that_cannot_be_are_refused),
        cmocka_unit_test(values_are_reported_when_they_change_or_were_silent_for_long),
        cmocka_unit_test(a_value_has_the_scale_that_came_with_it),
        cmocka_unit_test(reals_are_thousandths_and_no_number_is_no_value),
        cmocka_unit_test(an_absent_device_disturbs_no_other),
        cmocka_unit_test(a_slow_device_disturbs_no_other),
        cmocka_unit_test(a_device_that_answers_for_another_unit_disturbs_no_other),
        cmocka_unit_test(truncated_frames_disturb_no_other),
        cmocka_unit_test(bad_crcs_disturb_no_other),
        cmocka_unit_test(answers_of_another_length_disturb_no_other),
        cmocka_unit_test(noise_disturbs_no_other),
        cmocka_unit_test(a_busy_device_disturbs_no_other),
        cmocka_unit_test(one_missed_read_makes_values_stale_until_the_next),
        cmocka_unit_test(an_illegal_address_is_the_devices_word_and_not_a_failure),
        cmocka_unit_test(a_line_that_is_too_slow_gives_each_read_its_turn),
        cmocka_unit_test(a_lost_connection_is_not_a_devices_failure),
        cmocka_unit_test(a_second_request_on_the_line_is_a_bug_and_counters_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
