/* SPDX-License-Identifier: Apache-2.0
 *
 * How a device gets its identity (PROTOCOL 2.3; proto/SPEC.md section 12): a pure machine that takes lines of
 * text and answers each with one line. A board has it behind its console, a gateway behind a local socket.
 * Every step can be repeated and gives the same again, so that whoever lost an answer asks once more; what a
 * step made is durable before its answer is said. The device makes its keys itself, and they never leave it.
 *
 *     prov hello              who it is, and how far it got
 *     prov begin              makes the transport key, where there is none
 *     prov csr                the certification request
 *     prov proof NONCE        signs the nonce with what it is
 *     prov part AT HEX        bytes of a field, from AT on; AT is behind what is there, or takes back
 *     prov keep FIELD [I]     the bytes are this field (device name site certificate ca aggregator server
 *                             stream); I counts ca and aggregator from 0. `trust`: piece I of the bundle that
 *                             the device begins to follow, where hello says trust=
 *     prov install            checks what was kept; from here on the transport key stays
 *     prov record E NONCE     makes the record key of epoch E, where there is none, and proves it
 *     prov deliver            it may send now
 *     prov lock               nothing of the above but hello is answered any more
 *
 * Answers begin with "= " and the verb, or with "! ", a word for programs, and a sentence for people. [loop]
 */
#ifndef FW_CEREMONY_H
#define FW_CEREMONY_H

#include "firmware/core/csr.h"
#include "firmware/core/identity_store.h"
#include "proto/wire/hash.h"

enum {
    FW_CEREMONY_LINE_MAX_CHARS = 79, /* of what it takes */
    FW_CEREMONY_STAGE_BYTES = IMAGE_CERTIFICATE_MAX_BYTES,
    FW_CEREMONY_NONCE_BYTES = 16,
    FW_CEREMONY_SAMPLE_BYTES = 64,
};

struct fw_ceremony_ports {
    /* Bytes of the source that keys are made from, for its test before. HR_IO: it has none. */
    HR_MUST_USE struct hr_status (*sample)(void *ctx, uint8_t out[FW_CEREMONY_SAMPLE_BYTES]);
    /* A new P-256 key, DER (SEC1). HR_IO: it can't be made. */
    HR_MUST_USE struct hr_status (*new_key)(void *ctx, uint8_t out[IMAGE_KEY_MAX_BYTES], size_t *len_bytes);
    /* Its public half; ES256 with it, r || s. HR_IO, HR_MALFORMED: the key can't be used. */
    HR_MUST_USE struct hr_status (*public_key)(void *ctx, struct hr_bytes key, uint8_t spki[FW_SPKI_BYTES]);
    HR_MUST_USE struct hr_status (*sign)(void *ctx, struct hr_bytes key, struct hr_bytes message,
                                         uint8_t signature[WIRE_SIGNATURE_BYTES]);
    /* Are these certificates, is the first one of this key, and may the others sign? HR_DENIED: of another
     * key. HR_MALFORMED: no certificate, or one that may not sign. */
    HR_MUST_USE struct hr_status (*check)(void *ctx, const struct image_identity *identity,
                                          const uint8_t spki[FW_SPKI_BYTES]);
    /* Is this the URI of an aggregator that this device could reach? */
    bool (*is_address)(void *ctx, const char *uri);
    /* Can it follow trust bundles? */
    bool (*follows_trust)(void *ctx);
    /* Piece i of the bundle, durable when it returns. HR_AGAIN: more is to come. HR_OK: it is whole, and
     * `next` says so. HR_MALFORMED: it is none, or not signed by its own signers. HR_IO: it can't be kept.
     * Asked only of devices that follow. */
    HR_MUST_USE struct hr_status (*keep_trust)(void *ctx, uint32_t i, struct hr_bytes piece,
                                               struct image_identity *next);
    /* A piece of an answer; "\n" ends it. */
    void (*say)(void *ctx, const char *text);
    const struct wire_hash *(*hash)(void);
    const char *firmware; /* its version, one word */
    /* SHA-256 of the firmware. */
    void (*digest)(void *ctx, uint8_t out[WIRE_DIGEST_BYTES]);
};

struct fw_ceremony {
    const struct fw_ceremony_ports *ports; /* kept */
    void *ctx;                             /* of the ports */
    struct fw_identity_store *store;       /* kept; open and settled */
    uint8_t *stage;                        /* FW_CEREMONY_STAGE_BYTES */
    uint16_t staged_bytes;
    bool may_deliver; /* the identity became one that delivers: the program starts with it */
};

void fw_ceremony_init(struct fw_ceremony *ceremony, const struct fw_ceremony_ports *ports, void *ctx,
                      struct fw_identity_store *store, uint8_t stage[FW_CEREMONY_STAGE_BYTES]);

/* Takes one line, without its end, and says one answer. The words are borrowed and changed. True: it was one
 * of the ceremony's. HR_IO of the store leaves it closed (store->is_known is false): the answer says so, and
 * the caller opens it again. */
bool fw_ceremony_line(struct fw_ceremony *ceremony, char *line);

/* Does it look like chance? A start-up test after NIST SP 800-90B 4.4 (repetition count, adaptive proportion)
 * of bytes with at least 4 bits of entropy each; a false alarm is rarer than 2^-30. */
bool fw_random_is_healthy(const uint8_t sample[FW_CEREMONY_SAMPLE_BYTES]);

#endif
