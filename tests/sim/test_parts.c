/* SPDX-License-Identifier: Apache-2.0
 *
 * Envelopes in parts over a simulated network, against a model of the other side that was written from
 * proto/SPEC.md 4.8. Time is simulated: nothing here depends on the machine. */
#include "firmware/net/parts.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    MAX_DATAGRAMS = 512,
    MAX_MODEL_BODIES = 4, /* of a session that are on their way in */
    MAX_ENVELOPES = 256,
    DECISION_MS = 10, /* from the last part to the answer to the whole, mostly */
    CODE_CHANGED = 2 << 5 | 4,
    CODE_CONTINUE = 2 << 5 | 31,
    CODE_INCOMPLETE = 4 << 5 | 8,
    CODE_UNAVAILABLE = 5 << 5 | 3,
};

struct datagram {
    bool in_use;
    bool is_answer;
    uint64_t due_ms;
    uint8_t token[NET_PARTS_TOKEN_BYTES];
    uint8_t code;
    uint32_t tag;
    uint32_t number;
    bool more;
    size_t len_bytes;
    uint8_t bytes[NET_PART_BYTES];
};

struct model_body {
    uint32_t tag;
    uint64_t touched;
    uint32_t there;
    uint32_t n_parts;
    size_t len_bytes;
    uint8_t bytes[NET_BODY_MAX_BYTES];
};

struct sim {
    uint64_t seed;
    struct test_random random;
    uint64_t now_ms;
    struct net_parts parts;

    /* Of the network. */
    uint32_t loss_percent; /* each way */
    uint32_t doubling_percent;
    uint32_t delay_ms;     /* of every datagram, each way */
    uint32_t jitter_ms;    /* up to so much more: datagrams overtake each other */
    uint32_t bytes_per_ms; /* towards the other side, through a queue without end; 0: any number */
    bool is_down;
    uint64_t queue_ends_us;
    struct datagram datagrams[MAX_DATAGRAMS];
    uint32_t n_transmissions;
    uint32_t n_flying_most;

    /* The other side. */
    struct model_body bodies[MAX_MODEL_BODIES];
    uint64_t touches;
    bool is_whole[MAX_ENVELOPES + 1];
    uint64_t decided_ms[MAX_ENVELOPES + 1];
    uint64_t decision_ms;
    uint32_t n_whole; /* bodies that came whole, the same one twice counted twice */
    bool plain;       /* it answers as RFC 7959 has it, and says nothing of other parts */

    uint32_t n_added;
    uint32_t n_done;
    size_t sizes[MAX_ENVELOPES + 1];
};

static struct sim the_sim;

/* Envelope n has token n, counted from 1, so its bytes and its length are known to both ends of the test. */
static uint8_t byte_of(uint32_t token, size_t at)
{
    return (uint8_t)(token * 37 + at * 11 + at / 253);
}

static struct sim *sim_of(uint64_t seed)
{
    struct sim *sim = &the_sim;
    memset(sim, 0, sizeof *sim);
    sim->seed = seed;
    sim->random = (struct test_random){seed};
    sim->now_ms = 5000;
    sim->delay_ms = 20;
    sim->decision_ms = DECISION_MS;
    net_parts_init(&sim->parts, 1000);
    return sim;
}

/* ---- the network ---- */

static uint32_t below(struct sim *sim, uint32_t n)
{
    return n == 0 ? 0 : test_random_below(&sim->random, n);
}

static uint64_t arrival_ms(struct sim *sim, const struct datagram *datagram)
{
    uint64_t due_ms = sim->now_ms + sim->delay_ms + below(sim, sim->jitter_ms + 1);
    if (sim->bytes_per_ms == 0 || datagram->is_answer) {
        return due_ms;
    }
    uint64_t now_us = sim->now_ms * 1000;
    uint64_t begin_us = sim->queue_ends_us > now_us ? sim->queue_ends_us : now_us;
    sim->queue_ends_us = begin_us + (datagram->len_bytes + 100) * 1000 / sim->bytes_per_ms;
    return due_ms + (sim->queue_ends_us - now_us) / 1000;
}

