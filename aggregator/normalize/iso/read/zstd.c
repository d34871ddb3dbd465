/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/read/source.h"

#include <zstd.h>
#include <zstd_errors.h>

struct hr_status norm_zstd_unpack(struct hr_bytes packed, uint8_t *out, size_t len_bytes)
{
    size_t got = ZSTD_decompress(out, len_bytes, packed.data, packed.len_bytes);
    if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation) {
        return hr_status_of(HR_AGAIN);
    }
    return hr_status_of(ZSTD_isError(got) == 0 && got == len_bytes ? HR_OK : HR_MALFORMED);
}
