/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/sunspec/tap_sunspec.h"
#include "proto/base/assert.h"

#include <string.h>

enum { SCALE_NOT_IMPLEMENTED = -32768 };

/* How a type is told: what it says when it has no value, compared as unsigned, and whether it has a sign. */
struct number {
    uint64_t none;
    bool is_signed;
};

static const struct number NUMBER[TAP_SUNSPEC_SUNSSF + 1] = {
    [TAP_SUNSPEC_INT16] = {0x8000, true},
    [TAP_SUNSPEC_INT32] = {0x80000000, true},
    [TAP_SUNSPEC_INT64] = {UINT64_C(0x8000000000000000), true},
    [TAP_SUNSPEC_UINT16] = {0xFFFF, false},
    [TAP_SUNSPEC_UINT32] = {0xFFFFFFFF, false},
    [TAP_SUNSPEC_UINT64] = {UINT64_MAX, false},
    [TAP_SUNSPEC_ACC16] = {0, false},
    [TAP_SUNSPEC_ACC32] = {0, false},
    [TAP_SUNSPEC_ACC64] = {0, false},
    [TAP_SUNSPEC_ENUM16] = {0xFFFF, false},
    [TAP_SUNSPEC_ENUM32] = {0xFFFFFFFF, false},
    [TAP_SUNSPEC_BITFIELD16] = {0xFFFF, false},
    [TAP_SUNSPEC_BITFIELD32] = {0xFFFFFFFF, false},
    [TAP_SUNSPEC_BITFIELD64] = {UINT64_MAX, false},
    [TAP_SUNSPEC_COUNT] = {0xFFFF, false},
    [TAP_SUNSPEC_SUNSSF] = {0x8000, true},
};

static uint64_t join(const uint16_t *registers, size_t n_registers)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < n_registers; i++) {
        bits = bits << 16 | registers[i];
    }
    return bits;
}

/* The number of n_bits in two's complement. */
static int64_t with_sign(uint64_t bits, unsigned n_bits)
{
    HR_ASSERT(n_bits >= 1 && n_bits <= 64);
    uint64_t top = UINT64_C(1) << (n_bits - 1);
    return (bits & top) == 0 ? (int64_t)bits : -(int64_t)(~bits & (top - 1)) - 1;
}

static void read_real(struct tap_sunspec_value *value)
{
    uint32_t bits = (uint32_t)join(value->registers, 2);
    bool is_special = (bits & 0x7F800000) == 0x7F800000;
    value->form = TAP_SUNSPEC_REAL;
    if (is_special) {
        value->form = (bits & 0x007FFFFF) != 0 ? TAP_SUNSPEC_NOT_IMPLEMENTED : TAP_SUNSPEC_OUT_OF_RANGE;
    } else {
        memcpy(&value->real, &bits, sizeof value->real);
    }
}

static void read_number(struct tap_sunspec_value *value, const uint16_t *scale)
{
    const struct number *number = &NUMBER[value->point->type];
    uint64_t bits = join(value->registers, value->point->n_registers);
    if (bits == number->none) {
        value->form = TAP_SUNSPEC_NOT_IMPLEMENTED;
        return;
    }
    value->form = TAP_SUNSPEC_INTEGER;
    value->integer =
        number->is_signed ? with_sign(bits, value->point->n_registers * 16U) : (int64_t)(bits & INT64_MAX);
    if (!number->is_signed && bits > INT64_MAX) {
        value->form = TAP_SUNSPEC_OUT_OF_RANGE;
    }
    int64_t power = scale == NULL ? 0 : with_sign(*scale, 16);
    if (power == SCALE_NOT_IMPLEMENTED) {
        power = 0; /* what the device then says is the value itself */
    }
    if (power < -TAP_SUNSPEC_SCALE_MOST || power > TAP_SUNSPEC_SCALE_MOST) {
        value->form = TAP_SUNSPEC_OUT_OF_RANGE;
    } else {
        value->scale = (int8_t)power;
    }
}

void tap_sunspec_read(struct tap_sunspec_value *value, const uint16_t *scale)
{
    value->scale = 0;
    value->integer = 0;
    value->real = 0;
    switch (value->point->type) {
    case TAP_SUNSPEC_FLOAT32:
        read_real(value);
        break;
    case TAP_SUNSPEC_STRING:
        value->form = value->registers[0] >> 8 == 0 ? TAP_SUNSPEC_NOT_IMPLEMENTED : TAP_SUNSPEC_TEXT;
        break;
    default:
        read_number(value, scale);
        break;
    }
}

size_t tap_sunspec_text(const struct tap_sunspec_value *value, char out[TAP_SUNSPEC_TEXT_MAX_BYTES])
{
    size_t len = 0;
    HR_ASSERT(value->form == TAP_SUNSPEC_TEXT && value->point->n_registers * 2 < TAP_SUNSPEC_TEXT_MAX_BYTES);
    while (len < (size_t)value->point->n_registers * 2) {
        unsigned both = value->registers[len / 2];
        out[len] = (char)(len % 2 == 0 ? both >> 8 : both & 0xFF);
        if (out[len] == '\0') {
            break;
        }
        len++;
    }
    out[len] = '\0';
    return len;
}

const char *tap_sunspec_symbol(const struct tap_sunspec_item *point, uint32_t value)
{
    for (size_t i = 0; i < point->n_symbols; i++) {
        if (point->symbols[i].value == value) {
            return point->symbols[i].name;
        }
    }
    return NULL;
}

enum tap_sunspec_step tap_sunspec_delta(enum tap_sunspec_type type, uint64_t before, uint64_t now,
                                        uint64_t *delta)
{
    uint64_t most = UINT64_MAX;
    HR_ASSERT(type == TAP_SUNSPEC_ACC16 || type == TAP_SUNSPEC_ACC32 || type == TAP_SUNSPEC_ACC64);
    if (type != TAP_SUNSPEC_ACC64) {
        most = type == TAP_SUNSPEC_ACC16 ? UINT16_MAX : UINT32_MAX;
    }
    HR_ASSERT(before <= most && now <= most);
    if (now >= before) {
        *delta = now - before;
        return TAP_SUNSPEC_STEADY;
    }
    if (before > most - most / 4 && now < most / 4) {
        *delta = most - before + now + 1;
        return TAP_SUNSPEC_WRAPPED;
    }
    *delta = now;
    return TAP_SUNSPEC_RESET;
}
