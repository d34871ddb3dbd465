/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/key_files.h"

#include "firmware/crypto/key_file.h"
#include "proto/base/assert.h"
#include "proto/base/failpoint.h"
#include "proto/base/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATE_MAX_CHARS = 512, HEX_CHARS = 2 * CRYPTO_KEY_BYTES, OWNER_ONLY = 0600 };

static const char *const phase_names[PORT_KEYS_N_PHASES] = {[PORT_KEYS_SINGLE] = "single",
                                                            [PORT_KEYS_PREPARED] = "prepared",
                                                            [PORT_KEYS_PLACED] = "placed",
                                                            [PORT_KEYS_IN_USE] = "in_use",
                                                            [PORT_KEYS_BACK] = "back"};

static struct hr_status refuse(const struct app_key_files *files, const char *path, const char *what,
                               enum hr_code code)
{
    PORT_LOG(files->log, PORT_LOG_ERROR, "record_key_files", {"path", path, 0}, {"what", what, 0},
             {"reason", code == HR_IO ? strerror(errno) : hr_code_name(code), 0});
    return hr_status_of(code);
}

/* ---- files that are replaced whole ---- */

static bool sync_folder_of(const char *path)
{
    char folder[APP_KEY_PATH_CHARS];
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash == NULL) {
        (void)snprintf(folder, sizeof folder, ".");
    } else {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced;
}

static struct hr_status replace(const struct app_key_files *files, const char *path, struct hr_bytes content)
{
    char beside[APP_KEY_PATH_CHARS + 8];
    (void)snprintf(beside, sizeof beside, "%s.new", path);
    (void)unlink(beside); /* what a cut left */
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, OWNER_ONLY);
    bool is_written =
        fd >= 0 && write(fd, content.data, content.len_bytes) == (ssize_t)content.len_bytes && fsync(fd) == 0;
    if (fd >= 0) {
        is_written = close(fd) == 0 && is_written;
    }
    if (!is_written || rename(beside, path) != 0 || !sync_folder_of(path)) {
        return refuse(files, path, "it can't be replaced", HR_IO);
    }
    return hr_ok();
}

static void put_hex(const uint8_t *bytes, size_t len_bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len_bytes; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 0xF];
    }
    out[2 * len_bytes] = '\0';
}

static bool take_hex(const char *text, uint8_t *out, size_t len_bytes)
{
    bool is_good = strlen(text) == 2 * len_bytes && strspn(text, "0123456789abcdef") == 2 * len_bytes;
    for (size_t i = 0; is_good && i < len_bytes; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return is_good;
}

/* What is to be durable. */
static struct hr_status write_state(const struct app_key_files *files, struct port_keys_note note,
                                    bool is_promoted)
{
    char text[STATE_MAX_CHARS];
    char hex[HEX_CHARS + 1] = "";
    bool has_next = note.phase != PORT_KEYS_SINGLE || is_promoted;
    if (has_next) {
        put_hex(files->next_der, sizeof files->next_der, hex);
    }
    int len = snprintf(text, sizeof text, "epoch %u\nphase %s\nplace %lu %lu\n%s%s%s", (unsigned)files->epoch,
                       is_promoted ? "promoted" : phase_names[note.phase], (unsigned long)note.stream,
                       (unsigned long)note.seq, has_next ? "next " : "", hex, has_next ? "\n" : "");
    struct hr_status status = replace(files, files->state_path, hr_bytes_of(text, (size_t)len));
    hr_wipe(hex, sizeof hex);
    hr_wipe(text, sizeof text);
    return status;
}

/* ---- keys in use ---- */

static struct hr_status load_next(struct app_key_files *files)
{
    return app_key_pair_load_next(&files->pair, hr_bytes_of(files->next_der, sizeof files->next_der));
}

static void forget_next(struct app_key_files *files)
{
    app_key_pair_forget_next(&files->pair);
    hr_wipe(files->next_der, sizeof files->next_der);
}

static struct hr_status load_key(struct app_key_files *files, bool is_loaded)
{
    uint8_t key[CRYPTO_KEY_FILE_MAX_BYTES + 1];
    size_t len_bytes = 0;
    struct crypto_fault fault;
    struct hr_status status = crypto_key_file_read(files->path, key, &len_bytes, &fault);
    if (hr_is_ok(status)) {
        /* As PEM with its zero counted, or else as DER. */
        status = app_key_pair_load(&files->pair, hr_bytes_of(key, len_bytes + 1), files->epoch, is_loaded);
        if (hr_is(status, HR_MALFORMED)) {
            status = app_key_pair_load(&files->pair, hr_bytes_of(key, len_bytes), files->epoch, false);
        }
        (void)snprintf(fault.text, sizeof fault.text, "%s: no P-256 private key", files->path);
    }
    hr_wipe(key, sizeof key);
    if (!hr_is_ok(status)) {
        PORT_LOG(files->log, PORT_LOG_ERROR, "record_key_refused", {"reason", fault.text, 0});
    }
    return status;
}

/* Ends a promotion whose state is written: FILE gets the next key, then the state says that it is the only
 * one. Both may be done again. */
static struct hr_status end_promotion(struct app_key_files *files)
{
    HR_TRY(replace(files, files->path, hr_bytes_of(files->next_der, sizeof files->next_der)));
    HR_FAILPOINT("key_replaced");
    files->epoch++;
    files->is_promoted = false;
    files->pair.port.note = (struct port_keys_note){.phase = PORT_KEYS_SINGLE};
    return write_state(files, files->pair.port.note, false);
}

/* ---- port_keys ---- */

static struct hr_status prepare(void *ctx)
{
    struct app_key_files *files = ctx;
    const struct port_keys_note note = {.phase = PORT_KEYS_PREPARED};
    if (files->epoch == UINT16_MAX) {
        return hr_status_of(HR_FULL);
    }
    HR_TRY(crypto_key_new(files->next_der));
    HR_TRY(load_next(files));
    struct hr_status status = write_state(files, note, false);
    HR_FAILPOINT("key_prepared");
    if (!hr_is_ok(status)) {
        forget_next(files);
        return status;
    }
    files->pair.port.note = note;
    return hr_ok();
}

static struct hr_status save(void *ctx, struct port_keys_note note)
{
    struct app_key_files *files = ctx;
    HR_TRY(write_state(files, note, false));
    files->pair.port.note = note;
    if (note.phase == PORT_KEYS_PLACED) {
        HR_FAILPOINT("key_placed");
    } else if (note.phase == PORT_KEYS_IN_USE) {
        HR_FAILPOINT("key_in_use");
    }
    return hr_ok();
}

static struct hr_status promote(void *ctx)
{
    struct app_key_files *files = ctx;
    HR_TRY(write_state(files, files->pair.port.note, true));
    HR_FAILPOINT("key_promoted");
    HR_TRY(end_promotion(files));
    forget_next(files);
    return load_key(files, true);
}

static struct hr_status discard(void *ctx)
{
    struct app_key_files *files = ctx;
    const struct port_keys_note note = {.phase = PORT_KEYS_SINGLE};
    HR_TRY(write_state(files, note, false));
    files->pair.port.note = note;
    forget_next(files);
    return hr_ok();
}

/* ---- start ---- */

static bool take_phase(const char *name, struct app_key_files *files)
{
    files->is_promoted = strcmp(name, "promoted") == 0;
    for (int i = 0; i < PORT_KEYS_N_PHASES; i++) {
        if (strcmp(phase_names[i], name) == 0) {
            files->pair.port.note.phase = (enum port_keys_phase)i;
            return true;
        }
    }
    return files->is_promoted;
}

/* Takes the text of a state apart; false: it isn't one. */
static bool take_state(struct app_key_files *files, char *text, uint16_t *epoch)
{
    static const char *const words[] = {"epoch ", "phase ", "place ", "next "};
    const char *values[HR_ARRAY_LEN(words)] = {NULL};
    char *rest = text;
    size_t n = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (n == HR_ARRAY_LEN(words) || strncmp(line, words[n], strlen(words[n])) != 0) {
            return false;
        }
        values[n] = line + strlen(words[n]);
        n++;
    }
    if (n < 3 || !take_phase(values[1], files)) {
        return false;
    }
    char *end = NULL;
    unsigned long number = strtoul(values[0], &end, 10);
    bool is_good = end != values[0] && *end == '\0' && number > 0 && number <= UINT16_MAX;
    *epoch = (uint16_t)number;
    files->pair.port.note.stream = (uint32_t)strtoul(values[2], &end, 10);
    files->pair.port.note.seq = (uint32_t)strtoul(end, &end, 10);
    bool wants_next = files->pair.port.note.phase != PORT_KEYS_SINGLE || files->is_promoted;
    return is_good && *end == '\0' && wants_next == (n == 4) &&
           (!wants_next || take_hex(values[3], files->next_der, sizeof files->next_der));
}

