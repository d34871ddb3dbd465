/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/net/client.h"

#include <string.h>

enum { COAPS_PORT = 5684 };

/* The host of "host", "host:port", "[v6]" or "[v6]:port", and what follows it. */
static bool split_host(const char *text, const char **host, size_t *host_chars, const char **rest)
{
    if (text[0] == '[') {
        const char *closing = strchr(text, ']');
        if (closing == NULL) {
            return false;
        }
        *host = text + 1;
        *host_chars = (size_t)(closing - text - 1);
        *rest = closing + 1;
        return true;
    }
    *host = text;
    *host_chars = strcspn(text, ":/?#");
    *rest = text + *host_chars;
    return true;
}

static bool parse_port(const char *text, uint16_t *port)
{
    uint32_t value = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0') {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return value >= 1 && value <= UINT16_MAX;
}

struct hr_status net_address_parse(const char *uri, struct net_address *out)
{
    static const struct {
        const char *prefix;
        enum net_scheme scheme;
    } schemes[] = {{"coaps://", NET_COAPS}, {"coaps+tcp://", NET_COAPS_TCP}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t prefix_chars = strlen(schemes[i].prefix);
        if (strncmp(uri, schemes[i].prefix, prefix_chars) != 0) {
            continue;
        }
        struct net_address address = {.scheme = schemes[i].scheme, .port = COAPS_PORT};
        const char *host = NULL;
        const char *rest = NULL;
        size_t host_chars = 0;
        if (!split_host(uri + prefix_chars, &host, &host_chars, &rest) || host_chars == 0 ||
            host_chars > NET_HOST_MAX_CHARS || (rest[0] != '\0' && rest[0] != ':') ||
            (rest[0] == ':' && !parse_port(rest + 1, &address.port))) {
            return hr_status_of(HR_MALFORMED);
        }
        memcpy(address.host, host, host_chars);
        *out = address;
        return hr_ok();
    }
    return hr_status_of(HR_MALFORMED);
}
