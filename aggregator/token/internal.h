/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the half of the room that speaks libp11 and the half that speaks to the module. */
#ifndef TOKEN_INTERNAL_H
#define TOKEN_INTERNAL_H

#include "aggregator/token/token.h"

/* Fills why as printf does, and returns the status. */
struct hr_status token_because(struct token_why *why, enum hr_code code, const char *text, ...)
    __attribute__((format(printf, 3, 4)));

/* The words of PKCS#11 for a return value. Static. */
const char *token_reason(unsigned long rv);

const char *token_module(const struct token *token);
const char *token_label(const struct token *token);
unsigned long token_slot(const struct token *token);
/* Keys of that label. */
size_t token_count_label(struct token *token, const char *label);

/* The first line of the file. HR_DENIED: told. */
HR_MUST_USE struct hr_status token_pin_read(const char *path, char out[TOKEN_PIN_CHARS],
                                            struct token_why *why);

/* What the token says of its PIN after a wrong one: " (...)", or nothing. Static. */
const char *token_pin_state(const struct token *token);

#endif
