/* SPDX-License-Identifier: Apache-2.0
 *
 * The third part of the ledger suite: feeds, replays and retention. */
#include "proto/base/assert.h"
#include "tests/support/ledger_lab.h"

#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 3600000 };

static const int64_t noon_ms = INT64_C(1763726400000); /* 2025-11-21T12:00:00Z */

static struct feed_entry entry_of(const char *feed, const char *partition, int64_t from_ms, uint64_t leaf)
{
    struct feed_entry entry = {.from_ms = from_ms,
                               .to_ms = from_ms + HOUR_MS,
                               .state = FEED_RUNNING,
                               .revision = 3,
                               .n_batches = 4,
                               .n_records = 50,
                               .n_events = UINT64_C(1) << 40,
                               .n_late = 2,
                               .n_revised = 7,
                               .n_placed = 49,
                               .first_leaf = leaf,
                               .last_leaf = leaf + 3,
                               .watermark_ms = from_ms + 17};
    (void)snprintf(entry.feed, sizeof entry.feed, "%s", feed);
    (void)snprintf(entry.partition, sizeof entry.partition, "%s", partition);
    memset(entry.content, 0xC0 + (int)leaf, sizeof entry.content);
    return entry;
}

static struct hr_status feed_write(const struct feed_change *change)
{
    return ledger_lab.ledger.feeds->write(ledger_lab.ledger.ctx, change);
}

static struct hr_status write_entries(uint64_t from, uint64_t next, const struct feed_entry *rows, size_t n)
{
    struct feed_change change = {
        .sink = "kafka", .from_leaf = from, .next_leaf = next, .entries = rows, .n_entries = n};
    return feed_write(&change);
}

static struct feed_entry seen[16];
static uint32_t n_seen;

static void see_entry(void *ctx, const struct feed_entry *entry)
{
    (void)ctx;
    HR_ASSERT(n_seen < HR_ARRAY_LEN(seen));
    seen[n_seen++] = *entry;
}

static uint32_t find_entries(struct feed_query query)
{
    n_seen = 0;
    assert_ok(ledger_lab.ledger.feeds->entries(ledger_lab.ledger.ctx, &query, see_entry, NULL));
    return n_seen;
}

static void see_head(void *ctx, const struct feed_head *head)
{
    if (strcmp(head->sink, "kafka") == 0) {
        *(uint64_t *)ctx = head->next_leaf;
    }
}

static uint64_t cursor(void)
{
    uint64_t next_leaf = UINT64_MAX;
    assert_ok(ledger_lab.ledger.feeds->heads(ledger_lab.ledger.ctx, see_head, &next_leaf));
    return next_leaf;
}

static void entries_are_read_back_and_replaced(void **state)
{
    (void)state;
    assert_true(cursor() == UINT64_MAX);
    struct feed_entry rows[3] = {entry_of("a.x", "2025-11-21T12Z", noon_ms, 0),
                                 entry_of("a.x", "2025-11-21T13Z", noon_ms + HOUR_MS, 2),
                                 entry_of("b.y", "2025-11-21T12Z", noon_ms, 1)};
    assert_ok(write_entries(0, 4, rows, 3));
    rows[0].state = FEED_COMPLETED;
    rows[0].n_events++;
    memset(rows[0].content, 0x11, sizeof rows[0].content);
    assert_ok(write_entries(4, 9, rows, 1));
    ledger_lab_reopen();
    assert_int_equal(cursor(), 9);
    assert_int_equal(find_entries((struct feed_query){.sink = "kafka"}), 3);
    assert_string_equal(seen[0].partition, "2025-11-21T13Z"); /* the newest first */
    assert_string_equal(seen[1].partition, "2025-11-21T12Z");
    assert_string_equal(seen[2].feed, "b.y");
    const struct feed_entry *got = &seen[1];
    assert_string_equal(got->sink, "kafka");
    assert_string_equal(got->feed, "a.x");
    assert_int_equal(got->state, FEED_COMPLETED);
    assert_true(got->n_events == (UINT64_C(1) << 40) + 1 && got->from_ms == noon_ms);
    assert_true(got->to_ms == noon_ms + HOUR_MS && got->watermark_ms == noon_ms + 17);
    assert_int_equal(got->revision, 3);
    assert_int_equal(got->n_batches, 4);
    assert_int_equal(got->n_records, 50);
    assert_int_equal(got->n_late, 2);
    assert_int_equal(got->n_revised, 7);
    assert_int_equal(got->n_placed, 49);
    assert_int_equal(got->first_leaf, 0);
    assert_int_equal(got->last_leaf, 3);
    assert_memory_equal(got->content, rows[0].content, sizeof rows[0].content);
    assert_false(got->is_replaying);
}

