/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/read/source.h"

#include <zstd.h>

bool norm_zstd_unpack(struct hr_bytes packed, uint8_t *out, size_t len_bytes)
{
    size_t got = ZSTD_decompress(out, len_bytes, packed.data, packed.len_bytes);
    return ZSTD_isError(got) == 0 && got == len_bytes;
}
