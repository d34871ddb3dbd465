/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/csr.h"

#include "proto/base/assert.h"
#include "proto/base/cursor.h"

#include <string.h>

enum { DER_SEQUENCE = 0x30, DER_SET = 0x31, DER_INTEGER = 0x02, DER_BIT_STRING = 0x03, DER_UTF8 = 0x0C };
enum { NUMBER_BYTES = WIRE_SIGNATURE_BYTES / 2, LONG_FORM_FROM = 0x80, TWO_BYTES_FROM = 0x100 };

static size_t head_bytes(size_t len_bytes)
{
    return len_bytes < LONG_FORM_FROM ? 2 : len_bytes < TWO_BYTES_FROM ? 3 : 4;
}

static void put_head(struct hr_writer *writer, uint8_t tag, size_t len_bytes)
{
    hr_write_u8(writer, tag);
    if (len_bytes >= TWO_BYTES_FROM) {
        hr_write_u8(writer, 0x82);
        hr_write_u16(writer, (uint16_t)len_bytes);
        return;
    }
    if (len_bytes >= LONG_FORM_FROM) {
        hr_write_u8(writer, 0x81);
    }
    hr_write_u8(writer, (uint8_t)len_bytes);
}

size_t fw_csr_info(const char *serial, const uint8_t spki[FW_SPKI_BYTES], uint8_t out[FW_CSR_MAX_BYTES])
{
    static const uint8_t version[] = {DER_INTEGER, 1, 0};
    static const uint8_t common_name[] = {0x06, 3, 0x55, 0x04, 0x03};
    static const uint8_t no_attributes[] = {0xA0, 0};
    const size_t n_chars = strlen(serial);
    HR_ASSERT(n_chars > 0 && n_chars <= FW_CSR_SERIAL_MAX_CHARS);
    const size_t pair_bytes = sizeof common_name + 2 + n_chars;
    const size_t set_bytes = 2 + pair_bytes;
    const size_t name_bytes = 2 + set_bytes;
    const size_t info_bytes = sizeof version + 2 + name_bytes + FW_SPKI_BYTES + sizeof no_attributes;
    struct hr_writer writer = hr_writer_over(out, FW_CSR_MAX_BYTES);
    put_head(&writer, DER_SEQUENCE, info_bytes);
    hr_write_raw(&writer, version, sizeof version);
    put_head(&writer, DER_SEQUENCE, name_bytes);
    put_head(&writer, DER_SET, set_bytes);
    put_head(&writer, DER_SEQUENCE, pair_bytes);
    hr_write_raw(&writer, common_name, sizeof common_name);
    put_head(&writer, DER_UTF8, n_chars);
    hr_write_raw(&writer, serial, n_chars);
    hr_write_raw(&writer, spki, FW_SPKI_BYTES);
    hr_write_raw(&writer, no_attributes, sizeof no_attributes);
    HR_ASSERT(hr_writer_ok(&writer));
    return writer.at;
}

/* A positive INTEGER without needless zeros, and with one where the first bit would be a sign. */
static void put_number(struct hr_writer *writer, const uint8_t number[NUMBER_BYTES])
{
    size_t from = 0;
    while (from < NUMBER_BYTES - 1 && number[from] == 0) {
        from++;
    }
    const bool is_signed = (number[from] & 0x80u) != 0;
    put_head(writer, DER_INTEGER, NUMBER_BYTES - from + (is_signed ? 1 : 0));
    if (is_signed) {
        hr_write_u8(writer, 0);
    }
    hr_write_raw(writer, number + from, NUMBER_BYTES - from);
}

size_t fw_csr_make(struct hr_bytes info, const uint8_t signature[WIRE_SIGNATURE_BYTES],
                   uint8_t out[FW_CSR_MAX_BYTES])
{
    static const uint8_t ecdsa_with_sha256[] = {DER_SEQUENCE, 10,   0x06, 8,    0x2A, 0x86,
                                                0x48,         0xCE, 0x3D, 0x04, 0x03, 0x02};
    enum { PAIR_MAX_BYTES = 2 * (NUMBER_BYTES + 3) };
    uint8_t pair[PAIR_MAX_BYTES];
    struct hr_writer numbers = hr_writer_over(pair, sizeof pair);
    put_number(&numbers, signature);
    put_number(&numbers, signature + NUMBER_BYTES);
    const size_t pair_bytes = numbers.at;
    const size_t bits_bytes = 1 + head_bytes(pair_bytes) + pair_bytes;
    const size_t whole_bytes =
        info.len_bytes + sizeof ecdsa_with_sha256 + head_bytes(bits_bytes) + bits_bytes;
    struct hr_writer writer = hr_writer_over(out, FW_CSR_MAX_BYTES);
    put_head(&writer, DER_SEQUENCE, whole_bytes);
    hr_write_raw(&writer, info.data, info.len_bytes);
    hr_write_raw(&writer, ecdsa_with_sha256, sizeof ecdsa_with_sha256);
    put_head(&writer, DER_BIT_STRING, bits_bytes);
    hr_write_u8(&writer, 0);
    put_head(&writer, DER_SEQUENCE, pair_bytes);
    hr_write_raw(&writer, pair, pair_bytes);
    HR_ASSERT(hr_writer_ok(&writer));
    return writer.at;
}
