/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/sim/flash_sim.h"

#include "proto/base/assert.h"

#include <stdlib.h>
#include <string.h>

static uint64_t next_random(struct sim_flash *flash)
{
    /* splitmix64 (Steele, Lea, Flood 2014): any seed will do. */
    flash->random_state += 0x9E3779B97F4A7C15u;
    uint64_t z = flash->random_state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint32_t total_bytes(const struct sim_flash *flash)
{
    return flash->config.sector_bytes * flash->config.n_sectors;
}

static uint32_t n_units(const struct sim_flash *flash)
{
    return total_bytes(flash) / flash->config.program_unit_bytes;
}

/* ---- losing power ---- */

void sim_flash_power_off(struct sim_flash *flash, enum sim_flash_survivors survivors)
{
    flash->is_off = true;
    if (flash->config.kind != SIM_FLASH_PAGES || survivors == SIM_FLASH_STAY_CACHED) {
        return;
    }
    uint32_t page_bytes = flash->config.page_bytes;
    for (uint32_t at = 0; at < total_bytes(flash); at += page_bytes) {
        bool dirty = memcmp(flash->cells + at, flash->durable + at, page_bytes) != 0;
        bool survives = survivors == SIM_FLASH_ALL_SURVIVE ||
                        (survivors == SIM_FLASH_SOME_SURVIVE && (next_random(flash) & 1) != 0);
        if (dirty && survives) {
            memcpy(flash->durable + at, flash->cells + at, page_bytes);
        }
    }
    memcpy(flash->cells, flash->durable, total_bytes(flash));
}

void sim_flash_power_on(struct sim_flash *flash)
{
    flash->is_off = false;
    flash->cut = (struct sim_flash_cut){.op = SIM_FLASH_NEVER};
    for (uint32_t i = 0; flash->config.weak_bits && i < total_bytes(flash); i++) {
        if (flash->weak[i] != 0) {
            uint8_t drawn = (uint8_t)next_random(flash);
            flash->cells[i] = (uint8_t)((flash->cells[i] & ~flash->weak[i]) | (drawn & flash->weak[i]));
        }
    }
}

/* Some of the bits that differ between the cells and `target` have changed when power went. */
static void tear_bytes(struct sim_flash *flash, uint32_t address, const uint8_t *target, uint32_t len_bytes)
{
    for (uint32_t i = 0; i < len_bytes; i++) {
        uint8_t *cell = &flash->cells[address + i];
        uint8_t changing = *cell ^ target[i];
        uint8_t changed = (uint8_t)next_random(flash) & changing;
        *cell ^= changed;
        flash->weak[address + i] |= changing;
    }
}

/* Counts an operation. True when power goes at it, with *whole steps of it done and whether one more is torn.
 */
static bool meets_cut(struct sim_flash *flash, uint32_t n_steps, uint32_t *whole, bool *torn)
{
    uint32_t op = flash->n_ops++;
    if (op != flash->cut.op) {
        return false;
    }
    flash->cut_units = n_steps;
    uint32_t tear = flash->cut.tear < 2 * n_steps ? flash->cut.tear : 2 * n_steps;
    *whole = tear / 2;
    *torn = tear % 2 != 0;
    return true;
}

/* ---- the port ---- */

static struct hr_status sim_read(void *ctx, uint32_t address, void *out, uint32_t len_bytes)
{
    struct sim_flash *flash = ctx;
    HR_ASSERT(address <= total_bytes(flash) && len_bytes <= total_bytes(flash) - address);
    if (flash->is_off) {
        return hr_status_of(HR_IO);
    }
    for (uint32_t i = 0; i < flash->n_unreadable; i++) {
        const struct sim_flash_range *range = &flash->unreadable[i];
        if (address < range->address + range->len_bytes && range->address < address + len_bytes) {
            flash->n_faults_met++;
            return hr_status_of(HR_IO);
        }
    }
    memcpy(out, flash->cells + address, len_bytes);
    return hr_ok();
}

/* Programs len_bytes of whole units; the rules were checked. */
static void program_units(struct sim_flash *flash, uint32_t address, const uint8_t *data, uint32_t len_bytes)
{
    for (uint32_t i = 0; i < len_bytes; i++) {
        flash->cells[address + i] &= data[i];
        flash->weak[address + i] = 0;
    }
}

static void check_program(const struct sim_flash *flash, uint32_t address, uint32_t len_bytes)
{
    uint32_t unit = flash->config.program_unit_bytes;
    HR_ASSERT(address % unit == 0 && len_bytes % unit == 0 && len_bytes > 0);
    HR_ASSERT(address / flash->config.sector_bytes == (address + len_bytes - 1) / flash->config.sector_bytes);
    HR_ASSERT(address + len_bytes <= total_bytes(flash));
    for (uint32_t i = 0; i < len_bytes; i++) {
        if (flash->config.kind == SIM_FLASH_PAGES) {
            HR_ASSERT(flash->cells[address + i] == 0xFF);
        } else {
            HR_ASSERT(flash->programmed[(address + i) / unit] == 0);
        }
    }
}

static struct hr_status sim_program(void *ctx, uint32_t address, const void *data, uint32_t len_bytes)
{
    struct sim_flash *flash = ctx;
    if (flash->is_off) {
        return hr_status_of(HR_IO);
    }
    check_program(flash, address, len_bytes);
    uint32_t unit = flash->config.program_unit_bytes;
    uint32_t whole;
    bool torn;
    bool cut = meets_cut(flash, len_bytes / unit, &whole, &torn);
    if (flash->config.kind == SIM_FLASH_PAGES) {
        torn = false;
        whole = cut && flash->cut.tear == 0 ? 0 : len_bytes / unit;
    } else if (!cut) {
        whole = len_bytes / unit;
        torn = false;
    }
    bool fails = flash->n_programs++ == flash->faults.program_op;
    if (fails) {
        flash->n_faults_met++;
        whole = len_bytes / unit / 2;
        torn = true;
    }
    uint32_t whole_bytes = whole * unit;
    program_units(flash, address, data, whole_bytes);
    memset(flash->programmed + address / unit, 1, whole + (torn ? 1 : 0));
    if (torn) {
        tear_bytes(flash, address + whole_bytes, (const uint8_t *)data + whole_bytes, unit);
    }
    if (cut) {
        sim_flash_power_off(flash, flash->cut.survivors);
    }
    return hr_status_of(cut || fails ? HR_IO : HR_OK);
}

/* Erases the first `whole` steps of a sector and tears the next. A sector that was not erased to its end has
 * to be erased again, whatever it reads. */
static void erase_steps(struct sim_flash *flash, uint32_t sector, uint32_t whole, bool torn)
{
    static const uint8_t blank = 0xFF;
    uint32_t start = sector * flash->config.sector_bytes;
    uint32_t step_bytes = flash->config.sector_bytes / SIM_FLASH_ERASE_STEPS;
    uint32_t done_bytes = whole == SIM_FLASH_ERASE_STEPS ? flash->config.sector_bytes : whole * step_bytes;
    memset(flash->cells + start, blank, done_bytes);
    memset(flash->weak + start, 0, done_bytes);
    for (uint32_t i = 0; torn && i < step_bytes; i++) {
        tear_bytes(flash, start + done_bytes + i, &blank, 1);
    }
    uint32_t unit = flash->config.program_unit_bytes;
    bool touched = whole > 0 || torn;
    bool complete = done_bytes == flash->config.sector_bytes;
    if (touched) {
        memset(flash->programmed + start / unit, complete ? 0 : 1, flash->config.sector_bytes / unit);
    }
}

static struct hr_status sim_erase(void *ctx, uint32_t sector)
{
    struct sim_flash *flash = ctx;
    HR_ASSERT(sector < flash->config.n_sectors);
    if (flash->is_off) {
        return hr_status_of(HR_IO);
    }
    uint32_t whole = SIM_FLASH_ERASE_STEPS;
    bool torn = false;
    bool cut = meets_cut(flash, SIM_FLASH_ERASE_STEPS, &whole, &torn);
    if (!cut) {
        whole = SIM_FLASH_ERASE_STEPS;
    } else if (flash->config.kind == SIM_FLASH_PAGES) {
        torn = false;
        whole = flash->cut.tear == 0 ? 0 : SIM_FLASH_ERASE_STEPS;
    }
    bool fails = flash->n_erases++ == flash->faults.erase_op;
    if (fails) {
        flash->n_faults_met++;
        whole = SIM_FLASH_ERASE_STEPS / 2;
        torn = true;
    }
    erase_steps(flash, sector, whole, torn);
    if (cut) {
        sim_flash_power_off(flash, flash->cut.survivors);
    }
    return hr_status_of(cut || fails ? HR_IO : HR_OK);
}

static struct hr_status sim_sync(void *ctx)
{
    struct sim_flash *flash = ctx;
    if (flash->is_off) {
        return hr_status_of(HR_IO);
    }
    uint32_t whole;
    bool torn;
    bool cut = meets_cut(flash, 1, &whole, &torn);
    if (flash->n_syncs++ == flash->faults.sync_op) {
        flash->n_faults_met++;
        return hr_status_of(HR_IO);
    }
    if (cut && flash->cut.tear == 0) {
        sim_flash_power_off(flash, flash->cut.survivors);
        return hr_status_of(HR_IO);
    }
    memcpy(flash->durable, flash->cells, total_bytes(flash));
    if (cut) {
        sim_flash_power_off(flash, flash->cut.survivors);
        return hr_status_of(HR_IO);
    }
    return hr_ok();
}

/* ---- making ---- */

static uint8_t *make_bytes(size_t n, uint8_t value)
{
    uint8_t *bytes = malloc(n);
    HR_ASSERT(bytes != NULL);
    memset(bytes, value, n);
    return bytes;
}

void sim_flash_make(struct sim_flash *flash, const struct sim_flash_config *config)
{
    HR_ASSERT(config->n_sectors >= 4 && config->program_unit_bytes > 0);
    HR_ASSERT(config->sector_bytes % (config->program_unit_bytes * SIM_FLASH_ERASE_STEPS) == 0);
    HR_ASSERT(config->kind == SIM_FLASH_NOR ||
              (config->page_bytes > 0 && config->sector_bytes % config->page_bytes == 0));
    *flash = (struct sim_flash){
        .config = *config,
        .random_state = config->seed,
        .port = {.sector_bytes = config->sector_bytes,
                 .n_sectors = config->n_sectors,
                 .program_unit_bytes = config->program_unit_bytes,
                 .erased_reads_are_true = config->kind == SIM_FLASH_PAGES,
                 .read = sim_read,
                 .program = sim_program,
                 .erase = sim_erase,
                 .sync = sim_sync},
    };
    flash->port.ctx = flash;
    flash->cells = make_bytes(total_bytes(flash), 0xFF);
    flash->durable = make_bytes(total_bytes(flash), 0xFF);
    flash->weak = make_bytes(total_bytes(flash), 0);
    flash->programmed = make_bytes(n_units(flash), 0);
    sim_flash_plan(flash, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
}

void sim_flash_free(struct sim_flash *flash)
{
    free(flash->cells);
    free(flash->durable);
    free(flash->weak);
    free(flash->programmed);
}

void sim_flash_copy(struct sim_flash *to, const struct sim_flash *from)
{
    HR_ASSERT(total_bytes(to) == total_bytes(from) && n_units(to) == n_units(from));
    memcpy(to->cells, from->cells, total_bytes(to));
    memcpy(to->durable, from->durable, total_bytes(to));
    memcpy(to->weak, from->weak, total_bytes(to));
    memcpy(to->programmed, from->programmed, n_units(to));
    memcpy(to->unreadable, from->unreadable, sizeof to->unreadable);
    to->n_unreadable = from->n_unreadable;
    to->random_state = from->random_state;
    to->is_off = false;
    sim_flash_plan(to, (struct sim_flash_cut){.op = SIM_FLASH_NEVER});
}

void sim_flash_plan(struct sim_flash *flash, struct sim_flash_cut cut)
{
    flash->cut = cut;
    flash->faults = (struct sim_flash_faults){SIM_FLASH_NEVER, SIM_FLASH_NEVER, SIM_FLASH_NEVER};
    flash->n_ops = 0;
    flash->n_programs = 0;
    flash->n_erases = 0;
    flash->n_syncs = 0;
    flash->n_faults_met = 0;
    flash->cut_units = 0;
}

void sim_flash_make_unreadable(struct sim_flash *flash, uint32_t address, uint32_t len_bytes)
{
    HR_ASSERT(flash->n_unreadable < SIM_FLASH_MAX_BAD_RANGES);
    flash->unreadable[flash->n_unreadable++] = (struct sim_flash_range){address, len_bytes};
}

void sim_flash_flip(struct sim_flash *flash, uint32_t address, unsigned bit)
{
    flash->cells[address] ^= (uint8_t)(1u << bit);
    flash->durable[address] ^= (uint8_t)(1u << bit);
}
