/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/base/crc32c.h"

/* A 16-entry table: two look-ups a byte, 64 bytes of flash. Devices with room to spare lose nothing that
 * matters: the CRC is far below the cost of the signature over the same bytes. */
static const uint32_t nibble_table[16] = {
    0x00000000u, 0x105EC76Fu, 0x20BD8EDEu, 0x30E349B1u, 0x417B1DBCu, 0x5125DAD3u, 0x61C69362u, 0x7198540Du,
    0x82F63B78u, 0x92A8FC17u, 0xA24BB5A6u, 0xB21572C9u, 0xC38D26C4u, 0xD3D3E1ABu, 0xE330A81Au, 0xF36E6F75u,
};

uint32_t hr_crc32c(uint32_t crc, const void *data, size_t len_bytes)
{
    const uint8_t *bytes = data;
    crc = ~crc;
    for (size_t i = 0; i < len_bytes; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ nibble_table[crc & 15u];
        crc = (crc >> 4) ^ nibble_table[crc & 15u];
    }
    return ~crc;
}
