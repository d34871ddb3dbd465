/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/modbus/modbus_internal.h"

enum {
    RTU_FRAME_MAX_BYTES = 256,
    RTU_CRC_BYTES = 2,
    RTU_EXCEPTION_BYTES = 5,
    RTU_HEAD_BYTES = 3, /* unit, function, count or code */
};

uint16_t tap_modbus_crc(struct hr_bytes bytes)
{
    /* The sixteen values of half an octet: a 25 MHz core does four times the work of a table of 256 in 1/16
     * of the flash. */
    static const uint16_t HALF[16] = {0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
                                      0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400};
    uint16_t crc = 0xFFFF;
    for (size_t i = 0; i < bytes.len_bytes; i++) {
        crc = (uint16_t)(crc ^ bytes.data[i]);
        crc = (uint16_t)((crc >> 4) ^ HALF[crc & 0x0F]);
        crc = (uint16_t)((crc >> 4) ^ HALF[crc & 0x0F]);
    }
    return crc;
}

/* Bytes of the frame that begins with these, by its function: 0 when no answer begins so, RTU_HEAD_BYTES when
 * the head is not complete. */
static size_t frame_bytes(const uint8_t *at, size_t len_bytes)
{
    if (len_bytes < RTU_HEAD_BYTES) {
        return RTU_HEAD_BYTES;
    }
    if ((at[1] & MODBUS_EXCEPTION_BIT) != 0) {
        return RTU_EXCEPTION_BYTES;
    }
    if ((at[1] != TAP_MODBUS_HOLDING && at[1] != TAP_MODBUS_INPUT) || at[2] % 2 != 0 || at[2] == 0) {
        return 0;
    }
    size_t len = RTU_HEAD_BYTES + (size_t)at[2] + RTU_CRC_BYTES;
    return len <= RTU_FRAME_MAX_BYTES ? len : 0;
}

static bool has_crc(const uint8_t *frame, size_t len_bytes)
{
    uint16_t crc = tap_modbus_crc(hr_bytes_of(frame, len_bytes - RTU_CRC_BYTES));
    return frame[len_bytes - 2] == (crc & 0xFF) && frame[len_bytes - 1] == crc >> 8;
}

/* The frame begins as the answer under way would. */
static bool is_shaped(const struct tap_modbus *line, const uint8_t *at, size_t left_bytes)
{
    return left_bytes >= RTU_HEAD_BYTES && at[0] == line->asked.unit &&
           (at[1] == (uint8_t)line->asked.table
                ? at[2] == line->asked.n_registers * 2
                : at[1] == ((uint8_t)line->asked.table | MODBUS_EXCEPTION_BIT));
}

/* A whole frame with a right CRC. */
static void take_frame(struct tap_modbus *line, const uint8_t *at, size_t len_bytes)
{
    if (line->state == TAP_MODBUS_WAITING && at[0] == line->asked.unit &&
        tap_modbus_take_pdu(line, at + 1, len_bytes - 1 - RTU_CRC_BYTES)) {
        return;
    }
    line->saw_unit = line->saw_unit || at[0] != line->asked.unit;
    line->saw_answer = line->saw_answer || at[0] == line->asked.unit;
    line->counter[TAP_MODBUS_FOREIGN_FRAMES]++;
}

/* Looks for the first whole frame with a right CRC: any at the beginning, the answer also behind noise.
 * Returns where it begins, or the length when there is none; *found_bytes is its length. *keep_from is the
 * first place where a frame may still be coming. What was whole at the last look is not looked at again, so
 * that bytes one by one cost no more. */
static size_t find_frame(struct tap_modbus *line, size_t *found_bytes, size_t *keep_from)
{
    size_t len = line->len_bytes;
    *keep_from = len;
    for (size_t at = 0; at < len; at++) {
        const uint8_t *bytes = line->frame + at;
        size_t want = frame_bytes(bytes, len - at);
        bool is_ours = is_shaped(line, bytes, len - at);
        if (want == 0) {
            continue;
        }
        if (len - at < want || len - at < RTU_HEAD_BYTES) {
            *keep_from = at < *keep_from ? at : *keep_from;
        } else if ((at == 0 || is_ours) && at + want > line->scanned_bytes) {
            if (has_crc(bytes, want)) {
                *found_bytes = want;
                return at;
            }
            line->saw_crc = line->saw_crc || is_ours;
        }
    }
    return len;
}

void tap_modbus_scan_rtu(struct tap_modbus *line)
{
    size_t found_bytes = 0;
    size_t keep_from = 0;
    size_t at = find_frame(line, &found_bytes, &keep_from);
    while (at < line->len_bytes) {
        line->counter[TAP_MODBUS_NOISE_BYTES] += at;
        take_frame(line, line->frame + at, found_bytes);
        tap_modbus_drop(line, at + found_bytes);
        at = find_frame(line, &found_bytes, &keep_from);
    }
    /* No frame is as long as the buffer, so that what is kept leaves room. */
    line->counter[TAP_MODBUS_NOISE_BYTES] += keep_from;
    tap_modbus_drop(line, keep_from);
    line->scanned_bytes = line->len_bytes;
}
