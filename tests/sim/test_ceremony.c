/* SPDX-License-Identifier: Apache-2.0
 *
 * The device's half of the ceremony, with power cut at every flash operation of every step, torn in every
 * way: said again from the beginning it ends in one identity, and a key that was certified is never another.
 */
#include "firmware/core/ceremony.h"
#include "proto/base/assert.h"
#include "tests/support/identity_lab.h"
#include "tests/support/test_cmocka.h"
#include "tests/support/test_hash.h"

#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 20, NONCE_CHARS = 32, ANSWER_CHARS = 1024 };

static const char nonce[NONCE_CHARS + 1] = "000102030405060708090a0b0c0d0e0f";

struct device {
    struct sim_flash flash;
    struct fw_identity_store store;
    struct fw_ceremony ceremony;
    uint8_t page[IMAGE_IDENTITY_MAX_BYTES];
    uint8_t stage[FW_CEREMONY_STAGE_BYTES];
    char answer[ANSWER_CHARS];
    uint8_t n_keys;
    bool is_stuck;
    bool follows;
};

static struct device device;

/* ---- a device without a crypto library ---- */

static struct hr_status sample(void *ctx, uint8_t out[FW_CEREMONY_SAMPLE_BYTES])
{
    const struct device *self = ctx;
    for (uint32_t i = 0; i < FW_CEREMONY_SAMPLE_BYTES; i++) {
        out[i] = self->is_stuck ? 0xA5 : (uint8_t)(i * 37 + 11);
    }
    return hr_ok();
}

static struct hr_status new_key(void *ctx, uint8_t out[IMAGE_KEY_MAX_BYTES], size_t *len_bytes)
{
    struct device *self = ctx;
    memset(out, ++self->n_keys, KEY_BYTES);
    out[0] = 0x30;
    out[1] = KEY_BYTES - 2;
    *len_bytes = KEY_BYTES;
    return hr_ok();
}

static struct hr_status public_key(void *ctx, struct hr_bytes key, uint8_t spki[FW_SPKI_BYTES])
{
    (void)ctx;
    memset(spki, key.data[2], FW_SPKI_BYTES);
    return hr_ok();
}

static struct hr_status sign(void *ctx, struct hr_bytes key, struct hr_bytes message,
                             uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    const struct hr_bytes parts[] = {key, message};
    (void)ctx;
    wire_sha256(test_hash(), parts, 2, signature);
    wire_sha256(test_hash(), parts, 1, signature + WIRE_DIGEST_BYTES);
    return hr_ok();
}

/* A certificate is a SEQUENCE with the first byte of its key. */
static struct hr_status check(void *ctx, const struct image_identity *identity,
                              const uint8_t spki[FW_SPKI_BYTES])
{
    (void)ctx;
    return hr_status_of(identity->certificate.data[2] == spki[0] ? HR_OK : HR_DENIED);
}

static bool is_address(void *ctx, const char *uri)
{
    (void)ctx;
    return strncmp(uri, "coaps://", 8) == 0;
}

static bool follows_trust(void *ctx)
{
    return ((const struct device *)ctx)->follows;
}

/* A bundle has two pieces; version 3 is one that was signed. */
static struct hr_status keep_trust(void *ctx, uint32_t i, struct hr_bytes piece, struct image_identity *next)
{
    (void)ctx;
    if (i == 0 || piece.data[0] != 3) {
        return hr_status_of(i == 0 ? HR_AGAIN : piece.data[0] == 0 ? HR_IO : HR_MALFORMED);
    }
    next->trust_version = piece.data[0];
    memset(next->trust_digest, piece.data[0], sizeof next->trust_digest);
    return hr_ok();
}

static void say(void *ctx, const char *text)
{
    struct device *self = ctx;
    assert_true(strlen(self->answer) + strlen(text) < sizeof self->answer);
    (void)strncat(self->answer, text, sizeof self->answer - strlen(self->answer) - 1);
}

static void digest_of_firmware(void *ctx, uint8_t out[WIRE_DIGEST_BYTES])
{
    (void)ctx;
    memset(out, 7, WIRE_DIGEST_BYTES);
}

static const struct fw_ceremony_ports ports = {.sample = sample,
                                               .new_key = new_key,
                                               .public_key = public_key,
                                               .sign = sign,
                                               .check = check,
                                               .is_address = is_address,
                                               .follows_trust = follows_trust,
                                               .keep_trust = keep_trust,
                                               .say = say,
                                               .hash = test_hash,
                                               .firmware = "1",
                                               .digest = digest_of_firmware};

/* False: power went before it was up. */
static bool boot(void)
{
    struct hr_status status = fw_identity_store_open(&device.store, &device.flash.port, device.page);
    if (hr_is_ok(status)) {
        status = fw_identity_store_settle(&device.store);
    }
    assert_true(hr_is_ok(status) || device.flash.is_off);
    fw_ceremony_init(&device.ceremony, &ports, &device, &device.store, device.stage);
    return !device.flash.is_off;
}

