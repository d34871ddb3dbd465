/* SPDX-License-Identifier: Apache-2.0
 *
 * The passphrase of an authority's keys: from the file that $HEADRACE_CA_PASSPHRASE_FILE names (its first
 * line), from $HEADRACE_CA_PASSPHRASE, or asked for at the terminal without showing it. A key may have one of
 * its own: root-b.key that of $HEADRACE_ROOT_B_PASSPHRASE_FILE or $HEADRACE_ROOT_B_PASSPHRASE. Never from the
 * command line, which others can read. Each is asked for once in a run. */
#ifndef CLI_PASSPHRASE_H
#define CLI_PASSPHRASE_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { CLI_PASSPHRASE_MIN_CHARS = 8, CLI_PASSPHRASE_MAX_CHARS = 255, CLI_PIN_BYTES = 256 };

/* `what` is the key's file. Borrowed until the end of the program; *len without its NUL. `is_new`: it will
 * encrypt, so at a terminal it is asked for twice, and it has at least 8 characters. HR_NOT_FOUND: there is
 * none to be had; HR_MALFORMED: too short, too long, or not the same twice. The cause was told on stderr. */
HR_MUST_USE struct hr_status cli_passphrase(const char *what, bool is_new, const char **out, size_t *len);

/* The PIN of a token, from the same kinds of places: $HEADRACE_PKCS11_PIN_FILE and $HEADRACE_PKCS11_PIN, or
 * of a token `roots` alone $HEADRACE_ROOTS_PIN_FILE and $HEADRACE_ROOTS_PIN. Not kept: wipe it. Errors as
 * above. */
HR_MUST_USE struct hr_status cli_pin(const char *token, char out[CLI_PIN_BYTES]);

/* Wipes what was kept. */
void cli_passphrase_wipe(void);

#endif
