/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"
#include "proto/image/internal.h"

#include <string.h>

/* Fields behind the regions, each as tag, length in 2 bytes, value; in the order of their tags. */
enum {
    TAG_FLAGS = 1,
    TAG_BOARD,
    TAG_DEVICE_ID,
    TAG_NAME,
    TAG_SITE,
    TAG_KEY_EPOCH,
    TAG_RECORD_KEY,
    TAG_TRANSPORT_KEY,
    TAG_CERTIFICATE,
    TAG_CA,
    TAG_AGGREGATOR,
    TAG_SERVER_NAME,
    TAG_MAC,
    TAG_IPV4,
    TAG_IPV6,
    TAG_SERIAL_BAUD,
    TAG_SEAL_MAX_AGE,
};

enum {
    FLAG_CONSOLE_LOCKED = 1,
    SECTOR_MIN_BYTES = 512,
    SECTOR_MAX_BYTES = 1024 * 1024,
    UNIT_MAX_BYTES = 32,
    SPOOL_MIN_SECTORS = 4,
    BAUD_MIN = 1200,
    BAUD_MAX = 1000000,
    SEAL_AGE_MIN_MS = 100,
    SEAL_AGE_MAX_MS = 60 * 60 * 1000,
    IPV4_FIELD_BYTES = 4 * IMAGE_IPV4_BYTES, /* address, mask, gateway, DNS */
};

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static bool regions_ok(const struct image_regions *regions)
{
    if (!is_power_of_two(regions->sector_bytes) || regions->sector_bytes < SECTOR_MIN_BYTES ||
        regions->sector_bytes > SECTOR_MAX_BYTES || !is_power_of_two(regions->program_unit_bytes) ||
        regions->program_unit_bytes > UNIT_MAX_BYTES) {
        return false;
    }
    uint32_t n_sectors_max = UINT32_MAX / regions->sector_bytes;
    return regions->spool_first_sector >= image_spool_first_sector(regions->sector_bytes) &&
           regions->spool_first_sector < n_sectors_max && regions->spool_n_sectors >= SPOOL_MIN_SECTORS &&
           regions->spool_n_sectors <= n_sectors_max - regions->spool_first_sector;
}

static bool ipv4_ok(const struct image_ipv4 *ipv4)
{
    uint32_t mask = 0;
    for (size_t i = 0; i < sizeof ipv4->mask; i++) {
        mask = mask << 8 | ipv4->mask[i];
    }
    /* Ones, then zeros: the inverse is one less than a power of two. */
    return ipv4->address[0] != 0 && ipv4->address[0] < 224 && mask != 0 && (~mask & (~mask + 1)) == 0;
}

static bool ipv6_ok(const struct image_ipv6 *ipv6)
{
    static const uint8_t none[sizeof ipv6->address];
    return ipv6->address[0] != 0xFF && memcmp(ipv6->address, none, sizeof none) != 0 &&
           ipv6->prefix_bits == IMAGE_IPV6_PREFIX_BITS;
}

static bool mac_ok(const uint8_t mac[IMAGE_MAC_BYTES])
{
    static const uint8_t none[IMAGE_MAC_BYTES];
    return (mac[0] & 1u) == 0 && memcmp(mac, none, sizeof none) != 0;
}

/* ---- reading ---- */

static bool is_next(const struct hr_reader *reader, uint8_t tag)
{
    return hr_reader_left(reader) > 0 && reader->data[reader->at] == tag;
}

/* The value under `tag` when it comes next. An absent one is empty, and fails the reader when it is required;
 * so does one of another length. */
static struct hr_bytes take(struct hr_reader *reader, uint8_t tag, size_t least_bytes, size_t most_bytes,
                            bool required)
{
    if (!is_next(reader, tag)) {
        reader->failed = reader->failed || required;
        return hr_bytes_of(NULL, 0);
    }
    (void)hr_read_u8(reader);
    struct hr_bytes value = hr_read_slice(reader, hr_read_u16(reader));
    reader->failed = reader->failed || value.len_bytes < least_bytes || value.len_bytes > most_bytes;
    return value;
}

/* A required value of just this length. */
static struct hr_reader take_whole(struct hr_reader *reader, uint8_t tag, size_t len_bytes)
{
    return hr_reader_over(take(reader, tag, len_bytes, len_bytes, true));
}