static void put(struct sim *sim, const struct datagram *datagram)
{
    if (sim->is_down || below(sim, 100) < sim->loss_percent) {
        return;
    }
    uint32_t copies = below(sim, 100) < sim->doubling_percent ? 2 : 1;
    for (uint32_t i = 0; i < MAX_DATAGRAMS && copies > 0; i++) {
        if (!sim->datagrams[i].in_use) {
            sim->datagrams[i] = *datagram;
            sim->datagrams[i].in_use = true;
            sim->datagrams[i].due_ms = arrival_ms(sim, datagram);
            copies--;
        }
    }
    assert_int_equal(copies, 0);
}

/* ---- the other side ---- */

static void answer(struct sim *sim, const struct datagram *to, uint8_t code, uint32_t there,
                   uint64_t after_ms)
{
    struct datagram out = {.is_answer = true, .code = code};
    memcpy(out.token, to->token, sizeof out.token);
    if (code == CODE_CONTINUE && !sim->plain) {
        out.bytes[0] = (uint8_t)(there >> 8);
        out.bytes[1] = (uint8_t)(there & 0xFF);
        out.len_bytes = 2;
    }
    sim->now_ms += after_ms;
    put(sim, &out);
    sim->now_ms -= after_ms;
}

static struct model_body *body_of(struct sim *sim, uint32_t tag)
{
    struct model_body *oldest = &sim->bodies[0];
    for (size_t i = 0; i < MAX_MODEL_BODIES; i++) {
        struct model_body *body = &sim->bodies[i];
        if (body->tag == tag) {
            return body;
        }
        oldest = body->touched < oldest->touched ? body : oldest;
    }
    *oldest = (struct model_body){.tag = tag};
    return oldest;
}

static void assert_whole(struct sim *sim, const struct model_body *body)
{
    assert_true(body->tag >= 1 && body->tag <= sim->n_added);
    assert_int_equal(body->len_bytes, sim->sizes[body->tag]);
    for (size_t at = 0; at < body->len_bytes; at++) {
        assert_int_equal(body->bytes[at], byte_of(body->tag, at));
    }
}

static void take(struct sim *sim, const struct datagram *part)
{
    if (sim->is_whole[part->tag]) {
        bool decided = sim->now_ms >= sim->decided_ms[part->tag];
        answer(sim, part, decided ? CODE_CHANGED : CODE_CONTINUE, UINT16_MAX, 0);
        return;
    }
    struct model_body *body = body_of(sim, part->tag);
    body->touched = ++sim->touches;
    memcpy(body->bytes + part->number * NET_PART_BYTES, part->bytes, part->len_bytes);
    body->there |= 1u << part->number;
    if (!part->more) {
        body->n_parts = part->number + 1;
        body->len_bytes = part->number * NET_PART_BYTES + part->len_bytes;
    }
    if (body->n_parts == 0 || body->there != (1u << body->n_parts) - 1) {
        answer(sim, part, CODE_CONTINUE, body->there, 0);
        return;
    }
    assert_whole(sim, body);
    sim->is_whole[body->tag] = true;
    sim->decided_ms[body->tag] = sim->now_ms + sim->decision_ms;
    sim->n_whole++;
    body->tag = 0;
    body->touched = 0;
    answer(sim, part, CODE_CHANGED, 0, sim->decision_ms);
}

/* ---- the run ---- */

static void hear(struct sim *sim, const struct datagram *datagram)
{
    uint32_t token = 0;
    enum net_parts_verdict verdict =
        net_parts_answered(&sim->parts, sim->now_ms, hr_bytes_of(datagram->token, sizeof datagram->token),
                           datagram->code, hr_bytes_of(datagram->bytes, datagram->len_bytes), &token);
    if (verdict == NET_PARTS_DONE) {
        assert_true(sim->is_whole[token]);
        sim->n_done++;
    }
}

