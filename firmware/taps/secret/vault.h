/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets out of HashiCorp Vault: which request to its HTTP API goes next, and what an answer means. One
 * secret of a KV version 2 engine holds all values, each under the name of a credential.
 *
 * A token comes from a file, or from a login by AppRole or by a Kubernetes service account; it is renewed
 * after two thirds of its lease, and replaced when Vault does not take it any longer. Files are read again at
 * each login, so that they may be rotated too. The secret is read again each refresh_ms (KV version 2 has no
 * lease; where an answer has one, after two thirds of it, and its values are gone with it), and soon when an
 * operator refused a value. While Vault is away, values without a lease stay.
 *
 * Source: Vault's HTTP API: secret/kv/kv-v2, auth/token, auth/approle, auth/kubernetes. Pure but for the
 * files, which come in by `read`; times are milliseconds of uptime. [loop] */
#ifndef SECRET_VAULT_H
#define SECRET_VAULT_H

#include "proto/base/bytes.h"
#include "proto/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SECRET_VALUE_CAPACITY = 4096,
    SECRET_FILE_CAPACITY = 4096, /* a service account's token is the longest */
    SECRET_URL_CAPACITY = 640,
    SECRET_ANSWER_MAX_BYTES = 16384,
    SECRET_VAULT_FIRST_MS = 1000, /* after a failure, doubled up to */
    SECRET_VAULT_LONGEST_MS = 60000,
    SECRET_VAULT_DOUBT_MS = 2000, /* between two readings that refused values cause */
};

enum secret_auth { SECRET_AUTH_TOKEN, SECRET_AUTH_APPROLE, SECRET_AUTH_KUBERNETES };
enum secret_file { SECRET_FILE_TOKEN, SECRET_FILE_ROLE_ID, SECRET_FILE_SECRET_ID, SECRET_FILE_JWT };

/* All strings are kept. */
struct secret_vault_config {
    const char *address;    /* https://HOST:PORT */
    const char *mount;      /* of the KV engine */
    const char *path;       /* of the secret in it */
    const char *name_space; /* empty: none */
    const char *auth_mount; /* of AppRole or Kubernetes */
    const char *role;       /* of Kubernetes */
    enum secret_auth auth;
    uint32_t refresh_ms;
    /* One line of a file, without its end and with a zero. */
    struct hr_status (*read)(void *ctx, enum secret_file file, char out[SECRET_FILE_CAPACITY]);
    void *ctx;
};

enum secret_step {
    SECRET_STEP_NONE,
    SECRET_STEP_LOGIN,
    SECRET_STEP_LOOKUP, /* how long a token of a file is good for */
    SECRET_STEP_RENEW,
    SECRET_STEP_READ,
    SECRET_STEP_GRANT, /* not Vault's: grant.h */
};

/* After so many failures in a row: half to the whole of SECRET_VAULT_FIRST_MS, doubled for each. `chance` is
 * 32 random bits. */
uint64_t secret_pause_ms(uint32_t failures, uint32_t chance);

/* To be wiped once it was sent. */
struct secret_request {
    enum secret_step step;
    bool is_post;
    char url[SECRET_URL_CAPACITY];
    char token[SECRET_FILE_CAPACITY];    /* X-Vault-Token; empty: none */
    char body[2 * SECRET_FILE_CAPACITY]; /* JSON */
};

/* Members are private. */
struct secret_vault {
    struct secret_vault_config config;
    enum secret_step step; /* under way */
    char token[SECRET_FILE_CAPACITY];
    bool is_looked_up;
    bool is_renewable;
    uint64_t lease_ms;    /* the token's first; 0: it does not end */
    uint64_t renew_ms;    /* UINT64_MAX: never */
    uint64_t read_ms;     /* when to read next */
    uint64_t was_read_ms; /* when it was asked for last */
    uint64_t gone_ms;     /* when the values are; UINT64_MAX: never */
    uint64_t not_before_ms;
    uint32_t failures; /* in a row */
    bool is_settled;
    size_t len_bytes;
    uint8_t answer[SECRET_ANSWER_MAX_BYTES];
    uint64_t logins;
    uint64_t reads;
    uint64_t failed;
};

void secret_vault_init(struct secret_vault *vault, const struct secret_vault_config *config);

/* When secret_vault_next is to be asked; UINT64_MAX: after the answer that is awaited. */
uint64_t secret_vault_due_ms(const struct secret_vault *vault);

/* Fills *out with the request that is due, whose answer goes to secret_vault_take. HR_AGAIN: none is due.
 * HR_NOT_FOUND: a file can't be read, which is a failure as one of Vault's is; it is tried again later. */
HR_MUST_USE struct hr_status secret_vault_next(struct secret_vault *vault, uint64_t now_ms, uint32_t chance,
                                               struct secret_request *out);

/* The answer: its HTTP status, 0 when there was none, and its body. `chance` is 32 random bits for the pause
 * after a failure. True: it was what was wanted. */
bool secret_vault_take(struct secret_vault *vault, uint32_t status, struct hr_bytes body, uint64_t now_ms,
                       uint32_t chance);

/* The secret was read once, or can't be for now: nothing need wait for it any longer. */
bool secret_vault_is_settled(const struct secret_vault *vault);

/* A value, for the header of a request. HR_NOT_FOUND: there is none of that name, it is longer than it may
 * be, or its lease has ended. Wipe `out`. */
HR_MUST_USE struct hr_status secret_vault_get(const struct secret_vault *vault, const char *name,
                                              uint64_t now_ms, char out[SECRET_VALUE_CAPACITY]);

/* An operator refused a value: it may have been replaced. */
void secret_vault_doubt(struct secret_vault *vault, uint64_t now_ms);

/* Wipes token and values. */
void secret_vault_close(struct secret_vault *vault);

#endif
