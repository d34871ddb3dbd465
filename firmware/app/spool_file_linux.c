/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/spool_file.h"

#include "firmware/crypto/crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void log_refusal(const struct port_log *log, const char *path, struct hr_status status,
                        uint64_t actual_bytes)
{
    const char *reason = strerror(errno);
    if (hr_is(status, HR_DENIED)) {
        reason = "another process has it";
    } else if (hr_is(status, HR_MALFORMED)) {
        reason = "it has another size than spool.size says, or is no regular file";
    } else if (hr_is(status, HR_FULL)) {
        reason = "no space left on the device";
    }
    PORT_LOG(log, PORT_LOG_ERROR, "spool_file_refused", {"path", path, 0}, {"reason", reason, 0},
             {"size_bytes", NULL, (int64_t)actual_bytes});
}

static struct hr_status open_spool(struct app_spool_file *spool, const struct app_config *config,
                                   uint32_t first_stream, struct fw_spool_report *report)
{
    const struct fw_spool_config settings = {
        .flash = &spool->file.port,
        .hash = crypto_hash(),
        .device_id = config->device_id,
        .envelope_max_bytes = WIRE_GATEWAY_ENVELOPE_MAX_BYTES,
        .sectors = spool->sectors,
        .stage = spool->stage,
        .stage_bytes = sizeof spool->stage,
        .first_stream = first_stream,
    };
    return fw_spool_open(&spool->spool, &settings, report);
}

struct hr_status app_spool_file_open(struct app_spool_file *spool, const struct app_config *config,
                                     uint32_t first_stream, const struct port_log *log,
                                     struct fw_spool_report *report)
{
    const struct port_flash_file_config geometry = {
        .path = config->spool.path,
        .sector_bytes = config->spool.sector_bytes,
        .n_sectors = (uint32_t)(config->spool.size_bytes / config->spool.sector_bytes),
    };
    uint64_t actual_bytes = 0;
    struct hr_status status = port_flash_file_open(&spool->file, &geometry, &actual_bytes);
    if (!hr_is_ok(status)) {
        log_refusal(log, geometry.path, status, actual_bytes);
        return status;
    }
    spool->is_open = true;
    spool->sectors = calloc(geometry.n_sectors, sizeof *spool->sectors);
    if (spool->sectors == NULL) {
        return hr_status_of(HR_IO);
    }
    status = open_spool(spool, config, first_stream, report);
    if (!hr_is_ok(status)) {
        const char *reason =
            hr_is(status, HR_CORRUPT) ? "another format, or another device's spool" : "it can't be read";
        PORT_LOG(log, PORT_LOG_ERROR, "spool_refused", {"path", geometry.path, 0}, {"reason", reason, 0});
        return status;
    }
    PORT_LOG(log, PORT_LOG_INFO, "spool_opened", {"path", geometry.path, 0},
             {"formatted", NULL, report->formatted}, {"clean", NULL, report->clean},
             {"recovered_records", NULL, report->recovered_records},
             {"torn_entries", NULL, report->torn_entries}, {"sectors_in_use", NULL, report->sectors_in_use});
    return hr_ok();
}

void app_spool_file_close(struct app_spool_file *spool)
{
    if (spool->is_open) {
        port_flash_file_close(&spool->file);
        spool->is_open = false;
    }
    free(spool->sectors);
    spool->sectors = NULL;
}
