/* SPDX-License-Identifier: Apache-2.0
 *
 * port_flash over one preallocated file, for gateways: same rules and same bytes as raw flash, so that one
 * spool serves both. */
#ifndef PORT_FLASH_FILE_H
#define PORT_FLASH_FILE_H

#include "firmware/port/port_flash.h"

enum { PORT_FLASH_FILE_UNIT_BYTES = 8 };

struct port_flash_file_config {
    const char *path;
    uint32_t sector_bytes; /* a multiple of 4096 */
    uint32_t n_sectors;    /* at least 4; sector_bytes * n_sectors below 2^32 */
};

/* The caller places it and keeps it where it is; members other than `port` are private. */
struct port_flash_file {
    struct port_flash port;
    int fd;
    bool failed; /* a write or sync failed: the page cache may lie (fsyncgate), nothing is done any more */
};

/* Opens the file, or makes it: mode 0600, all space allocated and FF, file and directory synced, before it
 * gets its name. It is locked against a second process until port_flash_file_close. HR_DENIED: another
 * process has it. HR_MALFORMED: it has another size than the geometry asks for, or is no regular file;
 * *actual_bytes then tells its size. HR_FULL: no space on the device. HR_IO: anything else; errno says why.
 */
HR_MUST_USE struct hr_status port_flash_file_open(struct port_flash_file *file,
                                                  const struct port_flash_file_config *config,
                                                  uint64_t *actual_bytes);
void port_flash_file_close(struct port_flash_file *file);

#endif