static void entries_are_found_by_what_is_asked(void **state)
{
    (void)state;
    struct feed_entry rows[3] = {entry_of("a.x", "2025-11-21T12Z", noon_ms, 0),
                                 entry_of("a.x", "2025-11-21T13Z", noon_ms + HOUR_MS, 2),
                                 entry_of("b.y", "2025-11-21T12Z", noon_ms, 1)};
    rows[0].state = FEED_COMPLETED;
    assert_ok(write_entries(0, 4, rows, 3));
    assert_int_equal(find_entries((struct feed_query){.feed = "a.x"}), 2);
    assert_int_equal(find_entries((struct feed_query){.sink = "files"}), 0);
    assert_int_equal(find_entries((struct feed_query){.limit = 1}), 1);
    assert_int_equal(find_entries((struct feed_query){.running_only = true}), 2);
    assert_int_equal(
        find_entries((struct feed_query){.sink = "kafka", .feed = "a.x", .partition = "2025-11-21T12Z"}), 1);
    /* A window that ends where a partition begins does not reach into it. */
    assert_int_equal(
        find_entries((struct feed_query){.feed = "a.x", .from_ms = noon_ms + 1, .to_ms = noon_ms + HOUR_MS}),
        1);
    assert_int_equal(seen[0].first_leaf, 0);
    assert_int_equal(find_entries((struct feed_query){.from_ms = noon_ms + HOUR_MS, .to_ms = INT64_MAX}), 1);
}

static void a_fold_that_is_not_the_only_one_is_refused(void **state)
{
    (void)state;
    struct feed_entry row = entry_of("a.x", "2025-11-21T12Z", noon_ms, 0);
    assert_ok(write_entries(0, 4, &row, 1));
    row.n_events = 1;
    assert_code(write_entries(3, 5, &row, 1), HR_CORRUPT);
    assert_code(write_entries(0, 4, &row, 1), HR_CORRUPT);
    assert_int_equal(cursor(), 4);
    assert_int_equal(find_entries((struct feed_query){.sink = NULL}), 1);
    assert_true(seen[0].n_events == UINT64_C(1) << 40);
    assert_ok(ledger_lab_commit(1, 0, 0, 1)); /* and the ledger goes on */
}

static void see_position(void *ctx, const struct feed_position *position)
{
    struct feed_position *out = ctx;
    HR_ASSERT(position->sink_partition < 4);
    out[position->sink_partition] = *position;
}

static void positions_only_widen(void **state)
{
    (void)state;
    struct feed_entry row = entry_of("a.x", "2025-11-21T12Z", noon_ms, 0);
    const struct feed_position first[] = {{.sink_partition = 1, .first_offset = 100, .last_offset = 120},
                                          {.sink_partition = 2, .first_offset = 0, .last_offset = 0}};
    const struct feed_position second[] = {{.sink_partition = 1, .first_offset = 110, .last_offset = 180}};
    struct feed_change change = {.sink = "kafka",
                                 .next_leaf = 4,
                                 .entries = &row,
                                 .n_entries = 1,
                                 .positions = first,
                                 .n_positions = 2};
    assert_ok(feed_write(&change));
    change.from_leaf = 4;
    change.positions = second;
    change.n_positions = 1;
    assert_ok(feed_write(&change));
    struct feed_position got[4] = {{.sink_partition = -1}};
    (void)snprintf(row.sink, sizeof row.sink, "kafka");
    assert_ok(ledger_lab.ledger.feeds->positions(ledger_lab.ledger.ctx, &row, see_position, got));
    assert_int_equal(got[1].first_offset, 100);
    assert_int_equal(got[1].last_offset, 180);
    assert_int_equal(got[2].last_offset, 0);
    assert_int_equal(got[0].sink_partition, -1);
}

