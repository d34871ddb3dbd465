/* SPDX-License-Identifier: Apache-2.0
 *
 * Devices, keys, heads, and what becomes of a group that the ledger refuses. */
#include "firmware/crypto/crypto.h"
#include "proto/base/assert.h"
#include "tests/support/core_lab.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/test_cmocka.h"

#include <sqlite3.h>
#include <string.h>

enum { DEVICE = 7, N_MADE = 12 };

static const uint8_t zeros[WIRE_DIGEST_BYTES];

struct fixture {
    struct core_lab lab;
    struct batch_maker maker;
    struct made_batch made[N_MADE];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    core_lab_open(&fixture.lab, &(struct agg_limits){.max_devices = 3, .max_held = 12, .retry_after_s = 30});
    core_lab_enrol(&fixture.lab, DEVICE);
    fixture.maker = (struct batch_maker){.sign = NULL};
    batch_maker_start(&fixture.maker, DEVICE, 0, zeros);
    for (uint32_t i = 0; i < N_MADE; i++) {
        batch_maker_plain(&fixture.maker, 3, 0, &fixture.made[i]);
    }
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    core_lab_close(&((struct fixture *)*state)->lab);
    return 0;
}

static void commit(struct fixture *fixture, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last; i++) {
        core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[i]), WIRE_ACK_OK, &fixture->made[i]);
    }
}

static void set_state(struct fixture *fixture, enum ledger_device_state state, uint32_t revision)
{
    struct ledger_device entry = core_lab_entry(DEVICE, state, revision);
    assert_ok(agg_register(fixture->lab.core, &entry));
    assert_ok(core_lab_flush(&fixture->lab));
}

/* ---- devices ---- */

static void a_device_that_is_not_registered_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct made_batch batch = fixture->made[0];
    batch.header.device_id = 99;
    batch_maker_seal(&fixture->maker, &batch);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &batch), WIRE_ACK_UNKNOWN_DEVICE, NULL);
    assert_false(agg_admits(fixture->lab.core, 99));
    assert_true(agg_admits(fixture->lab.core, DEVICE));
    assert_null(agg_device_find(fixture->lab.core, 99));
}

static void a_revoked_or_retired_device_is_refused_at_once_and_after_a_restart(void **state)
{
    struct fixture *fixture = *state;
    commit(fixture, 0, 2);
    set_state(fixture, LEDGER_DEVICE_REVOKED, 2);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[2]), WIRE_ACK_REVOKED, &fixture->made[1]);
    assert_false(agg_admits(fixture->lab.core, DEVICE));
    core_lab_crash(&fixture->lab);
    assert_false(agg_admits(fixture->lab.core, DEVICE));
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[1]), WIRE_ACK_REVOKED, &fixture->made[1]);
    set_state(fixture, LEDGER_DEVICE_RETIRED, 3);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &fixture->made[2]), WIRE_ACK_REVOKED, &fixture->made[1]);
    assert_int_equal(core_lab_size(&fixture->lab), 2);
}

static void quarantine_ends_only_with_a_higher_revision(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 2);
    struct made_batch other = fixture->made[1];
    other.header.base_uptime_ms++;
    batch_maker_seal(&fixture->maker, &other);
    assert_int_equal(core_lab_ask(lab, &other).status, WIRE_ACK_EQUIVOCATION);
    assert_true(agg_admits(lab->core, DEVICE)); /* it may ask how it stands */
    core_lab_crash(lab);
    set_state(fixture, LEDGER_DEVICE_ACTIVE, 1); /* the registry is read again, unchanged */
    assert_int_equal(core_lab_ask(lab, &fixture->made[2]).status, WIRE_ACK_QUARANTINED);
    set_state(fixture, LEDGER_DEVICE_ACTIVE, 2);
    assert_int_equal(core_lab_device(lab, DEVICE).state, LEDGER_DEVICE_ACTIVE);
    commit(fixture, 2, 3);
}

