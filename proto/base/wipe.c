/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/wipe.h"

#include <stdint.h>

void hr_wipe(void *secret, size_t len_bytes)
{
    volatile uint8_t *bytes = secret;
    for (size_t i = 0; i < len_bytes; i++) {
        bytes[i] = 0;
    }
}
