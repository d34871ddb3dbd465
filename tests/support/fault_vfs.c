/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fault_vfs.h"

#include "proto/base/assert.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CHANGES = 65536, MAX_FILES = 8, PATH_CHARS = 512 };

/* One change that is not synced: what the range held before. */
struct change {
    int file;
    bool is_truncate;
    sqlite3_int64 at;
    sqlite3_int64 size_before;
    size_t len_bytes;
    uint8_t *before;     /* what was there */
    size_t before_bytes; /* as far as the file reached */
};

struct fault_file {
    sqlite3_file base;
    int file;           /* into state.paths */
    sqlite3_file *real; /* behind this struct */
};

static struct {
    sqlite3_vfs *real;
    sqlite3_vfs vfs;
    bool is_full;
    bool is_cut;
    bool fails_database_sync;
    uint32_t fail_sync_in;
    uint32_t cut_in;
    uint32_t fail_in;
    enum fault_vfs_kind fail_kind;
    uint32_t n_operations;
    int n_files;
    char paths[MAX_FILES][PATH_CHARS];
    uint32_t n_changes;
    struct change changes[MAX_CHANGES];
} state;

/* Counts an operation; false: the power fails now or is off. */
static bool passes(void)
{
    state.n_operations++;
    if (state.cut_in > 0) {
        state.cut_in--;
        state.is_cut = state.cut_in == 0;
    }
    return !state.is_cut;
}

/* Does the one operation that was ordered to fail fail now? */
static bool fails(bool is_write)
{
    if (state.fail_in > 1) {
        state.fail_in--;
    } else if (state.fail_in == 1 && (is_write || state.fail_kind == FAULT_VFS_EIO)) {
        state.fail_in = 0;
        return true;
    }
    return false;
}

static void forget_changes(int file)
{
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < state.n_changes; i++) {
        if (state.changes[i].file == file) {
            free(state.changes[i].before);
        } else {
            state.changes[n_kept++] = state.changes[i];
        }
    }
    state.n_changes = n_kept;
}

static void remember(struct fault_file *file, int64_t at, size_t len_bytes, bool is_truncate)
{
    HR_ASSERT(state.n_changes < MAX_CHANGES);
    struct change *change = &state.changes[state.n_changes++];
    *change =
        (struct change){.file = file->file, .is_truncate = is_truncate, .at = at, .len_bytes = len_bytes};
    change->before = malloc(len_bytes + 1);
    HR_ASSERT(change->before != NULL);
    HR_ASSERT(file->real->pMethods->xFileSize(file->real, &change->size_before) == SQLITE_OK);
    int64_t reach = change->size_before - at;
    if (reach > 0) {
        change->before_bytes = reach < (int64_t)len_bytes ? (size_t)reach : len_bytes;
        int rc = file->real->pMethods->xRead(file->real, change->before, (int)change->before_bytes, at);
        HR_ASSERT(rc == SQLITE_OK);
    }
}

static struct fault_file *fault_of(sqlite3_file *base)
{
    return (struct fault_file *)base;
}

static sqlite3_file *real_of(sqlite3_file *base)
{
    return fault_of(base)->real;
}

static int vfs_close(sqlite3_file *base)
{
    return real_of(base)->pMethods->xClose(real_of(base));
}

static int vfs_read(sqlite3_file *base, void *out, int n, sqlite3_int64 at)
{
    return real_of(base)->pMethods->xRead(real_of(base), out, n, at);
}

