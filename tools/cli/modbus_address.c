/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a device of cli_modbus is. */
#include "tools/cli/modbus_call.h"
#include "tools/cli/options.h"

#include <stdio.h>
#include <string.h>

static bool take_tcp(struct cli_modbus *modbus, const char *text)
{
    static const char SCHEME[] = "tcp://";
    if (strncmp(text, SCHEME, sizeof SCHEME - 1) != 0) {
        return false;
    }
    const char *host = text + sizeof SCHEME - 1;
    bool is_bracketed = host[0] == '[';
    const char *end = strchr(host, is_bracketed ? ']' : ':');
    size_t len = end == NULL ? strlen(host) : (size_t)(end - host);
    const char *rest = host + len;
    if (is_bracketed) {
        if (end == NULL) {
            return false;
        }
        host++;
        len--;
        rest++;
    }
    const char *port = rest[0] == ':' ? rest + 1 : "502";
    size_t port_len = strlen(port);
    if (len == 0 || len >= sizeof modbus->host || (rest[0] != ':' && rest[0] != '\0') || port_len == 0 ||
        port_len >= sizeof modbus->port || strspn(port, "0123456789") != port_len) {
        return false;
    }
    memcpy(modbus->host, host, len);
    modbus->host[len] = '\0';
    memcpy(modbus->port, port, port_len + 1);
    modbus->fd = -1;
    return true;
}

/* "baud=19200" and the like. */
static bool take_setting(struct port_linux_source_config *serial, const char *name, size_t name_chars,
                         const char *value)
{
    static const char *const PARITY[] = {"none", "even", "odd"}; /* enum port_linux_parity */
    uint64_t number = 0;
    if (name_chars == 4 && memcmp(name, "baud", 4) == 0 && cli_number(value, UINT32_MAX, &number)) {
        serial->baud = (uint32_t)number;
        return true;
    }
    if (name_chars == 4 && memcmp(name, "stop", 4) == 0 && cli_number(value, 2, &number) && number > 0) {
        serial->has_two_stop_bits = number == 2;
        return true;
    }
    for (unsigned i = 0; name_chars == 6 && memcmp(name, "parity", 6) == 0 && i < 3; i++) {
        if (strcmp(value, PARITY[i]) == 0) {
            serial->parity = (enum port_linux_parity)i;
            return true;
        }
    }
    return false;
}

static bool take_settings(struct port_linux_source_config *serial, const char *text)
{
    while (*text != '\0') {
        char value[16];
        size_t name_chars = strcspn(text, "=&");
        const char *from = text + name_chars + (text[name_chars] == '=' ? 1 : 0);
        size_t value_chars = strcspn(from, "&");
        if (value_chars >= sizeof value) {
            return false;
        }
        memcpy(value, from, value_chars);
        value[value_chars] = '\0';
        if (!take_setting(serial, text, name_chars, value)) {
            return false;
        }
        text = from + value_chars + (from[value_chars] == '&' ? 1 : 0);
    }
    return true;
}

static bool take_rtu(struct cli_modbus *modbus, const char *text)
{
    static const char SCHEME[] = "rtu://";
    if (strncmp(text, SCHEME, sizeof SCHEME - 1) != 0 || text[sizeof SCHEME - 1] != '/') {
        return false;
    }
    const char *path = text + sizeof SCHEME - 1;
    size_t len = strcspn(path, "?");
    struct port_linux_source_config serial = {
        .kind = PORT_LINUX_SOURCE_SERIAL, .baud = 9600, .is_two_way = true};
    if (len >= sizeof serial.path || !take_settings(&serial, path + len + (path[len] == '?' ? 1 : 0))) {
        return false;
    }
    memcpy(serial.path, path, len);
    modbus->serial = serial;
    modbus->is_rtu = true;
    modbus->fd = -1;
    return true;
}

bool cli_modbus_address(struct cli_modbus *modbus, const char *text)
{
    return take_tcp(modbus, text) || take_rtu(modbus, text);
}
