/* SPDX-License-Identifier: Apache-2.0
 *
 * A borrowed run of bytes. Whoever receives one may read it until the call returns, unless a header says
 * "kept". */
#ifndef HR_BYTES_H
#define HR_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct hr_bytes {
    const uint8_t *data;
    size_t len_bytes;
};

static inline struct hr_bytes hr_bytes_of(const void *data, size_t len_bytes)
{
    return (struct hr_bytes){(const uint8_t *)data, len_bytes};
}

#endif
