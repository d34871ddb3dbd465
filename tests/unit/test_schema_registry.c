/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/json_scan.h"
#include "aggregator/schema_registry/registry.h"
#include "proto/base/assert.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { REQUEST_MAX_BYTES = 65536 };

/* A small registry behind a real socket: it keeps what was registered and answers as Confluent's does. With a
 * canned answer set, it gives that to every request instead. */
struct server {
    int listener;
    uint16_t port;
    pthread_t thread;
    const char *canned; /* status line and body, such as "503 Service Unavailable\r\n\r\n{}" */
    char subject[64];   /* of the newest registration */
    char *schema;       /* its text */
    char compatibility[64];
    char authorization[64];
    uint32_t n_requests;
};

static void answer_send(int socket_fd, const char *status, const char *body)
{
    char head[256];
    int head_bytes = snprintf(head, sizeof(head),
                              "HTTP/1.1 %s\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n"
                              "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                              status, strlen(body));

    (void)!write(socket_fd, head, (size_t)head_bytes);
    (void)!write(socket_fd, body, strlen(body));
}

static void post_handle(struct server *server, int socket_fd, const char *path, const char *body)
{
    cJSON *request = cJSON_Parse(body);
    const char *schema = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request, "schema"));

    if (schema == NULL || sscanf(path, "/subjects/%63[^/]/versions", server->subject) != 1) {
        answer_send(socket_fd, "422 Unprocessable Entity",
                    "{\"error_code\":42201,\"message\":\"Invalid schema\"}");
    } else {
        free(server->schema);
        server->schema = strdup(schema);
        answer_send(socket_fd, "200 OK", "{\"note\":{\"id\":\"no }\"},\"id\": 41}");
    }
    cJSON_Delete(request);
}

static void get_handle(const struct server *server, int socket_fd, const char *path)
{
    if (strcmp(path, "/schemas/ids/41") != 0 || server->schema == NULL) {
        answer_send(socket_fd, "404 Not Found", "{\"error_code\":40403,\"message\":\"Schema 7 not found\"}");
        return;
    }
    cJSON *answer = cJSON_CreateObject();

    cJSON_AddStringToObject(answer, "schema", server->schema);
    char *text = cJSON_PrintUnformatted(answer);

    answer_send(socket_fd, "200 OK", text);
    free(text);
    cJSON_Delete(answer);
}

/* Reads one whole request (head and Content-Length bytes of body), NUL-terminated. False: the peer closed. */
static bool request_read(int socket_fd, char request[REQUEST_MAX_BYTES], char **body)
{
    size_t at = 0;
    size_t wanted = SIZE_MAX;

    while (at < wanted && at < REQUEST_MAX_BYTES - 1) {
        ssize_t n = read(socket_fd, request + at, REQUEST_MAX_BYTES - 1 - at);

        if (n <= 0) {
            return false;
        }
        at += (size_t)n;
        request[at] = '\0';
        *body = strstr(request, "\r\n\r\n");
        if (*body != NULL) {
            const char *length = strstr(request, "Content-Length: ");

            *body += 4;
            wanted = (size_t)(*body - request) + (length == NULL ? 0 : strtoul(length + 16, NULL, 10));
        }
    }
    return *body != NULL;
}

static void request_handle(struct server *server, int socket_fd)
{
    static char request[REQUEST_MAX_BYTES];
    char method[8] = "";
    char path[256] = "";
    char *body = NULL;

    if (!request_read(socket_fd, request, &body) || sscanf(request, "%7s %255s", method, path) != 2) {
        return;
    }
    const char *authorization = strstr(request, "Authorization: ");

    server->n_requests++;
    server->authorization[0] = '\0';
    if (authorization != NULL) {
        (void)sscanf(authorization, "Authorization: %63[^\r]", server->authorization);
    }
    if (server->canned != NULL) {
        char status[64] = "";

        (void)sscanf(server->canned, "%63[^\r]", status);
        answer_send(socket_fd, status, strstr(server->canned, "\r\n\r\n") + 4);
    } else if (strcmp(method, "POST") == 0) {
        post_handle(server, socket_fd, path, body);
    } else if (strcmp(method, "PUT") == 0) {
        (void)snprintf(server->compatibility, sizeof(server->compatibility), "%.28s %.34s", path, body);
        answer_send(socket_fd, "200 OK", body);
    } else {
        get_handle(server, socket_fd, path);
    }
}

