/* SPDX-License-Identifier: Apache-2.0
 *
 * The core thread over the real core and ledger, which refuses on order. */
#include "aggregator/app/admission.h"
#include "proto/base/assert.h"
#include "tests/support/core_lab.h"
#include "tests/support/test_cmocka.h"

#include <sched.h>
#include <stdlib.h>

enum { DEVICE = 7, FIRST_NEW = 8, SECOND_NEW = 9, WAIT_MS = 60000 };

static struct core_lab lab;
static struct app_inbox inbox;
static uint32_t n_commits;

/* Has room for what changes one device, and for no more. */
static struct hr_status commit_small(void *ctx, const struct ledger_commit *change)
{
    if (change->n_devices > 1) {
        return hr_status_of(HR_FULL);
    }
    n_commits++;
    return lab.ledger.commit(ctx, change);
}

static void put_device(uint64_t device_id)
{
    struct app_device *device = calloc(1, sizeof *device);
    HR_ASSERT(device != NULL);
    device->item = (struct app_item){.kind = APP_ITEM_DEVICE, .owner = device};
    device->device = core_lab_entry(device_id, LEDGER_DEVICE_ACTIVE, 1);
    assert_ok(app_inbox_put(&inbox, &device->item));
}

static void *ask_to_revoke(void *ctx)
{
    const struct agg_decision decision = {
        .device_id = DEVICE, .kind = AGG_REVOKE, .actor = "maria", .reason = "stolen"};
    struct agg_decided decided;
    *(struct hr_status *)ctx = app_decision_ask(&inbox, &decision, WAIT_MS, &decided);
    return NULL;
}

static void wait_for_decision(void)
{
    for (bool is_there = false; !is_there; (void)sched_yield()) {
        HR_ASSERT(pthread_mutex_lock(&inbox.lock) == 0);
        is_there = inbox.last != NULL && inbox.last->kind == APP_ITEM_DECISION;
        HR_ASSERT(pthread_mutex_unlock(&inbox.lock) == 0);
    }
}

static void ignore_commit(void *ctx)
{
    (void)ctx;
}

static void ignore_devices(void *ctx, bool kept)
{
    (void)ctx;
    (void)kept;
}

static void a_decision_is_a_group_by_itself(void **state)
{
    (void)state;
    core_lab_open(&lab, &(struct agg_limits){.max_devices = 3, .max_held = 12, .retry_after_s = 30});
    core_lab_enrol(&lab, DEVICE);
    struct ledger ledger = lab.ledger;
    ledger.commit = commit_small;
    struct app_tenants tenants;
    assert_true(app_tenants_init(&tenants, 3));
    static struct app_room room;
    room.config.ledger = &ledger; /* is asked why it is full */
    static struct app_intake intake;
    app_inbox_init(&inbox);
    struct app_admission admission = {.core = lab.core,
                                      .ledger = &ledger,
                                      .inbox = &inbox,
                                      .intake = &intake,
                                      .tenants = &tenants,
                                      .room = &room,
                                      .committed = ignore_commit,
                                      .devices_changed = ignore_devices};
    struct hr_status answered = {.code = HR_IO};
    pthread_t asker;
    put_device(FIRST_NEW);
    assert_int_equal(pthread_create(&asker, NULL, ask_to_revoke, &answered), 0);
    wait_for_decision();
    put_device(SECOND_NEW);
    assert_ok(app_admission_start(&admission));
    assert_int_equal(pthread_join(asker, NULL), 0);
    app_inbox_close(&inbox);
    app_admission_join(&admission);

    assert_ok(answered);
    assert_int_equal(n_commits, 3);
    assert_int_equal(core_lab_device(&lab, DEVICE).state, LEDGER_DEVICE_REVOKED);
    assert_int_equal(core_lab_device(&lab, SECOND_NEW).device_id, SECOND_NEW);
    app_inbox_free(&inbox);
    app_tenants_free(&tenants);
    core_lab_close(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_is_a_group_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