static void a_change_of_the_registry_counts_for_the_next_batch_of_the_group(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    uint64_t before = core_lab_post(lab, &fixture->made[0]);
    struct ledger_device entry = core_lab_entry(DEVICE, LEDGER_DEVICE_REVOKED, 2);
    assert_ok(agg_register(lab->core, &entry));
    uint64_t after = core_lab_post(lab, &fixture->made[1]);
    assert_null(core_lab_answer(lab, after));
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, before)->ack, WIRE_ACK_OK, &fixture->made[0]);
    core_lab_assert_ack(core_lab_answer(lab, after)->ack, WIRE_ACK_REVOKED, &fixture->made[0]);
}

static void a_registry_that_gives_an_epoch_another_key_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct ledger_device entry = core_lab_entry(DEVICE, LEDGER_DEVICE_REVOKED, 5);
    entry.keys[0].spki[50] ^= 1;
    assert_code(agg_register(fixture->lab.core, &entry), HR_DENIED);
    assert_int_equal(agg_group_waiting(fixture->lab.core), 0);
    assert_int_equal(agg_device_find(fixture->lab.core, DEVICE)->revision, 1);
    assert_int_equal(agg_counter(fixture->lab.core, AGG_COUNT_REGISTRY_REFUSED), 1);
    commit(fixture, 0, 1);
}

static void more_devices_or_keys_than_there_is_room_for_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    core_lab_enrol(lab, 1);
    core_lab_enrol(lab, 2);
    struct ledger_device entry = core_lab_entry(3, LEDGER_DEVICE_ACTIVE, 1);
    assert_code(agg_register(lab->core, &entry), HR_FULL);
    assert_int_equal(agg_devices_known(lab->core), 3);
    entry = core_lab_entry(DEVICE, LEDGER_DEVICE_ACTIVE, 2);
    entry.n_keys = LEDGER_DEVICE_MAX_KEYS;
    for (uint32_t i = 0; i < LEDGER_DEVICE_MAX_KEYS; i++) {
        entry.keys[i] = entry.keys[0];
        entry.keys[i].epoch = (uint16_t)(i + 2); /* epoch 1 is known: nine in all */
    }
    assert_code(agg_register(lab->core, &entry), HR_FULL);
    assert_int_equal(agg_device_find(lab->core, DEVICE)->n_keys, 1);
}

static void a_verdict_against_a_batch_is_its_answer(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 2);
    static const enum wire_ack_status verdicts[] = {WIRE_ACK_UNKNOWN_KEY, WIRE_ACK_BAD_SIGNATURE,
                                                    WIRE_ACK_BAD_ROOT,    WIRE_ACK_MALFORMED,
                                                    WIRE_ACK_UNSUPPORTED, WIRE_ACK_UNKNOWN_DEVICE};
    for (uint32_t i = 0; i < HR_ARRAY_LEN(verdicts); i++) {
        struct made_batch batch = fixture->made[2];
        if (verdicts[i] == WIRE_ACK_MALFORMED || verdicts[i] == WIRE_ACK_UNSUPPORTED) {
            batch.len_bytes =
                90; /* there is no header to speak about: the answer is about the newest stream */
        }
        uint64_t ticket = core_lab_post_verdict(lab, &batch, verdicts[i]);
        core_lab_assert_ack(core_lab_answer(lab, ticket)->ack, verdicts[i], &fixture->made[1]);
        assert_int_equal(agg_answered(lab->core, verdicts[i]), 1);
    }
    assert_int_equal(core_lab_size(lab), 2);
    commit(fixture, 2, 3);
}

/* ---- keys ---- */

static void an_epoch_that_is_not_registered_is_an_unknown_key(void **state)
{
    struct fixture *fixture = *state;
    struct made_batch batch = fixture->made[0];
    batch.header.key_epoch = 2;
    batch_maker_seal(&fixture->maker, &batch);
    core_lab_assert_ack(core_lab_ask(&fixture->lab, &batch), WIRE_ACK_UNKNOWN_KEY, NULL);
}

