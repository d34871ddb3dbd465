/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/trust/trust.h"

#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <string.h>

/* Fields, each as tag, length in 2 bytes, value; in the order of their tags. */
enum {
    TAG_THRESHOLD = 1,
    TAG_SIGNER = 2,
    TAG_CA = 3,
    TAG_NAME = 4,
    TAG_LATER = 64, /* from here on they are passed over */
};

enum { MAGIC = 0x48525442 /* "HRTB" */, FORMAT = 1, LATER_MAX = 16 };

/* RFC 5480: AlgorithmIdentifier {id-ecPublicKey, secp256r1}, the head of the BIT STRING and of an
 * uncompressed point: one key has one SPKI. */
static const uint8_t spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

/* ---- reading ---- */

static struct hr_status read_head(struct hr_reader *reader, uint16_t *body_len_bytes, uint32_t *version)
{
    if (hr_read_u32(reader) != MAGIC) {
        return hr_status_of(HR_NOT_FOUND);
    }
    uint16_t format = hr_read_u16(reader);
    *body_len_bytes = hr_read_u16(reader);
    *version = hr_read_u32(reader);
    bool good = hr_reader_ok(reader) && format == FORMAT && *version != 0 &&
                *body_len_bytes > TRUST_HEAD_BYTES && *body_len_bytes < TRUST_MAX_BYTES;
    return good ? hr_ok() : hr_status_of(HR_MALFORMED);
}

struct hr_status trust_version_of(struct hr_bytes head, uint32_t *version)
{
    HR_ASSERT(head.len_bytes >= TRUST_HEAD_BYTES);
    struct hr_reader reader = hr_reader_over(head);
    uint16_t body_len_bytes = 0;
    uint32_t found = 0;
    HR_TRY(read_head(&reader, &body_len_bytes, &found));
    *version = found;
    return hr_ok();
}

struct hr_status trust_next(struct hr_bytes bundles, struct hr_bytes *out)
{
    struct hr_reader reader = hr_reader_over(bundles);
    uint16_t body_len_bytes = 0;
    uint32_t version = 0;
    if (bundles.len_bytes == 0) {
        return hr_status_of(HR_CLOSED);
    }
    HR_TRY(read_head(&reader, &body_len_bytes, &version));
    (void)hr_read_slice(&reader, body_len_bytes - (size_t)TRUST_HEAD_BYTES);
    size_t signatures_len_bytes = hr_read_u8(&reader) * (size_t)TRUST_SIGNATURE_BYTES;
    (void)hr_read_slice(&reader, signatures_len_bytes);
    if (!hr_reader_ok(&reader) || reader.at > TRUST_MAX_BYTES) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = hr_bytes_of(bundles.data, reader.at);
    return hr_ok();
}

static bool is_next(const struct hr_reader *reader, uint8_t tag)
{
    return hr_reader_left(reader) > 0 && reader->data[reader->at] == tag;
}

static struct hr_bytes take(struct hr_reader *reader, size_t least_bytes, size_t most_bytes)
{
    (void)hr_read_u8(reader); /* the tag, which was looked at */
    struct hr_bytes value = hr_read_slice(reader, hr_read_u16(reader));
    reader->failed = reader->failed || value.len_bytes < least_bytes || value.len_bytes > most_bytes;
    return value;
}

static void take_signer(struct hr_reader *reader, struct trust_bundle *out)
{
    const uint8_t *spki = take(reader, TRUST_SPKI_BYTES, TRUST_SPKI_BYTES).data;
    if (hr_reader_ok(reader)) {
        bool is_rising =
            out->n_signers == 0 || memcmp(out->signers[out->n_signers - 1], spki, TRUST_SPKI_BYTES) < 0;
        reader->failed = !is_rising || memcmp(spki, spki_head, sizeof spki_head) != 0;
        out->signers[out->n_signers++] = spki;
    }
}

