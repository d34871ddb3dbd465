/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/taps/http/http_internal.h"
#include "proto/base/wipe.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void base64(const char *text, char *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) {
            bits = bits << 8 | (i + k < len ? (uint8_t)text[i + k] : 0u);
        }
        for (size_t k = 0; k < 4; k++) {
            *out++ = i + k <= len ? letters[bits >> (18 - 6 * k) & 63u] : '=';
        }
    }
    *out = '\0';
}

static bool is_line(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    return len > 0;
}

struct hr_status http_secret_file(const char *path, bool is_private, char *out, size_t capacity_bytes)
{
    struct stat about;
    FILE *file = fopen(path, "re");
    if (file == NULL || fstat(fileno(file), &about) != 0) {
        if (file != NULL) {
            (void)fclose(file);
        }
        return hr_status_of(HR_NOT_FOUND);
    }
    if (is_private && (about.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        (void)fclose(file);
        return hr_status_of(HR_DENIED);
    }
    /* Without a buffer, so that no copy of the secret stays in the C library. */
    if (setvbuf(file, NULL, _IONBF, 0) != 0) {
        (void)fclose(file);
        return hr_status_of(HR_NOT_FOUND);
    }
    size_t len = fread(out, 1, capacity_bytes - 1, file);
    (void)fclose(file);
    bool is_whole = len < capacity_bytes - 1;
    while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == '\r')) {
        len--;
    }
    out[len] = '\0';
    return is_whole && is_line(out, len) ? hr_ok() : hr_status_of(HR_NOT_FOUND);
}

struct hr_status http_secret_line(const struct feeds_header *header, const char *value,
                                  char out[HEADER_LINE_CAPACITY])
{
    if (!is_line(value, strlen(value))) {
        return hr_status_of(HR_NOT_FOUND);
    }
    int len = snprintf(out, HEADER_LINE_CAPACITY, "%s: %s", header->name, header->prefix);
    size_t left_bytes = HEADER_LINE_CAPACITY - (size_t)len;
    if (header->encoding == FEEDS_BASE64) {
        _Static_assert(4 * (SECRET_CAPACITY / 3 + 1) + 96 < HEADER_LINE_CAPACITY, "a secret fits its line");
        base64(value, out + len);
    } else {
        (void)snprintf(out + len, left_bytes, "%s", value);
    }
    return hr_ok();
}

static struct hr_status read_named(const char *folder, const char *name, char out[SECRET_CAPACITY])
{
    char path[512];
    int len = snprintf(path, sizeof path, "%s/%s", folder == NULL ? "" : folder, name);
    if (folder == NULL || len < 0 || (size_t)len >= sizeof path) {
        return hr_status_of(HR_NOT_FOUND);
    }
    return http_secret_file(path, true, out, SECRET_CAPACITY);
}

struct hr_status http_secret_header(const char *folder, const struct feeds_header *header,
                                    char out[HEADER_LINE_CAPACITY])
{
    char secret[SECRET_CAPACITY];
    struct hr_status status = read_named(folder, header->credential, secret);
    if (hr_is_ok(status)) {
        status = http_secret_line(header, secret, out);
    }
    hr_wipe(secret, sizeof secret);
    return status;
}

struct hr_status http_secret_value(const struct tap_http *tap, const char *name, char out[SECRET_CAPACITY])
{
    uint64_t now_ms = http_now(tap).uptime_ms;
    for (uint32_t i = 0; i < tap->n_grants; i++) {
        if (strcmp(tap->grants[i].token->credential, name) == 0) {
            return secret_grant_get(&tap->grants[i].grant, now_ms, out);
        }
    }
    if (tap->config.has_vault && hr_is_ok(secret_vault_get(&tap->vault, name, now_ms, out))) {
        return hr_ok();
    }
    return read_named(tap->config.credentials, name, out);
}
