/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_BASE64_H
#define CONFIG_BASE64_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

/* RFC 4648 section 4, with padding and nothing else. HR_MALFORMED: any other character, wrong padding, or
 * bits that are not zero where there is no byte. HR_FULL: more than capacity_bytes. *len_bytes only on
 * success. */
HR_MUST_USE struct hr_status config_base64_decode(const char *text, uint8_t *out, size_t capacity_bytes,
                                                  size_t *len_bytes);

/* NUL-terminated; asserts 4 * ((len + 2) / 3) + 1 characters of room. */
void config_base64_encode(struct hr_bytes bytes, char *out, size_t capacity_chars);

#endif
