/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the AIS tap share; nobody else includes this. */
#ifndef TAP_AIS_INTERNAL_H
#define TAP_AIS_INTERNAL_H

#include "firmware/taps/ais/tap_ais.h"

/* A VDM or VDO sentence that passed its checks; the payload is borrowed from the line and may still be badly
 * armored. */
struct tap_ais_sentence {
    struct hr_bytes payload;
    char talker[2];
    char channel;  /* 0: empty */
    char sequence; /* 0: empty */
    bool own_ship;
    uint8_t total;     /* 1 to 9 */
    uint8_t number;    /* 1 to total */
    uint8_t fill_bits; /* 0 to 6 */
};

/* XOR of the bytes: the checksum of sentences and TAG blocks. */
uint8_t tap_ais_xor(const uint8_t *bytes, size_t len_bytes);

/* Whether the two characters at `hex`, in either case, are the number `sum`. */
bool tap_ais_hex_is(const uint8_t *hex, uint8_t sum);

/* The first "!ttVDM," or "!ttVDO," in [at, end); NULL for none. */
const uint8_t *tap_ais_find_sentence(const uint8_t *at, const uint8_t *end);

/* Reads the sentence that starts at `at` (as found by tap_ais_find_sentence) and ends before `end`. Returns
 * TAP_AIS_SENTENCES when it is good, else the counter of what is wrong with it; *out is then undefined. */
enum tap_ais_counter tap_ais_read_sentence(const uint8_t *at, const uint8_t *end,
                                           struct tap_ais_sentence *out);

/* Reads the TAG block that starts at `at`, where a backslash stands. Returns where the line goes on behind
 * it, or NULL when it is not closed. What is wrong is counted in tap; *tag gets what is usable, all of it
 * empty when the checksum is wrong. */
const uint8_t *tap_ais_read_tag(struct tap_ais *tap, const uint8_t *at, const uint8_t *end,
                                struct tap_ais_tag *tag);

/* Puts the sentence's payload where it belongs and delivers the message if that completes it. */
void tap_ais_take_sentence(struct tap_ais *tap, uint8_t stream_id, const struct tap_ais_sentence *sentence,
                           const struct tap_ais_tag *tag, uint64_t uptime_ms);

/* Gives up what the stream left incomplete. */
void tap_ais_abandon_stream(struct tap_ais *tap, uint8_t stream_id);

/* Whether the filters let the message pass; counts it when not. */
bool tap_ais_passes(struct tap_ais *tap, const struct edge_ais *ais, uint64_t uptime_ms);

/* Appends the characters, six bits each, behind the first n_bits of payload and pads with zero bits to the
 * octet. False: a character is not armor, and the octets from the last whole one on are undefined. The caller
 * knows that there is room. */
bool tap_ais_dearmor(uint8_t *payload, uint32_t n_bits, struct hr_bytes text);

#endif
