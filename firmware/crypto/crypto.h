/* SPDX-License-Identifier: Apache-2.0
 *
 * ES256 and SHA-256 behind the port headers, over mbedTLS' PSA API. Keys live in PSA's key store and are
 * named by number outside this room; their bytes never leave it. Nothing here opens a file (key_file.h does).
 */
#ifndef CRYPTO_CRYPTO_H
#define CRYPTO_CRYPTO_H

#include "firmware/port/port_random.h"
#include "firmware/port/port_sign.h"
#include "firmware/port/port_verify.h"
#include "proto/base/bytes.h"
#include "proto/base/status.h"
#include "proto/wire/hash.h"

enum {
    CRYPTO_SPKI_BYTES = 91, /* DER SubjectPublicKeyInfo of a P-256 key, uncompressed point */
    CRYPTO_SEED_BYTES = 48,
};

/* Readies the library over the operating system's random numbers; call once, after any fork and before all
 * else but crypto_hash. HR_IO: no entropy, or out of memory. */
HR_MUST_USE struct hr_status crypto_start(void);

/* The same on boards, whose random numbers all come from this seed (HMAC-DRBG). It must never have been used
 * before: firmware/core/provision.h. Until then keys are refused and no handshake finds a random number.
 * HR_IO: out of memory; it is as if it had not been called. Nothing is kept of the seed. */
HR_MUST_USE struct hr_status crypto_start_seeded(const uint8_t seed[CRYPTO_SEED_BYTES]);

/* The library's generator as a port. Asserts that the library was started. Static storage. */
const struct port_random *crypto_random(void);

/* SHA-256. Static storage; may be used from any thread. [any] */
const struct wire_hash *crypto_hash(void);

/* A record key that signs, and its public half. The caller places it and keeps it where it is: port.ctx
 * points into it. Members other than `port` and `spki` are private. */
struct crypto_signer {
    struct port_sign port;
    uint8_t spki[CRYPTO_SPKI_BYTES];
    uint32_t key_id;
};

/* Takes a P-256 private key: DER, or (where files are read) PEM with its terminating zero counted; SEC1 or
 * PKCS#8, unencrypted. Signatures are deterministic (RFC 6979). HR_DENIED: the library was not started, so
 * there are no random numbers. HR_MALFORMED: not such a key. HR_IO: the key store is full. Nothing is kept of
 * `key`. */
HR_MUST_USE struct hr_status crypto_signer_load(struct crypto_signer *signer, struct hr_bytes key,
                                                uint16_t key_epoch);
/* Destroys the key in the key store. */
void crypto_signer_unload(struct crypto_signer *signer);

/* A public record key that verifies batch headers of one key epoch; as for crypto_signer, it stays where it
 * is. */
struct crypto_verifier {
    struct port_verify port;
    uint16_t key_epoch;
    uint8_t spki_sha256[WIRE_DIGEST_BYTES];
    uint32_t key_id;
};

/* Takes a public key as DER SubjectPublicKeyInfo. HR_DENIED: as above. HR_MALFORMED: not a P-256 key with an
 * uncompressed point on the curve. HR_IO: the key store is full. */
HR_MUST_USE struct hr_status crypto_verifier_load(struct crypto_verifier *verifier,
                                                  const uint8_t spki[CRYPTO_SPKI_BYTES], uint16_t key_epoch);
void crypto_verifier_unload(struct crypto_verifier *verifier);

/* Whether the signature (r, s) over this SHA-256 is of this key. HR_DENIED: it is not, or the SPKI is no
 * P-256 key with an uncompressed point on the curve. HR_IO: it can't be told; the library was not started, or
 * is out of memory. */
HR_MUST_USE struct hr_status crypto_verify_digest(const uint8_t spki[CRYPTO_SPKI_BYTES],
                                                  const uint8_t digest[WIRE_DIGEST_BYTES],
                                                  const uint8_t signature[WIRE_SIGNATURE_BYTES]);

#endif
