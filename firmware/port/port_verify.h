/* SPDX-License-Identifier: Apache-2.0
 *
 * The public side of the record keys. The uplink asks it, when the aggregator refuses a batch, whether the
 * batch is right as it stands in the spool. */
#ifndef PORT_VERIFY_H
#define PORT_VERIFY_H

#include "proto/base/status.h"
#include "proto/wire/batch.h"

struct port_verify {
    /* Checks the signature of a batch header by this device's key of that epoch, strictly: r and s in [1,
     * n-1]. HR_DENIED: it is not that key's signature. HR_NOT_FOUND: no public key of that epoch is here.
     * HR_IO: the key store failed. May take hundreds of milliseconds on a microcontroller. [loop] */
    HR_MUST_USE struct hr_status (*verify)(void *ctx, uint16_t key_epoch,
                                           const uint8_t header[WIRE_HEADER_BYTES],
                                           const uint8_t signature[WIRE_SIGNATURE_BYTES]);
    void *ctx;
};

#endif
