/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/base/crc32c.h"
#include "proto/image/internal.h"

#include <string.h>

/* Where the bytes of a page go: all of them are counted and checked, and those of one window are kept. */
struct page_out {
    uint8_t *window;
    size_t from_bytes; /* where the window begins */
    size_t window_bytes;
    size_t at_bytes;
    uint32_t check; /* of the bytes so far */
    bool failed;
};

static void put(struct page_out *out, const void *data, size_t len_bytes)
{
    const uint8_t *from = data;
    for (size_t i = 0; i < len_bytes; i++) {
        size_t at_bytes = out->at_bytes + i;
        if (at_bytes >= out->from_bytes && at_bytes - out->from_bytes < out->window_bytes) {
            out->window[at_bytes - out->from_bytes] = from[i];
        }
    }
    out->check = hr_crc32c(out->check, data, len_bytes);
    out->at_bytes += len_bytes;
}

static void put_number(struct page_out *out, uint64_t number, uint16_t len_bytes)
{
    uint8_t bytes[8];
    for (uint16_t i = 0; i < len_bytes; i++) {
        bytes[i] = (uint8_t)(number >> (8 * (len_bytes - 1 - i)));
    }
    put(out, bytes, len_bytes);
}

/* An empty value is left out. */
static void give(struct page_out *out, uint8_t tag, const void *data, size_t len_bytes)
{
    if (len_bytes == 0) {
        return;
    }
    out->failed = out->failed || len_bytes > UINT16_MAX;
    put_number(out, tag, 1);
    put_number(out, len_bytes, 2);
    put(out, data, len_bytes);
}

static void give_text(struct page_out *out, uint8_t tag, const char *text)
{
    give(out, tag, text, text == NULL ? 0 : strlen(text) + 1);
}

static void give_der(struct page_out *out, uint8_t tag, struct hr_bytes der)
{
    give(out, tag, der.data, der.len_bytes);
}

/* 0 is left out. */
static void give_number(struct page_out *out, uint8_t tag, uint64_t number, uint16_t len_bytes)
{
    if (number != 0) {
        put_number(out, tag, 1);
        put_number(out, len_bytes, 2);
        put_number(out, number, len_bytes);
    }
}

static void give_keys(struct page_out *out, const struct image_identity *identity)
{
    give_number(out, TAG_KEY_EPOCH, identity->key_epoch, 2);
    give_der(out, TAG_RECORD_KEY, identity->record_key);
    give_der(out, TAG_TRANSPORT_KEY, identity->transport_key);
    give_der(out, TAG_CERTIFICATE, identity->certificate);
    for (size_t i = 0; i < identity->n_ca; i++) {
        give_der(out, TAG_CA, identity->ca[i]);
    }
    for (size_t i = 0; i < identity->n_aggregators; i++) {
        give_text(out, TAG_AGGREGATOR, identity->aggregators[i]);
    }
    give_text(out, TAG_SERVER_NAME, identity->server_name);
}

static void give_network(struct page_out *out, const struct image_identity *identity)
{
    static const uint8_t no_mac[IMAGE_MAC_BYTES];
    if (memcmp(identity->mac, no_mac, sizeof no_mac) != 0) {
        give(out, TAG_MAC, identity->mac, sizeof identity->mac);
    }
    if (identity->has_ipv4) {
        put_number(out, TAG_IPV4, 1);
        put_number(out, IMAGE_IPV4_FIELD_BYTES, 2);
        put(out, identity->ipv4.address, sizeof identity->ipv4.address);
        put(out, identity->ipv4.mask, sizeof identity->ipv4.mask);
        put(out, identity->ipv4.gateway, sizeof identity->ipv4.gateway);
        put(out, identity->ipv4.dns, sizeof identity->ipv4.dns);
    }
    if (identity->has_ipv6) {
        put_number(out, TAG_IPV6, 1);
        put_number(out, IMAGE_IPV6_BYTES + 1, 2);
        put(out, identity->ipv6.address, sizeof identity->ipv6.address);
        put_number(out, identity->ipv6.prefix_bits, 1);
    }
    give_number(out, TAG_SERIAL_BAUD, identity->serial_baud, 4);
    give_number(out, TAG_SEAL_MAX_AGE, identity->seal_max_age_ms, 4);
}

