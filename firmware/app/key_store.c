/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/key_store.h"

#include "firmware/crypto/device_key.h"
#include "proto/base/failpoint.h"
#include "proto/base/wipe.h"

static const struct hr_bytes none = {NULL, 0};

static bool has(struct hr_bytes bytes)
{
    return bytes.len_bytes > 0;
}

static enum port_keys_phase phase_of(const struct image_identity *image)
{
    if (!has(image->next_record_key)) {
        return has(image->old_record_key) ? PORT_KEYS_IN_USE : PORT_KEYS_SINGLE;
    }
    if (!image->has_switch) {
        return PORT_KEYS_PREPARED;
    }
    return has(image->old_record_key) ? PORT_KEYS_BACK : PORT_KEYS_PLACED;
}

/* Makes the image the identity, and the note that of it. HR_IO also when what is borrowed of the page has
 * moved, so that no session may go on. */
static struct hr_status replace(struct app_key_store *keys, const struct image_identity *image,
                                struct port_keys_note note)
{
    const uint8_t *borrowed = keys->store->image.certificate.data;
    struct hr_status status = fw_identity_store_replace(keys->store, image);
    if (hr_is_ok(status) && keys->store->image.certificate.data == borrowed) {
        keys->pair.port.note = note;
        return hr_ok();
    }
    return hr_status_of(HR_IO);
}

static struct hr_status prepare(void *ctx)
{
    struct app_key_store *keys = ctx;
    struct image_identity image = keys->store->image;
    uint8_t der[CRYPTO_KEY_BYTES];
    if (image.key_epoch == UINT16_MAX || image.record_key.len_bytes != sizeof der) {
        return hr_status_of(HR_FULL);
    }
    HR_TRY(crypto_key_new(der));
    image.next_record_key = hr_bytes_of(der, sizeof der);
    struct hr_status status = app_key_pair_load_next(&keys->pair, image.next_record_key);
    if (hr_is_ok(status)) {
        status = replace(keys, &image, (struct port_keys_note){.phase = PORT_KEYS_PREPARED});
        HR_FAILPOINT("key_prepared");
        if (!hr_is_ok(status)) {
            app_key_pair_forget_next(&keys->pair);
        }
    }
    hr_wipe(der, sizeof der);
    return status;
}

static struct hr_status save(void *ctx, struct port_keys_note note)
{
    struct app_key_store *keys = ctx;
    struct image_identity image = keys->store->image;
    bool was_in_use = phase_of(&image) == PORT_KEYS_IN_USE;
    bool is_in_use = note.phase == PORT_KEYS_IN_USE;
    const struct hr_bytes key = was_in_use ? image.old_record_key : image.record_key;
    const struct hr_bytes next = was_in_use ? image.record_key : image.next_record_key;
    image.record_key = is_in_use ? next : key;
    image.next_record_key = is_in_use ? none : next;
    image.old_record_key = is_in_use || note.phase == PORT_KEYS_BACK ? key : none;
    image.key_epoch = (uint16_t)(keys->pair.port.key.key_epoch + (is_in_use ? 1 : 0));
    image.has_switch = note.phase != PORT_KEYS_PREPARED;
    image.switch_stream = note.stream;
    image.switch_seq = note.seq;
    if (is_in_use) {
        HR_FAILPOINT("key_switch_sealed");
    }
    HR_TRY(replace(keys, &image, note));
    if (note.phase == PORT_KEYS_PLACED) {
        HR_FAILPOINT("key_placed");
    } else if (is_in_use) {
        HR_FAILPOINT("key_in_use");
    }
    return hr_ok();
}

/* What record_key is by now remains alone. */
static struct hr_status end(struct app_key_store *keys)
{
    struct image_identity image = keys->store->image;
    image.next_record_key = none;
    image.old_record_key = none;
    image.has_switch = false;
    image.switch_stream = 0;
    image.switch_seq = 0;
    HR_TRY(replace(keys, &image, (struct port_keys_note){.phase = PORT_KEYS_SINGLE}));
    app_key_pair_forget_next(&keys->pair);
    return hr_ok();
}

static struct hr_status promote(void *ctx)
{
    struct app_key_store *keys = ctx;
    HR_FAILPOINT("key_taken");
    HR_TRY(end(keys));
    HR_FAILPOINT("key_promoted");
    const struct image_identity *image = &keys->store->image;
    return app_key_pair_load(&keys->pair, image->record_key, image->key_epoch, true);
}

static struct hr_status discard(void *ctx)
{
    return end(ctx);
}

struct hr_status app_key_store_open(struct app_key_store *keys, struct fw_identity_store *store)
{
    const struct image_identity *image = &store->image;
    enum port_keys_phase phase = phase_of(image);
    bool is_in_use = phase == PORT_KEYS_IN_USE;
    *keys = (struct app_key_store){.store = store};
    keys->pair.port = (struct port_keys){
        .prepare = prepare, .save = save, .promote = promote, .discard = discard, .ctx = keys};
    HR_TRY(app_key_pair_load(&keys->pair, is_in_use ? image->old_record_key : image->record_key,
                             (uint16_t)(image->key_epoch - (is_in_use ? 1 : 0)), false));
    if (phase != PORT_KEYS_SINGLE) {
        HR_TRY(app_key_pair_load_next(&keys->pair, is_in_use ? image->record_key : image->next_record_key));
    }
    keys->pair.port.note = (struct port_keys_note){phase, image->switch_stream, image->switch_seq};
    return hr_ok();
}
