/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/identity.h"

#include "boards/family/board.h"
#include "firmware/app/console.h"
#include "firmware/app/trust_store.h"
#include "firmware/core/provision.h"
#include "proto/base/assert.h"
#include "proto/base/wipe.h"

#include <string.h>

/* ---- what may be wrong ---- */

struct words {
    const char *name;
    const char *advice;
};

static const struct words words_of[] = {
    [APP_FINE] = {"fine", ""},
    [APP_NO_MEMORY] = {"no_memory",
                       "the non-volatile memory does not answer: is it fitted? it is tried again"},
    [APP_NO_IMAGE] =
        {"not_provisioned",
         "a factory's memory: say `headrace device provision` to this console. Blank: write one, or "
         "an image that `headrace device enrol --board` makes"},
    [APP_IMAGE_DAMAGED] = {"image_damaged", "both copies of the identity fail their check: write it again"},
    [APP_IMAGE_UNKNOWN] = {"image_unknown",
                           "this firmware does not know the image's format: update one of them"},
    [APP_IMAGE_FOREIGN] = {"image_foreign", "the image was made for another board: make one for this board"},
    [APP_NO_SEED] = {"no_seed",
                     "without a seed there are no random numbers, so no key is used: write the image again"},
    [APP_KEYS_REFUSED] = {"keys_refused",
                          "the image's keys, authorities or addresses can't be used: make it again"},
    [APP_SPOOL_FOREIGN] = {"spool_foreign",
                           "the spool is another device's or of newer firmware: erase it to go on"},
    [APP_SPOOL_FAILED] = {"spool_failed",
                          "the memory under the spool failed: it is opened again after a while"},
};

const char *app_trouble_name(enum app_trouble trouble)
{
    return words_of[trouble].name;
}

const char *app_trouble_advice(enum app_trouble trouble)
{
    return words_of[trouble].advice;
}

/* ---- reading ---- */

static enum app_trouble trouble_of(struct hr_status status)
{
    switch (status.code) {
    case HR_OK:
        return APP_FINE;
    case HR_NOT_FOUND:
        return APP_NO_IMAGE;
    case HR_CORRUPT:
        return APP_IMAGE_DAMAGED;
    case HR_DENIED:
        return APP_IMAGE_FOREIGN;
    case HR_IO:
        return APP_NO_MEMORY;
    case HR_AGAIN:
    case HR_FULL:
    case HR_MALFORMED:
    case HR_CLOSED:
        break;
    }
    return APP_IMAGE_UNKNOWN;
}

static enum app_trouble read_image(struct app_identity *identity, const struct port_flash *memory)
{
    struct fw_identity_store *store = &identity->store;
    enum app_trouble trouble = trouble_of(fw_identity_store_open(store, memory, identity->page));
    if (trouble == APP_FINE && (strcmp(identity->store.image.board, board_info.name) != 0 ||
                                identity->store.image.regions.spool_n_sectors > APP_SPOOL_MAX_SECTORS)) {
        trouble = APP_IMAGE_FOREIGN;
    }
    if (trouble == APP_FINE) {
        trouble = trouble_of(fw_identity_store_settle(store));
    }
    identity->is_known = trouble == APP_FINE && store->image.state == IMAGE_ENROLLED;
    return trouble;
}

static enum app_trouble take_seed(const struct port_flash *memory)
{
    uint8_t seed[IMAGE_SEED_BYTES];
    struct hr_status status = fw_seed_take(memory, crypto_hash(), seed);
    if (hr_is(status, HR_IO)) {
        return APP_NO_MEMORY; /* nothing was given */
    }
    if (hr_is_ok(status)) {
        status = crypto_start_seeded(seed);
    }
    hr_wipe(seed, sizeof seed);
    return hr_is_ok(status) ? APP_FINE : APP_NO_SEED;
}

static bool read_addresses(struct app_identity *identity)
{
    const struct image_identity *image = &identity->store.image;
    if (image->n_aggregators > HR_ARRAY_LEN(identity->addresses)) {
        return false;
    }
    for (uint8_t i = 0; i < image->n_aggregators; i++) {
        if (!hr_is_ok(net_address_parse(image->aggregators[i], &identity->addresses[i]))) {
            return false;
        }
    }
    return true;
}

static enum app_trouble load_keys(struct app_identity *identity)
{
    if (!read_addresses(identity) || !hr_is_ok(app_key_store_open(&identity->keys, &identity->store)) ||
        !hr_is_ok(app_trust_store_open(app_console_log()))) {
        return APP_KEYS_REFUSED;
    }
    return APP_FINE;
}

enum app_trouble app_identity_load(struct app_identity *identity, const struct port_flash *memory)
{
    enum app_trouble trouble = read_image(identity, memory);
    if (trouble == APP_FINE) {
        const struct image_regions *regions = &identity->store.image.regions;
        app_trust_store_init(memory, image_trust_address(regions, 0), &identity->store);
        trouble = take_seed(memory);
    }
    if (trouble == APP_FINE && !identity->is_known) {
        return APP_NO_IMAGE; /* a factory's: the ceremony may go on */
    }
    return trouble == APP_FINE ? load_keys(identity) : trouble;
}
