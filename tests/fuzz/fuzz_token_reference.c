/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as the URI of a key in a token: it is refused, or written again it reads the same. */
#include "aggregator/token/token.h"
#include "proto/base/assert.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct token_reference first;
    struct token_reference second;
    struct token_why why;
    char written[TOKEN_REFERENCE_CHARS];
    char *text = malloc(size + 1); /* so that the sanitizer sees its end */
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    bool is_good = hr_is_ok(token_reference_read(text, &first, &why));
    free(text);
    if (!is_good || !hr_is_ok(token_reference_write(&first, written))) {
        return 0;
    }
    HR_ASSERT(hr_is_ok(token_reference_read(written, &second, &why)));
    HR_ASSERT(strcmp(first.module, second.module) == 0 && strcmp(first.token, second.token) == 0 &&
              strcmp(first.object, second.object) == 0 && strcmp(first.pin_file, second.pin_file) == 0 &&
              first.is_serial == second.is_serial && first.id_len_bytes == second.id_len_bytes &&
              memcmp(first.id, second.id, first.id_len_bytes) == 0);
    return 0;
}
