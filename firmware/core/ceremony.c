/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/ceremony.h"

#include "firmware/core/ceremony_internal.h"
#include "proto/base/assert.h"
#include "proto/base/wipe.h"

#include <string.h>

/* What a repetition is, and how many of the first value in a sample are too many. */
enum { REPEATS_MAX = 8, SAME_MAX = 20 };

bool fw_random_is_healthy(const uint8_t sample[FW_CEREMONY_SAMPLE_BYTES])
{
    uint32_t n_repeats = 0;
    uint32_t n_same = 0;
    bool healthy = true;
    for (uint32_t i = 1; i < FW_CEREMONY_SAMPLE_BYTES; i++) {
        n_repeats = sample[i] == sample[i - 1] ? n_repeats + 1 : 0;
        n_same += sample[i] == sample[0] ? 1 : 0;
        healthy = healthy && n_repeats < REPEATS_MAX && n_same < SAME_MAX;
    }
    return healthy;
}

void fw_ceremony_init(struct fw_ceremony *ceremony, const struct fw_ceremony_ports *ports, void *ctx,
                      struct fw_identity_store *store, uint8_t stage[FW_CEREMONY_STAGE_BYTES])
{
    *ceremony = (struct fw_ceremony){.ports = ports, .ctx = ctx, .store = store};
    ceremony->stage = stage;
}

/* ---- keys ---- */

/* Makes a key after a look at the source of chance; `identity` borrows it from `key`. */
static bool make_key(struct fw_ceremony *ceremony, uint8_t key[IMAGE_KEY_MAX_BYTES], struct hr_bytes *out)
{
    const struct fw_ceremony_ports *ports = ceremony->ports;
    uint8_t sample[FW_CEREMONY_SAMPLE_BYTES];
    const bool healthy = hr_is_ok(ports->sample(ceremony->ctx, sample)) && fw_random_is_healthy(sample);
    hr_wipe(sample, sizeof sample);
    if (!healthy) {
        return fw_refuse(ceremony, "random",
                         "the source of random numbers does not work: no key is made with it");
    }
    size_t len_bytes = 0;
    if (!hr_is_ok(ports->new_key(ceremony->ctx, key, &len_bytes))) {
        return fw_refuse(ceremony, "key", "a key could not be made");
    }
    *out = hr_bytes_of(key, len_bytes);
    return true;
}

/* The public half of a key that is there. */
static bool public_of(struct fw_ceremony *ceremony, struct hr_bytes key, uint8_t spki[FW_SPKI_BYTES])
{
    const struct fw_ceremony_ports *ports = ceremony->ports;
    return hr_is_ok(ports->public_key(ceremony->ctx, key, spki)) ||
           fw_refuse(ceremony, "key", "the key in the memory can't be used");
}

static bool sign_with(struct fw_ceremony *ceremony, struct hr_bytes key, struct hr_bytes message,
                      uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    const struct fw_ceremony_ports *ports = ceremony->ports;
    return hr_is_ok(ports->sign(ceremony->ctx, key, message, signature)) ||
           fw_refuse(ceremony, "key", "the key in the memory can't sign");
}

static void digest_of_spki(const struct fw_ceremony *ceremony, const uint8_t spki[FW_SPKI_BYTES],
                           uint8_t out[WIRE_DIGEST_BYTES])
{
    const struct hr_bytes part = hr_bytes_of(spki, FW_SPKI_BYTES);
    wire_sha256(ceremony->ports->hash(), &part, 1, out);
}

/* ---- the steps ---- */

static const char *state_name(enum image_state state)
{
    return state == IMAGE_FACTORY ? "factory" : state == IMAGE_CERTIFIED ? "certified" : "enrolled";
}

static void say_digest_of(struct fw_ceremony *ceremony, const char *key, struct hr_bytes of)
{
    uint8_t spki[FW_SPKI_BYTES];
    uint8_t digest[WIRE_DIGEST_BYTES];
    const struct fw_ceremony_ports *ports = ceremony->ports;
    if (of.len_bytes != 0 && hr_is_ok(ports->public_key(ceremony->ctx, of, spki))) {
        digest_of_spki(ceremony, spki, digest);
        fw_say_hex(ceremony, key, digest, sizeof digest);
    }
}