struct seen_span {
    struct feed_span span;
    uint8_t notes[256];
};

static void see_span(void *ctx, const struct feed_span *span)
{
    struct seen_span *out = ctx;
    out->span = *span;
    HR_ASSERT(span->notes.len_bytes <= sizeof out->notes);
    memcpy(out->notes, span->notes.data, span->notes.len_bytes);
}

static struct hr_status find_span(const char *sink, uint64_t from, struct seen_span *out)
{
    return ledger_lab.ledger.feeds->span(ledger_lab.ledger.ctx, sink, from, see_span, out);
}

static struct hr_status write_span(const char *sink, uint64_t from, uint64_t next, uint64_t first,
                                   const char *text)
{
    const struct feed_span span = {
        .first_leaf = first, .n_leaves = 3, .notes = hr_bytes_of(text, strlen(text))};
    struct feed_change change = {
        .sink = sink, .from_leaf = from, .next_leaf = next, .spans = &span, .n_spans = 1};
    return feed_write(&change);
}

static void what_was_published_is_found_by_leaf_and_replaced(void **state)
{
    (void)state;
    assert_ok(write_span("kafka", 0, 3, 0, "first"));
    assert_ok(write_span("kafka", 3, 6, 3, "second"));
    assert_ok(write_span("files", 0, 3, 0, "other sink"));
    assert_ok(write_span("kafka", 6, 6, 0, "first again"));
    struct seen_span got;
    assert_ok(find_span("kafka", 0, &got));
    assert_int_equal(got.span.n_leaves, 3);
    assert_int_equal(got.span.notes.len_bytes, 11);
    assert_memory_equal(got.notes, "first again", 11);
    assert_ok(find_span("kafka", 2, &got));
    assert_int_equal(got.span.first_leaf, 0);
    assert_ok(find_span("kafka", 5, &got));
    assert_int_equal(got.span.first_leaf, 3);
    assert_memory_equal(got.notes, "second", 6);
    assert_code(find_span("kafka", 6, &got), HR_NOT_FOUND);
    assert_code(find_span("files", 3, &got), HR_NOT_FOUND);
    assert_ok(find_span("files", 0, &got));
    assert_memory_equal(got.notes, "other sink", 10);
}

static struct hr_status write_facts(uint64_t from, uint64_t next, const struct feed_facts *facts, size_t n)
{
    struct feed_change change = {
        .sink = "kafka", .from_leaf = from, .next_leaf = next, .facts = facts, .n_facts = n};
    return feed_write(&change);
}

static struct feed_facts facts_of(int64_t hour, uint64_t leaf, const char *text)
{
    return (struct feed_facts){.family = UINT32_MAX,
                               .hour = hour,
                               .leaf = leaf,
                               .end_ms = 1000 * (int64_t)leaf,
                               .facts = hr_bytes_of(text, strlen(text))};
}

static void see_facts(void *ctx, const struct feed_facts *facts)
{
    char *text = ctx;
    size_t len = strlen(text);
    assert_int_equal(facts->family, UINT32_MAX);
    assert_int_equal(facts->end_ms, 1000 * (int64_t)facts->leaf);
    (void)snprintf(text + len, 256 - len, "%llu:%.*s ", (unsigned long long)facts->leaf,
                   (int)facts->facts.len_bytes, (const char *)facts->facts.data);
}