static void send_due(struct sim *sim)
{
    struct net_parts_out out;
    while (net_parts_next(&sim->parts, sim->now_ms, &out)) {
        struct datagram datagram = {
            .tag = out.tag, .number = out.number, .more = out.more, .len_bytes = out.data.len_bytes};
        memcpy(datagram.token, out.token, sizeof datagram.token);
        memcpy(datagram.bytes, out.data.data, out.data.len_bytes);
        sim->n_transmissions++;
        assert_in_range(sim->parts.window_16, NET_PARTS_WINDOW_MIN * 16, NET_PARTS_WINDOW_MAX * 16);
        assert_true(sim->parts.n_flying * 16 <= sim->parts.window_16 || sim->parts.n_flying <= 16);
        sim->n_flying_most =
            sim->n_flying_most > sim->parts.n_flying ? sim->n_flying_most : sim->parts.n_flying;
        put(sim, &datagram);
    }
    assert_true(net_parts_wake_ms(&sim->parts) > sim->now_ms);
}

static uint64_t next_event_ms(const struct sim *sim)
{
    uint64_t next_ms = net_parts_wake_ms(&sim->parts);
    for (uint32_t i = 0; i < MAX_DATAGRAMS; i++) {
        if (sim->datagrams[i].in_use && sim->datagrams[i].due_ms < next_ms) {
            next_ms = sim->datagrams[i].due_ms;
        }
    }
    return next_ms;
}

/* Goes to the next moment at which something happens, or to `until_ms`. The wake-up is believed: nothing is
 * asked before it unless something came. */
static void step(struct sim *sim, uint64_t until_ms)
{
    bool came = false;
    uint64_t next_ms = next_event_ms(sim);
    sim->now_ms = next_ms < until_ms ? next_ms : until_ms;
    for (uint32_t i = 0; i < MAX_DATAGRAMS; i++) {
        if (sim->datagrams[i].in_use && sim->datagrams[i].due_ms <= sim->now_ms) {
            struct datagram datagram = sim->datagrams[i];
            sim->datagrams[i].in_use = false;
            if (datagram.is_answer) {
                hear(sim, &datagram);
                came = true;
            } else {
                take(sim, &datagram);
            }
        }
    }
    if (came || net_parts_wake_ms(&sim->parts) <= sim->now_ms) {
        send_due(sim);
    }
}

static void pass(struct sim *sim, uint64_t ms)
{
    uint64_t end_ms = sim->now_ms + ms;
    while (sim->now_ms < end_ms) {
        step(sim, end_ms);
    }
}

/* Until so many envelopes are answered; ends the test after that long. */
static void until_done(struct sim *sim, uint32_t n_done, uint64_t most_ms)
{
    uint64_t end_ms = sim->now_ms + most_ms;
    while (sim->n_done < n_done) {
        step(sim, end_ms);
        if (sim->now_ms == end_ms) {
            fail_msg("seed %llu: %u of %u envelopes in %llu ms", (unsigned long long)sim->seed, sim->n_done,
                     n_done, (unsigned long long)most_ms);
        }
    }
}

static bool add(struct sim *sim, size_t len_bytes)
{
    static uint8_t envelope[NET_BODY_MAX_BYTES];
    uint32_t token = sim->n_added + 1;
    for (size_t at = 0; at < len_bytes; at++) {
        envelope[at] = byte_of(token, at);
    }
    if (!hr_is_ok(net_parts_add(&sim->parts, token, hr_bytes_of(envelope, len_bytes)))) {
        return false;
    }
    memset(envelope, 0xEE, sizeof envelope);
    sim->sizes[token] = len_bytes;
    sim->n_added = token;
    send_due(sim);
    return true;
}

