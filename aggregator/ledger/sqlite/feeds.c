/* SPDX-License-Identifier: Apache-2.0
 *
 * The feed ledger's writes. */
#include "aggregator/ledger/sqlite/internal.h"

enum { BEYOND_BOUND_BYTES = 16 * 1024 * 1024 };

/* HR_NOT_FOUND: the cursor stands elsewhere. */
static struct hr_status move_cursor(struct ledger_sqlite *ledger, const struct feed_change *change)
{
    sqlite3_stmt *find = ledger->writes[WRITE_FEED_HEAD_FIND];
    ledger_bind_text(find, 1, change->sink);
    int rc = sqlite3_step(find);
    bool is_stored = rc == SQLITE_ROW;
    uint64_t stored = is_stored ? ledger_u64(find, 0) : change->from_leaf;
    struct hr_status status = ledger_status(ledger, ledger->writer, rc, "reading the feed cursor");
    (void)sqlite3_reset(find);
    HR_TRY(status);
    if (stored != change->from_leaf) {
        ledger_say(&ledger->report, "the feed cursor of %s is at %llu, not at %llu", change->sink,
                   (unsigned long long)stored, (unsigned long long)change->from_leaf);
        return hr_status_of(HR_NOT_FOUND);
    }
    if (is_stored && change->next_leaf == stored) {
        return hr_ok();
    }
    ledger_bind_text(ledger->writes[WRITE_FEED_HEAD], 1, change->sink);
    ledger_bind_u64(ledger->writes[WRITE_FEED_HEAD], 2, change->next_leaf);
    return ledger_run(ledger, ledger->writes[WRITE_FEED_HEAD], "moving the feed cursor");
}

static struct hr_status write_entries(struct ledger_sqlite *ledger, const struct feed_change *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_FEED_ENTRY];
    for (size_t i = 0; i < change->n_entries; i++) {
        const struct feed_entry *entry = &change->entries[i];
        ledger_bind_text(statement, 1, change->sink);
        ledger_bind_text(statement, 2, entry->feed);
        ledger_bind_text(statement, 3, entry->partition);
        ledger_bind_u64(statement, 4, entry->first_leaf);
        ledger_bind_u64(statement, 5, entry->last_leaf);
        ledger_bind_i64(statement, 6, entry->from_ms);
        ledger_bind_i64(statement, 7, entry->to_ms);
        ledger_bind_bytes(statement, 8, hr_bytes_of(entry->content, WIRE_DIGEST_BYTES));
        ledger_bind_u64(statement, 9, (uint64_t)entry->state);
        ledger_bind_u64(statement, 10, entry->revision);
        ledger_bind_u64(statement, 11, entry->n_batches);
        ledger_bind_u64(statement, 12, entry->n_records);
        ledger_bind_u64(statement, 13, entry->n_events);
        ledger_bind_u64(statement, 14, entry->n_late);
        ledger_bind_u64(statement, 15, entry->n_revised);
        ledger_bind_u64(statement, 16, entry->n_placed);
        ledger_bind_i64(statement, 17, entry->watermark_ms);
        HR_TRY(ledger_run(ledger, statement, "storing a feed entry"));
    }
    return hr_ok();
}

static struct hr_status write_positions(struct ledger_sqlite *ledger, const struct feed_change *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_FEED_POSITION];
    for (size_t i = 0; i < change->n_positions; i++) {
        const struct feed_position *position = &change->positions[i];
        HR_ASSERT(position->entry < change->n_entries);
        const struct feed_entry *entry = &change->entries[position->entry];
        ledger_bind_text(statement, 1, change->sink);
        ledger_bind_text(statement, 2, entry->feed);
        ledger_bind_text(statement, 3, entry->partition);
        ledger_bind_u64(statement, 4, entry->first_leaf);
        ledger_bind_i64(statement, 5, position->sink_partition);
        ledger_bind_i64(statement, 6, position->first_offset);
        ledger_bind_i64(statement, 7, position->last_offset);
        HR_TRY(ledger_run(ledger, statement, "storing a position"));
    }
    return hr_ok();
}

static struct hr_status write_spans(struct ledger_sqlite *ledger, const struct feed_change *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_FEED_SPAN];
    for (size_t i = 0; i < change->n_spans; i++) {
        ledger_bind_text(statement, 1, change->sink);
        ledger_bind_u64(statement, 2, change->spans[i].first_leaf);
        ledger_bind_u64(statement, 3, change->spans[i].n_leaves);
        ledger_bind_bytes(statement, 4, change->spans[i].notes);
        HR_TRY(ledger_run(ledger, statement, "storing what was published"));
    }
    return hr_ok();
}

static struct hr_status write_facts(struct ledger_sqlite *ledger, const struct feed_change *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_FEED_FACTS];
    for (size_t i = 0; i < change->n_facts; i++) {
        const struct feed_facts *facts = &change->facts[i];
        ledger_bind_text(statement, 1, change->sink);
        ledger_bind_u64(statement, 2, facts->family);
        ledger_bind_i64(statement, 3, facts->hour);
        ledger_bind_u64(statement, 4, facts->leaf);
        ledger_bind_i64(statement, 5, facts->end_ms);
        ledger_bind_bytes(statement, 6, facts->facts);
        HR_TRY(ledger_run(ledger, statement, "storing what observations say"));
    }
    return hr_ok();
}

