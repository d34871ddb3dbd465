/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/rotation_lab_internal.h"

#include "aggregator/verify/verify.h"
#include "proto/base/assert.h"
#include "tests/support/signature_memo.h"
#include "tests/support/test_cmocka.h"

#include <string.h>

#define FIRST_UTC_MS INT64_C(1700000001000) /* of core_lab */

enum {
    MAX_DEVICES = 16,
    MAX_AGE_MS = 24 * 60 * 60 * 1000,
    N_BACKLOG = 4,
    N_UNDER_NEW_KEY = 3,
    N_AFTER = 2,
    MAX_TURNS = 4000
};

struct rotation_world rotation_world;

/* ---- what is interrupted ---- */

static enum rotation_step step_now(void)
{
    const struct keys_model *keys = &rotation_world.keys;
    if (keys->note.phase == PORT_KEYS_SINGLE) {
        return keys->n_destroyed > 0 ? AFTER : BEFORE;
    }
    return keys->note.phase == PORT_KEYS_IN_USE || keys->note.phase == PORT_KEYS_BACK ? R3 : R2;
}

/* One more thing that may go wrong. True: it does. */
static bool event(enum rotation_step step, enum rotation_kind kind)
{
    rotation_world.walk.n_events++;
    if (rotation_world.walk.n_events != rotation_world.interrupted_at) {
        return false;
    }
    rotation_world.walk.step = step;
    rotation_world.walk.kind = kind;
    return true;
}

static void on_flash(void *ctx, const struct lab_flash_change *change)
{
    struct uplink_lab *lab = ctx;
    if (event(step_now(), CUT)) {
        longjmp(rotation_world.cut, 1);
    }
    if (change->data != NULL && change->len_bytes > 1 && event(step_now(), TORN_WRITE)) {
        memcpy(lab->flash_bytes + change->address, change->data, change->len_bytes / 2);
        longjmp(rotation_world.cut, 1);
    }
}

static void on_keys(void *ctx, enum port_keys_phase to, bool is_done)
{
    (void)ctx;
    (void)is_done;
    static const enum rotation_step steps[PORT_KEYS_N_PHASES] = {[PORT_KEYS_SINGLE] = R6,
                                                                 [PORT_KEYS_PREPARED] = R1,
                                                                 [PORT_KEYS_PLACED] = R2,
                                                                 [PORT_KEYS_IN_USE] = R3,
                                                                 [PORT_KEYS_BACK] = R3};
    if (event(steps[to], CUT)) {
        longjmp(rotation_world.cut, 1);
    }
}

/* ---- the aggregator ---- */

