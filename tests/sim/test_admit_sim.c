/* SPDX-License-Identifier: Apache-2.0
 *
 * Many devices, a network that loses, doubles and reorders, a disk that fills, and an aggregator that dies at
 * any moment, all by one seed. After each commit an oracle that knows what every device sealed reads the
 * ledger: leaves are dense (I3), a place is filled once, by what the device sealed, and in order (I2), and
 * every answer's cum covers only what is committed or was declared lost by the device (I1). */
#include "proto/base/assert.h"
#include "tests/support/core_lab.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_random.h"

#include <stdlib.h>
#include <string.h>

enum {
    N_DEVICES = 10,
    MAX_SEALED = 400,
    MAX_FLYING = 256,
    SPOOL_BATCHES = 14, /* unacknowledged ones that a device keeps; beyond it the oldest are evicted */
    WINDOW = 4,
};

enum fate { KEPT, EVICTED, DECLARED }; /* evicted, and its Loss is sealed */

struct sim_device {
    uint64_t device_id;
    struct batch_maker maker;
    uint32_t n_sealed;
    uint32_t n_acked;            /* batches 0 to n_acked - 1 are acknowledged */
    uint32_t cursor;             /* what is sent next */
    uint32_t hole_from, hole_to; /* evicted and not yet declared: [from, to) */
    enum fate fate[MAX_SEALED];
    uint32_t carrier[MAX_SEALED]; /* of a declared one */
    bool is_committed[MAX_SEALED];
    struct made_batch sealed[MAX_SEALED];
    uint32_t n_committed; /* one above the highest committed seq */
};

struct flying {
    uint32_t device;
    uint32_t seq;
};

struct waiting {
    uint64_t ticket;
    uint32_t device;
};

struct sim {
    struct core_lab lab;
    struct test_random random;
    struct sim_device *devices;
    uint32_t n_flying;
    struct flying flying[MAX_FLYING];
    uint32_t n_waiting;
    struct waiting waiting[MAX_FLYING];
    bool is_out;     /* nothing gets through */
    uint64_t n_read; /* leaves that the oracle has seen */
    uint32_t n_crashes, n_crashes_before_answer, n_full, n_answers;
};

static bool chance(struct sim *sim, uint32_t per_thousand)
{
    return test_random_below(&sim->random, 1000) < per_thousand;
}

/* ---- devices ---- */

static void evict(struct sim *sim, struct sim_device *device)
{
    if (device->hole_from != device->hole_to || device->n_sealed - device->n_acked < SPOOL_BATCHES) {
        return;
    }
    uint32_t from = device->n_acked;
    while (from < device->n_sealed && device->fate[from] != KEPT) {
        from++;
    }
    device->hole_from = device->hole_to = from;
    uint32_t n = 1 + test_random_below(&sim->random, 5);
    while (device->hole_to + 2 < device->n_sealed && device->hole_to - from < n &&
           device->fate[device->hole_to] == KEPT) {
        device->fate[device->hole_to++] = EVICTED;
    }
}

static void seal(struct sim *sim, struct sim_device *device)
{
    if (device->n_sealed == MAX_SEALED) {
        return;
    }
    evict(sim, device);
    uint32_t seq = device->n_sealed++;
    struct made_batch *out = &device->sealed[seq];
    if (device->hole_from == device->hole_to) {
        batch_maker_plain(&device->maker, (uint16_t)test_random_below(&sim->random, 5), 0, out);
        return;
    }
    struct edge_record loss =
        batch_maker_loss(&device->sealed[device->hole_from], &device->sealed[device->hole_to - 1]);
    batch_maker_next(&device->maker, &loss, 1, WIRE_FLAG_LOSS, out);
    for (uint32_t i = device->hole_from; i < device->hole_to; i++) {
        device->fate[i] = DECLARED;
        device->carrier[i] = seq;
    }
    device->hole_from = device->hole_to = 0;
}

static void fly(struct sim *sim, uint32_t device, uint32_t seq)
{
    uint32_t copies = sim->is_out || chance(sim, 100) ? 0 : chance(sim, 100) ? 2 : 1;
    for (; copies > 0 && sim->n_flying < MAX_FLYING; copies--) {
        sim->flying[sim->n_flying++] = (struct flying){device, seq};
    }
}

