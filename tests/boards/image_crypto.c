/* SPDX-License-Identifier: Apache-2.0
 *
 * What a board does with the seed in its memory, step by step on the console: first what it refuses before it
 * has one, then the numbers and the signature that it makes with one. The key is that of
 * tests/vectors/signature.txt, and the header to be signed stands behind the seed pages; test_crypto.py knows
 * what must come out. */
#include "boards/family/board.h"
#include "boards/family/semihost.h"
#include "boards/family/text.h"
#include "firmware/core/provision.h"
#include "firmware/crypto/crypto.h"
#include "firmware/ports/cortex_m/pool.h"
#include "proto/base/assert.h"
#include "proto/wire/batch.h"

#include <psa/crypto.h>
#include <string.h>

enum { N_RANDOM_BYTES = 64, N_LATER_BYTES = 1500 };

static struct crypto_signer signer;
static struct crypto_verifier verifier;

static void tell(const char *what, const char *how)
{
    board_text(what);
    board_text(" ");
    board_text(how);
    board_text("\r\n");
}

static void tell_bytes(const char *what, const uint8_t *bytes, size_t len_bytes)
{
    static const char digits[] = "0123456789abcdef";
    board_text(what);
    board_text(" ");
    for (size_t i = 0; i < len_bytes; i++) {
        const char text[] = {digits[bytes[i] >> 4], digits[bytes[i] & 15], '\0'};
        board_text(text);
    }
    board_text("\r\n");
}

/* The private key 01 02 .. 20 as SEC1 (RFC 5915): SEQUENCE {1, OCTET STRING, [0] secp256r1}. */
static struct hr_status load_key(void)
{
    static uint8_t der[51] = {0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20};
    static const uint8_t tail[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    for (size_t i = 0; i < 32; i++) {
        der[7 + i] = (uint8_t)(i + 1);
    }
    memcpy(der + 39, tail, sizeof tail);
    return crypto_signer_load(&signer, hr_bytes_of(der, sizeof der), 2);
}

static psa_status_t make_key(void)
{
    psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
    psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
    psa_set_key_bits(&attributes, 256);
    psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE);
    psa_set_key_algorithm(&attributes, PSA_ALG_ECDSA(PSA_ALG_SHA_256));
    mbedtls_svc_key_id_t key = MBEDTLS_SVC_KEY_ID_INIT;
    return psa_generate_key(&attributes, &key);
}

/* The library by itself, without the seed that crypto_start_seeded gives it: it has to do without. */
static void refuse_everything(void)
{
    uint8_t random[N_RANDOM_BYTES];
    tell("key before the seed:", hr_code_name(load_key().code));
    bool started = psa_crypto_init() == PSA_SUCCESS;
    tell("numbers before the seed:",
         started && psa_generate_random(random, sizeof random) == PSA_SUCCESS ? "given" : "refused");
    tell("a new key before the seed:", started && make_key() == PSA_SUCCESS ? "made" : "refused");
}

static void sign_and_verify(const struct port_flash *memory)
{
    uint8_t header[WIRE_HEADER_BYTES];
    uint8_t tbs[WIRE_TBS_BYTES];
    uint8_t signature[WIRE_SIGNATURE_BYTES];
    uint32_t address = IMAGE_SYSTEM_PAGES * image_page_bytes(memory->sector_bytes);
    HR_ASSERT(hr_is_ok(memory->read(memory->ctx, address, header, sizeof header)));
    HR_ASSERT(hr_is_ok(load_key()));
    HR_ASSERT(hr_is_ok(crypto_verifier_load(&verifier, signer.spki, 2)));
    wire_tbs(header, signer.port.spki_sha256, tbs);
    HR_ASSERT(hr_is_ok(signer.port.sign(signer.port.ctx, hr_bytes_of(tbs, sizeof tbs), signature)));
    tell_bytes("signature", signature, sizeof signature);
    tell("it verifies:", hr_code_name(verifier.port.verify(verifier.port.ctx, 2, header, signature).code));
    signature[5] ^= 1;
    tell("changed, it verifies:",
         hr_code_name(verifier.port.verify(verifier.port.ctx, 2, header, signature).code));
    tell("a new key:", make_key() == PSA_SUCCESS ? "made" : "refused");
}

int main(void)
{
    static uint8_t random[N_LATER_BYTES];
    uint8_t seed[CRYPTO_SEED_BYTES];
    board_start();
    const struct port_flash *memory = board_flash();
    HR_ASSERT(memory != NULL);
    refuse_everything();
    struct hr_status status = fw_seed_take(memory, crypto_hash(), seed);
    tell("seed:", hr_code_name(status.code));
    if (!hr_is_ok(status)) {
        board_semihost_exit(1);
    }
    HR_ASSERT(hr_is_ok(crypto_start_seeded(seed)));
    HR_ASSERT(psa_generate_random(random, N_RANDOM_BYTES) == PSA_SUCCESS);
    tell_bytes("random", random, N_RANDOM_BYTES);
    HR_ASSERT(psa_generate_random(random, sizeof random) == PSA_SUCCESS);
    tell_bytes("later", random + sizeof random - N_RANDOM_BYTES, N_RANDOM_BYTES);
    (void)port_random_u32(crypto_random());
    sign_and_verify(memory);
    struct port_pool_state pool;
    port_pool_state(&pool);
    board_text("pool peak ");
    board_text_number((uint32_t)pool.peak_bytes);
    board_text(", stack ");
    board_text_number((uint32_t)board_stack_used_bytes());
    board_text("\r\n");
    board_semihost_exit(0);
}
