/* SPDX-License-Identifier: Apache-2.0
 *
 * What devices say with whole and right RTU frames and do not mean as a number: refused addresses, a common
 * model of 65 registers, not-implemented values of every type, scale factors of 0x8000. Framer, discovery and
 * poll engine together, in virtual time; beside each such device is a good one that must not notice. */
#include "firmware/taps/plant/plant.h"
#include "proto/base/assert.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { GOOD_UNIT = 1, ODD_UNIT = 2, UNITS = 2, POINTS = 40, REGISTERS = 256, LATENCY_MS = 20, SECOND = 1000 };
enum { GOOD_CHANNEL = 0, N_GOOD_TURNS = 60, GOOD_VALUE = 4711 };

struct said {
    uint32_t n;
    int64_t value;
    int8_t scale;
    enum plant_quality quality;
};

static const struct tap_sunspec_item U16 = {.unit = "", .type = TAP_SUNSPEC_UINT16, .n_registers = 1};
static const struct tap_sunspec_item SF = {.unit = "", .type = TAP_SUNSPEC_SUNSSF, .n_registers = 1};

static struct plant_device devices[UNITS];
static struct plant_point points[POINTS];
static struct plant_read reads[POINTS];
static struct plant plant;
static struct tap_modbus line;
static uint64_t now_ms;
static uint16_t n_points;
static uint16_t registers[UNITS + 1][REGISTERS]; /* by unit */
static bool odd_refuses;
static struct said said[POINTS]; /* the last word on each channel */

static void hear(void *ctx, const struct plant_sample *sample, uint64_t at_ms)
{
    struct said *one = &said[sample->point->channel];
    (void)ctx;
    (void)at_ms;
    *one = (struct said){one->n + 1, sample->value, sample->scale, sample->quality};
}

static struct plant_point *add(uint8_t unit, uint16_t address, const struct tap_sunspec_item *item)
{
    struct plant_point *point = &points[n_points];
    *point = (struct plant_point){.channel = n_points,
                                  .device = (uint16_t)(unit - 1),
                                  .address = address,
                                  .table = TAP_MODBUS_HOLDING,
                                  .item = item,
                                  .scale_point = PLANT_NO_POINT,
                                  .interval_ms = SECOND};
    n_points++;
    return point;
}

/* A good device whose channel 0 is reported each second. */
static int start(void **state)
{
    (void)state;
    now_ms = 5000;
    n_points = 0;
    odd_refuses = false;
    memset(points, 0, sizeof points);
    memset(said, 0, sizeof said);
    memset(registers, 0, sizeof registers);
    for (uint8_t i = 0; i < UNITS; i++) {
        devices[i].config = (struct plant_device_config){.unit = (uint8_t)(i + 1),
                                                         .timeout_ms = 300,
                                                         .n_retries = 2,
                                                         .backoff_ms = 100,
                                                         .n_failures = 3,
                                                         .open_ms = 10 * SECOND,
                                                         .open_max_ms = 40 * SECOND};
    }
    tap_modbus_init(&line, TAP_MODBUS_RTU);
    registers[GOOD_UNIT][0] = GOOD_VALUE;
    add(GOOD_UNIT, 0, &U16)->is_each = true;
    return 0;
}

/* The request's answer, framed and through the framer. */
static void exchange(const struct tap_modbus_request *request)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    uint8_t frame[TAP_MODBUS_FRAME_MAX_BYTES] = {request->unit, (uint8_t)request->table,
                                                 (uint8_t)(2 * request->n_registers)};
    size_t len = 3;
    (void)tap_modbus_ask(&line, request, out);
    if ((odd_refuses && request->unit == ODD_UNIT) || request->address + request->n_registers > REGISTERS) {
        frame[1] |= 0x80;
        frame[2] = 2; /* illegal address */
    } else {
        for (uint16_t i = 0; i < request->n_registers; i++) {
            frame[len++] = (uint8_t)(registers[request->unit][request->address + i] >> 8);
            frame[len++] = (uint8_t)(registers[request->unit][request->address + i] & 0xFF);
        }
    }
    const uint16_t crc = tap_modbus_crc(hr_bytes_of(frame, len));
    frame[len++] = (uint8_t)(crc & 0xFF);
    frame[len++] = (uint8_t)(crc >> 8);
    assert_int_not_equal(tap_modbus_feed(&line, hr_bytes_of(frame, len)), TAP_MODBUS_WAITING);
    now_ms += LATENCY_MS;
}

