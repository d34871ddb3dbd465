/* SPDX-License-Identifier: Apache-2.0
 *
 * The record key of a device whose identity stands in an identity store, and how it changes for the next one:
 * port_keys over the store's image.
 *
 *     phase     record_key  next_record_key  old_record_key  place of the switch
 *     single    key
 *     prepared  key         next
 *     placed    key         next                             there
 *     in use    next                         key             there   (key_epoch is the next key's)
 *     back      key         next             key             there
 *
 * Sessions borrow keys and certificates from the store's page. All of these fields but record_key stand
 * behind what is borrowed, and a new record key is as long as the old one: so the bytes that are borrowed
 * stay where they are. [loop] */
#ifndef APP_KEY_STORE_H
#define APP_KEY_STORE_H

#include "firmware/app/key_pair.h"
#include "firmware/core/identity_store.h"

struct app_key_store {
    struct app_key_pair pair;
    struct fw_identity_store *store;
};

/* Loads the keys of an enrolled identity; the store is kept. Codes as crypto_signer_load. */
HR_MUST_USE struct hr_status app_key_store_open(struct app_key_store *keys, struct fw_identity_store *store);

#endif
