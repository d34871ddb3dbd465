/* SPDX-License-Identifier: Apache-2.0
 *
 * The trust bundle: which authorities sign aggregators, by which names aggregators go, and who signs the next
 * bundle. `headrace ca bundle` makes it, an aggregator hands it out, a device follows it from one version to
 * the next. proto/SPEC.md section 13 has every byte. Bytes read are doubted in trust_decode, once; that they
 * are whose they should be, trust_check_first and trust_check_next say. [any] */
#ifndef TRUST_TRUST_H
#define TRUST_TRUST_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"
#include "proto/wire/hash.h"

enum {
    TRUST_MAX_BYTES = 4096,
    TRUST_HEAD_BYTES = 12, /* enough for trust_version_of */
    TRUST_MAX_SIGNERS = 6,
    TRUST_MAX_CA = 4,
    TRUST_MAX_NAMES = 4,
    TRUST_MAX_SIGNATURES = 2 * TRUST_MAX_SIGNERS,
    TRUST_SPKI_BYTES = 91, /* DER SubjectPublicKeyInfo of a P-256 key, uncompressed point */
    TRUST_CERTIFICATE_MAX_BYTES = 640,
    TRUST_NAME_MAX_CHARS = 63,
    TRUST_ECDSA_BYTES = 64, /* r, s */
    TRUST_SIGNATURE_BYTES = WIRE_DIGEST_BYTES + TRUST_ECDSA_BYTES,
};

/* Borrows from the bytes that were decoded, or that will be encoded. */
struct trust_bundle {
    uint32_t version;  /* 1 and up, one more with each bundle */
    uint8_t threshold; /* so many signers are needed for this bundle and for the next; 1 to n_signers */
    uint8_t n_signers; /* 1 and up */
    const uint8_t *signers[TRUST_MAX_SIGNERS]; /* TRUST_SPKI_BYTES each; rising, so no key is there twice */
    uint8_t n_ca;                              /* 1 and up */
    struct hr_bytes ca[TRUST_MAX_CA];          /* DER certificates, trusted to sign aggregators */
    uint8_t n_names;
    const char *names[TRUST_MAX_NAMES]; /* that an aggregator's certificate may have; none: as configured */
    uint8_t n_later;                    /* fields passed over that a later version means something by */
    uint8_t n_signatures;
    const uint8_t *signatures; /* TRUST_SIGNATURE_BYTES each: SHA-256 of the signer's SPKI, r, s; rising */
    struct hr_bytes body;      /* what is signed; filled by decoding */
};

/* What the head of a bundle says. Asserts TRUST_HEAD_BYTES of input. HR_NOT_FOUND: other bytes. HR_MALFORMED:
 * another format, or version 0. */
HR_MUST_USE struct hr_status trust_version_of(struct hr_bytes head, uint32_t *version);

/* The first bundle of several that stand one behind another, as a slice of them. HR_CLOSED: there are no more
 * bytes. HR_NOT_FOUND, HR_MALFORMED: as trust_decode, by its lengths alone. */
HR_MUST_USE struct hr_status trust_next(struct hr_bytes bundles, struct hr_bytes *out);

/* HR_NOT_FOUND: other bytes. HR_MALFORMED: another format, length or order, a field that is missing, out of
 * range or not known (below 64), no signer, no authority. Signatures have not been looked at. */
HR_MUST_USE struct hr_status trust_decode(struct hr_bytes bytes, struct trust_bundle *out);

/* Body alone (n_signatures 0), or with signatures. `body`, `n_later` are not looked at. HR_MALFORMED: a field
 * is out of the range or order that decoding asks for. HR_FULL: more than capacity or TRUST_MAX_BYTES. */
HR_MUST_USE struct hr_status trust_encode(const struct trust_bundle *bundle, uint8_t *out,
                                          size_t capacity_bytes, size_t *len_bytes);

/* All bytes that it was decoded from. */
struct hr_bytes trust_whole(const struct trust_bundle *bundle);

/* The name by which an aggregator is known: `configured` while the bundle has it or has none, else the
 * bundle's first. Borrowed from either. */
const char *trust_name_for(const struct trust_bundle *bundle, const char *configured);

/* The SHA-256 that the signer with this SPKI signs. */
void trust_digest(const struct wire_hash *hash, struct hr_bytes body, const uint8_t spki[TRUST_SPKI_BYTES],
                  uint8_t out[WIRE_DIGEST_BYTES]);
/* The name of a signer in a signature: SHA-256 of its SPKI. */
void trust_signer_id(const struct wire_hash *hash, const uint8_t spki[TRUST_SPKI_BYTES],
                     uint8_t out[WIRE_DIGEST_BYTES]);

/* ECDSA on P-256. HR_DENIED: not of this key, or the SPKI is no such key. HR_IO: it can't be told. */
struct trust_verify {
    struct hr_status (*verify)(void *ctx, const uint8_t spki[TRUST_SPKI_BYTES],
                               const uint8_t digest[WIRE_DIGEST_BYTES],
                               const uint8_t signature[TRUST_ECDSA_BYTES]);
    void *ctx;
};

enum trust_refusal {
    TRUST_STALE,      /* not newer than the one that is here */
    TRUST_SKIPPED,    /* one between the two is missing */
    TRUST_NOT_BY_OLD, /* too few signers of the one that is here */
    TRUST_NOT_BY_NEW, /* too few of its own signers */
};

/* A short name such as "stale"; static storage. */
const char *trust_refusal_name(enum trust_refusal why);

/* Whether a bundle is signed by its own signers: for the one that a device begins with, whose bytes came on a
 * way that is trusted. HR_DENIED: it is not. HR_IO: it can't be told. */
HR_MUST_USE struct hr_status trust_check_first(const struct trust_bundle *bundle,
                                               const struct wire_hash *hash,
                                               const struct trust_verify *verify);

/* Whether `next` follows `current`: version + 1, signed by the threshold of current's signers and by that of
 * its own. A key counts once, whatever it signed. HR_DENIED: it does not, and *why tells. HR_IO: as above. */
HR_MUST_USE struct hr_status trust_check_next(const struct trust_bundle *current,
                                              const struct trust_bundle *next, const struct wire_hash *hash,
                                              const struct trust_verify *verify, enum trust_refusal *why);

#endif
