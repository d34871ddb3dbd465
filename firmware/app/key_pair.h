/* SPDX-License-Identifier: Apache-2.0
 *
 * A record key and the one after it, loaded: what the ways of keeping them share. The same on boards and
 * gateways. [loop] */
#ifndef APP_KEY_PAIR_H
#define APP_KEY_PAIR_H

#include "firmware/crypto/crypto.h"
#include "firmware/port/port_keys.h"

/* The caller places it and leaves it where it is. `port` and `verify` are for the collector. */
struct app_key_pair {
    struct port_keys port;     /* its calls and note are those of whoever keeps the keys */
    struct port_verify verify; /* by either key */
    struct crypto_signer key, next;
    struct crypto_verifier key_verifier, next_verifier;
};

/* Loads the key (DER), in place of another one that is there already (is_loaded). Codes as
 * crypto_signer_load. */
HR_MUST_USE struct hr_status app_key_pair_load(struct app_key_pair *pair, struct hr_bytes der, uint16_t epoch,
                                               bool is_loaded);
/* Loads the next key; its epoch is the one above the key's. Codes likewise; nothing is loaded then. */
HR_MUST_USE struct hr_status app_key_pair_load_next(struct app_key_pair *pair, struct hr_bytes der);
/* Lets the next key go. */
void app_key_pair_forget_next(struct app_key_pair *pair);

#endif
