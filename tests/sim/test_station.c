/* SPDX-License-Identifier: Apache-2.0
 *
 * A line of a plant before the simulator's devices (headrace sim sunspec), in virtual time: what is found,
 * what is polled, and that whatever one device does, the others' samples go on. */
#include "firmware/taps/station/station.h"
#include "proto/base/assert.h"
#include "tests/support/test_cmocka.h"
#include "tools/cli/modbus_answer.h"

#include <string.h>

enum {
    DEVICES = 5, /* meter, battery, three inverters */
    POINTS = 256,
    CHANNELS = 512,
    INVERTER = 2, /* the index of the first, whose unit is 3 */
    LATENCY_MS = 5,
    RECONNECT_MS = 20,
    TIMEOUT_MS = 300,
    SECOND = 1000,
};

struct heard {
    const struct station_device *device;
    char point[STATION_NAME_MAX_CHARS + 1];
    int32_t scale;
    enum station_kind kind;
    uint8_t width_bits;
    unsigned n_told;
    unsigned n_samples;
    unsigned n_bad; /* samples that say that the device failed */
    int64_t value;
    enum plant_quality quality;
};

static struct sim_plant plant;
static enum sim_fault faults[256];
static struct cli_modbus_peer peer;
static struct station_line line;
static struct station_device devices[DEVICES];
static struct plant_point points[DEVICES][POINTS];
static struct station_channel channels[DEVICES][POINTS];
static struct plant_read reads[DEVICES][POINTS];
static uint16_t registers[DEVICES][STATION_MODEL_REGISTERS];
static uint32_t next_channel;
static uint64_t now_ms;
static struct heard heard[CHANNELS];
static unsigned n_events[STATION_FULL + 1];
static uint32_t last_number[STATION_FULL + 1];
static unsigned n_reopened;
static bool is_away; /* nobody is at the other end, and no connection can be made */

static const char *const WANTED[] = {"103.W",      "103.W*", "103.A",   "203.W",
                                     "203.TotWh*", "802.W",  "802.SoC", "802.Typ"};
static const struct station_group FAST = {
    .patterns = WANTED, .n_patterns = HR_ARRAY_LEN(WANTED), .interval_ms = SECOND, .is_each = true};
static const struct station_group *const FAST_ONLY[] = {&FAST};

static const char *const EVERYTHING[] = {"*"};
static const struct station_group ALL = {
    .patterns = EVERYTHING, .n_patterns = 1, .interval_ms = SECOND, .is_each = true};
static const struct station_group *const ALL_ONLY[] = {&ALL};

/* ---- what comes out ---- */

static void on_channel(void *ctx, const struct station_device *device, const struct station_channel *channel,
                       uint64_t at_ms)
{
    (void)ctx;
    (void)at_ms;
    assert_in_range(channel->number, 1, CHANNELS - 1);
    struct heard *entry = &heard[channel->number];
    entry->device = device;
    memcpy(entry->point, channel->point, sizeof entry->point);
    entry->scale = channel->scale;
    entry->kind = channel->kind;
    entry->width_bits = channel->width_bits;
    entry->n_told++;
}

static void on_samples(void *ctx, const struct station_sample *samples, size_t n_samples, uint64_t at_ms)
{
    (void)ctx;
    assert_int_equal(at_ms, now_ms);
    assert_in_range(n_samples, 1, STATION_SAMPLES_MAX);
    for (size_t i = 0; i < n_samples; i++) {
        assert_true(i == 0 || samples[i].channel > samples[i - 1].channel);
        struct heard *entry = &heard[samples[i].channel];
        assert_true(entry->n_told > 0);
        entry->n_samples++;
        entry->n_bad += samples[i].quality == PLANT_STALE || samples[i].quality == PLANT_COMMS_ERROR;
        entry->value = samples[i].value;
        entry->quality = samples[i].quality;
    }
}

static void on_event(void *ctx, const struct station_device *device, enum station_event event,
                     uint32_t number)
{
    (void)ctx;
    (void)device;
    n_events[event]++;
    last_number[event] = number;
}

static struct heard *find(size_t device, const char *point)
{
    for (size_t i = 1; i < CHANNELS; i++) {
        if (heard[i].device == &devices[device] && strcmp(heard[i].point, point) == 0) {
            return &heard[i];
        }
    }
    fail_msg("device %zu has not said %s", device, point);
    return &heard[0];
}

/* ---- the line ---- */

