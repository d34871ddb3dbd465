/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the ceremony share: the words of a line, and how answers are said. */
#ifndef FW_CEREMONY_INTERNAL_H
#define FW_CEREMONY_INTERNAL_H

#include "firmware/core/ceremony.h"
#include "proto/base/cursor.h"

enum {
    FW_PROOF_MAX_BYTES = 13 + FW_CEREMONY_NONCE_BYTES + 1 + FW_CSR_SERIAL_MAX_CHARS + 2 * WIRE_DIGEST_BYTES,
    FW_BOOTSTRAP_BYTES = 17 + 8 + 2 + FW_CEREMONY_NONCE_BYTES + WIRE_DIGEST_BYTES + FW_SPKI_BYTES,
    FW_CEREMONY_MAX_WORDS = 3, /* the verb among them */
};

/* ---- saying ---- */
void fw_say(struct fw_ceremony *ceremony, const char *text);
void fw_say_number(struct fw_ceremony *ceremony, const char *key, uint64_t number);
void fw_say_hex(struct fw_ceremony *ceremony, const char *key, const uint8_t *bytes, size_t len_bytes);
/* The whole answer; false. */
bool fw_refuse(struct fw_ceremony *ceremony, const char *word, const char *sentence);
/* "= VERB"; true. */
bool fw_done(struct fw_ceremony *ceremony, const char *verb);

/* ---- words ---- */
/* How many bytes the digits are; 0: they are none, or too many. */
size_t fw_hex(const char *digits, uint8_t *out, size_t capacity_bytes);
bool fw_number(const char *digits, uint64_t most, uint64_t *out);

/* Makes it the identity; what failed is said. */
bool fw_replace(struct fw_ceremony *ceremony, const struct image_identity *next);

/* ---- steps: each says its answer; words[0] is the verb, absent ones are "" ---- */
bool fw_step_hello(struct fw_ceremony *ceremony, char *words[]);
bool fw_step_begin(struct fw_ceremony *ceremony, char *words[]);
bool fw_step_csr(struct fw_ceremony *ceremony, char *words[]);
bool fw_step_proof(struct fw_ceremony *ceremony, char *words[]);
bool fw_step_part(struct fw_ceremony *ceremony, char *words[]);
bool fw_step_keep(struct fw_ceremony *ceremony, char *words[]);
bool fw_step_install(struct fw_ceremony *ceremony, char *words[]);
bool fw_step_record(struct fw_ceremony *ceremony, char *words[]);
bool fw_step_deliver(struct fw_ceremony *ceremony, char *words[]);
bool fw_step_lock(struct fw_ceremony *ceremony, char *words[]);

#endif