/* Brings so many envelopes over, as many under way as there is room for; returns the milliseconds. */
static uint64_t carry(struct sim *sim, uint32_t n_envelopes, size_t least_bytes, size_t most_bytes)
{
    uint64_t begin_ms = sim->now_ms;
    uint32_t last = sim->n_added + n_envelopes;
    assert_true(last <= MAX_ENVELOPES);
    while (sim->n_done < last) {
        while (sim->n_added < last &&
               add(sim, least_bytes + below(sim, (uint32_t)(most_bytes - least_bytes + 1)))) {
        }
        until_done(sim, sim->n_done + 1, 3600000);
    }
    return sim->now_ms - begin_ms;
}

/* ---- what holds ---- */

static void on_a_clean_link_each_part_goes_once(void **state)
{
    (void)state;
    struct sim *sim = sim_of(1);
    uint64_t took_ms = carry(sim, 100, NET_BODY_MAX_BYTES, NET_BODY_MAX_BYTES);
    assert_int_equal(sim->n_transmissions, 100 * NET_PARTS_MAX);
    assert_int_equal(sim->n_whole, 100);
    assert_int_equal(sim->n_flying_most, NET_PARTS_WINDOW_MAX);
    /* 16 parts in 40 ms, and some milliseconds of pacing. */
    assert_in_range(took_ms, 100 * NET_PARTS_MAX * 40 / 16, 100 * NET_PARTS_MAX * 40 / 16 * 2);
}

static void the_first_parts_are_four(void **state)
{
    (void)state;
    struct sim *sim = sim_of(2);
    assert_true(add(sim, NET_BODY_MAX_BYTES));
    assert_int_equal(sim->n_transmissions, NET_PARTS_WINDOW_MIN);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(add(sim, NET_BODY_MAX_BYTES));
    }
    assert_false(add(sim, 100));
    assert_int_equal(sim->n_transmissions, NET_PARTS_WINDOW_MIN);
}

static void a_short_envelope_is_one_part(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, NET_PART_BYTES, NET_PART_BYTES + 1};
    struct sim *sim = sim_of(3);
    for (size_t i = 0; i < 3; i++) {
        (void)carry(sim, 1, sizes[i], sizes[i]);
    }
    assert_int_equal(sim->n_transmissions, 4);
}

/* Every seed another network. */
static void whatever_the_network_does_all_arrives_whole(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 220; seed++) {
        struct sim *sim = sim_of(seed);
        sim->loss_percent = below(sim, 45);
        sim->doubling_percent = below(sim, 30);
        sim->delay_ms = below(sim, 300);
        sim->jitter_ms = below(sim, 3) == 0 ? below(sim, 500) : below(sim, 20);
        sim->bytes_per_ms = below(sim, 3) == 0 ? 1 + below(sim, 100) : 0;
        sim->plain = below(sim, 8) == 0;
        (void)carry(sim, 12, 1, NET_BODY_MAX_BYTES);
        assert_int_equal(sim->parts.n_flying, 0);
        assert_true(net_parts_wake_ms(&sim->parts) == NET_PARTS_NEVER_MS);
    }
}

/* The figure that test_network can only show: 20 % lost each way, up to 60 ms each way. 300 messages a second
 * are 10 KB. */
static void a_fifth_lost_each_way_leaves_room_for_ten_times_300_messages_a_second(void **state)
{
    (void)state;
    struct sim *sim = sim_of(4);
    sim->loss_percent = 20;
    sim->doubling_percent = 10;
    sim->delay_ms = 0;
    sim->jitter_ms = 60;
    uint64_t took_ms = carry(sim, 200, NET_BODY_MAX_BYTES, NET_BODY_MAX_BYTES);
    uint64_t bytes_per_s = 200ull * NET_BODY_MAX_BYTES * 1000 / took_ms;
    printf("%llu bytes/s, %u transmissions of %u parts\n", (unsigned long long)bytes_per_s,
           sim->n_transmissions, 200u * NET_PARTS_MAX);
    assert_true(bytes_per_s > 100000);
    assert_true(sim->n_transmissions < 200 * NET_PARTS_MAX * 2);
}

