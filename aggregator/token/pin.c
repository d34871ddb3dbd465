/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/token/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct hr_status token_pin_read(const char *path, char out[TOKEN_PIN_CHARS], struct token_why *why)
{
    struct stat status;
    FILE *file = fopen(path, "re");
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        int cause = errno;
        if (file != NULL) {
            (void)fclose(file);
        }
        return token_because(why, HR_DENIED, "the PIN's file %s: %s", path, strerror(cause));
    }
    bool is_open = S_ISREG(status.st_mode) && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    (void)setvbuf(file, NULL, _IONBF, 0); /* no copy of it stays in a buffer */
    bool has = !is_open && fgets(out, TOKEN_PIN_CHARS, file) != NULL;
    (void)fclose(file);
    if (is_open) {
        return token_because(why, HR_DENIED, "the PIN's file %s is open to others: chmod 600", path);
    }
    size_t len = has ? strcspn(out, "\r\n") : 0;
    bool is_whole = has && len > 0 && (out[len] != '\0' || len + 1 < TOKEN_PIN_CHARS);
    out[len] = '\0';
    return is_whole ? hr_ok()
                    : token_because(why, HR_DENIED, "the PIN's file %s has no PIN in its first line", path);
}
