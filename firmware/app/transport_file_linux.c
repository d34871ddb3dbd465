/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/transport_file.h"

#include "proto/base/failpoint.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_asked(void *ctx)
{
    const struct app_transport_file *file = ctx;
    return access(file->asked_path, F_OK) == 0;
}

static void done(void *ctx)
{
    const struct app_transport_file *file = ctx;
    HR_FAILPOINT("transport_key_certified");
    (void)unlink(file->asked_path);
}

void app_transport_file_open(struct app_transport_file *file, const struct app_config *config,
                             struct fw_identity_store *store, const struct port_clock *clock,
                             const struct port_log *log)
{
    (void)snprintf(file->asked_path, sizeof file->asked_path, "%s/renew", config->identity.directory);
    const struct app_transport_config transport = {.store = store,
                                                   .clock = clock,
                                                   .log = log,
                                                   .room = file->room,
                                                   .asked = {is_asked, done, file},
                                                   .before_ms = config->renewal_before_ms};
    app_transport_open(&file->transport, &transport);
}

/* The image bounds them. */
static struct hr_bytes copied(struct hr_bytes bytes, uint8_t *room)
{
    memcpy(room, bytes.data, bytes.len_bytes);
    return hr_bytes_of(room, bytes.len_bytes);
}

struct hr_status app_transport_file_choose(struct app_transport_file *file, struct hr_bytes *certificate,
                                           struct hr_bytes *key)
{
    HR_TRY(app_transport_choose(&file->transport, certificate, key));
    *certificate = copied(*certificate, file->certificate);
    *key = copied(*key, file->key);
    return hr_ok();
}
