/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/sqlite/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PATH_MAX_CHARS = 4096 };

static struct hr_status refuse_second(const struct ledger_sqlite *ledger, int fd, const char *path)
{
    char owner[32] = "";
    ssize_t n = pread(fd, owner, sizeof owner - 1, 0);
    owner[n < 0 ? 0 : n] = '\0';
    owner[strcspn(owner, "\n")] = '\0';
    ledger_say(&ledger->report, "the ledger %s is in use by process %s: one aggregator at a time", path,
               owner[0] == '\0' ? "(unknown)" : owner);
    (void)close(fd);
    return hr_status_of(HR_AGAIN);
}

struct hr_status ledger_lock(struct ledger_sqlite *ledger, const char *path)
{
    char name[PATH_MAX_CHARS];
    int n = snprintf(name, sizeof name, "%s.lock", path);
    if (n < 0 || (size_t)n >= sizeof name) {
        ledger_say(&ledger->report, "the path of the ledger is too long");
        return hr_status_of(HR_IO);
    }
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        ledger_say(&ledger->report, "%s: %s", name, strerror(errno));
        return hr_status_of(HR_IO);
    }
    /* The kernel lets go of it when the process ends, however it ends; the file itself stays. */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return refuse_second(ledger, fd, path);
    }
    char owner[32];
    n = snprintf(owner, sizeof owner, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, owner, (size_t)n, 0) != n) {
        /* Only the message of a second instance suffers, the lock holds all the same. */
        ledger_say(&ledger->report, "%s: %s", name, strerror(errno));
    }
    ledger->lock_fd = fd;
    return hr_ok();
}

void ledger_unlock(struct ledger_sqlite *ledger)
{
    if (ledger->lock_fd >= 0) {
        (void)close(ledger->lock_fd);
        ledger->lock_fd = -1;
    }
}