static void forget(void)
{
    for (size_t i = 0; i < CHANNELS; i++) {
        heard[i].n_samples = 0;
        heard[i].n_bad = 0;
    }
}

static void connect_line(enum tap_modbus_framing framing)
{
    peer = (struct cli_modbus_peer){.framing = framing};
    station_opened(&line, now_ms);
}

static void start_with(enum tap_modbus_framing framing, const struct station_group *const *groups,
                       uint16_t capacity)
{
    memset(faults, 0, sizeof faults);
    memset(heard, 0, sizeof heard);
    memset(n_events, 0, sizeof n_events);
    n_reopened = 0;
    next_channel = 0;
    is_away = false;
    now_ms = 5000;
    cli_plant_init(&plant, 7, DEVICES - 2, 11 * 3600);
    for (size_t i = 0; i < DEVICES; i++) {
        devices[i].config = (struct station_device_config){.name = "device",
                                                           .line = {.unit = (uint8_t)(i + 1),
                                                                    .timeout_ms = TIMEOUT_MS,
                                                                    .n_retries = 1,
                                                                    .backoff_ms = 100,
                                                                    .n_failures = 2,
                                                                    .open_ms = 10 * SECOND,
                                                                    .open_max_ms = 40 * SECOND},
                                                           .groups = groups,
                                                           .n_groups = 1};
        devices[i].memory = (struct station_memory){points[i], channels[i], reads[i], capacity, registers[i]};
    }
    const struct station_config config = {.framing = framing,
                                          .quiet_ms = 50,
                                          .gap_ms = 2,
                                          .devices = devices,
                                          .n_devices = DEVICES,
                                          .next_channel = &next_channel,
                                          .sink = {on_channel, on_samples, on_event, NULL}};
    assert_int_equal(station_init(&line, &config, now_ms).code, HR_OK);
}

static void pass(uint64_t ms)
{
    /* The sky is looked at once a second. */
    uint64_t n_seconds = (now_ms + ms) / SECOND - now_ms / SECOND;
    if (n_seconds > 0) {
        cli_plant_step(&plant, (double)n_seconds);
    }
    now_ms += ms;
}

static void answer(const uint8_t *request, size_t len_bytes)
{
    uint8_t out[CLI_MODBUS_ANSWER_MAX_BYTES];
    size_t n_taken = 0;
    size_t len = cli_modbus_answer(&peer, &plant, faults, hr_bytes_of(request, len_bytes), &n_taken, out);
    assert_int_equal(n_taken, len_bytes);
    pass(LATENCY_MS);
    /* In two parts, as a line may give them. */
    station_feed(&line, hr_bytes_of(out, len / 2), now_ms);
    station_feed(&line, hr_bytes_of(out + len / 2, len - len / 2), now_ms);
}

static void run_for(uint64_t ms)
{
    uint64_t end_ms = now_ms + ms;
    while (now_ms < end_ms) {
        uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
        size_t len_bytes = 0;
        uint32_t wait_ms = 0;
        switch (station_step(&line, now_ms, out, &len_bytes, &wait_ms)) {
        case STATION_SEND:
            answer(out, len_bytes);
            break;
        case STATION_REOPEN:
            n_reopened++;
            station_closed(&line, now_ms);
            pass(RECONNECT_MS);
            if (!is_away) {
                connect_line(line.config.framing);
            }
            break;
        case STATION_WAIT:
            assert_true(wait_ms > 0);
            pass(wait_ms < end_ms - now_ms ? wait_ms : end_ms - now_ms);
            break;
        }
    }
}

static void start(enum tap_modbus_framing framing)
{
    start_with(framing, FAST_ONLY, POINTS);
    connect_line(framing);
    run_for(2 * SECOND);
}

/* ---- tests ---- */

static void what_a_group_names_is_found_and_polled(void **state)
{
    (void)state;
    start(TAP_MODBUS_TCP);
    assert_int_equal(n_events[STATION_FOUND], DEVICES);
    struct heard *power = find(INVERTER, "W");
    assert_int_equal(power->quality, PLANT_GOOD);
    assert_true(power->value > 2000 && power->value < SIM_PLANT_INVERTER_W);
    struct heard *energy = find(INVERTER, "WH");
    assert_int_equal(energy->kind, STATION_ACCUMULATOR);
    assert_int_equal(energy->width_bits, 32);
    assert_int_equal(find(INVERTER, "A")->scale, -2);
    assert_int_equal(find(0, "W")->scale, 1);
    assert_int_equal(find(1, "Typ")->kind, STATION_ENUMERATION);
    assert_int_equal(find(1, "Typ")->value, 4);
    forget();
    run_for(60 * SECOND);
    for (size_t i = 1; i <= next_channel; i++) {
        assert_int_equal(heard[i].n_told, 1);
        assert_int_equal(heard[i].n_samples, 60);
    }
    assert_int_equal(line.framer.counter[TAP_MODBUS_REQUESTS], line.framer.counter[TAP_MODBUS_ANSWERS]);
}

