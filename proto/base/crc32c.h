/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HR_CRC32C_H
#define HR_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720 appendix B.4 has the vectors) of len_bytes
 * bytes, going on from `crc`: 0 to start, an earlier result to continue. crc("123456789") is 0xE3069283.
 * [any] */
uint32_t hr_crc32c(uint32_t crc, const void *data, size_t len_bytes);

#endif