static void a_revoked_key_signs_nothing_new_and_brings_nobody_into_quarantine(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 2);
    struct ledger_device entry = core_lab_entry(DEVICE, LEDGER_DEVICE_ACTIVE, 2);
    entry.keys[0].revoked = true;
    assert_ok(agg_register(lab->core, &entry));
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[2]), WIRE_ACK_REVOKED, &fixture->made[1]);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[1]), WIRE_ACK_DUPLICATE, &fixture->made[1]);
    struct made_batch other = fixture->made[1];
    other.header.base_uptime_ms++;
    batch_maker_seal(&fixture->maker, &other);
    core_lab_assert_ack(core_lab_ask(lab, &other), WIRE_ACK_REVOKED, &fixture->made[1]);
    assert_int_equal(core_lab_n_conflicts(lab, DEVICE), 0);
}

static void a_key_signs_only_in_its_range(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct ledger_device entry = core_lab_entry(DEVICE, LEDGER_DEVICE_ACTIVE, 2);
    entry.keys[0].to_stream = 0;
    entry.keys[0].to_seq = 2;
    entry.keys[1] = entry.keys[0];
    entry.keys[1].epoch = 2;
    entry.keys[1].from_seq = 2;
    entry.keys[1].to_stream = entry.keys[1].to_seq = UINT32_MAX;
    entry.n_keys = 2;
    assert_ok(agg_register(lab->core, &entry));
    struct made_batch early = fixture->made[0];
    early.header.key_epoch = 2;
    batch_maker_seal(&fixture->maker, &early);
    assert_int_equal(core_lab_ask(lab, &early).status, WIRE_ACK_BAD_SIGNATURE);
    commit(fixture, 0, 2);
    assert_int_equal(core_lab_ask(lab, &fixture->made[2]).status, WIRE_ACK_BAD_SIGNATURE);
    struct made_batch right = fixture->made[2];
    right.header.key_epoch = 2;
    batch_maker_seal(&fixture->maker, &right);
    core_lab_assert_ack(core_lab_ask(lab, &right), WIRE_ACK_OK, &right);
}

/* A KeySwitch to epoch 2 at `switch_seq`, proven by the signer's key as PROTOCOL 2.4 R2 says. */
static struct edge_record make_switch(const struct crypto_signer *signer, const struct batch_maker *maker,
                                      uint32_t switch_seq)
{
    struct edge_record record = {.kind = EDGE_KEY_SWITCH,
                                 .as.key_switch = {.from_epoch = 1, .to_epoch = 2, .switch_seq = switch_seq}};
    uint8_t message[17 + 8 + 4 + 4 + WIRE_DIGEST_BYTES];
    struct hr_writer writer = hr_writer_over(message, sizeof message);
    hr_write_raw(&writer, "edge.keyswitch.v1", 17);
    hr_write_u64(&writer, maker->device_id);
    hr_write_u32(&writer, maker->stream);
    hr_write_u32(&writer, switch_seq);
    hr_write_raw(&writer, maker->last_digest, WIRE_DIGEST_BYTES);
    memcpy(record.as.key_switch.spki, signer->spki, CRYPTO_SPKI_BYTES);
    assert_ok(signer->port.sign(signer->port.ctx, hr_bytes_of(message, sizeof message),
                                record.as.key_switch.proof));
    return record;
}

static void make_signer(struct crypto_signer *out)
{
    static const uint8_t sec1[] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20, 9,    9,    9,    9,    9,   9,
                                   9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,   9,
                                   9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,    9,   9,
                                   0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    assert_ok(crypto_start());
    assert_ok(crypto_signer_load(out, hr_bytes_of(sec1, sizeof sec1), 2));
}

