/* SPDX-License-Identifier: Apache-2.0
 *
 * The trust bundle that a device follows (proto/trust/trust.h, proto/SPEC.md section 13): two copies, the one
 * not in use written first and read back, so that a cut at any moment leaves the bundle of before or the next
 * one. Which authorities a session is opened with is the platform's: it is told by `adopt`.
 *
 * Promises. A bundle is followed only after the signers of the one before and its own have signed it. There
 * is always a bundle that is trusted, or there never was one: what is refused or can't be stored changes
 * nothing. No heap, no clock, no thread; all functions are [loop]. */
#ifndef FW_TRUST_H
#define FW_TRUST_H

#include "proto/edge/record.h"
#include "proto/trust/trust.h"

enum { FW_TRUST_COPIES = 2 };

struct fw_trust_platform {
    /* Reads a copy. HR_NOT_FOUND: there is none. HR_IO: it can't be read. */
    HR_MUST_USE struct hr_status (*load)(void *ctx, uint32_t copy, uint8_t *out, size_t capacity_bytes,
                                         size_t *len_bytes);
    /* Writes a copy, durable when it returns HR_OK. HR_IO: it may hold anything. May block. */
    HR_MUST_USE struct hr_status (*save)(void *ctx, uint32_t copy, struct hr_bytes bytes);
    /* Whether sessions can be opened with it: its certificates are certificates. HR_MALFORMED: they can't. */
    HR_MUST_USE struct hr_status (*usable)(void *ctx, const struct trust_bundle *bundle);
    /* From the next session on it is this one; called at start too. HR_IO: as before. */
    HR_MUST_USE struct hr_status (*adopt)(void *ctx, const struct trust_bundle *bundle);
    void *ctx;
};

struct fw_trust_counters {
    uint64_t adopted;
    uint64_t stale;   /* not newer than the one that is here */
    uint64_t skipped; /* one between the two is missing */
    uint64_t not_by_old;
    uint64_t not_by_new;
    uint64_t malformed; /* no bundle, or with a certificate that is none */
    uint64_t failed;    /* could not be checked, stored or adopted */
};

/* Storage; the caller places it and keeps it where it is. Members are private but for the counters. */
struct fw_trust {
    struct fw_trust_platform platform;
    const struct wire_hash *hash;
    struct trust_verify verify;
    struct fw_trust_counters counters;
    bool has_bundle;
    uint32_t copy;              /* where the bundle stands */
    struct trust_bundle bundle; /* borrows from pages[page] */
    uint32_t page;
    uint8_t pages[FW_TRUST_COPIES][TRUST_MAX_BYTES];
};

/* Takes the newest copy that is signed by its own signers, and has it adopted. HR_NOT_FOUND: there is none,
 * so nothing is followed, and the device trusts what it is configured with. HR_IO: it could not be adopted.
 */
HR_MUST_USE struct hr_status fw_trust_open(struct fw_trust *trust, const struct fw_trust_platform *platform,
                                           const struct wire_hash *hash, const struct trust_verify *verify);

/* 0: there is none. */
uint32_t fw_trust_version(const struct fw_trust *trust);

/* Offers the bytes of the next bundle, which may be those of fw_trust_room. HR_OK: it is adopted and durable.
 * HR_DENIED: it is refused, *why says how in a word and the counters which; nothing changed. HR_IO: it can't
 * be checked, stored or adopted now; nothing changed. Asserts that there is a bundle. */
HR_MUST_USE struct hr_status fw_trust_offer(struct fw_trust *trust, struct hr_bytes bytes, const char **why);

/* TRUST_MAX_BYTES in which the next bundle may be put together; theirs until fw_trust_offer. */
uint8_t *fw_trust_room(struct fw_trust *trust);

/* The counters as a Stats record of source "trust", for fw_stats_source. */
void fw_trust_stats(void *trust, struct edge_stats *out);

#endif
