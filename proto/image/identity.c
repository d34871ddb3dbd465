/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/image/internal.h"

#include <string.h>

enum {
    SECTOR_MIN_BYTES = 512,
    SECTOR_MAX_BYTES = 1024 * 1024,
    UNIT_MAX_BYTES = 32,
    SPOOL_MIN_SECTORS = 4,
    BAUD_MIN = 1200,
    BAUD_MAX = 1000000,
    SEAL_AGE_MIN_MS = 100,
    SEAL_AGE_MAX_MS = 60 * 60 * 1000,
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
           regions->spool_first_sector < n_sectors_max &&
           (regions->spool_n_sectors >= SPOOL_MIN_SECTORS || regions->spool_n_sectors == 0) &&
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

/* Empty for an absent one. */
static struct hr_bytes take_der(struct hr_reader *reader, uint8_t tag, size_t most_bytes)
{
    struct hr_bytes der = take(reader, tag, 2, most_bytes, false);
    reader->failed = reader->failed || (der.len_bytes != 0 && !is_sequence(der));
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
    out->console_locked = (bits & IMAGE_FLAG_CONSOLE_LOCKED) != 0;
    out->board = take_text(reader, TAG_BOARD, IMAGE_NAME_MAX_CHARS, true);
    if (is_next(reader, TAG_DEVICE_ID)) {
        struct hr_reader device_id = take_whole(reader, TAG_DEVICE_ID, 8);
        out->device_id = hr_read_u64(&device_id);
        reader->failed = reader->failed || out->device_id == 0;
    }
    out->name = take_text(reader, TAG_NAME, IMAGE_NAME_MAX_CHARS, false);
    out->site = take_text(reader, TAG_SITE, IMAGE_NAME_MAX_CHARS, false);
    reader->failed = reader->failed || (bits & ~(unsigned)IMAGE_FLAG_CONSOLE_LOCKED) != 0;
}

static void read_keys(struct hr_reader *reader, struct image_identity *out)
{
    if (is_next(reader, TAG_KEY_EPOCH)) {
        struct hr_reader key_epoch = take_whole(reader, TAG_KEY_EPOCH, 2);
        out->key_epoch = hr_read_u16(&key_epoch);
        reader->failed = reader->failed || out->key_epoch == 0;
    }
    out->record_key = take_der(reader, TAG_RECORD_KEY, IMAGE_KEY_MAX_BYTES);
    out->transport_key = take_der(reader, TAG_TRANSPORT_KEY, IMAGE_KEY_MAX_BYTES);
    out->certificate = take_der(reader, TAG_CERTIFICATE, IMAGE_CERTIFICATE_MAX_BYTES);
    while (out->n_ca < IMAGE_MAX_CA && is_next(reader, TAG_CA)) {
        out->ca[out->n_ca++] = take_der(reader, TAG_CA, IMAGE_CERTIFICATE_MAX_BYTES);
    }
    while (out->n_aggregators < IMAGE_MAX_AGGREGATORS && is_next(reader, TAG_AGGREGATOR)) {
        out->aggregators[out->n_aggregators++] = take_text(reader, TAG_AGGREGATOR, IMAGE_URI_MAX_CHARS, true);
    }
    out->server_name = take_text(reader, TAG_SERVER_NAME, IMAGE_NAME_MAX_CHARS, false);
}

static void read_network(struct hr_reader *reader, struct image_identity *out)
{
    if (is_next(reader, TAG_MAC)) {
        struct hr_reader mac = take_whole(reader, TAG_MAC, IMAGE_MAC_BYTES);
        hr_read_raw(&mac, out->mac, sizeof out->mac);
        reader->failed = reader->failed || !mac_ok(out->mac);
    }
    out->has_ipv4 = is_next(reader, TAG_IPV4);
    if (out->has_ipv4) {
        struct hr_reader ipv4 = take_whole(reader, TAG_IPV4, IMAGE_IPV4_FIELD_BYTES);
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

/* A value that is there is not 0: one image has one encoding. */
static void read_life(struct hr_reader *reader, struct image_identity *out)
{
    out->serial = take_text(reader, TAG_SERIAL, IMAGE_NAME_MAX_CHARS, false);
    if (is_next(reader, TAG_STATE)) {
        struct hr_reader state = take_whole(reader, TAG_STATE, 1);
        uint8_t value = hr_read_u8(&state);
        reader->failed = reader->failed || (value != IMAGE_FACTORY && value != IMAGE_CERTIFIED);
        out->state = value == IMAGE_FACTORY ? IMAGE_FACTORY : IMAGE_CERTIFIED;
    }
    out->next_record_key = take_der(reader, TAG_NEXT_RECORD_KEY, IMAGE_KEY_MAX_BYTES);
    out->old_record_key = take_der(reader, TAG_OLD_RECORD_KEY, IMAGE_KEY_MAX_BYTES);
    out->has_switch = is_next(reader, TAG_SWITCH);
    if (out->has_switch) {
        struct hr_reader place = take_whole(reader, TAG_SWITCH, IMAGE_SWITCH_FIELD_BYTES);
        out->switch_stream = hr_read_u32(&place);
        out->switch_seq = hr_read_u32(&place);
    }
    out->next_transport_key = take_der(reader, TAG_NEXT_TRANSPORT_KEY, IMAGE_KEY_MAX_BYTES);
    out->next_certificate = take_der(reader, TAG_NEXT_CERTIFICATE, IMAGE_CERTIFICATE_MAX_BYTES);
    if (is_next(reader, TAG_TRUST)) {
        struct hr_reader trust = take_whole(reader, TAG_TRUST, 4 + IMAGE_DIGEST_BYTES);
        out->trust_version = hr_read_u32(&trust);
        hr_read_raw(&trust, out->trust_digest, sizeof out->trust_digest);
        reader->failed = reader->failed || out->trust_version == 0;
    }
    out->first_stream = take_u32(reader, TAG_FIRST_STREAM, 1, UINT32_MAX);
}

/* A device that has an identity knows who it is, whom it reports to, and how it proves both. */
static bool is_whole(const struct image_identity *identity)
{
    if (identity->state == IMAGE_FACTORY) {
        return identity->record_key.len_bytes == 0 && identity->key_epoch == 0 && identity->serial != NULL &&
               !identity->console_locked;
    }
    const bool has_record_key = identity->record_key.len_bytes != 0 && identity->key_epoch != 0;
    const bool has_no_record_key = identity->record_key.len_bytes == 0 && identity->key_epoch == 0;
    return identity->device_id != 0 && identity->name != NULL && identity->transport_key.len_bytes != 0 &&
           identity->certificate.len_bytes != 0 && identity->n_ca != 0 && identity->n_aggregators != 0 &&
           identity->server_name != NULL &&
           (has_record_key || (has_no_record_key && identity->state == IMAGE_CERTIFIED));
}

/* What is in a memory with a spool is a board's, and an Ethernet board has a MAC address. */
static bool has_its_mac(const struct image_identity *identity)
{
    return identity->regions.spool_n_sectors == 0 || mac_ok(identity->mac);
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
    read_life(&reader, &identity);
    if (!hr_reader_ok(&reader) || hr_reader_left(&reader) != 0 || !is_whole(&identity) ||
        !has_its_mac(&identity)) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = identity;
    return hr_ok();
}
