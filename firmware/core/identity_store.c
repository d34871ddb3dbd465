/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/identity_store.h"

#include "firmware/core/provision.h"
#include "proto/base/assert.h"
#include "proto/base/wipe.h"

#include <string.h>

enum {
    WINDOW_BYTES = 64, /* a multiple of every program unit */
    CHECK_BYTES = 4,   /* the check */
};

static uint32_t address_of(const struct fw_identity_store *store, uint32_t copy)
{
    return image_identity_address(store->memory->sector_bytes, copy);
}

/* ---- reading ---- */

/* What stands between head and check of both copies is the same. */
static bool bodies_are_same(const struct fw_identity_store *store, uint16_t len_bytes)
{
    const struct port_flash *memory = store->memory;
    const uint32_t end = (uint32_t)len_bytes - CHECK_BYTES;
    uint8_t window[WINDOW_BYTES];
    bool same = true;
    for (uint32_t at = IMAGE_HEAD_BYTES; same && at < end; at += WINDOW_BYTES) {
        uint32_t left_bytes = end - at;
        uint32_t n_bytes = left_bytes < WINDOW_BYTES ? left_bytes : WINDOW_BYTES;
        same =
            hr_is_ok(memory->read(memory->ctx, address_of(store, 1 - store->newest) + at, window, n_bytes)) &&
            memcmp(window, store->page + at, n_bytes) == 0;
    }
    hr_wipe(window, sizeof window);
    return same;
}

/* Whether the copy that is not the newest checks; its page is read over the newest one's, which is read again
 * after it. */
static struct hr_status look_at_other(struct fw_identity_store *store, uint16_t newest_bytes)
{
    struct image_identity other;
    uint16_t len_bytes = 0;
    store->has_other =
        hr_is_ok(fw_identity_read_copy(store->memory, 1 - store->newest, store->page, &other, &len_bytes));
    HR_TRY(fw_identity_read_copy(store->memory, store->newest, store->page, &store->image, &newest_bytes));
    store->is_settled = store->has_other && len_bytes == newest_bytes && bodies_are_same(store, len_bytes);
    return hr_ok();
}

struct hr_status fw_identity_store_open(struct fw_identity_store *store, const struct port_flash *memory,
                                        uint8_t page[IMAGE_IDENTITY_MAX_BYTES])
{
    HR_ASSERT(WINDOW_BYTES % memory->program_unit_bytes == 0);
    *store = (struct fw_identity_store){.memory = memory, .page = page};
    uint32_t newest = 0;
    struct hr_status status = fw_identity_find(memory, page, &store->image, &newest);
    store->is_undecided = !hr_is_ok(status) && !hr_is(status, HR_NOT_FOUND);
    HR_TRY(status);
    store->newest = newest;
    store->highest = store->image.sequence;
    status = look_at_other(store, 0);
    store->is_known = hr_is_ok(status);
    store->is_undecided = !store->is_known;
    return status;
}

/* ---- writing ---- */

static struct hr_status erase_copy(const struct fw_identity_store *store, uint32_t copy)
{
    const struct port_flash *memory = store->memory;
    uint32_t first = address_of(store, copy) / memory->sector_bytes;
    uint32_t n_sectors = image_page_bytes(memory->sector_bytes) / memory->sector_bytes;
    for (uint32_t i = 0; i < n_sectors; i++) {
        HR_TRY(memory->erase(memory->ctx, first + i));
    }
    return memory->sync(memory->ctx);
}

/* One window of a page: its bytes, filled up with FF to whole units. */
struct window {
    uint8_t bytes[WINDOW_BYTES];
    uint32_t len_bytes;
};

static void make_window(const struct image_identity *identity, size_t whole_bytes, uint32_t unit_bytes,
                        uint32_t at, struct window *out)
{
    memset(out->bytes, 0xFF, sizeof out->bytes);
    image_identity_part(identity, whole_bytes, at, out->bytes, sizeof out->bytes);
    uint32_t left_bytes = ((uint32_t)whole_bytes + unit_bytes - 1) / unit_bytes * unit_bytes - at;
    out->len_bytes = left_bytes < WINDOW_BYTES ? left_bytes : WINDOW_BYTES;
}

static struct hr_status program_window(const struct fw_identity_store *store, uint32_t address,
                                       const struct window *window)
{
    const struct port_flash *memory = store->memory;
    return memory->program(memory->ctx, address, window->bytes, window->len_bytes);
}

static struct hr_status verify_window(const struct fw_identity_store *store, uint32_t address,
                                      const struct window *window)
{
    const struct port_flash *memory = store->memory;
    uint8_t read[WINDOW_BYTES];
    struct hr_status status = memory->read(memory->ctx, address, read, window->len_bytes);
    bool same = hr_is_ok(status) && memcmp(read, window->bytes, window->len_bytes) == 0;
    hr_wipe(read, sizeof read);
    return same ? hr_ok() : hr_status_of(HR_IO);
}

