/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config/sections.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void config_check_file(struct conf_place *place, const char *key, const char *path)
{
    if (path[0] != '\0' && access(path, R_OK) != 0) {
        conf_complain(place, key, "%s can't be read: %s", path, strerror(errno));
    }
}

void config_check_secret(struct conf_place *place, const char *key, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        conf_complain(place, key, "%s may be read by others (mode %03o); chmod 600 it", path,
                      (unsigned)(status.st_mode & 0777));
    }
}

static const char *check_tls(const char *text)
{
    static const char *const words[] = {"disable", "require", "verify-ca", "verify-full"};
    for (size_t i = 0; i < HR_ARRAY_LEN(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            return NULL;
        }
    }
    return "is none of disable, require, verify-ca, verify-full";
}

static const char *check_schema(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    bool is_plain = text[strspn(text, letters)] == '\0' && (text[0] < '0' || text[0] > '9');
    return is_plain && strncmp(text, "pg_", 3) != 0
               ? NULL
               : "may hold lower-case letters, digits and '_', and begins with no digit and not with pg_";
}

static void check_postgres(const void *section, struct conf_place *place)
{
    const struct config_postgres *postgres = section;
    config_check_file(place, "password_file", postgres->password_file);
    config_check_secret(place, "password_file", postgres->password_file);
    config_check_file(place, "ca_file", postgres->ca_file);
    bool is_socket = postgres->host[0] == '/';
    if (!is_socket && strncmp(postgres->tls, "verify", 6) == 0 && postgres->ca_file[0] == '\0') {
        conf_complain(place, "tls", "%s needs ca_file: who signs the server's certificate", postgres->tls);
    }
}

static void check_ledger(const void *section, struct conf_place *place)
{
    const struct config_ledger *ledger = section;
    bool has_sqlite = ledger->sqlite[0] != '\0';
    if (has_sqlite == ledger->has_postgres) {
        conf_complain(place, NULL,
                      has_sqlite ? "sqlite and postgres: a log has one place"
                                 : "no ledger: give sqlite or postgres");
    }
    if (ledger->has_postgres && ledger->max_bytes != 0) {
        conf_complain(place, "max_bytes", "is for sqlite; bound what PostgreSQL may use at the server");
    }
}

static const struct conf_field postgres_fields[] = {
    {.key = "host",
     .type = CONF_STRING,
     CONF_AT(struct config_postgres, host),
     .required = true,
     .min = 1,
     .help = "Name or address, or the folder of a unix socket. Several with commas: the one that may write."},
    {.key = "port",
     .type = CONF_UINT,
     CONF_AT(struct config_postgres, port),
     .fallback = "5432",
     .min = 1,
     .help = "Also part of a unix socket's name."},
    {.key = "database",
     .type = CONF_STRING,
     CONF_AT(struct config_postgres, database),
     .fallback = "headrace",
     .min = 1,
     .help = "It must be there; its encoding is UTF8."},
    {.key = "user",
     .type = CONF_STRING,
     CONF_AT(struct config_postgres, user),
     .fallback = "headrace",
     .min = 1,
     .help = "Owns the schema, or may make it."},
    {.key = "password_file",
     .type = CONF_STRING,
     CONF_AT(struct config_postgres, password_file),
     .help = "Its first line is the password; mode 0600. Read at each connect."},
    {.key = "tls",
     .type = CONF_STRING,
     CONF_AT(struct config_postgres, tls),
     .fallback = "verify-full",
     .check_text = check_tls,
     .help = "disable, require, verify-ca or verify-full; nothing of it on a unix socket."},
    {.key = "ca_file",
     .type = CONF_STRING,
     CONF_AT(struct config_postgres, ca_file),
     .help = "PEM file: who signs the server's certificate."},
    {.key = "schema",
     .type = CONF_STRING,
     CONF_AT(struct config_postgres, schema),
     .fallback = "headrace",
     .min = 1,
     .check_text = check_schema,
     .help = "Holds one log; made at the first start."},
    {.key = "connect_timeout",
     .type = CONF_DURATION,
     CONF_AT(struct config_postgres, connect_timeout_ms),
     .fallback = "5s",
     .min = 1000,
     .max = 600000,
     .help = "While the server is away, collectors wait this long for their answer: come again later."},
    {.key = "commit_timeout",
     .type = CONF_DURATION,
     CONF_AT(struct config_postgres, commit_timeout_ms),
     .fallback = "30s",
     .min = 1000,
     .max = 600000,
     .help = "Of one commit, and of reading back one whose end is not known; then the process ends."},
};
static const struct conf_table postgres_table = {CONF_FIELDS(postgres_fields), .check = check_postgres};

static const struct conf_field ledger_fields[] = {
    {.key = "sqlite",
     .type = CONF_STRING,
     CONF_AT(struct config_ledger, sqlite),
     .help = "The database file; made at the first start."},
    {.key = "max_bytes",
     .type = CONF_SIZE,
     CONF_AT(struct config_ledger, max_bytes),
     .fallback = "0",
     .help = "Bound of sqlite's file; 0: the disk's. Beyond it collectors are told to wait."},
    {.key = "min_free",
     .type = CONF_SIZE,
     CONF_AT(struct config_ledger, min_free_bytes),
     .fallback = "64MiB",
     .help = "With less free on sqlite's disk, likewise; 0: the disk may get full."},
    {.key = "retention",
     .type = CONF_DURATION,
     CONF_AT(struct config_ledger, retention_ms),
     .fallback = "90d",
     .help = "What every sink has got is kept this long, or in sqlite until room is scarce; 0: until then."},
    {.key = "revisions",
     .type = CONF_DURATION,
     CONF_AT(struct config_ledger, revisions_ms),
     .fallback = "45d",
     .min = 3600000,
     .max = UINT64_C(36500) * 86400000,
     .help =
         "An observation of a market that ended so long before a document is not looked for any more: it is"
         " published as a first one."},
    {.key = "postgres",
     .type = CONF_SECTION,
     CONF_SECTION_AT(struct config_ledger, postgres, has_postgres),
     .table = &postgres_table,
     .help = "Instead of sqlite: PostgreSQL 14 or newer. Whoever starts on a schema takes it over."},
};
const struct conf_table config_ledger_table = {CONF_FIELDS(ledger_fields), .check = check_ledger};
