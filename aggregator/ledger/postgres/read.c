/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/postgres/internal.h"

#include <string.h>

enum { READ_CHUNK_BATCHES = 256, STREAM_CHUNK_BATCHES = 64, CHECK_MS = 1000 };

static void lock_reader(struct ledger_postgres *ledger)
{
    HR_ASSERT(pthread_mutex_lock(&ledger->reader_lock) == 0);
}

static void unlock_reader(struct ledger_postgres *ledger)
{
    HR_ASSERT(pthread_mutex_unlock(&ledger->reader_lock) == 0);
}

struct hr_status ledger_pg_keep_reader(struct ledger_postgres *ledger, uint32_t timeout_ms)
{
    if (ledger_pg_is_connected(&ledger->reader)) {
        return hr_ok();
    }
    return ledger_pg_connect(&ledger->reader, false, ledger_pg_now_ms() + timeout_ms);
}

static uint64_t deadline_of(const struct ledger_postgres *ledger)
{
    return ledger_pg_now_ms() + ledger->commit_timeout_ms;
}

/* A query over the reader's connection, under its lock. What fails is HR_IO to a reader: the next call
 * connects again. */
static struct hr_status ask(struct ledger_postgres *ledger, const char *sql,
                            const struct ledger_pg_params *params, PGresult **out)
{
    if (!hr_is_ok(ledger_pg_keep_reader(ledger, ledger->target.connect_timeout_ms))) {
        return hr_status_of(HR_IO);
    }
    struct ledger_pg_answer answer = ledger_pg_query(&ledger->reader, sql, params, deadline_of(ledger), out);
    return hr_status_of(answer.outcome == LEDGER_PG_DONE ? HR_OK : HR_IO);
}

static struct hr_status get_size(void *ctx, uint64_t *n_leaves)
{
    struct ledger_postgres *ledger = ctx;
    if (ledger->is_writer) {
        *n_leaves = atomic_load(&ledger->n_leaves);
        return hr_ok();
    }
    PGresult *result = NULL;
    lock_reader(ledger);
    struct hr_status status = ask(ledger, "SELECT size FROM log_head", NULL, &result);
    unlock_reader(ledger);
    HR_TRY(status);
    bool is_there = PQntuples(result) == 1;
    if (is_there) {
        *n_leaves = ledger_pg_u64(result, 0, 0);
    }
    PQclear(result);
    return hr_status_of(is_there ? HR_OK : HR_IO);
}

static struct hr_status get_first_leaf(void *ctx, uint64_t *first_leaf)
{
    struct ledger_postgres *ledger = ctx;
    PGresult *result = NULL;
    lock_reader(ledger);
    struct hr_status status = ask(ledger, "SELECT first_leaf FROM log_head", NULL, &result);
    unlock_reader(ledger);
    HR_TRY(status);
    bool is_there = PQntuples(result) == 1;
    if (is_there) {
        *first_leaf = ledger_pg_u64(result, 0, 0);
    }
    PQclear(result);
    return hr_status_of(is_there ? HR_OK : HR_IO);
}

/* Asks with little patience: whoever wants to know has other things to do. */
static struct hr_status is_writer(void *ctx)
{
    struct ledger_postgres *ledger = ctx;
    if (!ledger->is_writer) {
        return hr_status_of(HR_DENIED);
    }
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, ledger->writer_name);
    PGresult *result = NULL;
    struct ledger_pg_answer answer = {.outcome = LEDGER_PG_LOST};
    uint64_t n_committed = atomic_load(&ledger->n_leaves);
    lock_reader(ledger);
    if (hr_is_ok(ledger_pg_keep_reader(ledger, CHECK_MS))) {
        answer = ledger_pg_query(&ledger->reader, "SELECT (writer = $1)::int::bigint, size FROM log_head",
                                 &params, ledger_pg_now_ms() + CHECK_MS, &result);
    }
    unlock_reader(ledger);
    if (answer.outcome != LEDGER_PG_DONE || PQntuples(result) != 1) {
        PQclear(result);
        return hr_status_of(HR_IO);
    }
    bool is_ours = ledger_pg_u64(result, 0, 0) == 1;
    uint64_t n_there = ledger_pg_u64(result, 0, 1);
    PQclear(result);
    if (is_ours && n_there < n_committed) {
        ledger_say(&ledger->report, "the log has %llu leaves where this writer left %llu",
                   (unsigned long long)n_there, (unsigned long long)n_committed);
        return hr_status_of(HR_CORRUPT);
    }
    return hr_status_of(is_ours ? HR_OK : HR_DENIED);
}

/* ---- batches ---- */

