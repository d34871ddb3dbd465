/* SPDX-License-Identifier: Apache-2.0
 *
 * What a microcontroller board answers the firmware. Each board links exactly one set of drivers behind these
 * functions; which ones, its board.cmake says. Nothing here allocates, and nothing blocks but where it is
 * said. Times are of the loop unless marked [isr] or [any]. */
#ifndef BOARD_BOARD_H
#define BOARD_BOARD_H

#include "firmware/port/port_flash.h"

#include <stddef.h>

/* The board's data: board.c of each board. */
struct board_info {
    const char *name;     /* of its folder under boards/ */
    uint32_t core_hz;     /* of the CPU and of SysTick */
    uint32_t serial_baud; /* of the AIS input, until the image says otherwise */
    uint32_t watchdog_ms; /* a loop that doesn't come round for so long is reset */
};
extern const struct board_info board_info;

/* The program as it stands in flash: code, constants and initial values. [any] */
struct hr_bytes board_firmware(void);

/* A fault is one of the core's or a failed assertion; the console said which before the reset. */
enum board_reset { BOARD_RESET_POWER, BOARD_RESET_SOFTWARE, BOARD_RESET_WATCHDOG, BOARD_RESET_FAULT };

/* Readies clock, console and serial input. Call once, first. */
void board_start(void);
/* Why this boot began; the same answer until the next one. */
enum board_reset board_reset_cause(void);
/* Never comes back. */
_Noreturn void board_reboot(void);

/* Milliseconds since board_start; never wraps. [any] */
uint64_t board_uptime_ms(void);
/* Sleeps until an interrupt, and at the longest until the next tick, a millisecond away. */
void board_wait(void);

/* From now on the loop has to feed it: at the latest after board_info.watchdog_ms / 2 the console hears where
 * the loop is, and after watchdog_ms the board starts again. */
void board_watchdog_start(void);
void board_watchdog_feed(void);
/* Long work within a turn (a scan of the memory, an erase, a handshake) says that it goes on. Without a feed
 * by the loop that counts for BOARD_WORK_MAX_MS at most, so work that never ends is reset all the same.
 * [loop] */
void board_watchdog_work(void);
enum { BOARD_WORK_MAX_MS = 60 * 1000 };

/* Writes to the console; blocks while the transmitter is busy. [any] */
void board_console_write(const char *text, size_t len_bytes);
/* Takes what was typed, at most capacity; 0: nothing. What did not fit the ring is lost. */
size_t board_console_read(uint8_t *out, size_t capacity_bytes);

/* The AIS input: bytes that its interrupt put into a ring; 0: none. */
size_t board_serial_read(uint8_t *out, size_t capacity_bytes);
/* How often, since boot, something was lost because ring and receiver were full. An emulated line waits
 * instead. */
uint32_t board_serial_dropped(void);
/* Another speed than board_info.serial_baud. */
void board_serial_speed(uint32_t baud);

/* The whole non-volatile memory, NOR rules enforced (port_flash.h). NULL: it does not answer. Asked
 * again after a failure, it wakes a card again; the port stays the same. */
const struct port_flash *board_flash(void);
/* Programs and erases since boot. */
uint32_t board_flash_operations(void);

enum { BOARD_MAC_BYTES = 6, BOARD_FRAME_MAX_BYTES = 1514 };

/* Brings the Ethernet controller up. False: it does not answer. */
bool board_ethernet_start(const uint8_t mac[BOARD_MAC_BYTES]);
/* Bytes of the next received frame, without checksum; 0: none. Broken and over-long frames were dropped. */
size_t board_ethernet_waiting(void);
/* Moves the next len_bytes of the waiting frame to out. After its last byte, or board_ethernet_done, the next
 * frame is waiting. */
void board_ethernet_take(uint8_t *out, size_t len_bytes);
void board_ethernet_done(void);
/* Sends one frame, given in parts. False: the transmitter had no room; the frame is lost. */
bool board_ethernet_send(const struct hr_bytes *parts, size_t n_parts);

/* The stack was painted by the reset code: bytes of it, and the deepest use so far. */
size_t board_stack_bytes(void);
size_t board_stack_used_bytes(void);

#endif
