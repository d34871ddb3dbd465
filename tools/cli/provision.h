/* SPDX-License-Identifier: Apache-2.0
 *
 * The provisioning ceremony as the tool leads it: it asks the device and the registry how far they are, and
 * does what is missing. Said again after any interruption, it goes on from there. Every step is told. */
#ifndef CLI_PROVISION_H
#define CLI_PROVISION_H

#include "proto/image/image.h"
#include "tools/cli/admin_rows.h"
#include "tools/cli/device_line.h"

enum { PROVISION_TEXT_CHARS = 64, PROVISION_HEX_CHARS = 1408 };

/* What the registry says of a serial. */
struct provision_claim {
    uint64_t device_id;
    char name[PROVISION_TEXT_CHARS];
    char site[PROVISION_TEXT_CHARS];
    char state[PROVISION_TEXT_CHARS];
    char nonce[PROVISION_TEXT_CHARS];
    char key[PROVISION_HEX_CHARS];         /* "" before it is certified */
    char certificate[PROVISION_HEX_CHARS]; /* likewise */
    uint64_t epoch;
    uint64_t first_stream;
};

/* What the device says of itself. */
struct provision_device {
    char serial[PROVISION_TEXT_CHARS];
    char board[PROVISION_TEXT_CHARS];
    char state[PROVISION_TEXT_CHARS];
    uint64_t device_id;
    bool is_locked;
    bool follows_trust;
    uint64_t trust_version; /* of the bundle that it follows; 0: none */
};

struct provision {
    const char *verb;
    struct cli_admin admin;
    struct cli_device_line line;
    const char *authority; /* the directory */
    const char *serial;    /* that is expected; NULL: whatever the device says */
    const char *aggregators[IMAGE_MAX_AGGREGATORS];
    size_t n_aggregators;
    const char *server_name;
    uint64_t replaces; /* a device's id; 0: none */
    uint64_t wait_s;   /* for the first batch */
    bool is_json;
    bool dry_run;
    struct provision_device device;
    struct provision_claim claim;
};

/* HR_OK: the device delivers and is locked, or (dry_run) would be led there. Everything else was told on
 * stderr, with what to do. */
HR_MUST_USE struct hr_status cli_provision(struct provision *provision);

/* ---- parts ---- */
/* Asks the registry: GET, or POST where there is a body. False: told. */
bool cli_provision_ask(struct provision *provision, const char *path, const char *body);
/* The end of a body: who asks, and the brace. Borrowed until the next call. */
const char *cli_provision_signed(void);
/* Tells a step that is done. */
void cli_provision_tell(const struct provision *provision, const char *step, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
/* Tells a device that was provisioned without a trust bundle, and could follow one, how to get it. */
HR_MUST_USE struct hr_status cli_provision_look_at_trust(const struct provision *provision);
/* P2 to P6, of a device in factory state. */
HR_MUST_USE struct hr_status cli_provision_identity(struct provision *provision);
/* A line of the ceremony; what the device refuses is told. */
HR_MUST_USE struct hr_status cli_provision_say(struct provision *provision, const char *line, ...)
    __attribute__((format(printf, 2, 3)));

#endif
