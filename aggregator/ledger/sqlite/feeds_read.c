/* SPDX-License-Identifier: Apache-2.0
 *
 * The feed ledger's readers. */
#include "aggregator/ledger/sqlite/internal.h"

/* Any of the callbacks of struct ledger_feeds, and what it is called with. */
struct visit {
    union {
        void (*head)(void *ctx, const struct feed_head *row);
        void (*version)(void *ctx, const struct feed_version *row);
        void (*entry)(void *ctx, const struct feed_entry *row);
        void (*position)(void *ctx, const struct feed_position *row);
        void (*span)(void *ctx, const struct feed_span *row);
        void (*facts)(void *ctx, const struct feed_facts *row);
        void (*replay)(void *ctx, const struct feed_replay *row);
    } each;
    void *ctx;
    uint32_t n_rows;
};

/* A query of the reader's connection that is prepared for this once. */
struct query {
    struct ledger_sqlite *ledger;
    sqlite3_stmt *statement;
};

static struct hr_status begin_query(struct ledger_sqlite *ledger, const char *sql, struct query *out)
{
    ledger_lock_reader(ledger);
    *out = (struct query){.ledger = ledger};
    struct hr_status status = hr_status_of(HR_NOT_FOUND);
    if (ledger->has_feeds) {
        status = ledger_prepare(ledger, ledger->reader, sql, &out->statement);
    } else {
        ledger_say(&ledger->report, "this ledger is of a build without feeds; the aggregator of this build "
                                    "brings it up to date when it starts");
    }
    if (!hr_is_ok(status)) {
        ledger_unlock_reader(ledger);
    }
    return status;
}

static void bind_text_or_null(sqlite3_stmt *statement, int at, const char *text)
{
    HR_ASSERT(sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC) == SQLITE_OK); /* NULL binds NULL */
}

static struct hr_status end_query(struct query *query, void (*row)(void *ctx, sqlite3_stmt *row),
                                  struct visit *visit)
{
    struct hr_status status =
        ledger_each_row(query->ledger, query->ledger->reader, query->statement, row, visit);
    ledger_unlock_reader(query->ledger);
    return hr_is(status, HR_AGAIN) ? hr_status_of(HR_IO) : status;
}

static void visit_head(void *ctx, sqlite3_stmt *row)
{
    struct visit *visit = ctx;
    struct feed_head head = {.next_leaf = ledger_u64(row, 1)};
    ledger_text(row, 0, head.sink, sizeof head.sink);
    visit->each.head(visit->ctx, &head);
}

static struct hr_status heads(void *ctx, void (*each)(void *each_ctx, const struct feed_head *head),
                              void *each_ctx)
{
    struct visit visit = {.each.head = each, .ctx = each_ctx};
    struct query query;
    HR_TRY(begin_query(ctx, "SELECT sink, next_leaf FROM feed_head ORDER BY sink", &query));
    return end_query(&query, visit_head, &visit);
}

static void visit_version(void *ctx, sqlite3_stmt *row)
{
    struct visit *visit = ctx;
    struct feed_version version = {.from_leaf = ledger_u64(row, 0)};
    ledger_text(row, 1, version.normalizers, sizeof version.normalizers);
    visit->each.version(visit->ctx, &version);
}

static struct hr_status versions(void *ctx, const char *sink,
                                 void (*each)(void *each_ctx, const struct feed_version *version),
                                 void *each_ctx)
{
    struct visit visit = {.each.version = each, .ctx = each_ctx};
    struct query query;
    HR_TRY(begin_query(
        ctx, "SELECT from_leaf, normalizers FROM feed_version WHERE sink = ?1 ORDER BY from_leaf", &query));
    ledger_bind_text(query.statement, 1, sink);
    return end_query(&query, visit_version, &visit);
}

static void visit_entry(void *ctx, sqlite3_stmt *row)
{
    struct visit *visit = ctx;
    struct feed_entry entry = {.first_leaf = ledger_u64(row, 3),
                               .last_leaf = ledger_u64(row, 4),
                               .from_ms = sqlite3_column_int64(row, 5),
                               .to_ms = sqlite3_column_int64(row, 6),
                               .state = (enum feed_state)ledger_u32(row, 8),
                               .revision = ledger_u32(row, 9),
                               .n_batches = ledger_u64(row, 10),
                               .n_records = ledger_u64(row, 11),
                               .n_events = ledger_u64(row, 12),
                               .n_late = ledger_u64(row, 13),
                               .n_revised = ledger_u64(row, 14),
                               .n_placed = ledger_u64(row, 15),
                               .watermark_ms = sqlite3_column_int64(row, 16),
                               .is_replaying = ledger_u32(row, 17) != 0};
    ledger_text(row, 0, entry.sink, sizeof entry.sink);
    ledger_text(row, 1, entry.feed, sizeof entry.feed);
    ledger_text(row, 2, entry.partition, sizeof entry.partition);
    ledger_digest(row, 7, entry.content);
    visit->each.entry(visit->ctx, &entry);
}

