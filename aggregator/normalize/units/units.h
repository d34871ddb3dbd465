/* SPDX-License-Identifier: Apache-2.0
 *
 * Units of energy, power, temperature, gas volume and price, with exact factors. Each row of the table names
 * where its factor stands:
 *   SI      BIPM, The International System of Units, 9th edition
 *   SP811   NIST Special Publication 811 (2008), appendix B: the exact (bold) factors and footnotes
 *   HB44    NIST Handbook 44, appendix C: 1 inch = 0.0254 m exactly (1959), and so the cubic foot
 * A gas volume is a volume: conversion keeps its base pressure and temperature, and says nothing of energy,
 * which takes a heating value (norm_decimal_multiply). [any] */
#ifndef NORM_UNITS_H
#define NORM_UNITS_H

#include "aggregator/normalize/units/decimal.h"

enum norm_quantity {
    NORM_ENERGY,
    NORM_POWER,
    NORM_TEMPERATURE,
    NORM_GAS_VOLUME,
    NORM_ENERGY_PRICE,   /* money for energy */
    NORM_CAPACITY_PRICE, /* money for power in one period */
};

enum norm_unit {
    NORM_UNIT_J,
    NORM_UNIT_KJ,
    NORM_UNIT_MJ,
    NORM_UNIT_GJ,
    NORM_UNIT_WH,
    NORM_UNIT_KWH,
    NORM_UNIT_MWH,
    NORM_UNIT_GWH,
    NORM_UNIT_TWH,
    NORM_UNIT_BTU,      /* International Table */
    NORM_UNIT_MMBTU,    /* 10^6 Btu; a dekatherm */
    NORM_UNIT_THERM_US, /* the legal one of the US gas industry, 105,480,400 J */
    NORM_UNIT_THERM_EC, /* 10^5 Btu */
    NORM_UNIT_W,
    NORM_UNIT_KW,
    NORM_UNIT_MW,
    NORM_UNIT_GW,
    NORM_UNIT_BTU_H, /* Btu in an hour */
    NORM_UNIT_MMBTU_H,
    NORM_UNIT_K,
    NORM_UNIT_CELSIUS,
    NORM_UNIT_FAHRENHEIT,
    NORM_UNIT_RANKINE,
    NORM_UNIT_M3,
    NORM_UNIT_LITRE,
    NORM_UNIT_CF, /* cubic foot */
    NORM_UNIT_CCF,
    NORM_UNIT_MCF, /* 10^3 cubic feet */
    NORM_UNIT_MMCF,
    NORM_UNIT_BCF,
    NORM_UNIT_USD_MWH,
    NORM_UNIT_USD_KWH,
    NORM_UNIT_CENT_KWH,
    NORM_UNIT_USD_GJ,
    NORM_UNIT_USD_MMBTU,
    NORM_UNIT_USD_THERM, /* the US therm */
    NORM_UNIT_USD_MW,
    NORM_UNIT_USD_KW,
    NORM_UNIT_COUNT
};

/* As events carry it (iso_unit): "MWh", "USD/MWh", "degF". Static storage. */
const char *norm_unit_name(enum norm_unit unit);
enum norm_quantity norm_unit_quantity(enum norm_unit unit);

/* The row's source, such as "SP811 B.8"; static storage. */
const char *norm_unit_source(enum norm_unit unit);

/* The unit of that name, case counts. HR_NOT_FOUND: there is none; *unit is as it was. */
HR_MUST_USE struct hr_status norm_unit_of_name(struct hr_bytes name, enum norm_unit *unit);

/* The value in another unit of the same quantity, at the scale asked for, halves rounded to even: one
 * rounding, of the exact result. *is_exact (NULL: not asked) tells whether nothing was rounded.
 *   HR_MALFORMED  the units are of different quantities
 *   HR_FULL       it doesn't fit 18 digits at that scale
 * *converted is as it was. */
HR_MUST_USE struct hr_status norm_unit_convert(struct norm_decimal value, enum norm_unit from,
                                               enum norm_unit to, uint8_t scale,
                                               struct norm_decimal *converted, bool *is_exact);

#endif
