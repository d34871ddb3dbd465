/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/ais/ais_internal.h"

#include <string.h>

enum {
    BAD = 0xC0,         /* a bit above every armor value, so that one OR over many characters shows it */
    HEAD_BYTES = 7,     /* !ttVDM, */
    CHECKSUM_BYTES = 3, /* *hh */
    MAX_PART_NUMBER = 9,
};

/* IEC 61162-1, 8.2.4: characters 48 to 87 are 0 to 39, 96 to 119 are 40 to 63. */
static const uint8_t ARMOR[256] = {
    /* clang-format off */
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
      0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,  13,  14,  15,
     16,  17,  18,  19,  20,  21,  22,  23,  24,  25,  26,  27,  28,  29,  30,  31,
     32,  33,  34,  35,  36,  37,  38,  39, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
     40,  41,  42,  43,  44,  45,  46,  47,  48,  49,  50,  51,  52,  53,  54,  55,
     56,  57,  58,  59,  60,  61,  62,  63, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD,
    /* clang-format on */
};

uint8_t tap_ais_xor(const uint8_t *bytes, size_t len_bytes)
{
    uint64_t lanes = 0;
    while (len_bytes >= sizeof lanes) {
        uint64_t word = 0;
        memcpy(&word, bytes, sizeof word);
        lanes ^= word;
        bytes += sizeof word;
        len_bytes -= sizeof word;
    }
    lanes ^= lanes >> 32;
    lanes ^= lanes >> 16;
    lanes ^= lanes >> 8;
    uint8_t sum = (uint8_t)lanes;
    while (len_bytes > 0) {
        sum ^= *bytes++;
        len_bytes--;
    }
    return sum;
}

static uint8_t upper(uint8_t c)
{
    return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 'A') : c;
}

bool tap_ais_hex_is(const uint8_t *hex, uint8_t sum)
{
    static const uint8_t DIGIT[] = "0123456789ABCDEF";
    return upper(hex[0]) == DIGIT[sum >> 4] && upper(hex[1]) == DIGIT[sum & 15];
}

static bool is_talker(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || (c >= 'a' && c <= 'z');
}

static bool is_sentence(const uint8_t *at)
{
    return at[3] == 'V' && at[4] == 'D' && (at[5] == 'M' || at[5] == 'O') && at[6] == ',' &&
           is_talker(at[1]) && is_talker(at[2]);
}

const uint8_t *tap_ais_find_sentence(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= HEAD_BYTES) {
        const uint8_t *bang = memchr(at, '!', (size_t)(end - at - HEAD_BYTES + 1));
        if (bang == NULL || is_sentence(bang)) {
            return bang;
        }
        at = bang + 1;
    }
    return NULL;
}

/* Reads a field of one character, or none, and the comma behind it. Returns the character, 0 for an empty
 * field and -1 for anything else. */
static int read_field(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *p = *at;
    if (p < end && p[0] == ',') {
        *at = p + 1;
        return 0;
    }
    if (end - p < 2 || p[1] != ',') {
        return -1;
    }
    *at = p + 2;
    return p[0];
}

static bool is_digit_or_none(int field)
{
    return field == 0 || (field >= '0' && field <= '9');
}

static bool is_channel_or_none(int field)
{
    return is_digit_or_none(field) || (field >= 'A' && field <= 'Z') || (field >= 'a' && field <= 'z');
}

/* Reads total, number, sequence id and channel, and leaves *at on the payload. */
static bool read_head(const uint8_t **at, const uint8_t *end, struct tap_ais_sentence *out)
{
    int total = read_field(at, end);
    int number = read_field(at, end);
    int sequence = read_field(at, end);
    int channel = read_field(at, end);
    if (total < '1' || total > '0' + MAX_PART_NUMBER || number < '1' || number > total) {
        return false;
    }
    if (!is_digit_or_none(sequence) || !is_channel_or_none(channel)) {
        return false;
    }
    out->total = (uint8_t)(total - '0');
    out->number = (uint8_t)(number - '0');
    out->sequence = (char)sequence;
    out->channel = (char)channel;
    return true;
}

enum tap_ais_counter tap_ais_read_sentence(const uint8_t *at, const uint8_t *end,
                                           struct tap_ais_sentence *out)
{
    const uint8_t *star = memchr(at, '*', (size_t)(end - at));
    if (star == NULL) {
        return TAP_AIS_MISSING_CHECKSUM;
    }
    if (end - star < CHECKSUM_BYTES ||
        !tap_ais_hex_is(star + 1, tap_ais_xor(at + 1, (size_t)(star - at - 1)))) {
        return TAP_AIS_BAD_CHECKSUM;
    }
    out->talker[0] = (char)at[1];
    out->talker[1] = (char)at[2];
    out->own_ship = at[5] == 'O';
    at += HEAD_BYTES;
    /* Behind the four head fields: payload, comma, fill bits. */
    if (!read_head(&at, star, out) || star - at < 2 || star[-2] != ',') {
        return TAP_AIS_MALFORMED_FIELDS;
    }
    if (star[-1] < '0' || star[-1] > '6') {
        return TAP_AIS_BAD_FILL;
    }
    out->fill_bits = (uint8_t)(star[-1] - '0');
    out->payload = hr_bytes_of(at, (size_t)(star - 2 - at));
    return out->payload.len_bytes == 0 ? TAP_AIS_EMPTY_PAYLOAD : TAP_AIS_SENTENCES;
}

/* Four characters are three octets. */
static uint32_t read_four(const uint8_t *in, uint32_t *seen)
{
    uint32_t a = ARMOR[in[0]];
    uint32_t b = ARMOR[in[1]];
    uint32_t c = ARMOR[in[2]];
    uint32_t d = ARMOR[in[3]];
    *seen |= a | b | c | d;
    return a << 18 | b << 12 | c << 6 | d;
}

/* Appends to octets; for whole groups of four, and returns how many characters that was. */
static size_t dearmor_aligned(uint8_t *out, struct hr_bytes text, uint32_t *seen)
{
    size_t at = 0;
    for (; text.len_bytes - at >= 4; at += 4) {
        uint32_t bits = read_four(text.data + at, seen);
        out[0] = (uint8_t)(bits >> 16);
        out[1] = (uint8_t)(bits >> 8);
        out[2] = (uint8_t)bits;
        out += 3;
    }
    return at;
}

bool tap_ais_dearmor(uint8_t *payload, uint32_t n_bits, struct hr_bytes text)
{
    uint8_t *out = payload + n_bits / 8;
    uint32_t n_held = n_bits % 8;
    uint32_t held = n_held == 0 ? 0 : (uint32_t)*out >> (8 - n_held);
    uint32_t seen = 0;
    size_t at = 0;
    if (n_held == 0) {
        at = dearmor_aligned(out, text, &seen);
        out += at / 4 * 3;
    }
    /* The rest, and everything when the part before ended inside an octet: up to 7 bits wait in `held`. */
    for (; at < text.len_bytes; at++) {
        seen |= ARMOR[text.data[at]];
        held = held << 6 | ARMOR[text.data[at]];
        n_held += 6;
        if (n_held >= 8) {
            n_held -= 8;
            *out++ = (uint8_t)(held >> n_held);
        }
    }
    if (n_held > 0) {
        *out = (uint8_t)(held << (8 - n_held));
    }
    return (seen & BAD) == 0;
}
