/* SPDX-License-Identifier: Apache-2.0
 *
 * Is this envelope what a registered key signed? The room owns OpenSSL for hashing and ECDSA. It knows keys
 * by (device, epoch) and nothing about streams, order or device states: those are the core's. */
#ifndef AGG_VERIFY_H
#define AGG_VERIFY_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"
#include "proto/wire/ack.h"
#include "proto/wire/batch.h"

enum {
    VERIFY_SPKI_BYTES = 91, /* DER SubjectPublicKeyInfo of an uncompressed P-256 point; the only form taken */
    VERIFY_MAX_THREADS = 64,
};

/* SHA-256 by OpenSSL. Static storage; [any] thread. */
const struct wire_hash *verify_hash(void);

/* A P-256 public key, parsed once. Immutable; [any] thread may verify with it. */
struct verify_key;

/* Parses a SubjectPublicKeyInfo: exactly the 91 DER bytes of id-ecPublicKey, prime256v1 and an uncompressed
 * point that lies on the curve. HR_MALFORMED: anything else. HR_IO: OpenSSL has no memory. The caller gives
 * the key back with verify_key_free. */
HR_MUST_USE struct hr_status verify_key_parse(struct hr_bytes spki, struct verify_key **out);
void verify_key_free(struct verify_key *key);
/* One more holder, who gives it back likewise. */
struct verify_key *verify_key_share(const struct verify_key *key);
/* SHA-256 of the SubjectPublicKeyInfo: WIRE_DIGEST_BYTES, living as long as the key. */
const uint8_t *verify_key_spki_sha256(const struct verify_key *key);

/* ES256 over `message`: SHA-256, then ECDSA with r || s, each 32 bytes big-endian and from 1 to n - 1. High s
 * is accepted: the signature is never an identity. HR_DENIED: it does not hold. [any] */
HR_MUST_USE struct hr_status verify_message(const struct verify_key *key, struct hr_bytes message,
                                            const uint8_t signature[WIRE_SIGNATURE_BYTES]);
/* The same over the SHA-256 of a message. [any] */
HR_MUST_USE struct hr_status verify_digest(const struct verify_key *key,
                                           const uint8_t digest[WIRE_DIGEST_BYTES],
                                           const uint8_t signature[WIRE_SIGNATURE_BYTES]);
/* The same over the ToBeSigned of a batch header. HR_DENIED: it does not hold. [any] */
HR_MUST_USE struct hr_status verify_signature(const struct verify_key *key,
                                              const uint8_t header[WIRE_HEADER_BYTES],
                                              const uint8_t signature[WIRE_SIGNATURE_BYTES]);

/* The same with a key that is parsed for this one use: the proof of possession in a KeySwitch. False also
 * when spki is no P-256 key. [any] */
bool verify_proof_holds(struct hr_bytes spki, struct hr_bytes message,
                        const uint8_t signature[WIRE_SIGNATURE_BYTES]);

/* What is known of an envelope after verification. */
struct verify_result {
    enum wire_ack_status verdict; /* WIRE_ACK_OK: header, signature and payload root are right */
    bool has_parts;               /* the envelope could be taken apart: parts and digest are filled */
    struct wire_envelope parts;   /* borrows from the envelope */
    uint8_t digest[WIRE_DIGEST_BYTES];
};

/* Takes an envelope apart and checks it against `key`: WIRE_ACK_OK, or MALFORMED, UNSUPPORTED, BAD_SIGNATURE,
 * BAD_ROOT, in the order in which the checks are made: no record byte is looked at before the signature held.
 * [any] */
void verify_envelope(const struct verify_key *key, struct hr_bytes envelope, struct verify_result *out);

/* ---- keyring: the keys of all devices, by (device, epoch) ---- */

/* An epoch of a device never gets another key. A key that was found stays valid until it is dropped or the
 * keyring is freed, one that was taken until it is given back with verify_key_free. [any] thread, all
 * functions. */
struct verify_keyring;

/* HR_IO: no memory for capacity_keys slots. */
HR_MUST_USE struct hr_status verify_keyring_new(uint32_t capacity_keys, struct verify_keyring **out);
void verify_keyring_free(struct verify_keyring *ring);
/* Adds a key; adding the same again changes nothing. HR_MALFORMED: not a P-256 key. HR_DENIED: this epoch of
 * the device has another key. HR_FULL: capacity_keys are there. HR_IO: no memory. */
HR_MUST_USE struct hr_status verify_keyring_put(struct verify_keyring *ring, uint64_t device_id,
                                                uint16_t epoch, struct hr_bytes spki);
/* NULL: there is none. */
const struct verify_key *verify_keyring_find(struct verify_keyring *ring, uint64_t device_id, uint16_t epoch);
/* As that, for a caller beside whom keys are dropped. */
struct verify_key *verify_keyring_take(struct verify_keyring *ring, uint64_t device_id, uint16_t epoch);
/* Forgets the key; nothing when it is not there. */
void verify_keyring_drop(struct verify_keyring *ring, uint64_t device_id, uint16_t epoch);

/* ---- worker pool ---- */

/* One envelope on its way through the pool. The struct and the envelope's bytes are the caller's and must
 * live, unmoved, until `done` got the job back. */
struct verify_job {
    struct hr_bytes envelope;
    uint64_t certified_device_id; /* of the session; an envelope of another device is UNKNOWN_DEVICE */
    struct verify_result result; /* filled by the worker; UNKNOWN_KEY: the keyring has no key of that epoch */
    struct verify_job *next;     /* the pool's while it has the job */
};

struct verify_pool_config {
    uint32_t n_threads;     /* 1 to VERIFY_MAX_THREADS */
    uint32_t capacity_jobs; /* waiting jobs; beyond it submit says HR_FULL */
    struct verify_keyring *keyring;
    /* Called once for every job that was taken, on a worker thread; must not block for long. Jobs of one
     * stream may finish in another order than they came: the core holds what is ahead. */
    void (*done)(void *ctx, struct verify_job *job);
    void *ctx;
};

struct verify_pool;

/* Starts the threads, with all signals blocked in them. HR_IO: no memory or no thread; nothing runs. */
HR_MUST_USE struct hr_status verify_pool_start(const struct verify_pool_config *config,
                                               struct verify_pool **out);
/* Hands a job over. HR_FULL: capacity_jobs are waiting. HR_CLOSED: the pool is stopping. Neither takes it.
 * [any] */
HR_MUST_USE struct hr_status verify_pool_submit(struct verify_pool *pool, struct verify_job *job);
/* Finishes every job that was taken (each gets its `done`), ends the threads and frees the pool. */
void verify_pool_stop(struct verify_pool *pool);

#endif