/* Sends the batch at the cursor, or the carrier of its Loss, and moves on within the window. */
static void send(struct sim *sim, uint32_t index)
{
    struct sim_device *device = &sim->devices[index];
    if (device->cursor < device->n_acked || device->cursor >= device->n_acked + WINDOW || chance(sim, 100)) {
        device->cursor = device->n_acked;
    }
    if (device->cursor >= device->n_sealed) {
        return;
    }
    uint32_t seq = device->cursor;
    if (device->fate[seq] == EVICTED) {
        seal(sim, device); /* its Loss is not sealed yet */
    }
    if (device->fate[seq] == DECLARED) {
        fly(sim, index, device->carrier[seq]);
    } else if (device->fate[seq] == KEPT) {
        fly(sim, index, seq);
        device->cursor++;
    }
}

/* ---- the oracle ---- */

static void see_leaf(void *ctx, const struct ledger_batch *batch)
{
    struct sim *sim = ctx;
    assert_int_equal(batch->leaf, sim->n_read);
    struct sim_device *device = &sim->devices[batch->device_id - 1];
    assert_true(batch->seq < device->n_sealed);
    assert_false(device->is_committed[batch->seq]);
    assert_memory_equal(batch->digest, device->sealed[batch->seq].digest, WIRE_DIGEST_BYTES);
    assert_int_equal(batch->envelope.len_bytes, device->sealed[batch->seq].len_bytes);
    assert_memory_equal(batch->envelope.data, device->sealed[batch->seq].bytes, batch->envelope.len_bytes);
    /* In order, and over nothing but what the device declared. */
    assert_true(batch->seq >= device->n_committed);
    for (uint32_t i = device->n_committed; i < batch->seq; i++) {
        assert_int_equal(device->fate[i], DECLARED);
    }
    device->is_committed[batch->seq] = true;
    device->n_committed = batch->seq + 1;
    sim->n_read++;
}

static void read_ledger(struct sim *sim)
{
    uint64_t size = core_lab_size(&sim->lab);
    while (sim->n_read < size) {
        assert_ok(sim->lab.ledger.read(sim->lab.ledger.ctx, sim->n_read, 256, SIZE_MAX, see_leaf, sim));
    }
}

static void take_answer(struct sim *sim, struct sim_device *device, const struct wire_ack *ack)
{
    sim->n_answers++;
    assert_int_equal(ack->stream, 0);
    assert_true(ack->status == WIRE_ACK_OK || ack->status == WIRE_ACK_DUPLICATE ||
                ack->status == WIRE_ACK_GAP || ack->status == WIRE_ACK_UNAVAILABLE);
    if (ack->cum_seq == WIRE_SEQ_NONE) {
        return;
    }
    assert_true(ack->cum_seq < device->n_sealed);
    assert_memory_equal(ack->cum_digest, device->sealed[ack->cum_seq].digest, WIRE_ACK_DIGEST_BYTES);
    for (uint32_t i = 0; i <= ack->cum_seq; i++) {
        assert_true(device->is_committed[i] || device->fate[i] == DECLARED);
    }
    bool is_lost_on_its_way = chance(sim, 150);
    if (!is_lost_on_its_way && ack->cum_seq + 1 > device->n_acked) {
        device->n_acked = ack->cum_seq + 1;
    }
    if (ack->status == WIRE_ACK_GAP) {
        device->cursor = device->n_acked;
    }
}

static void take_answers(struct sim *sim)
{
    read_ledger(sim);
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < sim->n_waiting; i++) {
        const struct source_answer *answer = core_lab_answer(&sim->lab, sim->waiting[i].ticket);
        if (answer == NULL) {
            sim->waiting[n_kept++] = sim->waiting[i];
        } else {
            take_answer(sim, &sim->devices[sim->waiting[i].device], &answer->ack);
        }
    }
    sim->n_waiting = n_kept;
}

/* ---- the aggregator's fate ---- */

static void crash(struct sim *sim)
{
    sim->n_waiting = 0;
    fault_vfs_disk_full(false);
    core_lab_crash(&sim->lab);
    sim->n_crashes++;
}

