/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention, on a thread of its own: what nobody needs any more is deleted when it is older than the
 * retention, and sooner when the ledger nears its bound. What some sink has not got is never deleted: then
 * the ledger gets full, and collectors are told to come again later. */
#ifndef APP_ROOM_H
#define APP_ROOM_H

#include "aggregator/io/ledger.h"

#include <pthread.h>
#include <stdatomic.h>

struct app_room_config {
    const struct ledger *ledger;
    uint64_t retention_ms; /* 0: all is kept until room is scarce */
    uint64_t revisions_ms; /* as of config_ledger */
    /* So many leaves of what is delivered are kept in any case: a sink may have to look back as far. */
    uint64_t n_spared;
    uint64_t (*delivered)(void *ctx); /* nobody needs the leaves below any more. [retention thread] */
    /* How it looks now, several times a second. NULL: a commit finds room. [retention thread] */
    void (*looked)(void *ctx, const char *why_full);
    void *ctx;
};

struct app_room {
    struct app_room_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_ending;
    uint64_t next_retention_ms; /* when retention is looked at next */
    bool is_shortened;          /* something younger than the retention had to go */
    bool has_failed;            /* the last turn */
    _Atomic uint64_t used_bytes;
    _Atomic uint64_t max_bytes;
    _Atomic uint64_t first_leaf;
    _Atomic uint64_t n_pruned;
    _Atomic uint64_t n_turns;       /* ended well */
    _Atomic(const char *) why_full; /* static text; NULL: a commit finds room */
};

void app_room_init(struct app_room *room, const struct app_room_config *config);
/* HR_IO: no thread can be had. */
HR_MUST_USE struct hr_status app_room_start(struct app_room *room);
void app_room_stop(struct app_room *room);

/* Why a commit was refused as full; NULL: only the disk knows. [any thread] */
const char *app_room_why_full(struct app_room *room);

#endif
