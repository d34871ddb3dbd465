/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector whose record key is changed, before the aggregator's real core over its real ledger, with real
 * signatures on both sides. The whole way is walked once to count its steps, and then once for each step with
 * an interruption there: a cut before or inside a change of flash, before or behind a change of the keys, a
 * lost request or answer, an aggregator that dies before or behind its commit. Each walk must end with one
 * identity and every record once, each signed by a key that the registry allows at its place. */
#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"
#include "tests/support/core_lab.h"
#include "tests/support/keys_model.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/uplink_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_DEVICES = 4000,
    N_BACKLOG = 4,
    N_UNDER_NEW_KEY = 3,
    N_AFTER = 2,
    MAX_SAMPLES = 64,
    MAX_TURNS = 4000
};

enum scenario {
    ASKED_BY_OPERATOR,   /* with a backlog that the old key signed */
    ASKED_BY_HINT,       /* the request stands in the registry */
    ANOTHER_STREAM,      /* the aggregator knows a later stream while the KeySwitch is on its way */
    ANOTHER_STREAM_LATE, /* the same, and the aggregator has followed without the device knowing */
    EPOCH_TAKEN,         /* the registry has another key of that epoch */
    KEY_USED_BEFORE,
};

enum interruption {
    CUT,
    TORN_WRITE,
    LOST_REQUEST,
    LOST_ANSWER,
    DEAD_BEFORE_COMMIT,
    DEAD_BEHIND_COMMIT,
    N_KINDS
};
static const char *const kind_names[N_KINDS] = {
    "device cut",  "device cut inside a write",     "request lost",
    "answer lost", "aggregator dead before commit", "aggregator dead behind commit"};

enum step { BEFORE, R1, R2, R3, R4, R5, R6, AFTER, N_STEPS };
static const char *const step_names[N_STEPS] = {"before",
                                                "R1 next key made",
                                                "R2 KeySwitch sealed",
                                                "R3 new key seals",
                                                "R4 KeySwitch committed",
                                                "R5 first batch under it",
                                                "R6 old key destroyed",
                                                "after"};

struct world {
    struct core_lab core;
    struct uplink_lab device;
    struct keys_pool pool;
    struct keys_model keys;
    jmp_buf cut;
    enum scenario scenario;
    uint64_t device_id;
    uint32_t n_events;
    uint32_t interrupted_at; /* number of the event; 0: none */
    bool is_second_half;     /* of a write, instead of before it */
    enum step step;          /* where the interruption came */
    enum interruption kind;
    uint32_t n_offered;
    bool may_lack[MAX_SAMPLES]; /* the offer was cut: it may have come or not */
    bool is_ahead_made;
};

static struct world world;

/* ---- what is interrupted ---- */

static enum step step_now(void)
{
    const struct keys_model *keys = &world.keys;
    if (keys->note.phase == PORT_KEYS_SINGLE) {
        return keys->n_destroyed > 0 ? AFTER : BEFORE;
    }
    return keys->note.phase == PORT_KEYS_IN_USE || keys->note.phase == PORT_KEYS_BACK ? R3 : R2;
}

/* One more thing that may go wrong. True: it does. */
static bool event(enum step step, enum interruption kind)
{
    world.n_events++;
    if (world.n_events != world.interrupted_at) {
        return false;
    }
    world.step = step;
    world.kind = kind;
    return true;
}

static void on_flash(void *ctx, const struct lab_flash_change *change)
{
    struct uplink_lab *lab = ctx;
    if (event(step_now(), CUT)) {
        longjmp(world.cut, 1);
    }
    if (change->data != NULL && change->len_bytes > 1 && event(step_now(), TORN_WRITE)) {
        memcpy(lab->flash_bytes + change->address, change->data, change->len_bytes / 2);
        longjmp(world.cut, 1);
    }
}

