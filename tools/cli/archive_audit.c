/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit entries as frames. */
#include "tools/cli/archive.h"
#include "tools/cli/archive_rows.h"

#include <string.h>

enum { PAGE_ROWS = 512, NO_STATE = 255 };

void cli_put_audit(struct hr_writer *out, const struct ledger_audit *row)
{
    hr_write_u64(out, row->device_id);
    hr_write_u64(out, (uint64_t)row->at_utc_ms);
    cli_put_text(out, row->actor);
    cli_put_text(out, row->action);
    hr_write_u8(out, row->is_first ? NO_STATE : (uint8_t)row->old_state);
    hr_write_u8(out, (uint8_t)row->new_state);
    hr_write_u32(out, row->revision);
    hr_write_raw(out, row->old_key, sizeof row->old_key);
    hr_write_raw(out, row->new_key, sizeof row->new_key);
    cli_put_text(out, row->reason);
    hr_write_u8(out, row->is_suspect ? 1 : 0);
    hr_write_u32(out, row->suspect.from_stream);
    hr_write_u32(out, row->suspect.from_seq);
    hr_write_u32(out, row->suspect.to_stream);
    hr_write_u32(out, row->suspect.to_seq);
    hr_write_u64(out, row->leaf);
}

/* The end of the row, which exports of earlier versions have not. */
static void get_suspect(struct hr_reader *in, struct ledger_audit *out)
{
    out->has_leaf = true;
    if (hr_reader_left(in) > 0) {
        out->is_suspect = hr_read_u8(in) != 0;
        out->suspect.from_stream = hr_read_u32(in);
        out->suspect.from_seq = hr_read_u32(in);
        out->suspect.to_stream = hr_read_u32(in);
        out->suspect.to_seq = hr_read_u32(in);
        out->leaf = hr_read_u64(in);
    }
}

bool cli_get_audit(struct hr_bytes body, struct ledger_audit *out)
{
    struct hr_reader in = hr_reader_over(body);
    memset(out, 0, sizeof *out);
    out->device_id = hr_read_u64(&in);
    out->at_utc_ms = (int64_t)hr_read_u64(&in);
    bool good = cli_get_text(&in, out->actor, sizeof out->actor) &&
                cli_get_text(&in, out->action, sizeof out->action);
    uint8_t old_state = hr_read_u8(&in);
    uint8_t new_state = hr_read_u8(&in);
    out->is_first = old_state == NO_STATE;
    out->old_state = (enum ledger_device_state)(out->is_first ? 0 : old_state);
    out->new_state = (enum ledger_device_state)new_state;
    out->revision = hr_read_u32(&in);
    hr_read_raw(&in, out->old_key, sizeof out->old_key);
    hr_read_raw(&in, out->new_key, sizeof out->new_key);
    good = good && cli_get_text(&in, out->reason, sizeof out->reason);
    get_suspect(&in, out);
    return good && cli_row_is_done(&in) && out->old_state <= LEDGER_DEVICE_STATE_LAST &&
           new_state <= LEDGER_DEVICE_STATE_LAST;
}

struct audit_page {
    struct cli_archive *archive;
    uint64_t last;
    uint32_t n_rows;
};

static void keep(void *ctx, const struct ledger_audit *row)
{
    struct audit_page *page = ctx;
    cli_keep_audit(page->archive, row);
    page->last = row->id;
    page->n_rows++;
}

struct hr_status cli_archive_audits(struct cli_archive *archive, const struct ledger *ledger)
{
    struct audit_page page = {.archive = archive};
    do {
        const struct ledger_page wanted = {page.last, PAGE_ROWS};
        page.n_rows = 0;
        struct hr_status status = ledger->list_audits(ledger->ctx, 0, &wanted, keep, &page);
        if (hr_is(status, HR_NOT_FOUND)) {
            return hr_ok();
        }
        HR_TRY(status);
    } while (page.n_rows == PAGE_ROWS);
    return archive->failed;
}
