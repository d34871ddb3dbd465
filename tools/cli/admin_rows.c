/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/admin_rows.h"

#include "aggregator/config/config.h"
#include "aggregator/http/json.h"
#include "tools/cli/files.h"
#include "tools/cli/validity.h"
#include "tools/cli/x509.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What https needs besides. */
static bool find_identity(const char *verb, const struct cli_arguments *arguments, struct cli_admin *out)
{
    static struct cli_path certificate;
    static struct cli_path key;
    const char *identity = cli_option_or(arguments, CLI_ADMIN_IDENTITY, getenv("HEADRACE_IDENTITY"));
    out->server_ca = cli_option_or(arguments, CLI_ADMIN_CA, getenv("HEADRACE_SERVER_CA"));
    if (identity == NULL || out->server_ca == NULL) {
        (void)fprintf(
            stderr,
            "headrace %s: https wants --identity PATH and --ca FILE; `headrace ca operator` makes an "
            "identity\n",
            verb);
        return false;
    }
    int n = snprintf(certificate.text, sizeof certificate.text, "%s.crt", identity);
    (void)snprintf(key.text, sizeof key.text, "%s.key", identity);
    out->certificate = certificate.text;
    out->key = key.text;
    return n > 0 && (size_t)n < sizeof certificate.text;
}

bool cli_admin_find(const char *verb, const struct cli_arguments *arguments, struct cli_admin *out)
{
    static struct config_aggregator config;
    static struct conf_report mistakes;
    const char *url = cli_option_or(arguments, CLI_ADMIN_URL, NULL);
    if (url != NULL) {
        if (!cli_admin_parse(url, out)) {
            (void)fprintf(stderr, "headrace %s: --admin is http://HOST:PORT or https://HOST:PORT\n", verb);
            return false;
        }
        return !out->is_tls || find_identity(verb, arguments, out);
    }
    const char *path = cli_option_or(arguments, CLI_ADMIN_CONFIG, CLI_ADMIN_DEFAULT_CONFIG);
    if (!hr_is_ok(config_load(path, &config, &mistakes))) {
        conf_report_print(&mistakes, stderr);
        (void)fprintf(stderr, "headrace %s: give --config YAML, or --admin http://HOST:PORT\n", verb);
        return false;
    }
    if (!cli_admin_of_config(&config, out)) {
        (void)fprintf(stderr, "headrace %s: the configuration has no http section, so nobody can be asked\n",
                      verb);
        return false;
    }
    return true;
}

const char *cli_admin_operator(void)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@";
    const char *name = getenv("USER");
    bool good = name != NULL && name[0] != '\0' && strlen(name) <= 48 && name[strspn(name, allowed)] == '\0';
    return good ? name : NULL;
}

/* What to do about a refusal that the aggregator can't say itself. */
static const char *advice_of(const struct cli_admin *admin, int status)
{
    enum { FORBIDDEN = 403 };
    if (status != FORBIDDEN) {
        return "";
    }
    if (!admin->is_tls) {
        return "; ask it over its admin section, --admin https://HOST:PORT with --identity and --ca";
    }
    static char why[ADMIN_WHY_CHARS] = "; ";
    X509 *certificate = NULL;
    const bool is_valid = !hr_is_ok(cli_certificate_read(admin->certificate, &certificate)) ||
                          cli_validity_own(admin->certificate, certificate, why + 2, sizeof why - 2);
    X509_free(certificate);
    return is_valid
               ? "; is your certificate of its authority, not called back, and of that role? `headrace ca "
                 "operator` makes another where the authority is kept"
               : why;
}

bool cli_admin_get(const char *verb, const struct cli_admin *admin, const char *path, const char *body,
                   struct cli_admin_reply *reply)
{
    enum { HTTP_OK = 200 };
    char why[ADMIN_WHY_CHARS] = "";
    if (!cli_admin_call(admin, path, body, reply, why)) {
        (void)fprintf(stderr, "headrace %s: %s\n", verb, why);
        return false;
    }
    if (reply->status == HTTP_OK) {
        return true;
    }
    char text[HTTP_JSON_TEXT_MAX_CHARS + 1] = "";
    const char *rest = reply->body;
    struct hr_bytes row;
    if (cli_row_next(&rest, &row)) {
        cli_row_text(row, "error", text, sizeof text);
    }
    reply->body[strcspn(reply->body, "\r\n")] = '\0';
    (void)fprintf(stderr, "headrace %s: the aggregator says: %s (%d)%s\n", verb,
                  text[0] != '\0' ? text : reply->body, reply->status, advice_of(admin, reply->status));
    hr_ignore(cli_validity_beside(verb, reply->utc_s)); /* it may be why */
    return false;
}

void cli_admin_devices_path(uint64_t after, const char *name, const char *state,
                            char out[CLI_ADMIN_PATH_CHARS])
{
    enum { NAME_MAX_BYTES = 63, ENCODED_BYTES = 3 };
    int at = snprintf(out, CLI_ADMIN_PATH_CHARS, "/devices/after/%" PRIu64 "?%s%s", after,
                      state != NULL ? "state=" : "", state != NULL ? state : "");
    if (name == NULL || strlen(name) > NAME_MAX_BYTES) { /* no device's is longer: the rows are looked at */
        return;
    }
    at += snprintf(out + at, CLI_ADMIN_PATH_CHARS - (size_t)at, "&name=");
    for (const char *c = name; *c != '\0'; c++) {
        at += snprintf(out + at, ENCODED_BYTES + 1, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

bool cli_row_next(const char **rest, struct hr_bytes *row)
{
    const char *begin = NULL;
    bool is_quoted = false;
    for (const char *at = *rest; *at != '\0'; at++) {
        if (is_quoted) {
            is_quoted = *at != '"';
            at += *at == '\\' && at[1] != '\0' ? 1 : 0;
        } else if (*at == '"') {
            is_quoted = true;
        } else if (*at == '{') {
            begin = at; /* the innermost */
        } else if (*at == '}' && begin != NULL) {
            *row = hr_bytes_of((const uint8_t *)begin, (size_t)(at + 1 - begin));
            *rest = at + 1;
            return true;
        }
    }
    return false;
}

static bool find_member(struct hr_bytes row, const char *key, enum http_json_type type,
                        struct http_json_member *out)
{
    struct http_json json = http_json_over(row);
    while (hr_is_ok(http_json_next(&json, out))) {
        if (strcmp(out->key, key) == 0) {
            return out->type == type;
        }
    }
    return false;
}

void cli_row_text(struct hr_bytes row, const char *key, char *out, size_t capacity)
{
    struct http_json_member member;
    bool has = find_member(row, key, HTTP_JSON_STRING, &member);
    (void)snprintf(out, capacity, "%s", has ? member.text : "");
}

uint64_t cli_row_number(struct hr_bytes row, const char *key)
{
    struct http_json_member member;
    bool has = find_member(row, key, HTTP_JSON_NUMBER, &member) && member.number > 0;
    return has ? (uint64_t)member.number : 0;
}

bool cli_row_has_number(struct hr_bytes row, const char *key)
{
    struct http_json_member member;
    return find_member(row, key, HTTP_JSON_NUMBER, &member);
}

bool cli_row_flag(struct hr_bytes row, const char *key)
{
    struct http_json_member member;
    return find_member(row, key, HTTP_JSON_BOOLEAN, &member) && member.flag;
}

void cli_row_print(struct hr_bytes row)
{
    (void)fwrite(row.data, 1, row.len_bytes, stdout);
}
