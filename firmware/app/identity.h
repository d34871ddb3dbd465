/* SPDX-License-Identifier: Apache-2.0
 *
 * Who this board is: the identity image in its memory, the seed beside it, and the keys made usable. [loop]
 */
#ifndef APP_IDENTITY_H
#define APP_IDENTITY_H

#include "firmware/app/key_store.h"
#include "firmware/core/identity_store.h"
#include "firmware/crypto/crypto.h"
#include "firmware/net/client.h"
#include "firmware/port/port_flash.h"
#include "proto/image/image.h"

/* What keeps a board from collecting. */
enum app_trouble {
    APP_FINE,
    APP_NO_MEMORY,     /* the non-volatile memory does not answer; it may another time */
    APP_NO_IMAGE,      /* it holds no identity, or a factory's */
    APP_IMAGE_DAMAGED, /* both copies fail their check */
    APP_IMAGE_UNKNOWN, /* a format that this firmware does not know */
    APP_IMAGE_FOREIGN, /* made for another board, or another division of the memory */
    APP_NO_SEED,       /* nothing to make random numbers from: no key is used, no handshake begins */
    APP_KEYS_REFUSED,  /* the image's record key is none, it has more authorities than the board takes, or an
                          address is none */
    APP_SPOOL_FOREIGN, /* the spool is another device's, or of a newer format */
    APP_SPOOL_FAILED,  /* the memory failed under the spool */
};

/* The name of a trouble for machines, such as "no_image", and what to do about it. Static storage. */
const char *app_trouble_name(enum app_trouble trouble);
const char *app_trouble_advice(enum app_trouble trouble);

struct app_identity {
    struct fw_identity_store store;                  /* its image borrows from page */
    bool is_known;                                   /* it was read, and is no factory's */
    struct net_address addresses[NET_MAX_ADDRESSES]; /* store.image.n_aggregators of them */
    struct app_key_store keys;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
};

/* Reads the image and checks that it is this board's, ends a replacement that was cut, stirs and rewrites the
 * seed, and loads the record key. Call it again only after APP_NO_MEMORY. */
enum app_trouble app_identity_load(struct app_identity *identity, const struct port_flash *memory);

#endif
