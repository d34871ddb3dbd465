/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/text.h"

#include "proto/base/assert.h"

/* Bytes of the well-formed UTF-8 character at the start of text (RFC 3629 section 4), 0 for none. */
static size_t utf8_char_len(struct hr_bytes text)
{
    static const struct {
        uint8_t lead_first, lead_last, second_first, second_last, len_bytes;
    } table[] = {
        {0x20, 0x7E, 0x00, 0x00, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (size_t row = 0; row < HR_ARRAY_LEN(table); row++) {
        if (text.data[0] < table[row].lead_first || text.data[0] > table[row].lead_last) {
            continue;
        }
        size_t len_bytes = table[row].len_bytes;
        bool whole = len_bytes <= text.len_bytes;
        for (size_t i = 1; whole && i < len_bytes; i++) {
            uint8_t first = i == 1 ? table[row].second_first : 0x80;
            uint8_t last = i == 1 ? table[row].second_last : 0xBF;
            whole = text.data[i] >= first && text.data[i] <= last;
        }
        return whole ? len_bytes : 0;
    }
    return 0;
}

bool hr_text_ok(struct hr_bytes text)
{
    while (text.len_bytes > 0) {
        size_t len_bytes = utf8_char_len(text);
        /* U+0080 to U+009F are the control characters that take two bytes. */
        bool control = len_bytes == 2 && text.data[0] == 0xC2 && text.data[1] < 0xA0;
        if (len_bytes == 0 || control) {
            return false;
        }
        text = hr_bytes_of(text.data + len_bytes, text.len_bytes - len_bytes);
    }
    return true;
}