bool fw_step_hello(struct fw_ceremony *ceremony, char *words[])
{
    const struct image_identity *image = &ceremony->store->image;
    (void)words;
    fw_say(ceremony, "= hello format=1 serial=");
    fw_say(ceremony, image->serial != NULL ? image->serial : "-");
    fw_say(ceremony, " board=");
    fw_say(ceremony, image->board);
    fw_say(ceremony, " state=");
    fw_say(ceremony, state_name(image->state));
    fw_say(ceremony, image->console_locked ? " locked=1" : " locked=0");
    fw_say_number(ceremony, "device", image->device_id);
    fw_say_number(ceremony, "epoch", image->key_epoch);
    fw_say(ceremony, " firmware=");
    fw_say(ceremony, ceremony->ports->firmware);
    if (ceremony->ports->follows_trust(ceremony->ctx)) {
        fw_say_number(ceremony, "trust", image->trust_version);
    }
    say_digest_of(ceremony, "key", image->transport_key);
    say_digest_of(ceremony, "record", image->record_key);
    fw_say(ceremony, "\n");
    return true;
}

/* What was kept for another claim goes. True: there was something. */
static bool forget_kept(struct image_identity *next)
{
    const bool had = next->device_id != 0 || next->name != NULL || next->site != NULL ||
                     next->certificate.len_bytes != 0 || next->n_ca != 0 || next->n_aggregators != 0 ||
                     next->server_name != NULL || next->first_stream != 0 || next->trust_version != 0;
    next->device_id = 0;
    next->name = next->site = next->server_name = NULL;
    next->certificate = hr_bytes_of(NULL, 0);
    next->n_ca = next->n_aggregators = 0;
    next->first_stream = 0;
    next->trust_version = 0;
    return had;
}

bool fw_step_begin(struct fw_ceremony *ceremony, char *words[])
{
    struct image_identity next = ceremony->store->image;
    (void)words;
    const bool had = forget_kept(&next);
    const bool has_key = next.transport_key.len_bytes != 0;
    ceremony->staged_bytes = 0;
    bool good = has_key || make_key(ceremony, ceremony->stage, &next.transport_key);
    if (good && (had || !has_key)) {
        good = fw_replace(ceremony, &next);
    }
    hr_wipe(ceremony->stage, IMAGE_KEY_MAX_BYTES);
    return good && fw_done(ceremony, "begin");
}