static enum wire_ack_status judge(const struct made_batch *made)
{
    const uint16_t epoch = made->header.key_epoch;
    const struct verify_key *key =
        verify_keyring_find(rotation_world.core.keyring, ROTATION_DEVICE_ID, epoch);
    const struct ledger_device device = core_lab_device(&rotation_world.core, ROTATION_DEVICE_ID);
    const struct ledger_key *entry = rotation_key_of(&device, epoch);
    if (key == NULL || entry == NULL) {
        return WIRE_ACK_UNKNOWN_KEY;
    }
    return signature_memo_verdict(key, hr_bytes_of(entry->spki, entry->spki_len_bytes),
                                  hr_bytes_of(made->bytes, made->len_bytes));
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

static enum rotation_step step_of(const struct lab_request *request, const struct made_batch *made)
{
    if (!request->is_head && (made->header.flags & WIRE_FLAG_KEY_SWITCH) != 0) {
        return R4;
    }
    bool is_new = !request->is_head && made->header.key_epoch > 1 && rotation_world.keys.n_destroyed == 0;
    return is_new ? R5 : step_now();
}

/* A batch of a later stream of the device is in the ledger: a copy of its flash had another life. */
static void commit_a_later_stream(uint16_t epoch)
{
    static const uint8_t zeros[WIRE_DIGEST_BYTES];
    static struct made_batch made;
    struct port_sign sign = rotation_world.pool.signers[epoch - 1].port;
    sign.key_epoch = epoch;
    struct batch_maker maker = {.sign = &sign, .key_epoch = epoch};
    batch_maker_start(&maker, ROTATION_DEVICE_ID, 3, zeros);
    maker.key_epoch = epoch;
    batch_maker_plain(&maker, 1, 0, &made);
    assert_int_equal(judge(&made), WIRE_ACK_OK);
    assert_int_equal(core_lab_ask(&rotation_world.core, &made).status, WIRE_ACK_OK);
    rotation_world.is_ahead_made = true;
}

static bool is_followed(void)
{
    return core_lab_device(&rotation_world.core, ROTATION_DEVICE_ID).n_keys == 2;
}

/* Brings one request over, through everything that may happen to it. */
static void carry_over(struct lab_request *request)
{
    static struct made_batch made;
    struct uplink_lab *lab = &rotation_world.device;
    if (!request->is_head) {
        take_apart(request, &made);
    }
    enum rotation_step step = step_of(request, &made);
    if (event(step, LOST_REQUEST)) {
        lab_time_out(lab, request);
        return;
    }
    if (event(step, DEAD_BEFORE_COMMIT)) {
        core_lab_crash(&rotation_world.core);
        lab_time_out(lab, request);
        return;
    }
    uint64_t ticket = request->is_head
                          ? core_lab_head(&rotation_world.core, ROTATION_DEVICE_ID, request->stream)
                          : core_lab_post_verdict(&rotation_world.core, &made, judge(&made));
    if (event(step, DEAD_BEHIND_COMMIT)) {
        const struct ledger_commit *change = agg_group_take(rotation_world.core.core);
        if (change != NULL) {
            assert_ok(rotation_world.core.ledger.commit(rotation_world.core.ledger.ctx, change));
        }
        core_lab_crash(&rotation_world.core);
        lab_time_out(lab, request);
        return;
    }
    assert_ok(core_lab_flush(&rotation_world.core));
    bool is_late =
        rotation_world.way == ANOTHER_STREAM_LATE && !rotation_world.is_ahead_made && is_followed();
    if (is_late) {
        commit_a_later_stream(2);
    }
    const struct source_answer *answer = core_lab_answer(&rotation_world.core, ticket);
    if (answer == NULL || is_late || event(step, LOST_ANSWER)) {
        lab_time_out(lab, request); /* one that is held may be answered later, too late */
        return;
    }
    lab_answer(lab, request, &answer->ack, answer->max_age_s);
}

/* ---- the device ---- */

static void walk_on(void)
{
    struct uplink_lab *lab = &rotation_world.device;
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
    rotation_world.core.now_ms += 2500;
    agg_tick(rotation_world.core.core);
    lab_pass(lab, 2500);
}

static void walk_until_drained(void)
{
    const struct fw_collector *collector = &rotation_world.device.collector;
    uint32_t n_turns = 0;
    while (!fw_collector_is_drained(collector) || fw_rotation_is_due(&collector->rotation)) {
        assert_true(n_turns++ < MAX_TURNS);
        walk_on();
    }
}

static void offer_up_to(uint32_t n_offered)
{
    while (rotation_world.n_offered < n_offered) {
        /* A cut inside leaves it open whether the record is there; it is not offered again. */
        uint32_t sample = rotation_world.n_offered++;
        rotation_world.may_lack[sample] = true;
        rotation_world.device.n_offered = sample;
        lab_offer(&rotation_world.device, 1);
        rotation_world.may_lack[sample] = false;
    }
}

/* The operator's command, which is said again until it was answered. */
static void ask_registry(void)
{
    const struct agg_decision decision = {
        .device_id = ROTATION_DEVICE_ID, .kind = AGG_ROTATE, .actor = "operator", .reason = "test"};
    struct agg_decided decided;
    bool is_answered = is_followed();
    while (!is_answered) {
        if (event(R1, LOST_REQUEST)) {
            continue;
        }
        const bool is_first = !core_lab_device(&rotation_world.core, ROTATION_DEVICE_ID).wants_key;
        assert_ok(agg_decide(rotation_world.core.core, &decision, &decided));
        assert_int_equal(decided.is_new, is_first);
        if (event(R1, DEAD_BEFORE_COMMIT)) {
            core_lab_crash(&rotation_world.core);
            continue;
        }
        assert_ok(core_lab_flush(&rotation_world.core));
        if (event(R1, DEAD_BEHIND_COMMIT)) {
            core_lab_crash(&rotation_world.core);
            continue;
        }
        is_answered = !event(R1, LOST_ANSWER);
    }
}

static void ask_for_a_key(void)
{
    if (rotation_world.way == ASKED_BY_HINT) {
        ask_registry();
    } else if (rotation_world.way == ASKED_BY_AGE) {
        rotation_world.core.now_ms += rotation_world.is_aged ? 0 : MAX_AGE_MS;
        rotation_world.is_aged = true;
    } else if (rotation_world.keys.n_made == 0) {
        assert_ok(fw_collector_rotate(&rotation_world.device.collector));
        lab_step(&rotation_world.device);
    }
}

static void walk(void)
{
    offer_up_to(N_BACKLOG);
    ask_for_a_key();
    offer_up_to(N_BACKLOG + N_UNDER_NEW_KEY);
    if (rotation_world.way == ANOTHER_STREAM && !rotation_world.is_ahead_made) {
        commit_a_later_stream(1);
    }
    walk_until_drained();
    offer_up_to(N_BACKLOG + N_UNDER_NEW_KEY + N_AFTER);
    walk_until_drained();
}

/* ---- walks ---- */

/* An aggregator that knows the device and nothing else. */
static void make_aggregator(void)
{
    verify_keyring_free(rotation_world.core.keyring);
    assert_ok(verify_keyring_new(2 * MAX_DEVICES, &rotation_world.core.keyring));
    rotation_world.core.limits.key_max_age_ms = rotation_world.way == ASKED_BY_AGE ? MAX_AGE_MS : 0;
    core_lab_blank(&rotation_world.core);
    struct ledger_device entry = core_lab_entry(ROTATION_DEVICE_ID, LEDGER_DEVICE_ACTIVE, 1);
    entry.keys[0].since_utc_ms = rotation_world.way == ASKED_BY_AGE ? FIRST_UTC_MS : 0;
    memcpy(entry.keys[0].spki, rotation_world.pool.signers[0].spki, CRYPTO_SPKI_BYTES);
    if (rotation_world.way == EPOCH_TAKEN) {
        entry.keys[1] = entry.keys[0];
        entry.keys[1].epoch = 2;
        memcpy(entry.keys[1].spki, rotation_world.pool.signers[KEYS_MODEL_MAX - 1].spki, CRYPTO_SPKI_BYTES);
        entry.n_keys = 2;
    }
    assert_ok(agg_register(rotation_world.core.core, &entry));
    assert_ok(core_lab_flush(&rotation_world.core));
}

struct rotation_walk rotation_walk_with(enum rotation_way way, uint32_t interrupted_at)
{
    struct uplink_lab *lab = &rotation_world.device;
    rotation_world.way = way;
    rotation_world.walk = (struct rotation_walk){0};
    rotation_world.interrupted_at = interrupted_at;
    rotation_world.n_offered = 0;
    rotation_world.is_ahead_made = rotation_world.is_aged = false;
    memset(rotation_world.may_lack, 0, sizeof rotation_world.may_lack);
    make_aggregator();
    keys_model_make(&rotation_world.keys, &rotation_world.pool);
    rotation_world.keys.is_old_used_again = way == KEY_USED_BEFORE;
    rotation_world.keys.on_change = on_keys;
    lab_blank(lab, 42, LAB_MAX_SECTORS);
    lab->device_id = ROTATION_DEVICE_ID;
    lab->keys = &rotation_world.keys.port;
    lab->on_flash = on_flash;
    lab->on_flash_ctx = lab;
    /* Once for each life of the device. */
    volatile bool is_new_life = setjmp(rotation_world.cut) != 0;
    if (is_new_life) {
        keys_model_load(&rotation_world.keys);
    }
    lab_restart(lab);
    walk();
    rotation_check_the_end();
    return rotation_world.walk;
}

void rotation_lab_open(void)
{
    keys_pool_fill(&rotation_world.pool);
    signature_memo_sign(&rotation_world.pool);
    core_lab_open(&rotation_world.core,
                  &(struct agg_limits){.max_devices = MAX_DEVICES, .max_held = 12, .retry_after_s = 30});
}

void rotation_lab_close(void)
{
    verify_keyring_free(rotation_world.core.keyring);
    rotation_world.core.keyring = NULL;
    core_lab_close(&rotation_world.core);
    keys_pool_empty(&rotation_world.pool);
}
