/* SPDX-License-Identifier: Apache-2.0
 *
 * The registry's half of the provisioning ceremony: each request gives the same answer again, whatever died
 * in between; what does not prove itself, or would make a second identity, is refused and changes nothing. */
#include "aggregator/core/enrol.h"
#include "firmware/crypto/crypto.h"
#include "firmware/crypto/device_key.h"
#include "proto/base/assert.h"
#include "proto/base/cursor.h"
#include "tests/support/core_lab.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX_BYTES = 256 };

struct hardware {
    const char *serial;
    struct crypto_signer transport, record;
};

struct fixture {
    struct core_lab lab;
    struct hardware first, second;
    struct agg_enrolled answer;
};

static void make_key(struct crypto_signer *signer)
{
    uint8_t der[CRYPTO_KEY_BYTES];
    assert_ok(crypto_key_new(der));
    assert_ok(crypto_signer_load(signer, hr_bytes_of(der, sizeof der), 1));
}

static int set_up(void **state)
{
    static struct fixture fixture;
    static bool is_started;
    if (!is_started) {
        assert_ok(crypto_start());
        is_started = true;
    }
    core_lab_open(&fixture.lab, &(struct agg_limits){.max_devices = 3, .max_held = 12, .retry_after_s = 30});
    struct hardware *both[] = {&fixture.first, &fixture.second};
    for (size_t i = 0; i < HR_ARRAY_LEN(both); i++) {
        both[i]->serial = i == 0 ? "SN-1" : "SN-2";
        make_key(&both[i]->transport);
        make_key(&both[i]->record);
    }
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    core_lab_close(&((struct fixture *)*state)->lab);
    return 0;
}

static struct agg_enrolling request_of(enum agg_enrolling_kind kind, const char *serial)
{
    struct agg_enrolling request = {.kind = kind, .actor = "operator:maria", .tenant = "default"};
    (void)snprintf(request.wanted.serial, sizeof request.wanted.serial, "%s", serial);
    return request;
}

static struct agg_enrolling claim_of(const char *serial)
{
    struct agg_enrolling request = request_of(AGG_CLAIM, serial);
    static uint8_t n_nonces;
    (void)snprintf(request.name, sizeof request.name, "gw1");
    memset(request.wanted.nonce, ++n_nonces, sizeof request.wanted.nonce);
    return request;
}

static void sha256(struct hr_bytes bytes, uint8_t out[WIRE_DIGEST_BYTES])
{
    wire_sha256(crypto_hash(), &bytes, 1, out);
}

/* SPEC 12.1 and 12.2, by hand. */
static struct agg_enrolling certify_of(const struct hardware *hardware,
                                       const uint8_t nonce[LEDGER_NONCE_BYTES])
{
    struct agg_enrolling request = request_of(AGG_CERTIFY, hardware->serial);
    uint8_t message[MESSAGE_MAX_BYTES];
    uint8_t digest[WIRE_DIGEST_BYTES];
    const size_t n_serial = strlen(hardware->serial);
    memcpy(request.wanted.spki, hardware->transport.spki, LEDGER_SPKI_MAX_BYTES);
    request.wanted.spki_len_bytes = LEDGER_SPKI_MAX_BYTES;
    memset(request.wanted.certificate, 0x30, request.wanted.certificate_len_bytes = 300);
    memset(request.firmware, 0xF1, sizeof request.firmware);
    sha256(hr_bytes_of(hardware->transport.spki, LEDGER_SPKI_MAX_BYTES), digest);
    struct hr_writer writer = hr_writer_over(message, sizeof message);
    hr_write_raw(&writer, "edge.enrol.v1", 13);
    hr_write_raw(&writer, nonce, LEDGER_NONCE_BYTES);
    hr_write_u8(&writer, (uint8_t)n_serial);
    hr_write_raw(&writer, hardware->serial, n_serial);
    hr_write_raw(&writer, request.firmware, sizeof request.firmware);
    hr_write_raw(&writer, digest, sizeof digest);
    const struct port_sign *port = &hardware->transport.port;
    assert_ok(port->sign(port->ctx, hr_bytes_of(message, writer.at), request.proof));
    return request;
}

