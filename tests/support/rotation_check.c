/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "tests/support/rotation_lab_internal.h"
#include "tests/support/signature_memo.h"

#include <string.h>

const struct ledger_key *rotation_key_of(const struct ledger_device *device, uint16_t epoch)
{
    const struct ledger_key *key = NULL;
    for (uint32_t i = 0; i < device->n_keys; i++) {
        key = device->keys[i].epoch == epoch ? &device->keys[i] : key;
    }
    return key;
}

static bool is_key_to_stay(void)
{
    return rotation_world.way == EPOCH_TAKEN || rotation_world.way == KEY_USED_BEFORE;
}

struct tally {
    uint32_t seen[ROTATION_MAX_SAMPLES];
    uint32_t n_by_epoch[4];
    struct ledger_device device;
};

static bool is_before(uint32_t stream, uint32_t seq, uint32_t than_stream, uint32_t than_seq)
{
    return stream < than_stream || (stream == than_stream && seq < than_seq);
}

static void count_batch(void *ctx, const struct ledger_batch *batch)
{
    struct tally *tally = ctx;
    struct wire_envelope split;
    assert_true(batch->device_id == ROTATION_DEVICE_ID);
    assert_ok(wire_envelope_split(batch->envelope, &split));
    const struct ledger_key *key = rotation_key_of(&tally->device, split.header.key_epoch);
    HR_ASSERT(key != NULL);
    uint8_t spki_sha256[WIRE_DIGEST_BYTES];
    const struct hr_bytes spki = hr_bytes_of(key->spki, key->spki_len_bytes);
    wire_sha256(crypto_hash(), &spki, 1, spki_sha256);
    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(split.header_bytes, spki_sha256, tbs);
    assert_true(signature_memo_holds(spki, hr_bytes_of(tbs, sizeof tbs), split.signature_bytes));
    assert_false(is_before(batch->stream, batch->seq, key->from_stream, key->from_seq));
    assert_true(is_before(batch->stream, batch->seq, key->to_stream, key->to_seq));
    assert_true(split.header.key_epoch < 4);
    tally->n_by_epoch[split.header.key_epoch]++;
    struct hr_reader payload = hr_reader_over(split.payload);
    struct hr_bytes bytes;
    struct edge_record record;
    while (hr_is_ok(wire_record_next(&payload, &bytes))) {
        assert_ok(edge_record_decode(bytes, &record));
        if (record.kind == EDGE_SAMPLE) {
            assert_in_range(record.as.sample.value, 0, ROTATION_MAX_SAMPLES - 1);
            tally->seen[record.as.sample.value]++;
        }
        assert_int_not_equal(record.kind, EDGE_LOSS);
    }
}

void rotation_check_the_end(void)
{
    static struct tally tally;
    memset(&tally, 0, sizeof tally);
    tally.device = core_lab_device(&rotation_world.core, ROTATION_DEVICE_ID);
    const struct ledger *ledger = &rotation_world.core.ledger;
    uint64_t n_leaves = core_lab_size(&rotation_world.core);
    for (uint64_t leaf = 0; leaf < n_leaves; leaf++) {
        assert_ok(ledger->read(ledger->ctx, leaf, 1, 1 << 20, count_batch, &tally));
    }
    for (uint32_t i = 0; i < rotation_world.n_offered; i++) {
        /* What an unknown life of the device makes it leave unheard may have been committed. */
        uint32_t most = rotation_world.way == ANOTHER_STREAM_LATE ? 2 : 1;
        assert_in_range(tally.seen[i], rotation_world.may_lack[i] ? 0 : 1, most);
    }
    assert_int_equal(tally.device.state, LEDGER_DEVICE_ACTIVE);
    assert_int_equal(rotation_world.keys.note.phase, PORT_KEYS_SINGLE);
    assert_int_equal(core_lab_n_conflicts(&rotation_world.core, ROTATION_DEVICE_ID), 0);
    assert_int_equal(core_lab_n_losses(&rotation_world.core, ROTATION_DEVICE_ID), 0);
    assert_true(tally.n_by_epoch[1] > 0);
    uint16_t epoch = fw_rotation_signer(&rotation_world.device.collector.rotation)->key_epoch;
    if (is_key_to_stay()) {
        assert_int_equal(epoch, 1);
        return;
    }
    assert_int_equal(epoch, 2);
    assert_int_equal(tally.device.n_keys, 2);
    assert_false(tally.device.wants_key);
    assert_true(tally.n_by_epoch[2] > 0);
    assert_memory_equal(tally.device.keys[1].spki, rotation_world.pool.signers[rotation_world.keys.key].spki,
                        CRYPTO_SPKI_BYTES);
    assert_int_equal(rotation_world.keys.n_destroyed, 1);
}
