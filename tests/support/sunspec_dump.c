/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads lines "MODEL HEX" from stdin, HEX being the model's registers from its number on, and prints for each
 * point "name TAB unit TAB form TAB value" (integers as "coefficient e scale", reals with nine digits, text
 * in hex), its symbols behind further tabs, and a line "." at the end. For the oracles of
 * tests/unit/test_sunspec_oracle.py. */
#include "firmware/taps/sunspec/tap_sunspec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGISTERS_MAX = 2048, LINE_MAX_BYTES = 16 + REGISTERS_MAX * 4 };

static uint16_t registers[REGISTERS_MAX];
static char line[LINE_MAX_BYTES];

static uint16_t read_hex(const char *text)
{
    char word[5] = {0};
    size_t n_hex = 0;
    for (const char *at = text; at[0] > ' ' && n_hex < REGISTERS_MAX; at += 4) {
        memcpy(word, at, 4);
        registers[n_hex++] = (uint16_t)strtoul(word, NULL, 16);
    }
    return (uint16_t)n_hex;
}

static void print_symbols(const struct tap_sunspec_value *value)
{
    bool is_bits =
        value->point->type == TAP_SUNSPEC_BITFIELD16 || value->point->type == TAP_SUNSPEC_BITFIELD32;
    if (value->point->n_symbols == 0 || value->form != TAP_SUNSPEC_INTEGER) {
        return;
    }
    for (uint32_t bit = 0; bit < (is_bits ? 32U : 1U); bit++) {
        bool is_set = (value->integer >> bit & 1) != 0;
        const char *name = NULL;
        if (!is_bits || is_set) {
            name = tap_sunspec_symbol(value->point, is_bits ? bit : (uint32_t)value->integer);
        }
        if (name != NULL) {
            (void)printf("\t%s", name);
        }
    }
}

static void print_value(const struct tap_sunspec_value *value)
{
    char name[TAP_SUNSPEC_NAME_MAX_BYTES];
    char text[TAP_SUNSPEC_TEXT_MAX_BYTES];
    size_t len = 0;
    tap_sunspec_name(value, name);
    (void)printf("%s\t%s\t", name, value->point->unit);
    switch (value->form) {
    case TAP_SUNSPEC_NOT_IMPLEMENTED:
        (void)printf("none\t");
        break;
    case TAP_SUNSPEC_INTEGER:
        (void)printf("integer\t%" PRId64 "e%d", value->integer, value->scale);
        break;
    case TAP_SUNSPEC_REAL:
        (void)printf("real\t%.9g", (double)value->real);
        break;
    case TAP_SUNSPEC_TEXT:
        (void)printf("text\t");
        len = tap_sunspec_text(value, text);
        for (size_t i = 0; i < len; i++) {
            (void)printf("%02x", (unsigned char)text[i]);
        }
        break;
    case TAP_SUNSPEC_OUT_OF_RANGE:
        (void)printf("out_of_range\t");
        break;
    }
    print_symbols(value);
    (void)printf("\n");
}

int main(void)
{
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *hex = NULL;
        uint16_t id = (uint16_t)strtoul(line, &hex, 10);
        const struct tap_sunspec_model *model = tap_sunspec_model(id);
        struct tap_sunspec_walk walk;
        struct tap_sunspec_value value;
        if (model == NULL) {
            (void)fprintf(stderr, "no model %u\n", id);
            return EXIT_FAILURE;
        }
        tap_sunspec_walk(&walk, model, registers, read_hex(hex + 1));
        while (tap_sunspec_next(&walk, &value)) {
            print_value(&value);
        }
        (void)printf(".\n");
    }
    return EXIT_SUCCESS;
}
