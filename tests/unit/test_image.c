/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"
#include "proto/base/cursor.h"
#include "proto/image/image.h"
#include "tests/support/test_assert.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_vectors.h"

#include <string.h>

enum { CHECK_BYTES = 4, REGIONS_BYTES = 14 };

static const char vectors_file[] = "tests/vectors/image_pages.txt";

static uint8_t der_bytes[8][512];

/* DER of a SEQUENCE with n bytes of one value in it. */
static struct hr_bytes der(size_t place, size_t n, uint8_t fill)
{
    struct hr_writer writer = hr_writer_over(der_bytes[place], sizeof der_bytes[place]);
    hr_write_u8(&writer, 0x30);
    if (n > 0xFF) {
        hr_write_u8(&writer, 0x82);
        hr_write_u8(&writer, (uint8_t)(n >> 8));
    } else if (n > 0x7F) {
        hr_write_u8(&writer, 0x81);
    }
    hr_write_u8(&writer, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        hr_write_u8(&writer, fill);
    }
    assert_true(hr_writer_ok(&writer));
    return hr_bytes_of(der_bytes[place], writer.at);
}

/* What the page identity_least of the vectors says. */
static struct image_identity least(void)
{
    return (struct image_identity){
        .sequence = 1,
        .regions = {4096, 8, 4, 64},
        .board = "b",
        .device_id = 1,
        .name = "n",
        .key_epoch = 1,
        .record_key = der(0, 3, 0xA1),
        .transport_key = der(1, 4, 0xA2),
        .certificate = der(2, 5, 0xA3),
        .ca = {der(3, 6, 0xA4)},
        .n_ca = 1,
        .aggregators = {"coaps://a"},
        .n_aggregators = 1,
        .server_name = "s",
        .mac = {2, 0, 0, 0, 0, 1},
    };
}

/* What the page identity_full of the vectors says. */
static struct image_identity full(void)
{
    return (struct image_identity){
        .sequence = 0x01020304,
        .regions = {8192, 32, 5, 300},
        .console_locked = true,
        .board = "qemu_mps2_an385",
        .device_id = 0x0102030405060708,
        .name = "north-pier",
        .site = "Gate 4, lower lock",
        .key_epoch = 258,
        .record_key = der(0, 119, 0xB1),
        .transport_key = der(1, 118, 0xB2),
        .certificate = der(2, 397, 0xB3),
        .ca = {der(3, 200, 0xB4), der(4, 128, 0xB5)},
        .n_ca = 2,
        .aggregators = {"coaps://aggregator:5684", "coaps://[2001:db8::1]", "coaps://192.0.2.1:15684",
                        "coaps://d"},
        .n_aggregators = 4,
        .server_name = "aggregator.example",
        .mac = {2, 0, 0xFF, 0xFE, 0xFD, 7},
        .has_ipv4 = true,
        .ipv4 = {{192, 0, 2, 15}, {255, 255, 255, 240}, {192, 0, 2, 1}, {192, 0, 2, 53}},
        .has_ipv6 = true,
        .ipv6 = {{0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x42}, 64},
        .serial_baud = 38400,
        .seal_max_age_ms = 2000,
    };
}

static void encodes_to(const struct image_identity *identity, const char *vector)
{
    uint8_t expected[IMAGE_IDENTITY_MAX_BYTES];
    uint8_t out[IMAGE_IDENTITY_MAX_BYTES];
    size_t expected_bytes = test_vector(vectors_file, vector, expected, sizeof expected);
    size_t out_bytes = 0;
    assert_ok(image_identity_encode(identity, out, sizeof out, &out_bytes));
    assert_int_equal(out_bytes, expected_bytes);
    assert_memory_equal(out, expected, expected_bytes);
    assert_ok(image_identity_encode(identity, out, expected_bytes, &out_bytes));
    out_bytes = 4711;
    assert_code(image_identity_encode(identity, out, expected_bytes - 1, &out_bytes), HR_FULL);
    assert_int_equal(out_bytes, 4711);
}

static void an_identity_has_the_bytes_of_the_vectors(void **state)
{
    (void)state;
    struct image_identity identity = least();
    encodes_to(&identity, "identity_least");
    identity = full();
    encodes_to(&identity, "identity_full");
}

