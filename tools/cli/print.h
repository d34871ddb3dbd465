/* SPDX-License-Identifier: Apache-2.0
 *
 * Small things that verbs print to stdout. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <stddef.h>
#include <stdint.h>

enum { CLI_DIGEST_TEXT_CHARS = 65, CLI_TIME_TEXT_CHARS = 32 };

/* 32 bytes as 64 hexadecimal digits. */
const char *cli_digest_text(const uint8_t digest[32], char out[CLI_DIGEST_TEXT_CHARS]);
/* Unix milliseconds as 2026-11-21T03:44:00.123Z. */
const char *cli_time_text(int64_t utc_ms, char out[CLI_TIME_TEXT_CHARS]);
/* A JSON string with its quotes (RFC 8259 section 7). */
void cli_print_json_text(const char *text);

#endif