/* Printable ASCII and its NUL; NULL for an absent one. */
static const char *take_text(struct hr_reader *reader, uint8_t tag, size_t most_chars, bool required)
{
    struct hr_bytes text = take(reader, tag, 2, most_chars + 1, required);
    if (reader->failed || text.len_bytes == 0) {
        return NULL;
    }
    for (size_t i = 0; i + 1 < text.len_bytes; i++) {
        reader->failed = reader->failed || text.data[i] < ' ' || text.data[i] > '~';
    }
    reader->failed = reader->failed || text.data[text.len_bytes - 1] != '\0';
    return (const char *)text.data;
}

/* True when the bytes are one DER value of type SEQUENCE, as keys and certificates are. */
static bool is_sequence(struct hr_bytes der)
{
    struct hr_reader reader = hr_reader_over(der);
    if (hr_read_u8(&reader) != 0x30) {
        return false;
    }
    size_t len_bytes = hr_read_u8(&reader);
    if (len_bytes == 0x81) {
        len_bytes = hr_read_u8(&reader);
    } else if (len_bytes == 0x82) {
        len_bytes = hr_read_u16(&reader);
    } else if (len_bytes > 0x7F) {
        return false;
    }
    return hr_reader_ok(&reader) && hr_reader_left(&reader) == len_bytes;
}

static struct hr_bytes take_der(struct hr_reader *reader, uint8_t tag, size_t most_bytes)
{
    struct hr_bytes der = take(reader, tag, 2, most_bytes, true);
    reader->failed = reader->failed || !is_sequence(der);
    return der;
}

/* 0 for an absent one. */
static uint32_t take_u32(struct hr_reader *reader, uint8_t tag, uint32_t least, uint32_t most)
{
    struct hr_reader value = hr_reader_over(take(reader, tag, 4, 4, false));
    if (hr_reader_left(&value) == 0) {
        return 0;
    }
    uint32_t number = hr_read_u32(&value);
    reader->failed = reader->failed || number < least || number > most;
    return number;
}

static void read_regions(struct hr_reader *reader, struct image_regions *out)
{
    out->sector_bytes = hr_read_u32(reader);
    out->program_unit_bytes = hr_read_u16(reader);
    out->spool_first_sector = hr_read_u32(reader);
    out->spool_n_sectors = hr_read_u32(reader);
    reader->failed = reader->failed || !regions_ok(out);
}

static void read_names(struct hr_reader *reader, struct image_identity *out)
{
    struct hr_reader flags = take_whole(reader, TAG_FLAGS, 1);
    uint8_t bits = hr_read_u8(&flags);
    out->console_locked = (bits & FLAG_CONSOLE_LOCKED) != 0;
    out->board = take_text(reader, TAG_BOARD, IMAGE_NAME_MAX_CHARS, true);
    struct hr_reader device_id = take_whole(reader, TAG_DEVICE_ID, 8);
    out->device_id = hr_read_u64(&device_id);
    out->name = take_text(reader, TAG_NAME, IMAGE_NAME_MAX_CHARS, true);
    out->site = take_text(reader, TAG_SITE, IMAGE_NAME_MAX_CHARS, false);
    reader->failed = reader->failed || (bits & ~(unsigned)FLAG_CONSOLE_LOCKED) != 0 || out->device_id == 0;
}

static void read_keys(struct hr_reader *reader, struct image_identity *out)
{
    struct hr_reader key_epoch = take_whole(reader, TAG_KEY_EPOCH, 2);
    out->key_epoch = hr_read_u16(&key_epoch);
    reader->failed = reader->failed || out->key_epoch == 0;
    out->record_key = take_der(reader, TAG_RECORD_KEY, IMAGE_KEY_MAX_BYTES);
    out->transport_key = take_der(reader, TAG_TRANSPORT_KEY, IMAGE_KEY_MAX_BYTES);
    out->certificate = take_der(reader, TAG_CERTIFICATE, IMAGE_CERTIFICATE_MAX_BYTES);
    do {
        out->ca[out->n_ca++] = take_der(reader, TAG_CA, IMAGE_CERTIFICATE_MAX_BYTES);
    } while (out->n_ca < IMAGE_MAX_CA && is_next(reader, TAG_CA));
    do {
        out->aggregators[out->n_aggregators++] = take_text(reader, TAG_AGGREGATOR, IMAGE_URI_MAX_CHARS, true);
    } while (out->n_aggregators < IMAGE_MAX_AGGREGATORS && is_next(reader, TAG_AGGREGATOR));
    out->server_name = take_text(reader, TAG_SERVER_NAME, IMAGE_NAME_MAX_CHARS, true);
}

