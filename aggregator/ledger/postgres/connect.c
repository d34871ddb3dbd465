/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/ledger/postgres/link.h"
#include "proto/base/assert.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { PASSWORD_MAX_CHARS = 255, RETRY_MS = 100, MAX_PAIRS = 16 };

/* The first line of the password file; empty when there is none. */
static bool read_password(const struct ledger_pg_link *link, char out[PASSWORD_MAX_CHARS + 2])
{
    const char *path = link->target->password_file;
    out[0] = '\0';
    if (path[0] == '\0') {
        return true;
    }
    FILE *file = fopen(path, "re");
    bool is_read = file != NULL && fgets(out, PASSWORD_MAX_CHARS + 2, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    out[strcspn(out, "\r\n")] = '\0';
    if (!is_read) {
        ledger_say(link->report, "the password file %s can't be read", path);
    }
    return is_read;
}

/* With a warning the server tells that a commit stands in its own log, but the wait for its standbys was
 * broken off. That warning has no code of its own and its text has many languages, so any will do. */
static void hear(void *ctx, const PGresult *notice)
{
    struct ledger_pg_link *link = ctx;
    const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    link->is_doubtful = true;
    ledger_say(link->report, "PostgreSQL warns: %s", text == NULL ? "" : text);
}

struct pairs {
    const char *keys[MAX_PAIRS];
    const char *values[MAX_PAIRS];
    size_t n;
};

/* What is empty is left to libpq. */
static void add_pair(struct pairs *pairs, const char *key, const char *value)
{
    HR_ASSERT(pairs->n + 1 < MAX_PAIRS);
    if (value[0] != '\0') {
        pairs->keys[pairs->n] = key;
        pairs->values[pairs->n++] = value;
    }
}

static PGconn *connect_once(const struct ledger_pg_link *link)
{
    const struct ledger_pg_target *target = link->target;
    char password[PASSWORD_MAX_CHARS + 2];
    char seconds[16];
    if (!read_password(link, password)) {
        return NULL;
    }
    /* Of each host; libpq takes 2 seconds at least. */
    (void)snprintf(seconds, sizeof seconds, "%u", (target->connect_timeout_ms + 999) / 1000);
    struct pairs pairs = {.n = 0};
    add_pair(&pairs, "host", target->host);
    add_pair(&pairs, "port", target->port);
    add_pair(&pairs, "dbname", target->database);
    add_pair(&pairs, "user", target->user);
    add_pair(&pairs, "password", password);
    add_pair(&pairs, "sslmode", target->sslmode);
    add_pair(&pairs, "sslrootcert", target->ca_file);
    add_pair(&pairs, "gssencmode", "disable");
    add_pair(&pairs, "connect_timeout", seconds);
    add_pair(&pairs, "target_session_attrs", "read-write");
    add_pair(&pairs, "client_encoding", "UTF8");
    add_pair(&pairs, "application_name", "headrace");
    PGconn *conn = PQconnectdbParams(pairs.keys, pairs.values, 0);
    explicit_bzero(password, sizeof password);
    return conn;
}

/* One session's settings. A writer keeps synchronous_commit at "on" or above: less, and an acknowledged batch
 * could be lost. A half-sent transaction of a writer whose machine has gone must not sit on the head for
 * ever, so the server looks after its client. */
static struct ledger_pg_answer set_up(struct ledger_pg_link *link, bool is_writer, uint64_t deadline_ms)
{
    static const char writer_settings[] =
        "SET lock_timeout = 2000; SET idle_in_transaction_session_timeout = 10000;"
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";
    char sql[1024];
    (void)snprintf(sql, sizeof sql,
                   "SET client_min_messages = warning; SET search_path TO \"%s\"; SET statement_timeout = 0;"
                   "SET default_transaction_isolation = 'read committed';"
                   "SET client_connection_check_interval = 1000; SET tcp_user_timeout = 20000;"
                   "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5;"
                   "SET tcp_keepalives_count = 3; %s",
                   link->target->schema,
                   is_writer ? writer_settings : "SET default_transaction_read_only = on");
    return ledger_pg_script(link, sql, deadline_ms);
}

static bool connect_and_set_up(struct ledger_pg_link *link, bool is_writer, bool is_first,
                               uint64_t deadline_ms)
{
    link->is_doubtful = false;
    link->conn = connect_once(link);
    if (link->conn == NULL) {
        return false;
    }
    if (PQstatus(link->conn) != CONNECTION_OK) {
        const char *text = PQerrorMessage(link->conn);
        if (is_first) {
            ledger_say(link->report, "no connection to PostgreSQL: %.*s", (int)strcspn(text, "\n"), text);
        }
    } else {
        (void)PQsetNoticeReceiver(link->conn, hear, link);
        uint64_t until_ms = ledger_pg_now_ms() + link->target->connect_timeout_ms;
        if (PQsetnonblocking(link->conn, 1) == 0 &&
            set_up(link, is_writer, until_ms > deadline_ms ? until_ms : deadline_ms).outcome ==
                LEDGER_PG_DONE) {
            return true;
        }
    }
    ledger_pg_disconnect(link);
    return false;
}

struct hr_status ledger_pg_connect(struct ledger_pg_link *link, bool is_writer, uint64_t deadline_ms)
{
    ledger_pg_disconnect(link);
    for (bool is_first = true; !connect_and_set_up(link, is_writer, is_first, deadline_ms);
         is_first = false) {
        if (ledger_pg_now_ms() + RETRY_MS >= deadline_ms) {
            return hr_status_of(HR_AGAIN);
        }
        (void)poll(NULL, 0, RETRY_MS);
    }
    return hr_ok();
}

bool ledger_pg_is_connected(struct ledger_pg_link *link)
{
    bool is_there = link->conn != NULL && PQstatus(link->conn) == CONNECTION_OK;
    struct pollfd socket = {.fd = is_there ? PQsocket(link->conn) : -1, .events = POLLIN};
    while (is_there && poll(&socket, 1, 0) > 0) {
        is_there = PQconsumeInput(link->conn) == 1 && PQstatus(link->conn) == CONNECTION_OK;
        /* Parses what came: a farewell of the server is a notice here. */
        is_there = is_there && PQisBusy(link->conn) == 0;
    }
    if (!is_there) {
        ledger_pg_disconnect(link);
    }
    return is_there;
}