/* Parts go out no faster than the link takes them, or little: the queue on the way stays short. */
static void the_window_follows_a_thin_link(void **state)
{
    (void)state;
    struct sim *sim = sim_of(5);
    sim->bytes_per_ms = 100; /* ten parts of 1,124 bytes in 112 ms */
    uint64_t took_ms = carry(sim, 100, NET_BODY_MAX_BYTES, NET_BODY_MAX_BYTES);
    uint64_t queue_ms = sim->parts.srtt_8_ms / 8 - 40;
    assert_true(queue_ms < 150);
    assert_true(took_ms < 100ull * NET_PARTS_MAX * 1124 / 100 * 11 / 10);
    assert_true(sim->n_transmissions < 100 * NET_PARTS_MAX * 11 / 10);
}

static void a_link_slower_than_the_first_timeout_is_learned(void **state)
{
    (void)state;
    struct sim *sim = sim_of(6);
    sim->delay_ms = 1500;
    (void)carry(sim, 10, NET_BODY_MAX_BYTES, NET_BODY_MAX_BYTES);
    assert_in_range(sim->parts.srtt_8_ms / 8, 2990, 3010);
    uint32_t before = sim->n_transmissions;
    (void)carry(sim, 10, NET_BODY_MAX_BYTES, NET_BODY_MAX_BYTES);
    assert_int_equal(sim->n_transmissions - before, 10 * NET_PARTS_MAX);
}

static void silence_makes_it_ask_more_and_more_rarely_and_then_go_on_at_once(void **state)
{
    (void)state;
    struct sim *sim = sim_of(7);
    (void)carry(sim, 10, NET_BODY_MAX_BYTES, NET_BODY_MAX_BYTES);
    sim->is_down = true;
    assert_true(add(sim, NET_BODY_MAX_BYTES));
    uint32_t before = sim->n_transmissions;
    pass(sim, 60000);
    assert_in_range(sim->n_transmissions - before, 2 * NET_PARTS_WINDOW_MIN, 20 * NET_PARTS_WINDOW_MIN);
    assert_int_equal(sim->parts.window_16, NET_PARTS_WINDOW_MIN * 16);
    sim->is_down = false;
    until_done(sim, 11, 30000);
}

static void what_the_other_side_forgot_goes_again(void **state)
{
    (void)state;
    struct sim *sim = sim_of(8);
    assert_true(add(sim, NET_BODY_MAX_BYTES));
    pass(sim, 60);
    assert_int_not_equal(sim->bodies[0].there, 0);
    sim->bodies[0] = (struct model_body){.tag = 0};
    until_done(sim, 1, 20000);
    assert_int_equal(sim->n_whole, 1);
}

/* The answer to the whole, which takes long, is lost; the part that would bring it was told that it is there.
 */
static void what_became_of_the_whole_is_asked_until_it_is_told(void **state)
{
    (void)state;
    struct sim *sim = sim_of(12);
    sim->decision_ms = 3000;
    assert_true(add(sim, 4 * NET_PART_BYTES));
    pass(sim, 500);
    assert_true(sim->is_whole[1]);
    for (uint32_t i = 0; i < MAX_DATAGRAMS; i++) {
        if (sim->datagrams[i].code == CODE_CHANGED) {
            sim->datagrams[i].in_use = false;
        }
    }
    uint32_t before = sim->n_transmissions;
    until_done(sim, 1, 20000);
    assert_in_range(sim->n_transmissions - before, 1, 10);
}

static void told_to_begin_again_it_does(void **state)
{
    (void)state;
    struct sim *sim = sim_of(9);
    assert_true(add(sim, 4 * NET_PART_BYTES));
    pass(sim, 10);
    struct datagram first = sim->datagrams[0];
    first.code = CODE_INCOMPLETE;
    first.len_bytes = 0;
    hear(sim, &first);
    assert_int_equal(sim->parts.n_flying, 0);
    send_due(sim);
    assert_int_equal(sim->n_transmissions, 8);
    until_done(sim, 1, 20000);
}

