/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes into the Modbus framer. Input: framing and piece length, unit, function, registers, then what the
 * line says. Registers must be those of bytes that stand in the input; on TCP the cut must not matter. */
#include "firmware/taps/modbus/tap_modbus.h"
#include "proto/base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

static struct tap_modbus whole;
static struct tap_modbus cut;

static bool has_registers(const struct tap_modbus *line, struct hr_bytes bytes)
{
    size_t n_bytes = (size_t)line->asked.n_registers * 2;
    for (size_t at = 0; at + n_bytes <= bytes.len_bytes; at++) {
        size_t i = 0;
        while (i < n_bytes &&
               bytes.data[at + i] == (uint8_t)(line->registers[i / 2] >> (i % 2 == 0 ? 8 : 0))) {
            i++;
        }
        if (i == n_bytes) {
            return true;
        }
    }
    return false;
}

static void check(const struct tap_modbus *line, struct hr_bytes bytes)
{
    uint64_t n_ends = 0;
    for (size_t i = TAP_MODBUS_ANSWERS; i <= TAP_MODBUS_BROKEN_STREAMS; i++) {
        n_ends += line->counter[i];
    }
    HR_ASSERT(n_ends == line->counter[TAP_MODBUS_REQUESTS]);
    HR_ASSERT(line->counter[TAP_MODBUS_NOISE_BYTES] <= bytes.len_bytes);
    HR_ASSERT(line->state != TAP_MODBUS_ANSWERED || has_registers(line, bytes));
    HR_ASSERT(line->state != TAP_MODBUS_SILENT || bytes.len_bytes == 0 ||
              line->counter[TAP_MODBUS_FOREIGN_FRAMES] > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    uint8_t out[TAP_MODBUS_REQUEST_MAX_BYTES];
    if (len_bytes < 4) {
        return 0;
    }
    enum tap_modbus_framing framing = (data[0] & 0x80) != 0 ? TAP_MODBUS_TCP : TAP_MODBUS_RTU;
    size_t piece = 1U + (data[0] & 0x7F);
    const struct tap_modbus_request request = {
        .unit = data[1],
        .table = data[2] % 2 == 0 ? TAP_MODBUS_INPUT : TAP_MODBUS_HOLDING,
        .n_registers = (uint16_t)(1 + data[3] % TAP_MODBUS_READ_MAX_REGISTERS),
    };
    struct hr_bytes bytes = hr_bytes_of(data + 4, len_bytes - 4);
    tap_modbus_init(&whole, framing);
    tap_modbus_init(&cut, framing);
    (void)tap_modbus_ask(&whole, &request, out);
    (void)tap_modbus_ask(&cut, &request, out);
    (void)tap_modbus_feed(&whole, bytes);
    for (size_t at = 0; at < bytes.len_bytes; at += piece) {
        size_t len = bytes.len_bytes - at < piece ? bytes.len_bytes - at : piece;
        (void)tap_modbus_feed(&cut, hr_bytes_of(bytes.data + at, len));
    }
    (void)tap_modbus_over(&whole);
    (void)tap_modbus_over(&cut);
    check(&whole, bytes);
    check(&cut, bytes);
    if (framing == TAP_MODBUS_TCP) {
        HR_ASSERT(whole.state == cut.state);
    }
    return 0;
}
