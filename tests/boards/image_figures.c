/* SPDX-License-Identifier: Apache-2.0
 *
 * What a record and a seal cost: sentences through the tap into the spool, and a batch sealed whenever it is
 * full, the way of firmware/app without its network. The console gets the cycles of the clock that each took,
 * which with counted instructions (-icount) are instructions. */
#include "boards/family/board.h"
#include "boards/family/registers.h"
#include "boards/family/semihost.h"
#include "boards/family/text.h"
#include "firmware/core/spool.h"
#include "firmware/ports/cortex_m/flash_part.h"
#include "firmware/taps/ais/tap_ais.h"
#include "proto/base/assert.h"
#include "tests/boards/figures.h"

#include <string.h>

enum { N_SECTORS = 64, STAGE_BYTES = 1024, N_BATCHES = 12, PAYLOAD_BYTES = 716 };

/* Position reports, a base station, a class B report, and a voyage in two sentences. */
static const char *const sentences[] = {
    "!AIVDM,1,1,,A,13HOI:0P0000VOHLCnHQKwvL05Ip,0*23\r\n",
    "!AIVDM,1,1,,A,133sVfPP00PD>hRMDH@jNOvN20S8,0*7F\r\n",
    "!AIVDM,1,1,,B,402R3EQvC@nE4q:`3hPHO6700L3j,0*3E\r\n",
    "!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C\r\n",
    "!AIVDM,1,1,,A,B52K>;h00Fc>jpUlNV@ikwpUoP06,0*4C\r\n",
    "!AIVDM,2,1,1,B,53nFBv01SJ<thHp6220H4heHTf2222222222221?50:454o<`9QSlUDp,0*09\r\n",
    "!AIVDM,2,2,1,B,888888888888880,2*26\r\n",
};

struct tally {
    uint64_t n_cycles;
    uint32_t n;
};

static struct port_flash_part part;
static struct fw_spool spool;
static struct fw_spool_sector sectors[N_SECTORS];
static uint8_t stage[STAGE_BYTES];
static struct tap_ais framer;
static struct tap_ais_stream line;
static uint8_t encoded[EDGE_AIS_RECORD_MAX_BYTES];
static struct tally records;
static struct tally seals;
static uint32_t payload_bytes;

static uint64_t cycles(void)
{
    for (;;) {
        uint64_t before_ms = board_uptime_ms();
        uint32_t left = board_read(BOARD_CORE_BASE, BOARD_SYSTICK_VALUE);
        if (board_uptime_ms() == before_ms) {
            uint32_t a_tick = board_info.core_hz / 1000;
            return before_ms * a_tick + (a_tick - 1 - left);
        }
    }
}

static void tell(const char *name, uint64_t value)
{
    HR_ASSERT(value <= UINT32_MAX);
    board_text(name);
    board_text(" ");
    board_text_number((uint32_t)value);
    board_text("\r\n");
}

static void begin(void)
{
    HR_ASSERT(hr_is_ok(fw_spool_begin(&spool, 1, 0)));
    payload_bytes = 0;
}

/* Returns what it took. */
static uint64_t seal(void)
{
    uint64_t before = cycles();
    HR_ASSERT(hr_is_ok(fw_spool_seal(&spool, figures_sign(), 0)));
    uint64_t took = cycles() - before;
    seals.n_cycles += took;
    seals.n++;
    return took;
}

static void on_message(void *ctx, const struct edge_ais *ais, uint64_t uptime_ms)
{
    (void)ctx;
    (void)uptime_ms;
    size_t len_bytes = 0;
    HR_ASSERT(hr_is_ok(edge_ais_encode(ais, records.n, encoded, sizeof encoded, &len_bytes)));
    struct hr_status status = fw_spool_append(&spool, hr_bytes_of(encoded, len_bytes));
    if (hr_is(status, HR_FULL)) {
        records.n_cycles -= seal();
        begin();
        status = fw_spool_append(&spool, hr_bytes_of(encoded, len_bytes));
    }
    HR_ASSERT(hr_is_ok(status));
    payload_bytes += (uint32_t)len_bytes + 1;
    records.n++;
}

static void feed(const char *sentence)
{
    uint64_t before = cycles();
    tap_ais_feed(&framer, &line, hr_bytes_of(sentence, strlen(sentence)), board_uptime_ms());
    records.n_cycles += cycles() - before;
}

static void open_all(void)
{
    const struct port_flash *flash = board_flash();
    HR_ASSERT(flash != NULL && flash->n_sectors >= N_SECTORS);
    port_flash_part_init(&part, flash, 0, N_SECTORS);
    const struct fw_spool_config config = {.flash = &part.port,
                                           .hash = figures_hash(),
                                           .device_id = 1,
                                           .envelope_max_bytes = WIRE_MCU_ENVELOPE_MAX_BYTES,
                                           .sectors = sectors,
                                           .stage = stage,
                                           .stage_bytes = sizeof stage};
    struct fw_spool_report report;
    HR_ASSERT(hr_is_ok(fw_spool_open(&spool, &config, &report)));
    tap_ais_init(&framer, &(struct tap_ais_config){0}, &(struct tap_ais_sink){on_message, NULL});
    tap_ais_stream_init(&line, 0);
}

int main(void)
{
    board_start();
    figures_start();
    open_all();
    while (seals.n < N_BATCHES) {
        begin();
        for (uint32_t i = 0; payload_bytes < PAYLOAD_BYTES; i++) {
            feed(sentences[i % (sizeof sentences / sizeof sentences[0])]);
        }
        (void)seal();
    }
    tell("core_hz", board_info.core_hz);
    tell("records", records.n);
    tell("record_cycles", records.n_cycles);
    tell("seals", seals.n);
    tell("seal_cycles", seals.n_cycles);
    tell("stack", board_stack_used_bytes());
    board_semihost_exit(0);
}
