/* SPDX-License-Identifier: Apache-2.0
 *
 * The feed ledger's readers. Rows are taken whole before the first is handed out, so that `each` may ask
 * again. */
#include "aggregator/ledger/postgres/internal.h"

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
    int n_rows;
};

static struct hr_status run(struct ledger_postgres *ledger, const char *sql,
                            const struct ledger_pg_params *params,
                            void (*row)(const struct visit *visit, const PGresult *result, int at),
                            struct visit *visit)
{
    PGresult *result = NULL;
    HR_ASSERT(pthread_mutex_lock(&ledger->reader_lock) == 0);
    struct ledger_pg_answer answer = {.outcome = LEDGER_PG_LOST};
    if (hr_is_ok(ledger_pg_keep_reader(ledger, ledger->target.connect_timeout_ms))) {
        answer = ledger_pg_query(&ledger->reader, sql, params, ledger_pg_now_ms() + ledger->commit_timeout_ms,
                                 &result);
    }
    HR_ASSERT(pthread_mutex_unlock(&ledger->reader_lock) == 0);
    visit->n_rows = answer.outcome == LEDGER_PG_DONE ? PQntuples(result) : 0;
    for (int at = 0; at < visit->n_rows; at++) {
        row(visit, result, at);
    }
    PQclear(result);
    return hr_status_of(answer.outcome == LEDGER_PG_DONE ? HR_OK : HR_IO);
}

static int64_t i64_of(const PGresult *result, int row, int column)
{
    return ledger_signed_of(ledger_pg_u64(result, row, column));
}

static void visit_head(const struct visit *visit, const PGresult *result, int row)
{
    struct feed_head head = {.next_leaf = ledger_pg_u64(result, row, 1)};
    ledger_pg_text(result, row, 0, head.sink, sizeof head.sink);
    visit->each.head(visit->ctx, &head);
}

static struct hr_status heads(void *ctx, void (*each)(void *each_ctx, const struct feed_head *head),
                              void *each_ctx)
{
    struct visit visit = {.each.head = each, .ctx = each_ctx};
    return run(ctx, "SELECT sink, next_leaf FROM feed_head ORDER BY sink COLLATE \"C\"", NULL, visit_head,
               &visit);
}

static void visit_version(const struct visit *visit, const PGresult *result, int row)
{
    struct feed_version version = {.from_leaf = ledger_pg_u64(result, row, 0)};
    ledger_pg_text(result, row, 1, version.normalizers, sizeof version.normalizers);
    visit->each.version(visit->ctx, &version);
}

static struct hr_status versions(void *ctx, const char *sink,
                                 void (*each)(void *each_ctx, const struct feed_version *version),
                                 void *each_ctx)
{
    struct visit visit = {.each.version = each, .ctx = each_ctx};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, sink);
    return run(ctx, "SELECT from_leaf, normalizers FROM feed_version WHERE sink = $1 ORDER BY from_leaf",
               &params, visit_version, &visit);
}

static void visit_entry(const struct visit *visit, const PGresult *result, int row)
{
    struct feed_entry entry = {.first_leaf = ledger_pg_u64(result, row, 3),
                               .last_leaf = ledger_pg_u64(result, row, 4),
                               .from_ms = i64_of(result, row, 5),
                               .to_ms = i64_of(result, row, 6),
                               .state = (enum feed_state)ledger_pg_u32(result, row, 8),
                               .revision = ledger_pg_u32(result, row, 9),
                               .n_batches = ledger_pg_u64(result, row, 10),
                               .n_records = ledger_pg_u64(result, row, 11),
                               .n_events = ledger_pg_u64(result, row, 12),
                               .n_late = ledger_pg_u64(result, row, 13),
                               .n_revised = ledger_pg_u64(result, row, 14),
                               .n_placed = ledger_pg_u64(result, row, 15),
                               .watermark_ms = i64_of(result, row, 16),
                               .is_replaying = ledger_pg_u64(result, row, 17) != 0};
    ledger_pg_text(result, row, 0, entry.sink, sizeof entry.sink);
    ledger_pg_text(result, row, 1, entry.feed, sizeof entry.feed);
    ledger_pg_text(result, row, 2, entry.partition, sizeof entry.partition);
    ledger_digest_of(ledger_pg_bytes(result, row, 7), entry.content);
    visit->each.entry(visit->ctx, &entry);
}

