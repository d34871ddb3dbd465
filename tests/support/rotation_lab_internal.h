/* SPDX-License-Identifier: Apache-2.0
 *
 * What the walk and the check of its end share. */
#ifndef ROTATION_LAB_INTERNAL_H
#define ROTATION_LAB_INTERNAL_H

#include "tests/support/core_lab.h"
#include "tests/support/keys_model.h"
#include "tests/support/rotation_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/uplink_lab.h"

#define ROTATION_DEVICE_ID UINT64_C(7)

enum { ROTATION_MAX_SAMPLES = 64 };

struct rotation_world {
    struct core_lab core;
    struct uplink_lab device;
    struct keys_pool pool;
    struct keys_model keys;
    jmp_buf cut;
    enum rotation_way way;
    struct rotation_walk walk;
    uint32_t interrupted_at; /* number of the event; 0: none */
    uint32_t n_offered;
    bool may_lack[ROTATION_MAX_SAMPLES]; /* the offer was cut: it may have come or not */
    bool is_ahead_made;
    bool is_aged;
};

extern struct rotation_world rotation_world;

/* NULL: the device has no key of that epoch. */
const struct ledger_key *rotation_key_of(const struct ledger_device *device, uint16_t epoch);
void rotation_check_the_end(void);

#endif
