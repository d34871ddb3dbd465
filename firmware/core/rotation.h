/* SPDX-License-Identifier: Apache-2.0
 *
 * The switch from one record key to the next: proto/SPEC.md section 3 (KeySwitch), firmware/DESIGN.md
 * "A new record key". A state machine over port_keys, without a clock or memory of its own; the collector
 * asks it which key seals and hands it what the aggregator answered. All functions are [loop].
 *
 * Promises. A next key is durable before anyone hears of it. Exactly one key seals at a time, and after a cut
 * the same one. The old key is destroyed only when the aggregator has accepted a batch under the new one, so
 * that as long as it is not known which of both the aggregator takes, both are here: a refusal makes the
 * device seal what is not acknowledged again, in a new stream, under the other key. */
#ifndef FW_ROTATION_H
#define FW_ROTATION_H

#include "firmware/core/spool.h"
#include "firmware/port/port_keys.h"

enum {
    FW_ROTATION_FREE_TURNS = 2, /* from one key to the other without an accepted batch between them */
    FW_ROTATION_TURN_MS = 60 * 60 * 1000,         /* from one such turn to the next beyond these */
    FW_ROTATION_REFUSED_MS = 24 * 60 * 60 * 1000, /* no hint is heard after a switch that came to nothing */
};

enum fw_rotation_end { FW_ROTATION_GOES_ON, FW_ROTATION_DONE, FW_ROTATION_REFUSED };
enum fw_rotation_choice { FW_ROTATION_GUESS, FW_ROTATION_OLD, FW_ROTATION_NEW };

/* Storage; its members belong to rotation.c. */
struct fw_rotation {
    struct port_keys *keys; /* NULL: the device has one key for ever */
    bool is_wanted;
    bool is_refused;                /* the KeySwitch was committed, and the new key is unknown all the same */
    enum fw_rotation_choice choice; /* of the key for the stream that the uplink is about to ask for */
    uint32_t first_here_seq;        /* of this life, in the stream that the spool was in */
    uint32_t n_turns;               /* since a batch was accepted */
    uint64_t last_turn_ms;
    uint64_t no_hints_until_ms;
};

/* Finds out which key seals after a restart: before anything is sealed, and with no other batch open than one
 * that was recovered. `envelope` is room for the largest envelope. HR_IO: the keys or the spool can't be
 * read or written. */
HR_MUST_USE struct hr_status fw_rotation_start(struct fw_rotation *rotation, struct port_keys *keys,
                                               struct fw_spool *spool, uint8_t *envelope,
                                               uint32_t capacity_bytes);

/* The key that seals now; NULL without port_keys. */
const struct port_sign *fw_rotation_signer(const struct fw_rotation *rotation);
/* The first batch of the spool's stream that the new key signs, while the aggregator need not know of it;
 * 0: none. Nothing from there on should be sent before the batch ahead of it is acknowledged. */
uint32_t fw_rotation_barrier(const struct fw_rotation *rotation, const struct fw_spool_state *spool);

/* Asks for a new key. A request while a switch is under way is that switch. HR_NOT_FOUND: there is no
 * port_keys. */
HR_MUST_USE struct hr_status fw_rotation_want(struct fw_rotation *rotation);
/* The same as a hint of the aggregator, which is not heard for a while after it refused a switch. */
void fw_rotation_hint(struct fw_rotation *rotation, uint64_t now_ms);

/* Does what the acknowledgments so far allow: destroys the old key (DONE), or gives up a new one that the
 * aggregator has not followed (REFUSED). HR_IO as port_keys. */
HR_MUST_USE struct hr_status fw_rotation_settle(struct fw_rotation *rotation,
                                                const struct fw_spool_state *spool, uint64_t now_ms,
                                                enum fw_rotation_end *end);
/* True when fw_rotation_begin has something to do. */
bool fw_rotation_is_due(const struct fw_rotation *rotation);
/* Makes the next key if there is none. HR_OK: a KeySwitch is to be sealed. HR_AGAIN: not now. HR_FULL, HR_IO:
 * no key can be made; the request is forgotten, and hints are for a while. */
HR_MUST_USE struct hr_status fw_rotation_begin(struct fw_rotation *rotation, uint64_t now_ms);
/* Fills the KeySwitch for the batch that is sealed next, which it must end, and notes its place. HR_IO as
 * port_keys, or the next key could not sign. */
HR_MUST_USE struct hr_status fw_rotation_place(struct fw_rotation *rotation,
                                               const struct fw_spool_state *spool,
                                               struct edge_key_switch *out);
/* The KeySwitch is sealed: from now on the new key signs. HR_IO as port_keys. */
HR_MUST_USE struct hr_status fw_rotation_sealed(struct fw_rotation *rotation,
                                                const struct fw_spool_state *spool);

/* The aggregator refused the batch of that number and epoch, which it awaits: UNKNOWN_KEY, or BAD_SIGNATURE
 * for the second time (other statuses are not about keys). True: a new stream is wanted, for another key may
 * be taken. */
bool fw_rotation_refused(struct fw_rotation *rotation, const struct fw_spool_state *spool, uint32_t seq,
                         uint16_t epoch, enum wire_ack_status status, uint64_t now_ms);
/* A stream above that of the spool is about to start: chooses the key that seals in it. HR_IO as port_keys.
 */
HR_MUST_USE struct hr_status fw_rotation_new_stream(struct fw_rotation *rotation,
                                                    const struct fw_spool_state *spool, uint32_t stream);

#endif
