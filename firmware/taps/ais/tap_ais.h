/* SPDX-License-Identifier: Apache-2.0
 *
 * The AIS tap: bytes of an NMEA 0183 feed in, AIS messages out (IEC 61162-1 VDM and VDO, IEC 61162-450 and
 * NMEA 4 TAG blocks). It checks, joins and de-armors, and gives no meaning to the bits: that is the
 * normalizer's work.
 *
 * What it accepts. Lines end in LF, CR or CRLF and hold up to TAP_AIS_LINE_MAX_BYTES without the ending. A
 * sentence is !ttVDM or !ttVDO with any talker of letters, digits and dashes, and must carry a right
 * checksum. Text before the '!' and behind the checksum is left out (log prefixes, receiver comments); a line
 * that starts with '#' is a comment. When a sentence was cut off and the next one begins in the same line,
 * the next one is found. Parts of a message (up to 9) are joined in order, per stream, talker, channel,
 * sequence id, and TAG group and station where both parts name one.
 *
 * Bad input is counted, one counter a kind, and never stops the tap. No heap, no clock: everything is in the
 * structs below, and time comes in with the bytes. Calls are [loop]; one tap and its streams belong to one
 * thread. */
#ifndef TAP_AIS_H
#define TAP_AIS_H

#include "proto/base/bytes.h"
#include "proto/edge/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two sizes are the board's (its board.cmake; firmware/taps/ais/CMakeLists.txt): TAP_AIS_LINE_MAX_BYTES of a
 * line, and TAP_AIS_ASSEMBLIES, the messages of several sentences that may be open at once. */
enum {
    TAP_AIS_ASSEMBLY_TIMEOUT_MS = 15000,
    TAP_AIS_SENTENCE_MAX_BYTES = 96, /* of a printed sentence with CR, LF and NUL */
};

enum tap_ais_counter {
    TAP_AIS_SENTENCES,          /* VDM and VDO sentences with a right checksum and well-formed fields */
    TAP_AIS_MESSAGES,           /* handed to the sink */
    TAP_AIS_OTHER_SENTENCES,    /* NMEA that is not AIS: $GPGGA, $PGHP, !AIABM ... */
    TAP_AIS_OTHER_LINES,        /* neither: comments, prompts, noise */
    TAP_AIS_LEADING_GARBAGE,    /* AIS found behind something else in its line */
    TAP_AIS_LINE_TOO_LONG,      /* dropped up to its end */
    TAP_AIS_BAD_CHECKSUM,       /* wrong, or not two hexadecimal digits */
    TAP_AIS_MISSING_CHECKSUM,   /* no '*' */
    TAP_AIS_MALFORMED_FIELDS,   /* right checksum, but not the fields of a VDM */
    TAP_AIS_EMPTY_PAYLOAD,      /* right checksum, nothing in it; some receivers' heartbeat */
    TAP_AIS_BAD_ARMOR,          /* of those, a payload character outside 48..87 and 96..119 */
    TAP_AIS_BAD_FILL,           /* fill bits not 0 to 6; dropped */
    TAP_AIS_ODD_FILL,           /* fill bits 6, or not 0 before the last part; understood and kept */
    TAP_AIS_OVERSIZE_MESSAGE,   /* more than 560 characters */
    TAP_AIS_BAD_TAG_CHECKSUM,   /* the sentence is taken, without its TAG block */
    TAP_AIS_MALFORMED_TAG,      /* an unclosed block, or an unusable c:, s: or g:; what is usable is taken */
    TAP_AIS_PART_OUT_OF_ORDER,  /* a part whose forerunner never came; its message is lost */
    TAP_AIS_PART_DUPLICATE,     /* a part that was there already; ignored */
    TAP_AIS_ASSEMBLY_RESTARTED, /* a first part came while its forerunner was incomplete, which is dropped */
    TAP_AIS_ASSEMBLY_ABANDONED, /* parts missing when the timeout passed or the stream ended */
    TAP_AIS_ASSEMBLY_EVICTED,   /* the oldest incomplete message, dropped because all places were taken */
    TAP_AIS_SUPPRESSED_DUPLICATE,   /* same payload within the duplicate window */
    TAP_AIS_SUPPRESSED_DOWNSAMPLED, /* position of a vessel heard less than the interval ago */
    TAP_AIS_FILTER_TABLE_FULL,      /* let through because a filter had no room to remember it */
    TAP_AIS_N_COUNTERS
};

/* Receives each message, borrowed until it returns. Bytes of ais->payload behind its last octet are
 * undefined. It must not call the tap. */
struct tap_ais_sink {
    void (*message)(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms);
    void *ctx;
};

/* One remembered key of a filter; memory that the caller gives. */
struct tap_ais_seen {
    uint64_t key;
    uint64_t until_ms; /* 0: never used */
};

