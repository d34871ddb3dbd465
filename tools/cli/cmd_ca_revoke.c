/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/authority.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/verbs.h"

#include "proto/base/assert.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#define REVOKED_FILE "operators.revoked"

enum { LIST_MAX_BYTES = 262144, SERIAL_MAX_CHARS = 40, NAME_CHARS = 64 };

static bool is_serial(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= SERIAL_MAX_CHARS && strspn(text, "0123456789abcdefABCDEF") == len;
}

/* The serial number of DIR/operator-NAME.crt, in hex. */
static struct hr_status serial_of(const char *directory, const char *name, char out[SERIAL_MAX_CHARS + 1])
{
    struct cli_path path;
    X509 *certificate = NULL;
    HR_TRY(cli_path_of(&path, directory, "operator-%s.crt", name));
    HR_TRY(cli_certificate_read(path.text, &certificate));
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *hex = number != NULL ? BN_bn2hex(number) : NULL;
    bool fits = hex != NULL && is_serial(hex);
    if (fits) {
        (void)snprintf(out, SERIAL_MAX_CHARS + 1, "%s", hex);
    } else {
        (void)fprintf(stderr, "headrace: %s has no serial number of up to 20 bytes\n", path.text);
    }
    OPENSSL_free(hex);
    BN_free(number);
    X509_free(certificate);
    return hr_status_of(fits ? HR_OK : HR_MALFORMED);
}

/* Is the serial number the beginning of a line? */
static bool is_listed(const char *list, const char *serial)
{
    size_t len = strlen(serial);
    for (const char *line = list; line != NULL && *line != '\0';) {
        if (strncmp(line, serial, len) == 0 && strchr(" \t\r\n", line[len]) != NULL) {
            return true;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return false;
}

/* Adds a line, behind what is there. */
static struct hr_status add_line(const char *path, const char *serial, const char *name)
{
    static uint8_t list[LIST_MAX_BYTES + 1];
    size_t len = 0;
    struct hr_status status = cli_file_read(path, list, LIST_MAX_BYTES - NAME_CHARS - SERIAL_MAX_CHARS, &len);
    if (!hr_is_ok(status) && !hr_is(status, HR_NOT_FOUND)) {
        return status;
    }
    list[len] = '\0';
    if (is_listed((const char *)list, serial)) {
        (void)printf(cli_files_are_json() ? "{\"wrote\":null}\n" : "%s has %s already\n", path, serial);
        return hr_ok();
    }
    const char *begin = len > 0 && list[len - 1] != '\n' ? "\n" : "";
    int n = snprintf((char *)list + len, sizeof list - len, "%s%s%s%s\n", begin, serial,
                     name[0] != '\0' ? " " : "", name);
    HR_TRY(cli_file_write(path, hr_bytes_of(list, len + (size_t)n), false, true));
    if (cli_files_are_json()) {
        cli_file_tell(path);
    } else {
        (void)printf("added %s to %s%s\n", serial, path, cli_files_dry_note());
    }
    return hr_ok();
}

static struct hr_status revoke(const char *directory, const char *name, const char *serial)
{
    struct cli_path path;
    char found[SERIAL_MAX_CHARS + 1];
    HR_TRY(cli_path_of(&path, directory, REVOKED_FILE));
    if (serial == NULL) {
        HR_TRY(serial_of(directory, name, found));
        serial = found;
    }
    return add_line(path.text, serial, name != NULL ? name : "");
}

struct hr_status cli_operator_revoke(const char *directory, const char *name)
{
    return revoke(directory, name, NULL);
}

int cli_ca_revoke(int argc, char **argv)
{
    enum { DIR, NAME, SERIAL };
    static const struct cli_option options[] = {
        {"--dir", "DIR", true, 1, "The authority's directory, from `ca init`."},
        {"--name", "NAME", false, 1, "The operator whose certificate is DIR/operator-NAME.crt."},
        {"--serial", "HEX", false, 1,
         "Or the serial number of a certificate: `openssl x509 -serial -noout -in`."},
    };
    static const struct cli_usage usage = {
        "ca revoke", NULL, options, HR_ARRAY_LEN(options),
        "Adds an operator's certificate to DIR/" REVOKED_FILE
        ". An aggregator whose `admin: revoked:` names a\n"
        "copy of that file refuses the certificate from the next request on."};
    struct cli_arguments given;
    int parsed = cli_options_parse(&usage, argc, argv, &given);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    const char *name = cli_option_or(&given, NAME, NULL);
    const char *serial = cli_option_or(&given, SERIAL, NULL);
    if ((name == NULL) == (serial == NULL) || (name != NULL && !cli_is_name(name)) ||
        (serial != NULL && !is_serial(serial))) {
        (void)fputs("headrace ca revoke: one of --name, an operator's, and --serial, up to 40 hex digits\n",
                    stderr);
        return CLI_USAGE;
    }
    return hr_is_ok(revoke(given.values[DIR][0], name, serial)) ? CLI_OK : CLI_FAILED;
}
