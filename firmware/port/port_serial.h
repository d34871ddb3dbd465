/* SPDX-License-Identifier: Apache-2.0
 *
 * A source of bytes: a UART, a socket, a file. */
#ifndef PORT_SERIAL_H
#define PORT_SERIAL_H

#include "proto/base/status.h"

#include <stddef.h>
#include <stdint.h>

struct port_serial {
    /* Takes up to capacity_bytes that have arrived, without waiting. HR_AGAIN: none now. HR_CLOSED: the
     * source ended (file, peer). HR_IO: the source failed; it may be opened again. *len_bytes is at least 1
     * on success. [loop] */
    HR_MUST_USE struct hr_status (*read)(void *ctx, uint8_t *out, size_t capacity_bytes, size_t *len_bytes);
    void *ctx;
};

#endif
