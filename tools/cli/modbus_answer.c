/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/modbus_answer.h"

#include "proto/base/cursor.h"

#include <string.h>

enum {
    REQUEST_BYTES = 6, /* unit, function, address, number */
    HEADER_BYTES = 6,  /* of TCP, before the unit */
    CRC_BYTES = 2,
    FOREIGN_UNIT = 247,
    EXCEPTION = 0x80,
    ILLEGAL_FUNCTION = 1,
    ILLEGAL_ADDRESS = 2,
    ILLEGAL_VALUE = 3,
    BUSY = 6,
};

const char *const CLI_SIM_FAULT_NAMES[SIM_N_FAULTS + 1] = {
    [SIM_FAULT_NONE] = "none",
    [SIM_FAULT_SILENT] = "silent",
    [SIM_FAULT_LATE] = "late",
    [SIM_FAULT_WRONG_UNIT] = "wrong_unit",
    [SIM_FAULT_TRUNCATED] = "truncated",
    [SIM_FAULT_BAD_CRC] = "bad_crc",
    [SIM_FAULT_BUSY] = "busy",
    [SIM_FAULT_ILLEGAL_ADDRESS] = "illegal_address",
    [SIM_FAULT_NOT_IMPLEMENTED] = "not_implemented",
    [SIM_FAULT_NO_SCALE] = "no_scale",
    [SIM_FAULT_MODEL_65] = "model_65",
};

static const enum sim_plant_view VIEW[SIM_N_FAULTS] = {
    [SIM_FAULT_NOT_IMPLEMENTED] = SIM_PLANT_NOT_IMPLEMENTED,
    [SIM_FAULT_NO_SCALE] = SIM_PLANT_NO_SCALE,
    [SIM_FAULT_MODEL_65] = SIM_PLANT_MODEL_65,
};

/* Unit and PDU of the answer. */
static void write_answer(struct hr_writer *writer, const struct sim_plant_device *device,
                         enum sim_fault fault, struct hr_bytes request)
{
    struct hr_reader reader = hr_reader_over(request);
    uint8_t unit = hr_read_u8(&reader);
    uint8_t function = hr_read_u8(&reader);
    uint32_t address = hr_read_u16(&reader);
    uint32_t n_registers = hr_read_u16(&reader);
    uint8_t refusal = 0;
    if (function != TAP_MODBUS_HOLDING) {
        refusal = ILLEGAL_FUNCTION;
    } else if (n_registers == 0 || n_registers > TAP_MODBUS_READ_MAX_REGISTERS) {
        refusal = ILLEGAL_VALUE;
    } else if (fault == SIM_FAULT_ILLEGAL_ADDRESS || address < SIM_PLANT_BASE ||
               address + n_registers > (uint32_t)SIM_PLANT_BASE + device->n_registers) {
        refusal = ILLEGAL_ADDRESS;
    } else if (fault == SIM_FAULT_BUSY) {
        refusal = BUSY;
    }
    hr_write_u8(writer, fault == SIM_FAULT_WRONG_UNIT ? FOREIGN_UNIT : unit);
    if (refusal != 0) {
        hr_write_u8(writer, function | EXCEPTION);
        hr_write_u8(writer, refusal);
        return;
    }
    hr_write_u8(writer, function);
    hr_write_u8(writer, (uint8_t)(n_registers * 2));
    for (uint32_t i = 0; i < n_registers; i++) {
        hr_write_u16(writer, device->registers[address - SIM_PLANT_BASE + i]);
    }
}

