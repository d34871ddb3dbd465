/* SPDX-License-Identifier: Apache-2.0
 *
 * Which authorities a device believes whose identity stands in an identity store: those of its identity, or
 * of the trust bundle that it follows (firmware/core/trust.h). The bundle has two pages of its own
 * (proto/SPEC.md 10.4), and the identity says which of them counts, by version and digest. So what a device
 * follows changes when its identity is replaced, in one step, and what it was provisioned with is there
 * underneath.
 *
 * trust_store.c is for devices with room for two bundles in RAM; trust_store_none.c for those without, which
 * believe the one authority of their identity. One of them a program. [loop] */
#ifndef APP_TRUST_STORE_H
#define APP_TRUST_STORE_H

#include "firmware/core/collector.h"
#include "firmware/core/identity_store.h"
#include "firmware/port/port_flash.h"
#include "firmware/port/port_log.h"

/* A bundle comes in pieces of so many bytes, the last one perhaps shorter. */
enum { APP_TRUST_PIECE_BYTES = 512 };

/* Where the pages are: `at`, and one page behind it. Nothing is read. Memory and identity are kept; a memory
 * that ends before them holds none, and nothing is followed. */
void app_trust_store_init(const struct port_flash *memory, uint64_t at, struct fw_identity_store *identity);

/* Takes the authorities and the name of the identity, which is enrolled, or of the bundle that it names;
 * after crypto_start. A bundle that is named and not there is told, and the identity's authorities are
 * believed. HR_DENIED: it has more authorities than this device can believe. */
HR_MUST_USE struct hr_status app_trust_store_open(const struct port_log *log);

/* What sessions are opened with: certificates in DER, one behind another, and the aggregator's name; until
 * another bundle is adopted or the identity replaced. */
struct hr_bytes app_trust_store_ca(void);
const char *app_trust_store_server_name(void);

/* For the collector; NULL: none is followed. */
struct fw_trust *app_trust_store_followed(void);
/* What it counts goes into the collector's Stats records. */
void app_trust_store_count(struct fw_collector *collector);

/* ---- of the ceremony, while nothing is followed ---- */

/* Whether this device can follow bundles at all. */
bool app_trust_store_follows(void);
/* Piece i of the bundle that the device begins with, durable when it returns; piece 0 begins anew. HR_AGAIN:
 * more is to come. HR_OK: it is whole, signed by its own signers, and `next` names it. HR_MALFORMED: it is
 * not, or the piece does not follow. HR_IO: the memory failed. */
HR_MUST_USE struct hr_status app_trust_store_keep(uint32_t i, struct hr_bytes piece,
                                                  struct image_identity *next);

#endif