static struct ledger_batch batch_of_row(const PGresult *result, int row)
{
    struct ledger_batch batch = {.leaf = ledger_pg_u64(result, row, 0),
                                 .device_id = ledger_pg_u64(result, row, 1),
                                 .stream = ledger_pg_u32(result, row, 2),
                                 .seq = ledger_pg_u32(result, row, 3),
                                 .received_utc_ms = ledger_signed_of(ledger_pg_u64(result, row, 4)),
                                 .envelope = ledger_pg_bytes(result, row, 6)};
    ledger_digest_of(ledger_pg_bytes(result, row, 5), batch.digest);
    return batch;
}

/* The anchors in leaves `from` to `last`, for whoever will ask for them while these are handed out. */
static struct hr_status read_anchors(struct ledger_postgres *ledger, uint64_t from, uint64_t last)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, from);
    ledger_pg_put_u64(&params, last);
    PGresult *result = NULL;
    HR_TRY(ask(ledger,
               "SELECT device, leaf, boot_id, uptime_ms, utc_ms, err_ms, source FROM anchor"
               " WHERE leaf BETWEEN $1 AND $2 ORDER BY leaf",
               &params, &result));
    ledger_pg_anchors_begin(&ledger->anchors, from, last + 1);
    for (int row = 0; row < PQntuples(result); row++) {
        const struct ledger_pg_new_anchor fresh = {.device_id = ledger_pg_u64(result, row, 0),
                                                   .leaf = ledger_pg_u64(result, row, 1),
                                                   .anchor = {.boot_id = ledger_pg_u32(result, row, 2),
                                                              .uptime_ms = ledger_pg_u64(result, row, 3),
                                                              .utc_ms = ledger_pg_u64(result, row, 4),
                                                              .err_ms = ledger_pg_u32(result, row, 5),
                                                              .source = ledger_pg_u32(result, row, 6)}};
        ledger_pg_anchors_add(&ledger->anchors, &fresh);
    }
    PQclear(result);
    return hr_ok();
}

/* Hands out what was read; *from is then behind it. False: enough. */
static bool hand_out(const PGresult *result, uint64_t *from, struct ledger_budget *budget,
                     void (*each)(void *each_ctx, const struct ledger_batch *batch), void *each_ctx)
{
    for (int row = 0; row < PQntuples(result); row++) {
        struct ledger_batch batch = batch_of_row(result, row);
        each(each_ctx, &batch);
        *from = batch.leaf + 1;
        if (!ledger_budget_spend(budget, &batch)) {
            return false;
        }
    }
    return true;
}

/* Reads one chunk from *from on and hands it out; *has_more false: that was all, or all that was asked for.
 */
static struct hr_status read_chunk(struct ledger_postgres *ledger, uint64_t *from,
                                   struct ledger_budget *budget,
                                   void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                   void *each_ctx, bool *has_more)
{
    uint32_t left = budget->batches - budget->n_read;
    uint32_t limit = left < READ_CHUNK_BATCHES ? left : READ_CHUNK_BATCHES;
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, *from);
    ledger_pg_put_u64(&params, limit);
    PGresult *result = NULL;
    HR_TRY(ask(ledger,
               "SELECT leaf, device, stream, seq, received_ms, digest, envelope FROM batch"
               " WHERE leaf >= $1 ORDER BY leaf LIMIT $2",
               &params, &result));
    int n_rows = PQntuples(result);
    struct hr_status status = hr_ok();
    if (n_rows > 0) {
        status = read_anchors(ledger, *from, ledger_pg_u64(result, n_rows - 1, 0));
    }
    if (hr_is_ok(status)) {
        bool has_room = hand_out(result, from, budget, each, each_ctx);
        *has_more = has_room && n_rows == (int)limit;
    }
    PQclear(result);
    return status;
}

static struct hr_status read_batches(void *ctx, uint64_t from, uint32_t max_batches, size_t max_bytes,
                                     void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                     void *each_ctx)
{
    struct ledger_postgres *ledger = ctx;
    HR_ASSERT(max_batches > 0);
    struct ledger_budget budget = {.batches = max_batches, .bytes = max_bytes};
    struct hr_status status = hr_ok();
    lock_reader(ledger);
    for (bool has_more = true; has_more && hr_is_ok(status);) {
        status = read_chunk(ledger, &from, &budget, each, each_ctx, &has_more);
    }
    unlock_reader(ledger);
    HR_TRY(status);
    return hr_status_of(budget.n_read > 0 ? HR_OK : HR_NOT_FOUND);
}

/* *from_seq is behind what was handed out when there may be more. */
static struct hr_status read_stream_chunk(struct ledger_postgres *ledger, const struct ledger_range *range,
                                          uint32_t *from_seq,
                                          void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                          void *each_ctx, bool *has_more)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, range->device_id);
    ledger_pg_put_u64(&params, range->stream);
    ledger_pg_put_u64(&params, *from_seq);
    ledger_pg_put_u64(&params, range->to_seq);
    ledger_pg_put_u64(&params, STREAM_CHUNK_BATCHES);
    PGresult *result = NULL;
    HR_TRY(ask(ledger,
               "SELECT leaf, device, stream, seq, received_ms, digest, envelope FROM batch"
               " WHERE device = $1 AND stream = $2 AND seq BETWEEN $3 AND $4 ORDER BY seq LIMIT $5",
               &params, &result));
    int n_rows = PQntuples(result);
    for (int row = 0; row < n_rows; row++) {
        struct ledger_batch batch = batch_of_row(result, row);
        *from_seq = batch.seq + 1;
        each(each_ctx, &batch);
    }
    PQclear(result);
    *has_more = n_rows == STREAM_CHUNK_BATCHES && *from_seq <= range->to_seq;
    return hr_ok();
}

