/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/archive.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SINKS = 4, MAX_LOOKS = 20 };

struct feeds {
    struct feed_head heads[MAX_SINKS];
    size_t n_heads;
    struct feed_entry *entries[MAX_SINKS];
    size_t n_entries[MAX_SINKS];
    size_t sink; /* that is being read */
    bool has_changed;
};

static void take_head(void *ctx, const struct feed_head *head)
{
    struct feeds *feeds = ctx;
    if (feeds->n_heads < MAX_SINKS) {
        feeds->heads[feeds->n_heads++] = *head;
    }
}

static void compare_head(void *ctx, const struct feed_head *head)
{
    struct feeds *feeds = ctx;
    for (size_t i = 0; i < feeds->n_heads; i++) {
        feeds->has_changed = feeds->has_changed || (strcmp(feeds->heads[i].sink, head->sink) == 0 &&
                                                    feeds->heads[i].next_leaf != head->next_leaf);
    }
}

static void take_entry(void *ctx, const struct feed_entry *entry)
{
    struct feeds *feeds = ctx;
    size_t n = feeds->n_entries[feeds->sink];
    void *rows = realloc(feeds->entries[feeds->sink], (n + 1) * sizeof *entry);
    if (rows != NULL) {
        feeds->entries[feeds->sink] = rows;
        feeds->entries[feeds->sink][feeds->n_entries[feeds->sink]++] = *entry;
    }
}

static void forget(struct feeds *feeds)
{
    for (size_t i = 0; i < MAX_SINKS; i++) {
        free(feeds->entries[i]);
    }
    *feeds = (struct feeds){.n_heads = 0};
}

/* Entries as of one moment: the feed cursor moves with each change of them. */
static struct hr_status look(const struct ledger *ledger, struct feeds *feeds)
{
    for (int i = 0; i < MAX_LOOKS; i++) {
        forget(feeds);
        HR_TRY(ledger->feeds->heads(ledger->ctx, take_head, feeds));
        for (feeds->sink = 0; feeds->sink < feeds->n_heads; feeds->sink++) {
            const struct feed_query all = {.sink = feeds->heads[feeds->sink].sink};
            HR_TRY(ledger->feeds->entries(ledger->ctx, &all, take_entry, feeds));
        }
        HR_TRY(ledger->feeds->heads(ledger->ctx, compare_head, feeds));
        if (!feeds->has_changed) {
            return hr_ok();
        }
    }
    return hr_status_of(HR_AGAIN);
}

struct span_search {
    struct cli_archive *archive;
    uint64_t end;
};

static void keep_span(void *ctx, const struct feed_span *span)
{
    struct span_search *search = ctx;
    cli_keep_span(search->archive, span);
    search->end = span->first_leaf + span->n_leaves;
}

/* Spans behind the cursor stay as they are but for what a replay corrects, which a replay that goes on from
 * an older state finds to be done. */
static struct hr_status keep_spans(struct cli_archive *archive, const struct ledger *ledger,
                                   const struct feed_head *head)
{
    struct span_search search = {.archive = archive};
    uint64_t leaf = 0;
    HR_TRY(ledger->first_leaf(ledger->ctx, &leaf));
    while (leaf < head->next_leaf && hr_is_ok(archive->failed)) {
        struct hr_status status = ledger->feeds->span(ledger->ctx, head->sink, leaf, keep_span, &search);
        if (hr_is(status, HR_NOT_FOUND)) {
            break;
        }
        HR_TRY(status);
        leaf = search.end > leaf ? search.end : UINT64_MAX;
    }
    return archive->failed;
}

static struct hr_status keep_feeds(struct cli_archive *archive, const struct ledger *ledger,
                                   const struct feeds *feeds)
{
    for (size_t i = 0; i < feeds->n_heads; i++) {
        const char *sink = feeds->heads[i].sink;
        cli_keep_feed_head(archive, &feeds->heads[i]);
        HR_TRY(ledger->feeds->versions(ledger->ctx, sink, cli_keep_version, archive));
        for (size_t k = 0; k < feeds->n_entries[i]; k++) {
            cli_keep_entry(archive, &feeds->entries[i][k]);
            HR_TRY(ledger->feeds->positions(ledger->ctx, &feeds->entries[i][k], cli_keep_position, archive));
        }
        HR_TRY(ledger->feeds->replays(ledger->ctx, sink, cli_keep_replay, archive));
        HR_TRY(keep_spans(archive, ledger, &feeds->heads[i]));
        HR_TRY(cli_archive_facts(archive, ledger, &feeds->heads[i]));
    }
    return archive->failed;
}

struct hr_status cli_archive_feeds(struct cli_archive *archive, const struct ledger *ledger)
{
    struct feeds feeds = {.n_heads = 0};
    struct hr_status status = look(ledger, &feeds);
    status = hr_is_ok(status) ? keep_feeds(archive, ledger, &feeds) : status;
    forget(&feeds);
    return status;
}
