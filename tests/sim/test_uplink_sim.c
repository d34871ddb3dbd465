/* SPDX-License-Identifier: Apache-2.0
 *
 * The collector against a model of the aggregator over a network that loses, doubles, delays and reorders,
 * while either side is killed now and then and the spool overflows in the longer outages. Whatever happens:
 * each record arrives once, in order, or is covered by a signed Loss. Each run is made by its seed;
 * HEADRACE_SEED runs one, and HEADRACE_LONG=1 many more. */
#include "tests/support/aggregator_model.h"
#include "tests/support/test_hash.h"
#include "tests/support/uplink_lab.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    TICK_MS = 20,
    MAX_FLIGHTS = 64,
    EXCHANGE_TIMEOUT_MS = 5000,
    UTC_AT_START_MS = 1000,
};

/* A message on its way. Messages of a session that ended still arrive at the aggregator. */
struct flight {
    bool used;
    bool to_aggregator;
    uint64_t at_ms;
    struct lab_request request;
    struct wire_ack ack;
};

struct simulation {
    struct uplink_lab lab;
    struct aggregator_model model;
    struct flight flights[MAX_FLIGHTS];
    uint64_t launched_ms[LAB_MAX_REQUESTS];
    uint32_t launched_token[LAB_MAX_REQUESTS];
    bool launched[LAB_MAX_REQUESTS];
    uint64_t chance;
    uint32_t loss_permille;
    uint32_t double_permille;
    uint32_t delay_max_ms;
    uint64_t outage_until_ms;       /* nothing comes through */
    uint32_t up_session;            /* of lab.n_opens; 0: none is up */
    bool aggregator_forgot_session; /* it was restarted and hears this session no more */
    uint32_t n_kills;
    uint32_t n_restarts;
};

static struct simulation sim;

static uint32_t draw(uint32_t below)
{
    sim.chance += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = sim.chance;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) % below);
}

static bool happens(uint32_t permille)
{
    return draw(1000) < permille;
}

static void launch(const struct lab_request *request, bool to_aggregator, const struct wire_ack *ack)
{
    uint32_t copies = happens(sim.double_permille) ? 2 : 1;
    for (uint32_t copy = 0; copy < copies; copy++) {
        if (happens(sim.loss_permille) || sim.lab.now_ms < sim.outage_until_ms) {
            continue;
        }
        for (size_t i = 0; i < MAX_FLIGHTS; i++) {
            if (!sim.flights[i].used) {
                sim.flights[i] = (struct flight){.used = true,
                                                 .to_aggregator = to_aggregator,
                                                 .at_ms = sim.lab.now_ms + 1 + draw(sim.delay_max_ms),
                                                 .request = *request};
                if (ack != NULL) {
                    sim.flights[i].ack = *ack;
                }
                break;
            }
        }
    }
}

static void arrive_at_aggregator(const struct flight *flight)
{
    const struct lab_request *request = &flight->request;
    if (sim.aggregator_forgot_session && draw(4) != 0) {
        return; /* but an older copy may still be decrypted by the session before */
    }
    uint64_t utc_ms = UTC_AT_START_MS + sim.lab.now_ms;
    struct wire_ack ack =
        request->is_head ? model_head(&sim.model, request->stream, utc_ms)
                         : model_post(&sim.model, hr_bytes_of(request->envelope, request->len_bytes), utc_ms);
    launch(request, false, &ack);
}

static void arrive_at_collector(const struct flight *flight)
{
    for (size_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        struct lab_request *request = &sim.lab.requests[i];
        if (request->waiting && request->token == flight->request.token &&
            request->is_head == flight->request.is_head) {
            lab_answer(&sim.lab, request, &flight->ack, 0);
            return;
        }
    }
}

static void move_messages(void)
{
    for (size_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        struct lab_request *request = &sim.lab.requests[i];
        bool known = sim.launched[i] && sim.launched_token[i] == request->token;
        if (request->waiting && !known) {
            sim.launched[i] = true;
            sim.launched_token[i] = request->token;
            sim.launched_ms[i] = sim.lab.now_ms;
            launch(request, true, NULL);
        } else if (request->waiting && sim.lab.now_ms - sim.launched_ms[i] > EXCHANGE_TIMEOUT_MS) {
            lab_time_out(&sim.lab, request);
        }
    }
    for (size_t i = 0; i < MAX_FLIGHTS; i++) {
        if (sim.flights[i].used && sim.flights[i].at_ms <= sim.lab.now_ms) {
            struct flight flight = sim.flights[i];
            sim.flights[i].used = false;
            if (flight.to_aggregator) {
                arrive_at_aggregator(&flight);
            } else {
                arrive_at_collector(&flight);
            }
        }
    }
}

