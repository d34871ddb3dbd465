/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/http/curl_api.h"

#include "proto/base/assert.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FUNCTION(member) {"curl_" #member, offsetof(struct http_curl, member)}

struct hr_status http_curl_load(struct http_curl *out, const char **why)
{
    static const struct {
        const char *name;
        size_t offset_bytes;
    } functions[] = {
        FUNCTION(global_init),         FUNCTION(global_cleanup),  FUNCTION(easy_init),
        FUNCTION(easy_setopt),         FUNCTION(easy_getinfo),    FUNCTION(easy_strerror),
        FUNCTION(easy_cleanup),        FUNCTION(slist_append),    FUNCTION(slist_free_all),
        FUNCTION(multi_init),          FUNCTION(multi_cleanup),   FUNCTION(multi_add_handle),
        FUNCTION(multi_remove_handle), FUNCTION(multi_perform),   FUNCTION(multi_fdset),
        FUNCTION(multi_timeout),       FUNCTION(multi_info_read),
    };
    struct http_curl curl = {.library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL)};
    if (curl.library == NULL) {
        *why = "there is no libcurl.so.4 (Debian: libcurl4)";
        return hr_status_of(HR_NOT_FOUND);
    }
    for (size_t i = 0; i < HR_ARRAY_LEN(functions); i++) {
        void *found = dlsym(curl.library, functions[i].name);
        if (found == NULL) {
            *why = functions[i].name;
            (void)dlclose(curl.library);
            return hr_status_of(HR_NOT_FOUND);
        }
        /* POSIX has functions and data of one size, C has no cast between them. */
        memcpy((uint8_t *)&curl + functions[i].offset_bytes, &found, sizeof found);
    }
    *out = curl;
    return hr_ok();
}