/* A minute, after which the good device has missed nothing. */
static void poll_a_minute(void)
{
    const struct plant_memory memory = {devices, UNITS, points, n_points, reads, POINTS};
    const uint64_t end_ms = now_ms + N_GOOD_TURNS * SECOND;
    assert_int_equal(plant_init(&plant, &memory, &(struct plant_sink){hear, NULL}, now_ms).code, HR_OK);
    while (now_ms < end_ms) {
        struct tap_modbus_request request;
        uint32_t timeout_ms = 0;
        uint64_t wake_ms = 0;
        if (plant_next(&plant, now_ms, &request, &timeout_ms, &wake_ms)) {
            exchange(&request);
            plant_answer(&plant, &line, now_ms);
        } else {
            now_ms = wake_ms < end_ms ? wake_ms : end_ms;
        }
    }
    assert_int_equal(said[GOOD_CHANNEL].n, N_GOOD_TURNS);
    assert_int_equal(said[GOOD_CHANNEL].value, GOOD_VALUE);
    assert_int_equal(said[GOOD_CHANNEL].quality, PLANT_GOOD);
    assert_int_equal(plant.counter[PLANT_FAILED] + plant.counter[PLANT_OPENED], 0);
}

static void an_illegal_address_disturbs_no_other(void **state)
{
    (void)state;
    (void)add(ODD_UNIT, 10, &U16);
    odd_refuses = true;
    poll_a_minute();
    assert_int_equal(said[1].n, 1);
    assert_int_equal(said[1].quality, PLANT_NOT_IMPLEMENTED);
    assert_int_equal(plant.counter[PLANT_REFUSED], 1); /* and asked again after a minute, not each second */
    assert_int_equal(line.counter[TAP_MODBUS_EXCEPTIONS], 1);
}

static void not_implemented_forms_of_every_type_are_said_as_such_and_disturb_no_other(void **state)
{
    static const struct {
        struct tap_sunspec_item item;
        uint16_t form[4];
    } CASES[] = {
        {{.type = TAP_SUNSPEC_INT16, .n_registers = 1}, {0x8000}},
        {{.type = TAP_SUNSPEC_INT32, .n_registers = 2}, {0x8000, 0}},
        {{.type = TAP_SUNSPEC_INT64, .n_registers = 4}, {0x8000, 0, 0, 0}},
        {{.type = TAP_SUNSPEC_UINT16, .n_registers = 1}, {0xFFFF}},
        {{.type = TAP_SUNSPEC_UINT32, .n_registers = 2}, {0xFFFF, 0xFFFF}},
        {{.type = TAP_SUNSPEC_UINT64, .n_registers = 4}, {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}},
        {{.type = TAP_SUNSPEC_ACC16, .n_registers = 1}, {0}},
        {{.type = TAP_SUNSPEC_ACC32, .n_registers = 2}, {0, 0}},
        {{.type = TAP_SUNSPEC_ACC64, .n_registers = 4}, {0, 0, 0, 0}},
        {{.type = TAP_SUNSPEC_ENUM16, .n_registers = 1}, {0xFFFF}},
        {{.type = TAP_SUNSPEC_ENUM32, .n_registers = 2}, {0xFFFF, 0xFFFF}},
        {{.type = TAP_SUNSPEC_BITFIELD16, .n_registers = 1}, {0xFFFF}},
        {{.type = TAP_SUNSPEC_BITFIELD32, .n_registers = 2}, {0xFFFF, 0xFFFF}},
        {{.type = TAP_SUNSPEC_BITFIELD64, .n_registers = 4}, {0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}},
        {{.type = TAP_SUNSPEC_COUNT, .n_registers = 1}, {0xFFFF}},
        {{.type = TAP_SUNSPEC_FLOAT32, .n_registers = 2}, {0x7FC0, 0}}, /* quiet, with either sign */
        {{.type = TAP_SUNSPEC_FLOAT32, .n_registers = 2}, {0xFFC0, 0}},
        {{.type = TAP_SUNSPEC_FLOAT32, .n_registers = 2}, {0x7F80, 1}}, /* signalling */
        {{.type = TAP_SUNSPEC_FLOAT32, .n_registers = 2}, {0xFFFF, 0xFFFF}},
    };
    uint16_t address = 0;
    (void)state;
    for (size_t i = 0; i < HR_ARRAY_LEN(CASES); i++) {
        const size_t n_registers = CASES[i].item.n_registers;
        (void)add(ODD_UNIT, address, &CASES[i].item);
        memcpy(&registers[ODD_UNIT][address], CASES[i].form, n_registers * sizeof registers[0][0]);
        address = (uint16_t)(address + n_registers);
    }
    poll_a_minute();
    for (size_t i = 1; i <= HR_ARRAY_LEN(CASES); i++) {
        assert_int_equal(said[i].n, 1);
        assert_int_equal(said[i].quality, PLANT_NOT_IMPLEMENTED);
        assert_int_equal(said[i].value, 0);
    }
}

