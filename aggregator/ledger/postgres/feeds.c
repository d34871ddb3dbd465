/* SPDX-License-Identifier: Apache-2.0
 *
 * The feed ledger's writes, and retention. They have a connection of their own beside the writer's, and hold
 * the head row while they run: shared, so that only a commit or another writer waits. */
#include "aggregator/ledger/postgres/internal.h"

#include <string.h>

enum { WRITE_TRIES = 2 };

static const struct ledger_pg_statement statements[] = {
    {"begin", "BEGIN"},
    {"commit", "COMMIT"},
    {"hold", "SELECT hold_head($1)"},
    {"cursor", "SELECT advance_feed($1, $2, $3, $4)"},
    {"entry", "INSERT INTO feed_entry (sink, feed, partition, first_leaf, last_leaf, from_ms, to_ms, content,"
              " state, revision, n_batches, n_records, n_events, n_late, n_revised, n_placed, watermark_ms)"
              " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
              " ON CONFLICT (sink, feed, partition, first_leaf) DO UPDATE SET (last_leaf, content, state,"
              " revision, n_batches, n_records, n_events, n_late, n_revised, n_placed, watermark_ms) ="
              " (excluded.last_leaf, excluded.content, excluded.state, excluded.revision, excluded.n_batches,"
              " excluded.n_records, excluded.n_events, excluded.n_late, excluded.n_revised,"
              " excluded.n_placed, excluded.watermark_ms)"},
    {"position", "INSERT INTO feed_position AS p (sink, feed, partition, first_leaf, sink_partition,"
                 " first_offset, last_offset) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                 " ON CONFLICT (sink, feed, partition, first_leaf, sink_partition) DO UPDATE SET"
                 " (first_offset, last_offset) = (least(p.first_offset, excluded.first_offset),"
                 " greatest(p.last_offset, excluded.last_offset))"},
    {"span", "INSERT INTO feed_span (sink, first_leaf, n_leaves, notes) VALUES ($1, $2, $3, $4)"
             " ON CONFLICT (first_leaf, sink) DO UPDATE SET notes = excluded.notes"},
    {"facts", "INSERT INTO feed_facts (sink, family, hour, leaf, end_ms, facts)"
              " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"},
    {"replay",
     "INSERT INTO feed_replay (id, sink, feed, from_ms, to_ms, dry_run, state, asked_ms, first_leaf,"
     " next_leaf, end_leaf, n_events, n_changed, normalizers, reason)"
     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
     " ON CONFLICT (id, sink) DO UPDATE SET (state, first_leaf, next_leaf, end_leaf, n_events,"
     " n_changed, normalizers, reason) = (excluded.state, excluded.first_leaf, excluded.next_leaf,"
     " excluded.end_leaf, excluded.n_events, excluded.n_changed, excluded.normalizers,"
     " excluded.reason)"},
    {"version", "INSERT INTO feed_version (sink, from_leaf, normalizers) VALUES ($1, $2, $3)"
                " ON CONFLICT (sink, from_leaf) DO UPDATE SET normalizers = excluded.normalizers"},
};

static uint64_t deadline_of(const struct ledger_postgres *ledger)
{
    return ledger_pg_now_ms() + ledger->commit_timeout_ms;
}

static struct hr_status keep_feeder(struct ledger_postgres *ledger)
{
    if (ledger_pg_is_connected(&ledger->feeder)) {
        return hr_ok();
    }
    HR_TRY(ledger_pg_connect(&ledger->feeder, true, ledger_pg_now_ms() + ledger->target.connect_timeout_ms));
    struct ledger_pg_pipeline pipeline;
    ledger_pg_pipeline_begin(&pipeline, &ledger->feeder);
    for (size_t i = 0; i < HR_ARRAY_LEN(statements); i++) {
        ledger_pg_pipeline_prepare(&pipeline, statements[i].name, statements[i].sql);
    }
    struct ledger_pg_answer answer = ledger_pg_pipeline_wait(&pipeline, deadline_of(ledger));
    if (answer.outcome != LEDGER_PG_DONE) {
        ledger_pg_disconnect(&ledger->feeder);
    }
    return ledger_pg_status(&answer);
}

/* ---- one change as a pipeline ---- */

static void put_i64(struct ledger_pg_params *params, int64_t value)
{
    ledger_pg_put_u64(params, ledger_unsigned_of(value));
}

