/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/suspects.h"

#include "tools/cli/track.h"

#include <inttypes.h>
#include <stdio.h>

enum { PAGE_ROWS = 512 };

struct audit_page {
    struct cli_suspects *suspects;
    uint64_t last;
    uint32_t n_rows;
    bool has_memory;
};

static void see_audit(void *ctx, const struct ledger_audit *row)
{
    struct audit_page *page = ctx;
    struct cli_suspects *suspects = page->suspects;
    page->last = row->id;
    page->n_rows++;
    if (!row->is_suspect || !page->has_memory) {
        return;
    }
    void *rows = cli_track_grown(suspects->rows, suspects->n_rows, sizeof *suspects->rows);
    page->has_memory = rows != NULL;
    if (page->has_memory) {
        suspects->rows = rows;
        suspects->rows[suspects->n_rows++] =
            (struct cli_suspect){.entry = row->id, .device_id = row->device_id, .range = row->suspect};
    }
}

struct hr_status cli_suspects_read(struct cli_suspects *suspects, const struct ledger *ledger)
{
    struct audit_page page = {.suspects = suspects, .has_memory = true};
    do {
        const struct ledger_page wanted = {page.last, PAGE_ROWS};
        page.n_rows = 0;
        struct hr_status status = ledger->list_audits(ledger->ctx, 0, &wanted, see_audit, &page);
        if (hr_is(status, HR_NOT_FOUND)) {
            return hr_ok();
        }
        HR_TRY(status);
        HR_TRY(hr_status_of(page.has_memory ? HR_OK : HR_IO));
    } while (page.n_rows == PAGE_ROWS);
    for (size_t i = 0; i < suspects->n_rows; i++) {
        struct cli_suspect *row = &suspects->rows[i];
        HR_TRY(ledger->count_suspect(ledger->ctx, row->device_id, &row->range, &row->count));
    }
    return hr_ok();
}

void cli_suspects_report(const struct cli_suspects *suspects, bool is_json)
{
    (void)printf(is_json ? ",\n  \"suspect\": [" : "");
    for (size_t i = 0; i < suspects->n_rows; i++) {
        const struct cli_suspect *row = &suspects->rows[i];
        (void)printf(is_json
                         ? "%s{\"device\": \"%016" PRIx64 "\", \"from_stream\": %" PRIu32
                           ", \"from_seq\": %" PRIu32 ", \"to_stream\": %" PRIu32 ", \"to_seq\": %" PRIu32
                           ", \"batches\": %" PRIu64 ", \"records\": %" PRIu64 ", \"first_leaf\": %" PRIu64
                           ", \"last_leaf\": %" PRIu64 ", \"entry\": %" PRIu64 "}"
                         : "%ssuspect   device %016" PRIx64 " from %" PRIu32 "/%" PRIu32 " to before %" PRIu32
                           "/%" PRIu32 ": %" PRIu64 " batches with %" PRIu64 " records, leaves %" PRIu64
                           " to %" PRIu64 ", by audit entry %" PRIu64 "\n",
                     is_json && i > 0 ? ", " : "", row->device_id, row->range.from_stream,
                     row->range.from_seq, row->range.to_stream, row->range.to_seq, row->count.n_batches,
                     row->count.n_records, row->count.first_leaf, row->count.last_leaf, row->entry);
    }
    (void)printf(is_json ? "]" : "");
}