static void a_scale_factor_of_0x8000_scales_by_one_and_disturbs_no_other(void **state)
{
    (void)state;
    add(ODD_UNIT, 0, &U16)->scale_point = 2;
    add(ODD_UNIT, 1, &SF)->is_hidden = true;
    registers[ODD_UNIT][0] = 2301;
    registers[ODD_UNIT][1] = 0x8000;
    poll_a_minute();
    assert_int_equal(said[1].n, 1);
    assert_int_equal(said[1].value, 2301);
    assert_int_equal(said[1].scale, 0);
    assert_int_equal(said[1].quality, PLANT_GOOD);
    assert_int_equal(said[2].n, 0);
}

/* Base 0: "SunS", model 1 of that length, model 103, the end. Returns where model 103 begins. */
static uint16_t place_models(uint16_t common_length)
{
    uint16_t *at = registers[ODD_UNIT];
    const uint16_t second = (uint16_t)(4 + common_length);
    at[0] = 0x5375;
    at[1] = 0x6E53;
    at[2] = 1;
    at[3] = common_length;
    at[second] = 103;
    at[second + 1] = 50;
    at[second + 52] = 0xFFFF;
    return second;
}

static void a_common_model_of_length_65_or_66_leaves_the_next_where_it_is_and_disturbs_no_other(void **state)
{
    for (uint16_t length = 65; length <= 66; length++) {
        struct tap_sunspec_discovery discovery;
        (void)start(state);
        const uint16_t second = place_models(length);
        tap_sunspec_discover(&discovery, ODD_UNIT);
        while (discovery.state == TAP_SUNSPEC_SEARCHING) {
            struct tap_modbus_request request;
            tap_sunspec_question(&discovery, &request);
            exchange(&request);
            tap_sunspec_answer(&discovery, line.state == TAP_MODBUS_ANSWERED ? line.registers : NULL);
        }
        assert_int_equal(discovery.state, TAP_SUNSPEC_FOUND);
        assert_int_equal(discovery.n_models, 2);
        assert_int_equal(discovery.models[0].n_registers, length + TAP_SUNSPEC_HEAD_REGISTERS);
        assert_int_equal(discovery.models[1].id, 103);
        assert_int_equal(discovery.models[1].address, second);
        registers[ODD_UNIT][second + 14] = 1234; /* W */
        (void)add(ODD_UNIT, (uint16_t)(discovery.models[1].address + 14), &U16);
        poll_a_minute();
        assert_int_equal(said[1].value, 1234);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_illegal_address_disturbs_no_other, start),
        cmocka_unit_test_setup(not_implemented_forms_of_every_type_are_said_as_such_and_disturb_no_other,
                               start),
        cmocka_unit_test_setup(a_scale_factor_of_0x8000_scales_by_one_and_disturbs_no_other, start),
        cmocka_unit_test_setup(
            a_common_model_of_length_65_or_66_leaves_the_next_where_it_is_and_disturbs_no_other, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
