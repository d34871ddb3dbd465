/* SPDX-License-Identifier: Apache-2.0
 *
 * app_transport of a gateway with `identity.directory`: a file `renew` in the directory, made by an operator,
 * says that it is time, and what sessions are opened with is copied, since over TCP it is looked at while the
 * identity may already be another. [loop] */
#ifndef APP_TRANSPORT_FILE_H
#define APP_TRANSPORT_FILE_H

#include "firmware/app/config.h"
#include "firmware/app/transport_store.h"

/* The caller keeps it where it is. Members but `transport` are private. */
struct app_transport_file {
    struct app_transport transport;
    char asked_path[APP_PATH_MAX_CHARS + 8];
    uint8_t room[APP_TRANSPORT_ROOM_BYTES];
    uint8_t certificate[IMAGE_CERTIFICATE_MAX_BYTES];
    uint8_t key[IMAGE_KEY_MAX_BYTES];
};

/* Store, clock and log are kept. */
void app_transport_file_open(struct app_transport_file *file, const struct app_config *config,
                             struct fw_identity_store *store, const struct port_clock *clock,
                             const struct port_log *log);

/* As app_transport_choose, and what it gives stays as it is until the next call. */
HR_MUST_USE struct hr_status app_transport_file_choose(struct app_transport_file *file,
                                                       struct hr_bytes *certificate, struct hr_bytes *key);

#endif
