/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a device is with a new record key, as the registry has it. */
#ifndef CLI_ROTATION_H
#define CLI_ROTATION_H

#include "tools/cli/admin_call.h"

enum { CLI_ROTATION_STATE_CHARS = 16 };

struct cli_rotation {
    uint32_t epoch;   /* of the newest record key; 0: it has none */
    bool is_asked;    /* and nothing has come of it yet */
    bool is_rotating; /* the key is registered, and nothing has come under it */
    char state[CLI_ROTATION_STATE_CHARS];
};

/* Reads one device; false: it can't be told, and why was. */
bool cli_rotation_read(const char *verb, const struct cli_admin *admin, uint64_t device_id,
                       struct cli_rotation *out);

/* "90s", "10m", "2h", "1d" or a plain number of seconds; false: it is no such time of at least a second. */
bool cli_seconds(const char *text, uint64_t *seconds);

/* A clock that never goes back, and a pause. */
uint64_t cli_monotonic_ms(void);
void cli_pause_ms(uint32_t ms);

#endif
