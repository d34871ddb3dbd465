/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/key_pair.h"

#include <string.h>

static struct hr_status verify(void *ctx, uint16_t key_epoch, const uint8_t header[WIRE_HEADER_BYTES],
                               const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    const struct app_key_pair *pair = ctx;
    bool is_next = pair->port.note.phase != PORT_KEYS_SINGLE && key_epoch != pair->key_verifier.key_epoch;
    const struct port_verify *by = is_next ? &pair->next_verifier.port : &pair->key_verifier.port;
    return by->verify(by->ctx, key_epoch, header, signature);
}

static struct hr_status load(struct crypto_signer *signer, struct crypto_verifier *verifier,
                             struct hr_bytes der, uint16_t epoch)
{
    HR_TRY(crypto_signer_load(signer, der, epoch));
    struct hr_status status = crypto_verifier_load(verifier, signer->spki, epoch);
    if (!hr_is_ok(status)) {
        crypto_signer_unload(signer);
    }
    return status;
}

struct hr_status app_key_pair_load(struct app_key_pair *pair, struct hr_bytes der, uint16_t epoch,
                                   bool is_loaded)
{
    if (is_loaded) {
        crypto_signer_unload(&pair->key);
        crypto_verifier_unload(&pair->key_verifier);
    }
    HR_TRY(load(&pair->key, &pair->key_verifier, der, epoch));
    pair->port.key = pair->key.port;
    pair->verify = (struct port_verify){verify, pair};
    return hr_ok();
}

struct hr_status app_key_pair_load_next(struct app_key_pair *pair, struct hr_bytes der)
{
    HR_TRY(load(&pair->next, &pair->next_verifier, der, (uint16_t)(pair->port.key.key_epoch + 1)));
    pair->port.next = pair->next.port;
    memcpy(pair->port.next_spki, pair->next.spki, sizeof pair->port.next_spki);
    return hr_ok();
}

void app_key_pair_forget_next(struct app_key_pair *pair)
{
    crypto_signer_unload(&pair->next);
    crypto_verifier_unload(&pair->next_verifier);
    memset(&pair->port.next, 0, sizeof pair->port.next);
}
