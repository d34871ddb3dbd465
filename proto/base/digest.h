/* SPDX-License-Identifier: Apache-2.0
 *
 * A short digest of what a build or a machine brings to normalizers besides their code, so that a log can
 * name it: FNV-1a with 64 bits, over bytes whose order no machine changes. It resists no forger.
 * Pure, and what is stored of it must never change. [any] */
#ifndef HR_DIGEST_H
#define HR_DIGEST_H

#include <stdint.h>
#include <string.h>

#define HR_DIGEST_START UINT64_C(0xCBF29CE484222325)

static inline uint64_t hr_digest_number(uint64_t digest, uint64_t number)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        digest = (digest ^ (number >> shift & 0xFF)) * UINT64_C(0x100000001B3);
    }
    return digest;
}

static inline uint64_t hr_digest_real(uint64_t digest, double real)
{
    uint64_t bits = 0;
    memcpy(&bits, &real, sizeof bits);
    return hr_digest_number(digest, bits);
}

/* With its end, so that "a", "b" is not "ab". */
static inline uint64_t hr_digest_text(uint64_t digest, const char *text)
{
    size_t len = strlen(text);
    digest = hr_digest_number(digest, len);
    for (size_t i = 0; i < len; i++) {
        digest = (digest ^ (uint8_t)text[i]) * UINT64_C(0x100000001B3);
    }
    return digest;
}

#endif