static void *server_run(void *ctx)
{
    struct server *server = ctx;

    for (;;) {
        int socket_fd = accept(server->listener, NULL, NULL);

        if (socket_fd < 0) {
            return NULL; /* shut down by the test */
        }
        request_handle(server, socket_fd);
        (void)close(socket_fd);
    }
}

static int server_start(void **state)
{
    static struct server server;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof(address);

    memset(&server, 0, sizeof(server));
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(server.listener, 8) != 0 ||
        getsockname(server.listener, (struct sockaddr *)&address, &address_bytes) != 0) {
        return -1;
    }
    server.port = ntohs(address.sin_port);
    *state = &server;
    return pthread_create(&server.thread, NULL, server_run, &server);
}

static int server_stop(void **state)
{
    struct server *server = *state;

    (void)shutdown(server->listener, SHUT_RDWR);
    (void)pthread_join(server->thread, NULL);
    (void)close(server->listener);
    free(server->schema);
    return 0;
}

static struct schema_registry_config config_of(const struct server *server, char url[64])
{
    (void)snprintf(url, 64, "http://127.0.0.1:%u", (unsigned)server->port);
    return (struct schema_registry_config){.url = url, .timeout_ms = 5000};
}

static void a_schema_is_registered_under_its_topic_and_comes_back_by_id(void **state)
{
    struct server *server = *state;
    char url[64];
    char why[SCHEMA_WHY_CHARS];
    static char text[REQUEST_MAX_BYTES];
    size_t text_bytes = 0;
    uint32_t id = 0;
    struct hr_bytes ours;
    const struct schema_registry_config config = config_of(server, url);

    assert_true(hr_is_ok(schema_registry_register(&config, "marine.ais.raw", "marine_ais_raw", &id, why)));
    assert_int_equal(id, 41);
    assert_string_equal(server->subject, "marine.ais.raw-value");
    assert_string_equal(server->compatibility,
                        "/config/marine.ais.raw-value {\"compatibility\":\"BACKWARD\"}");
    assert_string_equal(server->authorization, "");

    assert_true(hr_is_ok(schema_registry_fetch(&config, 41, text, sizeof(text), &text_bytes, why)));
    assert_true(hr_is_ok(schema_text("marine_ais_raw", &ours)));
    assert_int_equal(text_bytes, ours.len_bytes);
    assert_memory_equal(text, ours.data, text_bytes);
    assert_true(hr_is(schema_registry_fetch(&config, 7, text, sizeof(text), &text_bytes, why), HR_NOT_FOUND));
    assert_string_equal(why, "GET /schemas/ids/7: HTTP 404 \"Schema 7 not found\"");
    assert_true(hr_is(schema_registry_fetch(&config, 41, text, 100, &text_bytes, why), HR_FULL));
}

static void user_and_password_come_from_a_file(void **state)
{
    struct server *server = *state;
    char url[64];
    char why[SCHEMA_WHY_CHARS];
    char path[] = "/tmp/test_schema_registry.XXXXXX";
    uint32_t id = 0;
    struct schema_registry_config config = config_of(server, url);
    int fd = mkstemp(path);

    assert_int_equal(write(fd, "Aladdin:open sesame\n", 20), 20);
    (void)close(fd);
    config.user_file = path;
    assert_true(hr_is_ok(schema_registry_register(&config, "t", "marine_ais_raw", &id, why)));
    assert_string_equal(server->authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); /* RFC 7617 section 2 */
    (void)unlink(path);
    assert_true(hr_is(schema_registry_register(&config, "t", "marine_ais_raw", &id, why), HR_DENIED));
}

