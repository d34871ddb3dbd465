/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APP_CONFIG_VAULT_H
#define APP_CONFIG_VAULT_H

#include "proto/config/config.h"

/* Of struct app_vault: the section `vault` of an HTTP tap. */
extern const struct conf_table app_vault_table;

#endif