static void commit(struct sim *sim)
{
    if (chance(sim, 20)) { /* the disk is full for this one */
        fault_vfs_disk_full(true);
        sim->n_full += hr_is(core_lab_flush(&sim->lab), HR_FULL) ? 1 : 0;
        fault_vfs_disk_full(false);
    } else if (chance(sim, 20)) { /* dies between commit and answer */
        const struct ledger_commit *change = agg_group_take(sim->lab.core);
        if (change != NULL) {
            assert_ok(sim->lab.ledger.commit(sim->lab.ledger.ctx, change));
            sim->n_crashes_before_answer++;
        }
        crash(sim);
    } else {
        assert_ok(core_lab_flush(&sim->lab));
    }
    take_answers(sim);
}

static void deliver(struct sim *sim)
{
    if (sim->n_flying == 0 || sim->n_waiting == MAX_FLYING) {
        return;
    }
    uint32_t at = test_random_below(&sim->random, sim->n_flying);
    struct flying message = sim->flying[at];
    sim->flying[at] = sim->flying[--sim->n_flying];
    if (agg_group_is_full(sim->lab.core)) {
        commit(sim);
    }
    uint64_t ticket = core_lab_post(&sim->lab, &sim->devices[message.device].sealed[message.seq]);
    sim->waiting[sim->n_waiting++] = (struct waiting){ticket, message.device};
}

static void step(struct sim *sim)
{
    uint32_t device = test_random_below(&sim->random, N_DEVICES);
    sim->is_out = sim->is_out ? !chance(sim, 8) : chance(sim, 2);
    switch (test_random_below(&sim->random, 8)) {
    case 0:
    case 1:
        seal(sim, &sim->devices[device]);
        break;
    case 2:
    case 3:
        send(sim, device);
        break;
    case 4:
    case 5:
    case 6:
        deliver(sim);
        break;
    default:
        commit(sim);
        sim->lab.now_ms += test_random_below(&sim->random, 400);
        agg_tick(sim->lab.core);
        take_answers(sim);
        if (chance(sim, 10)) {
            crash(sim);
        }
    }
}

/* The network and the disk are good from now on: everything must arrive. */
static void settle(struct sim *sim)
{
    sim->is_out = false;
    for (uint32_t round = 0; round < 2000; round++) {
        bool is_done = true;
        for (uint32_t i = 0; i < N_DEVICES; i++) {
            struct sim_device *device = &sim->devices[i];
            is_done = is_done && device->n_acked == device->n_sealed;
            device->cursor = device->n_acked;
            if (device->cursor < device->n_sealed) {
                send(sim, i);
            }
        }
        while (sim->n_flying > 0) {
            deliver(sim);
        }
        assert_ok(core_lab_flush(&sim->lab));
        sim->lab.now_ms += AGG_HOLD_ANSWER_MS;
        agg_tick(sim->lab.core);
        take_answers(sim);
        if (is_done) {
            return;
        }
    }
    fail_msg("a device never caught up");
}

static void check_end(const struct sim *sim, const struct sim_device *device, uint64_t *n_lost)
{
    struct ledger_stream row;
    assert_true(core_lab_stream(&sim->lab, device->device_id, 0, &row));
    assert_int_equal(row.cum_seq + 1, device->n_sealed);
    uint64_t lost_batches = 0;
    uint64_t lost_records = 0;
    for (uint32_t i = 0; i < device->n_sealed; i++) {
        assert_true(device->is_committed[i] || device->fate[i] == DECLARED);
        lost_batches += device->is_committed[i] ? 0 : 1;
        lost_records += device->is_committed[i] ? 0 : device->sealed[i].header.n_records;
    }
    /* No silent loss: what is missing is counted, batch by batch and record by record. */
    assert_true(row.lost_batches == lost_batches);
    assert_true(row.lost_records == lost_records);
    assert_true(row.next_record_seq == device->maker.next_record_seq);
    *n_lost += lost_batches;
}