static void a_proven_key_switch_is_registered_with_its_batch_and_bounds_the_old_key(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct crypto_signer signer;
    make_signer(&signer);
    batch_maker_start(&fixture->maker, DEVICE, 0, zeros);
    batch_maker_plain(&fixture->maker, 3, 0, &fixture->made[0]);
    struct edge_record record = make_switch(&signer, &fixture->maker, 2);
    batch_maker_next(&fixture->maker, &record, 1, WIRE_FLAG_KEY_SWITCH, &fixture->made[1]);
    struct batch_maker with_old = fixture->maker;
    batch_maker_plain(&with_old, 3, 0, &fixture->made[3]);
    fixture->maker.key_epoch = 2;
    batch_maker_plain(&fixture->maker, 3, 0, &fixture->made[2]);
    commit(fixture, 0, 2);
    struct ledger_device device = core_lab_device(lab, DEVICE);
    assert_int_equal(device.n_keys, 2);
    assert_int_equal(device.keys[0].to_seq, 2);
    assert_int_equal(device.keys[0].to_stream, 0);
    assert_int_equal(device.keys[1].epoch, 2);
    assert_int_equal(device.keys[1].from_seq, 2);
    assert_memory_equal(device.keys[1].spki, signer.spki, CRYPTO_SPKI_BYTES);
    core_lab_crash(lab);
    assert_int_equal(core_lab_ask(lab, &fixture->made[3]).status, WIRE_ACK_BAD_SIGNATURE);
    commit(fixture, 2, 3);
    /* A later registry entry that knows nothing of the switch leaves it. */
    set_state(fixture, LEDGER_DEVICE_ACTIVE, 2);
    device = core_lab_device(lab, DEVICE);
    assert_int_equal(device.n_keys, 2);
    assert_int_equal(device.keys[0].to_seq, 2);
    crypto_signer_unload(&signer);
}

static void a_key_switch_that_is_not_right_is_committed_and_not_followed(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct crypto_signer signer;
    make_signer(&signer);
    batch_maker_start(&fixture->maker, DEVICE, 0, zeros);
    for (uint32_t i = 0; i < 6; i++) {
        struct edge_record record = make_switch(&signer, &fixture->maker, i + 1);
        uint8_t flags = WIRE_FLAG_KEY_SWITCH;
        switch (i) {
        case 0:
            record.as.key_switch.proof[10] ^= 1;
            break;
        case 1:
            record.as.key_switch.to_epoch = 3;
            break;
        case 2:
            record.as.key_switch.from_epoch = 0;
            break;
        case 3:
            record = make_switch(&signer, &fixture->maker, i + 2);
            break;
        case 4:
            memset(record.as.key_switch.spki, DEVICE, CRYPTO_SPKI_BYTES); /* the key of epoch 1 */
            break;
        default:
            flags = 0;
        }
        batch_maker_next(&fixture->maker, &record, 1, flags, &fixture->made[i]);
    }
    commit(fixture, 0, 6);
    assert_int_equal(core_lab_device(lab, DEVICE).n_keys, 1);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_KEY_SWITCHES_REFUSED), 6);
    crypto_signer_unload(&signer);
}

/* ---- heads ---- */

static struct wire_ack head(struct core_lab *lab, uint64_t device_id, uint32_t stream)
{
    const struct source_answer *answer = core_lab_answer(lab, core_lab_head(lab, device_id, stream));
    HR_ASSERT(answer != NULL);
    return answer->ack;
}