/* HR_NOT_FOUND: there is none. */
static struct hr_status read_state(struct app_key_files *files, uint16_t *epoch)
{
    char text[STATE_MAX_CHARS + 1];
    struct stat info;
    int fd = open(files->state_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return hr_status_of(HR_NOT_FOUND);
    }
    ssize_t got = fd >= 0 && fstat(fd, &info) == 0 ? read(fd, text, STATE_MAX_CHARS) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (got < 0) {
        return refuse(files, files->state_path, "it can't be read", HR_IO);
    }
    text[got] = '\0';
    bool is_private = (info.st_mode & 0077) == 0;
    bool is_good = is_private && take_state(files, text, epoch);
    hr_wipe(text, sizeof text);
    if (!is_private) {
        return refuse(files, files->state_path, "others than its owner may use it: chmod 600", HR_DENIED);
    }
    return is_good ? hr_ok()
                   : refuse(files, files->state_path, "it is no state of record keys", HR_MALFORMED);
}

struct hr_status app_key_files_open(struct app_key_files *files, const struct app_identity *identity,
                                    const struct port_log *log)
{
    *files = (struct app_key_files){.log = log, .epoch = identity->key_epoch};
    files->pair.port = (struct port_keys){
        .prepare = prepare, .save = save, .promote = promote, .discard = discard, .ctx = files};
    (void)snprintf(files->path, sizeof files->path, "%s", identity->record_key);
    (void)snprintf(files->state_path, sizeof files->state_path, "%s.state", identity->record_key);
    uint16_t epoch = 0;
    struct hr_status status = read_state(files, &epoch);
    if (hr_is_ok(status) && epoch >= identity->key_epoch) {
        files->epoch = epoch;
    } else if (hr_is_ok(status)) {
        PORT_LOG(log, PORT_LOG_WARN, "record_key_enrolled_again", {"key_epoch", NULL, identity->key_epoch},
                 {"state_epoch", NULL, epoch});
        files->pair.port.note = (struct port_keys_note){.phase = PORT_KEYS_SINGLE};
        files->is_promoted = false;
    } else if (!hr_is(status, HR_NOT_FOUND)) {
        return status;
    }
    if (files->is_promoted) {
        HR_TRY(end_promotion(files));
    }
    HR_TRY(load_key(files, false));
    return files->pair.port.note.phase == PORT_KEYS_SINGLE ? hr_ok() : load_next(files);
}
