/* SPDX-License-Identifier: Apache-2.0
 *
 * What an identity says of a device's life: before it has one, while it gets it, while its keys are changed.
 * The bytes are those of tests/vectors, written by a program of their own. */
#include "proto/image/image.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_vectors.h"

#include <string.h>

static const char vectors_file[] = "tests/vectors/image_pages.txt";

struct page {
    uint8_t bytes[IMAGE_IDENTITY_MAX_BYTES];
    size_t len_bytes;
    struct image_identity identity;
};

static void read_vector(const char *name, struct page *out)
{
    out->len_bytes = test_vector(vectors_file, name, out->bytes, sizeof out->bytes);
    assert_ok(image_identity_decode(hr_bytes_of(out->bytes, out->len_bytes), &out->identity));
}

static void is_written_as_it_was_read(const struct page *page)
{
    uint8_t out[IMAGE_IDENTITY_MAX_BYTES];
    size_t len_bytes = 0;
    assert_ok(image_identity_encode(&page->identity, out, sizeof out, &len_bytes));
    assert_int_equal(len_bytes, page->len_bytes);
    assert_memory_equal(out, page->bytes, len_bytes);
}

static void is_der(struct hr_bytes got, uint8_t n_bytes, uint8_t fill)
{
    assert_int_equal(got.len_bytes, n_bytes + 2);
    assert_int_equal(got.data[0], 0x30);
    assert_int_equal(got.data[1], n_bytes);
    assert_int_equal(got.data[2], fill);
}

static void keys_that_are_prepared_and_old_ones_are_read(void **state)
{
    (void)state;
    struct page page;
    read_vector("identity_life", &page);
    const struct image_identity *got = &page.identity;
    assert_int_equal(got->state, IMAGE_ENROLLED);
    assert_string_equal(got->serial, "SN-42");
    is_der(got->next_record_key, 7, 0xC1);
    is_der(got->old_record_key, 8, 0xC2);
    assert_true(got->has_switch);
    assert_int_equal(got->switch_stream, 3);
    assert_int_equal(got->switch_seq, 0x10203);
    is_der(got->next_transport_key, 9, 0xC3);
    is_der(got->next_certificate, 10, 0xC4);
    assert_int_equal(got->trust_version, 6);
    assert_int_equal(got->trust_digest[0], 0);
    assert_int_equal(got->trust_digest[31], 31);
    assert_int_equal(got->first_stream, 9);
    is_written_as_it_was_read(&page);
}

static void an_image_of_before_has_no_life(void **state)
{
    (void)state;
    struct page page;
    read_vector("identity_least", &page);
    assert_int_equal(page.identity.state, IMAGE_ENROLLED);
    assert_null(page.identity.serial);
    assert_int_equal(page.identity.next_record_key.len_bytes + page.identity.old_record_key.len_bytes, 0);
    assert_int_equal(page.identity.trust_version + page.identity.first_stream, 0);
    assert_false(page.identity.has_switch);
}

static void a_factory_image_is_nobody_yet(void **state)
{
    (void)state;
    struct page page;
    read_vector("identity_factory", &page);
    assert_int_equal(page.identity.state, IMAGE_FACTORY);
    assert_true(page.identity.device_id == 0);
    assert_null(page.identity.name);
    assert_int_equal(page.identity.regions.spool_n_sectors, 0);
    is_der(page.identity.transport_key, 4, 0xA2);
    is_written_as_it_was_read(&page);
}

static void a_certified_image_may_be_without_record_key(void **state)
{
    (void)state;
    struct page page;
    read_vector("identity_certified", &page);
    assert_int_equal(page.identity.state, IMAGE_CERTIFIED);
    assert_true(page.identity.device_id == 1);
    assert_int_equal(page.identity.key_epoch, 0);
    is_written_as_it_was_read(&page);
}

static enum hr_code code_of(const struct image_identity *identity)
{
    uint8_t out[IMAGE_IDENTITY_MAX_BYTES];
    size_t len_bytes = 0;
    return image_identity_encode(identity, out, sizeof out, &len_bytes).code;
}

static void what_a_state_must_have_is_asked_for(void **state)
{
    (void)state;
    struct page page;
    read_vector("identity_certified", &page);
    struct image_identity wrong = page.identity;
    wrong.key_epoch = 1; /* an epoch without its key */
    assert_int_equal(code_of(&wrong), HR_MALFORMED);
    wrong = page.identity;
    wrong.state = IMAGE_ENROLLED; /* delivers without a record key */
    assert_int_equal(code_of(&wrong), HR_MALFORMED);
    wrong = page.identity;
    wrong.certificate = hr_bytes_of(NULL, 0);
    assert_int_equal(code_of(&wrong), HR_MALFORMED);
    wrong = page.identity;
    wrong.device_id = 0;
    assert_int_equal(code_of(&wrong), HR_MALFORMED);
    wrong = page.identity;
    wrong.regions.spool_n_sectors = 64; /* a board's, without a MAC address */
    assert_int_equal(code_of(&wrong), HR_MALFORMED);
    wrong = page.identity;
    wrong.state = IMAGE_FACTORY; /* with an epoch */
    wrong.key_epoch = 1;
    assert_int_equal(code_of(&wrong), HR_MALFORMED);
    read_vector("identity_factory", &page);
    wrong = page.identity;
    wrong.serial = NULL;
    assert_int_equal(code_of(&wrong), HR_MALFORMED);
}

static void a_page_by_parts_is_the_page(void **state)
{
    (void)state;
    struct page page;
    read_vector("identity_life", &page);
    size_t len_bytes = 0;
    assert_ok(image_identity_len(&page.identity, &len_bytes));
    assert_int_equal(len_bytes, page.len_bytes);
    for (size_t step = 1; step < 100; step++) {
        uint8_t whole[IMAGE_IDENTITY_MAX_BYTES];
        for (size_t at = 0; at < len_bytes; at += step) {
            uint8_t part[100];
            memset(part, 0xEE, sizeof part);
            image_identity_part(&page.identity, len_bytes, at, part, step);
            assert_int_equal(part[step], 0xEE);
            size_t left_bytes = len_bytes - at;
            memcpy(whole + at, part, left_bytes < step ? left_bytes : step);
        }
        assert_memory_equal(whole, page.bytes, len_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_are_prepared_and_old_ones_are_read),
        cmocka_unit_test(an_image_of_before_has_no_life),
        cmocka_unit_test(a_factory_image_is_nobody_yet),
        cmocka_unit_test(a_certified_image_may_be_without_record_key),
        cmocka_unit_test(what_a_state_must_have_is_asked_for),
        cmocka_unit_test(a_page_by_parts_is_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