static void on_keys(void *ctx, enum port_keys_phase to, bool is_done)
{
    (void)ctx;
    (void)is_done;
    static const enum step steps[PORT_KEYS_N_PHASES] = {[PORT_KEYS_SINGLE] = R6,
                                                        [PORT_KEYS_PREPARED] = R1,
                                                        [PORT_KEYS_PLACED] = R2,
                                                        [PORT_KEYS_IN_USE] = R3,
                                                        [PORT_KEYS_BACK] = R3};
    if (event(steps[to], CUT)) {
        longjmp(world.cut, 1);
    }
}

/* ---- the aggregator ---- */

static enum wire_ack_status judge(const struct made_batch *made)
{
    const struct verify_key *key =
        verify_keyring_find(world.core.keyring, made->header.device_id, made->header.key_epoch);
    if (key == NULL) {
        return WIRE_ACK_UNKNOWN_KEY;
    }
    struct verify_result result;
    verify_envelope(key, hr_bytes_of(made->bytes, made->len_bytes), &result);
    return result.verdict;
}

static void take_apart(const struct lab_request *request, struct made_batch *made)
{
    struct wire_envelope split;
    memcpy(made->bytes, request->envelope, request->len_bytes);
    made->len_bytes = request->len_bytes;
    assert_ok(wire_envelope_split(hr_bytes_of(made->bytes, made->len_bytes), &split));
    made->header = split.header;
    memcpy(made->digest, request->digest, sizeof made->digest);
}

static enum step step_of(const struct lab_request *request, const struct made_batch *made)
{
    if (!request->is_head && (made->header.flags & WIRE_FLAG_KEY_SWITCH) != 0) {
        return R4;
    }
    bool is_new = !request->is_head && made->header.key_epoch > 1 && world.keys.n_destroyed == 0;
    return is_new ? R5 : step_now();
}

/* A batch of a later stream of the device is in the ledger: a copy of its flash had another life. */
static void commit_a_later_stream(uint16_t epoch)
{
    static const uint8_t zeros[WIRE_DIGEST_BYTES];
    static struct made_batch made;
    struct port_sign sign = world.pool.signers[epoch - 1].port;
    sign.key_epoch = epoch;
    struct batch_maker maker = {.sign = &sign, .key_epoch = epoch};
    batch_maker_start(&maker, world.device_id, 3, zeros);
    maker.key_epoch = epoch;
    batch_maker_plain(&maker, 1, 0, &made);
    assert_int_equal(judge(&made), WIRE_ACK_OK);
    assert_int_equal(core_lab_ask(&world.core, &made).status, WIRE_ACK_OK);
    world.is_ahead_made = true;
}

static bool is_followed(void)
{
    return core_lab_device(&world.core, world.device_id).n_keys == 2;
}

/* Brings one request over, through everything that may happen to it. */
static void carry_over(struct lab_request *request)
{
    static struct made_batch made;
    struct uplink_lab *lab = &world.device;
    if (!request->is_head) {
        take_apart(request, &made);
    }
    enum step step = step_of(request, &made);
    if (event(step, LOST_REQUEST)) {
        lab_time_out(lab, request);
        return;
    }
    if (event(step, DEAD_BEFORE_COMMIT)) {
        core_lab_crash(&world.core);
        lab_time_out(lab, request);
        return;
    }
    uint64_t ticket = request->is_head ? core_lab_head(&world.core, world.device_id, request->stream)
                                       : core_lab_post_verdict(&world.core, &made, judge(&made));
    if (event(step, DEAD_BEHIND_COMMIT)) {
        const struct ledger_commit *change = agg_group_take(world.core.core);
        if (change != NULL) {
            assert_ok(world.core.ledger.commit(world.core.ledger.ctx, change));
        }
        core_lab_crash(&world.core);
        lab_time_out(lab, request);
        return;
    }
    assert_ok(core_lab_flush(&world.core));
    bool is_late = world.scenario == ANOTHER_STREAM_LATE && !world.is_ahead_made && is_followed();
    if (is_late) {
        commit_a_later_stream(2);
    }
    const struct source_answer *answer = core_lab_answer(&world.core, ticket);
    if (answer == NULL || is_late || event(step, LOST_ANSWER)) {
        lab_time_out(lab, request); /* one that is held may be answered later, too late */
        return;
    }
    lab_answer(lab, request, &answer->ack, answer->max_age_s);
}