static int vfs_write(sqlite3_file *base, const void *data, int n, sqlite3_int64 at)
{
    struct fault_file *file = fault_of(base);
    bool was_cut = state.is_cut;
    bool goes_on = passes();
    if (was_cut) {
        return SQLITE_IOERR_WRITE;
    }
    if (state.is_full) {
        return SQLITE_FULL;
    }
    /* The write that the cut hits may still reach the disk, whole or torn: fault_vfs_power_on decides. */
    remember(file, at, (size_t)n, false);
    bool has_failed = fails(true);
    if (has_failed && state.fail_kind != FAULT_VFS_SHORT_WRITE) {
        return state.fail_kind == FAULT_VFS_EIO ? SQLITE_IOERR_WRITE : SQLITE_FULL;
    }
    int rc = file->real->pMethods->xWrite(file->real, data, has_failed ? n / 2 : n, at);
    if (has_failed && rc == SQLITE_OK) {
        return SQLITE_FULL; /* as SQLite's own VFS says of a short write */
    }
    return goes_on ? rc : SQLITE_IOERR_WRITE;
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct fault_file *file = fault_of(base);
    if (!passes() || fails(false)) {
        return SQLITE_IOERR_TRUNCATE;
    }
    sqlite3_int64 now = 0;
    HR_ASSERT(file->real->pMethods->xFileSize(file->real, &now) == SQLITE_OK);
    remember(file, size, now > size ? (size_t)(now - size) : 0, true);
    return file->real->pMethods->xTruncate(file->real, size);
}

/* The real disk is not waited for: the test's own power cut decides what is lost. */
static int vfs_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    if (!passes() || fails(false)) {
        return SQLITE_IOERR_FSYNC;
    }
    if (state.fail_sync_in > 0) {
        state.fail_sync_in--;
        if (state.fail_sync_in == 0) {
            return SQLITE_IOERR_FSYNC;
        }
    }
    const char *path = state.paths[fault_of(base)->file];
    if (state.fails_database_sync && strstr(path, "-wal") == NULL) {
        return SQLITE_IOERR_FSYNC;
    }
    forget_changes(fault_of(base)->file);
    return SQLITE_OK;
}

static int vfs_file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    return real_of(base)->pMethods->xFileSize(real_of(base), size);
}

static int vfs_lock(sqlite3_file *base, int level)
{
    return real_of(base)->pMethods->xLock(real_of(base), level);
}

static int vfs_unlock(sqlite3_file *base, int level)
{
    return real_of(base)->pMethods->xUnlock(real_of(base), level);
}

static int vfs_check_reserved(sqlite3_file *base, int *out)
{
    return real_of(base)->pMethods->xCheckReservedLock(real_of(base), out);
}

static int vfs_control(sqlite3_file *base, int op, void *arg)
{
    return real_of(base)->pMethods->xFileControl(real_of(base), op, arg);
}

static int vfs_sector_size(sqlite3_file *base)
{
    return real_of(base)->pMethods->xSectorSize(real_of(base));
}

static int vfs_characteristics(sqlite3_file *base)
{
    return real_of(base)->pMethods->xDeviceCharacteristics(real_of(base));
}

static int vfs_shm_map(sqlite3_file *base, int page, int page_bytes, int extend, void volatile **out)
{
    return real_of(base)->pMethods->xShmMap(real_of(base), page, page_bytes, extend, out);
}

static int vfs_shm_lock(sqlite3_file *base, int offset, int n, int flags)
{
    return real_of(base)->pMethods->xShmLock(real_of(base), offset, n, flags);
}

static void vfs_shm_barrier(sqlite3_file *base)
{
    real_of(base)->pMethods->xShmBarrier(real_of(base));
}

