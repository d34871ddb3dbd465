/* SPDX-License-Identifier: Apache-2.0
 *
 * Zip (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16) as far as an operator's reports use it, and
 * gzip (RFC 1952). zlib unpacks; the archive's directory is read here, within the bytes that are there. */
#include "aggregator/normalize/iso/read/source.h"

#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

enum {
    END_BYTES = 22,
    END_COMMENT_MAX = 65535,
    ENTRY_BYTES = 46,
    LOCAL_BYTES = 30,
    METHOD_STORED = 0,
    METHOD_DEFLATE = 8,
    FLAG_ENCRYPTED = 1,
};

static const uint8_t END_SIGN[4] = {'P', 'K', 5, 6};
static const uint8_t ENTRY_SIGN[4] = {'P', 'K', 1, 2};
static const uint8_t LOCAL_SIGN[4] = {'P', 'K', 3, 4};

/* Zip is little-endian. */
static uint16_t u16_at(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t u32_at(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

bool norm_zip_is(struct hr_bytes bytes)
{
    return bytes.len_bytes >= sizeof LOCAL_SIGN && (memcmp(bytes.data, LOCAL_SIGN, sizeof LOCAL_SIGN) == 0 ||
                                                    memcmp(bytes.data, END_SIGN, sizeof END_SIGN) == 0);
}

bool norm_gzip_is(struct hr_bytes bytes)
{
    return bytes.len_bytes >= 3 && bytes.data[0] == 0x1F && bytes.data[1] == 0x8B && bytes.data[2] == 8;
}

/* The end record is the last thing in the file but for a comment. NULL: there is none. */
static const uint8_t *end_of_directory(struct hr_bytes archive)
{
    if (archive.len_bytes < END_BYTES) {
        return NULL;
    }
    size_t at = archive.len_bytes - END_BYTES;
    size_t last = at > END_COMMENT_MAX ? at - END_COMMENT_MAX : 0;
    for (;; at--) {
        if (memcmp(archive.data + at, END_SIGN, sizeof END_SIGN) == 0 &&
            at + END_BYTES + u16_at(archive.data + at + 20) == archive.len_bytes) {
            return archive.data + at;
        }
        if (at == last) {
            return NULL;
        }
    }
}

/* Fills packed by the local header, which stands before the data. */
static bool find_data(struct hr_bytes archive, uint32_t local_at, uint32_t packed_bytes,
                      struct norm_zip_member *member)
{
    if (local_at > archive.len_bytes || archive.len_bytes - local_at < LOCAL_BYTES) {
        return false;
    }
    const uint8_t *local = archive.data + local_at;
    size_t before = (size_t)LOCAL_BYTES + u16_at(local + 26) + u16_at(local + 28);
    size_t left = archive.len_bytes - local_at;
    if (memcmp(local, LOCAL_SIGN, sizeof LOCAL_SIGN) != 0 || before > left || left - before < packed_bytes) {
        return false;
    }
    member->packed = hr_bytes_of(local + before, packed_bytes);
    return true;
}

/* *at moves behind the entry. */
static bool take_entry(struct hr_bytes archive, size_t *at, struct norm_zip_member *member)
{
    if (*at > archive.len_bytes || archive.len_bytes - *at < ENTRY_BYTES) {
        return false;
    }
    const uint8_t *entry = archive.data + *at;
    size_t name_bytes = u16_at(entry + 28);
    size_t whole = (size_t)ENTRY_BYTES + name_bytes + u16_at(entry + 30) + u16_at(entry + 32);
    if (memcmp(entry, ENTRY_SIGN, sizeof ENTRY_SIGN) != 0 || archive.len_bytes - *at < whole) {
        return false;
    }
    member->method = u16_at(entry + 10);
    member->crc32 = u32_at(entry + 16);
    member->unpacked_bytes = u32_at(entry + 24);
    member->name = hr_bytes_of(entry + ENTRY_BYTES, name_bytes);
    *at += whole;
    return (u16_at(entry + 8) & FLAG_ENCRYPTED) == 0 &&
           (member->method == METHOD_STORED || member->method == METHOD_DEFLATE) &&
           u32_at(entry + 20) != UINT32_MAX && member->unpacked_bytes != UINT32_MAX &&
           find_data(archive, u32_at(entry + 42), u32_at(entry + 20), member);
}

/* Members that share their bytes: what is packed once would be unpacked again and again. */
static bool is_shared(const struct norm_zip_member *members, size_t n_before,
                      const struct norm_zip_member *it)
{
    const uint8_t *end = it->packed.data + it->packed.len_bytes;
    for (size_t i = 0; i < n_before; i++) {
        const struct hr_bytes other = members[i].packed;
        if (other.data < end && it->packed.data < other.data + other.len_bytes) {
            return true;
        }
    }
    return false;
}

struct hr_status norm_zip_list(struct hr_bytes archive, struct norm_zip_member *members, size_t capacity,
                               size_t *n_members)
{
    const uint8_t *end = end_of_directory(archive);
    if (end == NULL || u16_at(end + 4) != 0 || u16_at(end + 8) != u16_at(end + 10)) {
        return hr_status_of(HR_MALFORMED);
    }
    size_t n = u16_at(end + 10);
    size_t at = u32_at(end + 16);
    if (n > capacity) {
        return hr_status_of(HR_FULL);
    }
    for (size_t i = 0; i < n; i++) {
        if (!take_entry(archive, &at, &members[i]) || is_shared(members, i, &members[i])) {
            return hr_status_of(HR_MALFORMED);
        }
    }
    *n_members = n;
    return hr_ok();
}

struct norm_unpack {
    z_stream stream;
    const struct norm_zip_member *member; /* NULL: gzip, which zlib checks itself */
    struct norm_zip_member copy;
    uint64_t packed_bytes;
    uint64_t out_bytes;
    uint32_t crc;
    bool is_stored;
    bool has_ended;
};

static struct hr_status open_unpack(struct hr_bytes packed, int window_bits, struct norm_unpack **out)
{
    struct norm_unpack *unpack = calloc(1, sizeof *unpack);
    if (unpack == NULL) {
        return hr_status_of(HR_AGAIN);
    }
    unpack->stream.next_in = packed.data;
    unpack->stream.avail_in = (uInt)packed.len_bytes;
    unpack->packed_bytes = packed.len_bytes;
    if (packed.len_bytes > UINT32_MAX || inflateInit2(&unpack->stream, window_bits) != Z_OK) {
        free(unpack);
        return hr_status_of(HR_AGAIN);
    }
    *out = unpack;
    return hr_ok();
}

struct hr_status norm_unpack_member(const struct norm_zip_member *member, struct norm_unpack **out)
{
    struct norm_unpack *unpack = NULL;
    HR_TRY(open_unpack(member->packed, -MAX_WBITS, &unpack));
    unpack->copy = *member;
    unpack->member = &unpack->copy;
    unpack->is_stored = member->method == METHOD_STORED;
    *out = unpack;
    return hr_ok();
}

struct hr_status norm_unpack_gzip(struct hr_bytes bytes, struct norm_unpack **out)
{
    return open_unpack(bytes, MAX_WBITS + 16, out);
}

/* At the end of a member: is it what the directory says? */
static struct hr_status end_unpack(struct norm_unpack *unpack)
{
    unpack->has_ended = true;
    bool is_right = unpack->member == NULL || (unpack->out_bytes == unpack->member->unpacked_bytes &&
                                               unpack->crc == unpack->member->crc32);
    return hr_status_of(is_right ? HR_OK : HR_MALFORMED);
}

static struct hr_status count(struct norm_unpack *unpack, const uint8_t *out, size_t len_bytes)
{
    unpack->out_bytes += len_bytes;
    unpack->crc = (uint32_t)crc32(unpack->crc, out, (uInt)len_bytes);
    bool is_bomb = unpack->out_bytes > NORM_UNPACK_FREE_BYTES &&
                   unpack->out_bytes / NORM_UNPACK_RATIO_MAX > unpack->packed_bytes;
    unpack->has_ended = unpack->has_ended || is_bomb;
    return hr_status_of(is_bomb ? HR_FULL : HR_OK);
}

static struct hr_status unpack_next(void *ctx, uint8_t *out, size_t capacity_bytes, size_t *len_bytes)
{
    struct norm_unpack *unpack = ctx;
    z_stream *stream = &unpack->stream;
    if (unpack->has_ended) {
        return hr_status_of(HR_CLOSED);
    }
    stream->next_out = out;
    stream->avail_out = (uInt)capacity_bytes;
    int result = Z_OK;
    if (unpack->is_stored) {
        uInt len = stream->avail_in < stream->avail_out ? stream->avail_in : stream->avail_out;
        memcpy(out, stream->next_in, len);
        stream->next_in += len;
        stream->avail_in -= len;
        stream->avail_out -= len;
        result = stream->avail_in == 0 ? Z_STREAM_END : Z_OK;
    } else {
        result = inflate(stream, Z_NO_FLUSH);
    }
    size_t len = capacity_bytes - stream->avail_out;
    HR_TRY(count(unpack, out, len));
    if (result == Z_STREAM_END) {
        HR_TRY(end_unpack(unpack));
    } else if (result != Z_OK || len == 0) {
        unpack->has_ended = true;
        return hr_status_of(result == Z_MEM_ERROR ? HR_AGAIN : HR_MALFORMED);
    }
    *len_bytes = len;
    return hr_status_of(len > 0 ? HR_OK : HR_CLOSED);
}

struct norm_source norm_unpack_source(struct norm_unpack *unpack)
{
    return (struct norm_source){.next = unpack_next, .ctx = unpack};
}

void norm_unpack_close(struct norm_unpack *unpack)
{
    if (unpack != NULL) {
        (void)inflateEnd(&unpack->stream);
        free(unpack);
    }
}
