/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/plan.h"
#include "proto/base/assert.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_vectors.h"

#include <string.h>

enum { SECTOR_BYTES = 4096, N_SECTORS = 10, FAILS_AT_NONE = -1 };

static const char vectors_file[] = "tests/vectors/image_pages.txt";
static const struct image_regions regions = {SECTOR_BYTES, 8, 4, 4};

static uint8_t bytes[N_SECTORS * SECTOR_BYTES];
static int reads_left; /* FAILS_AT_NONE: it always answers */

static struct hr_status read_bytes(void *ctx, uint32_t address, void *out, uint32_t len_bytes)
{
    (void)ctx;
    assert_true((uint64_t)address + len_bytes <= sizeof bytes);
    if (reads_left == 0) {
        return hr_status_of(HR_IO);
    }
    reads_left -= reads_left > 0 ? 1 : 0;
    memcpy(out, bytes + address, len_bytes);
    return hr_ok();
}

static struct port_flash memory = {
    .sector_bytes = SECTOR_BYTES, .n_sectors = N_SECTORS, .program_unit_bytes = 8, .read = read_bytes};

static size_t place(uint32_t copy, const char *vector)
{
    return test_vector(vectors_file, vector, bytes + image_plan_address(&regions, copy), SECTOR_BYTES);
}

static int set_up(void **state)
{
    (void)state;
    memset(bytes, 0xFF, sizeof bytes);
    memory.n_sectors = N_SECTORS;
    reads_left = FAILS_AT_NONE;
    return 0;
}

static enum hr_code find(struct fw_plan *out)
{
    return fw_plan_find(&memory, &regions, out).code;
}

static struct hr_bytes text(const char *chars)
{
    return hr_bytes_of(chars, strlen(chars));
}

/* What the page plan of the vectors says. */
static struct image_plan_unit units[2];
static struct image_plan_point points[4];

static struct image_plan content(void)
{
    units[0] = (struct image_plan_unit){1, 500, 2, 500, 3, 10, 300, text("inverter 1")};
    units[1] = (struct image_plan_unit){247, 10, 0, 0, 1, 1, 1, text("m")};
    points[0] = (struct image_plan_point){0, 3,    IMAGE_INT16, false, 40083,     103,      1,
                                          0, 5000, 10,          60000, text("W"), text("W")};
    points[1] = (struct image_plan_point){
        0, 3, IMAGE_SUNSSF, false, 40084, 103, IMAGE_PLAN_NO_SCALE, 0, 5000, 0, 0, text("W_SF"), text("")};
    points[2] = (struct image_plan_point){
        0, 4, IMAGE_UINT32, true, 0, 0, IMAGE_PLAN_NO_SCALE, -10, 100, UINT32_MAX, 0, text("x"), text("kWh")};
    points[3] = (struct image_plan_point){1,
                                          3,
                                          IMAGE_ACC64,
                                          true,
                                          65532,
                                          65535,
                                          IMAGE_PLAN_NO_SCALE,
                                          10,
                                          86400000,
                                          0,
                                          86400000,
                                          text("EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE"),
                                          text("VVVVVVVVVVVVVVV")};
    return (struct image_plan){
        .sequence = 3, .baud = 19200, .n_units = 2, .n_points = 4, .units = units, .points = points};
}

static void a_plan_has_the_bytes_of_the_vectors(void **state)
{
    (void)state;
    uint8_t expected[IMAGE_PLAN_MAX_BYTES];
    uint8_t out[IMAGE_PLAN_MAX_BYTES];
    const size_t expected_bytes = test_vector(vectors_file, "plan", expected, sizeof expected);
    const struct image_plan plan = content();
    size_t out_bytes = 0;
    assert_ok(image_plan_encode(&plan, out, sizeof out, &out_bytes));
    assert_int_equal(out_bytes, expected_bytes);
    assert_memory_equal(out, expected, expected_bytes);
    out_bytes = 4711;
    assert_code(image_plan_encode(&plan, out, expected_bytes - 1, &out_bytes), HR_FULL);
    assert_int_equal(out_bytes, 4711);
}

static void same_text(struct hr_bytes a, struct hr_bytes b)
{
    assert_int_equal(a.len_bytes, b.len_bytes);
    assert_memory_equal(a.data, b.data, b.len_bytes);
}

static void a_plan_is_read_entry_by_entry(void **state)
{
    (void)state;
    struct fw_plan plan;
    struct fw_plan_cursor cursor;
    (void)content();
    (void)place(0, "plan");
    assert_int_equal(find(&plan), HR_OK);
    assert_int_equal(plan.front.baud, 19200);
    fw_plan_rewind(&cursor);
    for (size_t i = 0; i < HR_ARRAY_LEN(units); i++) {
        struct image_plan_unit unit;
        assert_ok(fw_plan_unit(&plan, &cursor, &unit));
        assert_int_equal(unit.unit, units[i].unit);
        assert_int_equal(unit.timeout_ms, units[i].timeout_ms);
        assert_int_equal(unit.n_retries, units[i].n_retries);
        assert_int_equal(unit.backoff_ms, units[i].backoff_ms);
        assert_int_equal(unit.n_failures, units[i].n_failures);
        assert_int_equal(unit.open_s, units[i].open_s);
        assert_int_equal(unit.open_max_s, units[i].open_max_s);
        same_text(unit.name, units[i].name);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(points); i++) {
        struct image_plan_point point;
        assert_ok(fw_plan_point(&plan, &cursor, &point));
        assert_int_equal(point.unit_index, points[i].unit_index);
        assert_int_equal(point.table, points[i].table);
        assert_int_equal(point.type, points[i].type);
        assert_int_equal(point.is_each, points[i].is_each);
        assert_int_equal(point.address, points[i].address);
        assert_int_equal(point.model, points[i].model);
        assert_int_equal(point.scale_point, points[i].scale_point);
        assert_int_equal(point.scale, points[i].scale);
        assert_int_equal(point.interval_ms, points[i].interval_ms);
        assert_int_equal(point.dead_band, points[i].dead_band);
        assert_int_equal(point.silence_ms, points[i].silence_ms);
        same_text(point.name, points[i].name);
        same_text(point.measure, points[i].measure);
    }
    reads_left = 0;
    fw_plan_rewind(&cursor);
    assert_code(fw_plan_unit(&plan, &cursor, &units[0]), HR_IO);
}