static bool session_is_up(void)
{
    return sim.lab.net_is_open && sim.up_session == sim.lab.n_opens;
}

static void move_session(void)
{
    if (!sim.lab.net_is_open || session_is_up() || !happens(100)) {
        return;
    }
    if (sim.lab.now_ms < sim.outage_until_ms || happens(200)) {
        lab_down(&sim.lab, PORT_NET_DOWN_UNREACHABLE);
        return;
    }
    sim.up_session = sim.lab.n_opens;
    sim.aggregator_forgot_session = false;
    lab_up(&sim.lab);
}

static void cause_trouble(void)
{
    if (happens(2)) {
        sim.outage_until_ms = sim.lab.now_ms + draw(60 * 1000);
    }
    if (happens(2)) {
        model_restart(&sim.model);
        sim.n_restarts++;
        sim.aggregator_forgot_session = true;
        if (session_is_up() && happens(500)) {
            lab_down(&sim.lab, PORT_NET_DOWN_LOST);
        }
    }
    if (happens(1)) {
        lab_restart(&sim.lab);
        sim.n_kills++;
    }
}

static void run(uint64_t seed)
{
    memset(&sim, 0, sizeof sim);
    sim.chance = seed;
    lab_start(&sim.lab, seed ^ 0xABCD, 6 + draw(20));
    sim.loss_permille = draw(300);
    sim.double_permille = draw(300);
    sim.delay_max_ms = 1 + draw(400);
    for (uint32_t tick = 0; tick < 3000; tick++) {
        lab_pass(&sim.lab, TICK_MS);
        if (happens(70)) {
            lab_offer(&sim.lab, 1 + draw(3));
        }
        cause_trouble();
        move_session();
        move_messages();
    }
    sim.loss_permille = 0;
    sim.outage_until_ms = 0;
    for (uint32_t tick = 0; tick < 100000 && !fw_collector_is_drained(&sim.lab.collector); tick++) {
        lab_pass(&sim.lab, TICK_MS);
        move_session();
        move_messages();
    }
}

static void check(uint64_t seed)
{
    struct fw_spool_state spool = lab_spool(&sim.lab);
    if (!fw_collector_is_drained(&sim.lab.collector) ||
        sim.model.n_records + sim.model.n_lost_records != spool.next_record_seq) {
        (void)fprintf(stderr,
                      "HEADRACE_SEED=%" PRIu64 ": %s, %" PRIu64 " committed, %" PRIu64 " lost, %" PRIu64
                      " made\n",
                      seed, fw_uplink_state_name(&sim.lab.collector.uplink), sim.model.n_records,
                      sim.model.n_lost_records, spool.next_record_seq);
        fail();
    }
    assert_int_equal(sim.model.next_record_seq, spool.next_record_seq);
    assert_int_equal(sim.model.cum_seq, spool.acked_seq);
    assert_int_equal(spool.stream, 0);
    if (sim.model.n_lost_records == 0) {
        assert_int_equal(sim.model.n_samples, sim.lab.n_offered);
    }
    assert_int_equal(sim.lab.collector.uplink.counters.given_up, 0);
}

static void every_record_arrives_once_and_in_order_or_is_a_signed_loss_whatever_the_network_does(void **state)
{
    (void)state;
    const char *one = getenv("HEADRACE_SEED");
    uint64_t first_seed = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t n_seeds = one != NULL ? 1 : getenv("HEADRACE_LONG") != NULL ? 5000 : 150;
    uint64_t n_records = 0;
    uint64_t n_lost = 0;
    uint64_t n_losses_first = 0;
    uint64_t n_kills = 0;
    uint64_t n_restarts = 0;
    for (uint64_t seed = first_seed; seed < first_seed + n_seeds; seed++) {
        run(seed);
        check(seed);
        n_records += sim.model.n_records;
        n_lost += sim.model.n_lost_records;
        n_losses_first += sim.model.n_losses_first;
        n_kills += sim.n_kills;
        n_restarts += sim.n_restarts;
    }
    print_message(
        "seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " records arrived, %" PRIu64 " lost by %" PRIu64
        " signed Loss records, %" PRIu64 " kills of the collector, %" PRIu64 " of the aggregator\n",
        first_seed, first_seed + n_seeds - 1, n_records, n_lost, n_losses_first, n_kills, n_restarts);
    if (one == NULL) {
        assert_true(n_lost > 0 && n_losses_first > 0 && n_kills > 0 && n_restarts > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            every_record_arrives_once_and_in_order_or_is_a_signed_loss_whatever_the_network_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
