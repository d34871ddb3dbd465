/* SPDX-License-Identifier: Apache-2.0
 *
 * Names looked up by the host's resolver, in the background. At most eight names at a time. Static storage;
 * [loop]. */
#ifndef PORT_LINUX_RESOLVE_H
#define PORT_LINUX_RESOLVE_H

#include "firmware/port/port_resolve.h"

const struct port_resolve *port_linux_resolve(void);

#endif
