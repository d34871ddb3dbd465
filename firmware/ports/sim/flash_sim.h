/* SPDX-License-Identifier: Apache-2.0
 *
 * Flash in RAM that enforces the rules of port_flash.h and loses power where a test says. A broken rule (a
 * unit programmed twice, an address that is not aligned, a torn unit programmed without an erase) is an
 * assert: it is a bug of the spool, whatever the data look like.
 *
 * Two ways to lose power. SIM_FLASH_NOR: operations reach the cells in order, and the one that is cut may be
 * torn after each program unit or inside one, where only some of the bits have changed; an erase likewise.
 * Torn bits may be weak: they read differently after the next power cut. SIM_FLASH_PAGES: a file in a page
 * cache; whatever was not synced survives page by page or not, in any combination.
 *
 * Operations (program, erase, sync) are numbered from 0. After a cut every operation is HR_IO until power
 * returns. All [loop]. */
#ifndef SIM_FLASH_SIM_H
#define SIM_FLASH_SIM_H

#include "firmware/port/port_flash.h"

#define SIM_FLASH_NEVER 0xFFFFFFFFu

enum sim_flash_kind { SIM_FLASH_NOR, SIM_FLASH_PAGES };

/* What of the unsynced pages a cut leaves. SIM_FLASH_STAY_CACHED: only the process died; the pages stay as
 * they are and not synced, for a later cut to decide about. */
enum sim_flash_survivors {
    SIM_FLASH_NONE_SURVIVE,
    SIM_FLASH_ALL_SURVIVE,
    SIM_FLASH_SOME_SURVIVE,
    SIM_FLASH_STAY_CACHED,
};

struct sim_flash_config {
    enum sim_flash_kind kind;
    uint32_t sector_bytes;
    uint32_t n_sectors;
    uint32_t program_unit_bytes;
    uint32_t page_bytes; /* SIM_FLASH_PAGES; divides sector_bytes */
    bool weak_bits;      /* SIM_FLASH_NOR: torn bits are drawn again each time power returns */
    uint64_t seed;
};

/* Where power goes. For a program of u units, tear 0 is before it, tear 2i is after i whole units, tear 2i -
 * 1 is inside unit i; for an erase, u is SIM_FLASH_ERASE_STEPS. A tear beyond 2u is after the operation. With
 * SIM_FLASH_PAGES tear 0 is before the operation and every other after it. */
struct sim_flash_cut {
    uint32_t op; /* SIM_FLASH_NEVER: no cut */
    uint32_t tear;
    enum sim_flash_survivors survivors;
};

enum { SIM_FLASH_ERASE_STEPS = 4, SIM_FLASH_MAX_BAD_RANGES = 4 };

/* Operations that fail while power is on; SIM_FLASH_NEVER: none. Each is met once. */
struct sim_flash_faults {
    uint32_t program_op; /* the program of this number is HR_IO and leaves half of its bytes */
    uint32_t erase_op;   /* the erase of this number is HR_IO and leaves the sector half erased */
    uint32_t sync_op;
};

struct sim_flash_range {
    uint32_t address;
    uint32_t len_bytes;
};

struct sim_flash {
    struct port_flash port;
    struct sim_flash_config config;
    struct sim_flash_cut cut;
    struct sim_flash_faults faults;
    uint32_t n_ops; /* since sim_flash_plan */
    uint32_t n_programs;
    uint32_t n_erases;
    uint32_t n_syncs;
    uint32_t n_faults_met;
    uint32_t cut_units; /* units of the operation that was cut, so that a sweep knows its tears */
    bool is_off;
    uint64_t random_state;
    uint8_t *cells;      /* what a read gives */
    uint8_t *durable;    /* SIM_FLASH_PAGES: what is on the disk */
    uint8_t *programmed; /* one a unit: not to be programmed before the next erase */
    uint8_t *weak;       /* SIM_FLASH_NOR: bits that are drawn again */
    struct sim_flash_range unreadable[SIM_FLASH_MAX_BAD_RANGES];
    uint32_t n_unreadable;
};

/* Makes blank flash with power on. Asserts on an impossible geometry. Owns memory until sim_flash_free. */
void sim_flash_make(struct sim_flash *flash, const struct sim_flash_config *config);
void sim_flash_free(struct sim_flash *flash);
/* Makes `to` hold the same bytes and rules as `from` (same geometry), with power on and no plan. */
void sim_flash_copy(struct sim_flash *to, const struct sim_flash *from);

/* Starts to count operations at 0, towards this cut and no faults. */
void sim_flash_plan(struct sim_flash *flash, struct sim_flash_cut cut);
/* Ends the power, as at the cut, with what was not synced lost according to `survivors`. */
void sim_flash_power_off(struct sim_flash *flash, enum sim_flash_survivors survivors);
/* Power returns; no cut is planned. */
void sim_flash_power_on(struct sim_flash *flash);

/* Reads of the range are HR_IO from now on (an ECC error, a bad block). */
void sim_flash_make_unreadable(struct sim_flash *flash, uint32_t address, uint32_t len_bytes);
/* One bit rots. */
void sim_flash_flip(struct sim_flash *flash, uint32_t address, unsigned bit);

#endif