static const char *find_facts(const char *sink, int64_t hour, uint64_t before_leaf)
{
    static char text[256];
    const struct feed_facts before = facts_of(hour, before_leaf, "");
    text[0] = '\0';
    assert_ok(ledger_lab.ledger.feeds->facts(ledger_lab.ledger.ctx, sink, &before, see_facts, text));
    return text;
}

static void facts_are_found_by_hour_as_before_a_leaf_and_never_change(void **state)
{
    (void)state;
    const struct feed_facts first[] = {facts_of(-1, 2, "two"), facts_of(-1, 9, "nine"), facts_of(5, 4, "x")};
    const struct feed_facts again[] = {facts_of(-1, 9, "other"), facts_of(-1, 12, "twelve")};
    assert_ok(write_facts(0, 10, first, 3));
    assert_ok(write_facts(10, 13, again, 2));
    ledger_lab_reopen();
    assert_string_equal(find_facts("kafka", -1, 1000), "2:two 9:nine 12:twelve ");
    assert_string_equal(find_facts("kafka", -1, 12), "2:two 9:nine ");
    assert_string_equal(find_facts("kafka", -1, 2), "");
    assert_string_equal(find_facts("kafka", 5, 100), "4:x ");
    assert_string_equal(find_facts("files", 5, 100), "");
    assert_code(write_facts(12, 14, again, 2), HR_CORRUPT);
    const struct ledger_feeds *feeds = ledger_lab.ledger.feeds;
    char text[256] = "";
    assert_ok(feeds->leaf_facts(ledger_lab.ledger.ctx, "kafka", 3, see_facts, text));
    assert_ok(feeds->leaf_facts(ledger_lab.ledger.ctx, "kafka", 5, see_facts, text));
    assert_code(feeds->leaf_facts(ledger_lab.ledger.ctx, "kafka", 13, see_facts, text), HR_NOT_FOUND);
    assert_code(feeds->leaf_facts(ledger_lab.ledger.ctx, "files", 0, see_facts, text), HR_NOT_FOUND);
    assert_string_equal(text, "4:x 9:nine ");
}

static struct feed_replay replays_seen[LEDGER_MAX_REPLAYS + 1];
static uint32_t n_replays_seen;

static void see_replay(void *ctx, const struct feed_replay *replay)
{
    (void)ctx;
    HR_ASSERT(n_replays_seen < HR_ARRAY_LEN(replays_seen));
    replays_seen[n_replays_seen++] = *replay;
}

static uint32_t find_replays(const char *sink)
{
    n_replays_seen = 0;
    assert_ok(ledger_lab.ledger.feeds->replays(ledger_lab.ledger.ctx, sink, see_replay, NULL));
    return n_replays_seen;
}

static const struct feed_replay asked = {.feed = "a.x",
                                         .from_ms = INT64_C(1763726400000),
                                         .to_ms = INT64_C(1763726400000) + HOUR_MS,
                                         .asked_ms = INT64_C(1763790000000)};

