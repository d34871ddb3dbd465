/* SPDX-License-Identifier: Apache-2.0
 *
 * The aggregator's answer, 29 bytes, to POST /b and GET /h, with success and with refusal alike.
 * proto/SPEC.md section 4 has the bytes and what a device does on each. [any] */
#ifndef WIRE_ACK_H
#define WIRE_ACK_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

enum { WIRE_ACK_BYTES = 29, WIRE_ACK_VERSION = 1, WIRE_ACK_DIGEST_BYTES = 8 };

enum wire_ack_status {
    WIRE_ACK_OK = 0,        /* 2.04: committed now, or the answer to GET /h */
    WIRE_ACK_DUPLICATE = 1, /* 2.04: was committed before */
    WIRE_ACK_GAP = 2, /* 2.04: cum_seq + 1 is missing; this batch was not kept unless its sack bit is set */
    WIRE_ACK_MALFORMED = 3,      /* 4.00: length, flags or framing */
    WIRE_ACK_UNKNOWN_KEY = 4,    /* 4.01: no record key of that epoch is registered */
    WIRE_ACK_REVOKED = 5,        /* 4.03 */
    WIRE_ACK_QUARANTINED = 6,    /* 4.03 */
    WIRE_ACK_UNKNOWN_DEVICE = 7, /* 4.03: no such device, or not the one of the certificate */
    WIRE_ACK_FORK = 8,           /* 4.09: prev_digest is not the digest of the batch before */
    WIRE_ACK_EQUIVOCATION = 9,   /* 4.09: this sequence number is committed with another digest */
    WIRE_ACK_UNSUPPORTED = 10,   /* 4.15: magic, algorithm or schema */
    WIRE_ACK_BAD_SIGNATURE = 11, /* 4.22 */
    WIRE_ACK_BAD_ROOT = 12,      /* 4.22: records don't match the signed root */
    WIRE_ACK_SLOW_DOWN = 13,     /* 4.29 with Max-Age: this device is too fast */
    WIRE_ACK_UNAVAILABLE = 14,   /* 5.03 with Max-Age: the ledger can't be written now */
    WIRE_ACK_STREAM_AHEAD = 15,  /* 2.05 to GET /h: `stream` is a higher one than was asked for */
};

enum wire_hint {
    WIRE_HINT_OTA = 1u << 0,
    WIRE_HINT_ROTATE = 1u << 1,
    WIRE_HINT_CONFIG = 1u << 2,
    WIRE_HINT_SLOW = 1u << 3,
    WIRE_HINT_RENEW = 1u << 4,
    WIRE_HINTS_KNOWN = 0x1Fu,
};

struct wire_ack {
    enum wire_ack_status status;
    uint32_t stream;
    uint32_t cum_seq; /* every batch up to this one is committed or covered by a signed Loss; WIRE_SEQ_NONE:
                         none */
    uint32_t
        sack; /* bit i: batch cum_seq + 2 + i is held by the aggregator (not durable: free nothing for it) */
    uint8_t
        cum_digest[WIRE_ACK_DIGEST_BYTES]; /* first 8 bytes of the digest of batch cum_seq; zeros for none */
    uint64_t server_utc_ms;                /* below 2^48 */
    uint8_t hints;
};

void wire_ack_encode(const struct wire_ack *ack, uint8_t out[WIRE_ACK_BYTES]);
/* HR_MALFORMED: another length or an unknown status or hint. HR_NOT_FOUND: another version. */
HR_MUST_USE struct hr_status wire_ack_decode(struct hr_bytes in, struct wire_ack *out);

/* The CoAP response code (class * 32 + detail, RFC 7252 section 3) that goes with a status. */
uint8_t wire_ack_coap_code(enum wire_ack_status status);
/* A short name such as "bad_signature" for logs and metrics; static storage. */
const char *wire_ack_status_name(enum wire_ack_status status);

#endif
