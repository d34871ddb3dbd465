/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/signature_vector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take_hex(const char *name, const char *hex, uint8_t *out, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        unsigned byte = 0;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            (void)fprintf(stderr, "tests/vectors/signature.txt: %s is too short\n", name);
            abort();
        }
        out[i] = (uint8_t)byte;
    }
}

void signature_vector_load(struct signature_vector *out)
{
    const struct {
        const char *name;
        uint8_t *data;
        size_t len_bytes;
    } wanted[] = {
        {"priv", out->private_key, sizeof out->private_key},
        {"spki_sha256", out->spki_sha256, sizeof out->spki_sha256},
        {"header", out->header, sizeof out->header},
        {"sig", out->signature, sizeof out->signature},
    };
    size_t found = 0;
    FILE *file = fopen("tests/vectors/signature.txt", "r");
    char line[1024];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char name[32];
        char hex[900];
        if (sscanf(line, "%31s %899s", name, hex) != 2) {
            continue;
        }
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            if (strcmp(name, wanted[i].name) == 0) {
                take_hex(name, hex, wanted[i].data, wanted[i].len_bytes);
                found++;
            }
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    if (found != sizeof wanted / sizeof wanted[0]) {
        (void)fprintf(stderr,
                      "tests/vectors/signature.txt: found %zu of the lines priv, spki_sha256, header, sig\n",
                      found);
        abort();
    }
}
