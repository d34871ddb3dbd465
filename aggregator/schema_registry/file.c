/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/avro_long.h"
#include "aggregator/schema_registry/container.h"

#include "proto/base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* avro-c's own writer can't go on at a given length with the file's own sync marker, nor say where a block
 * ended; the framing is small enough to be ours. */

enum { BLOCK_LEAD_BYTES = 2 * AVRO_LONG_MAX_BYTES }; /* count and length, written right before the values */

struct schema_file {
    int fd;
    bool failed;
    uint64_t len_bytes; /* written; always a block boundary unless failed */
    uint8_t sync[SCHEMA_SYNC_BYTES];
    int64_t n_values; /* waiting in the block */
    size_t n_value_bytes;
    uint8_t block[BLOCK_LEAD_BYTES + SCHEMA_FILE_BLOCK_BYTES + SCHEMA_SYNC_BYTES];
};

static struct hr_status bytes_write(struct schema_file *file, const uint8_t *bytes, size_t len_bytes)
{
    size_t at = 0;

    while (at < len_bytes) {
        ssize_t n = write(file->fd, bytes + at, len_bytes - at);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            file->failed = true;
            return hr_status_of(HR_IO);
        }
        at += (size_t)n;
    }
    file->len_bytes += len_bytes;
    return hr_ok();
}

static struct hr_status block_write(struct schema_file *file)
{
    uint8_t lead[BLOCK_LEAD_BYTES];

    if (file->n_values == 0) {
        return hr_ok();
    }
    uint8_t *end = schema_long_put(schema_long_put(lead, file->n_values), (int64_t)file->n_value_bytes);
    size_t lead_bytes = (size_t)(end - lead);
    uint8_t *start = file->block + BLOCK_LEAD_BYTES - lead_bytes;

    /* The block goes out in one write, so that a crash tears it at most once. */
    memcpy(start, lead, lead_bytes);
    memcpy(file->block + BLOCK_LEAD_BYTES + file->n_value_bytes, file->sync, SCHEMA_SYNC_BYTES);
    HR_TRY(bytes_write(file, start, lead_bytes + file->n_value_bytes + SCHEMA_SYNC_BYTES));
    file->n_values = 0;
    file->n_value_bytes = 0;
    return hr_ok();
}

static struct hr_status header_write(struct schema_file *file, struct hr_bytes schema)
{
    /* Everything but the schema text: magic, two keys, a short value, lengths, the marker. */
    uint8_t *header = malloc(schema.len_bytes + 128);

    if (header == NULL) {
        return hr_status_of(HR_IO);
    }
    uint8_t *at = header;

    memcpy(at, "Obj\1", 4);
    at = schema_long_put(at + 4, 2);
    at = schema_long_put(at, 10);
    memcpy(at, "avro.codec", 10);
    at = schema_long_put(at + 10, 4);
    memcpy(at, "null", 4);
    at = schema_long_put(at + 4, 11);
    memcpy(at, "avro.schema", 11);
    at = schema_long_put(at + 11, (int64_t)schema.len_bytes);
    memcpy(at, schema.data, schema.len_bytes);
    at = schema_long_put(at + schema.len_bytes, 0);
    memcpy(at, file->sync, SCHEMA_SYNC_BYTES);
    at += SCHEMA_SYNC_BYTES;

    struct hr_status status = bytes_write(file, header, (size_t)(at - header));

    free(header);
    return status;
}

static struct schema_file *file_new(int fd, const uint8_t sync[SCHEMA_SYNC_BYTES])
{
    struct schema_file *file = malloc(sizeof(*file));

    if (file != NULL) {
        file->fd = fd;
        file->failed = false;
        file->len_bytes = 0;
        file->n_values = 0;
        file->n_value_bytes = 0;
        memcpy(file->sync, sync, SCHEMA_SYNC_BYTES);
    }
    return file;
}

struct hr_status schema_file_create(const char *path, const char *name, const uint8_t sync[SCHEMA_SYNC_BYTES],
                                    struct schema_file **out)
{
    struct hr_bytes schema;