static void a_replay_is_stored_for_each_sink_and_goes_on(void **state)
{
    (void)state;
    const char *const sinks[] = {"files", "kafka"};
    const struct ledger_feeds *feeds = ledger_lab.ledger.feeds;
    uint64_t id = 0;
    assert_ok(feeds->add_replay(ledger_lab.ledger.ctx, &asked, sinks, 2, &id));
    assert_int_equal(id, 1);
    assert_ok(feeds->add_replay(ledger_lab.ledger.ctx, &asked, sinks, 1, &id));
    assert_int_equal(id, 2);
    assert_int_equal(find_replays(NULL), 3);
    assert_int_equal(find_replays("kafka"), 1);
    struct feed_replay replay = replays_seen[0];
    assert_int_equal(replay.state, FEED_PENDING);
    assert_string_equal(replay.sink, "kafka");
    assert_string_equal(replay.feed, "a.x");
    assert_true(replay.from_ms == asked.from_ms && replay.to_ms == asked.to_ms && !replay.dry_run);
    assert_true(replay.asked_ms == asked.asked_ms);

    struct feed_entry rows[2] = {entry_of("a.x", "2025-11-21T12Z", noon_ms, 0),
                                 entry_of("a.x", "2025-11-21T13Z", noon_ms + HOUR_MS, 2)};
    replay.state = FEED_RUNNING;
    replay.first_leaf = 5;
    replay.next_leaf = 6;
    replay.end_leaf = 9;
    replay.n_events = 70;
    replay.n_changed = 3;
    (void)snprintf(replay.normalizers, sizeof replay.normalizers, "ais/2");
    (void)snprintf(replay.reason, sizeof replay.reason, "a remark");
    struct feed_change change = {
        .sink = "kafka", .next_leaf = 4, .entries = rows, .n_entries = 2, .replay = &replay};
    assert_ok(feed_write(&change));
    ledger_lab_reopen();
    assert_int_equal(find_replays("kafka"), 1);
    assert_int_equal(replays_seen[0].state, FEED_RUNNING);
    assert_int_equal(replays_seen[0].first_leaf, 5);
    assert_int_equal(replays_seen[0].next_leaf, 6);
    assert_int_equal(replays_seen[0].end_leaf, 9);
    assert_int_equal(replays_seen[0].n_events, 70);
    assert_int_equal(replays_seen[0].n_changed, 3);
    assert_string_equal(replays_seen[0].normalizers, "ais/2");
    assert_string_equal(replays_seen[0].reason, "a remark");
    /* Shown while it runs, and stored in no entry. */
    assert_int_equal(find_entries((struct feed_query){.feed = "a.x"}), 2);
    assert_int_equal(feed_entry_state(&seen[0]), FEED_RUNNING);
    assert_int_equal(feed_entry_state(&seen[1]), FEED_REPLAYING);
    assert_int_equal(seen[1].state, FEED_RUNNING);
}

static void no_more_replays_are_taken_than_may_wait(void **state)
{
    (void)state;
    const char *const sinks[] = {"kafka"};
    const struct ledger_feeds *feeds = ledger_lab.ledger.feeds;
    uint64_t id = 0;
    for (uint32_t i = 0; i < LEDGER_MAX_REPLAYS; i++) {
        assert_ok(feeds->add_replay(ledger_lab.ledger.ctx, &asked, sinks, 1, &id));
    }
    assert_code(feeds->add_replay(ledger_lab.ledger.ctx, &asked, sinks, 1, &id), HR_FULL);
    assert_int_equal(find_replays("kafka"), LEDGER_MAX_REPLAYS);
    struct feed_replay done = replays_seen[0];
    done.state = FEED_COMPLETED;
    struct feed_change change = {.sink = "kafka", .replay = &done};
    assert_ok(feed_write(&change));
    assert_ok(feeds->add_replay(ledger_lab.ledger.ctx, &asked, sinks, 1, &id));
    assert_int_equal(id, LEDGER_MAX_REPLAYS + 1);
}

static void see_version(void *ctx, const struct feed_version *version)
{
    char *text = ctx;
    size_t len = strlen(text);
    (void)snprintf(text + len, 256 - len, "%llu:%s ", (unsigned long long)version->from_leaf,
                   version->normalizers);
}

static void versions_of_normalizers_are_kept_by_leaf(void **state)
{
    (void)state;
    struct feed_change change = {
        .sink = "kafka", .next_leaf = 2, .normalizers = "ais/1", .normalizers_from = 4};
    assert_ok(feed_write(&change));
    change = (struct feed_change){
        .sink = "kafka", .from_leaf = 2, .next_leaf = 2, .normalizers = "ais/2", .normalizers_from = 9};
    assert_ok(feed_write(&change));
    assert_int_equal(cursor(), 2);
    char text[256] = "";
    assert_ok(ledger_lab.ledger.feeds->versions(ledger_lab.ledger.ctx, "kafka", see_version, text));
    assert_string_equal(text, "4:ais/1 9:ais/2 ");
}

