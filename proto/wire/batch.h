/* SPDX-License-Identifier: Apache-2.0
 *
 * The batch: 108 bytes of header, 64 of signature, and n length-prefixed records. proto/SPEC.md section 2 has
 * every byte. Encoding takes trusted structs; decoding doubts every byte and is fuzzed
 * (tests/fuzz/fuzz_envelope.c). Nothing here allocates, keeps a pointer, or looks into a record. [any] */
#ifndef WIRE_BATCH_H
#define WIRE_BATCH_H

#include "proto/base/bytes.h"
#include "proto/base/cursor.h"
#include "proto/base/status.h"
#include "proto/wire/hash.h"
#include "proto/wire/merkle.h"

enum {
    WIRE_HEADER_BYTES = 108,
    WIRE_SIGNATURE_BYTES = 64, /* raw r || s, big-endian, 32 bytes each */
    WIRE_TBS_BYTES = 173,
    WIRE_PREFIX_BYTES = WIRE_HEADER_BYTES + WIRE_SIGNATURE_BYTES, /* 172: what stands before the payload */
    WIRE_MCU_ENVELOPE_MAX_BYTES = 1024,      /* one CoAP message, no block-wise transfer */
    WIRE_GATEWAY_ENVELOPE_MAX_BYTES = 15360, /* one CoAP message in one 16 KB TLS record */
    WIRE_MAGIC = 0x45B1,
    WIRE_ALG_ES256 = 1,
    WIRE_SCHEMA_ID = 1, /* proto/edge/record.proto as it stands */
};

/* No batch is in this place: the cumulative sequence of a stream of which nothing is committed yet. No batch
 * is ever sealed with this number. */
#define WIRE_SEQ_NONE 0xFFFFFFFFu

enum wire_flag {
    WIRE_FLAG_FIRST_OF_STREAM = 1u << 0,
    WIRE_FLAG_KEY_SWITCH = 1u << 1,
    WIRE_FLAG_LOSS = 1u << 2, /* at least one Loss record is in the payload */
    WIRE_FLAG_WANTS_RECEIPT = 1u << 3,
    WIRE_FLAGS_KNOWN = 0x0Fu,
};

struct wire_header {
    uint8_t flags; /* enum wire_flag, or-ed */
    uint64_t device_id;
    uint32_t stream;
    uint16_t key_epoch;
    uint32_t batch_seq;        /* dense from 0 in each stream, below WIRE_SEQ_NONE */
    uint64_t first_record_seq; /* below 2^48 */
    uint16_t n_records;        /* 0 is a heartbeat */
    uint16_t payload_len_bytes;
    uint32_t boot_id;
    uint64_t base_uptime_ms; /* below 2^48 */
    uint16_t schema_id;
    uint8_t prev_digest[WIRE_DIGEST_BYTES];
    uint8_t root[WIRE_DIGEST_BYTES];
};

/* Writes the 108 bytes of the header. Asserts that the 48-bit fields fit and no unknown flag is set. */
void wire_header_encode(const struct wire_header *header, uint8_t out[WIRE_HEADER_BYTES]);

/* Reads 108 bytes. HR_MALFORMED: unknown flag bits or batch_seq WIRE_SEQ_NONE. HR_NOT_FOUND: a magic,
 * algorithm or schema this build doesn't know (the answer to the sender is 4.15). *out is written only on
 * success. */
HR_MUST_USE struct hr_status wire_header_decode(const uint8_t in[WIRE_HEADER_BYTES], struct wire_header *out);

/* An envelope taken apart; the slices borrow from the bytes that were given. */
struct wire_envelope {
    struct wire_header header;
    const uint8_t *header_bytes;    /* WIRE_HEADER_BYTES */
    const uint8_t *signature_bytes; /* WIRE_SIGNATURE_BYTES */
    struct hr_bytes payload;
};

/* Takes an envelope apart and checks lengths: the whole is exactly 172 + payload_len bytes. Errors as
 * wire_header_decode, and HR_MALFORMED for any wrong length. Signature, root and records are NOT checked. */
HR_MUST_USE struct hr_status wire_envelope_split(struct hr_bytes envelope, struct wire_envelope *out);

/* The bytes that are signed: a COSE Sig_structure (RFC 9052 section 4.4) over the header, bound to the key by
 * the SHA-256 of its SubjectPublicKeyInfo in DER. */
void wire_tbs(const uint8_t header[WIRE_HEADER_BYTES], const uint8_t spki_sha256[WIRE_DIGEST_BYTES],
              uint8_t out[WIRE_TBS_BYTES]);

/* The batch digest, SHA-256(header): chain link and content identity. The signature is never part of it. */
void wire_batch_digest(const struct wire_hash *hash, const uint8_t header[WIRE_HEADER_BYTES],
                       uint8_t out[WIRE_DIGEST_BYTES]);

/* prev_digest of batch 0 of a stream: SHA-256("edge.stream0.v1" || device_id || stream || last_digest), where
 * last_digest is the digest of the last batch of the device's previous stream, or 32 zero bytes. */
void wire_stream_anchor(const struct wire_hash *hash, uint64_t device_id, uint32_t stream,
                        const uint8_t last_digest[WIRE_DIGEST_BYTES], uint8_t out[WIRE_DIGEST_BYTES]);

/* Reads the next record of a payload: a shortest-form varint length of at least 1, then that many bytes,
 * borrowed into *out. HR_CLOSED at the clean end; HR_MALFORMED when a length is padded or runs over the end.
 */
HR_MUST_USE struct hr_status wire_record_next(struct hr_reader *payload, struct hr_bytes *out);

/* Checks that the payload is exactly n_records well-framed records and that their Merkle root is `root`.
 * HR_MALFORMED: framing or count. HR_DENIED: framing is right and the root is another. `tree` is working
 * memory of half a kilobyte. */
HR_MUST_USE struct hr_status wire_payload_check_in(struct wire_merkle *tree, const struct wire_hash *hash,
                                                   struct hr_bytes payload, uint16_t n_records,
                                                   const uint8_t root[WIRE_DIGEST_BYTES]);

/* The same where the stack has room for it, which a microcontroller's has not. */
static inline HR_MUST_USE struct hr_status wire_payload_check(const struct wire_hash *hash,
                                                              struct hr_bytes payload, uint16_t n_records,
                                                              const uint8_t root[WIRE_DIGEST_BYTES])
{
    struct wire_merkle tree;
    return wire_payload_check_in(&tree, hash, payload, n_records, root);
}

#endif
