/* SPDX-License-Identifier: Apache-2.0
 *
 * A decision about a device, handed to a running aggregator. */
#ifndef CLI_DECISION_H
#define CLI_DECISION_H

#include "tools/cli/admin_call.h"

struct cli_decision {
    uint64_t device_id;
    const char *decision; /* as the admin API names it */
    const char *reason;   /* one that fits */
    bool dry_run;
    const char *key; /* the SHA-256 of one transport key, in hexadecimal; NULL: none is meant */
    bool has_place;  /* revoke: from there on */
    uint32_t stream, seq;
};

/* One line of 1 to 63 bytes of UTF-8; false: the mistake was told. */
bool cli_decision_reason_fits(const char *verb, const char *reason);

/* Asks, as cli_admin_get: false when it was not made, which was told. The row of the reply says what came of
 * it. */
bool cli_decision_ask(const char *verb, const struct cli_admin *admin, const struct cli_decision *decision,
                      struct cli_admin_reply *reply);

#endif
