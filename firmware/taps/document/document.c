/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/document/document.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { ZSTD_LEVEL = 3, WORTH_PACKING_BYTES = 256 };

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

static void pack(struct tap_document *document, struct hr_bytes body)
{
    document->packed = body;
    document->head.encoding = TAP_AS_RECEIVED;
    if (body.len_bytes < WORTH_PACKING_BYTES || is_packed(body)) {
        return;
    }
    /* What is not shorter is not wanted, so there need not be room for it. */
    uint8_t *out = malloc(body.len_bytes);
    if (out == NULL) {
        return;
    }
    size_t len_bytes = ZSTD_compress(out, body.len_bytes, body.data, body.len_bytes, ZSTD_LEVEL);
    if (ZSTD_isError(len_bytes) != 0 || len_bytes >= body.len_bytes) {
        free(out);
        return;
    }
    uint8_t *fitting = realloc(out, len_bytes);
    document->owned = fitting != NULL ? fitting : out;
    document->packed = hr_bytes_of(document->owned, len_bytes);
    document->head.encoding = TAP_ZSTD;
}

void tap_document_pack(struct tap_document *document, struct hr_bytes body, const struct wire_hash *hash)
{
    wire_sha256(hash, &body, 1, document->head.sha256);
    document->head.len_bytes = (uint32_t)body.len_bytes;
    document->n_given = 0;
    pack(document, body);
    document->head.n_chunks =
        (uint32_t)((document->packed.len_bytes + EDGE_CHUNK_MAX_BYTES - 1) / EDGE_CHUNK_MAX_BYTES);
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
    struct edge_chunk *chunk = &out->as.chunk;
    size_t at = (size_t)(given - 1) * EDGE_CHUNK_MAX_BYTES;
    size_t left_bytes = document->packed.len_bytes - at;
    size_t len_bytes = left_bytes < EDGE_CHUNK_MAX_BYTES ? left_bytes : EDGE_CHUNK_MAX_BYTES;
    out->kind = EDGE_CHUNK;
    chunk->document_id = document->head.document_id;
    chunk->index = given - 1;
    chunk->len_bytes = (uint16_t)len_bytes;
    memcpy(chunk->data, document->packed.data + at, len_bytes);
    return hr_ok();
}

void tap_document_free(struct tap_document *document)
{
    free(document->owned);
    document->owned = NULL;
    document->packed = hr_bytes_of(NULL, 0);
}

void tap_text_copy(char *out, size_t capacity_bytes, const char *text)
{
    size_t len = 0;
    for (; text[len] != '\0' && len + 1 < capacity_bytes; len++) {
        out[len] = text[len] >= ' ' && text[len] <= '~' ? text[len] : '?';
    }
    out[len] = '\0';
}