#define ENTRY_SELECT                                                                                         \
    "SELECT sink, feed, partition, first_leaf, last_leaf, from_ms, to_ms, content, state, revision,"         \
    " n_batches, n_records, n_events, n_late, n_revised, n_placed, watermark_ms, EXISTS (SELECT FROM"        \
    " feed_replay AS r WHERE r.sink = e.sink AND r.feed = e.feed AND r.state = 1 AND r.dry_run = 0"          \
    " AND r.from_ms < e.to_ms AND r.to_ms > e.from_ms)::int::bigint FROM feed_entry AS e WHERE "
#define ENTRY_FILTER                                                                                         \
    " AND ($4::bigint = $5::bigint OR (from_ms < $5 AND to_ms > $4)) AND ($6::bigint = 0 OR state = 1)"      \
    " ORDER BY sink COLLATE \"C\", feed COLLATE \"C\", partition COLLATE \"C\" DESC, first_leaf DESC"        \
    " LIMIT NULLIF($7::bigint, 0)"

static struct hr_status entries(void *ctx, const struct feed_query *wanted,
                                void (*each)(void *each_ctx, const struct feed_entry *entry), void *each_ctx)
{
    struct visit visit = {.each.entry = each, .ctx = each_ctx};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, wanted->sink != NULL ? wanted->sink : "");
    ledger_pg_put_text(&params, wanted->feed != NULL ? wanted->feed : "");
    ledger_pg_put_text(&params, wanted->partition != NULL ? wanted->partition : "");
    ledger_pg_put_u64(&params, ledger_unsigned_of(wanted->from_ms));
    ledger_pg_put_u64(&params, ledger_unsigned_of(wanted->to_ms));
    ledger_pg_put_u64(&params, wanted->running_only ? 1 : 0);
    ledger_pg_put_u64(&params, wanted->limit);
    /* A query for one partition goes by the primary key. */
    const char *sql = wanted->partition != NULL ? ENTRY_SELECT
                          "sink = $1 AND feed = $2 AND partition = $3" ENTRY_FILTER
                                                : ENTRY_SELECT
                          "($1 = '' OR sink = $1) AND ($2 = '' OR feed = $2) AND $3 = ''" ENTRY_FILTER;
    return run(ctx, sql, &params, visit_entry, &visit);
}

static void visit_position(const struct visit *visit, const PGresult *result, int row)
{
    struct feed_position position = {.sink_partition = (int32_t)i64_of(result, row, 0),
                                     .first_offset = i64_of(result, row, 1),
                                     .last_offset = i64_of(result, row, 2)};
    visit->each.position(visit->ctx, &position);
}

static struct hr_status positions(void *ctx, const struct feed_entry *of,
                                  void (*each)(void *each_ctx, const struct feed_position *position),
                                  void *each_ctx)
{
    struct visit visit = {.each.position = each, .ctx = each_ctx};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, of->sink);
    ledger_pg_put_text(&params, of->feed);
    ledger_pg_put_text(&params, of->partition);
    ledger_pg_put_u64(&params, of->first_leaf);
    return run(ctx,
               "SELECT sink_partition, first_offset, last_offset FROM feed_position WHERE sink = $1"
               " AND feed = $2 AND partition = $3 AND first_leaf = $4 ORDER BY sink_partition",
               &params, visit_position, &visit);
}

static void visit_span(const struct visit *visit, const PGresult *result, int row)
{
    struct feed_span span = {.first_leaf = ledger_pg_u64(result, row, 0),
                             .n_leaves = ledger_pg_u32(result, row, 1),
                             .notes = ledger_pg_bytes(result, row, 2)};
    visit->each.span(visit->ctx, &span);
}

static struct hr_status span(void *ctx, const char *sink, uint64_t leaf,
                             void (*each)(void *each_ctx, const struct feed_span *span), void *each_ctx)
{
    struct visit visit = {.each.span = each, .ctx = each_ctx};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, leaf);
    ledger_pg_put_text(&params, sink);
    HR_TRY(run(ctx,
               "SELECT first_leaf, n_leaves, notes FROM feed_span WHERE sink = $2 AND first_leaf >="
               " coalesce((SELECT first_leaf FROM feed_span WHERE sink = $2 AND first_leaf <= $1"
               " ORDER BY first_leaf DESC LIMIT 1), 0) AND first_leaf + n_leaves > $1"
               " ORDER BY first_leaf LIMIT 1",
               &params, visit_span, &visit));
    return hr_status_of(visit.n_rows > 0 ? HR_OK : HR_NOT_FOUND);
}

static void visit_facts(const struct visit *visit, const PGresult *result, int row)
{
    struct feed_facts facts = {.leaf = ledger_pg_u64(result, row, 0),
                               .end_ms = i64_of(result, row, 1),
                               .facts = ledger_pg_bytes(result, row, 2),
                               .family = ledger_pg_u32(result, row, 3),
                               .hour = i64_of(result, row, 4)};
    visit->each.facts(visit->ctx, &facts);
}