/* Programs everything behind the first window, or looks at all of it. */
static struct hr_status each_window(const struct fw_identity_store *store, uint32_t copy,
                                    const struct image_identity *identity, size_t whole_bytes, uint32_t from,
                                    struct hr_status (*with)(const struct fw_identity_store *store,
                                                             uint32_t address, const struct window *window))
{
    struct window window;
    struct hr_status status = hr_ok();
    for (uint32_t at = from; hr_is_ok(status) && at < whole_bytes; at += WINDOW_BYTES) {
        make_window(identity, whole_bytes, store->memory->program_unit_bytes, at, &window);
        status = with(store, address_of(store, copy) + at, &window);
    }
    hr_wipe(&window, sizeof window);
    return status;
}

/* The window with the head is programmed last, when all the others are durable: a page without one is none.
 */
static struct hr_status write_copy(const struct fw_identity_store *store, uint32_t copy,
                                   const struct image_identity *identity, size_t whole_bytes)
{
    const struct port_flash *memory = store->memory;
    HR_TRY(erase_copy(store, copy));
    HR_TRY(each_window(store, copy, identity, whole_bytes, WINDOW_BYTES, program_window));
    HR_TRY(memory->sync(memory->ctx));
    struct window head;
    make_window(identity, whole_bytes, memory->program_unit_bytes, 0, &head);
    struct hr_status status = program_window(store, address_of(store, copy), &head);
    hr_wipe(&head, sizeof head);
    HR_TRY(status);
    HR_TRY(memory->sync(memory->ctx));
    return each_window(store, copy, identity, whole_bytes, 0, verify_window);
}

/* Writes what the store has to a copy, under a new sequence. */
static struct hr_status write_image(struct fw_identity_store *store, uint32_t copy)
{
    struct image_identity image = store->image;
    size_t whole_bytes = 0;
    store->image.sequence = image.sequence = ++store->highest;
    HR_TRY(image_identity_len(&image, &whole_bytes));
    return write_copy(store, copy, &image, whole_bytes);
}

static struct hr_status settle(struct fw_identity_store *store)
{
    /* The newest may be what a cut left half done, when the other is an older one: it is written afresh, and
     * the older one holds until that is done. */
    if (store->has_other) {
        HR_TRY(write_image(store, store->newest));
    }
    /* From here on one whole copy is enough, even where the memory of the other is worn out. */
    store->has_other = false;
    if (hr_is_ok(write_image(store, 1 - store->newest))) {
        store->newest = 1 - store->newest;
        store->has_other = true;
        store->is_settled = true;
    }
    return hr_ok();
}

/* What is in memory is not known any more. */
static struct hr_status undecided(struct fw_identity_store *store)
{
    store->is_known = false;
    store->is_undecided = true;
    return hr_status_of(HR_IO);
}

static bool sequences_are_left(const struct fw_identity_store *store)
{
    enum { MAX_WRITES = 4 }; /* of one settling and one replacement */
    return store->highest < UINT32_MAX - MAX_WRITES;
}

struct hr_status fw_identity_store_settle(struct fw_identity_store *store)
{
    HR_ASSERT(store->is_known);
    if (store->is_settled || !sequences_are_left(store)) {
        return hr_ok();
    }
    return hr_is_ok(settle(store)) ? hr_ok() : undecided(store);
}

/* `copy` has the page of next; the store takes it up, or wipes it and has the old one again. */
static struct hr_status take_up(struct fw_identity_store *store, uint32_t copy, bool was_known)
{
    uint16_t len_bytes = 0;
    struct hr_status status =
        fw_identity_read_copy(store->memory, copy, store->page, &store->image, &len_bytes);
    if (hr_is_ok(status)) {
        store->newest = copy;
        store->is_known = true;
        return status;
    }
    if (hr_is(status, HR_IO) || !hr_is_ok(erase_copy(store, copy))) {
        return undecided(store);
    }
    store->is_settled = store->has_other = false;
    store->is_known = false;
    if (was_known) {
        HR_TRY(fw_identity_read_copy(store->memory, 1 - copy, store->page, &store->image, &len_bytes));
        store->newest = 1 - copy;
        store->is_known = true;
    }
    return hr_status_of(HR_MALFORMED);
}

struct hr_status fw_identity_store_replace(struct fw_identity_store *store, const struct image_identity *next)
{
    struct image_identity wanted = *next;
    size_t whole_bytes = 0;
    if (store->is_undecided) {
        return hr_status_of(HR_IO); /* it has to be opened again before */
    }
    if (!sequences_are_left(store)) {
        return hr_status_of(HR_FULL);
    }
    HR_TRY(image_identity_len(&wanted, &whole_bytes));
    const bool was_known = store->is_known;
    if (was_known) {
        HR_TRY(fw_identity_store_settle(store));
        if (!store->is_settled) {
            return hr_status_of(HR_IO);
        }
    }
    /* Of two that are the same the lower sequence stays: see the header. */
    const uint32_t copy = was_known ? store->newest : 0;
    wanted.sequence = ++store->highest;
    if (!hr_is_ok(write_copy(store, copy, &wanted, whole_bytes))) {
        return undecided(store);
    }
    HR_TRY(take_up(store, copy, was_known));
    /* The old one goes, its keys with it; what was written just now is whole. */
    store->is_settled = store->has_other = false;
    return hr_is_ok(settle(store)) && store->is_settled ? hr_ok() : undecided(store);
}
