/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/avro_long.h"
#include "aggregator/schema_registry/container.h"
#include "aggregator/schema_registry/decoder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* avro-c's own file reader takes the end of a file as final and a half-written block as an error; following a
 * file that grows needs neither. */

enum {
    BLOCK_MAX_BYTES = 16 << 20,
    LEAD_MAX_BYTES = 2 * AVRO_LONG_MAX_BYTES,
};

struct schema_reader {
    int fd;
    uint64_t at; /* of the next block */
    uint8_t sync[SCHEMA_SYNC_BYTES];
    struct schema_decoder *decoder;
    int64_t n_left; /* values of the block that are still to come */
    uint8_t *block;
    size_t capacity_bytes;
};

struct hr_status schema_reader_open(const char *path, struct schema_reader **out)
{
    struct schema_container header;
    struct schema_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL) {
        return hr_status_of(HR_IO);
    }
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0) {
        struct hr_status status = hr_status_of(errno == ENOENT ? HR_NOT_FOUND : HR_IO);

        free(reader);
        return status;
    }
    struct hr_status status = schema_container_read(reader->fd, &header);

    if (hr_is_ok(status)) {
        reader->at = header.len_bytes;
        memcpy(reader->sync, header.sync, SCHEMA_SYNC_BYTES);
        if (!hr_is_ok(schema_decoder_open(header.schema, &reader->decoder))) {
            status = hr_status_of(HR_CORRUPT);
        }
        schema_container_free(&header);
    }
    if (!hr_is_ok(status)) {
        schema_reader_close(reader);
        return status;
    }
    *out = reader;
    return hr_ok();
}

/* Reads len_bytes at offset; HR_CLOSED: the file ends before. */
static struct hr_status bytes_read(int fd, uint64_t offset, uint8_t *out, size_t len_bytes,
                                   size_t *read_bytes)
{
    *read_bytes = 0;
    while (*read_bytes < len_bytes) {
        ssize_t n = pread(fd, out + *read_bytes, len_bytes - *read_bytes, (off_t)(offset + *read_bytes));

        if (n < 0) {
            return hr_status_of(HR_IO);
        }
        if (n == 0) {
            return hr_status_of(HR_CLOSED);
        }
        *read_bytes += (size_t)n;
    }
    return hr_ok();
}

static struct hr_status block_make_room(struct schema_reader *reader, size_t len_bytes)
{
    if (len_bytes > reader->capacity_bytes) {
        uint8_t *more = realloc(reader->block, len_bytes);

        if (more == NULL) {
            return hr_status_of(HR_IO);
        }
        reader->block = more;
        reader->capacity_bytes = len_bytes;
    }
    return hr_ok();
}

static struct hr_status block_load(struct schema_reader *reader)
{
    uint8_t lead[LEAD_MAX_BYTES];
    size_t n_read = 0;
    struct hr_status status = bytes_read(reader->fd, reader->at, lead, sizeof(lead), &n_read);

    if (hr_is(status, HR_IO)) {
        return status;
    }
    /* A short read may still hold the lead; a small block with its marker is as long as the longest lead. */
    struct hr_reader cursor = hr_reader_over(hr_bytes_of(lead, n_read));
    int64_t n_values = schema_long_get(&cursor);
    int64_t n_bytes = schema_long_get(&cursor);

    if (!hr_reader_ok(&cursor)) {
        return hr_status_of(n_read < sizeof(lead) ? HR_CLOSED : HR_CORRUPT);
    }
    if (n_values <= 0 || n_bytes < 0 || n_bytes > BLOCK_MAX_BYTES) {
        return hr_status_of(HR_CORRUPT);
    }
    size_t whole_bytes = (size_t)n_bytes + SCHEMA_SYNC_BYTES;

    HR_TRY(block_make_room(reader, whole_bytes));
    HR_TRY(bytes_read(reader->fd, reader->at + cursor.at, reader->block, whole_bytes, &n_read));
    if (memcmp(reader->block + n_bytes, reader->sync, SCHEMA_SYNC_BYTES) != 0) {
        return hr_status_of(HR_CORRUPT);
    }
    schema_decoder_source(reader->decoder, hr_bytes_of(reader->block, (size_t)n_bytes));
    reader->n_left = n_values;
    reader->at += cursor.at + whole_bytes;
    return hr_ok();
}

struct hr_status schema_reader_next(struct schema_reader *reader, char *out, size_t capacity_bytes,
                                    size_t *len_bytes)
{
    if (reader->n_left == 0) {
        HR_TRY(block_load(reader));
    }
    struct hr_status status = schema_decoder_next(reader->decoder, out, capacity_bytes, len_bytes);

    if (hr_is(status, HR_MALFORMED)) {
        return hr_status_of(HR_CORRUPT);
    }
    reader->n_left--;
    return status;
}

void schema_reader_close(struct schema_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    schema_decoder_close(reader->decoder);
    (void)close(reader->fd);
    free(reader->block);
    free(reader);
}
