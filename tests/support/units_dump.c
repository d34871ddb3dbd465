/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers questions about decimals and units, one a line, for independent arithmetic to compare
 * (tests/unit/test_units_oracle.py): a result is "full" or "malformed" when there is none.
 *
 *   read TEXT             add A B     subtract A B     multiply A B     compare A B     near A B TOLERANCE
 *   rescale A SCALE       real A      convert A FROM TO SCALE           units */
#include "aggregator/normalize/units/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 5 };

static struct norm_decimal decimal_of(const char *text)
{
    struct norm_decimal value = {0, 0};

    if (!hr_is_ok(norm_decimal_read(hr_bytes_of(text, strlen(text)), &value))) {
        (void)fprintf(stderr, "units_dump: %s: no decimal\n", text);
        exit(EXIT_FAILURE);
    }
    return value;
}

static enum norm_unit unit_of(const char *name)
{
    enum norm_unit unit = NORM_UNIT_J;

    if (!hr_is_ok(norm_unit_of_name(hr_bytes_of(name, strlen(name)), &unit))) {
        (void)fprintf(stderr, "units_dump: %s: no unit\n", name);
        exit(EXIT_FAILURE);
    }
    return unit;
}

static void result_print(struct hr_status status, struct norm_decimal value, const char *behind)
{
    char text[NORM_DECIMAL_CHARS];

    if (!hr_is_ok(status)) {
        (void)printf("%s\n", hr_code_name(status.code));
        return;
    }
    (void)norm_decimal_print(value, text);
    (void)printf("%s%s\n", text, behind);
}

static void units_print(void)
{
    for (int unit = 0; unit < NORM_UNIT_COUNT; unit++) {
        (void)printf("%s ", norm_unit_name((enum norm_unit)unit));
    }
    (void)printf("\n");
}

static void scaled_answer(const char *const word[WORDS])
{
    struct norm_decimal result = {0, 0};
    bool is_exact = false;
    bool is_rescale = strcmp(word[0], "rescale") == 0;
    uint8_t scale = (uint8_t)strtol(word[is_rescale ? 2 : 4], NULL, 10);
    struct hr_status status = is_rescale
                                  ? norm_decimal_rescale(decimal_of(word[1]), scale, &result, &is_exact)
                                  : norm_unit_convert(decimal_of(word[1]), unit_of(word[2]), unit_of(word[3]),
                                                      scale, &result, &is_exact);

    result_print(status, result, is_exact ? " exact" : " rounded");
}

static void answer(const char *const word[WORDS], const char *rest)
{
    struct norm_decimal result = {0, 0};

    if (strcmp(word[0], "units") == 0) {
        units_print();
    } else if (strcmp(word[0], "read") == 0) {
        struct hr_status status = norm_decimal_read(hr_bytes_of(rest, strlen(rest)), &result);

        result_print(status, result, "");
    } else if (strcmp(word[0], "add") == 0) {
        struct hr_status status = norm_decimal_add(decimal_of(word[1]), decimal_of(word[2]), &result);

        result_print(status, result, "");
    } else if (strcmp(word[0], "subtract") == 0) {
        struct hr_status status = norm_decimal_subtract(decimal_of(word[1]), decimal_of(word[2]), &result);

        result_print(status, result, "");
    } else if (strcmp(word[0], "multiply") == 0) {
        struct hr_status status = norm_decimal_multiply(decimal_of(word[1]), decimal_of(word[2]), &result);

        result_print(status, result, "");
    } else if (strcmp(word[0], "compare") == 0) {
        (void)printf("%d\n", norm_decimal_compare(decimal_of(word[1]), decimal_of(word[2])));
    } else if (strcmp(word[0], "near") == 0) {
        (void)printf("%d\n",
                     norm_decimal_is_near(decimal_of(word[1]), decimal_of(word[2]), decimal_of(word[3])) ? 1
                                                                                                         : 0);
    } else if (strcmp(word[0], "real") == 0) {
        (void)printf("%a\n", norm_decimal_real(decimal_of(word[1])));
    } else {
        scaled_answer(word);
    }
}

int main(void)
{
    char line[256];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        char words[sizeof(line)];
        const char *word[WORDS] = {"", "", "", "", ""};
        char *save = NULL;
        size_t n = 0;

        line[strcspn(line, "\n")] = '\0';
        memcpy(words, line, sizeof(words));
        for (char *at = strtok_r(words, " ", &save); at != NULL && n < WORDS;
             at = strtok_r(NULL, " ", &save)) {
            word[n++] = at;
        }
        const char *blank = strchr(line, ' ');

        answer(word, blank == NULL ? "" : blank + 1);
    }
    return EXIT_SUCCESS;
}