static void each_refusal_says_what_the_caller_can_do(void **state)
{
    struct server *server = *state;
    static const struct {
        const char *canned;
        enum hr_code code;
        const char *why;
    } cases[] = {
        {"503 Service Unavailable\r\n\r\n", HR_AGAIN, "HTTP 503"},
        {"429 Too Many Requests\r\n\r\n{}", HR_AGAIN, "HTTP 429"},
        {"409 Conflict\r\n\r\n{\"error_code\":409,\"message\":\"incompatible\"}", HR_DENIED, "incompatible"},
        {"401 Unauthorized\r\n\r\n{}", HR_DENIED, "HTTP 401"},
        {"404 Not Found\r\n\r\n<html>", HR_MALFORMED, "HTTP 404"},
        {"200 OK\r\n\r\nhello", HR_MALFORMED, "no id"},
        {"200 OK\r\n\r\n{\"id\":-1}", HR_MALFORMED, "no id"},
        {"200 OK\r\n\r\n{\"id\":99999999999}", HR_MALFORMED, "no id"},
        {"200 OK\r\n\r\n{\"a\":\"b", HR_MALFORMED, "no id"},
    };
    char url[64];
    char why[SCHEMA_WHY_CHARS];
    uint32_t id = 7;
    const struct schema_registry_config config = config_of(server, url);

    for (size_t i = 0; i < HR_ARRAY_LEN(cases); i++) {
        server->canned = cases[i].canned;
        assert_int_equal(schema_registry_register(&config, "t", "marine_ais_raw", &id, why).code,
                         cases[i].code);
        assert_non_null(strstr(why, cases[i].why));
        assert_int_equal(id, 7);
    }
}

static void versions_are_listed_and_fetched_by_number(void **state)
{
    struct server *server = *state;
    char url[64];
    char why[SCHEMA_WHY_CHARS];
    char text[64];
    size_t text_bytes = 0;
    size_t n_versions = 9;
    uint32_t versions[2] = {0, 0};
    const struct schema_registry_config config = config_of(server, url);

    server->canned = "200 OK\r\n\r\n[3]";
    assert_true(hr_is_ok(schema_registry_versions(&config, "t", versions, 2, &n_versions, why)));
    assert_int_equal(n_versions, 1);
    assert_int_equal(versions[0], 3);
    server->canned = "200 OK\r\n\r\n[1, 2,7]"; /* no room for the oldest */
    assert_true(hr_is_ok(schema_registry_versions(&config, "t", versions, 2, &n_versions, why)));
    assert_int_equal(n_versions, 2);
    assert_int_equal(versions[0], 2);
    assert_int_equal(versions[1], 7);
    server->canned = "200 OK\r\n\r\n[]";
    assert_true(hr_is_ok(schema_registry_versions(&config, "t", versions, 2, &n_versions, why)));
    assert_int_equal(n_versions, 0);
    static const char *const wrong[] = {"200 OK\r\n\r\n", "200 OK\r\n\r\n{}", "200 OK\r\n\r\n[1,2",
                                        "200 OK\r\n\r\n[99999999999]"};
    for (size_t i = 0; i < HR_ARRAY_LEN(wrong); i++) {
        server->canned = wrong[i];
        assert_true(
            hr_is(schema_registry_versions(&config, "t", versions, 2, &n_versions, why), HR_MALFORMED));
    }
    server->canned = "404 Not Found\r\n\r\n{\"message\":\"Subject 't-value' not found.\"}";
    assert_true(hr_is(schema_registry_versions(&config, "t", versions, 2, &n_versions, why), HR_NOT_FOUND));
    assert_true(
        hr_is(schema_registry_version(&config, "t", 1, text, sizeof(text), &text_bytes, why), HR_NOT_FOUND));
    server->canned = "200 OK\r\n\r\n{\"version\":1,\"schema\":\"\\\"long\\\"\"}";
    assert_true(hr_is_ok(schema_registry_version(&config, "t", 1, text, sizeof(text), &text_bytes, why)));
    assert_int_equal(text_bytes, 6);
    assert_memory_equal(text, "\"long\"", 6);
    assert_true(hr_is(schema_registry_version(&config, "t", 1, text, 5, &text_bytes, why), HR_FULL));
}

