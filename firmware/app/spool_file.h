/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool over a file: the file port, the tables that the spool wants from its caller, and what was found.
 * [loop] */
#ifndef APP_SPOOL_FILE_H
#define APP_SPOOL_FILE_H

#include "firmware/app/config.h"
#include "firmware/core/spool.h"
#include "firmware/port/port_log.h"
#include "firmware/ports/linux/flash_file.h"

struct app_spool_file {
    struct port_flash_file file;
    bool is_open;
    struct fw_spool_sector *sectors; /* owned */
    uint8_t stage[FW_SPOOL_STAGE_MAX_BYTES];
    struct fw_spool spool;
};

/* Opens or makes the file, and the spool in it, which begins with first_stream (0: its own choice). HR_IO,
 * HR_CORRUPT, HR_DENIED (another process has it): the cause was logged. */
HR_MUST_USE struct hr_status app_spool_file_open(struct app_spool_file *spool,
                                                 const struct app_config *config, uint32_t first_stream,
                                                 const struct port_log *log, struct fw_spool_report *report);
void app_spool_file_close(struct app_spool_file *spool);

#endif
