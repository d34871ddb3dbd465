/* SPDX-License-Identifier: Apache-2.0
 *
 * One registry entry: a YAML file, <device_id in decimal>.yaml, that says who a device is and under which
 * record keys it signs. The registry is a directory of these; people and `headrace device` write it, the
 * aggregator reads it. */
#ifndef CONFIG_REGISTRY_ENTRY_H
#define CONFIG_REGISTRY_ENTRY_H

#include "aggregator/io/ledger.h"
#include "proto/config/config.h"

#include <stdio.h>

enum { CONFIG_SPKI_BASE64_CHARS = 124 }; /* of the 91 bytes of a P-256 SubjectPublicKeyInfo */

/* Reads an entry. Errors as conf_load; besides, a public key that is not a P-256 SubjectPublicKeyInfo, two
 * keys of one epoch, and a file name that is not the device id's are mistakes that report tells. *out is
 * written only on success. */
HR_MUST_USE struct hr_status config_registry_load(const char *path, struct ledger_device *out,
                                                  struct conf_report *report);

/* Writes the entry as YAML that config_registry_load reads back to the same struct. */
void config_registry_print(const struct ledger_device *device, FILE *out);

/* "active", as it stands in an entry; "?" for a number that is no state. Static storage. */
const char *config_registry_state_name(enum ledger_device_state state);

/* The table, for the JSON Schema. */
const struct conf_table *config_registry_table(void);

#endif
