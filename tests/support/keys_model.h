/* SPDX-License-Identifier: Apache-2.0
 *
 * The record keys of a simulated device: real P-256 keys, and a durable part that survives a restart of it.
 * Keeps its own rules of port_keys and fails the test when the core breaks one. */
#ifndef KEYS_MODEL_H
#define KEYS_MODEL_H

#include "firmware/crypto/crypto.h"
#include "firmware/port/port_keys.h"

enum { KEYS_MODEL_MAX = 8 };

/* Made once for a test program: loading a key costs more than signing with it. */
struct keys_pool {
    struct crypto_signer signers[KEYS_MODEL_MAX];
};

struct keys_model {
    struct keys_pool *pool;
    /* Durable: which signer is which key, and how often one was made. */
    struct port_keys_note note;
    uint16_t epoch;
    uint32_t key;
    uint32_t next;
    uint32_t n_made;
    uint32_t n_destroyed;
    bool is_old_used_again; /* the first "new" key is the one that the device has */

    /* Called before and after each change of the durable part; may not return. NULL: nobody is asked. */
    void (*on_change)(void *ctx, enum port_keys_phase to, bool is_done);
    void *on_change_ctx;
    struct port_keys port;
};

void keys_pool_fill(struct keys_pool *pool);
void keys_pool_empty(struct keys_pool *pool);

/* A device with the first key of the pool, at epoch 1. */
void keys_model_make(struct keys_model *model, struct keys_pool *pool);
/* The port as the durable part has it: at the start, and after each restart. */
void keys_model_load(struct keys_model *model);

#endif
