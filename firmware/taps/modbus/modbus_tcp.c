/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/modbus/modbus_internal.h"
#include "proto/base/cursor.h"

enum { LENGTH_MIN = 2, LENGTH_MAX = 254 }; /* of the header's length field: unit and PDU */

/* A whole frame that answers the request under way by its transaction: nothing else will come for it. */
static void take_answer(struct tap_modbus *line, uint8_t unit, const uint8_t *pdu, size_t len_bytes)
{
    if (unit != line->asked.unit) {
        tap_modbus_end(line, TAP_MODBUS_WRONG_UNIT);
    } else if (!tap_modbus_take_pdu(line, pdu, len_bytes)) {
        tap_modbus_end(line, TAP_MODBUS_WRONG_ANSWER);
    }
}

void tap_modbus_scan_tcp(struct tap_modbus *line)
{
    while (line->len_bytes >= MODBUS_MBAP_BYTES) {
        struct hr_reader reader = hr_reader_over(hr_bytes_of(line->frame, line->len_bytes));
        uint16_t transaction = hr_read_u16(&reader);
        uint16_t protocol = hr_read_u16(&reader);
        size_t length = hr_read_u16(&reader);
        uint8_t unit = hr_read_u8(&reader);
        size_t frame_bytes = MODBUS_MBAP_BYTES - 1 + length;
        if (protocol != 0 || length < LENGTH_MIN || length > LENGTH_MAX) {
            line->counter[TAP_MODBUS_NOISE_BYTES] += line->len_bytes;
            tap_modbus_drop(line, line->len_bytes);
            tap_modbus_end(line, TAP_MODBUS_BROKEN);
            line->state = TAP_MODBUS_BROKEN;
            return;
        }
        if (line->len_bytes < frame_bytes) {
            return;
        }
        if (line->state == TAP_MODBUS_WAITING && transaction == line->transaction) {
            take_answer(line, unit, line->frame + MODBUS_MBAP_BYTES, length - 1);
        } else {
            line->counter[TAP_MODBUS_FOREIGN_FRAMES]++;
        }
        tap_modbus_drop(line, frame_bytes);
    }
}