    HR_TRY(schema_text(name, &schema));
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd < 0) {
        return hr_status_of(HR_IO);
    }
    struct schema_file *file = file_new(fd, sync);

    if (file == NULL || !hr_is_ok(header_write(file, schema))) {
        free(file);
        (void)close(fd);
        (void)unlink(path);
        return hr_status_of(HR_IO);
    }
    *out = file;
    return hr_ok();
}

/* Is the file one of this schema with a boundary at length_bytes? Gives its sync marker. */
static struct hr_status reopen_check(int fd, const char *name, uint64_t length_bytes,
                                     uint8_t sync[SCHEMA_SYNC_BYTES])
{
    struct hr_bytes schema;
    struct stat about;
    struct schema_container header;
    uint8_t found[SCHEMA_SYNC_BYTES];

    HR_TRY(schema_text(name, &schema));
    if (fstat(fd, &about) != 0) {
        return hr_status_of(HR_IO);
    }
    HR_TRY(schema_container_read(fd, &header));
    bool same = header.schema.len_bytes == schema.len_bytes &&
                memcmp(header.schema.data, schema.data, schema.len_bytes) == 0;
    bool inside = length_bytes >= header.len_bytes && length_bytes <= (uint64_t)about.st_size;

    memcpy(sync, header.sync, SCHEMA_SYNC_BYTES);
    schema_container_free(&header);
    if (!same || !inside) {
        return hr_status_of(HR_CORRUPT);
    }
    if (pread(fd, found, sizeof(found), (off_t)(length_bytes - sizeof(found))) != (ssize_t)sizeof(found)) {
        return hr_status_of(HR_IO);
    }
    return hr_status_of(memcmp(found, sync, sizeof(found)) == 0 ? HR_OK : HR_CORRUPT);
}

struct hr_status schema_file_reopen(const char *path, const char *name, uint64_t length_bytes,
                                    struct schema_file **out)
{
    uint8_t sync[SCHEMA_SYNC_BYTES];
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        return hr_status_of(errno == ENOENT ? HR_NOT_FOUND : HR_IO);
    }
    struct hr_status status = reopen_check(fd, name, length_bytes, sync);

    if (hr_is_ok(status) &&
        (ftruncate(fd, (off_t)length_bytes) != 0 || lseek(fd, (off_t)length_bytes, SEEK_SET) < 0)) {
        status = hr_status_of(HR_IO);
    }
    struct schema_file *file = hr_is_ok(status) ? file_new(fd, sync) : NULL;

    if (file == NULL) {
        (void)close(fd);
        return hr_is_ok(status) ? hr_status_of(HR_IO) : status;
    }
    file->len_bytes = length_bytes;
    *out = file;
    return hr_ok();
}

struct hr_status schema_file_append(struct schema_file *file, struct hr_bytes value)
{
    if (value.len_bytes > SCHEMA_FILE_BLOCK_BYTES) {
        return hr_status_of(HR_FULL);
    }
    if (file->failed) {
        return hr_status_of(HR_IO);
    }
    if (file->n_value_bytes + value.len_bytes > SCHEMA_FILE_BLOCK_BYTES) {
        HR_TRY(block_write(file));
    }
    memcpy(file->block + BLOCK_LEAD_BYTES + file->n_value_bytes, value.data, value.len_bytes);
    file->n_value_bytes += value.len_bytes;
    file->n_values++;
    return hr_ok();
}

struct hr_status schema_file_sync(struct schema_file *file, uint64_t *length_bytes)
{
    if (file->failed) {
        return hr_status_of(HR_IO);
    }
    HR_TRY(block_write(file));
    if (fdatasync(file->fd) != 0) {
        /* The kernel may have dropped the pages: what is on the disk is not known any more. */
        file->failed = true;
        return hr_status_of(HR_IO);
    }
    *length_bytes = file->len_bytes;
    return hr_ok();
}

void schema_file_close(struct schema_file *file)
{
    if (file != NULL) {
        (void)close(file->fd);
        free(file);
    }
}