#define ENTRY_SELECT                                                                                         \
    "SELECT sink, feed, partition, first_leaf, last_leaf, from_ms, to_ms, content, state, revision,"         \
    " n_batches, n_records, n_events, n_late, n_revised, n_placed, watermark_ms, EXISTS (SELECT 1 FROM"      \
    " feed_replay AS r WHERE r.sink = e.sink AND r.feed = e.feed AND r.state = 1 AND r.dry_run = 0"          \
    " AND r.from_ms < e.to_ms AND r.to_ms > e.from_ms) FROM feed_entry AS e WHERE "
/* Newest first in each feed; a query for one partition goes by the primary key alone. */
#define ENTRY_ORDER " ORDER BY sink, feed, partition DESC, first_leaf DESC LIMIT ?6"

static struct hr_status entries(void *ctx, const struct feed_query *wanted,
                                void (*each)(void *each_ctx, const struct feed_entry *entry), void *each_ctx)
{
    struct visit visit = {.each.entry = each, .ctx = each_ctx};
    struct query query;
    bool one = wanted->partition != NULL;
    HR_TRY(begin_query(ctx,
                       one ? ENTRY_SELECT
                           "sink = ?1 AND feed = ?2 AND partition = ?3 AND (?4 = ?5 OR"
                           " (from_ms < ?5 AND to_ms > ?4)) AND (?7 = 0 OR state = 1)" ENTRY_ORDER
                           : ENTRY_SELECT "(?1 IS NULL OR sink = ?1) AND (?2 IS NULL OR feed = ?2) AND"
                                          " (?3 IS NULL) AND (?4 = ?5 OR (from_ms < ?5 AND to_ms > ?4))"
                                          " AND (?7 = 0 OR state = 1)" ENTRY_ORDER,
                       &query));
    bind_text_or_null(query.statement, 1, wanted->sink);
    bind_text_or_null(query.statement, 2, wanted->feed);
    bind_text_or_null(query.statement, 3, wanted->partition);
    ledger_bind_i64(query.statement, 4, wanted->from_ms);
    ledger_bind_i64(query.statement, 5, wanted->to_ms);
    ledger_bind_i64(query.statement, 6, wanted->limit == 0 ? -1 : (int64_t)wanted->limit);
    ledger_bind_i64(query.statement, 7, wanted->running_only ? 1 : 0);
    return end_query(&query, visit_entry, &visit);
}

static void visit_position(void *ctx, sqlite3_stmt *row)
{
    struct visit *visit = ctx;
    struct feed_position position = {.sink_partition = sqlite3_column_int(row, 0),
                                     .first_offset = sqlite3_column_int64(row, 1),
                                     .last_offset = sqlite3_column_int64(row, 2)};
    visit->each.position(visit->ctx, &position);
}

static struct hr_status positions(void *ctx, const struct feed_entry *of,
                                  void (*each)(void *each_ctx, const struct feed_position *position),
                                  void *each_ctx)
{
    struct visit visit = {.each.position = each, .ctx = each_ctx};
    struct query query;
    HR_TRY(begin_query(ctx,
                       "SELECT sink_partition, first_offset, last_offset FROM feed_position WHERE sink = ?1"
                       " AND feed = ?2 AND partition = ?3 AND first_leaf = ?4 ORDER BY sink_partition",
                       &query));
    ledger_bind_text(query.statement, 1, of->sink);
    ledger_bind_text(query.statement, 2, of->feed);
    ledger_bind_text(query.statement, 3, of->partition);
    ledger_bind_u64(query.statement, 4, of->first_leaf);
    return end_query(&query, visit_position, &visit);
}

static void visit_span(void *ctx, sqlite3_stmt *row)
{
    struct visit *visit = ctx;
    struct feed_span span = {
        .first_leaf = ledger_u64(row, 0), .n_leaves = ledger_u32(row, 1), .notes = ledger_bytes(row, 2)};
    visit->n_rows++;
    visit->each.span(visit->ctx, &span);
}

static struct hr_status span(void *ctx, const char *sink, uint64_t leaf,
                             void (*each)(void *each_ctx, const struct feed_span *span), void *each_ctx)
{
    struct visit visit = {.each.span = each, .ctx = each_ctx};
    struct query query;
    HR_TRY(
        begin_query(ctx,
                    "SELECT first_leaf, n_leaves, notes FROM feed_span WHERE sink = ?2 AND first_leaf >="
                    " coalesce((SELECT max(first_leaf) FROM feed_span WHERE sink = ?2 AND first_leaf <= ?1),"
                    " 0) AND first_leaf + n_leaves > ?1 ORDER BY first_leaf LIMIT 1",
                    &query));
    ledger_bind_u64(query.statement, 1, leaf);
    ledger_bind_text(query.statement, 2, sink);
    HR_TRY(end_query(&query, visit_span, &visit));
    return hr_status_of(visit.n_rows > 0 ? HR_OK : HR_NOT_FOUND);
}