static void same_bytes(struct hr_bytes a, struct hr_bytes b)
{
    assert_int_equal(a.len_bytes, b.len_bytes);
    assert_memory_equal(a.data, b.data, b.len_bytes);
}

static void an_identity_is_read_as_it_was_written(void **state)
{
    (void)state;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    size_t len_bytes = test_vector(vectors_file, "identity_full", page, sizeof page);
    struct image_identity want = full();
    struct image_identity got;
    assert_ok(image_identity_decode(hr_bytes_of(page, len_bytes), &got));
    assert_int_equal(got.sequence, want.sequence);
    assert_int_equal(got.regions.sector_bytes, want.regions.sector_bytes);
    assert_int_equal(got.regions.program_unit_bytes, want.regions.program_unit_bytes);
    assert_int_equal(got.regions.spool_first_sector, want.regions.spool_first_sector);
    assert_int_equal(got.regions.spool_n_sectors, want.regions.spool_n_sectors);
    assert_true(got.console_locked);
    assert_string_equal(got.board, want.board);
    assert_true(got.device_id == want.device_id);
    assert_string_equal(got.name, want.name);
    assert_string_equal(got.site, want.site);
    assert_int_equal(got.key_epoch, want.key_epoch);
    same_bytes(got.record_key, want.record_key);
    same_bytes(got.transport_key, want.transport_key);
    same_bytes(got.certificate, want.certificate);
    assert_int_equal(got.n_ca, 2);
    same_bytes(got.ca[0], want.ca[0]);
    same_bytes(got.ca[1], want.ca[1]);
    assert_int_equal(got.n_aggregators, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(got.aggregators[i], want.aggregators[i]);
    }
    assert_string_equal(got.server_name, want.server_name);
    assert_memory_equal(got.mac, want.mac, sizeof want.mac);
    assert_true(got.has_ipv4 && got.has_ipv6);
    assert_memory_equal(&got.ipv4, &want.ipv4, sizeof want.ipv4);
    assert_memory_equal(&got.ipv6, &want.ipv6, sizeof want.ipv6);
    assert_int_equal(got.serial_baud, want.serial_baud);
    assert_int_equal(got.seal_max_age_ms, want.seal_max_age_ms);
}

static void what_an_identity_does_not_say_reads_as_absent(void **state)
{
    (void)state;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    size_t len_bytes = test_vector(vectors_file, "identity_least", page, sizeof page);
    struct image_identity got;
    assert_ok(image_identity_decode(hr_bytes_of(page, len_bytes), &got));
    assert_null(got.site);
    assert_false(got.console_locked || got.has_ipv4 || got.has_ipv6);
    assert_int_equal(got.n_ca, 1);
    assert_int_equal(got.n_aggregators, 1);
    assert_int_equal(got.serial_baud, 0);
    assert_int_equal(got.seal_max_age_ms, 0);
}

static void a_truncated_page_is_refused(void **state)
{
    (void)state;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    size_t len_bytes = test_vector(vectors_file, "identity_full", page, sizeof page);
    struct image_identity got = {.sequence = 4711};
    for (size_t n = 0; n < len_bytes; n++) {
        assert_code(image_identity_decode(hr_bytes_of(page, n), &got), HR_MALFORMED);
    }
    assert_int_equal(got.sequence, 4711);
}