/* ---- the device ---- */

static void walk_on(void)
{
    struct uplink_lab *lab = &world.device;
    if (lab->collector.uplink.session != FW_UPLINK_UP) {
        lab_up(lab);
    }
    struct lab_request *first = NULL;
    for (uint32_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        struct lab_request *request = &lab->requests[i];
        if (request->waiting && (first == NULL || request->seq < first->seq)) {
            first = request;
        }
    }
    if (first != NULL) {
        carry_over(first);
        return;
    }
    world.core.now_ms += 2500;
    agg_tick(world.core.core);
    lab_pass(lab, 2500);
}

static void walk_until_drained(void)
{
    const struct fw_collector *collector = &world.device.collector;
    uint32_t n_turns = 0;
    while (!fw_collector_is_drained(collector) || fw_rotation_is_due(&collector->rotation)) {
        assert_true(n_turns++ < MAX_TURNS);
        walk_on();
    }
}

static void offer_up_to(uint32_t n_offered)
{
    while (world.n_offered < n_offered) {
        /* A cut inside leaves it open whether the record is there; it is not offered again. */
        uint32_t sample = world.n_offered++;
        world.may_lack[sample] = true;
        world.device.n_offered = sample;
        lab_offer(&world.device, 1);
        world.may_lack[sample] = false;
    }
}

static bool is_key_to_stay(void)
{
    return world.scenario == EPOCH_TAKEN || world.scenario == KEY_USED_BEFORE;
}

/* The operator's command, which is given again until the device has done something about it. */
static void ask_for_a_key(void)
{
    if (world.scenario == ASKED_BY_HINT) {
        const struct agg_decision decision = {
            .device_id = world.device_id, .kind = AGG_ROTATE, .actor = "operator", .reason = "test"};
        struct agg_decided decided;
        if (!is_followed() && !core_lab_device(&world.core, world.device_id).wants_key) {
            assert_ok(agg_decide(world.core.core, &decision, &decided));
            assert_true(decided.is_new);
            assert_ok(core_lab_flush(&world.core));
        }
        return;
    }
    if (world.keys.n_made == 0) {
        assert_ok(fw_collector_rotate(&world.device.collector));
        lab_step(&world.device);
    }
}

static void walk(void)
{
    offer_up_to(N_BACKLOG);
    ask_for_a_key();
    offer_up_to(N_BACKLOG + N_UNDER_NEW_KEY);
    if (world.scenario == ANOTHER_STREAM && !world.is_ahead_made) {
        commit_a_later_stream(1);
    }
    walk_until_drained();
    offer_up_to(N_BACKLOG + N_UNDER_NEW_KEY + N_AFTER);
    walk_until_drained();
}

/* ---- what must hold in the end ---- */

struct tally {
    uint32_t seen[MAX_SAMPLES];
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
    if (batch->device_id != world.device_id) {
        return;
    }
    assert_ok(wire_envelope_split(batch->envelope, &split));
    const struct ledger_key *key = NULL;
    for (uint32_t i = 0; i < tally->device.n_keys; i++) {
        key = tally->device.keys[i].epoch == split.header.key_epoch ? &tally->device.keys[i] : key;
    }
    HR_ASSERT(key != NULL);
    uint8_t spki_sha256[WIRE_DIGEST_BYTES];
    const struct hr_bytes spki = hr_bytes_of(key->spki, key->spki_len_bytes);
    wire_sha256(crypto_hash(), &spki, 1, spki_sha256);
    uint8_t tbs[WIRE_TBS_BYTES];
    wire_tbs(split.header_bytes, spki_sha256, tbs);
    assert_true(verify_proof_holds(spki, hr_bytes_of(tbs, sizeof tbs), split.signature_bytes));
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
            assert_in_range(record.as.sample.value, 0, MAX_SAMPLES - 1);
            tally->seen[record.as.sample.value]++;
        }
        assert_int_not_equal(record.kind, EDGE_LOSS);
    }
}

