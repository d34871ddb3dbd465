/* SPDX-License-Identifier: Apache-2.0
 *
 * Power goes at every flash operation with which a transport key is changed for the next one. Whatever
 * happens, the device then opens its session with a key and a certificate of that key, and the change comes
 * to its end. And each flash operation fails once, with the power on. */
#include "tests/support/test_cmocka.h"
#include "tests/support/transport_lab.h"

#include <string.h>

enum { N_TEARS = 3 };
/* What writes. */
enum step { MAKE_KEY, TAKE_CERTIFICATE, PROMOTE, N_STEPS };

static struct transport_lab lab;
static struct sim_flash before;
static struct hr_bytes certificate;

static struct hr_status make(enum step step)
{
    const struct fw_renew *port = &lab.transport.port;
    struct hr_bytes request;
    if (step == MAKE_KEY) {
        struct hr_status status = port->request(port->ctx, &request);
        return hr_is(status, HR_AGAIN) ? hr_ok() : status;
    }
    if (step == TAKE_CERTIFICATE) {
        return port->certificate(port->ctx, certificate);
    }
    uint8_t digest[WIRE_DIGEST_BYTES];
    transport_lab_choose(&lab, digest);
    lab.events.up(lab.events.ctx);
    return hr_status_of(lab.store.image.next_certificate.len_bytes == 0 ? HR_OK : HR_IO);
}

/* Ends what was begun, from wherever it stands, and says whether it is another key than at first. */
static void finish(const uint8_t first_key[WIRE_DIGEST_BYTES])
{
    const struct fw_renew *port = &lab.transport.port;
    uint8_t digest[WIRE_DIGEST_BYTES];
    transport_lab_choose(&lab, digest);
    lab.events.up(lab.events.ctx);
    if (memcmp(digest, first_key, sizeof digest) == 0) {
        assert_true(port->is_due(port->ctx, lab.now_s * 1000, true));
        assert_ok(transport_lab_renew(&lab));
        lab.events.down(lab.events.ctx, PORT_NET_DOWN_LOST);
        transport_lab_choose(&lab, digest);
        lab.events.up(lab.events.ctx);
        assert_memory_not_equal(digest, first_key, sizeof digest);
    }
    assert_string_equal(app_transport_phase_name(&lab.transport), "current");
    assert_memory_equal(lab.transport.facts.spki_sha256, digest, sizeof digest);
    assert_false(port->is_due(port->ctx, lab.now_s * 1000, false));
}

/* Stands before the step. */
static void walk_to(enum step step)
{
    struct hr_bytes request;
    for (enum step i = MAKE_KEY; i < step; i++) {
        assert_ok(make(i));
        if (i == MAKE_KEY) {
            assert_ok(transport_lab_request(&lab, &request));
            transport_lab_issue(&lab, request, NULL);
            certificate = hr_bytes_of(lab.issued, lab.issued_bytes);
        }
    }
    sim_flash_copy(&before, &lab.flash);
}

static void begin(void)
{
    transport_lab_open(&lab);
    sim_flash_make(&before, &lab.flash.config);
}

static void end(void)
{
    sim_flash_free(&before);
    transport_lab_close(&lab);
}

static uint32_t cut_everywhere(enum step step, const uint8_t first_key[WIRE_DIGEST_BYTES])
{
    uint8_t issued[IMAGE_CERTIFICATE_MAX_BYTES];
    const size_t issued_bytes = lab.issued_bytes;
    memcpy(issued, lab.issued, sizeof issued);
    uint32_t n_cuts = 0;
    for (uint32_t op = 0;; op++) {
        for (uint32_t tear = 0; tear < N_TEARS; tear++) {
            memcpy(lab.issued, issued, sizeof issued);
            lab.issued_bytes = issued_bytes;
            sim_flash_copy(&lab.flash, &before);
            transport_lab_boot(&lab);
            sim_flash_plan(&lab.flash, (struct sim_flash_cut){op, tear, SIM_FLASH_NONE_SURVIVE});
            struct hr_status status = make(step);
            const bool is_off = lab.flash.is_off;
            if (is_off) {
                n_cuts++;
                transport_lab_boot(&lab);
            } else {
                assert_ok(status);
                sim_flash_plan(&lab.flash, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
            }
            finish(first_key);
            if (!is_off) {
                return n_cuts;
            }
        }
    }
}

static void a_cut_anywhere_leaves_a_key_that_opens_a_session_and_a_change_that_ends(void **state)
{
    (void)state;
    uint32_t n_cuts = 0;
    for (enum step step = MAKE_KEY; step < N_STEPS; step++) {
        begin();
        uint8_t first_key[WIRE_DIGEST_BYTES];
        transport_lab_choose(&lab, first_key);
        walk_to(step);
        uint32_t n = cut_everywhere(step, first_key);
        assert_true(n > 0);
        n_cuts += n;
        end();
    }
    print_message("%u cuts in %u steps\n", n_cuts, N_STEPS);
}

static const struct sim_flash_faults no_faults = {SIM_FLASH_NEVER, SIM_FLASH_NEVER, SIM_FLASH_NEVER};

/* The operation of that number and kind fails. False: there is no such one. */
static bool fails_at(enum step step, struct sim_flash_faults faults,
                     const uint8_t first_key[WIRE_DIGEST_BYTES])
{
    sim_flash_copy(&lab.flash, &before);
    transport_lab_boot(&lab);
    sim_flash_plan(&lab.flash, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
    lab.flash.faults = faults;
    (void)make(step);
    const bool is_met = lab.flash.n_faults_met != 0;
    lab.flash.faults = no_faults;
    assert_true(lab.store.is_known);
    lab.events.down(lab.events.ctx, PORT_NET_DOWN_LOST);
    finish(first_key);
    return is_met;
}

static uint32_t fail_everywhere(enum step step, const uint8_t first_key[WIRE_DIGEST_BYTES])
{
    uint32_t n_faults = 0;
    for (uint32_t op = 0;; op++) {
        struct sim_flash_faults programs = no_faults;
        struct sim_flash_faults erases = no_faults;
        struct sim_flash_faults syncs = no_faults;
        programs.program_op = erases.erase_op = syncs.sync_op = op;
        const uint32_t n = (fails_at(step, programs, first_key) ? 1u : 0u) +
                           (fails_at(step, erases, first_key) ? 1u : 0u) +
                           (fails_at(step, syncs, first_key) ? 1u : 0u);
        if (n == 0) {
            return n_faults;
        }
        n_faults += n;
    }
}

static void a_flash_operation_that_fails_loses_neither_key(void **state)
{
    (void)state;
    uint32_t n_faults = 0;
    for (enum step step = MAKE_KEY; step < N_STEPS; step++) {
        begin();
        uint8_t first_key[WIRE_DIGEST_BYTES];
        transport_lab_choose(&lab, first_key);
        walk_to(step);
        n_faults += fail_everywhere(step, first_key);
        end();
    }
    print_message("%u faults in %u steps\n", n_faults, N_STEPS);
    assert_true(n_faults > N_STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_anywhere_leaves_a_key_that_opens_a_session_and_a_change_that_ends),
        cmocka_unit_test(a_flash_operation_that_fails_loses_neither_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
