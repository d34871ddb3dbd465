/* SPDX-License-Identifier: Apache-2.0
 *
 * A fleet on its way to new record keys: which devices, how far each is, and the file that remembers it. */
#ifndef CLI_FLEET_H
#define CLI_FLEET_H

#include "tools/cli/rotation.h"

#include <stdio.h>

enum fleet_step { FLEET_TO_DO, FLEET_ASKED, FLEET_DONE, FLEET_FAILED, FLEET_N_STEPS };

struct fleet_device {
    uint64_t device_id;
    uint32_t old_epoch;
    uint32_t epoch; /* as it was last seen */
    bool is_rotating;
    enum fleet_step step;
    uint64_t asked_ms; /* monotonic */
};

struct fleet {
    const char *verb;
    const struct cli_admin *admin;
    const char *name;             /* only devices that have this in their name; NULL: all */
    struct fleet_device *devices; /* by ascending id */
    uint32_t n_devices;
    uint32_t capacity_devices;
    uint32_t n_passed_over; /* not active, so that no hint reaches them */
    uint32_t n_by_step[FLEET_N_STEPS];
    FILE *state; /* NULL: nothing is remembered */
};

/* Lists the registry. False: it can't be listed, or memory is out; told. */
bool cli_fleet_find(struct fleet *fleet);
/* Opens the file that remembers, and takes what it says of the devices found: what is done stays done, what
 * was asked is waited for, what failed is tried again. False: it can't be used; told. */
bool cli_fleet_remember(struct fleet *fleet, const char *path);
/* Moves a device on and notes that; false: the file can't be written; told. */
bool cli_fleet_move(struct fleet *fleet, struct fleet_device *device, enum fleet_step to);
/* Sees how far those are that were asked. False as fleet_find. */
bool cli_fleet_look(struct fleet *fleet);
/* Has this device, that was asked, a new key in use? */
bool cli_fleet_is_there(const struct fleet_device *device);
void cli_fleet_end(struct fleet *fleet);

#endif
