/* SPDX-License-Identifier: Apache-2.0
 *
 * A VFS for SQLite that fails on order: a full disk, a failing fsync, or a power cut at any write, truncate
 * or fsync. It stands before the default VFS and keeps, for each change that was not synced yet, what was
 * there before, so that a cut can take unsynced changes back: of each file all after some point, the first of
 * them torn. */
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include "tests/support/test_random.h"

#include <stdbool.h>
#include <stdint.h>

#define FAULT_VFS_NAME "fault"

/* Registers the VFS, once, and ends every fault and all that is remembered. */
void fault_vfs_reset(void);
/* Every write fails with SQLITE_FULL until called with false. */
void fault_vfs_disk_full(bool is_full);
/* The n-th fsync from now on (1: the next) fails with SQLITE_IOERR_FSYNC; 0: none. */
void fault_vfs_fail_sync(uint32_t n);
/* Every fsync of a database file, which is synced only when the WAL is moved into it, fails until called with
 * false. */
void fault_vfs_fail_database_sync(bool fails);
/* What a disk may do to one operation. A short write takes the first half of the bytes. */
enum fault_vfs_kind { FAULT_VFS_ENOSPC, FAULT_VFS_EIO, FAULT_VFS_SHORT_WRITE };
/* The n-th operation from now on (1: the next) fails so, and only that one. Without space nothing but a write
 * fails, and only a write is short; then it is the next write. */
void fault_vfs_fail_at(uint32_t n, enum fault_vfs_kind kind);
bool fault_vfs_has_failed(void); /* since it was last told to */
/* The power fails at the n-th operation from now on (1: the next): it and everything after fails. */
void fault_vfs_cut_at(uint32_t n);
bool fault_vfs_was_cut(void);
uint32_t fault_vfs_operations(void); /* since the last reset */
/* After the cut, with all connections closed: takes unsynced changes back, by chance, and lets operations
 * pass. */
void fault_vfs_power_on(struct test_random *random);

#endif