static void send_cursor(struct ledger_postgres *ledger, struct ledger_pg_pipeline *pipeline,
                        const struct feed_change *change)
{
    const struct ledger_pg_doubt *doubt = &ledger->feed_doubt;
    bool is_doubtful = doubt->is_open && strcmp(doubt->sink, change->sink) == 0;
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, change->sink);
    ledger_pg_put_u64(&params, change->from_leaf);
    ledger_pg_put_u64(&params, is_doubtful ? doubt->next_leaf : change->from_leaf);
    ledger_pg_put_u64(&params, change->next_leaf);
    ledger_pg_pipeline_send(pipeline, "cursor", &params);
}

static void send_entry(struct ledger_pg_pipeline *pipeline, const char *sink, const struct feed_entry *entry)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, sink);
    ledger_pg_put_text(&params, entry->feed);
    ledger_pg_put_text(&params, entry->partition);
    ledger_pg_put_u64(&params, entry->first_leaf);
    ledger_pg_put_u64(&params, entry->last_leaf);
    put_i64(&params, entry->from_ms);
    put_i64(&params, entry->to_ms);
    ledger_pg_put_bytes(&params, hr_bytes_of(entry->content, sizeof entry->content));
    ledger_pg_put_u64(&params, (uint64_t)entry->state);
    ledger_pg_put_u64(&params, entry->revision);
    ledger_pg_put_u64(&params, entry->n_batches);
    ledger_pg_put_u64(&params, entry->n_records);
    ledger_pg_put_u64(&params, entry->n_events);
    ledger_pg_put_u64(&params, entry->n_late);
    ledger_pg_put_u64(&params, entry->n_revised);
    ledger_pg_put_u64(&params, entry->n_placed);
    put_i64(&params, entry->watermark_ms);
    ledger_pg_pipeline_send(pipeline, "entry", &params);
}

static void send_position(struct ledger_pg_pipeline *pipeline, const struct feed_change *change,
                          const struct feed_position *position)
{
    HR_ASSERT(position->entry < change->n_entries);
    const struct feed_entry *entry = &change->entries[position->entry];
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, change->sink);
    ledger_pg_put_text(&params, entry->feed);
    ledger_pg_put_text(&params, entry->partition);
    ledger_pg_put_u64(&params, entry->first_leaf);
    put_i64(&params, position->sink_partition);
    put_i64(&params, position->first_offset);
    put_i64(&params, position->last_offset);
    ledger_pg_pipeline_send(pipeline, "position", &params);
}

static void send_span(struct ledger_pg_pipeline *pipeline, const char *sink, const struct feed_span *span)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, sink);
    ledger_pg_put_u64(&params, span->first_leaf);
    ledger_pg_put_u64(&params, span->n_leaves);
    ledger_pg_put_bytes(&params, span->notes);
    ledger_pg_pipeline_send(pipeline, "span", &params);
}

static void send_facts(struct ledger_pg_pipeline *pipeline, const char *sink, const struct feed_facts *facts)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, sink);
    ledger_pg_put_u64(&params, facts->family);
    put_i64(&params, facts->hour);
    ledger_pg_put_u64(&params, facts->leaf);
    put_i64(&params, facts->end_ms);
    ledger_pg_put_bytes(&params, facts->facts);
    ledger_pg_pipeline_send(pipeline, "facts", &params);
}

static void send_replay(struct ledger_pg_pipeline *pipeline, const char *sink,
                        const struct feed_replay *replay, uint64_t id)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, id);
    ledger_pg_put_text(&params, sink);
    ledger_pg_put_text(&params, replay->feed);
    put_i64(&params, replay->from_ms);
    put_i64(&params, replay->to_ms);
    ledger_pg_put_u64(&params, replay->dry_run ? 1 : 0);
    ledger_pg_put_u64(&params, (uint64_t)replay->state);
    put_i64(&params, replay->asked_ms);
    ledger_pg_put_u64(&params, replay->first_leaf);
    ledger_pg_put_u64(&params, replay->next_leaf);
    ledger_pg_put_u64(&params, replay->end_leaf);
    ledger_pg_put_u64(&params, replay->n_events);
    ledger_pg_put_u64(&params, replay->n_changed);
    ledger_pg_put_text(&params, replay->normalizers);
    ledger_pg_put_text(&params, replay->reason);
    ledger_pg_pipeline_send(pipeline, "replay", &params);
}

static void send_begin(const struct ledger_postgres *ledger, struct ledger_pg_pipeline *pipeline)
{
    static const struct ledger_pg_params none;
    struct ledger_pg_params me = {.n = 0};
    ledger_pg_put_text(&me, ledger->writer_name);
    ledger_pg_pipeline_send(pipeline, "begin", &none);
    ledger_pg_pipeline_send(pipeline, "hold", &me);
}

