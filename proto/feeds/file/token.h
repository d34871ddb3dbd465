/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEEDS_FILE_TOKEN_H
#define FEEDS_FILE_TOKEN_H

#include "proto/config/config.h"

/* Of struct feeds_token: the section `token` of a feed. */
extern const struct conf_table feeds_token_table;

#endif
