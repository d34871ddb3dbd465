/* SPDX-License-Identifier: Apache-2.0
 *
 * The core thread: takes what is in the inbox to the core, commits groups to the ledger, and lets the answers
 * go. A group is committed as soon as nothing more is on its way, or after the commit window while more keeps
 * coming; a decision about a device is a group by itself. */
#ifndef APP_ADMISSION_H
#define APP_ADMISSION_H

#include "aggregator/app/decision.h"
#include "aggregator/app/intake.h"
#include "aggregator/app/room.h"
#include "aggregator/app/tenants.h"
#include "aggregator/core/admit.h"

#include <stdatomic.h>

enum app_ledger_health { APP_LEDGER_GOOD, APP_LEDGER_FULL, APP_LEDGER_FENCED, APP_LEDGER_AWAY };

struct app_admission {
    struct agg_core *core;
    const struct ledger *ledger;
    struct app_inbox *inbox;
    const struct app_intake *intake;
    struct verify_keyring *keyring;
    struct app_tenants *tenants;
    struct app_room *room;
    uint32_t commit_window_ms;
    void (*committed)(void *ctx); /* something new is in the ledger. [core thread] */
    /* Device entries were taken over, or (kept false) could not be committed and must come again. [core
     * thread] */
    void (*devices_changed)(void *ctx, bool kept);
    void *ctx;

    pthread_t thread;
    uint64_t group_since_ms; /* of the open group; 0: none */
    uint64_t next_tick_ms;
    bool devices_changing;         /* in the open group */
    struct app_decision *decision; /* which the open group holds alone, or NULL */
    atomic_int health;             /* enum app_ledger_health */
    /* A sink holds what the ledger has lost. Nothing more is taken: its leaves would be those of other
     * batches that are published already, and it would never be. */
    atomic_bool is_behind;
    /* A disk that refused a commit counts as full so long, unless a commit succeeds. */
    _Atomic uint64_t full_until_ms;
    _Atomic uint64_t size; /* leaves committed, as of this process' last commit */
};

/* The ports of the core but clock, hash, answers and ledger. */
void app_admission_ports(struct app_admission *admission, struct agg_ports *ports);

/* Takes one device entry to the core and commits it; before the thread runs. */
void app_admission_register(struct app_admission *admission, const struct ledger_device *device);

/* For app_room_config.looked: nobody may come any more who would find out that a full ledger has room again.
 * ctx is the admission. */
void app_admission_looked(void *ctx, const char *why_full);

/* Starts the thread. HR_IO: none can be had. */
HR_MUST_USE struct hr_status app_admission_start(struct app_admission *admission);
/* Waits for the thread, which ends when the inbox is closed and empty: everything is then committed or
 * answered. */
void app_admission_join(struct app_admission *admission);

#endif
