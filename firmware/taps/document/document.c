/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/document/document.h"

#include "proto/base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum {
    ZSTD_LEVEL = 3,
    WORTH_PACKING_BYTES = 256,
    /* Tables and window that together stay below 400 KB; the level's own want 1.3 MB. What it costs is some
     * 3 % of the packed length of a price table. */
    WINDOW_LOG = 16,
    TABLE_LOG = 14,
    SLICE_BYTES = 16384,
    PATH_CAPACITY = 512,
};

/* Archives and compressed files don't get shorter: zip, gzip, zstd, bzip2, xz. */
static bool is_packed(struct hr_bytes body)
{
    static const struct {
        uint8_t len_bytes;
        uint8_t bytes[4];
    } magics[] = {{4, {'P', 'K', 3, 4}},
                  {2, {0x1F, 0x8B}},
                  {4, {0x28, 0xB5, 0x2F, 0xFD}},
                  {3, {'B', 'Z', 'h'}},
                  {4, {0xFD, '7', 'z', 'X'}}};
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        if (body.len_bytes >= magics[i].len_bytes &&
            memcmp(body.data, magics[i].bytes, magics[i].len_bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* The length of the first bytes when they are packed into `out`; 0: they don't get shorter. */
static size_t pack_first(const struct tap_document *document, uint8_t out[TAP_DOCUMENT_FIRST_BYTES])
{
    struct hr_bytes first = tap_document_first(document);
    if (first.len_bytes < WORTH_PACKING_BYTES || is_packed(first)) {
        return 0;
    }
    size_t len_bytes = ZSTD_compress(out, TAP_DOCUMENT_FIRST_BYTES, first.data, first.len_bytes, ZSTD_LEVEL);
    return ZSTD_isError(len_bytes) != 0 || len_bytes >= first.len_bytes ? 0 : len_bytes;
}

/* ---- what comes ---- */

/* It has its name for a moment only: a process that is killed just then leaves an empty file. */
static FILE *make_file(const char *folder)
{
    char path[PATH_CAPACITY];
    int len = snprintf(path, sizeof path, "%s/.document.XXXXXX", folder);
    if (len < 0 || (size_t)len >= sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    int fd = mkstemp(path);
    if (fd < 0) {
        return NULL;
    }
    (void)unlink(path);
    FILE *file = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fdopen(fd, "w+") : NULL;
    if (file == NULL) {
        (void)close(fd);
    }
    return file;
}

static struct hr_status store(struct tap_document *document, const void *bytes, size_t len_bytes)
{
    if (len_bytes == 0) {
        return hr_ok();
    }
    return fwrite(bytes, 1, len_bytes, document->file) == len_bytes ? hr_ok() : hr_status_of(HR_IO);
}

/* Brings bytes through the packer, or as they are, into the file. */
static struct hr_status put(struct tap_document *document, struct hr_bytes bytes, ZSTD_EndDirective until)
{
    uint8_t slice[SLICE_BYTES];
    ZSTD_inBuffer in = {bytes.data, bytes.len_bytes, 0};
    size_t left_bytes = 1;
    if (document->packer == NULL) {
        return store(document, bytes.data, bytes.len_bytes);
    }
    while (in.pos < in.size || (until == ZSTD_e_end && left_bytes > 0)) {
        ZSTD_outBuffer out = {slice, sizeof slice, 0};
        left_bytes = ZSTD_compressStream2(document->packer, &out, &in, until);
        if (ZSTD_isError(left_bytes) != 0) {
            errno = ENOMEM; /* the library has no other reason here */
            return hr_status_of(HR_IO);
        }
        HR_TRY(store(document, slice, out.pos));
    }
    return hr_ok();
}

static struct hr_status make_packer(struct tap_document *document)
{
    ZSTD_CCtx *packer = ZSTD_createCCtx();
    if (packer == NULL) {
        errno = ENOMEM;
        return hr_status_of(HR_IO);
    }
    const struct {
        ZSTD_cParameter name;
        int value;
    } parameters[] = {{ZSTD_c_compressionLevel, ZSTD_LEVEL},
                      {ZSTD_c_windowLog, WINDOW_LOG},
                      {ZSTD_c_hashLog, TABLE_LOG},
                      {ZSTD_c_chainLog, TABLE_LOG}};
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        size_t code = ZSTD_CCtx_setParameter(packer, parameters[i].name, parameters[i].value);
        HR_ASSERT(ZSTD_isError(code) == 0);
    }
    document->packer = packer;
    return hr_ok();
}

/* The first bytes are full, and more come: from here on it is a file. */
static struct hr_status overflow(struct tap_document *document)
{
    uint8_t packed[TAP_DOCUMENT_FIRST_BYTES];
    document->file = make_file(document->folder);
    if (document->file == NULL) {
        return hr_status_of(HR_IO);
    }
    /* What begins as noise goes on as noise. */
    if (pack_first(document, packed) > 0) {
        HR_TRY(make_packer(document));
    }
    return put(document, tap_document_first(document), ZSTD_e_continue);
}

void tap_document_begin(struct tap_document *document, const char *folder,
                        const struct wire_hash_stream *hash)
{
    document->n_given = 0;
    document->hash = hash;
    document->folder = folder;
    document->len_bytes = 0;
    document->n_first = 0;
    hash->begin(&document->digest);
}

struct hr_status tap_document_add(struct tap_document *document, struct hr_bytes bytes)
{
    size_t room_bytes = TAP_DOCUMENT_FIRST_BYTES - document->n_first;
    size_t taken_bytes = bytes.len_bytes < room_bytes ? bytes.len_bytes : room_bytes;
    if (bytes.len_bytes == 0) {
        return hr_ok();
    }
    document->hash->add(&document->digest, bytes);
    document->len_bytes += bytes.len_bytes;
    memcpy(document->first + document->n_first, bytes.data, taken_bytes);
    document->n_first += taken_bytes;
    if (taken_bytes == bytes.len_bytes) {
        return hr_ok();
    }
    if (document->file == NULL) {
        HR_TRY(overflow(document));
    }
    return put(document, hr_bytes_of(bytes.data + taken_bytes, bytes.len_bytes - taken_bytes),
               ZSTD_e_continue);
}

struct hr_bytes tap_document_first(const struct tap_document *document)
{
    return hr_bytes_of(document->first, document->n_first);
}

/* ---- what goes ---- */

static void end_first(struct tap_document *document)
{
    uint8_t packed[TAP_DOCUMENT_FIRST_BYTES];
    size_t len_bytes = pack_first(document, packed);
    document->head.encoding = len_bytes > 0 ? TAP_ZSTD : TAP_AS_RECEIVED;
    if (len_bytes > 0) {
        memcpy(document->first, packed, len_bytes);
        document->n_first = len_bytes;
    }
}

static struct hr_status end_file(struct tap_document *document, uint64_t *kept_bytes)
{
    document->head.encoding = document->packer != NULL ? TAP_ZSTD : TAP_AS_RECEIVED;
    HR_TRY(put(document, hr_bytes_of(NULL, 0), ZSTD_e_end));
    (void)ZSTD_freeCCtx(document->packer);
    document->packer = NULL;
    off_t end = ftello(document->file);
    if (end < 0 || fflush(document->file) != 0 || fseeko(document->file, 0, SEEK_SET) != 0) {
        return hr_status_of(HR_IO);
    }
    *kept_bytes = (uint64_t)end;
    return hr_ok();
}

struct hr_status tap_document_end(struct tap_document *document)
{
    uint64_t kept_bytes = 0;
    document->hash->end(&document->digest, document->head.sha256);
    document->head.len_bytes = (uint32_t)document->len_bytes;
    if (document->file == NULL) {
        end_first(document);
        kept_bytes = document->n_first;
    } else {
        HR_TRY(end_file(document, &kept_bytes));
    }
    document->head.n_chunks = (uint32_t)((kept_bytes + EDGE_CHUNK_MAX_BYTES - 1) / EDGE_CHUNK_MAX_BYTES);
    return hr_ok();
}

/* The bytes of a chunk, from where they are. A chunk that is asked for again is read again. */
static struct hr_status read_chunk(struct tap_document *document, struct edge_chunk *chunk)
{
    size_t at = (size_t)chunk->index * EDGE_CHUNK_MAX_BYTES;
    size_t len_bytes = 0;
    if (document->file == NULL) {
        HR_ASSERT(at < document->n_first);
        size_t left_bytes = document->n_first - at;
        len_bytes = left_bytes < EDGE_CHUNK_MAX_BYTES ? left_bytes : EDGE_CHUNK_MAX_BYTES;
        memcpy(chunk->data, document->first + at, len_bytes);
    } else {
        ssize_t n = pread(fileno(document->file), chunk->data, EDGE_CHUNK_MAX_BYTES, (off_t)at);
        bool is_last = chunk->index + 1 == document->head.n_chunks;
        if (n <= 0 || (!is_last && n != EDGE_CHUNK_MAX_BYTES)) {
            return hr_status_of(HR_IO);
        }
        len_bytes = (size_t)n;
    }
    chunk->len_bytes = (uint16_t)len_bytes;
    return hr_ok();
}

struct hr_status tap_document_next(struct tap_document *document, struct edge_record *out)
{
    if (document->n_given > document->head.n_chunks) {
        return hr_status_of(HR_CLOSED);
    }
    uint32_t given = document->n_given++;
    if (given == 0) {
        out->kind = EDGE_DOCUMENT;
        out->as.document = document->head;
        return hr_ok();
    }
    out->kind = EDGE_CHUNK;
    out->as.chunk.document_id = document->head.document_id;
    out->as.chunk.index = given - 1;
    return read_chunk(document, &out->as.chunk);
}

void tap_document_free(struct tap_document *document)
{
    (void)ZSTD_freeCCtx(document->packer);
    document->packer = NULL;
    if (document->file != NULL) {
        (void)fclose(document->file); /* nobody will read it */
        document->file = NULL;
    }
    if (document->hash != NULL) {
        document->hash->drop(&document->digest);
        document->hash = NULL;
    }
    document->n_first = 0;
}

void tap_text_copy(char *out, size_t capacity_bytes, const char *text)
{
    size_t len = 0;
    for (; text[len] != '\0' && len + 1 < capacity_bytes; len++) {
        out[len] = text[len] >= ' ' && text[len] <= '~' ? text[len] : '?';
    }
    out[len] = '\0';
}
