/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_sign.h"

#include "proto/base/crc32c.h"

#include <string.h>

static struct hr_status fake_signature(void *ctx, struct hr_bytes message,
                                       uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    const struct fake_sign *sign = ctx;
    if (sign->fails) {
        return hr_status_of(HR_IO);
    }
    uint32_t crc = hr_crc32c(0, message.data, message.len_bytes);
    for (size_t i = 0; i < WIRE_SIGNATURE_BYTES; i++) {
        signature[i] = (uint8_t)(crc >> (8 * (i % 4)));
    }
    return hr_ok();
}

void fake_sign_make(struct fake_sign *sign)
{
    *sign = (struct fake_sign){.port = {.key_epoch = 1, .sign = fake_signature}};
    memset(sign->port.spki_sha256, 0x5A, sizeof sign->port.spki_sha256);
    sign->port.ctx = sign;
}