static void a_registry_that_is_away_is_asked_again_later(void **state)
{
    char why[SCHEMA_WHY_CHARS];
    uint32_t id = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof(address);
    /* A port that is bound and never listens refuses for as long as the test holds it. */
    int holder = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    assert_int_equal(bind(holder, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(holder, (struct sockaddr *)&address, &address_bytes), 0);
    const struct server nobody = {.port = ntohs(address.sin_port)};
    char url[64];
    struct schema_registry_config config = config_of(&nobody, url);

    assert_true(hr_is(schema_registry_register(&config, "t", "marine_ais_raw", &id, why), HR_AGAIN));
    assert_true(strlen(why) > 0);
    (void)close(holder);
    config.url = "file:///etc/hostname";
    assert_true(hr_is(schema_registry_register(&config, "t", "marine_ais_raw", &id, why), HR_MALFORMED));
    assert_true(hr_is(schema_registry_register(&config, "t", "no_such_schema", &id, why), HR_MALFORMED));
}

static struct hr_bytes bytes_of(const char *text)
{
    return hr_bytes_of(text, strlen(text));
}

static void json_members_are_found_at_the_top_only(void **state)
{
    struct hr_bytes raw;

    (void)state;
    assert_true(
        hr_is_ok(schema_json_member(bytes_of(" { \"a\" : [1,{\"b\":2}] , \"b\":\"x\\\"}\" } "), "b", &raw)));
    assert_int_equal(raw.len_bytes, 6);
    assert_memory_equal(raw.data, "\"x\\\"}\"", 6);
    assert_true(hr_is(schema_json_member(bytes_of("{\"a\":{\"b\":1}}"), "b", &raw), HR_NOT_FOUND));
    assert_true(hr_is(schema_json_member(bytes_of("{}"), "b", &raw), HR_NOT_FOUND));
    static const char *const broken[] = {"",        "[]",       "{",        "{\"a", "{\"a\"",
                                         "{\"a\":", "{\"a\":[", "{\"a\":1", "{a:1}"};

    for (size_t i = 0; i < HR_ARRAY_LEN(broken); i++) {
        assert_true(hr_is(schema_json_member(bytes_of(broken[i]), "b", &raw), HR_MALFORMED));
    }
}

static void json_strings_lose_their_escapes(void **state)
{
    static const char *const broken[] = {
        "\"\\x\"", "\"\\u12\"", "\"\\ud83d\"", "\"\\udca2\"", "\"\\ud83d\\u0041\"", "x", "\"", "\"\\\""};
    char out[32];
    size_t len_bytes = 0;

    (void)state;
    assert_true(hr_is_ok(schema_json_unquote(bytes_of("\"a\\n\\\"\\u00fc\\u20AC\\ud83d\\udca2/\""), out,
                                             sizeof(out), &len_bytes)));
    assert_int_equal(len_bytes, 13);
    assert_memory_equal(out, "a\n\"\xC3\xBC\xE2\x82\xAC\xF0\x9F\x92\xA2/", 13);
    assert_true(hr_is(schema_json_unquote(bytes_of("\"abc\""), out, 2, &len_bytes), HR_FULL));
    for (size_t i = 0; i < HR_ARRAY_LEN(broken); i++) {
        assert_true(
            hr_is(schema_json_unquote(bytes_of(broken[i]), out, sizeof(out), &len_bytes), HR_MALFORMED));
    }
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, server_start, server_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_schema_is_registered_under_its_topic_and_comes_back_by_id),
        WITH_SERVER(user_and_password_come_from_a_file),
        WITH_SERVER(each_refusal_says_what_the_caller_can_do),
        WITH_SERVER(versions_are_listed_and_fetched_by_number),
        cmocka_unit_test(a_registry_that_is_away_is_asked_again_later),
        cmocka_unit_test(json_members_are_found_at_the_top_only),
        cmocka_unit_test(json_strings_lose_their_escapes),
    };

    return cmocka_run_group_tests_name("schema_registry", tests, NULL, NULL);
}
