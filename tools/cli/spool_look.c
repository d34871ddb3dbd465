/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/spool_look.h"

#include "aggregator/verify/verify.h"
#include "tools/cli/board_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROBE_BYTES = 1024 };

/* ---- the file as flash that can't be written ---- */

static struct hr_status read_at(void *ctx, uint32_t address, void *out, uint32_t len_bytes)
{
    const struct cli_look *look = ctx;
    uint8_t *bytes = out;
    while (len_bytes > 0) {
        ssize_t n = pread(look->fd, bytes, len_bytes, (off_t)look->base + (off_t)address);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return hr_status_of(HR_IO);
        }
        bytes += n;
        address += (uint32_t)n;
        len_bytes -= (uint32_t)n;
    }
    return hr_ok();
}

static struct hr_status refuse_program(void *ctx, uint32_t address, const void *data, uint32_t len_bytes)
{
    (void)ctx;
    (void)address;
    (void)data;
    (void)len_bytes;
    return hr_status_of(HR_IO);
}

static struct hr_status refuse_erase(void *ctx, uint32_t sector)
{
    (void)ctx;
    (void)sector;
    return hr_status_of(HR_IO);
}

static struct hr_status refuse_sync(void *ctx)
{
    (void)ctx;
    return hr_status_of(HR_IO);
}

/* Where a spool begins whose header, with a geometry that makes sense, stands `at` bytes into the file: at
 * the front of a file of just its length, or behind the system pages of a board's memory. False: nowhere. */
static bool find_base(const struct cli_look *look, const struct fw_spool_ident *ident, uint64_t at,
                      uint32_t *base)
{
    uint64_t spool_bytes = (uint64_t)ident->sector_bytes * ident->n_sectors;
    *base = 0;
    if (spool_bytes != look->file_bytes) {
        uint64_t system_bytes = (uint64_t)image_spool_first_sector(ident->sector_bytes) * ident->sector_bytes;
        if (system_bytes + spool_bytes > look->file_bytes) {
            return false;
        }
        *base = (uint32_t)system_bytes;
    }
    return at >= *base && at - *base < spool_bytes && (at - *base) % ident->sector_bytes == 0;
}

/* Finds a sector header and takes the geometry from it: one that agrees with where it stands and how long the
 * file is. */
static bool find_geometry(struct cli_look *look)
{
    uint8_t scratch[FW_SPOOL_HEADER_MAX_BYTES];
    look->flash.sector_bytes = PROBE_BYTES;
    look->flash.program_unit_bytes = 1;
    for (uint32_t i = 0; (uint64_t)(i + 1) * PROBE_BYTES <= look->file_bytes; i++) {
        struct fw_spool_ident ident;
        uint32_t end_offset;
        uint32_t base;
        if (!hr_is_ok(fw_spool_header_read(&look->flash, i, scratch, &ident, NULL, &end_offset)) ||
            ident.sector_bytes < 512 || ident.n_sectors < 4 || ident.program_unit_bytes == 0 ||
            ident.program_unit_bytes > 32 || ident.sector_bytes % ident.program_unit_bytes != 0 ||
            FW_SPOOL_SCRATCH_BYTES % ident.program_unit_bytes != 0 ||
            !find_base(look, &ident, (uint64_t)i * PROBE_BYTES, &base)) {
            continue;
        }
        look->base = base;
        look->flash.sector_bytes = ident.sector_bytes;
        look->flash.n_sectors = ident.n_sectors;
        look->flash.program_unit_bytes = ident.program_unit_bytes;
        look->config.device_id = ident.device_id;
        return true;
    }
    return false;
}

/* Takes the place and geometry from the identity of a board's memory; false when the file has none. */
static bool find_region(struct cli_look *look)
{
    static struct cli_board_image image;
    if (!hr_is_ok(cli_board_image_read(look->fd, look->file_bytes, &image))) {
        return false;
    }
    const struct image_regions *regions = &image.identity.regions;
    look->base = regions->spool_first_sector * regions->sector_bytes;
    look->flash.sector_bytes = regions->sector_bytes;
    look->flash.n_sectors = regions->spool_n_sectors;
    look->flash.program_unit_bytes = regions->program_unit_bytes;
    look->config.device_id = image.identity.device_id;
    OPENSSL_cleanse(&image, sizeof image);
    return true;
}

enum cli_exit cli_look_at(struct cli_look *look, const char *path)
{
    struct stat info;
    *look = (struct cli_look){.json = look->json};
    look->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (look->fd < 0 || fstat(look->fd, &info) != 0) {
        (void)fprintf(stderr, "headrace spool: %s: %s\n", path, strerror(errno));
        return CLI_FAILED;
    }
    look->file_bytes = (uint64_t)info.st_size;
    look->flash.read = read_at;
    look->flash.program = refuse_program;
    look->flash.erase = refuse_erase;
    look->flash.sync = refuse_sync;
    look->flash.erased_reads_are_true = true;
    look->flash.ctx = look;
    if (look->file_bytes > UINT32_MAX || (!find_region(look) && !find_geometry(look))) {
        (void)fprintf(
            stderr,
            "headrace spool: %s: no spool: neither a board's identity nor one sector header fits a file "
            "of %" PRIu64 " bytes\n",
            path, look->file_bytes);
        return CLI_INCOMPLETE;
    }
    look->config.flash = &look->flash;
    look->config.hash = verify_hash();
    look->config.envelope_max_bytes = CLI_LOOK_ENVELOPE_MAX_BYTES;
    look->config.stage = look->stage;
    look->config.stage_bytes = sizeof look->stage;
    look->config.sectors = calloc(look->flash.n_sectors, sizeof *look->config.sectors);
    struct hr_status status = look->config.sectors == NULL
                                  ? hr_status_of(HR_IO)
                                  : fw_spool_inspect(&look->spool, &look->config, &look->report);
    if (hr_is(status, HR_NOT_FOUND)) {
        (void)fprintf(stderr, "headrace spool: %s: no spool yet: the device has not written one\n", path);
        return CLI_INCOMPLETE;
    }
    if (!hr_is_ok(status)) {
        (void)fprintf(stderr, "headrace spool: %s can't be read as a spool: %s\n", path,
                      hr_code_name(status.code));
        return CLI_FAILED;
    }
    fw_spool_state(&look->spool, &look->state);
    return CLI_OK;
}

void cli_look_away(struct cli_look *look)
{
    free(look->config.sectors);
    if (look->fd >= 0) {
        (void)close(look->fd);
    }
}