static struct hr_status read_stream(void *ctx, const struct ledger_range *range,
                                    void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                    void *each_ctx)
{
    struct ledger_postgres *ledger = ctx;
    struct hr_status status = hr_ok();
    uint32_t from_seq = range->from_seq;
    lock_reader(ledger);
    for (bool has_more = true; has_more && hr_is_ok(status);) {
        status = read_stream_chunk(ledger, range, &from_seq, each, each_ctx, &has_more);
    }
    unlock_reader(ledger);
    return status;
}

static struct hr_status ask_for_anchor(struct ledger_postgres *ledger, uint64_t device_id, uint32_t boot_id,
                                       uint64_t leaf, struct edge_time_anchor *out)
{
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_u64(&params, device_id);
    ledger_pg_put_u64(&params, boot_id);
    ledger_pg_put_u64(&params, leaf);
    PGresult *result = NULL;
    HR_TRY(ask(ledger,
               "SELECT uptime_ms, utc_ms, err_ms, source FROM anchor WHERE device = $1"
               " AND boot_id = $2 AND leaf <= $3 ORDER BY leaf DESC LIMIT 1",
               &params, &result));
    bool is_found = PQntuples(result) == 1;
    if (is_found) {
        *out = (struct edge_time_anchor){.boot_id = boot_id,
                                         .uptime_ms = ledger_pg_u64(result, 0, 0),
                                         .utc_ms = ledger_pg_u64(result, 0, 1),
                                         .err_ms = ledger_pg_u32(result, 0, 2),
                                         .source = ledger_pg_u32(result, 0, 3)};
    }
    PQclear(result);
    ledger_pg_anchors_keep(&ledger->anchors, device_id, boot_id, leaf, is_found ? out : NULL);
    return hr_status_of(is_found ? HR_OK : HR_NOT_FOUND);
}

static struct hr_status anchor_at(void *ctx, uint64_t device_id, uint32_t boot_id, uint64_t leaf,
                                  struct edge_time_anchor *out)
{
    struct ledger_postgres *ledger = ctx;
    bool is_found = false;
    lock_reader(ledger);
    struct hr_status status =
        ledger_pg_anchors_find(&ledger->anchors, device_id, boot_id, leaf, out, &is_found)
            ? hr_status_of(is_found ? HR_OK : HR_NOT_FOUND)
            : ask_for_anchor(ledger, device_id, boot_id, leaf, out);
    unlock_reader(ledger);
    return status;
}

/* ---- hints ---- */

static struct hr_status set_hint(void *ctx, const char *sink, uint64_t next_leaf)
{
    struct ledger_postgres *ledger = ctx;
    return ledger->is_writer ? ledger_hints_set(&ledger->hints, sink, next_leaf) : hr_status_of(HR_DENIED);
}

static struct hr_status get_hint(void *ctx, const char *sink, uint64_t *next_leaf)
{
    struct ledger_postgres *ledger = ctx;
    if (ledger_hints_find(&ledger->hints, sink, next_leaf)) {
        return hr_ok();
    }
    struct ledger_pg_params params = {.n = 0};
    ledger_pg_put_text(&params, sink);
    PGresult *result = NULL;
    lock_reader(ledger);
    struct hr_status status = ask(ledger, "SELECT next_leaf FROM hint WHERE sink = $1", &params, &result);
    unlock_reader(ledger);
    HR_TRY(status);
    bool is_found = PQntuples(result) == 1;
    if (is_found) {
        *next_leaf = ledger_pg_u64(result, 0, 0);
    }
    PQclear(result);
    return hr_status_of(is_found ? HR_OK : HR_NOT_FOUND);
}

void ledger_pg_fill(struct ledger_postgres *ledger, struct ledger *out)
{
    ledger_pg_fill_lists(out);
    out->commit = ledger_pg_commit;
    out->is_writer = is_writer;
    out->size = get_size;
    out->read = read_batches;
    out->read_stream = read_stream;
    out->anchor_at = anchor_at;
    out->find_digest = ledger_pg_find_digest;
    out->set_hint = set_hint;
    out->get_hint = get_hint;
    out->first_leaf = get_first_leaf;
    out->prune = ledger_pg_prune;
    out->feeds = ledger_pg_feeds();
    out->ctx = ledger;
}
