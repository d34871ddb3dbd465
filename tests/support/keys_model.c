/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/keys_model.h"

#include "tests/support/test_cmocka.h"

#include <string.h>

void keys_pool_fill(struct keys_pool *pool)
{
    /* SEC1: a private key of 32 equal bytes, on P-256. */
    uint8_t sec1[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, 0,    0,    0,    0,    0,   0,
                      0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,   0,
                      0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,   0,
                      0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    assert_ok(crypto_start());
    for (uint32_t i = 0; i < KEYS_MODEL_MAX; i++) {
        memset(sec1 + 7, (int)i + 9, 32);
        assert_ok(crypto_signer_load(&pool->signers[i], hr_bytes_of(sec1, sizeof sec1), 1));
    }
}

void keys_pool_empty(struct keys_pool *pool)
{
    for (uint32_t i = 0; i < KEYS_MODEL_MAX; i++) {
        crypto_signer_unload(&pool->signers[i]);
    }
}

static struct port_sign sign_of(const struct keys_model *model, uint32_t index, uint16_t epoch)
{
    struct port_sign sign = model->pool->signers[index].port;
    sign.key_epoch = epoch;
    return sign;
}

static void refresh(struct keys_model *model)
{
    model->port.note = model->note;
    model->port.key = sign_of(model, model->key, model->epoch);
    if (model->note.phase != PORT_KEYS_SINGLE) {
        model->port.next = sign_of(model, model->next, (uint16_t)(model->epoch + 1));
        memcpy(model->port.next_spki, model->pool->signers[model->next].spki, PORT_KEYS_SPKI_BYTES);
    } else {
        memset(&model->port.next, 0, sizeof model->port.next);
    }
}

static void tell(struct keys_model *model, enum port_keys_phase to, bool is_done)
{
    if (is_done) {
        refresh(model);
    }
    if (model->on_change != NULL) {
        model->on_change(model->on_change_ctx, to, is_done);
    }
}

static struct hr_status prepare(void *ctx)
{
    struct keys_model *model = ctx;
    assert_int_equal(model->note.phase, PORT_KEYS_SINGLE);
    tell(model, PORT_KEYS_PREPARED, false);
    bool is_used_again = model->is_old_used_again && model->n_made == 0;
    model->n_made++;
    assert_true(model->n_made < KEYS_MODEL_MAX);
    model->next = is_used_again ? model->key : model->n_made;
    model->note = (struct port_keys_note){.phase = PORT_KEYS_PREPARED};
    tell(model, PORT_KEYS_PREPARED, true);
    return hr_ok();
}

static struct hr_status save(void *ctx, struct port_keys_note note)
{
    struct keys_model *model = ctx;
    assert_true(model->note.phase != PORT_KEYS_SINGLE && note.phase != PORT_KEYS_SINGLE);
    tell(model, note.phase, false);
    model->note = note;
    tell(model, note.phase, true);
    return hr_ok();
}

static void end_with(struct keys_model *model, uint32_t key, uint16_t epoch)
{
    tell(model, PORT_KEYS_SINGLE, false);
    model->note = (struct port_keys_note){.phase = PORT_KEYS_SINGLE};
    model->key = key;
    model->epoch = epoch;
    model->n_destroyed++;
    tell(model, PORT_KEYS_SINGLE, true);
}

static struct hr_status promote(void *ctx)
{
    struct keys_model *model = ctx;
    assert_int_equal(model->note.phase, PORT_KEYS_IN_USE);
    end_with(model, model->next, (uint16_t)(model->epoch + 1));
    return hr_ok();
}

static struct hr_status discard(void *ctx)
{
    struct keys_model *model = ctx;
    assert_true(model->note.phase == PORT_KEYS_PREPARED || model->note.phase == PORT_KEYS_BACK);
    end_with(model, model->key, model->epoch);
    return hr_ok();
}

void keys_model_make(struct keys_model *model, struct keys_pool *pool)
{
    *model = (struct keys_model){.pool = pool, .epoch = 1};
    keys_model_load(model);
}

void keys_model_load(struct keys_model *model)
{
    model->port = (struct port_keys){
        .prepare = prepare, .save = save, .promote = promote, .discard = discard, .ctx = model};
    refresh(model);
}