static void a_refusal_ends_the_envelope_whatever_part_it_answers(void **state)
{
    (void)state;
    struct sim *sim = sim_of(10);
    assert_true(add(sim, NET_BODY_MAX_BYTES));
    struct datagram third = sim->datagrams[2];
    uint32_t token = 0;
    assert_int_equal(net_parts_answered(&sim->parts, sim->now_ms,
                                        hr_bytes_of(third.token, sizeof third.token), CODE_UNAVAILABLE,
                                        hr_bytes_of("", 0), &token),
                     NET_PARTS_DONE);
    assert_int_equal(token, 1);
    assert_int_equal(sim->parts.n_flying, 0);
    assert_true(net_parts_wake_ms(&sim->parts) == NET_PARTS_NEVER_MS);
}

static void a_dropped_envelope_leaves_nothing(void **state)
{
    (void)state;
    struct sim *sim = sim_of(11);
    assert_true(add(sim, NET_BODY_MAX_BYTES));
    net_parts_drop(&sim->parts, 1);
    net_parts_drop(&sim->parts, 1);
    assert_int_equal(sim->parts.n_flying, 0);
    pass(sim, 1000); /* late answers are to nobody */
    assert_int_equal(sim->n_done, 0);
    assert_int_equal(sim->n_transmissions, NET_PARTS_WINDOW_MIN);
}

/* Whatever the other side says, nothing but memory of the envelope is believed. */
static void answers_are_doubted(void **state)
{
    (void)state;
    for (uint64_t seed = 1000; seed < 1050; seed++) {
        struct sim *sim = sim_of(seed);
        sim->loss_percent = 10;
        for (uint32_t turn = 0; turn < 400; turn++) {
            struct datagram lie = sim->datagrams[below(sim, 8)];
            uint32_t token = 0;
            uint8_t bytes[32];
            test_random_fill(&sim->random, bytes, sizeof bytes);
            lie.token[below(sim, 2)] ^= bytes[4] & bytes[5];
            (void)net_parts_answered(&sim->parts, sim->now_ms,
                                     hr_bytes_of(lie.token, below(sim, sizeof lie.token + 1)),
                                     below(sim, 2) == 0 ? CODE_CONTINUE : CODE_INCOMPLETE,
                                     hr_bytes_of(bytes + 8, below(sim, 4)), &token);
            (void)add(sim, 1 + below(sim, NET_BODY_MAX_BYTES));
            pass(sim, 1);
            if (sim->n_added == MAX_ENVELOPES) {
                break;
            }
        }
        assert_true(sim->parts.n_flying <= NET_PARTS_WINDOW_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_clean_link_each_part_goes_once),
        cmocka_unit_test(the_first_parts_are_four),
        cmocka_unit_test(a_short_envelope_is_one_part),
        cmocka_unit_test(whatever_the_network_does_all_arrives_whole),
        cmocka_unit_test(a_fifth_lost_each_way_leaves_room_for_ten_times_300_messages_a_second),
        cmocka_unit_test(the_window_follows_a_thin_link),
        cmocka_unit_test(a_link_slower_than_the_first_timeout_is_learned),
        cmocka_unit_test(silence_makes_it_ask_more_and_more_rarely_and_then_go_on_at_once),
        cmocka_unit_test(what_the_other_side_forgot_goes_again),
        cmocka_unit_test(what_became_of_the_whole_is_asked_until_it_is_told),
        cmocka_unit_test(told_to_begin_again_it_does),
        cmocka_unit_test(a_refusal_ends_the_envelope_whatever_part_it_answers),
        cmocka_unit_test(a_dropped_envelope_leaves_nothing),
        cmocka_unit_test(answers_are_doubted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
