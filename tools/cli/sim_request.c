/* SPDX-License-Identifier: Apache-2.0
 *
 * Headers and parameters of a request. */
#include "tools/cli/sim_http.h"

#include <string.h>
#include <strings.h>

bool cli_sim_header(const struct cli_sim_request *request, const char *name, char *out, size_t capacity_bytes)
{
    size_t name_len = strlen(name);
    for (const char *line = request->headers; *line != '\0';) {
        const char *end = strstr(line, "\r\n");
        if (end == NULL) {
            return false;
        }
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            const char *value = line + name_len + 1;
            value += strspn(value, " \t");
            size_t len = end > value ? (size_t)(end - value) : 0;
            len = len < capacity_bytes ? len : capacity_bytes - 1;
            memcpy(out, value, len);
            out[len] = '\0';
            return true;
        }
        line = end + 2;
    }
    return false;
}

static int digit_of(char c)
{
    static const char DIGITS[] = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(DIGITS, c | 0x20) : NULL;
    return found != NULL ? (int)(found - DIGITS) : -1;
}

static char take_char(const char **at)
{
    const char *text = *at;
    if (text[0] == '%' && digit_of(text[1]) >= 0 && digit_of(text[2]) >= 0) {
        *at += 3;
        return (char)(digit_of(text[1]) << 4 | digit_of(text[2]));
    }
    *at += 1;
    return (char)(text[0] == '+' ? ' ' : text[0]);
}

bool cli_sim_parameter(const char *target, const char *name, char *out, size_t capacity_bytes)
{
    size_t name_len = strlen(name);
    const char *at = strchr(target, '?');
    while (at != NULL) {
        at++;
        if (strncmp(at, name, name_len) == 0 && at[name_len] == '=') {
            size_t len = 0;
            at += name_len + 1;
            while (*at != '\0' && *at != '&' && len + 1 < capacity_bytes) {
                out[len++] = take_char(&at);
            }
            out[len] = '\0';
            return *at == '\0' || *at == '&';
        }
        at = strchr(at, '&');
    }
    return false;
}
