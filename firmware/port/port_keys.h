/* SPDX-License-Identifier: Apache-2.0
 *
 * The record keys of a device while one takes over from the other, behind a door: the core decides when, the
 * platform keeps the keys and a note of how far the switch is. Every change is durable when it returns HR_OK,
 * and a cut inside of one leaves the note and the keys as they were before or as they are after it, never
 * between. firmware/core/rotation.h says what the phases mean. */
#ifndef PORT_KEYS_H
#define PORT_KEYS_H

#include "firmware/port/port_sign.h"

enum { PORT_KEYS_SPKI_BYTES = 91 }; /* DER SubjectPublicKeyInfo of a P-256 key */

enum port_keys_phase {
    PORT_KEYS_SINGLE,   /* one key; the other four have a second one, of the next epoch */
    PORT_KEYS_PREPARED, /* nobody was told of the next key */
    PORT_KEYS_PLACED,   /* its KeySwitch is about to be sealed as batch seq - 1 of the stream */
    PORT_KEYS_IN_USE,   /* it seals from batch seq of the stream on */
    PORT_KEYS_BACK,     /* it was in use there, and the old key seals again in streams above */
    PORT_KEYS_N_PHASES,
};

struct port_keys_note {
    enum port_keys_phase phase;
    uint32_t stream; /* 0 in SINGLE and PREPARED, as is seq */
    uint32_t seq;
};

struct port_keys {
    struct port_keys_note note; /* as it is durable; the calls below change it when they succeed */
    struct port_sign key;
    struct port_sign next; /* while the phase is not SINGLE, with the epoch above that of key */
    uint8_t next_spki[PORT_KEYS_SPKI_BYTES];

    /* Makes a key of the next epoch and keeps it beside the other: SINGLE becomes PREPARED. HR_FULL: there is
     * no epoch left. HR_IO: no key could be made or kept, and the phase is still SINGLE. May take seconds on
     * a microcontroller. [loop] */
    HR_MUST_USE struct hr_status (*prepare)(void *ctx);
    /* Changes the note, to another phase than SINGLE. HR_IO: it is not known which of both is durable, and
     * the caller must not go on before a restart. [loop] */
    HR_MUST_USE struct hr_status (*save)(void *ctx, struct port_keys_note note);
    /* IN_USE becomes SINGLE: the next key is the key, and the old one is destroyed. HR_IO: as save. [loop] */
    HR_MUST_USE struct hr_status (*promote)(void *ctx);
    /* PREPARED or BACK becomes SINGLE: the next key is destroyed. HR_IO: as save. [loop] */
    HR_MUST_USE struct hr_status (*discard)(void *ctx);
    void *ctx;
};

#endif