static void either_copy_of_a_plan_is_enough(void **state)
{
    struct fw_plan plan;
    for (uint32_t copy = 0; copy < IMAGE_COPIES; copy++) {
        (void)set_up(state);
        (void)place(copy, "plan");
        assert_int_equal(find(&plan), HR_OK);
        assert_int_equal(plan.address, image_plan_address(&regions, copy));
        /* And a damaged one beside it changes nothing. */
        (void)place(1 - copy, "plan");
        bytes[image_plan_address(&regions, 1 - copy) + 40] ^= 1;
        assert_int_equal(find(&plan), HR_OK);
        assert_int_equal(plan.address, image_plan_address(&regions, copy));
    }
}

static void what_is_no_plan_is_told_by_its_code(void **state)
{
    struct fw_plan plan = {.address = 4711};
    assert_int_equal(find(&plan), HR_NOT_FOUND);
    (void)place(0, "plan_disorder");
    assert_int_equal(find(&plan), HR_MALFORMED);
    (void)place(0, "plan_later");
    assert_int_equal(find(&plan), HR_MALFORMED);
    (void)place(0, "identity_full");
    assert_int_equal(find(&plan), HR_NOT_FOUND);
    (void)set_up(state);
    (void)place(0, "plan");
    memory.n_sectors = 8; /* the spool ends where the memory does */
    assert_int_equal(find(&plan), HR_NOT_FOUND);
    (void)set_up(state);
    (void)place(0, "plan");
    (void)place(1, "plan");
    for (reads_left = 0; reads_left < 3; reads_left++) {
        const int left = reads_left;
        assert_int_equal(find(&plan), HR_IO);
        reads_left = left;
    }
    assert_int_equal(plan.address, 4711);
}

static void any_flipped_bit_of_a_plan_is_noticed(void **state)
{
    (void)state;
    struct fw_plan plan = {.address = 4711};
    const size_t len_bytes = place(0, "plan");
    uint8_t *page = bytes + image_plan_address(&regions, 0);
    for (size_t bit = 0; bit < 8 * len_bytes; bit++) {
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum hr_code code = find(&plan);
        assert_true(code == HR_CORRUPT || code == HR_MALFORMED || (bit / 8 < 4 && code == HR_NOT_FOUND));
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(plan.address, 4711);
    assert_int_equal(find(&plan), HR_OK);
}

#define REFUSES(change)                                                                                      \
    do {                                                                                                     \
        struct image_plan plan = content();                                                                  \
        change;                                                                                              \
        assert_code(image_plan_encode(&plan, out, sizeof out, &out_bytes), HR_MALFORMED);                    \
        assert_int_equal(out_bytes, 4711);                                                                   \
    } while (0)

static void a_plan_out_of_range_is_not_written(void **state)
{
    (void)state;
    uint8_t out[IMAGE_PLAN_MAX_BYTES];
    size_t out_bytes = 4711;
    REFUSES(plan.sequence = 0);
    REFUSES(plan.baud = 1199);
    REFUSES(plan.baud = 115201);
    REFUSES(plan.n_units = 0);
    REFUSES(plan.n_units = 1); /* a point names the second */
    REFUSES(plan.n_points = 0);
    REFUSES(units[1].unit = 1); /* as the first */
    REFUSES(units[1].unit = 0);
    REFUSES(units[1].unit = 248);
    REFUSES(units[1].timeout_ms = 9);
    REFUSES(units[1].n_failures = 0);
    REFUSES(units[1].open_s = 0);
    REFUSES(units[1].open_s = 2); /* more than at most */
    REFUSES(units[1].name = text(""));
    REFUSES(units[1].name = text("caf\xC3\xA9"));
    REFUSES(points[0].table = 2);
    REFUSES(points[0].type = 0);
    REFUSES(points[0].type = IMAGE_N_REGISTERS);
    REFUSES(points[0].scale_point = 0); /* no scale factor */
    REFUSES(points[3].scale_point = 1); /* another unit's */
    REFUSES(points[0].scale_point = 4);
    REFUSES(points[0].scale = 11);
    REFUSES(points[0].scale = -11);
    REFUSES(points[0].address = 40085); /* behind the next */
    REFUSES(points[3].address = 65533); /* four registers */
    REFUSES(points[2].interval_ms = 99);
    REFUSES(points[3].interval_ms = 86400001);
    REFUSES(points[0].name = text(""));
    REFUSES(points[3].name = text("12345678901234567890123456789012"));
    REFUSES(points[3].measure = text("1234567890123456"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_plan_has_the_bytes_of_the_vectors, set_up),
        cmocka_unit_test_setup(a_plan_is_read_entry_by_entry, set_up),
        cmocka_unit_test_setup(either_copy_of_a_plan_is_enough, set_up),
        cmocka_unit_test_setup(what_is_no_plan_is_told_by_its_code, set_up),
        cmocka_unit_test_setup(any_flipped_bit_of_a_plan_is_noticed, set_up),
        cmocka_unit_test_setup(a_plan_out_of_range_is_not_written, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