static void every_point_is_polled_where_all_are_wanted(void **state)
{
    (void)state;
    start_with(TAP_MODBUS_RTU, ALL_ONLY, POINTS);
    connect_line(TAP_MODBUS_RTU);
    run_for(10 * SECOND);
    assert_int_equal(n_events[STATION_FOUND], DEVICES);
    assert_int_equal(n_events[STATION_FULL], 0);
    size_t n_points = 0;
    for (size_t i = 0; i < tap_sunspec_model(103)->n_items; i++) {
        const struct tap_sunspec_item *item = &tap_sunspec_model(103)->items[i];
        n_points += i >= TAP_SUNSPEC_HEAD_REGISTERS && item->type < TAP_SUNSPEC_STRING &&
                    item->type != TAP_SUNSPEC_SUNSSF;
    }
    assert_int_equal(devices[INVERTER].n_shown, n_points + 1); /* and the address in the common model */
    assert_int_equal(find(INVERTER, "DA")->value, 3);
    assert_int_equal(find(INVERTER, "PhVphA")->quality, PLANT_GOOD);
    assert_int_equal(find(INVERTER, "PPVphAB")->quality, PLANT_NOT_IMPLEMENTED);
}

/* The others' samples of a minute: each of them, and as the device says it. */
static void assert_undisturbed(size_t but)
{
    for (size_t i = 0; i < DEVICES; i++) {
        assert_true(i == but || devices[i].n_shown > 0);
    }
    for (size_t i = 1; i <= next_channel; i++) {
        if (heard[i].device != &devices[but]) {
            assert_int_equal(heard[i].n_samples, 60);
            assert_int_equal(heard[i].n_bad, 0);
        }
    }
}

static void one_fault_disturbs_no_other(enum tap_modbus_framing framing, enum sim_fault fault,
                                        enum tap_modbus_counter counter, enum plant_quality quality)
{
    start(framing);
    struct heard *power = find(INVERTER, "W");
    assert_int_equal(power->quality, PLANT_GOOD);
    faults[INVERTER + 1] = fault;
    forget();
    run_for(60 * SECOND);
    assert_undisturbed(INVERTER);
    assert_int_equal(power->quality, quality);
    assert_true(line.framer.counter[counter] > 0);
    faults[INVERTER + 1] = SIM_FAULT_NONE;
    run_for(70 * SECOND);
    assert_int_equal(power->quality, PLANT_GOOD);
    assert_int_equal(power->n_told, 1);
    forget();
    run_for(60 * SECOND);
    assert_undisturbed(DEVICES - 1);
    assert_int_equal(power->n_samples, 60);
}

static void an_absent_device_disturbs_no_other(void **state)
{
    (void)state;
    one_fault_disturbs_no_other(TAP_MODBUS_RTU, SIM_FAULT_SILENT, TAP_MODBUS_SILENCES, PLANT_COMMS_ERROR);
    one_fault_disturbs_no_other(TAP_MODBUS_TCP, SIM_FAULT_SILENT, TAP_MODBUS_SILENCES, PLANT_COMMS_ERROR);
    assert_int_equal(n_reopened, 0);
}

static void a_slow_device_disturbs_no_other(void **state)
{
    (void)state;
    one_fault_disturbs_no_other(TAP_MODBUS_RTU, SIM_FAULT_LATE, TAP_MODBUS_SILENCES, PLANT_COMMS_ERROR);
    one_fault_disturbs_no_other(TAP_MODBUS_TCP, SIM_FAULT_LATE, TAP_MODBUS_SILENCES, PLANT_COMMS_ERROR);
}

static void a_device_answering_for_another_unit_disturbs_no_other(void **state)
{
    (void)state;
    one_fault_disturbs_no_other(TAP_MODBUS_RTU, SIM_FAULT_WRONG_UNIT, TAP_MODBUS_WRONG_UNITS,
                                PLANT_COMMS_ERROR);
    one_fault_disturbs_no_other(TAP_MODBUS_TCP, SIM_FAULT_WRONG_UNIT, TAP_MODBUS_WRONG_UNITS,
                                PLANT_COMMS_ERROR);
}

