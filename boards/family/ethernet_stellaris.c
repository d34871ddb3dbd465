/* SPDX-License-Identifier: Apache-2.0
 *
 * The Ethernet controller of the Stellaris family (LM3S6965 data sheet, chapter 15). Each frame in a FIFO
 * begins with two bytes of length: receiving, of everything that stands there; sending, of what follows the
 * header. */
#include "boards/family/ethernet.h"
#include "boards/family/registers.h"

enum {
    RECEIVE_CONTROL = 0x08,
    TRANSMIT_CONTROL = 0x0C,
    DATA = 0x10,
    ADDRESS_LOW = 0x14,
    ADDRESS_HIGH = 0x18,
    N_PACKETS = 0x34,
    TRANSMIT_REQUEST = 0x38,

    RECEIVE_ON = 1u << 0,
    RECEIVE_MULTICAST = 1u << 1,
    RECEIVE_REJECT_BAD = 1u << 3,
    RECEIVE_RESET_FIFO = 1u << 4,
    TRANSMIT_ON = 1u << 0,
    TRANSMIT_PAD = 1u << 1,
    TRANSMIT_CHECKSUM = 1u << 2,
    TRANSMIT_FULL_DUPLEX = 1u << 4,
    PACKETS_MASK = 0x3F,
    LENGTH_BYTES = 2,
};

static uint32_t get(uint32_t offset_bytes)
{
    return board_read(board_ethernet_base, offset_bytes);
}

static void set(uint32_t offset_bytes, uint32_t value)
{
    board_write(board_ethernet_base, offset_bytes, value);
}

bool board_ethernet_device_start(const uint8_t mac[BOARD_MAC_BYTES])
{
    set(ADDRESS_LOW,
        (uint32_t)mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24);
    set(ADDRESS_HIGH, (uint32_t)mac[4] | (uint32_t)mac[5] << 8);
    set(TRANSMIT_CONTROL, TRANSMIT_ON | TRANSMIT_PAD | TRANSMIT_CHECKSUM | TRANSMIT_FULL_DUPLEX);
    set(RECEIVE_CONTROL, RECEIVE_RESET_FIFO);
    set(RECEIVE_CONTROL, RECEIVE_ON | RECEIVE_MULTICAST | RECEIVE_REJECT_BAD);
    return (get(RECEIVE_CONTROL) & RECEIVE_ON) != 0;
}

bool board_ethernet_device_next(struct board_ethernet_arrival *out)
{
    if ((get(N_PACKETS) & PACKETS_MASK) == 0) {
        return false;
    }
    size_t total_bytes = board_ethernet_take_byte();
    total_bytes |= (size_t)board_ethernet_take_byte() << 8;
    out->good = total_bytes >= LENGTH_BYTES + BOARD_ETHERNET_CHECKSUM_BYTES;
    out->frame_bytes = out->good ? total_bytes - LENGTH_BYTES : BOARD_ETHERNET_CHECKSUM_BYTES;
    return true;
}

uint32_t board_ethernet_device_take(void)
{
    return get(DATA);
}

bool board_ethernet_device_begin(size_t len_bytes)
{
    if ((get(TRANSMIT_REQUEST) & 1) != 0) {
        return false;
    }
    uint32_t behind_header_bytes = (uint32_t)len_bytes - BOARD_ETHERNET_HEADER_BYTES;
    board_ethernet_put_byte((uint8_t)behind_header_bytes);
    board_ethernet_put_byte((uint8_t)(behind_header_bytes >> 8));
    return true;
}

void board_ethernet_device_put(uint32_t word)
{
    set(DATA, word);
}

void board_ethernet_device_end(void)
{
    set(TRANSMIT_REQUEST, 1);
}
