/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/ais/ais_internal.h"

#include "proto/base/assert.h"

enum {
    USUAL_PART_CHARS = 60, /* what fits IEC 61162-1's 82 characters, and whole octets */
    MAX_PARTS = 9,
};

static uint32_t part_chars(const struct edge_ais *ais)
{
    uint32_t even = (ais->payload_chars + MAX_PARTS - 1U) / MAX_PARTS;
    return even > USUAL_PART_CHARS ? even : USUAL_PART_CHARS;
}

uint8_t tap_ais_parts(const struct edge_ais *ais)
{
    uint32_t per_part = part_chars(ais);
    return (uint8_t)((ais->payload_chars + per_part - 1) / per_part);
}

/* The armor of character `index` of the payload. */
static char armor_at(const struct edge_ais *ais, uint32_t index)
{
    uint32_t bit = index * 6;
    uint32_t byte = bit / 8;
    uint32_t two = (uint32_t)ais->payload[byte] << 8;
    if (byte + 1 < EDGE_AIS_PAYLOAD_MAX_BYTES) {
        two |= ais->payload[byte + 1];
    }
    uint32_t value = two >> (10 - bit % 8) & 63;
    return (char)(value < 40 ? value + 48 : value + 56);
}

static char *put_text(char *at, const char *text)
{
    while (*text != '\0') {
        *at++ = *text++;
    }
    return at;
}

static char digit(uint32_t value)
{
    return (char)('0' + value);
}

size_t tap_ais_print(const struct edge_ais *ais, uint8_t part, uint8_t sequence,
                     char out[TAP_AIS_SENTENCE_MAX_BYTES])
{
    static const char HEX[] = "0123456789ABCDEF";
    uint32_t n_parts = tap_ais_parts(ais);
    HR_ASSERT(part >= 1 && part <= n_parts && sequence <= 9);
    uint32_t first = (part - 1U) * part_chars(ais);
    uint32_t behind = part == n_parts ? ais->payload_chars : first + part_chars(ais);
    char *at = out;
    *at++ = '!';
    *at++ = ais->talker[0];
    *at++ = ais->talker[1];
    at = put_text(at, ais->own_ship ? "VDO," : "VDM,");
    *at++ = digit(n_parts);
    *at++ = ',';
    *at++ = digit(part);
    *at++ = ',';
    if (n_parts > 1) {
        *at++ = digit(sequence);
    }
    *at++ = ',';
    if (ais->channel != 0) {
        *at++ = ais->channel;
    }
    *at++ = ',';
    for (uint32_t i = first; i < behind; i++) {
        *at++ = armor_at(ais, i);
    }
    *at++ = ',';
    *at++ = digit(part == n_parts ? ais->fill_bits : 0);
    uint8_t sum = tap_ais_xor((const uint8_t *)out + 1, (size_t)(at - out - 1));
    *at++ = '*';
    *at++ = HEX[sum >> 4];
    *at++ = HEX[sum & 15];
    at = put_text(at, "\r\n");
    *at = '\0';
    return (size_t)(at - out);
}
