/* SPDX-License-Identifier: Apache-2.0
 *
 * The bus of the SD card: spi_pl022.c, and the board's pins. All [loop]. */
#ifndef BOARD_SPI_H
#define BOARD_SPI_H

#include <stdbool.h>
#include <stdint.h>

extern const uintptr_t board_spi_base;
/* Whether the card listens: board.c. */
void board_spi_select(bool selected);

/* Mode 0, 8 bits, at most bus_hz. */
void board_spi_start(uint32_t bus_hz);
/* Sends len_bytes and receives as many. NULL data: FF is sent. NULL out: what comes is dropped. */
void board_spi_exchange(const uint8_t *data, uint8_t *out, uint32_t len_bytes);

#endif
