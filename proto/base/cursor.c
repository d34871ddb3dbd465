/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/cursor.h"

#include <string.h>

struct hr_reader hr_reader_over(struct hr_bytes bytes)
{
    return (struct hr_reader){bytes.data, bytes.len_bytes, 0, false};
}

struct hr_writer hr_writer_over(void *data, size_t capacity_bytes)
{
    return (struct hr_writer){data, capacity_bytes, 0, false};
}

/* The next len_bytes, or NULL once the input is used up. */
static const uint8_t *reader_take(struct hr_reader *reader, size_t len_bytes)
{
    if (reader->failed || len_bytes > reader->len_bytes - reader->at) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *taken = reader->data + reader->at;
    reader->at += len_bytes;
    return taken;
}

static uint64_t read_big_endian(struct hr_reader *reader, size_t len_bytes)
{
    const uint8_t *bytes = reader_take(reader, len_bytes);
    uint64_t value = 0;
    for (size_t i = 0; bytes != NULL && i < len_bytes; i++) {
        value = (value << 8) | bytes[i];
    }
    return value;
}

uint8_t hr_read_u8(struct hr_reader *reader)
{
    return (uint8_t)read_big_endian(reader, 1);
}

uint16_t hr_read_u16(struct hr_reader *reader)
{
    return (uint16_t)read_big_endian(reader, 2);
}

uint32_t hr_read_u32(struct hr_reader *reader)
{
    return (uint32_t)read_big_endian(reader, 4);
}

uint64_t hr_read_u48(struct hr_reader *reader)
{
    return read_big_endian(reader, 6);
}

uint64_t hr_read_u64(struct hr_reader *reader)
{
    return read_big_endian(reader, 8);
}

void hr_read_raw(struct hr_reader *reader, void *out, size_t len_bytes)
{
    const uint8_t *bytes = reader_take(reader, len_bytes);
    if (bytes == NULL) {
        memset(out, 0, len_bytes);
    } else if (len_bytes > 0) {
        memcpy(out, bytes, len_bytes);
    }
}

struct hr_bytes hr_read_slice(struct hr_reader *reader, size_t len_bytes)
{
    const uint8_t *bytes = reader_take(reader, len_bytes);
    return bytes == NULL ? hr_bytes_of(NULL, 0) : hr_bytes_of(bytes, len_bytes);
}

uint32_t hr_read_varint32(struct hr_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte = hr_read_u8(reader);
        value |= (uint64_t)(byte & 0x7Fu) << shift;
        if ((byte & 0x80u) == 0) {
            bool padded = byte == 0 && shift > 0;
            if (padded || value > UINT32_MAX) {
                reader->failed = true;
            }
            return reader->failed ? 0 : (uint32_t)value;
        }
    }
    reader->failed = true;
    return 0;
}

static uint8_t *writer_take(struct hr_writer *writer, size_t len_bytes)
{
    if (writer->failed || len_bytes > writer->capacity_bytes - writer->at) {
        writer->failed = true;
        return NULL;
    }
    uint8_t *taken = writer->data + writer->at;
    writer->at += len_bytes;
    return taken;
}

static void write_big_endian(struct hr_writer *writer, uint64_t value, size_t len_bytes)
{
    uint8_t *bytes = writer_take(writer, len_bytes);
    for (size_t i = 0; bytes != NULL && i < len_bytes; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (len_bytes - 1 - i)));
    }
}

void hr_write_u8(struct hr_writer *writer, uint8_t value)
{
    write_big_endian(writer, value, 1);
}

void hr_write_u16(struct hr_writer *writer, uint16_t value)
{
    write_big_endian(writer, value, 2);
}

void hr_write_u32(struct hr_writer *writer, uint32_t value)
{
    write_big_endian(writer, value, 4);
}

void hr_write_u48(struct hr_writer *writer, uint64_t value)
{
    if (value >> 48 != 0) {
        writer->failed = true;
        return;
    }
    write_big_endian(writer, value, 6);
}

void hr_write_u64(struct hr_writer *writer, uint64_t value)
{
    write_big_endian(writer, value, 8);
}

void hr_write_raw(struct hr_writer *writer, const void *data, size_t len_bytes)
{
    uint8_t *bytes = writer_take(writer, len_bytes);
    if (bytes != NULL && len_bytes > 0) {
        memcpy(bytes, data, len_bytes);
    }
}

void hr_write_varint32(struct hr_writer *writer, uint32_t value)
{
    uint8_t *bytes = writer_take(writer, hr_varint32_len(value));
    if (bytes == NULL) {
        return;
    }
    for (; value >= 0x80u; value >>= 7) {
        *bytes++ = (uint8_t)(value | 0x80u);
    }
    *bytes = (uint8_t)value;
}

size_t hr_varint32_len(uint32_t value)
{
    size_t len_bytes = 1;
    for (; value >= 0x80u; value >>= 7) {
        len_bytes++;
    }
    return len_bytes;
}