/* A filter is off while its period is 0. Its table is given and kept: a power of two of at least 4 places.
 * When the places for a key are all taken by keys that still count, the message passes
 * (TAP_AIS_FILTER_TABLE_FULL): a filter that is too small suppresses less, never more. Take twice the
 * messages (vessels) expected in one period. */
struct tap_ais_filter {
    uint32_t period_ms;
    uint32_t n_seen;
    struct tap_ais_seen *seen;
};

struct tap_ais_config {
    uint32_t assembly_timeout_ms; /* from the first part; 0: TAP_AIS_ASSEMBLY_TIMEOUT_MS */
    /* A message with the same payload as one delivered less than the period ago, on whatever stream or
     * channel, is suppressed. Payloads are told apart by a 64-bit hash: among n different ones in a period,
     * the chance that any two are mixed up is n * n / 2^65. */
    struct tap_ais_filter duplicates;
    /* Of each vessel (MMSI) one position report (types 1, 2, 3, 18, 19, 27) a period is delivered; all other
     * types always pass. */
    struct tap_ais_filter downsample;
};

/* The rest of this page up to the functions is in the header for static allocation only. */

struct tap_ais_tag {
    int64_t source_time_ms; /* 0: none */
    uint32_t group_id;      /* 0: none; else the id + 1 */
    uint8_t group_number;
    uint8_t group_total;
    char station[EDGE_AIS_STATION_MAX_CHARS + 1];
};

struct tap_ais_assembly {
    struct edge_ais message;
    uint64_t started_ms;
    uint32_t group_id; /* as in struct tap_ais_tag */
    uint16_t n_bits;   /* of message.payload so far */
    uint8_t stream_id;
    uint8_t total; /* 0: the place is free */
    uint8_t next;  /* number of the part that is waited for */
    char sequence;
};

/* One connection or device: half a line of one must never meet half a line of another. */
struct tap_ais_stream {
    struct tap_ais_tag group; /* TAG block of the last group that began; its later lines inherit c: and s: */
    uint64_t group_until_ms;
    uint16_t line_len_bytes;
    uint8_t id;
    bool overlong; /* the line in progress is too long and will be dropped */
    uint8_t line[TAP_AIS_LINE_MAX_BYTES];
};

struct tap_ais {
    struct tap_ais_config config;
    struct tap_ais_sink sink;
    uint64_t counter[TAP_AIS_N_COUNTERS];
    struct edge_ais message; /* of one sentence, being built */
    struct tap_ais_assembly assembly[TAP_AIS_ASSEMBLIES];
};

/* Sets everything up; the config and the sink are copied, the filters' tables are kept and cleared. */
void tap_ais_init(struct tap_ais *tap, const struct tap_ais_config *config, const struct tap_ais_sink *sink);

/* Makes the stream ready. Streams of one tap have different ids. */
void tap_ais_stream_init(struct tap_ais_stream *stream, uint8_t id);

/* Takes bytes as they arrive, cut anywhere. The sink is called, before this returns, for each message that
 * they complete. uptime_ms never goes back between calls. */
void tap_ais_feed(struct tap_ais *tap, struct tap_ais_stream *stream, struct hr_bytes bytes,
                  uint64_t uptime_ms);

/* The bytes so far are a whole line even without an ending: a datagram ended. */
void tap_ais_end_line(struct tap_ais *tap, struct tap_ais_stream *stream, uint64_t uptime_ms);

/* The stream ended: as tap_ais_end_line, and its incomplete messages are given up. It may be fed again, as
 * new. */
void tap_ais_end_stream(struct tap_ais *tap, struct tap_ais_stream *stream, uint64_t uptime_ms);

/* Gives up messages whose timeout passed. Feeding does so too; an idle loop may call this now and then so
 * that the counters are up to date. */
void tap_ais_tick(struct tap_ais *tap, uint64_t uptime_ms);

/* Fills out with all counters by name, source "ais": "sentences", "bad_checksum" ... */
void tap_ais_stats(const struct tap_ais *tap, struct edge_stats *out);

/* The name of a counter as in tap_ais_stats. Static storage. */
const char *tap_ais_counter_name(enum tap_ais_counter counter);

/* Sentences that tap_ais_print needs for the message: 1 to 9. [any] */
uint8_t tap_ais_parts(const struct edge_ais *ais);

/* Prints sentence `part` (from 1) of the message as it may have come: armor, checksum, CR, LF and a NUL. A
 * message of several sentences gets the sequence id `sequence` (0 to 9; the original is not kept). TAG blocks
 * are not printed. Returns the length without the NUL. Parts hold 60 characters, or up to 63 where 60 would
 * not be enough. [any] */
size_t tap_ais_print(const struct edge_ais *ais, uint8_t part, uint8_t sequence,
                     char out[TAP_AIS_SENTENCE_MAX_BYTES]);

#endif