static struct hr_status write_replay(struct ledger_sqlite *ledger, const char *sink,
                                     const struct feed_replay *replay, uint64_t id)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_FEED_REPLAY];
    ledger_bind_u64(statement, 1, id);
    ledger_bind_text(statement, 2, sink);
    ledger_bind_text(statement, 3, replay->feed);
    ledger_bind_i64(statement, 4, replay->from_ms);
    ledger_bind_i64(statement, 5, replay->to_ms);
    ledger_bind_u64(statement, 6, replay->dry_run ? 1 : 0);
    ledger_bind_u64(statement, 7, (uint64_t)replay->state);
    ledger_bind_i64(statement, 8, replay->asked_ms);
    ledger_bind_u64(statement, 9, replay->first_leaf);
    ledger_bind_u64(statement, 10, replay->next_leaf);
    ledger_bind_u64(statement, 11, replay->end_leaf);
    ledger_bind_u64(statement, 12, replay->n_events);
    ledger_bind_u64(statement, 13, replay->n_changed);
    ledger_bind_text(statement, 14, replay->normalizers);
    ledger_bind_text(statement, 15, replay->reason);
    return ledger_run(ledger, statement, "storing a replay");
}

static struct hr_status write_version(struct ledger_sqlite *ledger, const struct feed_change *change)
{
    sqlite3_stmt *statement = ledger->writes[WRITE_FEED_VERSION];
    ledger_bind_text(statement, 1, change->sink);
    ledger_bind_u64(statement, 2, change->normalizers_from);
    ledger_bind_text(statement, 3, change->normalizers);
    return ledger_run(ledger, statement, "storing the versions of normalizers");
}

static struct hr_status write_change(struct ledger_sqlite *ledger, const struct feed_change *change)
{
    uint64_t size = 0;
    HR_TRY(ledger_advance_head(ledger, 0, &size));
    HR_TRY(move_cursor(ledger, change));
    HR_TRY(write_entries(ledger, change));
    HR_TRY(write_positions(ledger, change));
    HR_TRY(write_spans(ledger, change));
    HR_TRY(write_facts(ledger, change));
    if (change->replay != NULL) {
        HR_TRY(write_replay(ledger, change->sink, change->replay, change->replay->id));
    }
    return change->normalizers != NULL ? write_version(ledger, change) : hr_ok();
}

/* A full ledger gets room by deleting what is published and seen here, so this must fit: it may go beyond the
 * bound, by what one change has at most. Commits stay within it. */
static struct hr_status change_body(struct ledger_sqlite *ledger, void *ctx)
{
    HR_TRY(ledger_bound(ledger, BEYOND_BOUND_BYTES));
    struct hr_status written = write_change(ledger, ctx);
    struct hr_status bounded = ledger_bound(ledger, 0);
    return hr_is_ok(written) ? bounded : written;
}

struct hr_status ledger_feed_write(void *ctx, const struct feed_change *change)
{
    struct feed_change copy = *change;
    struct hr_status status = ledger_transact(ctx, change_body, NULL, &copy);
    return hr_is(status, HR_NOT_FOUND) ? hr_status_of(HR_CORRUPT) : status;
}

/* ---- a new replay ---- */

struct new_replay {
    const struct feed_replay *replay;
    const char *const *sinks;
    size_t n_sinks;
    uint64_t id;
};

static struct hr_status number_of(struct ledger_sqlite *ledger, sqlite3_stmt *statement, uint64_t *out)
{
    int rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *out = ledger_u64(statement, 0);
    }
    struct hr_status status = ledger_status(ledger, ledger->writer, rc, "counting replays");
    (void)sqlite3_reset(statement);
    return status;
}

static struct hr_status replay_body(struct ledger_sqlite *ledger, void *ctx)
{
    struct new_replay *add = ctx;
    uint64_t number = 0;
    HR_TRY(ledger_advance_head(ledger, 0, &number));
    HR_TRY(number_of(ledger, ledger->writes[WRITE_REPLAYS_OPEN], &number));
    if (number + add->n_sinks > LEDGER_MAX_REPLAYS) {
        return hr_status_of(HR_FULL);
    }
    HR_TRY(number_of(ledger, ledger->writes[WRITE_REPLAY_ID], &add->id));
    for (size_t i = 0; i < add->n_sinks; i++) {
        HR_TRY(write_replay(ledger, add->sinks[i], add->replay, add->id));
    }
    return hr_ok();
}

struct hr_status ledger_feed_add_replay(void *ctx, const struct feed_replay *replay, const char *const *sinks,
                                        size_t n_sinks, uint64_t *id)
{
    struct new_replay add = {.replay = replay, .sinks = sinks, .n_sinks = n_sinks};
    HR_TRY(ledger_transact(ctx, replay_body, NULL, &add));
    *id = add.id;
    return hr_ok();
}
