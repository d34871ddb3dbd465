/* SPDX-License-Identifier: Apache-2.0
 *
 * One Modbus line as its master sees it: requests out, bytes in, registers or a named failure out. The same
 * code frames RTU (a serial line: address, PDU, CRC) and TCP (MBAP header, PDU); sources: "MODBUS Application
 * Protocol Specification V1.1b3" sections 4 and 6, "MODBUS over Serial Line V1.02" section 2.5 and its
 * appendix B, "MODBUS Messaging on TCP/IP Implementation Guide V1.0b" section 3.1.3.
 *
 * It only reads: functions 3 and 4 are all that it can ask, so that no bug and no configuration of a
 * collector can switch anything in a plant.
 *
 * One request is under way at a time. What was asked tells how long the right answer is, so that an RTU frame
 * ends by its length and CRC and not by silence on the line, which neither a UART behind USB nor a busy
 * gateway can measure. Noise before an answer, and whole frames of other units, are passed over.
 *
 * RTU numbers no requests: an answer that comes after the caller gave up, of the same unit and length as the
 * next request's, can't be told from it. So after a time-out he leaves an RTU line alone for as long as an
 * answer may be late.
 *
 * No heap, no clock: time-outs are the caller's, who says "over" when he gives up. Calls are [loop]. */
#ifndef TAP_MODBUS_H
#define TAP_MODBUS_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"
#include "proto/edge/record.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TAP_MODBUS_READ_MAX_REGISTERS = 125, /* of one request; V1.1b3 section 6.3 */
    TAP_MODBUS_REQUEST_MAX_BYTES = 12,   /* TCP; RTU takes 8 */
    TAP_MODBUS_FRAME_MAX_BYTES = 260,    /* TCP: 7 of header, 253 of PDU; RTU 256 */
};

enum tap_modbus_framing { TAP_MODBUS_RTU, TAP_MODBUS_TCP };

/* The two tables of a device that hold registers; the function code that reads each. */
enum tap_modbus_table { TAP_MODBUS_HOLDING = 3, TAP_MODBUS_INPUT = 4 };

struct tap_modbus_request {
    uint8_t unit;                /* 1 to 247 on a serial line; any over TCP */
    enum tap_modbus_table table; /* of the device */
    uint16_t address;            /* of the first register, counted from 0 as on the wire */
    uint16_t n_registers;        /* 1 to TAP_MODBUS_READ_MAX_REGISTERS, address + n_registers <= 65536 */
};

enum tap_modbus_state {
    TAP_MODBUS_IDLE,     /* nothing was asked yet */
    TAP_MODBUS_WAITING,  /* asked; the answer is not complete */
    TAP_MODBUS_ANSWERED, /* `registers` holds n_registers values */
    /* How a request fails. All of them leave the line ready for the next request, but BROKEN. */
    TAP_MODBUS_EXCEPTION,    /* the device refused; `exception` has its code (2: no such address) */
    TAP_MODBUS_SILENT,       /* not a byte came; on TCP none but of answers to former requests */
    TAP_MODBUS_TRUNCATED,    /* the beginning of the right answer came, and no more */
    TAP_MODBUS_BAD_CRC,      /* RTU: an answer of the right shape whose CRC is wrong */
    TAP_MODBUS_WRONG_UNIT,   /* a whole frame came, of another unit */
    TAP_MODBUS_WRONG_ANSWER, /* a whole frame of this unit came, for another function or number of registers
                              */
    TAP_MODBUS_NOISE,        /* bytes came, nothing of the above */
    TAP_MODBUS_BROKEN, /* TCP: a header that can't be; where frames begin is lost: close the connection */
    TAP_MODBUS_N_STATES
};

enum tap_modbus_counter {
    TAP_MODBUS_REQUESTS,
    TAP_MODBUS_ANSWERS,
    TAP_MODBUS_EXCEPTIONS,
    TAP_MODBUS_SILENCES,
    TAP_MODBUS_TRUNCATIONS,
    TAP_MODBUS_BAD_CRCS,
    TAP_MODBUS_WRONG_UNITS,   /* requests that ended so */
    TAP_MODBUS_WRONG_ANSWERS, /* requests that ended so */
    TAP_MODBUS_NOISES,
    TAP_MODBUS_BROKEN_STREAMS,
    TAP_MODBUS_FOREIGN_FRAMES, /* whole frames passed over while another was waited for, or none: late,
                                  doubled, other units' */
    TAP_MODBUS_NOISE_BYTES,    /* bytes that belonged to no frame */
    TAP_MODBUS_N_COUNTERS
};

/* In the header for static allocation; read `state`, `exception`, `registers`, `counter`, write nothing. */
struct tap_modbus {
    enum tap_modbus_framing framing;
    enum tap_modbus_state state;
    struct tap_modbus_request asked;
    uint16_t transaction;   /* TCP: of the request under way */
    uint8_t exception;      /* of state EXCEPTION: 1 to 255 */
    bool saw_unit;          /* while WAITING: a whole frame of another unit came */
    bool saw_answer;        /* while WAITING: a whole frame of this unit, but not the answer */
    bool saw_crc;           /* while WAITING: a frame of the right shape with a wrong CRC */
    bool saw_bytes;         /* while WAITING: any byte */
    uint16_t len_bytes;     /* of frame */
    uint16_t scanned_bytes; /* RTU: of those, looked at before */
    uint8_t frame[TAP_MODBUS_FRAME_MAX_BYTES];
    uint16_t registers[TAP_MODBUS_READ_MAX_REGISTERS]; /* of state ANSWERED, asked.n_registers of them */
    uint64_t counter[TAP_MODBUS_N_COUNTERS];
};

/* A line without a request; counters at 0. */
void tap_modbus_init(struct tap_modbus *line, enum tap_modbus_framing framing);

/* A new connection or an opened device: half a frame of the old one is dropped, a request under way is over.
 * The counters stay. */
void tap_modbus_reset(struct tap_modbus *line);

/* Writes the request's bytes to out and returns how many: 8 for RTU, 12 for TCP. The line is WAITING
 * afterwards. On RTU whatever came before is dropped. Asserts that the request is in its ranges, that none is
 * WAITING, and that the line is not BROKEN. */
size_t tap_modbus_ask(struct tap_modbus *line, const struct tap_modbus_request *request,
                      uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES]);

/* Takes bytes as they arrive, cut anywhere. Returns the state then; one that is neither IDLE nor WAITING ends
 * the request and stays until the next. Bytes behind the answer are taken too. */
enum tap_modbus_state tap_modbus_feed(struct tap_modbus *line, struct hr_bytes bytes);

/* The caller has waited long enough, or an RTU line has been silent for long behind some bytes. A request
 * that is WAITING ends, named by what came: returns the state. Nothing happens when none is WAITING. */
enum tap_modbus_state tap_modbus_over(struct tap_modbus *line);

/* CRC-16/MODBUS of the bytes (reflected 0x8005, start 0xFFFF): the low octet goes first on the wire. [any] */
uint16_t tap_modbus_crc(struct hr_bytes bytes);

/* A state's name for logs: "bad_crc". Static storage. */
const char *tap_modbus_state_name(enum tap_modbus_state state);

/* Adds the line's counters by name to out, which has room for TAP_MODBUS_N_COUNTERS more. */
void tap_modbus_stats(const struct tap_modbus *line, struct edge_stats *out);

#endif
