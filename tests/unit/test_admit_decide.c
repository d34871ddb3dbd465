/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person decides about a device, and the audit entries of every way in which a device changes. */
#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"
#include "tests/support/core_lab.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

enum { DEVICE = 7, N_MADE = 6 };

static const uint8_t zeros[WIRE_DIGEST_BYTES];

struct fixture {
    struct core_lab lab;
    struct batch_maker maker;
    struct made_batch made[N_MADE];
    struct ledger_audit audits[8];
    uint32_t n_audits;
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

static void see_audit(void *ctx, const struct ledger_audit *row)
{
    struct fixture *fixture = ctx;
    HR_ASSERT(fixture->n_audits < HR_ARRAY_LEN(fixture->audits));
    fixture->audits[fixture->n_audits++] = *row;
}

static uint32_t read_audits(struct fixture *fixture)
{
    const struct ledger *ledger = &fixture->lab.ledger;
    const struct ledger_page page = {0, 8};
    fixture->n_audits = 0;
    assert_ok(ledger->list_audits(ledger->ctx, DEVICE, &page, see_audit, fixture));
    return fixture->n_audits;
}

static struct hr_status decide(struct fixture *fixture, enum agg_decision_kind kind, struct agg_decided *out)
{
    const struct agg_decision decision = {
        .device_id = DEVICE, .kind = kind, .actor = "maria", .reason = "as told"};
    return agg_decide(fixture->lab.core, &decision, out);
}

/* Decides and commits; the device ends in this state. */
static void decide_to(struct fixture *fixture, enum agg_decision_kind kind, enum ledger_device_state state)
{
    struct agg_decided decided;
    assert_ok(decide(fixture, kind, &decided));
    assert_true(decided.is_new);
    assert_int_equal(decided.after, state);
    assert_ok(core_lab_flush(&fixture->lab));
    struct ledger_device stored = core_lab_device(&fixture->lab, DEVICE);
    assert_int_equal(stored.state, state);
    assert_int_equal(stored.revision, decided.revision);
    assert_string_equal(stored.reason, "as told");
}

static void a_revocation_counts_for_the_next_batch_of_the_same_group(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct agg_decided decided;
    uint64_t before = core_lab_post(lab, &fixture->made[0]);
    assert_ok(decide(fixture, AGG_REVOKE, &decided));
    uint64_t after = core_lab_post(lab, &fixture->made[1]);
    assert_ok(core_lab_flush(lab));
    core_lab_assert_ack(core_lab_answer(lab, before)->ack, WIRE_ACK_OK, &fixture->made[0]);
    core_lab_assert_ack(core_lab_answer(lab, after)->ack, WIRE_ACK_REVOKED, &fixture->made[0]);
    assert_int_equal(decided.before, LEDGER_DEVICE_ACTIVE); /* by the batch before it */
    assert_int_equal(decided.revision, 2);
    assert_false(agg_admits(lab->core, DEVICE));
    core_lab_crash(lab);
    assert_false(agg_admits(lab->core, DEVICE));
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[1]), WIRE_ACK_REVOKED, &fixture->made[0]);
}

static void a_batch_that_is_held_for_a_device_that_is_revoked_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    uint64_t held = core_lab_post(lab, &fixture->made[1]);
    decide_to(fixture, AGG_REVOKE, LEDGER_DEVICE_REVOKED);
    core_lab_assert_ack(core_lab_answer(lab, held)->ack, WIRE_ACK_REVOKED, NULL);
    assert_int_equal(agg_batches_held_now(lab->core), 0);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[0]), WIRE_ACK_REVOKED, NULL);
    assert_int_equal(core_lab_size(lab), 0);
}

static void quarantine_is_left_by_release_and_the_chain_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    (void)core_lab_ask(lab, &fixture->made[0]);
    decide_to(fixture, AGG_QUARANTINE, LEDGER_DEVICE_QUARANTINED);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[1]), WIRE_ACK_QUARANTINED, &fixture->made[0]);
    decide_to(fixture, AGG_RELEASE, LEDGER_DEVICE_ACTIVE);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[1]), WIRE_ACK_OK, &fixture->made[1]);
    /* The registry entry from which it was enrolled says nothing new, whatever was decided since. */
    struct ledger_device entry = core_lab_entry(DEVICE, LEDGER_DEVICE_REVOKED, 3);
    assert_ok(agg_register(lab->core, &entry));
    assert_int_equal(core_lab_events(lab, AGG_EVENT_REGISTRY_OUTDATED), 1);
    assert_int_equal(agg_device_find(lab->core, DEVICE)->state, LEDGER_DEVICE_ACTIVE);
}

