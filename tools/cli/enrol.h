/* SPDX-License-Identifier: Apache-2.0
 *
 * What `headrace device enrol` makes: keys, a certificate and a registry entry for every device, and the
 * identity as its platform reads it: files for a gateway, an image of the memory for a board. The registry
 * entry is written last, so that a device that an aggregator lets in has all it needs. */
#ifndef CLI_ENROL_H
#define CLI_ENROL_H

#include "aggregator/io/ledger.h"
#include "proto/image/image.h"
#include "proto/trust/trust.h"
#include "tools/cli/authority.h"
#include "tools/cli/board_plan.h"
#include "tools/cli/files.h"

struct cli_enrolment {
    const char *authority;
    const char *registry;
    const char *out;
    const char *name;
    const char *tenant;
    const char *aggregators[IMAGE_MAX_AGGREGATORS];
    size_t n_aggregators;
    const char *server_name;
    uint64_t device_id;
    bool force;
    /* Of a board: what the identity says besides keys, certificates and the above. NULL: a gateway. */
    const struct image_board *board;
    struct image_identity wanted;
    const char *plan; /* the file of its poll plan; NULL: it polls nothing */
};

/* Both tell what they wrote on stdout and every failure on stderr. HR_DENIED: files are there, and no force.
 */
HR_MUST_USE struct hr_status cli_enrol_gateway(const struct cli_enrolment *enrolment);
HR_MUST_USE struct hr_status cli_enrol_board(const struct cli_enrolment *enrolment);

/* ---- what the two share ---- */

HR_MUST_USE struct hr_status cli_entry_path(const char *registry, uint64_t device_id, struct cli_path *out);
/* HR_NOT_FOUND is silent; other failures are told. */
HR_MUST_USE struct hr_status cli_entry_read(const struct cli_path *path, struct ledger_device *out);
HR_MUST_USE struct hr_status cli_entry_write(const struct cli_path *path, const struct ledger_device *device,
                                             bool replace);
/* The entry with a new key: a fresh one, or, when the device is enrolled again, the old one with the key
 * under the next epoch; the older keys stay, because batches signed with them may still be on their way. */
HR_MUST_USE struct hr_status cli_entry_with_key(const struct cli_enrolment *enrolment,
                                                const struct cli_path *path,
                                                const uint8_t spki[CLI_SPKI_BYTES],
                                                struct ledger_device *out);
uint16_t cli_entry_newest_epoch(const struct ledger_device *device);
void cli_entry_tell(const struct cli_path *path, const struct ledger_device *device);

enum { CLI_DEVICE_DAYS = 10 * 365, CLI_DEVICE_NAME_CHARS = 40 };

/* The subject of a device's certificates. Returns out. */
const char *cli_device_common_name(uint64_t device_id, char out[CLI_DEVICE_NAME_CHARS]);

/* A transport key with its certificate, and the certificate of who signs aggregators. */
HR_MUST_USE struct hr_status cli_enrol_transport(const struct cli_enrolment *enrolment,
                                                 struct cli_certified *out);
HR_MUST_USE struct hr_status cli_enrol_trusted(const struct cli_enrolment *enrolment, X509 **out);

/* A board's memory with that identity, a seed, an empty spool, and a poll plan and the trust bundle that the
 * identity names if they are not NULL. */
HR_MUST_USE struct hr_status cli_board_memory_write(const struct image_board *board,
                                                    const struct image_identity *identity,
                                                    const struct cli_plan_page *plan,
                                                    const struct trust_bundle *bundle,
                                                    const struct cli_path *path, bool force);

HR_MUST_USE struct hr_status cli_enrol_write(const struct cli_path *path, struct hr_bytes content,
                                             bool secret, bool force);

#endif