static void visit_facts(void *ctx, sqlite3_stmt *row)
{
    struct visit *visit = ctx;
    struct feed_facts facts = {.leaf = ledger_u64(row, 0),
                               .end_ms = sqlite3_column_int64(row, 1),
                               .facts = ledger_bytes(row, 2),
                               .family = ledger_u32(row, 3),
                               .hour = sqlite3_column_int64(row, 4)};
    visit->n_rows++;
    visit->each.facts(visit->ctx, &facts);
}

static struct hr_status facts(void *ctx, const char *sink, const struct feed_facts *before,
                              void (*each)(void *each_ctx, const struct feed_facts *facts), void *each_ctx)
{
    struct visit visit = {.each.facts = each, .ctx = each_ctx};
    struct query query;
    if (!((const struct ledger_sqlite *)ctx)->has_facts) {
        return hr_ok();
    }
    HR_TRY(begin_query(ctx,
                       "SELECT leaf, end_ms, facts, family, hour FROM feed_facts WHERE sink = ?1 AND"
                       " family = ?2 AND hour = ?3 AND leaf < ?4 ORDER BY leaf",
                       &query));
    ledger_bind_text(query.statement, 1, sink);
    ledger_bind_u64(query.statement, 2, before->family);
    ledger_bind_i64(query.statement, 3, before->hour);
    ledger_bind_u64(query.statement, 4, before->leaf);
    return end_query(&query, visit_facts, &visit);
}

static struct hr_status leaf_facts(void *ctx, const char *sink, uint64_t from_leaf,
                                   void (*each)(void *each_ctx, const struct feed_facts *facts),
                                   void *each_ctx)
{
    struct visit visit = {.each.facts = each, .ctx = each_ctx};
    struct query query;
    if (!((const struct ledger_sqlite *)ctx)->has_facts) {
        return hr_status_of(HR_NOT_FOUND);
    }
    HR_TRY(begin_query(ctx,
                       "SELECT leaf, end_ms, facts, family, hour FROM feed_facts WHERE sink = ?1 AND leaf ="
                       " (SELECT leaf FROM feed_facts WHERE leaf >= ?2 AND sink = ?1 ORDER BY leaf LIMIT 1)"
                       " ORDER BY family, hour",
                       &query));
    ledger_bind_text(query.statement, 1, sink);
    ledger_bind_u64(query.statement, 2, from_leaf);
    HR_TRY(end_query(&query, visit_facts, &visit));
    return hr_status_of(visit.n_rows > 0 ? HR_OK : HR_NOT_FOUND);
}

static void visit_replay(void *ctx, sqlite3_stmt *row)
{
    struct visit *visit = ctx;
    struct feed_replay replay = {.id = ledger_u64(row, 0),
                                 .from_ms = sqlite3_column_int64(row, 3),
                                 .to_ms = sqlite3_column_int64(row, 4),
                                 .dry_run = ledger_u32(row, 5) != 0,
                                 .state = (enum feed_state)ledger_u32(row, 6),
                                 .asked_ms = sqlite3_column_int64(row, 7),
                                 .first_leaf = ledger_u64(row, 8),
                                 .next_leaf = ledger_u64(row, 9),
                                 .end_leaf = ledger_u64(row, 10),
                                 .n_events = ledger_u64(row, 11),
                                 .n_changed = ledger_u64(row, 12)};
    ledger_text(row, 1, replay.sink, sizeof replay.sink);
    ledger_text(row, 2, replay.feed, sizeof replay.feed);
    ledger_text(row, 13, replay.normalizers, sizeof replay.normalizers);
    ledger_text(row, 14, replay.reason, sizeof replay.reason);
    visit->each.replay(visit->ctx, &replay);
}

static struct hr_status replays(void *ctx, const char *sink,
                                void (*each)(void *each_ctx, const struct feed_replay *replay),
                                void *each_ctx)
{
    struct visit visit = {.each.replay = each, .ctx = each_ctx};
    struct query query;
    HR_TRY(begin_query(
        ctx,
        "SELECT id, sink, feed, from_ms, to_ms, dry_run, state, asked_ms, first_leaf, next_leaf, end_leaf,"
        " n_events, n_changed, normalizers, reason FROM feed_replay WHERE ?1 IS NULL OR sink = ?1"
        " ORDER BY id, sink",
        &query));
    bind_text_or_null(query.statement, 1, sink);
    return end_query(&query, visit_replay, &visit);
}

const struct ledger_feeds ledger_sqlite_feeds = {.write = ledger_feed_write,
                                                 .add_replay = ledger_feed_add_replay,
                                                 .heads = heads,
                                                 .versions = versions,
                                                 .entries = entries,
                                                 .positions = positions,
                                                 .span = span,
                                                 .facts = facts,
                                                 .leaf_facts = leaf_facts,
                                                 .replays = replays};