static uint32_t register_outdated(struct core_lab *lab, const struct ledger_device *entry)
{
    uint32_t before = core_lab_events(lab, AGG_EVENT_REGISTRY_OUTDATED);
    assert_ok(agg_register(lab->core, entry));
    return core_lab_events(lab, AGG_EVENT_REGISTRY_OUTDATED) - before;
}

static void an_entry_that_a_decision_outran_is_told_whatever_it_wants_changed(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    decide_to(fixture, AGG_QUARANTINE, LEDGER_DEVICE_QUARANTINED);
    decide_to(fixture, AGG_RELEASE, LEDGER_DEVICE_ENROLLED); /* revision 3 */
    const struct ledger_device same = core_lab_entry(DEVICE, LEDGER_DEVICE_ACTIVE, 2);
    assert_int_equal(register_outdated(lab, &same), 0);
    struct ledger_device fewer = same;
    fewer.n_keys = 0;
    assert_int_equal(register_outdated(lab, &fewer), 0);
    struct ledger_device entry[6] = {same, same, same, same, same, same};
    entry[0].keys[0].revoked = true;
    entry[1].keys[1] = same.keys[0];
    entry[1].keys[1].epoch = 2;
    entry[1].n_keys = 2;
    entry[2].keys[0].to_stream = 4;
    entry[3].keys[0].spki[40] ^= 1;
    entry[4].name[0] = 'x';
    entry[5].tenant[0] = 'x';
    for (uint32_t i = 0; i < HR_ARRAY_LEN(entry); i++) {
        assert_int_equal(register_outdated(lab, &entry[i]), 1);
    }
    assert_int_equal(core_lab_device(lab, DEVICE).n_keys, 1);
    assert_false(agg_device_find(lab->core, DEVICE)->keys[0].revoked);
}

static void a_device_that_never_sent_is_released_to_where_it_was(void **state)
{
    struct fixture *fixture = *state;
    decide_to(fixture, AGG_QUARANTINE, LEDGER_DEVICE_QUARANTINED);
    decide_to(fixture, AGG_RELEASE, LEDGER_DEVICE_ENROLLED);
}

static void what_is_decided_already_changes_nothing_and_what_cannot_be_is_denied(void **state)
{
    struct fixture *fixture = *state;
    struct agg_decided decided = {.revision = 99};
    struct agg_decision stranger = {.device_id = 99, .kind = AGG_REVOKE, .actor = "maria", .reason = "x"};
    assert_code(agg_decide(fixture->lab.core, &stranger, &decided), HR_NOT_FOUND);
    assert_int_equal(decided.revision, 99);
    assert_ok(decide(fixture, AGG_RELEASE, &decided)); /* it may send */
    assert_false(decided.is_new);
    decide_to(fixture, AGG_REVOKE, LEDGER_DEVICE_REVOKED);
    assert_ok(decide(fixture, AGG_REVOKE, &decided));
    assert_false(decided.is_new);
    assert_int_equal(decided.revision, 2);
    assert_code(decide(fixture, AGG_RELEASE, &decided), HR_DENIED);
    assert_int_equal(decided.before, LEDGER_DEVICE_REVOKED);
    assert_code(decide(fixture, AGG_QUARANTINE, &decided), HR_DENIED);
    decide_to(fixture, AGG_RETIRE, LEDGER_DEVICE_RETIRED);
    assert_code(decide(fixture, AGG_REVOKE, &decided), HR_DENIED);
    assert_int_equal(agg_group_waiting(fixture->lab.core), 0);
    assert_int_equal(read_audits(fixture), 3); /* registered, revoked, retired */
    assert_int_equal(agg_counter(fixture->lab.core, AGG_COUNT_DECISIONS), 2);
}

static void a_dry_run_tells_and_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    const struct agg_decision decision = {
        .device_id = DEVICE, .kind = AGG_REVOKE, .actor = "maria", .reason = "x", .dry_run = true};
    struct agg_decided decided;
    assert_ok(agg_decide(fixture->lab.core, &decision, &decided));
    assert_true(decided.is_new);
    assert_int_equal(decided.after, LEDGER_DEVICE_REVOKED);
    assert_int_equal(agg_group_waiting(fixture->lab.core), 0);
    assert_true(agg_admits(fixture->lab.core, DEVICE));
    assert_int_equal(read_audits(fixture), 1);
}

