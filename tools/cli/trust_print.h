/* SPDX-License-Identifier: Apache-2.0
 *
 * What a trust bundle says, for people or as JSON, on stdout. */
#ifndef CLI_TRUST_PRINT_H
#define CLI_TRUST_PRINT_H

#include "proto/trust/trust.h"

void cli_trust_print(const struct trust_bundle *bundle, bool is_complete, bool is_json);

#endif
