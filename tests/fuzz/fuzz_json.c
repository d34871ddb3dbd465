/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/secret/json.h"
#include "proto/base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

/* Whatever a server sends: a value that is found fits, and is a string. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static const char *const paths[][4] = {
        {"auth", "client_token"}, {"data", "data", "pjm_key"}, {"lease_duration"}, {NULL}};
    for (size_t i = 0; i < HR_ARRAY_LEN(paths); i++) {
        char out[16];
        if (hr_is_ok(secret_json_find(hr_bytes_of(data, len_bytes), paths[i], out, sizeof out))) {
            HR_ASSERT(memchr(out, '\0', sizeof out) != NULL);
        }
    }
    return 0;
}