static void read_network(struct hr_reader *reader, struct image_identity *out)
{
    struct hr_reader mac = take_whole(reader, TAG_MAC, IMAGE_MAC_BYTES);
    hr_read_raw(&mac, out->mac, sizeof out->mac);
    reader->failed = reader->failed || !mac_ok(out->mac);
    out->has_ipv4 = is_next(reader, TAG_IPV4);
    if (out->has_ipv4) {
        struct hr_reader ipv4 = take_whole(reader, TAG_IPV4, IPV4_FIELD_BYTES);
        hr_read_raw(&ipv4, out->ipv4.address, sizeof out->ipv4.address);
        hr_read_raw(&ipv4, out->ipv4.mask, sizeof out->ipv4.mask);
        hr_read_raw(&ipv4, out->ipv4.gateway, sizeof out->ipv4.gateway);
        hr_read_raw(&ipv4, out->ipv4.dns, sizeof out->ipv4.dns);
        reader->failed = reader->failed || !ipv4_ok(&out->ipv4);
    }
    out->has_ipv6 = is_next(reader, TAG_IPV6);
    if (out->has_ipv6) {
        struct hr_reader ipv6 = take_whole(reader, TAG_IPV6, IMAGE_IPV6_BYTES + 1);
        hr_read_raw(&ipv6, out->ipv6.address, sizeof out->ipv6.address);
        out->ipv6.prefix_bits = hr_read_u8(&ipv6);
        reader->failed = reader->failed || !ipv6_ok(&out->ipv6);
    }
}

struct hr_status image_identity_decode(struct hr_bytes bytes, struct image_identity *out)
{
    struct image_identity identity = {.sequence = 0};
    struct hr_reader reader;
    HR_TRY(image_page_open(bytes, IMAGE_IDENTITY, &reader, &identity.sequence));
    read_regions(&reader, &identity.regions);
    read_names(&reader, &identity);
    read_keys(&reader, &identity);
    read_network(&reader, &identity);
    identity.serial_baud = take_u32(&reader, TAG_SERIAL_BAUD, BAUD_MIN, BAUD_MAX);
    identity.seal_max_age_ms = take_u32(&reader, TAG_SEAL_MAX_AGE, SEAL_AGE_MIN_MS, SEAL_AGE_MAX_MS);
    if (!hr_reader_ok(&reader) || hr_reader_left(&reader) != 0) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = identity;
    return hr_ok();
}

/* ---- writing ---- */

/* An empty value is left out. */
static void give(struct hr_writer *writer, uint8_t tag, const void *data, size_t len_bytes)
{
    if (len_bytes == 0) {
        return;
    }
    writer->failed = writer->failed || len_bytes > UINT16_MAX;
    hr_write_u8(writer, tag);
    hr_write_u16(writer, (uint16_t)len_bytes);
    hr_write_raw(writer, data, len_bytes);
}

static void give_text(struct hr_writer *writer, uint8_t tag, const char *text)
{
    give(writer, tag, text, text == NULL ? 0 : strlen(text) + 1);
}

static void give_number(struct hr_writer *writer, uint8_t tag, uint64_t number, uint16_t len_bytes)
{
    hr_write_u8(writer, tag);
    hr_write_u16(writer, len_bytes);
    for (uint16_t i = len_bytes; i > 0; i--) {
        hr_write_u8(writer, (uint8_t)(number >> (8 * (i - 1))));
    }
}