static struct hr_status facts(void *ctx, const char *sink, const struct feed_facts *before,
                              void (*each)(void *each_ctx, const struct feed_facts *facts), void *each_ctx)
{
    struct visit visit = {.each.facts = each, .ctx = each_ctx};
    struct ledger_pg_params params = {.n = 0};
    if (!((const struct ledger_postgres *)ctx)->has_facts) {
        return hr_ok();
    }
    ledger_pg_put_text(&params, sink);
    ledger_pg_put_u64(&params, before->family);
    ledger_pg_put_u64(&params, ledger_unsigned_of(before->hour));
    ledger_pg_put_u64(&params, before->leaf);
    return run(ctx,
               "SELECT leaf, end_ms, facts, family, hour FROM feed_facts WHERE sink = $1 AND family = $2"
               " AND hour = $3 AND leaf < $4 ORDER BY leaf",
               &params, visit_facts, &visit);
}

static struct hr_status leaf_facts(void *ctx, const char *sink, uint64_t from_leaf,
                                   void (*each)(void *each_ctx, const struct feed_facts *facts),
                                   void *each_ctx)
{
    struct visit visit = {.each.facts = each, .ctx = each_ctx};
    struct ledger_pg_params params = {.n = 0};
    if (!((const struct ledger_postgres *)ctx)->has_facts) {
        return hr_status_of(HR_NOT_FOUND);
    }
    ledger_pg_put_text(&params, sink);
    ledger_pg_put_u64(&params, from_leaf);
    HR_TRY(run(ctx,
               "SELECT leaf, end_ms, facts, family, hour FROM feed_facts WHERE sink = $1 AND leaf ="
               " (SELECT leaf FROM feed_facts WHERE leaf >= $2 AND sink = $1 ORDER BY leaf LIMIT 1)"
               " ORDER BY family, hour",
               &params, visit_facts, &visit));
    return hr_status_of(visit.n_rows > 0 ? HR_OK : HR_NOT_FOUND);
}

static void visit_replay(const struct visit *visit, const PGresult *result, int row)
{
    struct feed_replay replay = {.id = ledger_pg_u64(result, row, 0),
                                 .from_ms = i64_of(result, row, 3),
                                 .to_ms = i64_of(result, row, 4),
                                 .dry_run = ledger_pg_u64(result, row, 5) != 0,
                                 .state = (enum feed_state)ledger_pg_u32(result, row, 6),
                                 .asked_ms = i64_of(result, row, 7),
                                 .first_leaf = ledger_pg_u64(result, row, 8),
                                 .next_leaf = ledger_pg_u64(result, row, 9),
                                 .end_leaf = ledger_pg_u64(result, row, 10),
                                 .n_events = ledger_pg_u64(result, row, 11),
                                 .n_changed = ledger_pg_u64(result, row, 12)};
    ledger_pg_text(result, row, 1, replay.sink, sizeof replay.sink);
    ledger_pg_text(result, row, 2, replay.feed, sizeof replay.feed);
    ledger_pg_text(result, row, 13, replay.normalizers, sizeof replay.normalizers);
    ledger_pg_text(result, row, 14, replay.reason, sizeof replay.reason);
    visit->each.replay(visit->ctx, &replay);
}

static struct hr_status replays(void *ctx, const char *sink,
                                void (*each)(void *each_ctx, const struct feed_replay *replay),
                                void *each_ctx)
{
    struct visit visit = {.each.replay = each, .ctx = each_ctx};
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, sink != NULL ? sink : "");
    return run(
        ctx,
        "SELECT id, sink, feed, from_ms, to_ms, dry_run, state, asked_ms, first_leaf, next_leaf, end_leaf,"
        " n_events, n_changed, normalizers, reason FROM feed_replay WHERE $1 = '' OR sink = $1"
        " ORDER BY id, sink COLLATE \"C\"",
        &params, visit_replay, &visit);
}

const struct ledger_feeds *ledger_pg_feeds(void)
{
    static const struct ledger_feeds feeds = {.write = ledger_pg_feed_write,
                                              .add_replay = ledger_pg_add_replay,
                                              .heads = heads,
                                              .versions = versions,
                                              .entries = entries,
                                              .positions = positions,
                                              .span = span,
                                              .facts = facts,
                                              .leaf_facts = leaf_facts,
                                              .replays = replays};
    return &feeds;
}
