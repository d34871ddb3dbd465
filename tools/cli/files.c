/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_dry;
static bool is_told_as_json;

void cli_files_mode(bool is_dry_run, bool is_json)
{
    is_dry = is_dry || is_dry_run;
    is_told_as_json = is_told_as_json || is_json;
}

bool cli_files_are_dry(void)
{
    return is_dry;
}

bool cli_files_are_json(void)
{
    return is_told_as_json;
}

const char *cli_files_dry_note(void)
{
    return is_dry ? " (a dry run: nothing was changed)" : "";
}

void cli_file_tell(const char *path)
{
    if (!is_told_as_json) {
        (void)printf("%s %s%s\n", is_dry ? "would write" : "wrote", path, cli_files_dry_note());
        return;
    }
    (void)fputs("{\"wrote\":\"", stdout);
    for (const char *c = path; *c != '\0'; c++) {
        (void)printf((unsigned char)*c < ' ' ? "\\u%04x" : *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    }
    (void)printf("\",\"dry_run\":%s}\n", is_dry ? "true" : "false");
}

struct hr_status cli_path_of(struct cli_path *out, const char *dir, const char *name, ...)
{
    int used = snprintf(out->text, sizeof(out->text), "%s/", dir);
    if (used > 0 && (size_t)used < sizeof(out->text)) {
        va_list arguments;
        va_start(arguments, name);
        int more = vsnprintf(out->text + used, sizeof(out->text) - (size_t)used, name, arguments);
        va_end(arguments);
        if (more > 0 && (size_t)more < sizeof(out->text) - (size_t)used) {
            return hr_ok();
        }
    }
    (void)fprintf(stderr, "headrace: the path in %.40s... is too long\n", dir);
    return hr_status_of(HR_FULL);
}

struct hr_status cli_directory_make(const char *path)
{
    if (is_dry || mkdir(path, 0755) == 0) {
        return hr_ok();
    }
    struct stat status;
    if (errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return hr_ok();
    }
    (void)fprintf(stderr, "headrace: can't make the directory %s: %s\n", path, strerror(errno));
    return hr_status_of(HR_IO);
}

static bool write_all(int file, struct hr_bytes content)
{
    size_t at = 0;
    while (at < content.len_bytes) {
        ssize_t n = write(file, content.data + at, content.len_bytes - at);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return fsync(file) == 0;
}

static bool sync_directory_of(const char *path)
{
    char copy[CLI_PATH_MAX_CHARS];
    (void)snprintf(copy, sizeof(copy), "%s", path);
    int directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        return false;
    }
    bool synced = fsync(directory) == 0;
    (void)close(directory);
    return synced;
}

/* link() refuses to take the place of a file, rename() takes it: both at once for every reader. */
static bool put_in_place(const char *temporary, const char *path, bool replace)
{
    if (replace) {
        return rename(temporary, path) == 0;
    }
    if (link(temporary, path) != 0) {
        return false;
    }
    (void)unlink(temporary);
    return true;
}

static struct hr_status refuse_existing(const char *path)
{
    (void)fprintf(stderr, "headrace: %s exists; --force replaces it\n", path);
    return hr_status_of(HR_DENIED);
}

struct hr_status cli_file_write(const char *path, struct hr_bytes content, bool secret, bool replace)
{
    struct cli_path temporary;
    int used = snprintf(temporary.text, sizeof(temporary.text), "%s.XXXXXX", path);
    if (used < 0 || (size_t)used >= sizeof(temporary.text)) {
        (void)fprintf(stderr, "headrace: %.60s... is too long a path\n", path);
        return hr_status_of(HR_FULL);
    }
    if (is_dry) {
        return replace || access(path, F_OK) != 0 ? hr_ok() : refuse_existing(path);
    }
    int file = mkstemp(temporary.text); /* 0600 */
    if (file < 0) {
        (void)fprintf(stderr, "headrace: can't write beside %s: %s\n", path, strerror(errno));
        return hr_status_of(HR_IO);
    }
    bool written = write_all(file, content) && (secret || fchmod(file, 0644) == 0);
    if (close(file) == 0 && written && put_in_place(temporary.text, path, replace) &&
        sync_directory_of(path)) {
        return hr_ok();
    }
    int cause = errno;
    (void)unlink(temporary.text);
    if (cause == EEXIST) {
        return refuse_existing(path);
    }
    (void)fprintf(stderr, "headrace: can't write %s: %s\n", path, strerror(cause));
    return hr_status_of(HR_IO);
}

struct hr_status cli_file_read(const char *path, uint8_t *out, size_t capacity, size_t *len_bytes)
{
    FILE *file = fopen(path, "re");
    if (file == NULL && errno == ENOENT) {
        return hr_status_of(HR_NOT_FOUND);
    }
    size_t n = file != NULL ? fread(out, 1, capacity, file) : 0;
    bool is_more = file != NULL && n == capacity && fgetc(file) != EOF;
    bool is_good = file != NULL && ferror(file) == 0;
    int cause = errno;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (!is_good || is_more) {
        (void)fprintf(stderr, "headrace: can't read %s: %s\n", path, is_good ? "too long" : strerror(cause));
        return hr_status_of(is_good ? HR_FULL : HR_IO);
    }
    *len_bytes = n;
    return hr_ok();
}

struct hr_status cli_files_absent(const struct cli_path *paths, size_t n_paths)
{
    struct hr_status result = hr_ok();
    for (size_t i = 0; i < n_paths; i++) {
        struct stat status;
        if (lstat(paths[i].text, &status) == 0) {
            result = refuse_existing(paths[i].text);
        }
    }
    return result;
}