static void feeds_of_a_writer_that_was_taken_over_stay_as_they_are(void **state)
{
    (void)state;
    struct feed_entry row = entry_of("a.x", "2025-11-21T12Z", noon_ms, 0);
    assert_ok(write_entries(0, 4, &row, 1));
    assert_ok(ledger_lab_commit(1, 0, 0, 4));
    ledger_lab.suite->take_over(ledger_lab.suite->ctx);
    const char *const sinks[] = {"kafka"};
    uint64_t id = 0;
    uint64_t n_deleted = 0;
    const struct ledger_prune all = {.below_leaf = 3, .before_ms = INT64_MAX, .max_batches = 10};
    assert_code(write_entries(4, 5, &row, 1), HR_DENIED);
    assert_code(ledger_lab.ledger.feeds->add_replay(ledger_lab.ledger.ctx, &asked, sinks, 1, &id), HR_DENIED);
    assert_code(ledger_lab.ledger.prune(ledger_lab.ledger.ctx, &all, &n_deleted), HR_DENIED);
    assert_int_equal(cursor(), 4);
    assert_int_equal(find_replays(NULL), 0);
}

/* ---- retention ---- */

static uint64_t first_leaf(void)
{
    uint64_t leaf = UINT64_MAX;
    assert_ok(ledger_lab.ledger.first_leaf(ledger_lab.ledger.ctx, &leaf));
    return leaf;
}

static uint64_t prune(uint64_t below_leaf, int64_t before_ms, uint32_t max_batches)
{
    const struct ledger_prune limits = {
        .below_leaf = below_leaf, .before_ms = before_ms, .max_batches = max_batches};
    uint64_t n_deleted = UINT64_MAX;
    assert_ok(ledger_lab.ledger.prune(ledger_lab.ledger.ctx, &limits, &n_deleted));
    return n_deleted;
}

static void see_leaf(void *ctx, const struct ledger_batch *batch)
{
    uint64_t *first = ctx;
    *first = *first == UINT64_MAX ? batch->leaf : *first;
}

static uint64_t oldest_batch(void)
{
    uint64_t leaf = UINT64_MAX;
    assert_ok(ledger_lab.ledger.read(ledger_lab.ledger.ctx, 0, 1, 100000, see_leaf, &leaf));
    return leaf;
}

static void retention_stops_at_age_leaf_and_number(void **state)
{
    (void)state;
    assert_ok(ledger_lab_commit(1, 0, 0, 20)); /* received at 1700000000000 + seq */
    assert_int_equal(first_leaf(), 0);
    assert_int_equal(prune(20, 1700000000000, 100), 0);
    assert_int_equal(prune(20, 1700000000004, 100), 4);
    assert_int_equal(first_leaf(), 4);
    assert_int_equal(oldest_batch(), 4);
    assert_int_equal(prune(7, INT64_MAX, 100), 3);
    assert_int_equal(prune(7, INT64_MAX, 100), 0);
    assert_int_equal(prune(20, INT64_MAX, 5), 5);
    assert_int_equal(first_leaf(), 12);
    ledger_lab_reopen();
    assert_int_equal(first_leaf(), 12);
    assert_int_equal(oldest_batch(), 12);
    assert_int_equal(prune(20, INT64_MAX, 100), 7); /* the newest stays */
    assert_int_equal(first_leaf(), 19);
    assert_int_equal(prune(20, INT64_MAX, 100), 0);
    assert_ok(ledger_lab_commit(1, 0, 20, 2)); /* and the log goes on */
    assert_int_equal(ledger_lab.batches[0].leaf, 20);
    assert_int_equal(ledger_lab_size(), 22);
}

