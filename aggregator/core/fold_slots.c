/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/core/fold_internal.h"

#include <string.h>

enum { N_INDEX = 4 * AGG_FOLD_SLOTS, HOURS_PER_DAY = 24 };

static uint32_t index_of(uint16_t feed, int64_t hour)
{
    uint64_t hash = ((uint64_t)hour * 31 + feed) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(hash >> 40) % N_INDEX;
}

static uint16_t find(const struct agg_fold *fold, uint16_t feed, int64_t hour)
{
    for (uint32_t at = index_of(feed, hour); fold->index[at] != 0; at = (at + 1) % N_INDEX) {
        uint16_t slot = (uint16_t)(fold->index[at] - 1);
        if (fold->slots[slot].feed == feed && fold->slots[slot].hour == hour) {
            return slot;
        }
    }
    return AGG_FOLD_NO_SLOT;
}

static void add_to_index(struct agg_fold *fold, uint16_t slot)
{
    uint32_t at = index_of(fold->slots[slot].feed, fold->slots[slot].hour);
    while (fold->index[at] != 0) {
        at = (at + 1) % N_INDEX; /* a quarter full at most */
    }
    fold->index[at] = (uint16_t)(slot + 1);
}

void agg_fold_reindex(struct agg_fold *fold)
{
    memset(fold->index, 0, sizeof fold->index);
    fold->n_used = 0;
    for (uint32_t i = 0; i < AGG_FOLD_SLOTS; i++) {
        if (fold->slots[i].is_used) {
            add_to_index(fold, (uint16_t)i);
            fold->n_used++;
        }
    }
}

static uint16_t free_slot(struct agg_fold *fold, uint16_t feed, int64_t hour)
{
    uint16_t slot = 0;
    while (slot < AGG_FOLD_SLOTS && fold->slots[slot].is_used) {
        slot++;
    }
    HR_ASSERT(slot < AGG_FOLD_SLOTS); /* agg_fold_has_room was asked */
    fold->slots[slot] = (struct agg_fold_slot){.feed = feed, .hour = hour, .is_used = true};
    fold->n_used++;
    add_to_index(fold, slot);
    return slot;
}

static void put_digits(char *out, int64_t value, int n_digits)
{
    for (int i = n_digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* "2026-11-21T03Z" of hours since 1970 (from 1970 to 9999): the civil date of a day number, by H. Hinnant's
 * days_from_civil turned round. */
static void partition_of(int64_t hour, char out[FEED_PARTITION_MAX_CHARS + 1])
{
    int64_t days = hour / HOURS_PER_DAY + 719468; /* from 0000-03-01 */
    int64_t era = days / 146097;
    int64_t day_of_era = days % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_index = (5 * day_of_year + 2) / 153; /* from March */
    int64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
    int64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
    memcpy(out, "0000-00-00T00Z", 15);
    put_digits(out, year_of_era + era * 400 + (month <= 2 ? 1 : 0), 4);
    put_digits(out + 5, month, 2);
    put_digits(out + 8, day, 2);
    put_digits(out + 11, hour % HOURS_PER_DAY, 2);
}

static void copy_name(char *out, size_t capacity, const char *name)
{
    size_t len = strlen(name);
    HR_ASSERT(len < capacity);
    memcpy(out, name, len + 1);
}

static void take_found(void *ctx, const struct feed_entry *entry)
{
    *(struct feed_entry *)ctx = *entry;
}

/* The entry as the ledger has it. HR_NOT_FOUND: it has none. */
static struct hr_status load(const struct agg_fold *fold, uint16_t feed, int64_t hour, struct feed_entry *out)
{
    char partition[FEED_PARTITION_MAX_CHARS + 1];
    partition_of(hour, partition);
    const struct ledger *reader = fold->config.reader;
    const struct feed_query query = {.sink = fold->config.sink,
                                     .feed = fold->feeds[feed].schema->topic,
                                     .partition = partition,
                                     .limit = 1};
    out->partition[0] = '\0';
    HR_TRY(reader->feeds->entries(reader->ctx, &query, take_found, out));
    return hr_status_of(out->partition[0] != '\0' ? HR_OK : HR_NOT_FOUND);
}

static struct feed_entry new_entry(const struct agg_fold *fold, uint16_t feed, int64_t hour)
{
    struct feed_entry entry = {.from_ms = hour * AGG_HOUR_MS,
                               .to_ms = (hour + 1) * AGG_HOUR_MS,
                               .state = FEED_RUNNING,
                               .first_leaf = UINT64_MAX};
    if (entry.to_ms <= fold->feeds[feed].watermark_ms) {
        entry.state = FEED_COMPLETED; /* it comes late */
    }
    copy_name(entry.feed, sizeof entry.feed, fold->feeds[feed].schema->topic);
    partition_of(hour, entry.partition);
    return entry;
}

struct hr_status agg_fold_slot_of(struct agg_fold *fold, uint16_t feed, int64_t hour, bool make,
                                  uint16_t *out)
{
    *out = find(fold, feed, hour);
    if (*out != AGG_FOLD_NO_SLOT) {
        return hr_ok();
    }
    struct feed_entry entry;
    struct hr_status status = load(fold, feed, hour, &entry);
    if (hr_is(status, HR_NOT_FOUND) && !make) {
        return hr_ok();
    }
    if (!hr_is_ok(status) && !hr_is(status, HR_NOT_FOUND)) {
        return hr_status_of(HR_IO);
    }
    *out = free_slot(fold, feed, hour);
    bool is_new = hr_is(status, HR_NOT_FOUND);
    fold->slots[*out].entry = is_new ? new_entry(fold, feed, hour) : entry;
    if (!is_new) {
        fold->slots[*out].entry.is_replaying = false;
    }
    fold->slots[*out].was_used = !is_new; /* a new one goes again when the transaction is taken back */
    return hr_ok();
}

void agg_fold_take_entry(struct agg_fold *fold, uint16_t feed, const struct feed_entry *entry)
{
    int64_t hour = entry->from_ms / AGG_HOUR_MS;
    if (find(fold, feed, hour) == AGG_FOLD_NO_SLOT) {
        uint16_t slot = free_slot(fold, feed, hour);
        fold->slots[slot].entry = *entry;
        fold->slots[slot].entry.is_replaying = false;
        fold->slots[slot].was_used = true;
    }
}

void agg_fold_touch(struct agg_fold *fold, uint16_t slot)
{
    struct agg_fold_slot *it = &fold->slots[slot];
    if (!it->is_touched) {
        it->is_touched = true;
        it->kept = it->entry;
        it->was_dirty = it->is_dirty;
        it->is_dirty = true;
        fold->touched[fold->n_touched++] = slot;
    }
}
