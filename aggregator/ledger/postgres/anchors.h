/* SPDX-License-Identifier: Apache-2.0
 *
 * A publisher asks for the anchor of each batch that it reads, and a round trip for each would cost more than
 * all else that it does. So the anchors in the leaves of a read come with it, and what was asked once is kept
 * and brought forward from read to read, as long as they follow each other. */
#ifndef LEDGER_PG_ANCHORS_H
#define LEDGER_PG_ANCHORS_H

#include "aggregator/io/ledger.h"

enum { LEDGER_PG_KEPT_ANCHORS = 4096 }; /* devices and boots; with more it begins anew */

struct ledger_pg_kept_anchor {
    uint64_t device_id;
    struct edge_time_anchor anchor; /* its boot_id is part of the key */
    bool is_used;
    bool is_found; /* false: there is none yet, which is worth knowing too */
};

struct ledger_pg_new_anchor {
    uint64_t device_id;
    uint64_t leaf;
    struct edge_time_anchor anchor;
};

struct ledger_pg_anchors {
    uint64_t at;  /* what is kept is right for this leaf */
    uint64_t end; /* what is new reaches up to this leaf, exclusive */
    struct ledger_pg_kept_anchor *kept;
    uint32_t n_kept;
    struct ledger_pg_new_anchor *fresh; /* between at and end, by leaf */
    size_t n_fresh, capacity_fresh, next_fresh;
};

/* Frees what is kept; the struct may be used again. */
void ledger_pg_anchors_free(struct ledger_pg_anchors *anchors);

/* A read of leaves `from` to before `end` begins; its new anchors follow by ledger_pg_anchors_add, ascending
 * by leaf. One that does not follow the read before forgets what is kept. */
void ledger_pg_anchors_begin(struct ledger_pg_anchors *anchors, uint64_t from, uint64_t end);
void ledger_pg_anchors_add(struct ledger_pg_anchors *anchors, const struct ledger_pg_new_anchor *row);

/* Brings what is kept forward to `leaf` and looks: true with *found false says that there is none. False: not
 * known, ask the database and tell by ledger_pg_anchors_keep. */
bool ledger_pg_anchors_find(struct ledger_pg_anchors *anchors, uint64_t device_id, uint32_t boot_id,
                            uint64_t leaf, struct edge_time_anchor *out, bool *is_found);
/* What the database said for the leaf of the last find; `anchor` NULL: there is none. */
void ledger_pg_anchors_keep(struct ledger_pg_anchors *anchors, uint64_t device_id, uint32_t boot_id,
                            uint64_t leaf, const struct edge_time_anchor *anchor);

#endif