static struct ledger_pg_answer run_change(struct ledger_postgres *ledger, const struct feed_change *change)
{
    static const struct ledger_pg_params none;
    struct ledger_pg_pipeline pipeline;
    ledger_pg_pipeline_begin(&pipeline, &ledger->feeder);
    send_begin(ledger, &pipeline);
    send_cursor(ledger, &pipeline, change);
    for (size_t i = 0; i < change->n_entries; i++) {
        send_entry(&pipeline, change->sink, &change->entries[i]);
    }
    for (size_t i = 0; i < change->n_positions; i++) {
        send_position(&pipeline, change, &change->positions[i]);
    }
    for (size_t i = 0; i < change->n_spans; i++) {
        send_span(&pipeline, change->sink, &change->spans[i]);
    }
    for (size_t i = 0; i < change->n_facts; i++) {
        send_facts(&pipeline, change->sink, &change->facts[i]);
    }
    if (change->replay != NULL) {
        send_replay(&pipeline, change->sink, change->replay, change->replay->id);
    }
    if (change->normalizers != NULL) {
        struct ledger_pg_params params = {.n = 0};
        ledger_pg_put_text(&params, change->sink);
        ledger_pg_put_u64(&params, change->normalizers_from);
        ledger_pg_put_text(&params, change->normalizers);
        ledger_pg_pipeline_send(&pipeline, "version", &params);
    }
    ledger_pg_pipeline_send(&pipeline, "commit", &none);
    return ledger_pg_pipeline_wait(&pipeline, deadline_of(ledger));
}

/* ---- outcomes ---- */

/* What the server refused is undone; the session may go on. */
static struct hr_status refuse(struct ledger_postgres *ledger, const struct ledger_pg_answer *answer)
{
    struct ledger_pg_answer rolled_back = ledger_pg_script(&ledger->feeder, "ROLLBACK", deadline_of(ledger));
    if (rolled_back.outcome != LEDGER_PG_DONE) {
        ledger_pg_disconnect(&ledger->feeder);
    }
    if (strcmp(answer->sqlstate, "HR003") == 0) {
        return hr_status_of(HR_CORRUPT);
    }
    return strcmp(answer->sqlstate, "HR004") == 0 ? hr_status_of(HR_FULL) : ledger_pg_status(answer);
}

/* A write whose answer was lost may stand. It comes again, as it was or with more in it, and says the same
 * twice without harm; so only the cursor must know that it may have moved. */
static void note_doubt(struct ledger_postgres *ledger, const struct feed_change *change)
{
    size_t len = strlen(change->sink);
    HR_ASSERT(len <= FEED_SINK_MAX_CHARS);
    memcpy(ledger->feed_doubt.sink, change->sink, len + 1);
    ledger->feed_doubt.is_open = true;
    ledger->feed_doubt.next_leaf = change->next_leaf;
}

static struct hr_status write_locked(struct ledger_postgres *ledger, const struct feed_change *change)
{
    for (int tries = 0; tries < WRITE_TRIES; tries++) {
        HR_TRY(keep_feeder(ledger));
        struct ledger_pg_answer answer = run_change(ledger, change);
        if (answer.outcome == LEDGER_PG_REFUSED) {
            return refuse(ledger, &answer);
        }
        if (answer.outcome == LEDGER_PG_DONE) {
            ledger->feed_doubt.is_open = false;
            return hr_ok();
        }
        note_doubt(ledger, change);
    }
    return hr_status_of(HR_AGAIN);
}

struct hr_status ledger_pg_feed_write(void *ctx, const struct feed_change *change)
{
    struct ledger_postgres *ledger = ctx;
    if (!ledger->is_writer) {
        return hr_status_of(HR_DENIED);
    }
    HR_ASSERT(pthread_mutex_lock(&ledger->feeder_lock) == 0);
    struct hr_status status = write_locked(ledger, change);
    HR_ASSERT(pthread_mutex_unlock(&ledger->feeder_lock) == 0);
    return status;
}

/* One number of the feeder's session. */
static struct hr_status ask_number(struct ledger_postgres *ledger, const char *sql,
                                   const struct ledger_pg_params *params, uint64_t *out)
{
    PGresult *result = NULL;
    struct ledger_pg_answer answer =
        ledger_pg_query(&ledger->feeder, sql, params, deadline_of(ledger), &result);
    if (answer.outcome == LEDGER_PG_DONE && PQntuples(result) == 1) {
        *out = ledger_pg_u64(result, 0, 0);
    }
    PQclear(result);
    return answer.outcome == LEDGER_PG_REFUSED ? refuse(ledger, &answer) : ledger_pg_status(&answer);
}

