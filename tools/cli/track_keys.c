/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys by which a log is proven: all that its devices ever had. */
#include "tools/cli/track.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void *cli_track_grown(void *rows, size_t n, size_t row_bytes)
{
    if (n != 0 && (n & (n - 1)) != 0) {
        return rows;
    }
    return realloc(rows, (n == 0 ? 1 : 2 * n) * row_bytes);
}

/* Index of the first key that is not before this one. */
static size_t place_of(const struct cli_track *track, uint64_t device_id, uint32_t epoch)
{
    size_t low = 0;
    size_t high = track->n_keys;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct ledger_old_key *at = &track->keys[middle];
        bool is_before = at->device_id != device_id ? at->device_id < device_id : at->key.epoch < epoch;
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    return low;
}

const struct ledger_key *cli_track_key_of(const struct cli_track *track, uint64_t device_id, uint32_t epoch)
{
    size_t at = place_of(track, device_id, epoch);
    bool is_there =
        at < track->n_keys && track->keys[at].device_id == device_id && track->keys[at].key.epoch == epoch;
    return is_there ? &track->keys[at].key : NULL;
}

void cli_track_key(void *ctx, const struct ledger_old_key *row)
{
    struct cli_track *track = ctx;
    static const struct cli_place nowhere;
    size_t at = place_of(track, row->device_id, row->key.epoch);
    if (cli_track_key_of(track, row->device_id, row->key.epoch) != NULL) {
        track->keys[at] = *row; /* it came with its device before, and says more now */
        return;
    }
    void *rows = cli_track_grown(track->keys, track->n_keys, sizeof *row);
    if (rows == NULL) {
        track->is_out_of_memory = true;
        return;
    }
    track->keys = rows;
    memmove(track->keys + at + 1, track->keys + at, (track->n_keys++ - at) * sizeof *row);
    track->keys[at] = *row;
    if (!hr_is_ok(verify_keyring_put(track->ring, row->device_id, row->key.epoch,
                                     hr_bytes_of(row->key.spki, row->key.spki_len_bytes)))) {
        cli_find(track->findings, CLI_FINDING_SIGNATURE, &nowhere,
                 "key epoch %u of device %016" PRIx64 " is no P-256 key", row->key.epoch, row->device_id);
    }
}
