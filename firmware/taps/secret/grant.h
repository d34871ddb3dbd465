/* SPDX-License-Identifier: Apache-2.0
 *
 * A bearer token for a user's name and password: the grant "password" of RFC 6749, section 4.3, as ERCOT's
 * public API wants it (Azure AD B2C, id_token). The token is used until its time is over, and replaced a
 * tenth of its time before, or soon when an operator refused it. Pure; times are milliseconds of uptime.
 * [loop] */
#ifndef SECRET_GRANT_H
#define SECRET_GRANT_H

#include "firmware/taps/secret/vault.h"

enum {
    SECRET_GRANT_DOUBT_MS = 10000, /* between two requests that refusals cause */
    SECRET_GRANT_LONGEST_S = 86400,
};

/* All strings are kept. */
struct secret_grant_config {
    const char *url;
    const char *client_id;
    const char *scope;
    const char *answer; /* the member of the answer that is the token */
};

/* Members are private. */
struct secret_grant {
    struct secret_grant_config config;
    bool is_under_way;
    bool is_settled;
    char token[SECRET_VALUE_CAPACITY];
    uint64_t due_ms;
    uint64_t asked_ms;
    uint64_t gone_ms;
    uint32_t failures; /* in a row */
    uint64_t granted;
    uint64_t failed;
};

void secret_grant_init(struct secret_grant *grant, const struct secret_grant_config *config);

/* When secret_grant_next is to be asked; UINT64_MAX: after the answer that is awaited. */
uint64_t secret_grant_due_ms(const struct secret_grant *grant);

/* The request for this name and password. HR_AGAIN: none is due. HR_FULL: they are too long, which is a
 * failure as one of the server's is. */
HR_MUST_USE struct hr_status secret_grant_next(struct secret_grant *grant, const char *username,
                                               const char *password, uint64_t now_ms,
                                               struct secret_request *out);

/* The answer, as of secret_vault_take. */
bool secret_grant_take(struct secret_grant *grant, uint32_t status, struct hr_bytes body, uint64_t now_ms,
                       uint32_t chance);

/* There is no name or password: tried again later. */
void secret_grant_fail(struct secret_grant *grant, uint64_t now_ms, uint32_t chance);

/* A token was had once, or can't be for now. */
bool secret_grant_is_settled(const struct secret_grant *grant);

/* HR_NOT_FOUND: there is none, or its time is over. Wipe `out`. */
HR_MUST_USE struct hr_status secret_grant_get(const struct secret_grant *grant, uint64_t now_ms,
                                              char out[SECRET_VALUE_CAPACITY]);

/* An operator refused the token. */
void secret_grant_doubt(struct secret_grant *grant, uint64_t now_ms);

void secret_grant_close(struct secret_grant *grant);

#endif
