/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/normalize/units/units.h"
#include "aggregator/normalize/units/scaled.h"
#include "proto/base/assert.h"

#include <string.h>

/* One International Table British thermal unit, in 10^-8 joules; one US therm, in 10^2; one cubic foot
 * (0.3048 m cubed), in 10^-12 cubic metres. */
#define BTU_IT   UINT64_C(105505585262)
#define THERM_US UINT64_C(1054804)
#define FOOT_3   UINT64_C(28316846592)

/* One of the unit is numerator / denominator * 10^power of the quantity's base: J, W, K, m3, USD/J, USD/W; a
 * temperature counts from `offset` of its own degrees below its zero. */
struct unit_row {
    const char *name;
    enum norm_quantity quantity;
    int32_t power;
    uint64_t numerator;
    uint64_t denominator;
    struct norm_decimal offset;
    const char *source;
};

static const struct unit_row units[NORM_UNIT_COUNT] = {
    [NORM_UNIT_J] = {"J", NORM_ENERGY, 0, 1, 1, {0, 0}, "SI"},
    [NORM_UNIT_KJ] = {"kJ", NORM_ENERGY, 3, 1, 1, {0, 0}, "SI table 7"},
    [NORM_UNIT_MJ] = {"MJ", NORM_ENERGY, 6, 1, 1, {0, 0}, "SI table 7"},
    [NORM_UNIT_GJ] = {"GJ", NORM_ENERGY, 9, 1, 1, {0, 0}, "SI table 7"},
    [NORM_UNIT_WH] = {"Wh", NORM_ENERGY, 2, 36, 1, {0, 0}, "SP811 B.8: 1 W h = 3.6 E+03 J"},
    [NORM_UNIT_KWH] = {"kWh", NORM_ENERGY, 5, 36, 1, {0, 0}, "SP811 B.8: 1 kW h = 3.6 E+06 J"},
    [NORM_UNIT_MWH] = {"MWh", NORM_ENERGY, 8, 36, 1, {0, 0}, "SP811 B.8, SI table 7"},
    [NORM_UNIT_GWH] = {"GWh", NORM_ENERGY, 11, 36, 1, {0, 0}, "SP811 B.8, SI table 7"},
    [NORM_UNIT_TWH] = {"TWh", NORM_ENERGY, 14, 36, 1, {0, 0}, "SP811 B.8, SI table 7"},
    [NORM_UNIT_BTU] =
        {"Btu", NORM_ENERGY, -8, BTU_IT, 1, {0, 0}, "SP811 B.8, note to Btu_IT: 1055.055 852 62 J"},
    [NORM_UNIT_MMBTU] = {"MMBtu", NORM_ENERGY, -2, BTU_IT, 1, {0, 0}, "SP811 B.8, note to Btu_IT"},
    [NORM_UNIT_THERM_US] = {"therm", NORM_ENERGY, 2, THERM_US, 1, {0, 0}, "SP811 B.8: therm (US)"},
    [NORM_UNIT_THERM_EC] = {"therm_ec", NORM_ENERGY, -3, BTU_IT, 1, {0, 0}, "SP811 B.8: therm (EC)"},
    [NORM_UNIT_W] = {"W", NORM_POWER, 0, 1, 1, {0, 0}, "SI"},
    [NORM_UNIT_KW] = {"kW", NORM_POWER, 3, 1, 1, {0, 0}, "SI table 7"},
    [NORM_UNIT_MW] = {"MW", NORM_POWER, 6, 1, 1, {0, 0}, "SI table 7"},
    [NORM_UNIT_GW] = {"GW", NORM_POWER, 9, 1, 1, {0, 0}, "SI table 7"},
    [NORM_UNIT_BTU_H] =
        {"Btu/h", NORM_POWER, -10, BTU_IT, 36, {0, 0}, "SP811 B.8, note to Btu_IT; 1 h = 3600 s"},
    [NORM_UNIT_MMBTU_H] =
        {"MMBtu/h", NORM_POWER, -4, BTU_IT, 36, {0, 0}, "SP811 B.8, note to Btu_IT; 1 h = 3600 s"},
    [NORM_UNIT_K] = {"K", NORM_TEMPERATURE, 0, 1, 1, {0, 0}, "SI"},
    [NORM_UNIT_CELSIUS] = {"degC", NORM_TEMPERATURE, 0, 1, 1, {27315, 2}, "SI 2.3.1: t = T - 273.15 K"},
    [NORM_UNIT_FAHRENHEIT] = {"degF", NORM_TEMPERATURE, 0, 5, 9, {45967, 2}, "SP811 B.8: (t + 459.67)/1.8"},
    [NORM_UNIT_RANKINE] = {"degR", NORM_TEMPERATURE, 0, 5, 9, {0, 0}, "SP811 B.8: T/1.8"},
    [NORM_UNIT_M3] = {"m3", NORM_GAS_VOLUME, 0, 1, 1, {0, 0}, "SI"},
    [NORM_UNIT_LITRE] = {"L", NORM_GAS_VOLUME, -3, 1, 1, {0, 0}, "SI table 8"},
    [NORM_UNIT_CF] = {"cf", NORM_GAS_VOLUME, -12, FOOT_3, 1, {0, 0}, "HB44 C: 0.3048 m cubed"},
    [NORM_UNIT_CCF] = {"Ccf", NORM_GAS_VOLUME, -10, FOOT_3, 1, {0, 0}, "HB44 C"},
    [NORM_UNIT_MCF] = {"Mcf", NORM_GAS_VOLUME, -9, FOOT_3, 1, {0, 0}, "HB44 C"},
    [NORM_UNIT_MMCF] = {"MMcf", NORM_GAS_VOLUME, -6, FOOT_3, 1, {0, 0}, "HB44 C"},
    [NORM_UNIT_BCF] = {"Bcf", NORM_GAS_VOLUME, -3, FOOT_3, 1, {0, 0}, "HB44 C"},
    [NORM_UNIT_USD_MWH] = {"USD/MWh", NORM_ENERGY_PRICE, -8, 1, 36, {0, 0}, "as MWh"},
    [NORM_UNIT_USD_KWH] = {"USD/kWh", NORM_ENERGY_PRICE, -5, 1, 36, {0, 0}, "as kWh"},
    [NORM_UNIT_CENT_KWH] = {"cent/kWh", NORM_ENERGY_PRICE, -7, 1, 36, {0, 0}, "as kWh; 1 USD = 100 cent"},
    [NORM_UNIT_USD_GJ] = {"USD/GJ", NORM_ENERGY_PRICE, -9, 1, 1, {0, 0}, "as GJ"},
    [NORM_UNIT_USD_MMBTU] = {"USD/MMBtu", NORM_ENERGY_PRICE, 2, 1, BTU_IT, {0, 0}, "as MMBtu"},
    [NORM_UNIT_USD_THERM] = {"USD/therm", NORM_ENERGY_PRICE, -2, 1, THERM_US, {0, 0}, "as therm (US)"},
    [NORM_UNIT_USD_MW] = {"USD/MW", NORM_CAPACITY_PRICE, -6, 1, 1, {0, 0}, "as MW"},
    [NORM_UNIT_USD_KW] = {"USD/kW", NORM_CAPACITY_PRICE, -3, 1, 1, {0, 0}, "as kW"},
};