static void check_the_end(uint64_t first_leaf)
{
    static struct tally tally;
    memset(&tally, 0, sizeof tally);
    tally.device = core_lab_device(&world.core, world.device_id);
    const struct ledger *ledger = &world.core.ledger;
    uint64_t n_leaves = core_lab_size(&world.core);
    for (uint64_t leaf = first_leaf; leaf < n_leaves; leaf++) {
        assert_ok(ledger->read(ledger->ctx, leaf, 1, 1 << 20, count_batch, &tally));
    }
    for (uint32_t i = 0; i < world.n_offered; i++) {
        /* What an unknown life of the device makes it leave unheard may have been committed. */
        uint32_t most = world.scenario == ANOTHER_STREAM_LATE ? 2 : 1;
        assert_in_range(tally.seen[i], world.may_lack[i] ? 0 : 1, most);
    }
    assert_int_equal(tally.device.state, LEDGER_DEVICE_ACTIVE);
    assert_int_equal(world.keys.note.phase, PORT_KEYS_SINGLE);
    assert_int_equal(core_lab_n_conflicts(&world.core, world.device_id), 0);
    assert_int_equal(core_lab_n_losses(&world.core, world.device_id), 0);
    assert_true(tally.n_by_epoch[1] > 0);
    uint16_t epoch = fw_rotation_signer(&world.device.collector.rotation)->key_epoch;
    if (is_key_to_stay()) {
        assert_int_equal(epoch, 1);
        return;
    }
    assert_int_equal(epoch, 2);
    assert_int_equal(tally.device.n_keys, 2);
    assert_false(tally.device.wants_key);
    assert_true(tally.n_by_epoch[2] > 0);
    assert_memory_equal(tally.device.keys[1].spki, world.pool.signers[world.keys.key].spki,
                        CRYPTO_SPKI_BYTES);
    assert_int_equal(world.keys.n_destroyed, 1);
}

/* ---- walks ---- */

static void enrol(void)
{
    struct ledger_device entry = core_lab_entry(world.device_id, LEDGER_DEVICE_ACTIVE, 1);
    memcpy(entry.keys[0].spki, world.pool.signers[0].spki, CRYPTO_SPKI_BYTES);
    if (world.scenario == EPOCH_TAKEN) {
        entry.keys[1] = entry.keys[0];
        entry.keys[1].epoch = 2;
        memcpy(entry.keys[1].spki, world.pool.signers[KEYS_MODEL_MAX - 1].spki, CRYPTO_SPKI_BYTES);
        entry.n_keys = 2;
    }
    assert_ok(agg_register(world.core.core, &entry));
    assert_ok(core_lab_flush(&world.core));
}

/* Walks the whole way; gives how many things could have gone wrong. */
static uint32_t walk_with(enum scenario scenario, uint32_t interrupted_at)
{
    static uint64_t next_device_id = 1;
    struct uplink_lab *lab = &world.device;
    world.scenario = scenario;
    world.device_id = next_device_id++;
    world.n_events = 0;
    world.interrupted_at = interrupted_at;
    world.n_offered = 0;
    world.is_ahead_made = false;
    memset(world.may_lack, 0, sizeof world.may_lack);
    enrol();
    uint64_t first_leaf = core_lab_size(&world.core);
    keys_model_make(&world.keys, &world.pool);
    world.keys.is_old_used_again = scenario == KEY_USED_BEFORE;
    world.keys.on_change = on_keys;
    lab_blank(lab, 42, LAB_MAX_SECTORS);
    lab->device_id = world.device_id;
    lab->keys = &world.keys.port;
    lab->on_flash = on_flash;
    lab->on_flash_ctx = lab;
    /* Once for each life of the device. */
    volatile bool is_new_life = setjmp(world.cut) != 0;
    if (is_new_life) {
        keys_model_load(&world.keys);
    }
    lab_restart(lab);
    walk();
    check_the_end(first_leaf);
    return world.n_events;
}