static struct hr_status run_script(struct ledger_postgres *ledger, const char *sql)
{
    struct ledger_pg_answer answer = ledger_pg_script(&ledger->feeder, sql, deadline_of(ledger));
    return answer.outcome == LEDGER_PG_REFUSED ? refuse(ledger, &answer) : ledger_pg_status(&answer);
}

static struct hr_status add_locked(struct ledger_postgres *ledger, const struct feed_replay *replay,
                                   const char *const *sinks, size_t n_sinks, uint64_t *id)
{
    static const struct ledger_pg_params none;
    struct ledger_pg_params me = {.n = 0};
    struct ledger_pg_params limits = {.n = 0};
    uint64_t number = 0;
    ledger_pg_put_text(&me, ledger->writer_name);
    ledger_pg_put_u64(&limits, n_sinks);
    ledger_pg_put_u64(&limits, LEDGER_MAX_REPLAYS);
    HR_TRY(keep_feeder(ledger));
    HR_TRY(run_script(ledger, "BEGIN"));
    HR_TRY(ask_number(ledger, "SELECT 0::bigint FROM hold_head($1)", &me, &number));
    HR_TRY(ask_number(ledger, "SELECT next_replay($1, $2)", &limits, &number));
    struct ledger_pg_pipeline pipeline;
    ledger_pg_pipeline_begin(&pipeline, &ledger->feeder);
    for (size_t i = 0; i < n_sinks; i++) {
        send_replay(&pipeline, sinks[i], replay, number);
    }
    ledger_pg_pipeline_send(&pipeline, "commit", &none);
    struct ledger_pg_answer answer = ledger_pg_pipeline_wait(&pipeline, deadline_of(ledger));
    if (answer.outcome == LEDGER_PG_DONE) {
        *id = number;
    }
    return answer.outcome == LEDGER_PG_REFUSED ? refuse(ledger, &answer) : ledger_pg_status(&answer);
}

struct hr_status ledger_pg_add_replay(void *ctx, const struct feed_replay *replay, const char *const *sinks,
                                      size_t n_sinks, uint64_t *id)
{
    struct ledger_postgres *ledger = ctx;
    if (!ledger->is_writer) {
        return hr_status_of(HR_DENIED);
    }
    HR_ASSERT(pthread_mutex_lock(&ledger->feeder_lock) == 0);
    struct hr_status status = add_locked(ledger, replay, sinks, n_sinks, id);
    HR_ASSERT(pthread_mutex_unlock(&ledger->feeder_lock) == 0);
    return status;
}

static struct hr_status prune_facts(struct ledger_postgres *ledger, int64_t keep_ms)
{
    struct ledger_pg_params params = {.n = 0};
    uint64_t n_facts = 0;
    ledger_pg_put_text(&params, ledger->writer_name);
    put_i64(&params, keep_ms);
    ledger_pg_put_u64(&params, LEDGER_PRUNE_FACTS);
    return ask_number(ledger, "SELECT prune_facts($1, $2, $3)", &params, &n_facts);
}

struct hr_status ledger_pg_prune(void *ctx, const struct ledger_prune *limits, uint64_t *n_deleted)
{
    struct ledger_postgres *ledger = ctx;
    if (!ledger->is_writer) {
        return hr_status_of(HR_DENIED);
    }
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, ledger->writer_name);
    ledger_pg_put_u64(&params, limits->below_leaf > INT64_MAX ? INT64_MAX : limits->below_leaf);
    put_i64(&params, limits->before_ms);
    ledger_pg_put_u64(&params, limits->max_batches);
    HR_ASSERT(pthread_mutex_lock(&ledger->feeder_lock) == 0);
    struct hr_status status = keep_feeder(ledger);
    if (hr_is_ok(status)) {
        status = ask_number(ledger, "SELECT prune_batches($1, $2, $3, $4)", &params, n_deleted);
    }
    if (hr_is_ok(status) && *n_deleted > 0 && limits->keep_facts_ms > 0) {
        status = prune_facts(ledger, limits->keep_facts_ms);
    }
    HR_ASSERT(pthread_mutex_unlock(&ledger->feeder_lock) == 0);
    return status;
}
