/* SPDX-License-Identifier: Apache-2.0
 *
 * A device that rotates its record key for ever: what is over leaves memory, and the ledger keeps it. */
#include "aggregator/verify/verify.h"
#include "firmware/crypto/crypto.h"
#include "proto/base/assert.h"
#include "tests/support/core_lab.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { DEVICE = 7, N_ROTATIONS = 40, LAST_EPOCH = N_ROTATIONS + 1 };

static const uint8_t zeros[WIRE_DIGEST_BYTES];

struct fixture {
    struct core_lab lab;
    struct batch_maker maker;
    struct crypto_signer signers[LAST_EPOCH + 2]; /* by epoch */
    struct made_batch first;                      /* by the first key */
};

static void make_signer(struct crypto_signer *out, uint16_t epoch)
{
    uint8_t sec1[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, 9,    9,    9,    9,    9,   9,
                      9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,   9,
                      9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,   9,
                      0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    sec1[38] = (uint8_t)epoch;
    assert_ok(crypto_signer_load(out, hr_bytes_of(sec1, sizeof sec1), epoch));
}

/* A KeySwitch to the signer's key, proven as PROTOCOL 2.4 R2 says. */
static struct edge_record make_switch(const struct crypto_signer *signer, const struct batch_maker *maker,
                                      uint16_t to_epoch)
{
    struct edge_record record = {.kind = EDGE_KEY_SWITCH,
                                 .as.key_switch = {.from_epoch = to_epoch - 1u,
                                                   .to_epoch = to_epoch,
                                                   .switch_seq = maker->next_seq + 1}};
    uint8_t message[17 + 8 + 4 + 4 + WIRE_DIGEST_BYTES];
    struct hr_writer writer = hr_writer_over(message, sizeof message);
    hr_write_raw(&writer, "edge.keyswitch.v1", 17);
    hr_write_u64(&writer, maker->device_id);
    hr_write_u32(&writer, maker->stream);
    hr_write_u32(&writer, maker->next_seq + 1);
    hr_write_raw(&writer, maker->last_digest, WIRE_DIGEST_BYTES);
    memcpy(record.as.key_switch.spki, signer->spki, CRYPTO_SPKI_BYTES);
    assert_ok(signer->port.sign(signer->port.ctx, hr_bytes_of(message, sizeof message),
                                record.as.key_switch.proof));
    return record;
}

/* As the worker pool judges it, with the keys that the core told of. */
static enum wire_ack_status ask_judged(struct core_lab *lab, const struct made_batch *batch)
{
    struct verify_result result = {.verdict = WIRE_ACK_UNKNOWN_KEY};
    const struct verify_key *key = verify_keyring_find(lab->keyring, DEVICE, batch->header.key_epoch);
    if (key != NULL) {
        verify_envelope(key, hr_bytes_of(batch->bytes, batch->len_bytes), &result);
    }
    uint64_t ticket = core_lab_post_verdict(lab, batch, result.verdict);
    assert_ok(core_lab_flush(lab));
    return core_lab_answer(lab, ticket)->ack.status;
}

static void rotate(struct fixture *fixture, uint16_t to_epoch)
{
    struct made_batch made;
    struct batch_maker *maker = &fixture->maker;
    struct crypto_signer *signers = fixture->signers;
    make_signer(&signers[to_epoch], to_epoch);
    const struct edge_record record = make_switch(&signers[to_epoch], maker, to_epoch);
    batch_maker_next(maker, &record, 1, WIRE_FLAG_KEY_SWITCH, &made);
    assert_int_equal(ask_judged(&fixture->lab, &made), WIRE_ACK_OK);
    maker->key_epoch = to_epoch;
    maker->sign = &signers[to_epoch].port;
    batch_maker_plain(maker, 2, 0, &made);
    assert_int_equal(ask_judged(&fixture->lab, &made), WIRE_ACK_OK);
}

struct key_count {
    uint32_t n;
    uint16_t last;
};

static void count_key(void *ctx, const struct ledger_old_key *row)
{
    struct key_count *count = ctx;
    assert_int_equal(row->device_id, DEVICE);
    assert_int_equal(row->key.epoch, count->last + 1); /* in order, and none is missing */
    count->last = row->key.epoch;
    count->n++;
}

/* Its keys are all in the ledger, and memory has two. */
static void assert_keys(struct fixture *fixture, uint32_t n)
{
    const struct ledger *ledger = &fixture->lab.ledger;
    struct key_count count = {.n = 0};
    assert_ok(ledger->list_keys(ledger->ctx, DEVICE, count_key, &count));
    assert_int_equal(count.n, n);
    const struct ledger_device *device = agg_device_find(fixture->lab.core, DEVICE);
    assert_int_equal(device->n_keys, 2);
    assert_int_equal(device->first_epoch, n > 2 ? n - 1 : 0);
    assert_int_equal(device->state, LEDGER_DEVICE_ACTIVE);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    assert_ok(crypto_start());
    core_lab_open(&fixture.lab, &(struct agg_limits){.max_devices = 3, .max_held = 12, .retry_after_s = 30});
    /* What the window holds, and the one that is about to leave it. */
    assert_ok(verify_keyring_new(3, &fixture.lab.keyring));
    make_signer(&fixture.signers[1], 1);
    struct ledger_device entry = core_lab_entry(DEVICE, LEDGER_DEVICE_ACTIVE, 1);
    memcpy(entry.keys[0].spki, fixture.signers[1].spki, CRYPTO_SPKI_BYTES);
    assert_ok(agg_register(fixture.lab.core, &entry));
    assert_ok(core_lab_flush(&fixture.lab));
    fixture.maker = (struct batch_maker){.sign = &fixture.signers[1].port};
    batch_maker_start(&fixture.maker, DEVICE, 0, zeros);
    batch_maker_plain(&fixture.maker, 2, 0, &fixture.first);
    assert_int_equal(ask_judged(&fixture.lab, &fixture.first), WIRE_ACK_OK);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    struct verify_keyring *keyring = fixture->lab.keyring;
    core_lab_close(&fixture->lab);
    verify_keyring_free(keyring);
    return 0;
}

/* Starts the aggregator again, whose keyring begins empty. */
static void restart(struct fixture *fixture)
{
    verify_keyring_free(fixture->lab.keyring);
    assert_ok(verify_keyring_new(3, &fixture->lab.keyring));
    core_lab_crash(&fixture->lab);
}

static void a_thief_of_the_first_key_is_refused(struct fixture *fixture)
{
    /* What was taken long ago is known again, by its digest; what is new is not taken. */
    assert_int_equal(ask_judged(&fixture->lab, &fixture->first), WIRE_ACK_DUPLICATE);
    struct made_batch made;
    struct batch_maker thief = fixture->maker;
    thief.key_epoch = 1;
    thief.sign = &fixture->signers[1].port;
    batch_maker_plain(&thief, 2, 1, &made);
    assert_int_equal(ask_judged(&fixture->lab, &made), WIRE_ACK_BAD_SIGNATURE);
    made = fixture->first;
    made.header.base_uptime_ms++;
    batch_maker_seal(&thief, &made);
    assert_int_equal(ask_judged(&fixture->lab, &made), WIRE_ACK_BAD_SIGNATURE);
    thief.key_epoch = LAST_EPOCH + 5;
    batch_maker_plain(&thief, 2, 1, &made);
    assert_int_equal(ask_judged(&fixture->lab, &made), WIRE_ACK_UNKNOWN_KEY);
    assert_int_equal(core_lab_n_conflicts(&fixture->lab, DEVICE), 0);
}

static void a_device_rotates_its_key_for_ever(void **state)
{
    struct fixture *fixture = *state;
    for (uint16_t epoch = 2; epoch <= LAST_EPOCH; epoch++) {
        rotate(fixture, epoch);
        assert_keys(fixture, epoch);
    }
    assert_int_equal(fixture->lab.n_keys_dropped, LAST_EPOCH - 2);
    a_thief_of_the_first_key_is_refused(fixture);
    restart(fixture);
    assert_keys(fixture, LAST_EPOCH);
    a_thief_of_the_first_key_is_refused(fixture);
    rotate(fixture, LAST_EPOCH + 1);
    assert_keys(fixture, LAST_EPOCH + 1);
    /* A registry entry that names its first key says nothing new. */
    struct ledger_device entry = core_lab_entry(DEVICE, LEDGER_DEVICE_ACTIVE, 2);
    memcpy(entry.keys[0].spki, fixture->signers[1].spki, CRYPTO_SPKI_BYTES);
    assert_ok(agg_register(fixture->lab.core, &entry));
    assert_ok(core_lab_flush(&fixture->lab));
    assert_keys(fixture, LAST_EPOCH + 1);
    assert_ok(agg_register(fixture->lab.core, &entry));
    assert_int_equal(core_lab_events(&fixture->lab, AGG_EVENT_REGISTRY_OUTDATED), 0);
}

static void a_key_that_left_memory_can_not_come_back(void **state)
{
    struct fixture *fixture = *state;
    struct made_batch made;
    for (uint16_t epoch = 2; epoch <= 5; epoch++) {
        rotate(fixture, epoch);
    }
    const struct edge_record record = make_switch(&fixture->signers[1], &fixture->maker, 6);
    batch_maker_next(&fixture->maker, &record, 1, WIRE_FLAG_KEY_SWITCH, &made);
    assert_int_equal(ask_judged(&fixture->lab, &made), WIRE_ACK_OK); /* it is committed, and not followed */
    assert_int_equal(core_lab_events(&fixture->lab, AGG_EVENT_KEY_SWITCH_REFUSED), 1);
    assert_keys(fixture, 5);
}

/* All switches in one group, so that keys come and leave before any of them was stored. */
static void keys_that_come_and_leave_in_one_group_are_stored(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct batch_maker *maker = &fixture->maker;
    for (uint16_t epoch = 2; epoch <= 12; epoch++) {
        struct made_batch made;
        make_signer(&fixture->signers[epoch], epoch);
        const struct edge_record record = make_switch(&fixture->signers[epoch], maker, epoch);
        batch_maker_next(maker, &record, 1, WIRE_FLAG_KEY_SWITCH, &made);
        if (epoch == 2) { /* the ring has no room for so many keys at a time */
            verify_keyring_free(lab->keyring);
            assert_ok(verify_keyring_new(16, &lab->keyring));
        }
        (void)core_lab_post(lab, &made);
        maker->key_epoch = epoch;
        maker->sign = &fixture->signers[epoch].port;
    }
    assert_ok(core_lab_flush(lab));
    struct made_batch made;
    batch_maker_plain(maker, 2, 0, &made);
    assert_int_equal(ask_judged(lab, &made), WIRE_ACK_OK);
    assert_keys(fixture, 12);
}

#define KEYS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYS_TEST(a_device_rotates_its_key_for_ever),
        KEYS_TEST(a_key_that_left_memory_can_not_come_back),
        KEYS_TEST(keys_that_come_and_leave_in_one_group_are_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
