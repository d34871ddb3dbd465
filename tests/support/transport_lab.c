/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/transport_lab.h"

#include "tests/support/identity_lab.h"
#include "tests/support/test_cmocka.h"

#include <string.h>
#include <time.h>

static uint64_t uptime_ms(void *ctx)
{
    const struct transport_lab *lab = ctx;
    return lab->now_ms;
}

static void no_log(void *ctx, enum port_log_level level, const char *event,
                   const struct port_log_field *fields, uint32_t n_fields)
{
    (void)ctx, (void)level, (void)event, (void)fields, (void)n_fields;
}

static bool is_asked(void *ctx)
{
    const struct transport_lab *lab = ctx;
    return lab->is_asked;
}

static void done(void *ctx)
{
    struct transport_lab *lab = ctx;
    lab->is_asked = false;
}

static void up(void *ctx)
{
    struct transport_lab *lab = ctx;
    lab->n_ups++;
}

static void down(void *ctx, enum port_net_down reason)
{
    struct transport_lab *lab = ctx;
    (void)reason;
    lab->n_downs++;
}

/* The first key and its certificate, as provisioning leaves them. */
static void enrol(struct transport_lab *lab)
{
    static uint8_t key[CRYPTO_KEY_BYTES];
    struct crypto_signer signer;
    struct renew_request request;
    struct image_identity identity = identity_of(&lab->flash, TRANSPORT_LAB_DEVICE);
    assert_ok(crypto_key_new(key));
    assert_ok(crypto_signer_load(&signer, hr_bytes_of(key, sizeof key), 1));
    memcpy(request.spki, signer.spki, sizeof request.spki);
    crypto_signer_unload(&signer);
    char name[CRYPTO_DEVICE_NAME_CHARS + 1];
    crypto_device_name(TRANSPORT_LAB_DEVICE, name);
    assert_ok(renew_issue(lab->issuer, &request, name, TRANSPORT_LAB_DAYS, lab->first, &lab->first_bytes));
    identity.transport_key = hr_bytes_of(key, sizeof key);
    identity.certificate = hr_bytes_of(lab->first, lab->first_bytes);
    assert_true(hr_is(fw_identity_store_open(&lab->store, &lab->flash.port, lab->page), HR_NOT_FOUND));
    assert_ok(fw_identity_store_replace(&lab->store, &identity));
}

void transport_lab_open(struct transport_lab *lab)
{
    char why[128] = "";
    const struct sim_flash_config config = {.kind = SIM_FLASH_NOR,
                                            .sector_bytes = 4096,
                                            .n_sectors = 8,
                                            .program_unit_bytes = 32,
                                            .weak_bits = true,
                                            .seed = 5};
    memset(lab, 0, sizeof *lab);
    assert_ok(crypto_start());
    lab->clock = (struct port_clock){uptime_ms, lab};
    lab->log = (struct port_log){no_log, lab};
    lab->now_s = (uint64_t)time(NULL);
    pki_folder_make(&lab->folder);
    pki_make_ca(&lab->folder, "ca");
    assert_ok(renew_issuer_open(pki_path(&lab->folder, "ca.pem"), pki_path(&lab->folder, "ca.key"),
                                &lab->issuer, why, sizeof why));
    sim_flash_make(&lab->flash, &config);
    enrol(lab);
    transport_lab_boot(lab);
}

void transport_lab_close(struct transport_lab *lab)
{
    sim_flash_free(&lab->flash);
    renew_issuer_close(lab->issuer);
    pki_folder_remove(&lab->folder);
}

void transport_lab_boot(struct transport_lab *lab)
{
    const struct port_net_events events = {.up = up, .down = down, .ctx = lab};
    sim_flash_power_on(&lab->flash);
    assert_ok(fw_identity_store_open(&lab->store, &lab->flash.port, lab->page));
    assert_ok(fw_identity_store_settle(&lab->store));
    const struct app_transport_config config = {.store = &lab->store,
                                                .clock = &lab->clock,
                                                .log = &lab->log,
                                                .room = lab->room,
                                                .asked = {is_asked, done, lab},
                                                .before_ms = UINT64_C(60) * 86400 * 1000};
    app_transport_open(&lab->transport, &config);
    lab->events = app_transport_watch(&lab->transport, events);
}

struct hr_status transport_lab_request(struct transport_lab *lab, struct hr_bytes *request)
{
    const struct fw_renew *port = &lab->transport.port;
    struct hr_status status = port->request(port->ctx, request);
    return hr_is(status, HR_AGAIN) ? port->request(port->ctx, request) : status;
}

void transport_lab_issue(struct transport_lab *lab, struct hr_bytes request, const char *common_name)
{
    struct renew_request read;
    assert_ok(renew_request_read(request, &read));
    char name[CRYPTO_DEVICE_NAME_CHARS + 1];
    crypto_device_name(TRANSPORT_LAB_DEVICE, name);
    assert_string_equal(read.common_name, name);
    assert_ok(renew_issue(lab->issuer, &read, common_name != NULL ? common_name : name, TRANSPORT_LAB_DAYS,
                          lab->issued, &lab->issued_bytes));
}

struct hr_status transport_lab_renew(struct transport_lab *lab)
{
    const struct fw_renew *port = &lab->transport.port;
    struct hr_bytes request;
    HR_TRY(transport_lab_request(lab, &request));
    transport_lab_issue(lab, request, NULL);
    return port->certificate(port->ctx, hr_bytes_of(lab->issued, lab->issued_bytes));
}

static bool is_same(struct hr_bytes a, const uint8_t *b, size_t b_bytes)
{
    return a.len_bytes == b_bytes && memcmp(a.data, b, b_bytes) == 0;
}

void transport_lab_choose(struct transport_lab *lab, uint8_t spki_sha256[WIRE_DIGEST_BYTES])
{
    struct crypto_signer signer;
    struct hr_bytes certificate;
    struct hr_bytes key;
    assert_ok(app_transport_choose(&lab->transport, &certificate, &key));
    assert_true(is_same(certificate, lab->first, lab->first_bytes) ||
                is_same(certificate, lab->issued, lab->issued_bytes));
    assert_ok(crypto_signer_load(&signer, key, 1));
    assert_ok(crypto_certificate_is_of(certificate, signer.spki));
    memcpy(spki_sha256, signer.port.spki_sha256, WIRE_DIGEST_BYTES);
    crypto_signer_unload(&signer);
}