static void a_head_tells_how_a_stream_stands(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    core_lab_assert_ack(head(lab, 99, 0), WIRE_ACK_UNKNOWN_DEVICE, NULL);
    core_lab_assert_ack(head(lab, DEVICE, 0), WIRE_ACK_OK, NULL);
    commit(fixture, 0, 2);
    core_lab_assert_ack(head(lab, DEVICE, 0), WIRE_ACK_OK, &fixture->made[1]);
    core_lab_assert_ack(head(lab, DEVICE, 1), WIRE_ACK_OK, NULL); /* a stream to come */
    struct batch_maker maker = {.sign = NULL};
    struct made_batch first;
    batch_maker_start(&maker, DEVICE, 5, fixture->made[1].digest);
    batch_maker_plain(&maker, 1, 0, &first);
    assert_int_equal(core_lab_ask(lab, &first).status, WIRE_ACK_OK);
    core_lab_assert_ack(head(lab, DEVICE, 0), WIRE_ACK_STREAM_AHEAD, &first);
    core_lab_assert_ack(head(lab, DEVICE, 4), WIRE_ACK_STREAM_AHEAD, &first);
    core_lab_assert_ack(head(lab, DEVICE, 5), WIRE_ACK_OK, &first);
    set_state(fixture, LEDGER_DEVICE_QUARANTINED, 2);
    core_lab_assert_ack(head(lab, DEVICE, 5), WIRE_ACK_QUARANTINED, &first);
    set_state(fixture, LEDGER_DEVICE_REVOKED, 3);
    core_lab_assert_ack(head(lab, DEVICE, 5), WIRE_ACK_REVOKED, &first);
}

static void a_head_tells_only_what_is_durable(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 1);
    (void)core_lab_post(lab, &fixture->made[1]);
    uint64_t ticket = core_lab_head(lab, DEVICE, 0);
    assert_null(core_lab_answer(lab, ticket));
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, ticket)->ack, WIRE_ACK_OK, &fixture->made[1]);
}

/* ---- the ledger refuses ---- */

static void after_a_full_disk_memory_is_as_before_the_group(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 2);
    struct batch_maker maker = {.sign = NULL};
    struct made_batch first;
    struct made_batch fork = fixture->made[3];
    fork.header.base_uptime_ms++;
    batch_maker_seal(&fixture->maker, &fork);
    fault_vfs_disk_full(true);
    uint64_t held = core_lab_post(lab, &fixture->made[3]);
    uint64_t next = core_lab_post(lab, &fixture->made[2]); /* takes the held one along */
    uint64_t twin = core_lab_post(lab, &fork); /* quarantines the device, until the group is refused */
    uint64_t asked = core_lab_head(lab, DEVICE, 0);
    struct ledger_device entry = core_lab_entry(8, LEDGER_DEVICE_ACTIVE, 1);
    assert_ok(agg_register(lab->core, &entry));
    batch_maker_start(&maker, 8, 0, zeros);
    batch_maker_plain(&maker, 1, 0, &first);
    uint64_t newcomer = core_lab_post(lab, &first);
    assert_code(core_lab_flush(lab), HR_FULL);
    const uint64_t tickets[] = {held, next, twin, asked};
    for (uint32_t i = 0; i < HR_ARRAY_LEN(tickets); i++) {
        const struct source_answer *answer = core_lab_answer(lab, tickets[i]);
        core_lab_assert_ack(answer->ack, WIRE_ACK_UNAVAILABLE, &fixture->made[1]);
        assert_int_equal(answer->max_age_s, 30);
    }
    core_lab_assert_ack(core_lab_answer(lab, newcomer)->ack, WIRE_ACK_UNAVAILABLE, NULL);
    assert_false(agg_admits(lab->core, 8));
    assert_int_equal(agg_device_find(lab->core, DEVICE)->state, LEDGER_DEVICE_ACTIVE);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_BATCHES_COMMITTED), 2);
    assert_int_equal(agg_counter(lab->core, AGG_COUNT_GROUPS_REFUSED_FULL), 1);
    fault_vfs_disk_full(false);
    core_lab_assert_ack(core_lab_ask(lab, &first), WIRE_ACK_UNKNOWN_DEVICE, NULL);
    core_lab_enrol(lab, 8);
    core_lab_assert_ack(core_lab_ask(lab, &first), WIRE_ACK_OK, &first);
    commit(fixture, 2, 5);
    assert_int_equal(core_lab_size(lab), 6);
    assert_int_equal(core_lab_n_conflicts(lab, DEVICE), 0);
}

