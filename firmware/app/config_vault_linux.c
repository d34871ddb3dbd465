/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/app/config.h"
#include "firmware/app/config_vault.h"

#include <string.h>

#define SERVICE_ACCOUNT_TOKEN "/var/run/secrets/kubernetes.io/serviceaccount/token"

static const char *check_address(const char *text)
{
    bool is_local =
        strncmp(text, "http://127.0.0.1:", 17) == 0 || strncmp(text, "http://localhost:", 17) == 0;
    size_t len = strlen(text);
    if (strncmp(text, "https://", 8) != 0 && !is_local) {
        return "is no https:// URL; a Vault agent on a loopback address may be http://";
    }
    return text[len - 1] == '/' || strpbrk(text, " ?#@\"\\") != NULL ? "is more than https://HOST:PORT"
                                                                     : NULL;
}

/* Parts of a URL's path. */
static const char *check_path(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/";
    size_t len = strlen(text);
    bool is_path = strspn(text, letters) == len && text[0] != '/' && (len == 0 || text[len - 1] != '/');
    return is_path ? NULL : "takes letters, digits, _ . - and / within";
}

static void check_vault(const void *section, struct conf_place *place)
{
    const struct app_vault *vault = section;
    bool is_approle = vault->auth == APP_VAULT_APPROLE;
    if (vault->auth == APP_VAULT_TOKEN && vault->token_file[0] == '\0') {
        conf_complain(place, "token_file", "auth: token needs it");
    }
    if (is_approle && (vault->role_id_file[0] == '\0' || vault->secret_id_file[0] == '\0')) {
        conf_complain(place, "auth", "approle needs role_id_file and secret_id_file");
    }
    if (vault->auth == APP_VAULT_KUBERNETES && vault->role[0] == '\0') {
        conf_complain(place, "role", "auth: kubernetes needs it");
    }
}

static const char *const kinds[] = {[APP_VAULT_TOKEN] = "token",
                                    [APP_VAULT_APPROLE] = "approle",
                                    [APP_VAULT_KUBERNETES] = "kubernetes",
                                    NULL};

#define TEXT(name, member) .key = (name), .type = CONF_STRING, CONF_AT(struct app_vault, member)

static const struct conf_field fields[] = {
    {TEXT("address", address), .required = true, .min = 9, .check_text = check_address,
     .help = "https://HOST:PORT."},
    {TEXT("mount", mount), .fallback = "secret", .min = 1, .check_text = check_path,
     .help = "Where the KV engine, version 2, is mounted."},
    {TEXT("path", path), .required = true, .min = 1, .check_text = check_path,
     .help = "The secret in it, whose keys are the names of credentials."},
    {TEXT("namespace", name_space), .check_text = check_path, .help = "Vault's namespace, if there are any."},
    {TEXT("ca", ca), .help = "PEM file of authorities, instead of the tap's."},
    {.key = "auth",
     .type = CONF_ENUM,
     CONF_AT(struct app_vault, auth),
     .required = true,
     .names = kinds,
     .help = "How a token is had: from a file, or by a login."},
    {TEXT("auth_mount", auth_mount), .check_text = check_path,
     .help = "Where the login is mounted; without it approle or kubernetes."},
    {TEXT("role", role), .help = "Of a login by Kubernetes."},
    {TEXT("token_file", token_file), .help = "Of auth: token. Read again when Vault refuses what it held."},
    {TEXT("role_id_file", role_id_file), .help = "Of auth: approle."},
    {TEXT("secret_id_file", secret_id_file), .help = "Of auth: approle."},
    {TEXT("jwt_file", jwt_file), .fallback = SERVICE_ACCOUNT_TOKEN, .help = "Of auth: kubernetes."},
    {.key = "refresh",
     .type = CONF_DURATION,
     CONF_AT(struct app_vault, refresh_ms),
     .fallback = "5m",
     .min = 1000,
     .max = 86400000,
     .help = "How often the secret is read again; at once when an operator refuses a key."},
};
const struct conf_table app_vault_table = {CONF_FIELDS(fields), .check = check_vault};
