/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/http/denied.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SERIAL_CHARS = 2 * HTTP_PEER_SERIAL_MAX_BYTES, PATH_MAX_CHARS = 511, LINE_MAX_BYTES = 256 };

struct http_denied {
    char path[PATH_MAX_CHARS + 1];
    struct stat seen; /* what the file looked like when it was read */
    bool is_good;
    size_t n_serials;
    char serials[HTTP_DENIED_MAX][SERIAL_CHARS + 1];
};

static char upper(char c)
{
    return (char)(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);
}

/* The serial number at the beginning of a line, without leading zero bytes, as peers have it. */
static bool take_serial(const char *line, char out[SERIAL_CHARS + 1])
{
    size_t len = strspn(line, "0123456789abcdefABCDEF");
    if (len == 0 || strchr(" \t\r\n", line[len]) == NULL) {
        return false;
    }
    while (len > 0 && *line == '0') {
        line++;
        len--;
    }
    size_t odd = len % 2;
    if (len == 0 || len + odd > SERIAL_CHARS) {
        return false;
    }
    out[0] = '0';
    for (size_t i = 0; i < len; i++) {
        out[i + odd] = upper(line[i]);
    }
    out[len + odd] = '\0';
    return true;
}

static bool read_lines(struct http_denied *denied, FILE *file, char *why, size_t why_capacity)
{
    char line[LINE_MAX_BYTES];
    denied->n_serials = 0;
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        if (line[strspn(line, " \t\r\n")] == '\0' || line[0] == '#') {
            continue;
        }
        if (denied->n_serials == HTTP_DENIED_MAX || (strchr(line, '\n') == NULL && feof(file) == 0) ||
            !take_serial(line, denied->serials[denied->n_serials])) {
            (void)snprintf(why, why_capacity,
                           "%s line %u: not a serial number in hex, a line of more than %d bytes, or more "
                           "than %d of them",
                           denied->path, number, LINE_MAX_BYTES - 2, HTTP_DENIED_MAX);
            return false;
        }
        denied->n_serials++;
    }
    if (ferror(file) != 0) {
        (void)snprintf(why, why_capacity, "%s can't be read", denied->path);
    }
    return ferror(file) == 0;
}

/* Takes the file as it is now. */
static bool read_file(struct http_denied *denied, char *why, size_t why_capacity)
{
    denied->is_good = false;
    FILE *file = fopen(denied->path, "re");
    if (file == NULL) {
        (void)snprintf(why, why_capacity, "%s: %s", denied->path, strerror(errno));
        return false;
    }
    denied->is_good = fstat(fileno(file), &denied->seen) == 0 && read_lines(denied, file, why, why_capacity);
    (void)fclose(file);
    return denied->is_good;
}

static bool is_changed(const struct http_denied *denied)
{
    struct stat now;
    const struct stat *seen = &denied->seen;
    return stat(denied->path, &now) != 0 || now.st_ino != seen->st_ino || now.st_dev != seen->st_dev ||
           now.st_size != seen->st_size || now.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec;
}

struct hr_status http_denied_open(const char *path, struct http_denied **out, char *why, size_t why_capacity)
{
    struct http_denied *denied = calloc(1, sizeof *denied);
    if (denied == NULL || strlen(path) > PATH_MAX_CHARS) {
        (void)snprintf(why, why_capacity, "%s", denied == NULL ? "no memory" : "too long a path");
        free(denied);
        return hr_status_of(HR_IO);
    }
    (void)snprintf(denied->path, sizeof denied->path, "%s", path);
    if (!read_file(denied, why, why_capacity)) {
        free(denied);
        return hr_status_of(HR_IO);
    }
    *out = denied;
    return hr_ok();
}

bool http_denied_has(struct http_denied *denied, const struct http_peer *peer)
{
    char why[1024];
    if ((!denied->is_good || is_changed(denied)) && !read_file(denied, why, sizeof why)) {
        return true;
    }
    for (size_t i = 0; i < denied->n_serials; i++) {
        if (strcmp(denied->serials[i], peer->serial) == 0) {
            return true;
        }
    }
    return false;
}

void http_denied_close(struct http_denied *denied)
{
    free(denied);
}
