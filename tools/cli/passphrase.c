/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/passphrase.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>

enum {
    NAME_CHARS = 48,
    VARIABLE_CHARS = NAME_CHARS + 32,
    KEPT_MAX = 4,
    KEPT_BYTES = CLI_PASSPHRASE_MAX_CHARS + 2, /* and a newline */
};

/* What is asked for. */
struct kind {
    const char *variable;
    const char *prompt;
    const char *no_terminal;
};

static const struct kind passphrase = {"PASSPHRASE", "Passphrase of",
                                       "the key is encrypted, and there is no terminal to ask at; set "
                                       "$HEADRACE_CA_PASSPHRASE_FILE or $HEADRACE_CA_PASSPHRASE"};
static const struct kind pin = {"PIN", "PIN of token",
                                "the token wants a PIN, and there is no terminal to ask at; set "
                                "$HEADRACE_PKCS11_PIN_FILE or $HEADRACE_PKCS11_PIN"};

/* A passphrase, and where it is looked for. */
struct kept {
    char name[NAME_CHARS]; /* "CA", of all keys; or "ROOT_B", of root-b.key alone */
    char text[KEPT_BYTES];
};

static struct kept all[KEPT_MAX] = {{.name = "CA"}};

/* $HEADRACE_NAME_PASSPHRASE, or with _FILE behind. */
static const char *variable(const struct kind *kind, const char *name, bool is_file, char out[VARIABLE_CHARS])
{
    (void)snprintf(out, VARIABLE_CHARS, "HEADRACE_%s_%s%s", name, kind->variable, is_file ? "_FILE" : "");
    return getenv(out);
}

static bool has_variable(const struct kind *kind, const char *name)
{
    char text[VARIABLE_CHARS];
    return variable(kind, name, true, text) != NULL || variable(kind, name, false, text) != NULL;
}

/* The file's name in capitals, without its folder and ending: what its own variables are named after. */
static void name_of(const char *what, char out[NAME_CHARS])
{
    const char *slash = strrchr(what, '/');
    const char *begin = slash != NULL ? slash + 1 : what;
    size_t n = 0;
    for (; begin[n] != '\0' && begin[n] != '.' && n + 1 < NAME_CHARS; n++) {
        out[n] = (char)(isalnum((unsigned char)begin[n]) ? toupper((unsigned char)begin[n]) : '_');
    }
    out[n] = '\0';
}

/* The one for this key: its own when there is a variable for it, else that of all keys. */
static struct kept *kept_for(const char *what)
{
    char name[NAME_CHARS];
    name_of(what, name);
    if (!has_variable(&passphrase, name)) {
        return &all[0];
    }
    size_t i = 0;
    while (i + 1 < KEPT_MAX && all[i].name[0] != '\0' && strcmp(all[i].name, name) != 0) {
        i++;
    }
    if (strcmp(all[i].name, name) != 0) { /* the last place is for whoever asked last */
        OPENSSL_cleanse(&all[i], sizeof all[i]);
        (void)snprintf(all[i].name, sizeof all[i].name, "%s", name);
    }
    return &all[i];
}

/* The first line of a stream. */
static bool read_line(FILE *from, char out[KEPT_BYTES])
{
    bool has = fgets(out, KEPT_BYTES, from) != NULL;
    size_t len = has ? strcspn(out, "\r\n") : 0;
    has = has && (out[len] != '\0' || feof(from) != 0 || len <= CLI_PASSPHRASE_MAX_CHARS);
    out[len] = '\0';
    return has;
}

static struct hr_status read_file(const char *path, const char *names_it, char out[KEPT_BYTES])
{
    struct stat status;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        (void)fprintf(stderr,
                      "headrace: %s, which $%s names: %s: name a file that you can read, or unset it to be "
                      "asked\n",
                      path, names_it, strerror(errno));
        return hr_status_of(HR_NOT_FOUND);
    }
    if (fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0) {
        (void)fprintf(stderr,
                      "headrace: everybody on this machine can read %s, a passphrase: `chmod 600 %s`\n", path,
                      path);
    }
    bool has = read_line(file, out);
    (void)fclose(file);
    if (!has) {
        (void)fprintf(stderr,
                      "headrace: %s, which $%s names, has no first line of up to %d characters: put the "
                      "passphrase there, or unset it to be asked\n",
                      path, names_it, CLI_PASSPHRASE_MAX_CHARS);
    }
    return hr_status_of(has ? HR_OK : HR_NOT_FOUND);
}

