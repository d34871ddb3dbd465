/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/passphrase.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#define FILE_VARIABLE "HEADRACE_CA_PASSPHRASE_FILE"
#define VARIABLE      "HEADRACE_CA_PASSPHRASE"

static char kept[CLI_PASSPHRASE_MAX_CHARS + 2]; /* and a newline */

/* The first line of a stream. */
static bool read_line(FILE *from, char out[sizeof kept])
{
    bool has = fgets(out, sizeof kept, from) != NULL;
    size_t len = has ? strcspn(out, "\r\n") : 0;
    has = has && (out[len] != '\0' || feof(from) != 0 || len <= CLI_PASSPHRASE_MAX_CHARS);
    out[len] = '\0';
    return has;
}

static struct hr_status read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)fprintf(stderr, "headrace: %s, which $" FILE_VARIABLE " names: %s\n", path, strerror(errno));
        return hr_status_of(HR_NOT_FOUND);
    }
    bool has = read_line(file, kept);
    (void)fclose(file);
    if (!has) {
        (void)fprintf(stderr,
                      "headrace: %s, which $" FILE_VARIABLE
                      " names, has no first line of up to %d characters\n",
                      path, CLI_PASSPHRASE_MAX_CHARS);
    }
    return hr_status_of(has ? HR_OK : HR_NOT_FOUND);
}

static bool ask(FILE *terminal, const char *prompt, const char *what, char out[sizeof kept])
{
    struct termios shown;
    bool is_hidden = tcgetattr(fileno(terminal), &shown) == 0;
    if (is_hidden) {
        struct termios hidden = shown;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        is_hidden = tcsetattr(fileno(terminal), TCSAFLUSH, &hidden) == 0;
    }
    (void)fprintf(stderr, "%s %s: ", prompt, what);
    bool has = is_hidden && read_line(terminal, out);
    (void)fputs("\n", stderr);
    if (is_hidden) {
        (void)tcsetattr(fileno(terminal), TCSAFLUSH, &shown);
    }
    return has;
}

static struct hr_status ask_at_terminal(const char *what, bool is_new)
{
    char again[sizeof kept] = "";
    FILE *terminal = fopen("/dev/tty", "re");
    if (terminal == NULL) {
        (void)fprintf(stderr,
                      "headrace: %s: the key is encrypted, and there is no terminal to ask at; set "
                      "$" FILE_VARIABLE " or $" VARIABLE "\n",
                      what);
        return hr_status_of(HR_NOT_FOUND);
    }
    bool has = ask(terminal, "Passphrase of", what, kept) &&
               (!is_new || ask(terminal, "Again, the passphrase of", what, again));
    (void)fclose(terminal);
    bool is_same = !is_new || strcmp(kept, again) == 0;
    OPENSSL_cleanse(again, sizeof again);
    if (!has || !is_same) {
        (void)fputs(has ? "headrace: that was not the same\n" : "headrace: no passphrase was given\n",
                    stderr);
    }
    return hr_status_of(!has ? HR_NOT_FOUND : is_same ? HR_OK : HR_MALFORMED);
}

static struct hr_status find(const char *what, bool is_new)
{
    const char *path = getenv(FILE_VARIABLE);
    const char *text = getenv(VARIABLE);
    if (path != NULL) {
        return read_file(path);
    }
    if (text == NULL) {
        return ask_at_terminal(what, is_new);
    }
    size_t len = strlen(text);
    (void)snprintf(kept, sizeof kept, "%s", text);
    return hr_status_of(len < sizeof kept ? HR_OK : HR_MALFORMED);
}

struct hr_status cli_passphrase(const char *what, bool is_new, const char **out, size_t *len)
{
    if (kept[0] == '\0') {
        struct hr_status status = find(what, is_new);
        if (!hr_is_ok(status)) {
            cli_passphrase_wipe();
            return status;
        }
    }
    size_t found = strlen(kept);
    if (found > CLI_PASSPHRASE_MAX_CHARS || (is_new && found < CLI_PASSPHRASE_MIN_CHARS)) {
        (void)fprintf(stderr, "headrace: a passphrase has %d to %d characters\n", CLI_PASSPHRASE_MIN_CHARS,
                      CLI_PASSPHRASE_MAX_CHARS);
        cli_passphrase_wipe();
        return hr_status_of(HR_MALFORMED);
    }
    *out = kept;
    *len = found;
    return hr_ok();
}

void cli_passphrase_wipe(void)
{
    OPENSSL_cleanse(kept, sizeof kept);
}