static void make_factory(const struct sim_flash_config *config)
{
    const struct image_identity factory = {
        .regions = {config->sector_bytes, (uint16_t)config->program_unit_bytes,
                    image_spool_first_sector(config->sector_bytes), 4},
        .board = "b",
        .mac = {2, 0, 0, 0, 0, 1},
        .serial = "SN-1",
        .state = IMAGE_FACTORY,
    };
    device.n_keys = 0;
    device.is_stuck = device.follows = false;
    sim_flash_make(&device.flash, config);
    assert_int_equal(fw_identity_store_open(&device.store, &device.flash.port, device.page).code,
                     HR_NOT_FOUND);
    assert_true(hr_is_ok(fw_identity_store_replace(&device.store, &factory)));
    assert_true(boot());
}

/* ---- what a tool says ---- */

static bool ask(const char *line)
{
    char text[FW_CEREMONY_LINE_MAX_CHARS + 1];
    (void)snprintf(text, sizeof text, "%s", line);
    device.answer[0] = '\0';
    assert_true(fw_ceremony_line(&device.ceremony, text));
    const size_t n_chars = strlen(device.answer);
    assert_true(n_chars > 2 && device.answer[n_chars - 1] == '\n');
    assert_ptr_equal(strchr(device.answer, '\n'), device.answer + n_chars - 1);
    return device.answer[0] == '=';
}

static bool answers(const char *part)
{
    return strstr(device.answer, part) != NULL;
}

static bool keep(const char *field, const char *hex)
{
    char line[FW_CEREMONY_LINE_MAX_CHARS + 1];
    (void)snprintf(line, sizeof line, "prov part 0 %s", hex);
    if (!ask(line)) {
        return false;
    }
    (void)snprintf(line, sizeof line, "prov keep %s", field);
    return ask(line);
}

/* The registry's certificate of whichever key comes first, for ever. */
static uint8_t certified;

static bool keep_certificate(void)
{
    char hex[16];
    if (certified == 0) {
        certified = device.store.image.transport_key.data[2];
    }
    (void)snprintf(hex, sizeof hex, "3003%02x0000", certified);
    return keep("certificate", hex);
}

static bool install(void)
{
    return ask("prov begin") && ask("prov csr") && ask("prov proof 000102030405060708090a0b0c0d0e0f") &&
           keep_certificate() && (!device.follows || (keep("trust 0", "aa") && keep("trust 1", "03"))) &&
           keep("device", "2a") && keep("name", "6777") && keep("ca 0", "3003aaaaaa") &&
           keep("aggregator 0", "636f6170733a2f2f61") && keep("server", "616767") && ask("prov install");
}

/* The whole ceremony from wherever the device is; false: it went off. */
static bool perform(void)
{
    char line[FW_CEREMONY_LINE_MAX_CHARS + 1];
    if (!ask("prov hello")) {
        return false;
    }
    if (answers("locked=1")) {
        return true;
    }
    if (answers("state=factory") && !install()) {
        return false;
    }
    (void)snprintf(line, sizeof line, "prov record 1 %s", nonce);
    return ask(line) && ask("prov deliver") && ask("prov lock");
}

static void is_provisioned(void)
{
    const struct image_identity *image = &device.store.image;
    assert_int_equal(image->state, IMAGE_ENROLLED);
    assert_true(image->console_locked);
    assert_true(image->device_id == 42);
    assert_string_equal(image->name, "gw");
    assert_string_equal(image->server_name, "agg");
    assert_int_equal(image->n_ca, 1);
    assert_int_equal(image->n_aggregators, 1);
    assert_int_equal(image->key_epoch, 1);
    assert_int_equal(image->transport_key.data[2], certified);
    assert_int_not_equal(image->record_key.data[2], certified);
}

static const struct sim_flash_config nor = {.kind = SIM_FLASH_NOR,
                                            .sector_bytes = 4096,
                                            .n_sectors = 8,
                                            .program_unit_bytes = 32,
                                            .weak_bits = true,
                                            .seed = 3};

static void a_ceremony_gives_an_identity_and_locks(void **state)
{
    (void)state;
    make_factory(&nor);
    certified = 0;
    assert_true(perform());
    is_provisioned();
    assert_true(device.ceremony.may_deliver);
    static const char *const changes[] = {"prov begin",     "prov csr",      "prov part 0 00",
                                          "prov keep name", "prov install",  "prov deliver",
                                          "prov lock",      "prov proof 00", "prov record 1 00"};
    for (size_t i = 0; i < HR_ARRAY_LEN(changes); i++) {
        assert_false(ask(changes[i]));
        assert_true(answers("! locked "));
    }
    assert_true(ask("prov hello"));
    assert_true(answers("serial=SN-1") && answers("device=42") && answers("locked=1"));
    sim_flash_free(&device.flash);
}

