/* SPDX-License-Identifier: Apache-2.0
 *
 * The record key of a gateway in files, and how it changes for the next one: port_keys over the file that the
 * configuration names (`identity.record_key`) and one beside it, FILE.state, which is there once the key was
 * changed, or is being changed. Each is the owner's alone (0600) and replaced whole: written beside, synced,
 * renamed, and the folder synced.
 *
 *     epoch 1                 of the key in FILE
 *     phase in_use            single, prepared, placed, in_use, back; promoted: FILE is about to be replaced
 *     place 0 6               stream and batch, of the note
 *     next 3077...            the next key, DER in hexadecimal, unless the phase is single
 *
 * The state's epoch counts, not the configuration's, which says what the device was enrolled with; a higher
 * one there means that the device was enrolled again, and the state is of the past. */
#ifndef APP_KEY_FILES_H
#define APP_KEY_FILES_H

#include "firmware/app/config.h"
#include "firmware/app/key_pair.h"
#include "firmware/crypto/device_key.h"
#include "firmware/port/port_log.h"

enum { APP_KEY_PATH_CHARS = APP_PATH_MAX_CHARS + 16 };

/* The caller places it and leaves it where it is; `pair` has what the collector needs, the rest is private.
 */
struct app_key_files {
    struct app_key_pair pair;
    const struct port_log *log;
    char path[APP_KEY_PATH_CHARS];
    char state_path[APP_KEY_PATH_CHARS];
    bool is_promoted; /* the next key is about to be the key in FILE */
    uint16_t epoch;
    uint8_t next_der[CRYPTO_KEY_BYTES];
};

/* Loads the keys, and ends a change of FILE that was cut. `identity` gives the path and the epoch. Codes as
 * crypto_signer_load_file; HR_MALFORMED also for a state that can't be read. The cause is logged. */
HR_MUST_USE struct hr_status app_key_files_open(struct app_key_files *files,
                                                const struct app_identity *identity,
                                                const struct port_log *log);

#endif