static struct agg_enrolling key_of(const struct hardware *hardware, const struct ledger_enrolment *claim)
{
    struct agg_enrolling request = request_of(AGG_RECORD_KEY, hardware->serial);
    uint8_t message[MESSAGE_MAX_BYTES];
    uint8_t digest[WIRE_DIGEST_BYTES];
    request.wanted.epoch = claim->epoch;
    memcpy(request.record_spki, hardware->record.spki, LEDGER_SPKI_MAX_BYTES);
    sha256(hr_bytes_of(hardware->transport.spki, LEDGER_SPKI_MAX_BYTES), digest);
    struct hr_writer writer = hr_writer_over(message, sizeof message);
    hr_write_raw(&writer, "edge.keyswitch.v1", 17);
    hr_write_u64(&writer, claim->device_id);
    hr_write_u16(&writer, claim->epoch);
    hr_write_raw(&writer, claim->nonce, LEDGER_NONCE_BYTES);
    hr_write_raw(&writer, digest, sizeof digest);
    hr_write_raw(&writer, request.record_spki, LEDGER_SPKI_MAX_BYTES);
    const struct hr_bytes bytes = hr_bytes_of(message, writer.at);
    assert_ok(hardware->transport.port.sign(hardware->transport.port.ctx, bytes, request.signature));
    assert_ok(hardware->record.port.sign(hardware->record.port.ctx, bytes, request.proof));
    return request;
}

static enum hr_code ask(struct fixture *fixture, const struct agg_enrolling *request)
{
    return agg_enrol(fixture->lab.core, request, &fixture->answer).code;
}

/* It is done, and done again says the same and changes nothing: after its answer was lost, after the process
 * died before the commit, and after it died behind it. */
static void is_done_once(struct fixture *fixture, const struct agg_enrolling *request)
{
    assert_int_equal(ask(fixture, request), HR_OK);
    assert_true(fixture->answer.is_new);
    core_lab_crash(&fixture->lab); /* nothing was committed */
    assert_int_equal(ask(fixture, request), HR_OK);
    assert_true(fixture->answer.is_new);
    assert_ok(core_lab_flush(&fixture->lab));
    const struct agg_enrolled first = fixture->answer;
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(ask(fixture, request), HR_OK);
        assert_false(fixture->answer.is_new);
        assert_int_equal(agg_group_waiting(fixture->lab.core), 0);
        assert_true(fixture->answer.enrolment.device_id == first.enrolment.device_id);
        assert_memory_equal(fixture->answer.enrolment.nonce, first.enrolment.nonce, LEDGER_NONCE_BYTES);
        assert_int_equal(fixture->answer.enrolment.spki_len_bytes, first.enrolment.spki_len_bytes);
        assert_memory_equal(fixture->answer.enrolment.certificate, first.enrolment.certificate,
                            sizeof first.enrolment.certificate);
        assert_int_equal(fixture->answer.state, first.state);
        assert_int_equal(fixture->answer.revision, first.revision);
        core_lab_crash(&fixture->lab);
    }
}

static void is_refused(struct fixture *fixture, const struct agg_enrolling *request)
{
    assert_int_equal(ask(fixture, request), HR_DENIED);
    assert_non_null(fixture->answer.why);
    assert_int_equal(agg_group_waiting(fixture->lab.core), 0);
}

/* Claims and enrols the hardware as device 1. */
static void enrol_first(struct fixture *fixture)
{
    struct agg_enrolling request = claim_of("SN-1");
    is_done_once(fixture, &request);
    request = certify_of(&fixture->first, fixture->answer.enrolment.nonce);
    is_done_once(fixture, &request);
    request = key_of(&fixture->first, &fixture->answer.enrolment);
    is_done_once(fixture, &request);
}

static void each_request_is_done_once_whatever_dies(void **state)
{
    struct fixture *fixture = *state;
    enrol_first(fixture);
    struct ledger_device device = core_lab_device(&fixture->lab, 1);
    assert_int_equal(device.state, LEDGER_DEVICE_ENROLLED);
    assert_string_equal(device.name, "gw1");
    assert_int_equal(device.n_keys, 1);
    assert_int_equal(device.keys[0].epoch, 1);
    assert_memory_equal(device.keys[0].spki, fixture->first.record.spki, LEDGER_SPKI_MAX_BYTES);
    assert_int_equal(agg_devices_known(fixture->lab.core), 1);
    assert_true(agg_admits(fixture->lab.core, 1));
}

static void a_claimed_device_has_no_session_and_its_number_is_never_given_again(void **state)
{
    struct fixture *fixture = *state;
    struct agg_enrolling request = claim_of("SN-1");
    is_done_once(fixture, &request);
    assert_false(agg_admits(fixture->lab.core, 1));
    request = claim_of("SN-2");
    is_done_once(fixture, &request);
    assert_true(fixture->answer.enrolment.device_id == 2);
    request = claim_of("SN-3");
    request.wanted.device_id = 2;
    is_refused(fixture, &request);
    request = claim_of("SN-1");
    (void)snprintf(request.name, sizeof request.name, "other");
    is_refused(fixture, &request);
}

