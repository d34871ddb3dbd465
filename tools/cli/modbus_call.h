/* SPDX-License-Identifier: Apache-2.0
 *
 * Registers of a device over Modbus TCP, or RTU over a serial line, one blocking call at a time, for a person
 * who waits. */
#ifndef CLI_MODBUS_CALL_H
#define CLI_MODBUS_CALL_H

#include "firmware/ports/linux/source.h"
#include "firmware/taps/modbus/tap_modbus.h"

#include <stdint.h>

enum { CLI_MODBUS_HOST_CHARS = 256, CLI_MODBUS_PORT_CHARS = 8, CLI_MODBUS_WHY_CHARS = 160 };

struct cli_modbus {
    char host[CLI_MODBUS_HOST_CHARS];
    char port[CLI_MODBUS_PORT_CHARS];
    bool is_rtu;
    struct port_linux_source_config serial; /* of RTU */
    struct port_linux_source bus;           /* while it is open */
    uint32_t timeout_ms;                    /* of a connection, and of an answer */
    int fd;                                 /* -1: not connected */
    struct tap_modbus line;
    char why[CLI_MODBUS_WHY_CHARS]; /* the last failure, in words */
};

/* Takes "tcp://HOST:PORT", an IPv6 address in brackets; without a port 502. Or "rtu:///dev/ttyUSB0", with
 * what is not as usual behind a question mark: "?baud=19200&parity=even&stop=2" (9600, none, 1). False: it is
 * something else. */
bool cli_modbus_address(struct cli_modbus *modbus, const char *text);

/* Connects. False: `why` says what failed. */
bool cli_modbus_connect(struct cli_modbus *modbus);

/* Reads registers, 125 at a time, into out, which has room for them. A request that no answer came to is made
 * a second time, over a new connection where the old one ended. False: `why` says what failed, out may be
 * filled in part. */
bool cli_modbus_read(struct cli_modbus *modbus, uint8_t unit, uint16_t address, uint16_t n_registers,
                     uint16_t *out);

void cli_modbus_close(struct cli_modbus *modbus);

#endif
