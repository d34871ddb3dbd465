/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/archive.h"

#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"

#include <stdlib.h>
#include <string.h>

static const char magic[8] = "HRLEDEX1"; /* 8 bytes, no NUL */

enum { FRAME_HEAD_BYTES = 5, LINK_BYTES = 8 };

void cli_archive_open(struct cli_archive *archive, FILE *file)
{
    *archive = (struct cli_archive){.file = file, .failed = hr_ok()};
}

/* Room for a body; false: no memory. */
static bool reserve(struct cli_archive *archive, size_t len_bytes)
{
    if (len_bytes <= archive->capacity_bytes) {
        return true;
    }
    void *body = realloc(archive->body, len_bytes);
    if (body != NULL) {
        archive->body = body;
        archive->capacity_bytes = len_bytes;
    }
    return body != NULL;
}

struct hr_status cli_archive_close(struct cli_archive *archive)
{
    free(archive->body);
    archive->body = NULL;
    bool good = ferror(archive->file) == 0 && fflush(archive->file) == 0;
    good = (archive->file == stdout || archive->file == stdin || fclose(archive->file) == 0) && good;
    return hr_status_of(good ? HR_OK : HR_IO);
}

/* chain := SHA-256(chain || type || length || body) */
static void link_frame(struct cli_archive *archive, const uint8_t head[FRAME_HEAD_BYTES],
                       struct hr_bytes body)
{
    const struct hr_bytes parts[] = {hr_bytes_of(archive->chain, sizeof archive->chain),
                                     hr_bytes_of(head, FRAME_HEAD_BYTES), body};
    uint8_t next[WIRE_DIGEST_BYTES];
    wire_sha256(verify_hash(), parts, 3, next);
    memcpy(archive->chain, next, sizeof next);
}

static void start_chain(struct cli_archive *archive)
{
    const struct hr_bytes part = hr_bytes_of(magic, sizeof magic);
    wire_sha256(verify_hash(), &part, 1, archive->chain);
    archive->at = sizeof magic;
}

struct hr_status cli_archive_begin(struct cli_archive *archive)
{
    start_chain(archive);
    return hr_status_of(fwrite(magic, 1, sizeof magic, archive->file) == sizeof magic ? HR_OK : HR_IO);
}

struct hr_status cli_archive_check_magic(struct cli_archive *archive)
{
    char found[sizeof magic];
    start_chain(archive);
    bool is_ours = fread(found, 1, sizeof found, archive->file) == sizeof found &&
                   memcmp(found, magic, sizeof found) == 0;
    return hr_status_of(is_ours ? HR_OK : HR_CORRUPT);
}

static void frame_head(uint8_t out[FRAME_HEAD_BYTES], enum cli_frame type, size_t len_bytes)
{
    struct hr_writer head = hr_writer_over(out, FRAME_HEAD_BYTES);
    hr_write_u8(&head, (uint8_t)type);
    hr_write_u32(&head, (uint32_t)len_bytes);
}

struct hr_writer cli_archive_body(struct cli_archive *archive)
{
    (void)reserve(archive, CLI_ARCHIVE_BODY_MAX_BYTES); /* without, the frame is refused */
    return hr_writer_over(archive->body, archive->capacity_bytes);
}

struct hr_status cli_archive_put(struct cli_archive *archive, enum cli_frame type,
                                 const struct hr_writer *body)
{
    uint8_t head[FRAME_HEAD_BYTES];
    HR_TRY(archive->failed);
    if (!hr_writer_ok(body)) {
        archive->failed = hr_status_of(HR_FULL);
        return archive->failed;
    }
    frame_head(head, type, body->at);
    link_frame(archive, head, hr_bytes_of(archive->body, body->at));
    archive->at += sizeof head + body->at + LINK_BYTES;
    bool good = fwrite(head, 1, sizeof head, archive->file) == sizeof head &&
                fwrite(archive->body, 1, body->at, archive->file) == body->at &&
                fwrite(archive->chain, 1, LINK_BYTES, archive->file) == LINK_BYTES;
    archive->failed = hr_status_of(good ? HR_OK : HR_IO);
    return archive->failed;
}

struct hr_status cli_archive_end(struct cli_archive *archive)
{
    struct hr_writer body = cli_archive_body(archive);
    hr_write_raw(&body, archive->chain, sizeof archive->chain);
    return cli_archive_put(archive, CLI_FRAME_END, &body);
}

struct hr_status cli_archive_next(struct cli_archive *archive, enum cli_frame *type, struct hr_bytes *body)
{
    uint8_t head[FRAME_HEAD_BYTES];
    if (fread(head, 1, sizeof head, archive->file) != sizeof head) {
        return hr_status_of(HR_CORRUPT);
    }
    struct hr_reader reader = hr_reader_over(hr_bytes_of(head, sizeof head));
    *type = (enum cli_frame)hr_read_u8(&reader);
    size_t len_bytes = hr_read_u32(&reader);
    if (len_bytes > CLI_ARCHIVE_BODY_MAX_BYTES) {
        return hr_status_of(HR_CORRUPT);
    }
    if (!reserve(archive, len_bytes)) {
        return hr_status_of(HR_IO);
    }
    if (len_bytes > 0 && fread(archive->body, 1, len_bytes, archive->file) != len_bytes) {
        return hr_status_of(HR_CORRUPT);
    }
    *body = hr_bytes_of(archive->body, len_bytes);
    uint8_t link[LINK_BYTES];
    uint8_t whole[WIRE_DIGEST_BYTES];
    memcpy(whole, archive->chain, sizeof whole);
    link_frame(archive, head, *body);
    if (fread(link, 1, sizeof link, archive->file) != sizeof link ||
        memcmp(link, archive->chain, sizeof link) != 0) {
        memcpy(archive->chain, whole, sizeof whole);
        return hr_status_of(HR_CORRUPT);
    }
    archive->at += sizeof head + len_bytes + sizeof link;
    if (*type == CLI_FRAME_END) {
        bool is_right = len_bytes == sizeof whole && memcmp(archive->body, whole, sizeof whole) == 0 &&
                        fgetc(archive->file) == EOF;
        return hr_status_of(is_right ? HR_CLOSED : HR_CORRUPT);
    }
    return hr_ok();
}
