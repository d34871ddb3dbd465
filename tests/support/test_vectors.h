/* SPDX-License-Identifier: Apache-2.0
 *
 * Expected bytes from tests/vectors: lines of a name and hexadecimal, # starts a comment. */
#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

#include <stddef.h>
#include <stdint.h>

/* Reads the bytes of the line `name` of the file and gives their number. Ends the test program when the file
 * or the line is missing, or the bytes are more than capacity_bytes. */
size_t test_vector(const char *file, const char *name, uint8_t *out, size_t capacity_bytes);

/* Reads hexadecimal, without spaces, into out and gives the number of bytes; ends the program on other text.
 */
size_t test_hex(const char *hex, uint8_t *out, size_t capacity_bytes);

#endif
