/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector whose record key is changed, before the aggregator's real core over its real ledger, with real
 * signatures on both sides. One walk is the whole way from a backlog under the old key to a drained spool
 * under the new one, from an empty ledger and blank flash; at most one thing goes wrong on it. */
#ifndef ROTATION_LAB_H
#define ROTATION_LAB_H

#include <stdint.h>

enum rotation_way {
    ASKED_BY_OPERATOR,   /* at the device, with a backlog that the old key signed */
    ASKED_BY_HINT,       /* the request stands in the registry */
    ASKED_BY_AGE,        /* the registry finds the key too old */
    ANOTHER_STREAM,      /* the aggregator knows a later stream while the KeySwitch is on its way */
    ANOTHER_STREAM_LATE, /* the same, and the aggregator has followed without the device knowing */
    EPOCH_TAKEN,         /* the registry has another key of that epoch */
    KEY_USED_BEFORE,
};

enum rotation_kind {
    CUT,
    TORN_WRITE,
    LOST_REQUEST,
    LOST_ANSWER,
    DEAD_BEFORE_COMMIT,
    DEAD_BEHIND_COMMIT,
    N_ROTATION_KINDS
};

enum rotation_step { BEFORE, R1, R2, R3, R4, R5, R6, AFTER, N_ROTATION_STEPS };

struct rotation_walk {
    uint32_t n_events;       /* things that could have gone wrong */
    enum rotation_step step; /* where the one that did came */
    enum rotation_kind kind;
};

void rotation_lab_open(void);
void rotation_lab_close(void);

/* Walks the whole way with an interruption at the event of that number, 0: none, and checks what must hold in
 * the end: one identity, every record once, each signed by a key that the registry allows at its place. */
struct rotation_walk rotation_walk_with(enum rotation_way way, uint32_t interrupted_at);

#endif