static void another_key_for_a_serial_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct agg_enrolling request = claim_of("SN-1");
    is_done_once(fixture, &request);
    const struct ledger_enrolment claim = fixture->answer.enrolment;
    /* A proof by another key, and one of another nonce: T12. */
    struct agg_enrolling wrong = certify_of(&fixture->first, claim.nonce);
    memcpy(wrong.wanted.spki, fixture->second.transport.spki, LEDGER_SPKI_MAX_BYTES);
    is_refused(fixture, &wrong);
    const uint8_t other_nonce[LEDGER_NONCE_BYTES] = {0xEE};
    wrong = certify_of(&fixture->first, other_nonce);
    is_refused(fixture, &wrong);
    request = certify_of(&fixture->first, claim.nonce);
    is_done_once(fixture, &request);
    struct hardware thief = fixture->second;
    thief.serial = "SN-1";
    wrong = certify_of(&thief, claim.nonce);
    is_refused(fixture, &wrong);
    assert_non_null(strstr(fixture->answer.why, "replace"));
    assert_int_equal(ask(fixture, &(struct agg_enrolling){.kind = AGG_CERTIFY}), HR_NOT_FOUND);
}

static void a_record_key_that_does_not_prove_itself_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct agg_enrolling request = claim_of("SN-1");
    is_done_once(fixture, &request);
    struct ledger_enrolment claim = fixture->answer.enrolment;
    struct agg_enrolling key = key_of(&fixture->first, &claim);
    is_refused(fixture, &key); /* not certified yet */
    request = certify_of(&fixture->first, claim.nonce);
    is_done_once(fixture, &request);
    struct agg_enrolling wrong = key;
    wrong.signature[5] ^= 1;
    is_refused(fixture, &wrong);
    wrong = key;
    wrong.proof[5] ^= 1;
    is_refused(fixture, &wrong);
    wrong = key; /* somebody else's key under a good signature */
    memcpy(wrong.record_spki, fixture->second.record.spki, LEDGER_SPKI_MAX_BYTES);
    is_refused(fixture, &wrong);
    wrong = key;
    wrong.wanted.epoch = 2;
    is_refused(fixture, &wrong);
    is_done_once(fixture, &key);
    struct hardware erased = fixture->first;
    erased.record = fixture->second.record;
    wrong = key_of(&erased, &claim);
    is_refused(fixture, &wrong); /* that epoch has a key */
}

static void a_replacement_shuts_the_old_hardware_out(void **state)
{
    struct fixture *fixture = *state;
    enrol_first(fixture);
    struct agg_enrolling request = request_of(AGG_REPLACE, "SN-2");
    request.wanted.device_id = 1;
    memset(request.wanted.nonce, 0x77, sizeof request.wanted.nonce);
    is_done_once(fixture, &request);
    const struct ledger_enrolment claim = fixture->answer.enrolment;
    assert_int_equal(claim.epoch, 2);
    assert_int_equal(claim.first_stream, 1);
    assert_int_equal(claim.spki_len_bytes, 0);
    struct ledger_device device = core_lab_device(&fixture->lab, 1);
    assert_int_equal(device.state, LEDGER_DEVICE_CLAIMED);
    assert_int_equal(device.keys[0].to_seq, 0); /* it never sent */
    assert_false(agg_admits(fixture->lab.core, 1));
    struct agg_enrolling old = certify_of(&fixture->first, claim.nonce);
    assert_int_equal(ask(fixture, &old), HR_NOT_FOUND);
    request = certify_of(&fixture->second, claim.nonce);
    is_done_once(fixture, &request);
    request = key_of(&fixture->second, &claim);
    is_done_once(fixture, &request);
    device = core_lab_device(&fixture->lab, 1);
    assert_int_equal(device.n_keys, 2);
    assert_int_equal(device.keys[1].from_stream, 1);
    assert_int_equal(agg_devices_known(fixture->lab.core), 1);
    request = request_of(AGG_REPLACE, "SN-2"); /* another device's serial */
    request.wanted.device_id = 9;
    is_refused(fixture, &request);
}

static void a_dry_run_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct agg_enrolling request = claim_of("SN-1");
    request.dry_run = true;
    assert_int_equal(ask(fixture, &request), HR_OK);
    assert_true(fixture->answer.is_new && fixture->answer.enrolment.device_id == 1);
    assert_int_equal(agg_group_waiting(fixture->lab.core), 0);
    assert_int_equal(agg_devices_known(fixture->lab.core), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_request_is_done_once_whatever_dies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_claimed_device_has_no_session_and_its_number_is_never_given_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_key_for_a_serial_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_key_that_does_not_prove_itself_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_replacement_shuts_the_old_hardware_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dry_run_changes_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
