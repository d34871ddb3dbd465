/* SPDX-License-Identifier: Apache-2.0
 *
 * The one way to read and write bytes of the wire and of flash. A cursor that would run over its end does
 * nothing and remembers it: check `hr_reader_ok` (or `hr_writer_ok`) once, after the last field. Big-endian,
 * as everything in proto/SPEC.md. [any] */
#ifndef HR_CURSOR_H
#define HR_CURSOR_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

struct hr_reader {
    const uint8_t *data;
    size_t len_bytes;
    size_t at;
    bool failed; /* an earlier read ran over the end; values read since are 0 */
};

struct hr_writer {
    uint8_t *data;
    size_t capacity_bytes;
    size_t at;
    bool failed; /* an earlier write ran over the end; nothing of it was written */
};

struct hr_reader hr_reader_over(struct hr_bytes bytes);
struct hr_writer hr_writer_over(void *data, size_t capacity_bytes);

uint8_t hr_read_u8(struct hr_reader *reader);
uint16_t hr_read_u16(struct hr_reader *reader);
uint32_t hr_read_u32(struct hr_reader *reader);
uint64_t hr_read_u48(struct hr_reader *reader);
uint64_t hr_read_u64(struct hr_reader *reader);
/* Fills out[0..len_bytes) or, past the end, zeroes it. */
void hr_read_raw(struct hr_reader *reader, void *out, size_t len_bytes);
/* The next len_bytes as a borrowed slice of the input; an empty slice past the end. */
struct hr_bytes hr_read_slice(struct hr_reader *reader, size_t len_bytes);
/* A protobuf base-128 varint of at most 5 bytes and 32 bits, shortest form only; anything else fails the
 * reader. */
uint32_t hr_read_varint32(struct hr_reader *reader);

static inline bool hr_reader_ok(const struct hr_reader *reader)
{
    return !reader->failed;
}

static inline size_t hr_reader_left(const struct hr_reader *reader)
{
    return reader->failed ? 0 : reader->len_bytes - reader->at;
}

void hr_write_u8(struct hr_writer *writer, uint8_t value);
void hr_write_u16(struct hr_writer *writer, uint16_t value);
void hr_write_u32(struct hr_writer *writer, uint32_t value);
void hr_write_u48(struct hr_writer *writer, uint64_t value); /* value below 2^48, else the writer fails */
void hr_write_u64(struct hr_writer *writer, uint64_t value);
void hr_write_raw(struct hr_writer *writer, const void *data, size_t len_bytes);
void hr_write_varint32(struct hr_writer *writer, uint32_t value); /* 1 to 5 bytes, shortest form */

static inline bool hr_writer_ok(const struct hr_writer *writer)
{
    return !writer->failed;
}

/* Bytes that hr_write_varint32 writes for value: 1 to 5. */
size_t hr_varint32_len(uint32_t value);

#endif
