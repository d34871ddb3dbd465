/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_vectors.h"

#include "proto/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t test_hex(const char *hex, uint8_t *out, size_t capacity_bytes)
{
    size_t n_digits = strspn(hex, "0123456789abcdef");
    HR_ASSERT(hex[n_digits] == '\0' && n_digits % 2 == 0 && n_digits / 2 <= capacity_bytes);
    for (size_t i = 0; i < n_digits / 2; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return n_digits / 2;
}

size_t test_vector(const char *file, const char *name, uint8_t *out, size_t capacity_bytes)
{
    char line[8192];
    FILE *lines = fopen(file, "r");
    while (lines != NULL && fgets(line, sizeof line, lines) != NULL) {
        char *rest = NULL;
        const char *found = strtok_r(line, " \n", &rest);
        const char *hex = found == NULL || strcmp(found, name) != 0 ? NULL : strtok_r(NULL, " \n", &rest);
        if (hex != NULL) {
            (void)fclose(lines);
            return test_hex(hex, out, capacity_bytes);
        }
    }
    (void)fprintf(stderr, "%s: no line %s\n", file, name);
    abort();
}
