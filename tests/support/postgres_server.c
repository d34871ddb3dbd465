/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/postgres_server.h"

#include "proto/base/assert.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 20, PATIENCE_S = 120 };

extern char **environ;

static time_t now_s(void)
{
    struct timespec now;
    HR_ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return now.tv_sec;
}

static char tool[] = HR_SOURCE_DIR "/tools/dev/postgres";

/* The tool's programs are not built with the sanitizer whose library may be preloaded here. */
static pid_t spawn(char *const words[], int child_stdin, int child_stdout)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    HR_ASSERT(posix_spawn_file_actions_init(&actions) == 0);
    HR_ASSERT(posix_spawn_file_actions_adddup2(&actions, child_stdin, STDIN_FILENO) == 0);
    HR_ASSERT(posix_spawn_file_actions_adddup2(&actions, child_stdout, STDOUT_FILENO) == 0);
    HR_ASSERT(posix_spawn(&pid, tool, &actions, NULL, words, environ) == 0);
    HR_ASSERT(posix_spawn_file_actions_destroy(&actions) == 0);
    return pid;
}

static void wait_for_exit(pid_t pid)
{
    int status = 0;
    HR_ASSERT(waitpid(pid, &status, 0) == pid);
    HR_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void run_tool(const struct postgres_server *server, const char *verb, const char *more)
{
    char verb_word[16];
    char more_word[16];
    char data[POSTGRES_PATH_CHARS];
    (void)snprintf(verb_word, sizeof verb_word, "%s", verb);
    (void)snprintf(more_word, sizeof more_word, "%s", more == NULL ? "" : more);
    (void)snprintf(data, sizeof data, "%s", server->data);
    char data_word[] = "--data";
    char *words[] = {tool, verb_word, data_word, data, more == NULL ? NULL : more_word, NULL};
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    HR_ASSERT(nowhere >= 0);
    wait_for_exit(spawn(words, nowhere, nowhere));
    (void)close(nowhere);
}

/* Both ends close in children: the keeper must not keep its own stdin open. */
static void make_pipe(int ends[2])
{
    HR_ASSERT(pipe(ends) == 0);
    for (int i = 0; i < 2; i++) {
        HR_ASSERT(fcntl(ends[i], F_SETFD, FD_CLOEXEC) == 0);
    }
}

static void read_line(int from, char *out, size_t capacity_bytes)
{
    size_t len = 0;
    while (len + 1 < capacity_bytes && read(from, out + len, 1) == 1 && out[len] != '\n') {
        len++;
    }
    out[len] = '\0';
}

void postgres_server_start(struct postgres_server *server, const char *preload)
{
    (void)mkdir(HR_TEST_DATA, 0755);
    (void)snprintf(server->data, sizeof server->data, "%s/%ld.%p", HR_TEST_DATA, (long)getpid(),
                   (void *)server);
    (void)snprintf(server->password_file, sizeof server->password_file, "%s/password", server->data);
    char run_word[] = "run";
    char data_word[] = "--data";
    char preload_word[] = "--preload";
    char library[POSTGRES_PATH_CHARS];
    (void)snprintf(library, sizeof library, "%s", preload == NULL ? "" : preload);
    char *words[] = {tool,    run_word, data_word, server->data, preload == NULL ? NULL : preload_word,
                     library, NULL};
    int to_keeper[2];
    int from_keeper[2];
    make_pipe(to_keeper);
    make_pipe(from_keeper);
    server->keeper = spawn(words, to_keeper[0], from_keeper[1]);
    (void)close(to_keeper[0]);
    (void)close(from_keeper[1]);
    server->keeper_stdin = to_keeper[1];
    read_line(from_keeper[0], server->socket, sizeof server->socket);
    (void)close(from_keeper[0]);
    if (server->socket[0] != '/') {
        (void)fprintf(stderr, "no PostgreSQL server came up\n");
        exit(1);
    }
}

void postgres_server_kill(const struct postgres_server *server)
{
    run_tool(server, "stop", "--kill");
}

void postgres_server_restart(const struct postgres_server *server)
{
    run_tool(server, "start", NULL);
}

void postgres_server_stop(struct postgres_server *server)
{
    (void)close(server->keeper_stdin);
    wait_for_exit(server->keeper);
}

struct ledger_postgres_config postgres_server_config(const struct postgres_server *server, const char *schema)
{
    return (struct ledger_postgres_config){.host = server->socket,
                                           .port = 5432,
                                           .database = "headrace",
                                           .user = "headrace",
                                           .password_file = server->password_file,
                                           .sslmode = "disable",
                                           .schema = schema,
                                           .connect_timeout_ms = 60000,
                                           .commit_timeout_ms = 120000};
}

static PGconn *try_to_connect(const struct postgres_server *server)
{
    char path[POSTGRES_PATH_CHARS + 16];
    char password[64] = "";
    (void)snprintf(path, sizeof path, "%s/superuser", server->data);
    FILE *file = fopen(path, "re");
    HR_ASSERT(file != NULL && fgets(password, sizeof password, file) != NULL);
    HR_ASSERT(fclose(file) == 0);
    const char *const keys[] = {"host", "dbname", "user", "password", "gssencmode", NULL};
    const char *const values[] = {server->socket, "headrace", "postgres", password, "disable", NULL};
    return PQconnectdbParams(keys, values, 0);
}

void postgres_server_wait_away(const struct postgres_server *server)
{
    bool is_there = true;
    for (time_t until = now_s() + PATIENCE_S; is_there && now_s() < until;) {
        PGconn *conn = try_to_connect(server);
        is_there = PQstatus(conn) == CONNECTION_OK;
        PQfinish(conn);
        (void)poll(NULL, 0, WAIT_MS);
    }
    HR_ASSERT(!is_there);
}

PGconn *postgres_server_connect(const struct postgres_server *server)
{
    PGconn *conn = try_to_connect(server);
    if (PQstatus(conn) != CONNECTION_OK) {
        (void)fprintf(stderr, "%s\n", PQerrorMessage(conn));
    }
    HR_ASSERT(PQstatus(conn) == CONNECTION_OK);
    return conn;
}

static PGresult *run_sql(const struct postgres_server *server, const char *sql, PGconn **conn)
{
    *conn = postgres_server_connect(server);
    PQclear(PQexec(*conn, "SET client_min_messages = error; SET synchronous_commit = local"));
    return PQexec(*conn, sql);
}

static bool is_good(const PGresult *result)
{
    return PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;
}

void postgres_server_sql(const struct postgres_server *server, const char *sql)
{
    PGconn *conn = NULL;
    PGresult *result = run_sql(server, sql, &conn);
    if (!is_good(result)) {
        (void)fprintf(stderr, "%s: %s\n", sql, PQresultErrorMessage(result));
    }
    HR_ASSERT(is_good(result));
    PQclear(result);
    PQfinish(conn);
}

long long postgres_server_number(const struct postgres_server *server, const char *sql)
{
    PGconn *conn = NULL;
    PGresult *result = run_sql(server, sql, &conn);
    if (!is_good(result)) {
        (void)fprintf(stderr, "%s: %s\n", sql, PQresultErrorMessage(result));
    }
    HR_ASSERT(is_good(result) && PQntuples(result) == 1);
    long long number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(conn);
    return number;
}

void postgres_server_wait(const struct postgres_server *server, const char *sql, long long number)
{
    long long last = postgres_server_number(server, sql);
    for (time_t until = now_s() + PATIENCE_S; last != number && now_s() < until;) {
        (void)poll(NULL, 0, WAIT_MS);
        last = postgres_server_number(server, sql);
    }
    if (last != number) {
        (void)fprintf(stderr, "%s: waited in vain for %lld, it is %lld\n", sql, number, last);
    }
    HR_ASSERT(last == number);
}

void postgres_server_refusal(const struct postgres_server *server, const char *sql, char sqlstate[6])
{
    PGconn *conn = NULL;
    PGresult *result = run_sql(server, sql, &conn);
    const char *state = is_good(result) ? "" : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    (void)snprintf(sqlstate, 6, "%s", state == NULL ? "?" : state);
    PQclear(result);
    PQfinish(conn);
}
