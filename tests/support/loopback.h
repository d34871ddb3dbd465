/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <stdint.h>

/* A socket of this type (SOCK_STREAM, SOCK_DGRAM) that is bound to a free port of 127.0.0.1; the caller
 * closes it. */
int loopback_socket(int type, uint16_t *port);

#endif
