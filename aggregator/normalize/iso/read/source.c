/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/iso/read/source.h"

#include <string.h>

static struct hr_status memory_next(void *ctx, uint8_t *out, size_t capacity_bytes, size_t *len_bytes)
{
    struct norm_memory *memory = ctx;
    size_t len = memory->left.len_bytes < capacity_bytes ? memory->left.len_bytes : capacity_bytes;
    if (len == 0) {
        return hr_status_of(HR_CLOSED);
    }
    memcpy(out, memory->left.data, len);
    memory->left = hr_bytes_of(memory->left.data + len, memory->left.len_bytes - len);
    *len_bytes = len;
    return hr_ok();
}

struct norm_source norm_memory_source(struct norm_memory *memory, struct hr_bytes bytes)
{
    memory->left = bytes;
    return (struct norm_source){.next = memory_next, .ctx = memory};
}

void norm_window_open(struct norm_window *window, struct norm_source source, uint64_t max_bytes)
{
    window->source = source;
    window->max_bytes = max_bytes;
    window->read_bytes = 0;
    window->at = 0;
    window->end = 0;
}

struct hr_status norm_window_more(struct norm_window *window)
{
    if (window->at > 0) {
        memmove(window->bytes, window->bytes + window->at, window->end - window->at);
        window->end -= window->at;
        window->at = 0;
    }
    if (window->end == sizeof window->bytes) {
        return hr_status_of(HR_FULL);
    }
    size_t len = 0;
    HR_TRY(window->source.next(window->source.ctx, window->bytes + window->end,
                               sizeof window->bytes - window->end, &len));
    window->read_bytes += len;
    if (window->read_bytes > window->max_bytes) {
        return hr_status_of(HR_FULL);
    }
    window->end += len;
    return hr_ok();
}
