/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/base64.h"

#include "proto/base/assert.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct hr_status config_base64_decode(const char *text, uint8_t *out, size_t capacity_bytes,
                                      size_t *len_bytes)
{
    size_t len = strlen(text);
    size_t padding = 0;
    while (padding < 2 && padding < len && text[len - 1 - padding] == '=') {
        padding++;
    }
    if (len == 0 || len % 4 != 0) {
        return hr_status_of(HR_MALFORMED);
    }
    size_t n_bytes = len / 4 * 3 - padding;
    if (n_bytes > capacity_bytes) {
        return hr_status_of(HR_FULL);
    }
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t at = 0;
    for (size_t i = 0; i < len - padding; i++) {
        const char *place = strchr(alphabet, text[i]);
        if (place == NULL) {
            return hr_status_of(HR_MALFORMED);
        }
        bits = bits << 6 | (uint32_t)(place - alphabet);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[at++] = (uint8_t)(bits >> n_bits);
            bits &= (1u << n_bits) - 1;
        }
    }
    if (bits != 0) {
        return hr_status_of(HR_MALFORMED);
    }
    *len_bytes = at;
    return hr_ok();
}

void config_base64_encode(struct hr_bytes bytes, char *out, size_t capacity_chars)
{
    HR_ASSERT(capacity_chars > (bytes.len_bytes + 2) / 3 * 4);
    size_t at = 0;
    for (size_t i = 0; i < bytes.len_bytes; i += 3) {
        size_t left = bytes.len_bytes - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)bytes.data[i + 2] : 0);
        out[at++] = alphabet[group >> 18];
        out[at++] = alphabet[group >> 12 & 63];
        out[at++] = left > 1 ? alphabet[group >> 6 & 63] : '=';
        out[at++] = left > 2 ? alphabet[group & 63] : '=';
    }
    out[at] = '\0';
}
