/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys that devices had, and what of a device may be believed, as frames. */
#include "tools/cli/archive.h"
#include "tools/cli/archive_rows.h"

void cli_put_device_trust(struct hr_writer *out, const struct ledger_device *device)
{
    hr_write_u8(out, (uint8_t)device->cut);
    hr_write_u32(out, device->cut_stream);
    hr_write_u32(out, device->cut_seq);
    hr_write_u32(out, device->bundle);
}

bool cli_get_device_trust(struct hr_reader *in, struct ledger_device *out)
{
    if (hr_reader_left(in) == 0) {
        return true;
    }
    uint8_t cut = hr_read_u8(in);
    out->cut = (enum ledger_cut)cut;
    out->cut_stream = hr_read_u32(in);
    out->cut_seq = hr_read_u32(in);
    out->bundle = hr_read_u32(in);
    return cut <= LEDGER_CUT_CLOSED;
}

void cli_put_old_key(struct hr_writer *out, const struct ledger_old_key *row)
{
    hr_write_u64(out, row->device_id);
    cli_put_key(out, &row->key);
    hr_write_u64(out, (uint64_t)row->key.since_utc_ms);
}

bool cli_get_old_key(struct hr_bytes body, struct ledger_old_key *out)
{
    struct hr_reader in = hr_reader_over(body);
    *out = (struct ledger_old_key){.device_id = hr_read_u64(&in)};
    bool good = cli_get_key(&in, &out->key);
    out->key.since_utc_ms = (int64_t)hr_read_u64(&in);
    return good && cli_row_is_done(&in);
}