static void a_decision_that_the_ledger_refuses_was_never_made(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    struct agg_decided decided;
    fault_vfs_disk_full(true);
    assert_ok(decide(fixture, AGG_REVOKE, &decided));
    (void)core_lab_post(lab, &fixture->made[0]);
    assert_code(core_lab_flush(lab), HR_FULL);
    fault_vfs_disk_full(false);
    assert_true(agg_admits(lab->core, DEVICE));
    assert_int_equal(agg_device_find(lab->core, DEVICE)->revision, 1);
    assert_int_equal(read_audits(fixture), 1);
    core_lab_assert_ack(core_lab_ask(lab, &fixture->made[0]), WIRE_ACK_OK, &fixture->made[0]);
    assert_int_equal(read_audits(fixture), 2); /* activated, and no revocation */
}

static void assert_row(const struct ledger_audit *row, const char *actor, const char *action,
                       enum ledger_device_state after)
{
    assert_string_equal(row->actor, actor);
    assert_string_equal(row->action, action);
    assert_int_equal(row->new_state, after);
}

static void each_transition_has_one_entry_that_says_who_and_why(void **state)
{
    struct fixture *fixture = *state;
    struct core_lab *lab = &fixture->lab;
    const struct ledger_device enrolled = core_lab_device(lab, DEVICE);
    const struct hr_bytes spki = hr_bytes_of(enrolled.keys[0].spki, enrolled.keys[0].spki_len_bytes);
    uint8_t key[WIRE_DIGEST_BYTES];
    wire_sha256(verify_hash(), &spki, 1, key);
    (void)core_lab_ask(lab, &fixture->made[0]);
    (void)core_lab_ask(lab, &fixture->made[1]);
    struct made_batch twin = fixture->made[1];
    twin.header.base_uptime_ms++;
    batch_maker_seal(&fixture->maker, &twin);
    assert_int_equal(core_lab_ask(lab, &twin).status, WIRE_ACK_EQUIVOCATION);
    decide_to(fixture, AGG_RELEASE, LEDGER_DEVICE_ACTIVE);
    struct ledger_device entry = core_lab_entry(DEVICE, LEDGER_DEVICE_REVOKED, 9);
    entry.keys[0].revoked = true;
    assert_ok(agg_register(lab->core, &entry));
    assert_ok(core_lab_flush(lab));
    assert_int_equal(read_audits(fixture), 5);
    const struct ledger_audit *rows = fixture->audits;
    assert_row(&rows[0], "registry", "registered", LEDGER_DEVICE_ENROLLED);
    assert_true(rows[0].is_first);
    assert_memory_equal(rows[0].old_key, zeros, sizeof zeros);
    assert_memory_equal(rows[0].new_key, key, sizeof key);
    assert_row(&rows[1], "device", "activated", LEDGER_DEVICE_ACTIVE);
    assert_row(&rows[2], "aggregator", "quarantined", LEDGER_DEVICE_QUARANTINED);
    assert_string_equal(rows[2].reason, "equivocation");
    assert_row(&rows[3], "maria", "released", LEDGER_DEVICE_ACTIVE);
    assert_string_equal(rows[3].reason, "as told");
    assert_int_equal(rows[3].revision, 2);
    assert_row(&rows[4], "registry", "revoked", LEDGER_DEVICE_REVOKED);
    assert_int_equal(rows[4].revision, 9);
    assert_memory_equal(rows[4].old_key, key, sizeof key);
    assert_memory_equal(rows[4].new_key, zeros, sizeof zeros);
    for (uint32_t i = 1; i < 5; i++) {
        assert_false(rows[i].is_first);
        assert_int_equal(rows[i].old_state, rows[i - 1].new_state);
        assert_true(rows[i].at_utc_ms >= rows[i - 1].at_utc_ms);
    }
}

#define DECIDE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DECIDE_TEST(a_revocation_counts_for_the_next_batch_of_the_same_group),
        DECIDE_TEST(a_batch_that_is_held_for_a_device_that_is_revoked_is_refused),
        DECIDE_TEST(quarantine_is_left_by_release_and_the_chain_goes_on),
        DECIDE_TEST(an_entry_that_a_decision_outran_is_told_whatever_it_wants_changed),
        DECIDE_TEST(a_device_that_never_sent_is_released_to_where_it_was),
        DECIDE_TEST(what_is_decided_already_changes_nothing_and_what_cannot_be_is_denied),
        DECIDE_TEST(a_dry_run_tells_and_changes_nothing),
        DECIDE_TEST(a_decision_that_the_ledger_refuses_was_never_made),
        DECIDE_TEST(each_transition_has_one_entry_that_says_who_and_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