static void any_flipped_bit_is_noticed(void **state)
{
    (void)state;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    size_t len_bytes = test_vector(vectors_file, "identity_full", page, sizeof page);
    struct image_identity got = {.sequence = 4711};
    for (size_t bit = 0; bit < 8 * len_bytes; bit++) {
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum hr_code code = image_identity_decode(hr_bytes_of(page, len_bytes), &got).code;
        enum hr_code want = bit / 8 < 4 ? HR_NOT_FOUND : bit / 8 < 8 ? HR_MALFORMED : HR_CORRUPT;
        assert_int_equal(code, want);
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(got.sequence, 4711);
}

/* Each breaks one field of an identity that is right. */
static void break_sector(struct image_identity *i)
{
    i->regions.sector_bytes = 4095;
}
static void break_small_sector(struct image_identity *i)
{
    i->regions.sector_bytes = 256;
}
static void break_unit(struct image_identity *i)
{
    i->regions.program_unit_bytes = 64;
}
static void break_spool_start(struct image_identity *i)
{
    i->regions.spool_first_sector = 3;
}
static void break_spool_few(struct image_identity *i)
{
    i->regions.spool_n_sectors = 3;
}
static void break_spool_end(struct image_identity *i)
{
    i->regions.spool_n_sectors = UINT32_MAX / 4096;
}
static void break_spool_far(struct image_identity *i)
{
    i->regions.spool_first_sector = UINT32_MAX;
}
static void break_sequence(struct image_identity *i)
{
    i->sequence = 0;
}
static void break_board(struct image_identity *i)
{
    i->board = NULL;
}
static void break_board_empty(struct image_identity *i)
{
    i->board = "";
}
static void break_device(struct image_identity *i)
{
    i->device_id = 0;
}
static void break_name(struct image_identity *i)
{
    i->name = "tab\tbed";
}
static void break_name_utf8(struct image_identity *i)
{
    i->name = "\xC3\xA4";
}
static void break_name_long(struct image_identity *i)
{
    i->name = "0123456789012345678901234567890123456789012345678901234567890123";
}
static void break_epoch(struct image_identity *i)
{
    i->key_epoch = 0;
}
static void break_record_key(struct image_identity *i)
{
    i->record_key.len_bytes--;
}
static void break_record_key_none(struct image_identity *i)
{
    i->record_key.len_bytes = 0;
}
static void break_transport_key(struct image_identity *i)
{
    i->transport_key = der(5, 200, 1);
}
static void break_certificate(struct image_identity *i)
{
    i->certificate.data++;
}
static void break_ca(struct image_identity *i)
{
    i->n_ca = 0;
}
static void break_aggregators(struct image_identity *i)
{
    i->n_aggregators = 0;
}
static void break_server_name(struct image_identity *i)
{
    i->server_name = NULL;
}
static void break_mac_group(struct image_identity *i)
{
    i->mac[0] = 3;
}
static void break_mac_none(struct image_identity *i)
{
    memset(i->mac, 0, sizeof i->mac);
}
static void break_ipv4(struct image_identity *i)
{
    i->ipv4.address[0] = 0;
}
static void break_ipv4_group(struct image_identity *i)
{
    i->ipv4.address[0] = 224;
}
static void break_mask(struct image_identity *i)
{
    i->ipv4.mask[1] = 0;
}
static void break_mask_none(struct image_identity *i)
{
    memset(i->ipv4.mask, 0, sizeof i->ipv4.mask);
}
static void break_ipv6(struct image_identity *i)
{
    i->ipv6.address[0] = 0xFF;
}
static void break_ipv6_none(struct image_identity *i)
{
    memset(i->ipv6.address, 0, sizeof i->ipv6.address);
}
static void break_prefix_long(struct image_identity *i)
{
    i->ipv6.prefix_bits = 65;
}
static void break_prefix_short(struct image_identity *i)
{
    i->ipv6.prefix_bits = 63;
}
static void break_baud(struct image_identity *i)
{
    i->serial_baud = 1199;
}
static void break_baud_high(struct image_identity *i)
{
    i->serial_baud = 1000001;
}
static void break_seal_age(struct image_identity *i)
{
    i->seal_max_age_ms = 99;
}

static void an_identity_out_of_range_is_not_written(void **state)
{
    (void)state;
    static void (*const breaks[])(struct image_identity *) = {
        break_sector,
        break_small_sector,
        break_unit,
        break_spool_start,
        break_spool_few,
        break_spool_end,
        break_spool_far,
        break_sequence,
        break_board,
        break_board_empty,
        break_device,
        break_name,
        break_name_utf8,
        break_name_long,
        break_epoch,
        break_record_key,
        break_certificate,
        break_ca,
        break_record_key_none,
        break_transport_key,
        break_aggregators,
        break_server_name,
        break_mac_group,
        break_mac_none,
        break_ipv4,
        break_ipv4_group,
        break_mask,
        break_mask_none,
        break_ipv6,
        break_ipv6_none,
        break_prefix_long,
        break_prefix_short,
        break_baud,
        break_baud_high,
        break_seal_age,
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(breaks); i++) {
        struct image_identity identity = full();
        identity.regions = (struct image_regions){4096, 8, 4, 64};
        uint8_t out[IMAGE_IDENTITY_MAX_BYTES];
        size_t len_bytes = 4711;
        assert_ok(image_identity_encode(&identity, out, sizeof out, &len_bytes));
        len_bytes = 4711;
        breaks[i](&identity);
        enum hr_code code = image_identity_encode(&identity, out, sizeof out, &len_bytes).code;
        if (code != HR_MALFORMED) {
            fail_msg("break %zu gives code %d", i, (int)code);
        }
        assert_int_equal(len_bytes, 4711);
    }
}

static void an_identity_that_is_too_long_is_not_written(void **state)
{
    (void)state;
    struct image_identity identity = full();
    identity.certificate = identity.ca[0] = identity.ca[1] = der(2, 508, 1);
    char uri[IMAGE_URI_MAX_CHARS + 1];
    memset(uri, 'u', sizeof uri - 1);
    uri[sizeof uri - 1] = '\0';
    for (size_t i = 0; i < IMAGE_MAX_AGGREGATORS; i++) {
        identity.aggregators[i] = uri;
    }
    uint8_t out[2 * IMAGE_IDENTITY_MAX_BYTES];
    size_t len_bytes = 0;
    /* The largest certificates of a board are some 450 bytes; then all of it fits. */
    assert_ok(image_identity_encode(&identity, out, sizeof out, &len_bytes));
    uint8_t long_der[IMAGE_CERTIFICATE_MAX_BYTES] = {0x30, 0x82, 0x02, 0x7C};
    identity.certificate = identity.ca[0] = identity.ca[1] = hr_bytes_of(long_der, sizeof long_der);
    assert_code(image_identity_encode(&identity, out, sizeof out, &len_bytes), HR_FULL);
}

/* Builds a page whose head and check are right around the given fields, and decodes it. */
static enum hr_code decode_fields(const char *hex)
{
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    size_t head_bytes = IMAGE_HEAD_BYTES + REGIONS_BYTES;
    (void)test_vector(vectors_file, "identity_least", page, sizeof page);
    size_t len_bytes = head_bytes + test_hex(hex, page + head_bytes, sizeof page - head_bytes) + CHECK_BYTES;
    page[6] = (uint8_t)(len_bytes >> 8);
    page[7] = (uint8_t)len_bytes;
    struct hr_writer writer = hr_writer_over(page + len_bytes - CHECK_BYTES, CHECK_BYTES);
    hr_write_u32(&writer, hr_crc32c(0, page, len_bytes - CHECK_BYTES));
    struct image_identity got;
    return image_identity_decode(hr_bytes_of(page, len_bytes), &got).code;
}

#define NAMES                                                                                                \
    "01000100"                                                                                               \
    "0200026200"                                                                                             \
    "0300080000000000000001"                                                                                 \
    "0400026e00"
#define KEYS                                                                                                 \
    "0600020001"                                                                                             \
    "0700023000"                                                                                             \
    "0800023000"                                                                                             \
    "0900023000"
#define CA  "0a00023000"
#define URI "0b00027500"
#define REST                                                                                                 \
    "0c00027300"                                                                                             \
    "0d0006020000000001"

static void fields_are_in_order_known_and_once(void **state)
{
    (void)state;
    assert_int_equal(decode_fields(NAMES KEYS CA URI REST), HR_OK);
    assert_int_equal(decode_fields(NAMES KEYS CA CA URI URI URI URI REST), HR_OK);
    static const char *const wrong[] = {
        NAMES KEYS CA CA CA URI REST,           /* a third CA */
        NAMES KEYS CA URI URI URI URI URI REST, /* a fifth aggregator */
        NAMES NAMES KEYS CA URI REST,           /* twice */
        KEYS NAMES CA URI REST,                 /* out of order */
        NAMES KEYS URI REST,                    /* no CA */
        NAMES KEYS CA REST,                     /* no aggregator */
        NAMES KEYS CA URI REST "12000100",      /* an unknown tag */
        NAMES KEYS CA URI REST "1000",          /* cut off */
        NAMES KEYS CA URI REST "10000200ff",    /* a length beyond the end */
        NAMES KEYS CA URI REST "100003009600",  /* a number of another length */
        "01000102"
        "0200026200"
        "0300080000000000000001"
        "0400026e00" KEYS CA URI REST, /* an unknown flag */
        "01000100"
        "0200026262"
        "0300080000000000000001"
        "0400026e00" KEYS CA URI REST, /* no NUL */
        "01000100"
        "020003620000"
        "0300080000000000000001"
        "0400026e00" KEYS CA URI REST, /* a NUL inside */
        "01000100"
        "02000100"
        "0300080000000000000001"
        "0400026e00" KEYS CA URI REST, /* empty text */
        NAMES "0600020001"
              "0700023001"
              "0800023000"
              "0900023000" CA URI REST, /* DER that is cut off */
        NAMES "0600020001"
              "0700023100"
              "0800023000"
              "0900023000" CA URI REST, /* not a SEQUENCE */
        NAMES "0600020001"
              "0700023080"
              "0800023000"
              "0900023000" CA URI REST, /* of indefinite length */
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        enum hr_code code = decode_fields(wrong[i]);
        if (code != HR_MALFORMED) {
            fail_msg("case %zu gives code %d", i, (int)code);
        }
    }
}

static void a_head_tells_kind_length_and_sequence(void **state)
{
    (void)state;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    struct image_head head;
    size_t len_bytes = test_vector(vectors_file, "identity_full", page, sizeof page);
    assert_ok(image_head_decode(hr_bytes_of(page, IMAGE_HEAD_BYTES), &head));
    assert_int_equal(head.kind, IMAGE_IDENTITY);
    assert_int_equal(head.len_bytes, len_bytes);
    assert_int_equal(head.sequence, 0x01020304);
    page[5] = 2; /* a format of later firmware */
    assert_code(image_head_decode(hr_bytes_of(page, IMAGE_HEAD_BYTES), &head), HR_MALFORMED);
    (void)test_vector(vectors_file, "seed", page, sizeof page);
    assert_ok(image_head_decode(hr_bytes_of(page, IMAGE_HEAD_BYTES), &head));
    assert_int_equal(head.kind, IMAGE_SEED);
    assert_int_equal(head.sequence, 7);
    memset(page, 0xFF, sizeof page);
    assert_code(image_head_decode(hr_bytes_of(page, IMAGE_HEAD_BYTES), &head), HR_NOT_FOUND);
    struct image_identity identity;
    assert_code(image_identity_decode(hr_bytes_of(page, 64), &identity), HR_NOT_FOUND);
}

static void a_seed_page_is_no_identity_and_the_other_way_round(void **state)
{
    (void)state;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    struct image_identity identity;
    struct image_seed seed;
    size_t len_bytes = test_vector(vectors_file, "seed", page, sizeof page);
    assert_code(image_identity_decode(hr_bytes_of(page, len_bytes), &identity), HR_NOT_FOUND);
    (void)test_vector(vectors_file, "identity_full", page, sizeof page);
    assert_code(image_seed_decode(page, &seed), HR_NOT_FOUND);
}

static void a_seed_has_the_bytes_of_the_vector(void **state)
{
    (void)state;
    uint8_t expected[IMAGE_SEED_PAGE_BYTES];
    uint8_t out[IMAGE_SEED_PAGE_BYTES];
    struct image_seed seed = {.sequence = 7};
    for (size_t i = 0; i < sizeof seed.seed; i++) {
        seed.seed[i] = (uint8_t)i;
    }
    assert_int_equal(test_vector(vectors_file, "seed", expected, sizeof expected), sizeof expected);
    image_seed_encode(&seed, out);
    assert_memory_equal(out, expected, sizeof expected);
    struct image_seed got;
    assert_ok(image_seed_decode(expected, &got));
    assert_int_equal(got.sequence, 7);
    assert_memory_equal(got.seed, seed.seed, sizeof seed.seed);
}

static void any_flipped_bit_of_a_seed_is_noticed(void **state)
{
    (void)state;
    uint8_t page[IMAGE_SEED_PAGE_BYTES];
    (void)test_vector(vectors_file, "seed", page, sizeof page);
    struct image_seed got = {.sequence = 4711};
    for (size_t bit = 0; bit < 8 * sizeof page; bit++) {
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum hr_code want = bit / 8 < 4 ? HR_NOT_FOUND : bit / 8 < 8 ? HR_MALFORMED : HR_CORRUPT;
        assert_code(image_seed_decode(page, &got), want);
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(got.sequence, 4711);
}

static void a_seed_that_is_no_chance_is_refused(void **state)
{
    (void)state;
    uint8_t page[IMAGE_SEED_PAGE_BYTES];
    struct image_seed seed = {.sequence = 1};
    struct image_seed got;
    image_seed_encode(&seed, page);
    assert_code(image_seed_decode(page, &got), HR_MALFORMED);
    seed.seed[47] = 1;
    image_seed_encode(&seed, page);
    assert_ok(image_seed_decode(page, &got));
}

static void encode_first_sequence(void *ctx)
{
    struct image_seed seed = {.sequence = *(const uint32_t *)ctx};
    uint8_t page[IMAGE_SEED_PAGE_BYTES];
    image_seed_encode(&seed, page);
}

static void a_seed_without_a_successor_is_not_written(void **state)
{
    (void)state;
    uint32_t none = 0;
    uint32_t last = UINT32_MAX;
    assert_true(test_asserts(encode_first_sequence, &none));
    assert_true(test_asserts(encode_first_sequence, &last));
}

static void pages_stand_at_sectors(void **state)
{
    (void)state;
    assert_int_equal(image_identity_address(512, 1), 4096);
    assert_int_equal(image_seed_address(4096, 0), 8192);
    assert_int_equal(image_seed_address(4096, 1), 12288);
    assert_int_equal(image_spool_first_sector(512), 32);
    assert_int_equal(image_spool_first_sector(4096), 4);
    assert_int_equal(image_identity_address(8192, 1), 8192);
    assert_int_equal(image_seed_address(8192, 1), 3 * 8192);
    assert_int_equal(image_spool_first_sector(8192), 4);
}

static void every_board_has_room_for_its_regions(void **state)
{
    (void)state;
    size_t n = 0;
    for (; image_board_at(n) != NULL; n++) {
        const struct image_board *board = image_board_at(n);
        assert_ptr_equal(image_board_find(board->name), board);
        struct image_identity identity = least();
        identity.regions =
            (struct image_regions){board->sector_bytes, board->program_unit_bytes,
                                   image_spool_first_sector(board->sector_bytes), board->spool_n_sectors};
        uint8_t out[IMAGE_IDENTITY_MAX_BYTES];
        size_t len_bytes = 0;
        assert_ok(image_identity_encode(&identity, out, sizeof out, &len_bytes));
        uint32_t n_sectors = identity.regions.spool_first_sector + board->spool_n_sectors;
        assert_true((uint64_t)n_sectors * board->sector_bytes <= board->file_bytes);
    }
    assert_true(n >= 2);
    assert_null(image_board_find("no_such_board"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identity_has_the_bytes_of_the_vectors),
        cmocka_unit_test(an_identity_is_read_as_it_was_written),
        cmocka_unit_test(what_an_identity_does_not_say_reads_as_absent),
        cmocka_unit_test(a_truncated_page_is_refused),
        cmocka_unit_test(any_flipped_bit_is_noticed),
        cmocka_unit_test(an_identity_out_of_range_is_not_written),
        cmocka_unit_test(an_identity_that_is_too_long_is_not_written),
        cmocka_unit_test(fields_are_in_order_known_and_once),
        cmocka_unit_test(a_head_tells_kind_length_and_sequence),
        cmocka_unit_test(a_seed_page_is_no_identity_and_the_other_way_round),
        cmocka_unit_test(a_seed_has_the_bytes_of_the_vector),
        cmocka_unit_test(any_flipped_bit_of_a_seed_is_noticed),
        cmocka_unit_test(a_seed_that_is_no_chance_is_refused),
        cmocka_unit_test(a_seed_without_a_successor_is_not_written),
        cmocka_unit_test(pages_stand_at_sectors),
        cmocka_unit_test(every_board_has_room_for_its_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