static void truncated_frames_disturb_no_other(void **state)
{
    (void)state;
    one_fault_disturbs_no_other(TAP_MODBUS_RTU, SIM_FAULT_TRUNCATED, TAP_MODBUS_TRUNCATIONS,
                                PLANT_COMMS_ERROR);
    one_fault_disturbs_no_other(TAP_MODBUS_TCP, SIM_FAULT_TRUNCATED, TAP_MODBUS_TRUNCATIONS,
                                PLANT_COMMS_ERROR);
    assert_true(n_reopened > 0);
}

static void a_bad_crc_disturbs_no_other(void **state)
{
    (void)state;
    one_fault_disturbs_no_other(TAP_MODBUS_RTU, SIM_FAULT_BAD_CRC, TAP_MODBUS_BAD_CRCS, PLANT_COMMS_ERROR);
    one_fault_disturbs_no_other(TAP_MODBUS_TCP, SIM_FAULT_BAD_CRC, TAP_MODBUS_BROKEN_STREAMS,
                                PLANT_COMMS_ERROR);
    assert_true(n_reopened > 0);
}

static void an_illegal_address_disturbs_no_other(void **state)
{
    (void)state;
    one_fault_disturbs_no_other(TAP_MODBUS_RTU, SIM_FAULT_ILLEGAL_ADDRESS, TAP_MODBUS_EXCEPTIONS,
                                PLANT_NOT_IMPLEMENTED);
    one_fault_disturbs_no_other(TAP_MODBUS_TCP, SIM_FAULT_ILLEGAL_ADDRESS, TAP_MODBUS_EXCEPTIONS,
                                PLANT_NOT_IMPLEMENTED);
}

static void not_implemented_forms_are_said_and_disturb_nothing(void **state)
{
    (void)state;
    one_fault_disturbs_no_other(TAP_MODBUS_TCP, SIM_FAULT_NOT_IMPLEMENTED, TAP_MODBUS_ANSWERS,
                                PLANT_NOT_IMPLEMENTED);
}

static void a_scale_factor_of_8000_scales_by_one(void **state)
{
    (void)state;
    start(TAP_MODBUS_RTU);
    struct heard *amps = find(INVERTER, "A");
    struct heard *other = find(INVERTER + 1, "A");
    int64_t before = amps->value;
    faults[INVERTER + 1] = SIM_FAULT_NO_SCALE;
    forget();
    run_for(60 * SECOND);
    assert_undisturbed(INVERTER);
    assert_int_equal(amps->scale, 0);
    assert_int_equal(amps->n_told, 2); /* the channel was said again before its first sample of that scale */
    assert_int_equal(amps->quality, PLANT_GOOD);
    assert_in_range(amps->value, before / 2, before * 2); /* as the device says it */
    assert_int_equal(other->scale, -2);
    faults[INVERTER + 1] = SIM_FAULT_NONE;
    run_for(2 * SECOND);
    assert_int_equal(amps->scale, -2);
    assert_int_equal(amps->n_told, 3);
}

static void a_common_model_of_65_registers_moves_what_follows(void **state)
{
    (void)state;
    start_with(TAP_MODBUS_TCP, FAST_ONLY, POINTS);
    faults[INVERTER + 1] = SIM_FAULT_MODEL_65;
    connect_line(TAP_MODBUS_TCP);
    run_for(2 * SECOND);
    assert_int_equal(devices[INVERTER].models[0].n_registers, 67);
    assert_int_equal(devices[INVERTER].models[1].address + 1, devices[INVERTER + 1].models[1].address);
    assert_int_equal(find(INVERTER, "A")->scale, -2);
    assert_in_range(find(INVERTER, "W")->value, 2000, SIM_PLANT_INVERTER_W);
    forget();
    run_for(60 * SECOND);
    assert_undisturbed(DEVICES);
}

