/* SPDX-License-Identifier: Apache-2.0
 *
 * What was said of observations, as frames. */
#include "tools/cli/archive.h"
#include "tools/cli/archive_rows.h"

void cli_put_facts(struct hr_writer *out, const struct feed_facts *facts)
{
    hr_write_u32(out, facts->family);
    hr_write_u64(out, (uint64_t)facts->hour);
    hr_write_u64(out, facts->leaf);
    hr_write_u64(out, (uint64_t)facts->end_ms);
    hr_write_raw(out, facts->facts.data, facts->facts.len_bytes);
}

bool cli_get_facts(struct hr_bytes body, struct feed_facts *out)
{
    struct hr_reader in = hr_reader_over(body);
    out->family = hr_read_u32(&in);
    out->hour = (int64_t)hr_read_u64(&in);
    out->leaf = hr_read_u64(&in);
    out->end_ms = (int64_t)hr_read_u64(&in);
    out->facts = hr_read_slice(&in, hr_reader_left(&in));
    return cli_row_is_done(&in) && out->facts.len_bytes > 0;
}

struct facts_search {
    struct cli_archive *archive;
    uint64_t leaf;
    uint64_t next_leaf; /* the feed cursor: later ones are of batches that it does not cover */
};

static void keep_known(void *ctx, const struct feed_facts *facts)
{
    struct facts_search *search = ctx;
    search->leaf = facts->leaf;
    if (facts->leaf < search->next_leaf) {
        cli_keep_facts(search->archive, facts);
    }
}

struct hr_status cli_archive_facts(struct cli_archive *archive, const struct ledger *ledger,
                                   const struct feed_head *head)
{
    struct facts_search search = {.archive = archive, .next_leaf = head->next_leaf};
    for (uint64_t leaf = 0; leaf < head->next_leaf && hr_is_ok(archive->failed); leaf = search.leaf + 1) {
        struct hr_status status =
            ledger->feeds->leaf_facts(ledger->ctx, head->sink, leaf, keep_known, &search);
        if (hr_is(status, HR_NOT_FOUND)) {
            break;
        }
        HR_TRY(status);
    }
    return archive->failed;
}
