/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/container.h"

#include "aggregator/schema_registry/avro_long.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_MAX_BYTES = 1 << 20 }; /* no schema of ours comes near */

static struct hr_bytes bytes_get(struct hr_reader *reader)
{
    int64_t len_bytes = schema_long_get(reader);

    if (len_bytes < 0 || (uint64_t)len_bytes > hr_reader_left(reader)) {
        reader->failed = true;
        return hr_bytes_of(NULL, 0);
    }
    return hr_read_slice(reader, (size_t)len_bytes);
}

static bool is_text(struct hr_bytes bytes, const char *text)
{
    return bytes.len_bytes == strlen(text) && memcmp(bytes.data, text, bytes.len_bytes) == 0;
}

static bool metadata_get(struct hr_reader *reader, struct hr_bytes *schema)
{
    struct hr_bytes codec = hr_bytes_of("null", 4);
    int64_t n_entries = schema_long_get(reader);

    while (n_entries != 0 && hr_reader_ok(reader)) {
        if (n_entries < 0) {
            /* A negative count is followed by the size of the block, for readers that skip it. */
            (void)schema_long_get(reader);
            n_entries = n_entries == INT64_MIN ? INT64_MAX : -n_entries;
        }
        for (; n_entries > 0 && hr_reader_ok(reader); n_entries--) {
            struct hr_bytes key = bytes_get(reader);
            struct hr_bytes value = bytes_get(reader);

            if (is_text(key, "avro.schema")) {
                *schema = value;
            } else if (is_text(key, "avro.codec")) {
                codec = value;
            }
        }
        n_entries = schema_long_get(reader);
    }
    return hr_reader_ok(reader) && schema->len_bytes > 0 && is_text(codec, "null");
}

static bool header_parse(struct hr_bytes bytes, struct schema_container *out)
{
    static const uint8_t magic[4] = {'O', 'b', 'j', 1};
    struct hr_reader reader = hr_reader_over(bytes);
    uint8_t found[sizeof(magic)];

    hr_read_raw(&reader, found, sizeof(found));
    if (memcmp(found, magic, sizeof(magic)) != 0 || !metadata_get(&reader, &out->schema)) {
        return false;
    }
    hr_read_raw(&reader, out->sync, sizeof(out->sync));
    out->len_bytes = reader.at;
    return hr_reader_ok(&reader);
}

static struct hr_status start_read(int fd, uint8_t *bytes, size_t *len_bytes)
{
    while (*len_bytes < HEADER_MAX_BYTES) {
        ssize_t n = pread(fd, bytes + *len_bytes, HEADER_MAX_BYTES - *len_bytes, (off_t)*len_bytes);

        if (n < 0) {
            return hr_status_of(HR_IO);
        }
        if (n == 0) {
            break;
        }
        *len_bytes += (size_t)n;
    }
    return hr_ok();
}

struct hr_status schema_container_read(int fd, struct schema_container *out)
{
    struct schema_container header = {.bytes = malloc(HEADER_MAX_BYTES)};
    size_t len_bytes = 0;

    if (header.bytes == NULL) {
        return hr_status_of(HR_IO);
    }
    struct hr_status status = start_read(fd, header.bytes, &len_bytes);

    if (hr_is_ok(status) && !header_parse(hr_bytes_of(header.bytes, len_bytes), &header)) {
        status = hr_status_of(HR_CORRUPT);
    }
    if (!hr_is_ok(status)) {
        free(header.bytes);
        return status;
    }
    *out = header;
    return hr_ok();
}

void schema_container_free(struct schema_container *header)
{
    free(header->bytes);
    header->bytes = NULL;
}