static void a_device_that_changed_behind_a_lost_line_is_found_anew(void **state)
{
    (void)state;
    start(TAP_MODBUS_TCP);
    uint32_t n_channels = next_channel;
    faults[INVERTER + 1] = SIM_FAULT_MODEL_65;
    station_closed(&line, now_ms);
    pass(RECONNECT_MS);
    connect_line(TAP_MODBUS_TCP);
    run_for(3 * SECOND);
    assert_int_equal(n_events[STATION_FOUND], DEVICES + 1);
    assert_int_equal(next_channel, n_channels); /* it kept its numbers */
    assert_int_equal(find(INVERTER, "W")->n_told, 2);
    assert_int_equal(find(INVERTER, "W")->quality, PLANT_GOOD);
    assert_int_equal(find(INVERTER + 1, "W")->n_told, 1);
    forget();
    run_for(60 * SECOND);
    assert_undisturbed(DEVICES);
}

static void a_lost_line_is_said_and_forgiven(void **state)
{
    (void)state;
    start(TAP_MODBUS_TCP);
    station_closed(&line, now_ms);
    is_away = true;
    run_for(60 * SECOND);
    for (size_t i = 1; i <= next_channel; i++) {
        assert_int_equal(heard[i].quality, PLANT_COMMS_ERROR);
    }
    is_away = false;
    connect_line(TAP_MODBUS_TCP);
    run_for(2 * SECOND);
    forget();
    run_for(60 * SECOND);
    assert_undisturbed(DEVICES); /* nobody waits for the end of an open breaker */
    assert_int_equal(n_events[STATION_FOUND], DEVICES);
}

static void a_device_that_is_absent_at_first_is_found_when_it_comes(void **state)
{
    (void)state;
    start_with(TAP_MODBUS_RTU, FAST_ONLY, POINTS);
    faults[INVERTER + 1] = SIM_FAULT_SILENT;
    connect_line(TAP_MODBUS_RTU);
    run_for(2 * SECOND);
    assert_int_equal(n_events[STATION_FOUND], DEVICES - 1);
    assert_int_equal(last_number[STATION_SILENT], 10 * SECOND);
    forget();
    run_for(60 * SECOND);
    assert_undisturbed(INVERTER);
    faults[INVERTER + 1] = SIM_FAULT_NONE;
    run_for(90 * SECOND);
    assert_int_equal(n_events[STATION_FOUND], DEVICES);
    assert_int_equal(find(INVERTER, "W")->quality, PLANT_GOOD);
}

static void a_device_without_sunspec_is_asked_again_later(void **state)
{
    (void)state;
    start_with(TAP_MODBUS_TCP, FAST_ONLY, POINTS);
    faults[INVERTER + 1] = SIM_FAULT_ILLEGAL_ADDRESS;
    connect_line(TAP_MODBUS_TCP);
    run_for(2 * SECOND);
    assert_int_equal(n_events[STATION_NO_SUNSPEC], 1);
    faults[INVERTER + 1] = SIM_FAULT_NONE;
    run_for(41 * SECOND);
    assert_int_equal(n_events[STATION_FOUND], DEVICES);
}

static void the_dictionary_is_said_again_on_demand(void **state)
{
    (void)state;
    start(TAP_MODBUS_TCP);
    station_tell_all(&line, now_ms);
    for (size_t i = 1; i <= next_channel; i++) {
        assert_int_equal(heard[i].n_told, 2);
    }
}

static void points_beyond_the_memory_are_told(void **state)
{
    (void)state;
    start_with(TAP_MODBUS_TCP, ALL_ONLY, 20);
    connect_line(TAP_MODBUS_TCP);
    run_for(3 * SECOND);
    assert_int_equal(n_events[STATION_FULL], DEVICES);
    assert_in_range(devices[INVERTER].n_points, 19, 20);
    assert_int_equal(find(INVERTER, "A")->scale, -2); /* no point without its scale factor */
}

/* As start_with left it, with what was changed in the devices since. */
static enum hr_code init_again(void)
{
    const struct station_config config = line.config;
    next_channel = 0;
    return station_init(&line, &config, now_ms).code;
}

static void a_device_that_is_always_due_leaves_the_others_their_turns(void **state)
{
    (void)state;
    static const char *const POWER[] = {"203.W", "203.Evt"}; /* far from each other: two reads */
    static const struct station_group HUNGRY = {
        .patterns = POWER, .n_patterns = 2, .interval_ms = 1, .is_each = true};
    static const struct station_group *const HUNGRY_ONLY[] = {&HUNGRY};
    start_with(TAP_MODBUS_TCP, FAST_ONLY, POINTS);
    devices[0].config.groups = HUNGRY_ONLY;
    assert_int_equal(init_again(), HR_OK);
    connect_line(TAP_MODBUS_TCP);
    run_for(2 * SECOND);
    forget();
    run_for(60 * SECOND);
    assert_undisturbed(0);
    assert_true(find(0, "W")->n_samples > 60 * SECOND / LATENCY_MS / 4);
    assert_true(devices[0].plant.counter[PLANT_OVERRUN] > 0);
}

