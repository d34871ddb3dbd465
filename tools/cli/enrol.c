/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/enrol.h"

#include "aggregator/config/registry_entry.h"
#include "proto/base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ENTRY_MAX_BYTES = 8192 };

struct hr_status cli_entry_path(const char *registry, uint64_t device_id, struct cli_path *out)
{
    return cli_path_of(out, registry, "%" PRIu64 ".yaml", device_id);
}

struct hr_status cli_entry_write(const struct cli_path *path, const struct ledger_device *device,
                                 bool replace)
{
    char text[ENTRY_MAX_BYTES];
    FILE *memory = fmemopen(text, sizeof(text), "w");
    if (memory == NULL) {
        perror("headrace");
        return hr_status_of(HR_IO);
    }
    config_registry_print(device, memory);
    long len = fflush(memory) == 0 ? ftell(memory) : -1;
    (void)fclose(memory);
    HR_ASSERT(len > 0 && len < ENTRY_MAX_BYTES); /* eight keys and three names are far below */
    return cli_file_write(path->text, hr_bytes_of(text, (size_t)len), false, replace);
}

struct hr_status cli_entry_read(const struct cli_path *path, struct ledger_device *out)
{
    struct conf_report report;
    struct hr_status status = config_registry_load(path->text, out, &report);
    if (!hr_is_ok(status) && !hr_is(status, HR_NOT_FOUND)) {
        conf_report_print(&report, stderr);
    }
    return status;
}

struct hr_status cli_entry_with_key(const struct cli_enrolment *enrolment, const struct cli_path *path,
                                    const uint8_t spki[CLI_SPKI_BYTES], struct ledger_device *out)
{
    struct hr_status status = cli_entry_read(path, out);
    if (hr_is(status, HR_NOT_FOUND)) {
        *out = (struct ledger_device){.device_id = enrolment->device_id};
    } else {
        HR_TRY(status);
    }
    if (out->n_keys == LEDGER_DEVICE_MAX_KEYS) {
        (void)fprintf(stderr, "headrace: %s has %d keys already\n", path->text, LEDGER_DEVICE_MAX_KEYS);
        return hr_status_of(HR_FULL);
    }
    uint16_t epoch = 1;
    for (uint16_t i = 0; i < out->n_keys; i++) {
        epoch = out->keys[i].epoch >= epoch ? (uint16_t)(out->keys[i].epoch + 1) : epoch;
    }
    (void)snprintf(out->name, sizeof(out->name), "%s", enrolment->name);
    (void)snprintf(out->tenant, sizeof(out->tenant), "%s", enrolment->tenant);
    (void)snprintf(out->reason, sizeof(out->reason), "%s", out->n_keys == 0 ? "enrolled" : "enrolled again");
    out->state = LEDGER_DEVICE_ACTIVE;
    out->revision++;
    struct ledger_key *key = &out->keys[out->n_keys++];
    *key = (struct ledger_key){
        .epoch = epoch, .spki_len_bytes = CLI_SPKI_BYTES, .to_stream = UINT32_MAX, .to_seq = UINT32_MAX};
    memcpy(key->spki, spki, CLI_SPKI_BYTES);
    return hr_ok();
}

uint16_t cli_entry_newest_epoch(const struct ledger_device *device)
{
    return device->keys[device->n_keys - 1].epoch;
}

void cli_entry_tell(const struct cli_path *path, const struct ledger_device *device)
{
    (void)printf("wrote %s\ndevice %" PRIu64 " (%s) is enrolled, key epoch %u\n", path->text,
                 device->device_id, device->name, (unsigned)cli_entry_newest_epoch(device));
}

const char *cli_device_common_name(uint64_t device_id, char out[CLI_DEVICE_NAME_CHARS])
{
    (void)snprintf(out, CLI_DEVICE_NAME_CHARS, "headrace-device-%016" PRIx64, device_id);
    return out;
}

struct hr_status cli_enrol_transport(const struct cli_enrolment *enrolment, struct cli_certified *out)
{
    char common_name[CLI_DEVICE_NAME_CHARS];
    const struct cli_certificate wanted = {.role = CLI_ROLE_DEVICE,
                                           .common_name =
                                               cli_device_common_name(enrolment->device_id, common_name),
                                           .days = CLI_DEVICE_DAYS};
    return cli_authority_certify(enrolment->authority, CLI_ISSUER_DEVICES, &wanted, out);
}

struct hr_status cli_enrol_trusted(const struct cli_enrolment *enrolment, X509 **out)
{
    struct cli_path trusted;
    HR_TRY(cli_path_of(&trusted, enrolment->authority, CLI_ISSUER_SERVERS ".crt"));
    return cli_certificate_read(trusted.text, out);
}

struct hr_status cli_enrol_write(const struct cli_path *path, struct hr_bytes content, bool secret,
                                 bool force)
{
    HR_TRY(cli_file_write(path->text, content, secret, force));
    cli_file_tell(path->text);
    return hr_ok();
}
