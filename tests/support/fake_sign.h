/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAKE_SIGN_H
#define FAKE_SIGN_H

#include "firmware/port/port_sign.h"

/* A port_sign whose signatures are a function of the bytes and no more, for sweeps in which real ES256 would
 * take the time. The spool never looks into a signature. `fails` makes the next calls HR_IO. */
struct fake_sign {
    struct port_sign port;
    bool fails;
};

void fake_sign_make(struct fake_sign *sign);

#endif