/* The whole frame of an answer, damaged as the fault says. */
static size_t write_frame(const struct cli_modbus_peer *peer, const struct sim_plant_device *device,
                          enum sim_fault fault, uint8_t out[TAP_MODBUS_FRAME_MAX_BYTES])
{
    bool is_tcp = peer->framing == TAP_MODBUS_TCP;
    size_t head_bytes = is_tcp ? HEADER_BYTES : 0;
    struct hr_writer writer = hr_writer_over(out, TAP_MODBUS_FRAME_MAX_BYTES);
    if (is_tcp) {
        hr_write_raw(&writer, peer->bytes, 4);
        hr_write_u16(&writer, 0);
    }
    write_answer(&writer, device, fault, hr_bytes_of(peer->bytes + head_bytes, REQUEST_BYTES));
    if (is_tcp) {
        size_t length = writer.at - HEADER_BYTES;
        out[4] = fault == SIM_FAULT_BAD_CRC ? 0xFF : 0;
        out[5] = (uint8_t)length;
    } else {
        uint16_t crc = tap_modbus_crc(hr_bytes_of(out, writer.at));
        hr_write_u8(&writer, (uint8_t)((crc & 0xFF) ^ (fault == SIM_FAULT_BAD_CRC ? 1 : 0)));
        hr_write_u8(&writer, (uint8_t)(crc >> 8));
    }
    return writer.at - (fault == SIM_FAULT_TRUNCATED ? 1 : 0);
}

/* Answers the request at the beginning of the peer's bytes. */
static size_t answer(struct cli_modbus_peer *peer, struct sim_plant *plant, const enum sim_fault faults[256],
                     uint8_t *out)
{
    uint8_t frame[TAP_MODBUS_FRAME_MAX_BYTES];
    uint8_t unit = peer->bytes[peer->framing == TAP_MODBUS_TCP ? HEADER_BYTES : 0];
    struct sim_plant_device *device = cli_plant_device(plant, unit);
    struct sim_plant_device seen;
    size_t len = peer->late_bytes;
    memcpy(out, peer->late, len);
    peer->late_bytes = 0;
    if (device == NULL || faults[unit] == SIM_FAULT_SILENT) {
        return len;
    }
    device->n_answers++;
    cli_plant_view(device, VIEW[faults[unit]], &seen);
    size_t frame_bytes = write_frame(peer, &seen, faults[unit], frame);
    if (faults[unit] == SIM_FAULT_LATE) {
        memcpy(peer->late, frame, frame_bytes);
        peer->late_bytes = frame_bytes;
        return len;
    }
    memcpy(out + len, frame, frame_bytes);
    return len + frame_bytes;
}

static void drop(struct cli_modbus_peer *peer, size_t n_bytes)
{
    peer->len_bytes -= n_bytes;
    memmove(peer->bytes, peer->bytes + n_bytes, peer->len_bytes);
}

/* Bytes of the request at the beginning, when it is whole; 0 while it is not. What can't be one is dropped.
 */
static size_t whole_request(struct cli_modbus_peer *peer)
{
    size_t want = peer->framing == TAP_MODBUS_TCP ? HEADER_BYTES + REQUEST_BYTES : REQUEST_BYTES + CRC_BYTES;
    while (peer->len_bytes >= want) {
        bool is_right = false;
        if (peer->framing == TAP_MODBUS_TCP) {
            is_right = peer->bytes[4] == 0 && peer->bytes[5] == REQUEST_BYTES;
        } else {
            uint16_t crc = tap_modbus_crc(hr_bytes_of(peer->bytes, REQUEST_BYTES));
            is_right =
                peer->bytes[REQUEST_BYTES] == (crc & 0xFF) && peer->bytes[REQUEST_BYTES + 1] == crc >> 8;
        }
        if (is_right) {
            return want;
        }
        drop(peer, 1);
    }
    return 0;
}

size_t cli_modbus_answer(struct cli_modbus_peer *peer, struct sim_plant *plant,
                         const enum sim_fault faults[256], struct hr_bytes bytes, size_t *n_taken,
                         uint8_t out[CLI_MODBUS_ANSWER_MAX_BYTES])
{
    size_t len = 0;
    *n_taken = 0;
    while (len == 0 && *n_taken < bytes.len_bytes) {
        peer->bytes[peer->len_bytes++] = bytes.data[(*n_taken)++];
        size_t request_bytes = whole_request(peer);
        if (request_bytes > 0) {
            len = answer(peer, plant, faults, out);
            drop(peer, request_bytes);
        }
    }
    return len;
}
