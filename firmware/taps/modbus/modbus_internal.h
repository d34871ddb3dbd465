/* SPDX-License-Identifier: Apache-2.0
 *
 * What the framer's two framings share; nobody else includes this. */
#ifndef TAP_MODBUS_INTERNAL_H
#define TAP_MODBUS_INTERNAL_H

#include "firmware/taps/modbus/tap_modbus.h"

enum { MODBUS_EXCEPTION_BIT = 0x80, MODBUS_MBAP_BYTES = 7 };

/* Ends the request in this state and counts it. Does nothing when none is WAITING. */
void tap_modbus_end(struct tap_modbus *line, enum tap_modbus_state state);

/* A whole frame arrived that is for the asked unit: function code and what follows. Ends the request when it
 * is its answer; returns false when it is not. */
bool tap_modbus_take_pdu(struct tap_modbus *line, const uint8_t *pdu, size_t len_bytes);

/* Removes the first n_bytes of the line's frame. */
void tap_modbus_drop(struct tap_modbus *line, size_t n_bytes);

/* Takes what frames there are in line->frame. */
void tap_modbus_scan_rtu(struct tap_modbus *line);
void tap_modbus_scan_tcp(struct tap_modbus *line);

#endif