static void a_register_map_is_polled_without_a_search(void **state)
{
    (void)state;
    /* Power and energy of the inverter, where the simulator has them. */
    static const struct station_register MAP[] = {
        {.item = {.name = "power", .unit = "W", .type = TAP_SUNSPEC_INT16, .n_registers = 1},
         .table = TAP_MODBUS_HOLDING,
         .address = SIM_PLANT_BASE + 84,
         .scale = -3,
         .kind = STATION_MEASUREMENT,
         .symbols = ""},
        {.item = {.name = "state", .unit = "", .type = TAP_SUNSPEC_UINT16, .n_registers = 1},
         .table = TAP_MODBUS_HOLDING,
         .address = SIM_PLANT_BASE + 108,
         .kind = STATION_ENUMERATION,
         .symbols = "2=asleep;4=working"},
    };
    static const char *const NAMES[] = {"power", "sta*"};
    static const struct station_group GROUP = {
        .patterns = NAMES, .n_patterns = 2, .interval_ms = SECOND, .is_each = true};
    static const struct station_group *const GROUPS[] = {&GROUP};
    start_with(TAP_MODBUS_TCP, FAST_ONLY, POINTS);
    devices[INVERTER].config.map = MAP;
    devices[INVERTER].config.n_map = HR_ARRAY_LEN(MAP);
    devices[INVERTER].config.groups = GROUPS;
    assert_int_equal(init_again(), HR_OK);
    connect_line(TAP_MODBUS_TCP);
    run_for(2 * SECOND);
    struct heard *power = find(INVERTER, "power");
    assert_in_range(power->value, 2000, SIM_PLANT_INVERTER_W);
    assert_int_equal(power->scale, -3);
    assert_int_equal(find(INVERTER, "state")->kind, STATION_ENUMERATION);
    assert_int_equal(find(INVERTER, "state")->value, 4);
    forget();
    run_for(60 * SECOND);
    assert_undisturbed(DEVICES);
    devices[INVERTER].memory.capacity = 1;
    assert_int_equal(init_again(), HR_MALFORMED);
}

static void a_pattern_is_text_and_stars(void **state)
{
    (void)state;
    assert_true(station_matches("103.W", "103.W"));
    assert_false(station_matches("103.W", "103.WH"));
    assert_true(station_matches("103.W*", "103.W"));
    assert_true(station_matches("*", ""));
    assert_true(station_matches("160.module[*].DCA", "160.module[12].DCA"));
    assert_false(station_matches("160.module[*].DCA", "160.module[12].DCV"));
    assert_true(station_matches("*a*b", "xaxbab"));
    assert_false(station_matches("*a*b", "xaxba"));
    assert_false(station_matches("", "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_group_names_is_found_and_polled),
        cmocka_unit_test(every_point_is_polled_where_all_are_wanted),
        cmocka_unit_test(an_absent_device_disturbs_no_other),
        cmocka_unit_test(a_slow_device_disturbs_no_other),
        cmocka_unit_test(a_device_answering_for_another_unit_disturbs_no_other),
        cmocka_unit_test(truncated_frames_disturb_no_other),
        cmocka_unit_test(a_bad_crc_disturbs_no_other),
        cmocka_unit_test(an_illegal_address_disturbs_no_other),
        cmocka_unit_test(not_implemented_forms_are_said_and_disturb_nothing),
        cmocka_unit_test(a_scale_factor_of_8000_scales_by_one),
        cmocka_unit_test(a_common_model_of_65_registers_moves_what_follows),
        cmocka_unit_test(a_device_that_changed_behind_a_lost_line_is_found_anew),
        cmocka_unit_test(a_lost_line_is_said_and_forgiven),
        cmocka_unit_test(a_device_that_is_absent_at_first_is_found_when_it_comes),
        cmocka_unit_test(a_device_without_sunspec_is_asked_again_later),
        cmocka_unit_test(the_dictionary_is_said_again_on_demand),
        cmocka_unit_test(points_beyond_the_memory_are_told),
        cmocka_unit_test(a_device_that_is_always_due_leaves_the_others_their_turns),
        cmocka_unit_test(a_register_map_is_polled_without_a_search),
        cmocka_unit_test(a_pattern_is_text_and_stars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
