/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two forms of `headrace device rotate` share: a new record key, and another transport key. */
#ifndef CLI_DEVICE_ROTATE_H
#define CLI_DEVICE_ROTATE_H

#include "tools/cli/admin_call.h"

#include <stdbool.h>
#include <stdint.h>

struct cli_rotate_request {
    struct cli_admin admin;
    uint64_t device_id;
    uint64_t timeout_s; /* of waiting */
    const char *reason;
    bool waits;
    bool dry_run;
    bool is_json;
    uint32_t old_epoch; /* of a record key, before anything was asked */
};

/* `--transport`: asks, and follows; gives the exit code. */
int cli_device_rotate_transport(const struct cli_rotate_request *request);

#endif