static void facts_go_when_no_batch_that_is_left_could_ask_for_them(void **state)
{
    (void)state;
    struct feed_facts facts[] = {facts_of(1, 1, "over"), facts_of(1, 2, "late"), facts_of(1, 3, "lasts")};
    const struct ledger_prune limits = {
        .below_leaf = 20, .before_ms = 1700000000004, .max_batches = 100, .keep_facts_ms = 1000};
    uint64_t n = 0;
    facts[0].end_ms = 1000;
    facts[1].end_ms = 2000;
    facts[2].end_ms = 3000;
    assert_ok(write_facts(0, 4, facts, 3));
    assert_ok(ledger_lab_commit(1, 0, 0, 20)); /* received at 1700000000000 + seq */
    assert_int_equal(prune(20, 1700000000002, 100), 2);
    assert_string_equal(find_facts("kafka", 1, 9), "1:over 2:late 3:lasts "); /* they were not asked to go */
    struct ledger_prune keeps = limits;
    keeps.before_ms = 1700000000003;
    keeps.keep_facts_ms = 1700000000003 - 2000;
    assert_ok(ledger_lab.ledger.prune(ledger_lab.ledger.ctx, &keeps, &n));
    assert_int_equal(n, 1);
    assert_string_equal(find_facts("kafka", 1, 9), "2:late 3:lasts ");
    assert_ok(ledger_lab.ledger.prune(ledger_lab.ledger.ctx, &limits, &n));
    assert_string_equal(find_facts("kafka", 1, 9), "");
}

static void a_place_that_retention_emptied_is_told_from_one_that_never_was(void **state)
{
    (void)state;
    struct ledger_stream row = {.device_id = 1, .cum_seq = 9};
    struct ledger_commit change = {.streams = &row, .n_streams = 1};
    uint8_t digest[WIRE_DIGEST_BYTES];
    assert_ok(ledger_lab_commit(1, 0, 0, 10));
    assert_ok(ledger_lab.ledger.commit(ledger_lab.ledger.ctx, &change));
    assert_int_equal(prune(5, INT64_MAX, 100), 5);
    assert_code(ledger_lab.ledger.find_digest(ledger_lab.ledger.ctx, 1, 0, 4, digest), HR_CLOSED);
    assert_ok(ledger_lab.ledger.find_digest(ledger_lab.ledger.ctx, 1, 0, 5, digest));
    assert_code(ledger_lab.ledger.find_digest(ledger_lab.ledger.ctx, 1, 0, 10, digest), HR_NOT_FOUND);
    assert_code(ledger_lab.ledger.find_digest(ledger_lab.ledger.ctx, 2, 0, 0, digest), HR_NOT_FOUND);
}

static void commit_with_anchor(uint32_t seq, uint32_t boot_id)
{
    uint8_t *envelope = ledger_lab.envelopes[0];
    struct ledger_batch batch = ledger_suite_batch(3, 0, seq, envelope, LAB_ENVELOPE_BYTES);
    struct ledger_anchor anchor = {.device_id = 3, .anchor = {.boot_id = boot_id, .utc_ms = 1000 + seq}};
    struct ledger_commit change = {.batches = &batch, .n_batches = 1, .anchors = &anchor, .n_anchors = 1};
    assert_ok(ledger_lab.ledger.commit(ledger_lab.ledger.ctx, &change));
}