static void write_keys(struct hr_writer *writer, const struct image_identity *identity)
{
    give_number(writer, TAG_KEY_EPOCH, identity->key_epoch, 2);
    give(writer, TAG_RECORD_KEY, identity->record_key.data, identity->record_key.len_bytes);
    give(writer, TAG_TRANSPORT_KEY, identity->transport_key.data, identity->transport_key.len_bytes);
    give(writer, TAG_CERTIFICATE, identity->certificate.data, identity->certificate.len_bytes);
    for (size_t i = 0; i < identity->n_ca; i++) {
        give(writer, TAG_CA, identity->ca[i].data, identity->ca[i].len_bytes);
    }
    for (size_t i = 0; i < identity->n_aggregators; i++) {
        give_text(writer, TAG_AGGREGATOR, identity->aggregators[i]);
    }
    give_text(writer, TAG_SERVER_NAME, identity->server_name);
}

static void write_network(struct hr_writer *writer, const struct image_identity *identity)
{
    give(writer, TAG_MAC, identity->mac, sizeof identity->mac);
    if (identity->has_ipv4) {
        hr_write_u8(writer, TAG_IPV4);
        hr_write_u16(writer, IPV4_FIELD_BYTES);
        hr_write_raw(writer, identity->ipv4.address, sizeof identity->ipv4.address);
        hr_write_raw(writer, identity->ipv4.mask, sizeof identity->ipv4.mask);
        hr_write_raw(writer, identity->ipv4.gateway, sizeof identity->ipv4.gateway);
        hr_write_raw(writer, identity->ipv4.dns, sizeof identity->ipv4.dns);
    }
    if (identity->has_ipv6) {
        hr_write_u8(writer, TAG_IPV6);
        hr_write_u16(writer, IMAGE_IPV6_BYTES + 1);
        hr_write_raw(writer, identity->ipv6.address, sizeof identity->ipv6.address);
        hr_write_u8(writer, identity->ipv6.prefix_bits);
    }
}

struct hr_status image_identity_encode(const struct image_identity *identity, uint8_t *out,
                                       size_t capacity_bytes, size_t *len_bytes)
{
    HR_ASSERT(identity->n_ca <= IMAGE_MAX_CA && identity->n_aggregators <= IMAGE_MAX_AGGREGATORS);
    size_t room_bytes = capacity_bytes < IMAGE_IDENTITY_MAX_BYTES ? capacity_bytes : IMAGE_IDENTITY_MAX_BYTES;
    struct hr_writer writer = hr_writer_over(out, room_bytes);
    struct image_head head = {IMAGE_IDENTITY, 0, identity->sequence};
    image_head_write(&writer, &head);
    hr_write_u32(&writer, identity->regions.sector_bytes);
    hr_write_u16(&writer, identity->regions.program_unit_bytes);
    hr_write_u32(&writer, identity->regions.spool_first_sector);
    hr_write_u32(&writer, identity->regions.spool_n_sectors);
    give_number(&writer, TAG_FLAGS, identity->console_locked ? FLAG_CONSOLE_LOCKED : 0, 1);
    give_text(&writer, TAG_BOARD, identity->board);
    give_number(&writer, TAG_DEVICE_ID, identity->device_id, 8);
    give_text(&writer, TAG_NAME, identity->name);
    give_text(&writer, TAG_SITE, identity->site);
    write_keys(&writer, identity);
    write_network(&writer, identity);
    if (identity->serial_baud != 0) {
        give_number(&writer, TAG_SERIAL_BAUD, identity->serial_baud, 4);
    }
    if (identity->seal_max_age_ms != 0) {
        give_number(&writer, TAG_SEAL_MAX_AGE, identity->seal_max_age_ms, 4);
    }
    hr_write_u32(&writer, 0);
    if (!hr_writer_ok(&writer)) {
        return hr_status_of(HR_FULL);
    }

    /* The head has the length, which is known only now; the check covers it. */
    size_t whole_bytes = writer.at;
    head.len_bytes = (uint16_t)whole_bytes;
    writer = hr_writer_over(out, room_bytes);
    image_head_write(&writer, &head);
    writer = hr_writer_over(out + whole_bytes - IMAGE_CHECK_BYTES, IMAGE_CHECK_BYTES);
    hr_write_u32(&writer, hr_crc32c(0, out, whole_bytes - IMAGE_CHECK_BYTES));
    /* Whoever reads it doubts the same things. */
    struct image_identity read;
    HR_TRY(image_identity_decode(hr_bytes_of(out, whole_bytes), &read));
    *len_bytes = whole_bytes;
    return hr_ok();
}
