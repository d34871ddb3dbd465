/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/provisioner.h"

#include "firmware/app/trust_store.h"
#include "firmware/crypto/crypto.h"
#include "firmware/crypto/device_key.h"
#include "firmware/net/client.h"

#include <string.h>

static struct hr_status sample(void *ctx, uint8_t out[FW_CEREMONY_SAMPLE_BYTES])
{
    (void)ctx;
    return crypto_random_fill(out, FW_CEREMONY_SAMPLE_BYTES);
}

static struct hr_status new_key(void *ctx, uint8_t out[IMAGE_KEY_MAX_BYTES], size_t *len_bytes)
{
    (void)ctx;
    HR_TRY(crypto_key_new(out));
    *len_bytes = CRYPTO_KEY_BYTES;
    return hr_ok();
}

static struct hr_status public_key(void *ctx, struct hr_bytes key, uint8_t spki[FW_SPKI_BYTES])
{
    struct crypto_signer signer;
    (void)ctx;
    HR_TRY(crypto_signer_load(&signer, key, 1));
    memcpy(spki, signer.spki, FW_SPKI_BYTES);
    crypto_signer_unload(&signer);
    return hr_ok();
}

static struct hr_status sign(void *ctx, struct hr_bytes key, struct hr_bytes message,
                             uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    struct crypto_signer signer;
    (void)ctx;
    HR_TRY(crypto_signer_load(&signer, key, 1));
    struct hr_status status = signer.port.sign(signer.port.ctx, message, signature);
    crypto_signer_unload(&signer);
    return status;
}

static struct hr_status check(void *ctx, const struct image_identity *identity,
                              const uint8_t spki[FW_SPKI_BYTES])
{
    (void)ctx;
    HR_TRY(crypto_certificate_is_of(identity->certificate, spki));
    for (uint8_t i = 0; i < identity->n_ca; i++) {
        HR_TRY(crypto_certificate_signs(identity->ca[i]));
    }
    return hr_ok();
}

static bool is_address(void *ctx, const char *uri)
{
    struct net_address address;
    (void)ctx;
    return hr_is_ok(net_address_parse(uri, &address));
}

static bool follows_trust(void *ctx)
{
    (void)ctx;
    return app_trust_store_follows();
}

static struct hr_status keep_trust(void *ctx, uint32_t i, struct hr_bytes piece, struct image_identity *next)
{
    (void)ctx;
    return app_trust_store_keep(i, piece, next);
}

static const struct fw_ceremony_ports ports = {.sample = sample,
                                               .new_key = new_key,
                                               .public_key = public_key,
                                               .sign = sign,
                                               .check = check,
                                               .is_address = is_address,
                                               .follows_trust = follows_trust,
                                               .keep_trust = keep_trust,
                                               .say = app_provisioner_say,
                                               .hash = crypto_hash,
                                               .firmware = APP_VERSION,
                                               .digest = app_provisioner_digest};

void app_provisioner_init(struct fw_ceremony *ceremony, struct fw_identity_store *store,
                          uint8_t stage[FW_CEREMONY_STAGE_BYTES], void *ctx)
{
    fw_ceremony_init(ceremony, &ports, ctx, store, stage);
}