static int vfs_shm_unmap(sqlite3_file *base, int is_deleted)
{
    return real_of(base)->pMethods->xShmUnmap(real_of(base), is_deleted);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* without memory mapping: every read passes here */
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_file_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

static int index_of(const char *path)
{
    int at = 0;
    while (at < state.n_files && strcmp(state.paths[at], path) != 0) {
        at++;
    }
    if (at == state.n_files) {
        HR_ASSERT(at < MAX_FILES);
        (void)snprintf(state.paths[at], PATH_CHARS, "%s", path);
        state.n_files++;
    }
    return at;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
    (void)vfs;
    struct fault_file *file = fault_of(base);
    file->real = (sqlite3_file *)(file + 1);
    file->file = index_of(name == NULL ? "" : name);
    int rc = state.real->xOpen(state.real, name, file->real, flags, out_flags);
    base->pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    (void)vfs;
    if (!passes() || fails(false)) {
        return SQLITE_IOERR_DELETE;
    }
    forget_changes(index_of(name));
    return state.real->xDelete(state.real, name, sync_folder);
}

void fault_vfs_reset(void)
{
    if (state.real == NULL) {
        state.real = sqlite3_vfs_find(NULL);
        state.vfs = *state.real;
        state.vfs.pNext = NULL;
        state.vfs.zName = FAULT_VFS_NAME;
        state.vfs.szOsFile = (int)sizeof(struct fault_file) + state.real->szOsFile;
        state.vfs.xOpen = vfs_open;
        state.vfs.xDelete = vfs_delete;
        HR_ASSERT(sqlite3_vfs_register(&state.vfs, 0) == SQLITE_OK);
    }
    for (int i = 0; i < state.n_files; i++) {
        forget_changes(i);
    }
    state.n_files = 0;
    state.is_full = state.is_cut = state.fails_database_sync = false;
    state.fail_sync_in = state.cut_in = state.fail_in = state.n_operations = 0;
}

void fault_vfs_disk_full(bool is_full)
{
    state.is_full = is_full;
}

void fault_vfs_fail_sync(uint32_t n)
{
    state.fail_sync_in = n;
}

void fault_vfs_fail_database_sync(bool fails)
{
    state.fails_database_sync = fails;
}

void fault_vfs_fail_at(uint32_t n, enum fault_vfs_kind kind)
{
    state.fail_in = n;
    state.fail_kind = kind;
}

bool fault_vfs_has_failed(void)
{
    return state.fail_in == 0;
}

void fault_vfs_cut_at(uint32_t n)
{
    state.cut_in = n;
}

bool fault_vfs_was_cut(void)
{
    return state.is_cut;
}

uint32_t fault_vfs_operations(void)
{
    return state.n_operations;
}

/* Puts back what the change overwrote, but for its first `torn_bytes`. */
static void take_back(const struct change *change, size_t torn_bytes)
{
    int fd = open(state.paths[change->file], O_RDWR);
    HR_ASSERT(fd >= 0);
    if (change->before_bytes > torn_bytes) {
        size_t n = change->before_bytes - torn_bytes;
        HR_ASSERT(pwrite(fd, change->before + torn_bytes, n, change->at + (off_t)torn_bytes) == (ssize_t)n);
    }
    int64_t torn_end = change->at + (int64_t)torn_bytes;
    int64_t size = torn_bytes > 0 && torn_end > change->size_before ? torn_end : change->size_before;
    HR_ASSERT(ftruncate(fd, size) == 0);
    HR_ASSERT(close(fd) == 0);
}

static void lose_some_of(int file, struct test_random *random)
{
    uint32_t n_of_file = 0;
    for (uint32_t i = 0; i < state.n_changes; i++) {
        n_of_file += state.changes[i].file == file ? 1 : 0;
    }
    uint32_t n_kept = test_random_below(random, n_of_file + 1);
    uint32_t at = n_of_file;
    for (uint32_t i = state.n_changes; i-- > 0 && at > n_kept;) {
        const struct change *change = &state.changes[i];
        if (change->file == file) {
            at--;
            bool is_torn = at == n_kept && !change->is_truncate && test_random_below(random, 2) == 0;
            take_back(change, is_torn ? test_random_below(random, (uint32_t)change->len_bytes) : 0);
        }
    }
    forget_changes(file);
}

void fault_vfs_power_on(struct test_random *random)
{
    for (int i = 0; i < state.n_files; i++) {
        lose_some_of(i, random);
    }
    state.is_cut = false;
    state.cut_in = 0;
}
