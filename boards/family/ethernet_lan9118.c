/* SPDX-License-Identifier: Apache-2.0
 *
 * SMSC's LAN9118 and its kin (LAN9118 data sheet: 3.12 and 3.13 the FIFOs, 5 the registers). */
#include "boards/family/ethernet.h"
#include "boards/family/registers.h"

enum {
    RECEIVE_DATA = 0x00,
    TRANSMIT_DATA = 0x20,
    RECEIVE_STATUS = 0x40,
    TRANSMIT_STATUS = 0x48,
    IDENTITY = 0x50,
    RECEIVE_CONFIG = 0x6C,
    TRANSMIT_CONFIG = 0x70,
    HARDWARE_CONFIG = 0x74,
    RECEIVE_LEVEL = 0x7C,
    TRANSMIT_LEVEL = 0x80,
    MAC_COMMAND = 0xA4,
    MAC_DATA = 0xA8,

    HARDWARE_RESET = 1u << 0,
    HARDWARE_MUST_BE_ONE = 1u << 20,
    HARDWARE_TRANSMIT_5_KB = 5u << 16,
    TRANSMIT_ON = 1u << 1,
    RECEIVE_STATUS_ERROR = 1u << 15,
    FIRST_AND_LAST_SEGMENT = 3u << 12,
    COMMAND_BYTES = 8,

    MAC_READ = 1u << 30,
    MAC_CONTROL = 1,
    MAC_ADDRESS_HIGH = 2,
    MAC_ADDRESS_LOW = 3,
    MAC_PHY_ACCESS = 6,
    MAC_PHY_DATA = 7,
    MAC_RECEIVE = 1u << 2,
    MAC_TRANSMIT = 1u << 3,
    MAC_ALL_MULTICAST = 1u << 19,
    MAC_FULL_DUPLEX = 1u << 20,

    PHY_ADDRESS_1 = 1u << 11,
    PHY_WRITE = 1u << 1,
    PHY_BUSY = 1u << 0,
    PHY_NEGOTIATE = 0x1200, /* to register 0 */

    TRIES = 100000,
};
#define MAC_BUSY      (1u << 31)
#define KNOWN_CHIP    0x01180000u
#define CHIP_IS(word) (((word) & 0xFFFF0000u) == KNOWN_CHIP)

static uint32_t get(uint32_t offset_bytes)
{
    return board_read(board_ethernet_base, offset_bytes);
}

static void set(uint32_t offset_bytes, uint32_t value)
{
    board_write(board_ethernet_base, offset_bytes, value);
}

/* Waits until the bits are clear. */
static bool wait_clear(uint32_t offset_bytes, uint32_t bits)
{
    for (int i = 0; i < TRIES; i++) {
        if ((get(offset_bytes) & bits) == 0) {
            return true;
        }
    }
    return false;
}

static bool mac_write(uint32_t index, uint32_t value)
{
    set(MAC_DATA, value);
    set(MAC_COMMAND, MAC_BUSY | index);
    return wait_clear(MAC_COMMAND, MAC_BUSY);
}

static bool phy_write(uint32_t index, uint32_t value)
{
    return mac_write(MAC_PHY_DATA, value) &&
           mac_write(MAC_PHY_ACCESS, PHY_ADDRESS_1 | index << 6 | PHY_WRITE | PHY_BUSY);
}

bool board_ethernet_device_start(const uint8_t mac[BOARD_MAC_BYTES])
{
    if (!CHIP_IS(get(IDENTITY))) {
        return false;
    }
    set(HARDWARE_CONFIG, HARDWARE_RESET);
    if (!wait_clear(HARDWARE_CONFIG, HARDWARE_RESET)) {
        return false;
    }
    set(HARDWARE_CONFIG, HARDWARE_MUST_BE_ONE | HARDWARE_TRANSMIT_5_KB);
    set(RECEIVE_CONFIG, 0);
    set(TRANSMIT_CONFIG, TRANSMIT_ON);
    uint32_t high = (uint32_t)mac[4] | (uint32_t)mac[5] << 8;
    uint32_t low = (uint32_t)mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24;
    return mac_write(MAC_ADDRESS_HIGH, high) && mac_write(MAC_ADDRESS_LOW, low) &&
           phy_write(0, PHY_NEGOTIATE) &&
           mac_write(MAC_CONTROL, MAC_RECEIVE | MAC_TRANSMIT | MAC_ALL_MULTICAST | MAC_FULL_DUPLEX);
}

bool board_ethernet_device_next(struct board_ethernet_arrival *out)
{
    if ((get(RECEIVE_LEVEL) >> 16 & 0xFF) == 0) {
        return false;
    }
    uint32_t status = get(RECEIVE_STATUS);
    out->frame_bytes = status >> 16 & 0x3FFF;
    out->good = (status & RECEIVE_STATUS_ERROR) == 0;
    return true;
}

uint32_t board_ethernet_device_take(void)
{
    return get(RECEIVE_DATA);
}

bool board_ethernet_device_begin(size_t len_bytes)
{
    /* What became of earlier frames is not asked for, but it takes room. */
    while ((get(TRANSMIT_LEVEL) >> 16 & 0xFF) != 0) {
        (void)get(TRANSMIT_STATUS);
    }
    if ((get(TRANSMIT_LEVEL) & 0xFFFF) < len_bytes + COMMAND_BYTES + 4) {
        return false;
    }
    set(TRANSMIT_DATA, FIRST_AND_LAST_SEGMENT | (uint32_t)len_bytes);
    set(TRANSMIT_DATA, (uint32_t)len_bytes);
    return true;
}

void board_ethernet_device_put(uint32_t word)
{
    set(TRANSMIT_DATA, word);
}

void board_ethernet_device_end(void)
{
    /* The chip sends when the last word of what was announced has come. */
}
