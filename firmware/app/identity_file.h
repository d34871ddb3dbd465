/* SPDX-License-Identifier: Apache-2.0
 *
 * A gateway's identity in a directory: the file `identity`, which has the pages of a board's memory
 * (proto/SPEC.md section 10) and is its owner's only, the file `trust` with those of the trust bundle, and
 * the socket `provision.sock`, at which the ceremony of firmware/core/ceremony.h is answered, one caller at a
 * time. [loop] */
#ifndef APP_IDENTITY_FILE_H
#define APP_IDENTITY_FILE_H

#include "firmware/app/config.h"
#include "firmware/app/provisioner.h"
#include "firmware/crypto/crypto.h"
#include "firmware/port/port_log.h"
#include "firmware/ports/linux/flash_file.h"

#include <poll.h>

/* Members but `store` are private. */
struct app_identity_file {
    struct fw_identity_store store;
    struct port_flash_file file;
    struct port_flash_file bundles; /* the pages of trust_store.h */
    struct fw_ceremony ceremony;
    const struct port_log *log;
    int listening_fd;
    int caller_fd; /* -1: nobody calls */
    char line[FW_CEREMONY_LINE_MAX_CHARS + 1];
    uint32_t n_chars;
    bool is_overlong;
    char socket[108];  /* its path; empty: none */
    char answer[2048]; /* twice the longest */
    size_t n_answer;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    uint8_t stage[FW_CEREMONY_STAGE_BYTES];
};

enum { APP_IDENTITY_FDS = 2 };

/* Opens the directory of the configuration (0700, made where it is not there) and what is in it, ends a
 * replacement that was cut, and listens at the socket. Where there is no identity it makes a factory's, with
 * the configuration's serial or else the machine's id. HR_DENIED: another process has it. HR_CORRUPT,
 * HR_MALFORMED: what is there can't be used. HR_IO: anything else. The cause is logged. */
HR_MUST_USE struct hr_status app_identity_file_open(struct app_identity_file *identity,
                                                    const struct app_identity *config,
                                                    const struct port_log *log);
void app_identity_file_close(struct app_identity_file *identity);

/* What to wait for; at most APP_IDENTITY_FDS. */
size_t app_identity_file_fds(const struct app_identity_file *identity, struct pollfd *out);
/* Answers what arrived. HR_IO: the file failed; end, and start again. */
HR_MUST_USE struct hr_status app_identity_file_step(struct app_identity_file *identity);

/* An identity that delivers is there. */
bool app_identity_file_is_enrolled(const struct app_identity_file *identity);
/* Fills what the configuration has no word of: device, name, aggregators, server name. HR_MALFORMED: more, or
 * longer, than this program takes; logged. Asserts that it is enrolled. */
HR_MUST_USE struct hr_status app_identity_file_apply(const struct app_identity_file *identity,
                                                     struct app_config *config);

#endif