static void retention_keeps_the_anchors_that_later_batches_need(void **state)
{
    (void)state;
    commit_with_anchor(0, 1);                 /* leaf 0 */
    commit_with_anchor(1, 1);                 /* leaf 1 */
    assert_ok(ledger_lab_commit(3, 0, 2, 4)); /* leaves 2 to 5 */
    commit_with_anchor(6, 1);                 /* leaf 6 */
    struct edge_time_anchor anchor;
    assert_int_equal(prune(4, INT64_MAX, 2), 2);
    assert_int_equal(prune(4, INT64_MAX, 2), 2);
    assert_ok(ledger_lab.ledger.anchor_at(ledger_lab.ledger.ctx, 3, 1, 5, &anchor));
    assert_int_equal(anchor.utc_ms, 1001);
    assert_code(ledger_lab.ledger.anchor_at(ledger_lab.ledger.ctx, 3, 1, 0, &anchor), HR_NOT_FOUND);
    assert_ok(ledger_lab_commit(3, 0, 7, 2));
    assert_int_equal(prune(7, INT64_MAX, 100), 3);
    assert_code(ledger_lab.ledger.anchor_at(ledger_lab.ledger.ctx, 3, 1, 5, &anchor), HR_NOT_FOUND);
    assert_ok(ledger_lab.ledger.anchor_at(ledger_lab.ledger.ctx, 3, 1, 7, &anchor));
    assert_int_equal(anchor.utc_ms, 1006);
}

static void entries_stay_when_their_batches_go(void **state)
{
    (void)state;
    assert_ok(ledger_lab_commit(1, 0, 0, 10));
    struct feed_entry row = entry_of("a.x", "2025-11-21T12Z", noon_ms, 0);
    assert_ok(write_entries(0, 0, &row, 1));
    assert_ok(write_span("kafka", 0, 3, 0, "0 to 2"));
    assert_ok(write_span("kafka", 3, 6, 3, "3 to 5"));
    assert_int_equal(prune(5, INT64_MAX, 100), 5);
    struct seen_span got;
    assert_ok(find_span("kafka", 0, &got));
    assert_int_equal(got.span.first_leaf, 3); /* half of it is still needed */
    assert_int_equal(find_entries((struct feed_query){.sink = "kafka"}), 1);
    assert_memory_equal(seen[0].content, row.content, sizeof row.content);
}

/* A year of a busy ledger must not go in one transaction. */
static void a_large_ledger_shrinks_in_small_steps(void **state)
{
    (void)state;
    enum { GROUPS = 40 };
    for (uint32_t i = 0; i < GROUPS; i++) {
        assert_ok(ledger_lab_commit(1, 0, i * LAB_MANY, LAB_MANY));
    }
    const uint64_t size = (uint64_t)GROUPS * LAB_MANY;
    uint64_t n_steps = 0;
    for (uint64_t n; (n = prune(size - 10, INT64_MAX, 64)) > 0; n_steps++) {
        assert_true(n <= 64);
    }
    assert_int_equal(n_steps, (size - 10 + 63) / 64);
    assert_int_equal(first_leaf(), size - 10);
    assert_int_equal(oldest_batch(), size - 10);
    assert_int_equal(ledger_lab_size(), size);
}

int ledger_suite_run_feeds(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TEST(entries_are_read_back_and_replaced),
        SUITE_TEST(entries_are_found_by_what_is_asked),
        SUITE_TEST(a_fold_that_is_not_the_only_one_is_refused),
        SUITE_TEST(positions_only_widen),
        SUITE_TEST(what_was_published_is_found_by_leaf_and_replaced),
        SUITE_TEST(facts_are_found_by_hour_as_before_a_leaf_and_never_change),
        SUITE_TEST(a_replay_is_stored_for_each_sink_and_goes_on),
        SUITE_TEST(no_more_replays_are_taken_than_may_wait),
        SUITE_TEST(versions_of_normalizers_are_kept_by_leaf),
        SUITE_TEST(feeds_of_a_writer_that_was_taken_over_stay_as_they_are),
        SUITE_TEST(retention_stops_at_age_leaf_and_number),
        SUITE_TEST(facts_go_when_no_batch_that_is_left_could_ask_for_them),
        SUITE_TEST(a_place_that_retention_emptied_is_told_from_one_that_never_was),
        SUITE_TEST(retention_keeps_the_anchors_that_later_batches_need),
        SUITE_TEST(entries_stay_when_their_batches_go),
        SUITE_TEST(a_large_ledger_shrinks_in_small_steps),
    };
    return cmocka_run_group_tests_name(ledger_lab.suite->name, tests, NULL, NULL);
}