bool fw_step_csr(struct fw_ceremony *ceremony, char *words[])
{
    const struct image_identity *image = &ceremony->store->image;
    uint8_t spki[FW_SPKI_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    uint8_t *info = ceremony->stage;
    uint8_t *csr = ceremony->stage + FW_CSR_MAX_BYTES;
    _Static_assert(2 * FW_CSR_MAX_BYTES <= FW_CEREMONY_STAGE_BYTES, "both stand in the stage");
    ceremony->staged_bytes = 0;
    (void)words;
    if (image->transport_key.len_bytes == 0 || image->serial == NULL) {
        return fw_refuse(ceremony, "order", "it has no key yet: say begin");
    }
    if (!public_of(ceremony, image->transport_key, spki)) {
        return false;
    }
    const struct hr_bytes message = hr_bytes_of(info, fw_csr_info(image->serial, spki, info));
    if (!sign_with(ceremony, image->transport_key, message, signature)) {
        return false;
    }
    fw_say(ceremony, "= csr");
    fw_say_hex(ceremony, "csr", csr, fw_csr_make(message, signature, csr));
    fw_say(ceremony, "\n");
    return true;
}

bool fw_step_proof(struct fw_ceremony *ceremony, char *words[])
{
    static const char domain[] = "edge.enrol.v1";
    const struct image_identity *image = &ceremony->store->image;
    uint8_t message[FW_PROOF_MAX_BYTES];
    uint8_t firmware[WIRE_DIGEST_BYTES];
    uint8_t nonce[FW_CEREMONY_NONCE_BYTES];
    uint8_t spki[FW_SPKI_BYTES];
    uint8_t digest[WIRE_DIGEST_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    if (fw_hex(words[1], nonce, sizeof nonce) != sizeof nonce) {
        return fw_refuse(ceremony, "word", "a nonce has 32 hexadecimal digits");
    }
    if (image->transport_key.len_bytes == 0 || image->serial == NULL) {
        return fw_refuse(ceremony, "order", "it has no key yet: say begin");
    }
    if (!public_of(ceremony, image->transport_key, spki)) {
        return false;
    }
    digest_of_spki(ceremony, spki, digest);
    ceremony->ports->digest(ceremony->ctx, firmware);
    struct hr_writer writer = hr_writer_over(message, sizeof message);
    hr_write_raw(&writer, domain, sizeof domain - 1);
    hr_write_raw(&writer, nonce, sizeof nonce);
    hr_write_u8(&writer, (uint8_t)strlen(image->serial));
    hr_write_raw(&writer, image->serial, strlen(image->serial));
    hr_write_raw(&writer, firmware, WIRE_DIGEST_BYTES);
    hr_write_raw(&writer, digest, sizeof digest);
    HR_ASSERT(hr_writer_ok(&writer));
    if (!sign_with(ceremony, image->transport_key, hr_bytes_of(message, writer.at), signature)) {
        return false;
    }
    fw_say(ceremony, "= proof");
    fw_say_hex(ceremony, "firmware", firmware, WIRE_DIGEST_BYTES);
    fw_say_hex(ceremony, "proof", signature, sizeof signature);
    fw_say(ceremony, "\n");
    return true;
}

static bool is_complete(const struct image_identity *image)
{
    return image->device_id != 0 && image->name != NULL && image->certificate.len_bytes != 0 &&
           image->n_ca != 0 && image->n_aggregators != 0 && image->server_name != NULL &&
           image->transport_key.len_bytes != 0;
}

bool fw_step_install(struct fw_ceremony *ceremony, char *words[])
{
    const struct fw_ceremony_ports *ports = ceremony->ports;
    struct image_identity next = ceremony->store->image;
    uint8_t spki[FW_SPKI_BYTES];
    (void)words;
    if (next.state != IMAGE_FACTORY) {
        return fw_done(ceremony, "install");
    }
    if (!is_complete(&next)) {
        return fw_refuse(ceremony, "order", "something was not kept yet");
    }
    if (!public_of(ceremony, next.transport_key, spki)) {
        return false;
    }
    struct hr_status status = ports->check(ceremony->ctx, &next, spki);
    if (hr_is(status, HR_DENIED)) {
        return fw_refuse(ceremony, "foreign", "the certificate is of another key than this device's");
    }
    if (!hr_is_ok(status)) {
        return fw_refuse(ceremony, "certificate", "a certificate can't be read, or an authority is none");
    }
    next.state = IMAGE_CERTIFIED;
    return fw_replace(ceremony, &next) && fw_done(ceremony, "install");
}

/* SPEC section 12.3: both keys sign it. */
static size_t bootstrap_of(const struct fw_ceremony *ceremony, const uint8_t nonce[FW_CEREMONY_NONCE_BYTES],
                           const uint8_t transport[FW_SPKI_BYTES], const uint8_t record[FW_SPKI_BYTES],
                           uint8_t out[FW_BOOTSTRAP_BYTES])
{
    static const char domain[] = "edge.keyswitch.v1";
    const struct image_identity *image = &ceremony->store->image;
    uint8_t digest[WIRE_DIGEST_BYTES];
    digest_of_spki(ceremony, transport, digest);
    struct hr_writer writer = hr_writer_over(out, FW_BOOTSTRAP_BYTES);
    hr_write_raw(&writer, domain, sizeof domain - 1);
    hr_write_u64(&writer, image->device_id);
    hr_write_u16(&writer, image->key_epoch);
    hr_write_raw(&writer, nonce, FW_CEREMONY_NONCE_BYTES);
    hr_write_raw(&writer, digest, sizeof digest);
    hr_write_raw(&writer, record, FW_SPKI_BYTES);
    HR_ASSERT(hr_writer_ok(&writer));
    return writer.at;
}

/* What a bootstrap is made of; it stands in the stage, since a board's stack has no room for it. */
struct bootstrap {
    uint8_t transport[FW_SPKI_BYTES];
    uint8_t record[FW_SPKI_BYTES];
    uint8_t message[FW_BOOTSTRAP_BYTES];
    uint8_t by_transport[WIRE_SIGNATURE_BYTES];
    uint8_t by_record[WIRE_SIGNATURE_BYTES];
};
_Static_assert(sizeof(struct bootstrap) <= FW_CEREMONY_STAGE_BYTES, "it stands in the stage");

static bool say_bootstrap(struct fw_ceremony *ceremony, const uint8_t nonce[FW_CEREMONY_NONCE_BYTES])
{
    const struct image_identity *image = &ceremony->store->image;
    struct bootstrap *made = (struct bootstrap *)ceremony->stage; /* bytes, of any alignment */
    ceremony->staged_bytes = 0;
    if (!public_of(ceremony, image->transport_key, made->transport) ||
        !public_of(ceremony, image->record_key, made->record)) {
        return false;
    }
    const struct hr_bytes message = hr_bytes_of(
        made->message, bootstrap_of(ceremony, nonce, made->transport, made->record, made->message));
    if (!sign_with(ceremony, image->transport_key, message, made->by_transport) ||
        !sign_with(ceremony, image->record_key, message, made->by_record)) {
        return false;
    }
    fw_say(ceremony, "= record");
    fw_say_number(ceremony, "epoch", image->key_epoch);
    fw_say_hex(ceremony, "key", made->record, sizeof made->record);
    fw_say_hex(ceremony, "signature", made->by_transport, sizeof made->by_transport);
    fw_say_hex(ceremony, "proof", made->by_record, sizeof made->by_record);
    fw_say(ceremony, "\n");
    return true;
}

bool fw_step_record(struct fw_ceremony *ceremony, char *words[])
{
    struct image_identity next = ceremony->store->image;
    uint8_t nonce[FW_CEREMONY_NONCE_BYTES];
    uint64_t epoch = 0;
    if (!fw_number(words[1], UINT16_MAX, &epoch) || epoch == 0 ||
        fw_hex(words[2], nonce, sizeof nonce) != sizeof nonce) {
        return fw_refuse(ceremony, "word", "record takes an epoch and a nonce of 32 hexadecimal digits");
    }
    if (next.state == IMAGE_FACTORY) {
        return fw_refuse(ceremony, "order", "nothing is installed yet");
    }
    if (next.record_key.len_bytes != 0 && next.key_epoch != epoch) {
        return fw_refuse(ceremony, "epoch", "it has a record key of another epoch");
    }
    if (next.record_key.len_bytes == 0) {
        next.key_epoch = (uint16_t)epoch;
        ceremony->staged_bytes = 0;
        const bool good =
            make_key(ceremony, ceremony->stage, &next.record_key) && fw_replace(ceremony, &next);
        hr_wipe(ceremony->stage, IMAGE_KEY_MAX_BYTES);
        if (!good) {
            return false;
        }
    }
    return say_bootstrap(ceremony, nonce);
}

bool fw_step_deliver(struct fw_ceremony *ceremony, char *words[])
{
    struct image_identity next = ceremony->store->image;
    (void)words;
    if (next.state == IMAGE_FACTORY || next.record_key.len_bytes == 0) {
        return fw_refuse(ceremony, "order", "it has no record key yet");
    }
    if (next.state == IMAGE_CERTIFIED) {
        next.state = IMAGE_ENROLLED;
        if (!fw_replace(ceremony, &next)) {
            return false;
        }
        ceremony->may_deliver = true;
    }
    return fw_done(ceremony, "deliver");
}

bool fw_step_lock(struct fw_ceremony *ceremony, char *words[])
{
    struct image_identity next = ceremony->store->image;
    (void)words;
    if (next.state != IMAGE_ENROLLED) {
        return fw_refuse(ceremony, "order", "it does not deliver yet");
    }
    next.console_locked = true;
    return fw_replace(ceremony, &next) && fw_done(ceremony, "lock");
}