static void a_writer_that_was_taken_over_accepts_nothing_any_more(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    commit(fixture, 0, 2);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(lab->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE log_head SET writer_epoch = writer_epoch + 1", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[2]), WIRE_ACK_UNAVAILABLE, &fixture->made[1]);
    uint64_t ticket = core_lab_post(lab, &fixture->made[1]); /* not even a duplicate, from now on */
    core_lab_assert_ack(core_lab_answer(lab, ticket)->ack, WIRE_ACK_UNAVAILABLE, &fixture->made[1]);
    assert_int_equal(core_lab_events(lab, AGG_EVENT_FENCED), 1);
    assert_int_equal(core_lab_size(lab), 2);
}

static void a_full_group_leaves_held_batches_for_the_next_one(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    core_lab_enrol(lab, 8);
    struct batch_maker maker = {.sign = NULL};
    struct made_batch batch;
    batch_maker_start(&maker, 8, 0, zeros);
    for (uint32_t i = 0; i < LEDGER_COMMIT_MAX_BATCHES - 2; i++) {
        batch_maker_plain(&maker, 1, 0, &batch);
        (void)core_lab_post(lab, &batch);
    }
    uint64_t tickets[5];
    for (uint32_t i = 5; i-- > 0;) { /* 4, 3, 2, 1 are held, then 0 comes */
        assert_false(agg_group_is_full(lab->core));
        tickets[i] = core_lab_post(lab, &fixture->made[i]);
    }
    assert_true(agg_group_is_full(lab->core));
    assert_int_equal(agg_batches_held_now(lab->core), 3);
    assert_ok(core_lab_flush(lab));
    assert_non_null(core_lab_answer(lab, tickets[1]));
    assert_null(core_lab_answer(lab, tickets[2]));
    assert_int_equal(agg_group_waiting(lab->core), 3); /* their turn came with the settle */
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, tickets[2])->ack, WIRE_ACK_OK, &fixture->made[4]);
    assert_int_equal(core_lab_size(lab), LEDGER_COMMIT_MAX_BATCHES + 3);
}

static void at_shutdown_everything_held_is_answered(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    uint64_t ticket = core_lab_post(lab, &fixture->made[3]);
    agg_core_drain(lab->core);
    core_lab_assert_ack(core_lab_answer(lab, ticket)->ack, WIRE_ACK_GAP, NULL);
    assert_int_equal(agg_batches_held_now(lab->core), 0);
}

#define REGISTRY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REGISTRY_TEST(a_device_that_is_not_registered_is_unknown),
        REGISTRY_TEST(a_revoked_or_retired_device_is_refused_at_once_and_after_a_restart),
        REGISTRY_TEST(quarantine_ends_only_with_a_higher_revision),
        REGISTRY_TEST(a_change_of_the_registry_counts_for_the_next_batch_of_the_group),
        REGISTRY_TEST(a_registry_that_gives_an_epoch_another_key_is_refused),
        REGISTRY_TEST(more_devices_or_keys_than_there_is_room_for_are_refused),
        REGISTRY_TEST(a_verdict_against_a_batch_is_its_answer),
        REGISTRY_TEST(an_epoch_that_is_not_registered_is_an_unknown_key),
        REGISTRY_TEST(a_revoked_key_signs_nothing_new_and_brings_nobody_into_quarantine),
        REGISTRY_TEST(a_key_signs_only_in_its_range),
        REGISTRY_TEST(a_proven_key_switch_is_registered_with_its_batch_and_bounds_the_old_key),
        REGISTRY_TEST(a_key_switch_that_is_not_right_is_committed_and_not_followed),
        REGISTRY_TEST(a_head_tells_how_a_stream_stands),
        REGISTRY_TEST(a_head_tells_only_what_is_durable),
        REGISTRY_TEST(after_a_full_disk_memory_is_as_before_the_group),
        REGISTRY_TEST(a_writer_that_was_taken_over_accepts_nothing_any_more),
        REGISTRY_TEST(a_full_group_leaves_held_batches_for_the_next_one),
        REGISTRY_TEST(at_shutdown_everything_held_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