/* A DER SEQUENCE of at least 128 bytes, as every certificate is. */
static void take_ca(struct hr_reader *reader, struct trust_bundle *out)
{
    struct hr_bytes der = take(reader, 2, TRUST_CERTIFICATE_MAX_BYTES);
    struct hr_reader head = hr_reader_over(der);
    uint16_t begin = hr_read_u16(&head);
    size_t len_bytes = begin == 0x3081 ? hr_read_u8(&head) : hr_read_u16(&head);
    reader->failed = reader->failed || (begin != 0x3081 && begin != 0x3082) || !hr_reader_ok(&head) ||
                     hr_reader_left(&head) != len_bytes;
    out->ca[out->n_ca++] = der;
}

/* Letters, digits, '.', '-', and a NUL. */
static bool is_name(struct hr_bytes text)
{
    for (size_t i = 0; i + 1 < text.len_bytes; i++) {
        uint8_t c = text.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && c != '.' && c != '-') {
            return false;
        }
    }
    return text.len_bytes > 0 && text.data[text.len_bytes - 1] == '\0';
}

static void take_name(struct hr_reader *reader, struct trust_bundle *out)
{
    struct hr_bytes text = take(reader, 2, TRUST_NAME_MAX_CHARS + 1);
    reader->failed = reader->failed || !is_name(text);
    out->names[out->n_names++] = (const char *)text.data;
}

static void take_later(struct hr_reader *reader, struct trust_bundle *out)
{
    while (hr_reader_left(reader) > 0) {
        reader->failed = reader->data[reader->at] < TAG_LATER || out->n_later == LATER_MAX;
        (void)take(reader, 0, TRUST_MAX_BYTES);
        out->n_later++;
    }
}

static void read_fields(struct hr_reader *reader, struct trust_bundle *out)
{
    reader->failed = reader->failed || !is_next(reader, TAG_THRESHOLD);
    struct hr_bytes threshold = take(reader, 1, 1);
    out->threshold = hr_reader_ok(reader) ? threshold.data[0] : 0;
    while (is_next(reader, TAG_SIGNER) && out->n_signers < TRUST_MAX_SIGNERS) {
        take_signer(reader, out);
    }
    while (is_next(reader, TAG_CA) && out->n_ca < TRUST_MAX_CA) {
        take_ca(reader, out);
    }
    while (is_next(reader, TAG_NAME) && out->n_names < TRUST_MAX_NAMES) {
        take_name(reader, out);
    }
    take_later(reader, out);
    reader->failed =
        reader->failed || out->threshold == 0 || out->threshold > out->n_signers || out->n_ca == 0;
}

static bool read_signatures(struct hr_reader *reader, struct trust_bundle *out)
{
    out->n_signatures = hr_read_u8(reader);
    struct hr_bytes all = hr_read_slice(reader, out->n_signatures * (size_t)TRUST_SIGNATURE_BYTES);
    out->signatures = all.data;
    bool good =
        hr_reader_ok(reader) && hr_reader_left(reader) == 0 && out->n_signatures <= TRUST_MAX_SIGNATURES;
    for (size_t i = 1; good && i < out->n_signatures; i++) {
        const uint8_t *at = out->signatures + i * TRUST_SIGNATURE_BYTES;
        good = memcmp(at - TRUST_SIGNATURE_BYTES, at, WIRE_DIGEST_BYTES) < 0;
    }
    return good;
}

struct hr_status trust_decode(struct hr_bytes bytes, struct trust_bundle *out)
{
    struct trust_bundle bundle = {.version = 0};
    struct hr_bytes whole;
    struct hr_status status = trust_next(bytes, &whole);
    if (!hr_is_ok(status) || whole.len_bytes != bytes.len_bytes) {
        return hr_is(status, HR_NOT_FOUND) || bytes.len_bytes == 0 ? hr_status_of(HR_NOT_FOUND)
                                                                   : hr_status_of(HR_MALFORMED);
    }
    struct hr_reader reader = hr_reader_over(bytes);
    uint16_t body_len_bytes = 0;
    HR_TRY(read_head(&reader, &body_len_bytes, &bundle.version));
    bundle.body = hr_bytes_of(bytes.data, body_len_bytes);
    struct hr_reader fields =
        hr_reader_over(hr_bytes_of(bytes.data + TRUST_HEAD_BYTES, body_len_bytes - (size_t)TRUST_HEAD_BYTES));
    struct hr_reader rest =
        hr_reader_over(hr_bytes_of(bytes.data + body_len_bytes, bytes.len_bytes - body_len_bytes));
    read_fields(&fields, &bundle);
    if (!hr_reader_ok(&fields) || !read_signatures(&rest, &bundle)) {
        return hr_status_of(HR_MALFORMED);
    }
    *out = bundle;
    return hr_ok();
}