const char *norm_unit_name(enum norm_unit unit)
{
    return units[unit].name;
}

enum norm_quantity norm_unit_quantity(enum norm_unit unit)
{
    return units[unit].quantity;
}

const char *norm_unit_source(enum norm_unit unit)
{
    return units[unit].source;
}

struct hr_status norm_unit_of_name(struct hr_bytes name, enum norm_unit *unit)
{
    for (uint32_t i = 0; i < NORM_UNIT_COUNT; i++) {
        if (strlen(units[i].name) == name.len_bytes &&
            memcmp(units[i].name, name.data, name.len_bytes) == 0) {
            *unit = (enum norm_unit)i;
            return hr_ok();
        }
    }
    return hr_status_of(HR_NOT_FOUND);
}

/* ---- conversion ---- */

static void reduce(uint64_t *a, uint64_t *b)
{
    uint64_t divisor = *a;
    uint64_t rest = *b;

    while (rest != 0) {
        uint64_t next = divisor % rest;

        divisor = rest;
        rest = next;
    }
    *a /= divisor;
    *b /= divisor;
}

/* from / to without the powers of ten: numerator[0] * numerator[1] / (denominator[0] * denominator[1]). */
struct ratio {
    uint64_t numerator[2];
    uint64_t denominator[2];
};

static struct ratio ratio_of(const struct unit_row *from, const struct unit_row *to)
{
    struct ratio ratio = {{from->numerator, to->denominator}, {to->numerator, from->denominator}};

    reduce(&ratio.numerator[0], &ratio.denominator[0]);
    reduce(&ratio.numerator[1], &ratio.denominator[1]);
    return ratio;
}

static bool multiply_by_both(struct norm_wide *wide, const uint64_t factors[2])
{
    return norm_wide_multiply(wide, factors[0]) && norm_wide_multiply(wide, factors[1]);
}

struct hr_status norm_unit_convert(struct norm_decimal value, enum norm_unit from, enum norm_unit to,
                                   uint8_t scale, struct norm_decimal *converted, bool *is_exact)
{
    const struct unit_row *source = &units[from];
    const struct unit_row *target = &units[to];

    HR_ASSERT(scale <= NORM_DECIMAL_SCALE_MAX);
    if (source->quantity != target->quantity) {
        return hr_status_of(HR_MALFORMED);
    }
    /* (value + offset of source) * numerator - (offset of target) * denominator, all over the denominator. */
    struct ratio ratio = ratio_of(source, target);
    struct norm_scaled above = norm_scaled_add(norm_scaled_of(value), norm_scaled_of(source->offset));
    struct norm_scaled zero = norm_scaled_of(norm_decimal_negate(target->offset));
    bool fits =
        multiply_by_both(&above.wide, ratio.numerator) && multiply_by_both(&zero.wide, ratio.denominator);

    HR_ASSERT(fits);
    struct norm_scaled sum = norm_scaled_add(above, zero);
    int32_t power = (int32_t)scale - (int32_t)sum.scale + source->power - target->power;

    fits = norm_wide_multiply(&sum.wide, 2) &&
           (power < 0 || norm_wide_multiply_pow10(&sum.wide, (uint32_t)power));
    if (!fits) {
        return hr_status_of(HR_FULL);
    }
    /* Cut off one after the other, the quotient is that of the product: floor(floor(x / a) / b) is
     * floor(x / (a * b)), and nothing is cut off from it when each division is whole. */
    bool is_whole = norm_wide_divide(&sum.wide, ratio.denominator[0]) == 0;

    is_whole = norm_wide_divide(&sum.wide, ratio.denominator[1]) == 0 && is_whole;
    is_whole = (power >= 0 || norm_wide_divide_pow10(&sum.wide, (uint32_t)-power)) && is_whole;
    return norm_scaled_round(sum.wide, is_whole, sum.is_negative, scale, converted, is_exact);
}
