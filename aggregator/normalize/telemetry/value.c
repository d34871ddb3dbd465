/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/telemetry/telemetry.h"
#include "aggregator/normalize/units/decimal.h"

/* A number that 64 bits don't hold as a decimal: rounded once or twice, which no meter's digits notice. */
static double large(double real, int32_t scale)
{
    for (; scale > 0; scale--) {
        real *= 10.0;
    }
    double divisor = 1.0; /* 10^18 is exact enough: it is a double */
    for (; scale < 0; scale++) {
        divisor *= 10.0;
    }
    return real / divisor;
}

double norm_telemetry_scaled(int64_t value, int32_t scale, bool is_unsigned)
{
    if (is_unsigned && value < 0) {
        return large((double)(uint64_t)value, scale);
    }
    if (value == INT64_MIN) {
        return large(-9223372036854775808.0, scale);
    }
    if (scale <= 0) {
        return norm_decimal_real(norm_decimal_of(value, (uint8_t)-scale));
    }
    int64_t factor = 1;
    for (int32_t i = 0; i < scale; i++) {
        factor *= 10;
    }
    bool fits = value <= INT64_MAX / factor && value >= -(INT64_MAX / factor);
    return fits ? (double)(value * factor) : large((double)value, scale);
}

enum norm_telemetry_step norm_telemetry_delta(uint32_t width_bits, uint64_t before, uint64_t now,
                                              uint64_t *delta)
{
    uint64_t most = UINT64_MAX >> (64 - width_bits);
    if (before > most || now > most) {
        return NORM_TELEMETRY_NO_STEP;
    }
    if (now >= before) {
        *delta = now - before;
        return NORM_TELEMETRY_STEADY;
    }
    if (before > most - most / 4 && now < most / 4) {
        *delta = most - before + now + 1;
        return NORM_TELEMETRY_WRAPPED;
    }
    *delta = now;
    return NORM_TELEMETRY_RESET;
}