struct hr_bytes trust_whole(const struct trust_bundle *bundle)
{
    return hr_bytes_of(bundle->body.data,
                       bundle->body.len_bytes + 1 + bundle->n_signatures * (size_t)TRUST_SIGNATURE_BYTES);
}

const char *trust_name_for(const struct trust_bundle *bundle, const char *configured)
{
    const char *chosen = bundle->n_names > 0 ? bundle->names[0] : configured;
    for (size_t i = 0; i < bundle->n_names; i++) {
        chosen = strcmp(bundle->names[i], configured) == 0 ? bundle->names[i] : chosen;
    }
    return chosen;
}

/* ---- writing ---- */

static void give(struct hr_writer *writer, uint8_t tag, const void *data, size_t len_bytes)
{
    writer->failed = writer->failed || len_bytes > TRUST_MAX_BYTES;
    hr_write_u8(writer, tag);
    hr_write_u16(writer, (uint16_t)len_bytes);
    hr_write_raw(writer, data, len_bytes);
}

static void write_fields(struct hr_writer *writer, const struct trust_bundle *bundle)
{
    give(writer, TAG_THRESHOLD, &bundle->threshold, 1);
    for (size_t i = 0; i < bundle->n_signers; i++) {
        give(writer, TAG_SIGNER, bundle->signers[i], TRUST_SPKI_BYTES);
    }
    for (size_t i = 0; i < bundle->n_ca; i++) {
        give(writer, TAG_CA, bundle->ca[i].data, bundle->ca[i].len_bytes);
    }
    for (size_t i = 0; i < bundle->n_names; i++) {
        give(writer, TAG_NAME, bundle->names[i], strlen(bundle->names[i]) + 1);
    }
}

struct hr_status trust_encode(const struct trust_bundle *bundle, uint8_t *out, size_t capacity_bytes,
                              size_t *len_bytes)
{
    HR_ASSERT(bundle->n_signers <= TRUST_MAX_SIGNERS && bundle->n_ca <= TRUST_MAX_CA);
    HR_ASSERT(bundle->n_names <= TRUST_MAX_NAMES && bundle->n_signatures <= TRUST_MAX_SIGNATURES);
    size_t room_bytes = capacity_bytes < TRUST_MAX_BYTES ? capacity_bytes : TRUST_MAX_BYTES;
    struct hr_writer writer = hr_writer_over(out, room_bytes);
    hr_write_u32(&writer, MAGIC);
    hr_write_u16(&writer, FORMAT);
    hr_write_u16(&writer, 0);
    hr_write_u32(&writer, bundle->version);
    write_fields(&writer, bundle);
    size_t body_len_bytes = writer.at;
    hr_write_u8(&writer, bundle->n_signatures);
    if (bundle->n_signatures > 0) {
        hr_write_raw(&writer, bundle->signatures, bundle->n_signatures * (size_t)TRUST_SIGNATURE_BYTES);
    }
    if (!hr_writer_ok(&writer)) {
        return hr_status_of(HR_FULL);
    }
    struct hr_writer length = hr_writer_over(out + 6, 2);
    hr_write_u16(&length, (uint16_t)body_len_bytes);
    /* Whoever reads it doubts the same things. */
    struct trust_bundle read;
    if (!hr_is_ok(trust_decode(hr_bytes_of(out, writer.at), &read))) {
        return hr_status_of(HR_MALFORMED);
    }
    *len_bytes = writer.at;
    return hr_ok();
}