static bool ask(FILE *terminal, const char *prompt, const char *what, char out[KEPT_BYTES])
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

static struct hr_status ask_at_terminal(const struct kind *kind, const char *what, bool is_new,
                                        char out[KEPT_BYTES])
{
    char again[KEPT_BYTES] = "";
    FILE *terminal = fopen("/dev/tty", "re");
    if (terminal == NULL) {
        (void)fprintf(stderr, "headrace: %s: %s\n", what, kind->no_terminal);
        return hr_status_of(HR_NOT_FOUND);
    }
    bool has = ask(terminal, kind->prompt, what, out) &&
               (!is_new || ask(terminal, "Again, the passphrase of", what, again));
    (void)fclose(terminal);
    bool is_same = !is_new || strcmp(out, again) == 0;
    OPENSSL_cleanse(again, sizeof again);
    if (!has || !is_same) {
        (void)fprintf(stderr, has ? "headrace: that was not the same\n" : "headrace: %s: nothing was given\n",
                      what);
    }
    return hr_status_of(!has ? HR_NOT_FOUND : is_same ? HR_OK : HR_MALFORMED);
}

static struct hr_status find(const struct kind *kind, const char *name, const char *what, bool is_new,
                             char out[KEPT_BYTES])
{
    char file_variable[VARIABLE_CHARS];
    char text_variable[VARIABLE_CHARS];
    const char *path = variable(kind, name, true, file_variable);
    const char *text = variable(kind, name, false, text_variable);
    if (path != NULL) {
        return read_file(path, file_variable, out);
    }
    if (text == NULL) {
        return ask_at_terminal(kind, what, is_new, out);
    }
    size_t len = strlen(text);
    (void)snprintf(out, KEPT_BYTES, "%s", text);
    return hr_status_of(len < KEPT_BYTES ? HR_OK : HR_MALFORMED);
}

struct hr_status cli_passphrase(const char *what, bool is_new, const char **out, size_t *len)
{
    struct kept *kept = kept_for(what);
    if (kept->text[0] == '\0') {
        struct hr_status status = find(&passphrase, kept->name, what, is_new, kept->text);
        if (!hr_is_ok(status)) {
            cli_passphrase_wipe();
            return status;
        }
    }
    size_t found = strlen(kept->text);
    if (found == 0 && !is_new) {
        (void)fprintf(stderr, "headrace: %s: the passphrase is empty: say it again with the right one\n",
                      what);
        return hr_status_of(HR_NOT_FOUND);
    }
    if (found > CLI_PASSPHRASE_MAX_CHARS || (is_new && found < CLI_PASSPHRASE_MIN_CHARS)) {
        (void)fprintf(stderr, "headrace: a passphrase has %d to %d characters\n", CLI_PASSPHRASE_MIN_CHARS,
                      CLI_PASSPHRASE_MAX_CHARS);
        cli_passphrase_wipe();
        return hr_status_of(HR_MALFORMED);
    }
    *out = kept->text;
    *len = found;
    return hr_ok();
}

struct hr_status cli_pin(const char *token, char out[CLI_PIN_BYTES])
{
    char name[NAME_CHARS];
    char text[KEPT_BYTES] = "";
    name_of(token, name);
    struct hr_status status = find(&pin, has_variable(&pin, name) ? name : "PKCS11", token, false, text);
    if (hr_is_ok(status) && (text[0] == '\0' || strlen(text) >= CLI_PIN_BYTES)) {
        (void)fprintf(stderr, "headrace: %s: a PIN has 1 to %d characters\n", token, CLI_PIN_BYTES - 1);
        status = hr_status_of(HR_MALFORMED);
    }
    if (hr_is_ok(status)) {
        memcpy(out, text, strlen(text) + 1);
    }
    OPENSSL_cleanse(text, sizeof text);
    return status;
}

void cli_passphrase_wipe(void)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        OPENSSL_cleanse(all[i].text, sizeof all[i].text);
    }
}
