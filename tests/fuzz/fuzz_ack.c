/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/assert.h"
#include "proto/wire/ack.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

/* An ack that decodes has one encoding, the bytes that it came from. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    struct wire_ack ack;
    if (!hr_is_ok(wire_ack_decode(hr_bytes_of(data, len_bytes), &ack))) {
        return 0;
    }
    uint8_t bytes[WIRE_ACK_BYTES];
    wire_ack_encode(&ack, bytes);
    HR_ASSERT(len_bytes == sizeof bytes && memcmp(bytes, data, sizeof bytes) == 0);
    HR_ASSERT(wire_ack_coap_code(ack.status) != 0 && wire_ack_status_name(ack.status)[0] != '\0');
    return 0;
}
