/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/sim_iso.h"

#include <string.h>
#include <zlib.h>

enum { VERSION = 20, DEFLATED = 8, NEW_YEAR_1980 = 33, PIECE_BYTES = 16384, RAW_WINDOW_BITS = -15 };

/* Raw deflate (RFC 1951), as zip has it. */
static void put_deflated(struct cli_sim_text *out, const struct cli_sim_text *content)
{
    z_stream stream = {.next_in = (Bytef *)content->data, .avail_in = (uInt)content->len_bytes};
    uint8_t piece[PIECE_BYTES];
    int result =
        deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, RAW_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY);
    out->is_out_of_memory = out->is_out_of_memory || result != Z_OK;
    while (result == Z_OK) {
        stream.next_out = piece;
        stream.avail_out = sizeof piece;
        result = deflate(&stream, Z_FINISH);
        cli_sim_text_bytes(out, piece, sizeof piece - stream.avail_out);
    }
    (void)deflateEnd(&stream);
}

static void put_le(struct cli_sim_text *out, uint32_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        cli_sim_text_bytes(out, &byte, 1);
    }
}

struct entry {
    const char *name;
    uint32_t crc;
    uint32_t packed_bytes;
    uint32_t len_bytes;
};

/* What the local and the central header have in common. */
static void put_entry(struct cli_sim_text *out, const struct entry *entry)
{
    put_le(out, VERSION, 2);
    put_le(out, 0, 2); /* flags */
    put_le(out, DEFLATED, 2);
    put_le(out, 0, 2); /* time */
    put_le(out, NEW_YEAR_1980, 2);
    put_le(out, entry->crc, 4);
    put_le(out, entry->packed_bytes, 4);
    put_le(out, entry->len_bytes, 4);
    put_le(out, (uint32_t)strlen(entry->name), 2);
    put_le(out, 0, 2); /* extra */
}

void cli_sim_zip(struct cli_sim_text *out, const char *name, const struct cli_sim_text *content)
{
    struct cli_sim_text packed = {0};
    put_deflated(&packed, content);
    const struct entry entry = {name,
                                (uint32_t)crc32(0, (const Bytef *)content->data, (uInt)content->len_bytes),
                                (uint32_t)packed.len_bytes, (uint32_t)content->len_bytes};
    put_le(out, UINT32_C(0x04034B50), 4);
    put_entry(out, &entry);
    cli_sim_text_bytes(out, name, strlen(name));
    cli_sim_text_bytes(out, packed.data, packed.len_bytes);
    uint32_t directory_at = (uint32_t)out->len_bytes;
    put_le(out, UINT32_C(0x02014B50), 4);
    put_le(out, VERSION, 2); /* made by */
    put_entry(out, &entry);
    put_le(out, 0, 2); /* comment */
    put_le(out, 0, 2); /* disk */
    put_le(out, 0, 2); /* internal attributes */
    put_le(out, 0, 4); /* external attributes */
    put_le(out, 0, 4); /* where the local header is */
    cli_sim_text_bytes(out, name, strlen(name));
    uint32_t directory_bytes = (uint32_t)out->len_bytes - directory_at;
    put_le(out, UINT32_C(0x06054B50), 4);
    put_le(out, 0, 4); /* disks */
    put_le(out, 1, 2);
    put_le(out, 1, 2);
    put_le(out, directory_bytes, 4);
    put_le(out, directory_at, 4);
    put_le(out, 0, 2); /* comment */
    out->is_out_of_memory = out->is_out_of_memory || content->is_out_of_memory || packed.is_out_of_memory;
    cli_sim_text_free(&packed);
}
