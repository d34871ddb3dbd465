/* SPDX-License-Identifier: Apache-2.0
 *
 * A spool in a file, as flash that can't be written: a gateway's spool file, or the spool in an image of a
 * board's memory. */
#ifndef CLI_SPOOL_LOOK_H
#define CLI_SPOOL_LOOK_H

#include "firmware/core/spool_format.h"
#include "tools/cli/cli.h"

enum { CLI_LOOK_ENVELOPE_MAX_BYTES = WIRE_PREFIX_BYTES + UINT16_MAX };

/* Everything that a run needs; one for the process. */
struct cli_look {
    struct port_flash flash;
    int fd;
    uint64_t file_bytes;
    uint32_t base; /* where the spool begins: behind the system pages of a board's memory */
    struct fw_spool_config config;
    struct fw_spool spool;
    struct fw_spool_state state;
    struct fw_spool_report report;
    uint8_t stage[FW_SPOOL_STAGE_MAX_BYTES];
    uint8_t envelope[CLI_LOOK_ENVELOPE_MAX_BYTES];
    bool json;
};

/* Opens the file and reads the spool; keeps `json`. CLI_OK, or what to end with, after a complaint. In every
 * case cli_look_away follows. */
enum cli_exit cli_look_at(struct cli_look *look, const char *path);
void cli_look_away(struct cli_look *look);

#endif