/* Every ci_stride-th interruption, or all in the long form. */
static void sweep(enum scenario scenario, const char *name, uint32_t ci_stride)
{
    uint32_t counts[N_STEPS][N_KINDS] = {{0}};
    uint32_t n_events = walk_with(scenario, 0);
    const char *only = getenv("ROTATION_SIM_EVENT"); /* the number of one, to look at it with LAB_LOG=1 */
    uint32_t stride = getenv("HEADRACE_LONG") != NULL ? 1 : ci_stride;
    uint32_t n_done = 0;
    for (uint32_t at = 1; at <= n_events; at++) {
        if (only != NULL ? at != (uint32_t)strtoul(only, NULL, 10) : at % stride != 0) {
            continue;
        }
        n_done++;
        if (getenv("LAB_LOG") != NULL) {
            (void)fprintf(stderr, "interruption %u\n", at);
        }
        (void)walk_with(scenario, at);
        assert_true(world.n_events >= at);
        counts[world.step][world.kind]++;
    }
    (void)printf("%s: %u of %u interruptions\n", name, n_done, n_events);
    for (uint32_t step = 0; step < N_STEPS; step++) {
        for (uint32_t kind = 0; kind < N_KINDS; kind++) {
            if (counts[step][kind] > 0) {
                (void)printf("  %-24s %-30s %4u\n", step_names[step], kind_names[kind], counts[step][kind]);
            }
        }
    }
    (void)fflush(stdout);
}

static void a_key_is_changed_with_a_backlog_whatever_is_interrupted(void **state)
{
    (void)state;
    sweep(ASKED_BY_OPERATOR, "asked by the operator", 1);
}

static void a_key_that_the_registry_asks_for_comes_whatever_is_interrupted(void **state)
{
    (void)state;
    sweep(ASKED_BY_HINT, "asked by the aggregator", 3);
}

static void a_new_stream_ahead_of_the_key_switch_makes_it_again(void **state)
{
    (void)state;
    sweep(ANOTHER_STREAM, "another stream", 5);
}

static void a_new_stream_behind_a_followed_key_switch_is_signed_by_the_new_key(void **state)
{
    (void)state;
    sweep(ANOTHER_STREAM_LATE, "another stream, late", 5);
}

static void a_key_switch_whose_epoch_is_taken_leaves_the_device_its_key(void **state)
{
    (void)state;
    sweep(EPOCH_TAKEN, "epoch taken", 7);
}

static void a_key_that_was_used_before_leaves_the_device_its_key(void **state)
{
    (void)state;
    sweep(KEY_USED_BEFORE, "key used before", 7);
}

static int set_up(void **state)
{
    (void)state;
    keys_pool_fill(&world.pool);
    core_lab_open(&world.core,
                  &(struct agg_limits){.max_devices = MAX_DEVICES, .max_held = 12, .retry_after_s = 30});
    assert_ok(verify_keyring_new(2 * MAX_DEVICES, &world.core.keyring));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    verify_keyring_free(world.core.keyring);
    world.core.keyring = NULL;
    core_lab_close(&world.core);
    keys_pool_empty(&world.pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_changed_with_a_backlog_whatever_is_interrupted),
        cmocka_unit_test(a_key_that_the_registry_asks_for_comes_whatever_is_interrupted),
        cmocka_unit_test(a_new_stream_ahead_of_the_key_switch_makes_it_again),
        cmocka_unit_test(a_new_stream_behind_a_followed_key_switch_is_signed_by_the_new_key),
        cmocka_unit_test(a_key_switch_whose_epoch_is_taken_leaves_the_device_its_key),
        cmocka_unit_test(a_key_that_was_used_before_leaves_the_device_its_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
