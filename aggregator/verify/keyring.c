/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/verify/verify.h"

#include "proto/base/assert.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    uint64_t device_id;
    uint16_t epoch;
    struct verify_key *key; /* NULL: empty */
};

struct verify_keyring {
    pthread_rwlock_t lock;
    uint32_t capacity_keys;
    uint32_t n_keys;
    size_t mask;        /* slots - 1; slots are a power of two, at least twice capacity_keys */
    struct slot *slots; /* open addressing, linear probing; what is behind a removed one moves up */
};

struct hr_status verify_keyring_new(uint32_t capacity_keys, struct verify_keyring **out)
{
    HR_ASSERT(capacity_keys > 0 && capacity_keys < UINT32_MAX / 4);
    size_t n_slots = 2;
    while (n_slots < (size_t)capacity_keys * 2) {
        n_slots *= 2;
    }
    struct verify_keyring *ring = calloc(1, sizeof *ring);
    struct slot *slots = calloc(n_slots, sizeof *slots);
    if (ring == NULL || slots == NULL || pthread_rwlock_init(&ring->lock, NULL) != 0) {
        free(ring);
        free(slots);
        return hr_status_of(HR_IO);
    }
    ring->capacity_keys = capacity_keys;
    ring->mask = n_slots - 1;
    ring->slots = slots;
    *out = ring;
    return hr_ok();
}

void verify_keyring_free(struct verify_keyring *ring)
{
    if (ring == NULL) {
        return;
    }
    for (size_t i = 0; i <= ring->mask; i++) {
        verify_key_free(ring->slots[i].key);
    }
    free(ring->slots);
    HR_ASSERT(pthread_rwlock_destroy(&ring->lock) == 0);
    free(ring);
}

static size_t home_of(const struct verify_keyring *ring, uint64_t device_id, uint16_t epoch)
{
    /* Fibonacci hashing spreads the dense numbers that a registry hands out. */
    uint64_t hash = (device_id ^ (uint64_t)epoch << 48) * 0x9E3779B97F4A7C15u;
    return (size_t)(hash >> 20) & ring->mask;
}

/* The slot of a key, or the empty one where it belongs. There is one: at most half are taken. */
static struct slot *slot_of(const struct verify_keyring *ring, uint64_t device_id, uint16_t epoch)
{
    for (size_t at = home_of(ring, device_id, epoch);; at++) {
        struct slot *slot = &ring->slots[at & ring->mask];
        if (slot->key == NULL || (slot->device_id == device_id && slot->epoch == epoch)) {
            return slot;
        }
    }
}

/* Gives `key` to the ring, or says why not; the lock is held. */
static struct hr_status put_locked(struct verify_keyring *ring, uint64_t device_id, uint16_t epoch,
                                   struct verify_key *key)
{
    struct slot *slot = slot_of(ring, device_id, epoch);
    if (slot->key != NULL) {
        bool is_same =
            memcmp(verify_key_spki_sha256(slot->key), verify_key_spki_sha256(key), WIRE_DIGEST_BYTES) == 0;
        return hr_status_of(is_same ? HR_OK : HR_DENIED);
    }
    if (ring->n_keys == ring->capacity_keys) {
        return hr_status_of(HR_FULL);
    }
    *slot = (struct slot){.device_id = device_id, .epoch = epoch, .key = key};
    ring->n_keys++;
    return hr_ok();
}

struct hr_status verify_keyring_put(struct verify_keyring *ring, uint64_t device_id, uint16_t epoch,
                                    struct hr_bytes spki)
{
    struct verify_key *key;
    HR_TRY(verify_key_parse(spki, &key)); /* 100 microseconds: outside the lock */
    HR_ASSERT(pthread_rwlock_wrlock(&ring->lock) == 0);
    struct hr_status status = put_locked(ring, device_id, epoch, key);
    bool is_taken = slot_of(ring, device_id, epoch)->key == key;
    HR_ASSERT(pthread_rwlock_unlock(&ring->lock) == 0);
    if (!is_taken) {
        verify_key_free(key);
    }
    return status;
}

/* Empties the slot, and moves up those behind it that would not be found any more (Knuth 6.4, algorithm R).
 */
static void empty_slot(struct verify_keyring *ring, size_t hole)
{
    for (size_t at = (hole + 1) & ring->mask; ring->slots[at].key != NULL; at = (at + 1) & ring->mask) {
        const struct slot *slot = &ring->slots[at];
        size_t home = home_of(ring, slot->device_id, slot->epoch);
        if (((at - home) & ring->mask) >= ((at - hole) & ring->mask)) {
            ring->slots[hole] = *slot;
            hole = at;
        }
    }
    ring->slots[hole] = (struct slot){.key = NULL};
}

void verify_keyring_drop(struct verify_keyring *ring, uint64_t device_id, uint16_t epoch)
{
    HR_ASSERT(pthread_rwlock_wrlock(&ring->lock) == 0);
    const struct slot *slot = slot_of(ring, device_id, epoch);
    struct verify_key *key = slot->key;
    if (key != NULL) {
        empty_slot(ring, (size_t)(slot - ring->slots));
        ring->n_keys--;
    }
    HR_ASSERT(pthread_rwlock_unlock(&ring->lock) == 0);
    verify_key_free(key);
}

struct verify_key *verify_keyring_take(struct verify_keyring *ring, uint64_t device_id, uint16_t epoch)
{
    HR_ASSERT(pthread_rwlock_rdlock(&ring->lock) == 0);
    struct verify_key *key = slot_of(ring, device_id, epoch)->key;
    key = key != NULL ? verify_key_share(key) : NULL;
    HR_ASSERT(pthread_rwlock_unlock(&ring->lock) == 0);
    return key;
}

const struct verify_key *verify_keyring_find(struct verify_keyring *ring, uint64_t device_id, uint16_t epoch)
{
    HR_ASSERT(pthread_rwlock_rdlock(&ring->lock) == 0);
    const struct verify_key *key = slot_of(ring, device_id, epoch)->key;
    HR_ASSERT(pthread_rwlock_unlock(&ring->lock) == 0);
    return key;
}