static void run(uint64_t seed, uint32_t n_steps)
{
    static struct sim sim;
    memset(&sim, 0, sizeof sim);
    sim.random = (struct test_random){seed};
    sim.devices = calloc(N_DEVICES, sizeof *sim.devices);
    assert_non_null(sim.devices);
    core_lab_open(&sim.lab,
                  &(struct agg_limits){.max_devices = N_DEVICES, .max_held = 20, .retry_after_s = 1});
    for (uint32_t i = 0; i < N_DEVICES; i++) {
        static const uint8_t zeros[WIRE_DIGEST_BYTES];
        sim.devices[i].device_id = i + 1;
        batch_maker_start(&sim.devices[i].maker, i + 1, 0, zeros);
        core_lab_enrol(&sim.lab, i + 1);
    }
    for (uint32_t i = 0; i < n_steps; i++) {
        step(&sim);
    }
    settle(&sim);
    uint64_t n_lost = 0;
    for (uint32_t i = 0; i < N_DEVICES; i++) {
        check_end(&sim, &sim.devices[i], &n_lost);
        assert_int_equal(core_lab_n_conflicts(&sim.lab, i + 1), 0); /* an honest device is never accused */
    }
    print_message(
        "seed %llu: %llu leaves, %llu lost by Loss, %u answers, %u crashes (%u before the answer), %u full\n",
        (unsigned long long)seed, (unsigned long long)sim.n_read, (unsigned long long)n_lost, sim.n_answers,
        sim.n_crashes, sim.n_crashes_before_answer, sim.n_full);
    assert_true(n_lost > 0 && sim.n_crashes_before_answer > 0 && sim.n_full > 0);
    core_lab_close(&sim.lab);
    free(sim.devices);
}

static void nothing_is_lost_or_doubled_by_any_disorder(void **state)
{
    (void)state;
    struct test_random seeds = test_random_start(1);
    for (uint32_t i = 0; i < 12; i++) {
        run(test_random_next(&seeds) >> 32, 12000);
    }
}

/* ---- clones ---- */

/* Two copies of one device, alike up to some batch, send by chance, the second one at the latest at the
 * tenth. */
static void run_clones(uint64_t seed)
{
    static const uint8_t zeros[WIRE_DIGEST_BYTES];
    static struct core_lab lab;
    static struct made_batch batch;
    struct test_random random = {seed};
    core_lab_open(&lab, &(struct agg_limits){.max_devices = 2, .max_held = 20, .retry_after_s = 1});
    core_lab_enrol(&lab, 1);
    struct batch_maker makers[2] = {{.sign = NULL}};
    batch_maker_start(&makers[0], 1, 0, zeros);
    for (uint32_t i = test_random_below(&random, 9) + 1; i > 0; i--) {
        batch_maker_plain(&makers[0], 2, 0, &batch);
        assert_int_equal(core_lab_ask(&lab, &batch).status, WIRE_ACK_OK);
    }
    makers[1] = makers[0];
    enum wire_ack_status status = WIRE_ACK_OK;
    bool has_sent[2] = {false, false};
    for (uint32_t n = 0; !has_sent[0] || !has_sent[1]; n++) {
        assert_int_equal(status, WIRE_ACK_OK); /* as long as one of them was silent */
        uint8_t who = n == 9 ? (uint8_t)(has_sent[0] ? 1 : 0) : (uint8_t)test_random_below(&random, 2);
        batch_maker_plain(&makers[who], 2, (uint8_t)(who + 1), &batch);
        status = core_lab_ask(&lab, &batch).status;
        has_sent[who] = true;
    }
    assert_true(status == WIRE_ACK_EQUIVOCATION || status == WIRE_ACK_FORK);
    assert_int_equal(core_lab_device(&lab, 1).state, LEDGER_DEVICE_QUARANTINED);
    assert_int_equal(core_lab_n_conflicts(&lab, 1), 1);
    core_lab_close(&lab);
}

static void a_clone_is_found_with_its_first_batch(void **state)
{
    (void)state;
    struct test_random seeds = test_random_start(5);
    for (uint32_t i = 0; i < 40; i++) {
        run_clones(test_random_next(&seeds));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_or_doubled_by_any_disorder),
        cmocka_unit_test(a_clone_is_found_with_its_first_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