static void give_life(struct page_out *out, const struct image_identity *identity)
{
    give_text(out, TAG_SERIAL, identity->serial);
    give_number(out, TAG_STATE, identity->state, 1);
    give_der(out, TAG_NEXT_RECORD_KEY, identity->next_record_key);
    give_der(out, TAG_OLD_RECORD_KEY, identity->old_record_key);
    if (identity->has_switch) {
        put_number(out, TAG_SWITCH, 1);
        put_number(out, IMAGE_SWITCH_FIELD_BYTES, 2);
        put_number(out, identity->switch_stream, 4);
        put_number(out, identity->switch_seq, 4);
    }
    give_der(out, TAG_NEXT_TRANSPORT_KEY, identity->next_transport_key);
    give_der(out, TAG_NEXT_CERTIFICATE, identity->next_certificate);
    if (identity->trust_version != 0) {
        put_number(out, TAG_TRUST, 1);
        put_number(out, 4 + IMAGE_DIGEST_BYTES, 2);
        put_number(out, identity->trust_version, 4);
        put(out, identity->trust_digest, sizeof identity->trust_digest);
    }
    give_number(out, TAG_FIRST_STREAM, identity->first_stream, 4);
}

/* The page, whose head says that it has `whole_bytes`; returns how many it has. */
static size_t give_page(struct page_out *out, const struct image_identity *identity, size_t whole_bytes)
{
    uint8_t head[IMAGE_HEAD_BYTES];
    struct hr_writer writer = hr_writer_over(head, sizeof head);
    image_head_write(&writer,
                     &(struct image_head){IMAGE_IDENTITY, (uint16_t)whole_bytes, identity->sequence});
    put(out, head, sizeof head);
    put_number(out, identity->regions.sector_bytes, 4);
    put_number(out, identity->regions.program_unit_bytes, 2);
    put_number(out, identity->regions.spool_first_sector, 4);
    put_number(out, identity->regions.spool_n_sectors, 4);
    const uint8_t flags = identity->console_locked ? IMAGE_FLAG_CONSOLE_LOCKED : 0;
    give(out, TAG_FLAGS, &flags, 1);
    give_text(out, TAG_BOARD, identity->board);
    give_number(out, TAG_DEVICE_ID, identity->device_id, 8);
    give_text(out, TAG_NAME, identity->name);
    give_text(out, TAG_SITE, identity->site);
    give_keys(out, identity);
    give_network(out, identity);
    give_life(out, identity);
    put_number(out, out->check, IMAGE_CHECK_BYTES);
    return out->at_bytes;
}

struct hr_status image_identity_len(const struct image_identity *identity, size_t *len_bytes)
{
    HR_ASSERT(identity->n_ca <= IMAGE_MAX_CA && identity->n_aggregators <= IMAGE_MAX_AGGREGATORS);
    struct page_out out = {.window = NULL};
    size_t whole_bytes = give_page(&out, identity, 0);
    if (out.failed || whole_bytes > IMAGE_IDENTITY_MAX_BYTES) {
        return hr_status_of(HR_FULL);
    }
    *len_bytes = whole_bytes;
    return hr_ok();
}

void image_identity_part(const struct image_identity *identity, size_t whole_bytes, size_t from_bytes,
                         uint8_t *out, size_t len_bytes)
{
    struct page_out page = {.window = out, .from_bytes = from_bytes, .window_bytes = len_bytes};
    HR_ASSERT(give_page(&page, identity, whole_bytes) == whole_bytes);
}

struct hr_status image_identity_encode(const struct image_identity *identity, uint8_t *out,
                                       size_t capacity_bytes, size_t *len_bytes)
{
    size_t whole_bytes = 0;
    HR_TRY(image_identity_len(identity, &whole_bytes));
    if (whole_bytes > capacity_bytes) {
        return hr_status_of(HR_FULL);
    }
    image_identity_part(identity, whole_bytes, 0, out, whole_bytes);
    /* Whoever reads it doubts the same things. */
    struct image_identity read;
    HR_TRY(image_identity_decode(hr_bytes_of(out, whole_bytes), &read));
    *len_bytes = whole_bytes;
    return hr_ok();
}