static void a_bundle_comes_in_pieces_and_is_forgotten_with_its_claim(void **state)
{
    (void)state;
    make_factory(&nor);
    assert_true(ask("prov hello"));
    assert_false(answers(" trust="));
    assert_true(ask("prov begin"));
    assert_false(keep("trust 0", "aa"));
    assert_true(answers("! field "));
    device.follows = true;
    assert_true(ask("prov hello"));
    assert_true(answers(" trust=0"));
    assert_true(keep("trust 0", "aa"));
    assert_int_equal(device.store.image.trust_version, 0);
    assert_false(keep("trust 1", "04"));
    assert_true(answers("! trust "));
    assert_false(keep("trust 1", "00"));
    assert_true(answers("! memory "));
    assert_int_equal(device.store.image.trust_version, 0);
    assert_true(keep("trust 1", "03"));
    assert_true(ask("prov hello"));
    assert_true(answers(" trust=3"));
    assert_true(boot() && ask("prov hello"));
    assert_true(answers(" trust=3"));
    assert_true(ask("prov begin") && ask("prov hello"));
    assert_true(answers(" trust=0"));
    certified = 0;
    assert_true(perform());
    is_provisioned();
    assert_int_equal(device.store.image.trust_version, 3);
    assert_int_equal(device.store.image.trust_digest[0], 3);
    sim_flash_free(&device.flash);
}

static void a_stuck_source_makes_no_key(void **state)
{
    (void)state;
    make_factory(&nor);
    device.is_stuck = true;
    assert_false(ask("prov begin"));
    assert_true(answers("! random "));
    assert_int_equal(device.store.image.transport_key.len_bytes, 0);
    assert_int_equal(device.n_keys, 0);
    device.is_stuck = false;
    assert_true(ask("prov begin"));
    sim_flash_free(&device.flash);
}

static void samples_that_are_no_chance_are_known(void **state)
{
    (void)state;
    uint8_t bytes[FW_CEREMONY_SAMPLE_BYTES];
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 101 + 7);
    }
    assert_true(fw_random_is_healthy(bytes));
    memset(bytes + 20, 9, 9); /* nine of one value */
    assert_false(fw_random_is_healthy(bytes));
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i % 3);
    }
    assert_false(fw_random_is_healthy(bytes));
}

static void steps_in_the_wrong_order_change_nothing(void **state)
{
    (void)state;
    make_factory(&nor);
    certified = 0;
    const uint32_t sequence = device.store.image.sequence;
    static const char *const wrong[] = {
        "prov csr",       "prov proof 000102030405060708090a0b0c0d0e0f",
        "prov install",   "prov record 1 000102030405060708090a0b0c0d0e0f",
        "prov deliver",   "prov lock",
        "prov keep name", "prov part 1 00",
        "prov part 0 0g", "prov part 0 0",
        "prov",           "prov  ",
        "prov nothing",
    };
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        char line[FW_CEREMONY_LINE_MAX_CHARS + 1];
        (void)snprintf(line, sizeof line, "%s", wrong[i]);
        device.answer[0] = '\0';
        bool is_its_own = fw_ceremony_line(&device.ceremony, line);
        assert_true(!is_its_own || device.answer[0] == '!');
        assert_int_equal(device.store.image.sequence, sequence);
    }
    assert_true(ask("prov begin"));
    assert_true(keep("certificate", "3003770000")); /* of another key */
    assert_true(keep("device", "2a") && keep("name", "6777") && keep("ca 0", "3003aaaaaa"));
    assert_false(keep("ca 2", "3003aaaaaa"));
    assert_false(keep("aggregator 0", "687474703a2f2f61"));
    assert_true(keep("aggregator 0", "636f6170733a2f2f61") && keep("server", "616767"));
    assert_false(ask("prov install"));
    assert_true(answers("! foreign "));
    assert_int_equal(device.store.image.state, IMAGE_FACTORY);
    sim_flash_free(&device.flash);
}

static void a_ceremony_that_is_cut_anywhere_ends_in_one_identity(void **state)
{
    (void)state;
    uint32_t n_cuts = 0;
    uint32_t op = 0;
    for (bool more = true; more; op++) {
        uint32_t tears = 1;
        for (uint32_t tear = 0; tear < tears && more; tear++) {
            make_factory(&nor);
            certified = 0;
            sim_flash_plan(&device.flash, (struct sim_flash_cut){op, tear, SIM_FLASH_NONE_SURVIVE});
            more = !perform();
            if (!more) {
                assert_false(device.flash.is_off);
                sim_flash_free(&device.flash);
                break;
            }
            assert_true(device.flash.is_off);
            tears = 2 * device.flash.cut_units + 1;
            n_cuts++;
            sim_flash_power_on(&device.flash);
            assert_true(boot());
            assert_true(perform());
            is_provisioned();
            sim_flash_free(&device.flash);
        }
    }
    print_message("%u cuts at %u operations\n", n_cuts, op - 1);
    assert_true(n_cuts > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ceremony_gives_an_identity_and_locks),
        cmocka_unit_test(a_bundle_comes_in_pieces_and_is_forgotten_with_its_claim),
        cmocka_unit_test(a_stuck_source_makes_no_key),
        cmocka_unit_test(samples_that_are_no_chance_are_known),
        cmocka_unit_test(steps_in_the_wrong_order_change_nothing),
        cmocka_unit_test(a_ceremony_that_is_cut_anywhere_ends_in_one_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
