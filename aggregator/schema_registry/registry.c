/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/schema_registry/registry.h"

#include "aggregator/schema_registry/json_out.h"
#include "aggregator/schema_registry/json_scan.h"
#include "proto/base/assert.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    URL_MAX_CHARS = 512,
    USER_MAX_CHARS = 256,
    BODY_MAX_BYTES = 256 * 1024, /* of a request or an answer */
    HTTP_OK = 200,
};

struct body {
    char *data; /* BODY_MAX_BYTES */
    size_t len_bytes;
};

/* One request and its answer. */
struct exchange {
    const struct schema_registry_config *config;
    const char *method; /* GET, POST, PUT */
    char path[URL_MAX_CHARS];
    struct body request;
    struct body answer;
    char *why; /* SCHEMA_WHY_CHARS */
};

static size_t answer_take(char *data, size_t size, size_t n_items, void *ctx)
{
    struct body *answer = ctx;
    size_t n_bytes = size * n_items;

    if (n_bytes > BODY_MAX_BYTES - answer->len_bytes) {
        return 0;
    }
    memcpy(answer->data + answer->len_bytes, data, n_bytes);
    answer->len_bytes += n_bytes;
    return n_bytes;
}

static struct hr_status user_read(const char *path, char user[USER_MAX_CHARS], char *why)
{
    FILE *file = fopen(path, "r");
    bool found = file != NULL && fgets(user, USER_MAX_CHARS, file) != NULL;

    if (file != NULL) {
        (void)fclose(file);
    }
    if (!found) {
        (void)snprintf(why, SCHEMA_WHY_CHARS, "can't read user:password from %s", path);
        return hr_status_of(HR_DENIED);
    }
    user[strcspn(user, "\r\n")] = '\0';
    return hr_ok();
}

/* What the caller can do about an answer. */
static struct hr_status answer_judge(const struct exchange *exchange, long http_status)
{
    struct hr_bytes message = {NULL, 0};

    if (http_status == HTTP_OK) {
        return hr_ok();
    }
    /* The registry's own words, when it has any; without them the number must do. */
    hr_ignore(schema_json_member(hr_bytes_of(exchange->answer.data, exchange->answer.len_bytes), "message",
                                 &message));
    (void)snprintf(exchange->why, SCHEMA_WHY_CHARS, "%s %.50s: HTTP %ld %.*s", exchange->method,
                   exchange->path, http_status, (int)(message.len_bytes > 80 ? 80 : message.len_bytes),
                   message.len_bytes == 0 ? "" : (const char *)message.data);
    if (http_status >= 500 || http_status == 429 || http_status == 408) {
        return hr_status_of(HR_AGAIN);
    }
    if (http_status == 404) {
        return hr_status_of(HR_NOT_FOUND);
    }
    return hr_status_of(http_status >= 400 ? HR_DENIED : HR_MALFORMED);
}

static struct hr_status transfer_judge(const struct exchange *exchange, CURLcode result)
{
    (void)snprintf(exchange->why, SCHEMA_WHY_CHARS, "%s %.60s: %s", exchange->method, exchange->path,
                   curl_easy_strerror(result));
    if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE) {
        return hr_status_of(HR_DENIED);
    }
    if (result == CURLE_WRITE_ERROR || result == CURLE_URL_MALFORMAT ||
        result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_WEIRD_SERVER_REPLY) {
        return hr_status_of(HR_MALFORMED);
    }
    return hr_status_of(HR_AGAIN);
}

static struct hr_status options_set(CURL *curl, struct exchange *exchange, struct curl_slist *headers)
{
    const struct schema_registry_config *config = exchange->config;
    char url[2 * URL_MAX_CHARS];
    char user[USER_MAX_CHARS];

    (void)snprintf(url, sizeof(url), "%s%s", config->url, exchange->path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, exchange->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)config->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange->answer);
    if (exchange->request.len_bytes > 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)exchange->request.len_bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, exchange->request.data);
    }
    if (config->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca_file);
    }
    if (config->user_file != NULL) {
        HR_TRY(user_read(config->user_file, user, exchange->why));
        curl_easy_setopt(curl, CURLOPT_USERPWD, user);
    }
    return hr_ok();
}

static struct hr_status exchange_run(struct exchange *exchange)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/vnd.schemaregistry.v1+json");

    if (curl == NULL || headers == NULL) {
        curl_slist_free_all(headers);
        curl_easy_cleanup(curl);
        (void)snprintf(exchange->why, SCHEMA_WHY_CHARS, "no memory for a request");
        return hr_status_of(HR_AGAIN);
    }
    exchange->answer.len_bytes = 0;
    struct hr_status status = options_set(curl, exchange, headers);

    if (hr_is_ok(status)) {
        CURLcode result = curl_easy_perform(curl);
        long http_status = 0;

        if (result == CURLE_OK) {
            curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http_status);
        }
        status = result == CURLE_OK ? answer_judge(exchange, http_status) : transfer_judge(exchange, result);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static struct hr_status exchange_open(struct exchange *exchange, const struct schema_registry_config *config,
                                      char *why)
{
    *exchange = (struct exchange){.config = config, .method = "GET", .why = why};
    why[0] = '\0';
    /* One block for both bodies. */
    exchange->request.data = malloc((size_t)2 * BODY_MAX_BYTES);
    if (exchange->request.data == NULL) {
        (void)snprintf(why, SCHEMA_WHY_CHARS, "no memory for a request");
        return hr_status_of(HR_AGAIN);
    }
    exchange->answer.data = exchange->request.data + BODY_MAX_BYTES;
    return hr_ok();
}

static void exchange_close(struct exchange *exchange)
{
    free(exchange->request.data);
}

/* {"schema":"<the text, as a JSON string>"} */
static struct hr_status schema_request(struct body *request, struct hr_bytes text)
{
    struct schema_json json = {request->data, BODY_MAX_BYTES, 0, false};

    schema_json_text(&json, "{\"schema\":");
    schema_json_string(&json, text);
    schema_json_text(&json, "}");
    request->len_bytes = json.at;
    return hr_status_of(json.full ? HR_FULL : HR_OK);
}

static struct hr_status path_set(struct exchange *exchange, const char *before, const char *topic,
                                 const char *after)
{
    char *escaped = curl_easy_escape(NULL, topic, 0);
    int n_chars = escaped == NULL ? -1
                                  : snprintf(exchange->path, sizeof(exchange->path), "%s%s-value%s", before,
                                             escaped, after);

    curl_free(escaped);
    if (n_chars < 0 || (size_t)n_chars >= sizeof(exchange->path)) {
        (void)snprintf(exchange->why, SCHEMA_WHY_CHARS, "topic name too long for a subject");
        return hr_status_of(HR_MALFORMED);
    }
    return hr_ok();
}

static struct hr_status register_run(struct exchange *exchange, const char *topic, struct hr_bytes text,
                                     uint32_t *schema_id)
{
    static const char backward[] = "{\"compatibility\":\"BACKWARD\"}";
    struct hr_bytes raw;
    uint32_t id;

    HR_TRY(path_set(exchange, "/subjects/", topic, "/versions"));
    HR_TRY(schema_request(&exchange->request, text));
    exchange->method = "POST";
    HR_TRY(exchange_run(exchange));
    if (!hr_is_ok(
            schema_json_member(hr_bytes_of(exchange->answer.data, exchange->answer.len_bytes), "id", &raw)) ||
        !hr_is_ok(schema_json_u32(raw, &id))) {
        (void)snprintf(exchange->why, SCHEMA_WHY_CHARS, "POST %.100s: the answer has no id", exchange->path);
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(path_set(exchange, "/config/", topic, ""));
    memcpy(exchange->request.data, backward, sizeof(backward) - 1);
    exchange->request.len_bytes = sizeof(backward) - 1;
    exchange->method = "PUT";
    HR_TRY(exchange_run(exchange));
    *schema_id = id;
    return hr_ok();
}

struct hr_status schema_registry_register(const struct schema_registry_config *config, const char *topic,
                                          const char *schema_name, uint32_t *schema_id,
                                          char why[SCHEMA_WHY_CHARS])
{
    struct exchange exchange;
    struct hr_bytes text;

    if (!hr_is_ok(schema_text(schema_name, &text))) {
        (void)snprintf(why, SCHEMA_WHY_CHARS, "no schemas/avro/%s.avsc", schema_name);
        return hr_status_of(HR_MALFORMED);
    }
    HR_TRY(exchange_open(&exchange, config, why));
    struct hr_status status = register_run(&exchange, topic, text, schema_id);

    exchange_close(&exchange);
    /* To a POST or PUT, "not found" says that this is not a registry. */
    return hr_is(status, HR_NOT_FOUND) ? hr_status_of(HR_MALFORMED) : status;
}

/* The schema in the answer to a GET of exchange->path. */
static struct hr_status fetch_run(struct exchange *exchange, char *out, size_t capacity_bytes,
                                  size_t *len_bytes)
{
    struct hr_bytes raw;

    HR_TRY(exchange_run(exchange));
    if (!hr_is_ok(schema_json_member(hr_bytes_of(exchange->answer.data, exchange->answer.len_bytes), "schema",
                                     &raw))) {
        (void)snprintf(exchange->why, SCHEMA_WHY_CHARS, "GET %.100s: the answer has no schema",
                       exchange->path);
        return hr_status_of(HR_MALFORMED);
    }
    return schema_json_unquote(raw, out, capacity_bytes, len_bytes);
}

struct hr_status schema_registry_fetch(const struct schema_registry_config *config, uint32_t schema_id,
                                       char *out, size_t capacity_bytes, size_t *len_bytes,
                                       char why[SCHEMA_WHY_CHARS])
{
    struct exchange exchange;

    HR_TRY(exchange_open(&exchange, config, why));
    (void)snprintf(exchange.path, sizeof(exchange.path), "/schemas/ids/%u", (unsigned)schema_id);
    struct hr_status status = fetch_run(&exchange, out, capacity_bytes, len_bytes);

    exchange_close(&exchange);
    return status;
}

struct hr_status schema_registry_version(const struct schema_registry_config *config, const char *topic,
                                         uint32_t version, char *out, size_t capacity_bytes,
                                         size_t *len_bytes, char why[SCHEMA_WHY_CHARS])
{
    struct exchange exchange;
    char after[32];

    HR_TRY(exchange_open(&exchange, config, why));
    (void)snprintf(after, sizeof(after), "/versions/%u", (unsigned)version);
    struct hr_status status = path_set(&exchange, "/subjects/", topic, after);

    if (hr_is_ok(status)) {
        status = fetch_run(&exchange, out, capacity_bytes, len_bytes);
    }
    exchange_close(&exchange);
    return status;
}

/* [1,2,5] */
static bool versions_read(const struct body *answer, uint32_t *versions, size_t capacity, size_t *n_versions)
{
    const char *at = answer->data;
    const char *end = at + answer->len_bytes;
    uint64_t number = 0;
    bool is_number = false;

    *n_versions = 0;
    if (at == end || *at != '[') {
        return false;
    }
    for (at++; at != end && number <= UINT32_MAX; at++) {
        if (*at >= '0' && *at <= '9') {
            number = number * 10 + (uint64_t)(*at - '0');
            is_number = true;
        } else if ((*at == ',' || *at == ']') && is_number) {
            if (*n_versions == capacity) {
                memmove(versions, versions + 1, (capacity - 1) * sizeof(versions[0]));
                --*n_versions;
            }
            versions[(*n_versions)++] = (uint32_t)number;
            number = 0;
            is_number = false;
        }
        if (*at == ']') {
            return true;
        }
    }
    return false;
}

struct hr_status schema_registry_versions(const struct schema_registry_config *config, const char *topic,
                                          uint32_t *versions, size_t capacity, size_t *n_versions,
                                          char why[SCHEMA_WHY_CHARS])
{
    struct exchange exchange;

    HR_ASSERT(capacity > 0);
    HR_TRY(exchange_open(&exchange, config, why));
    struct hr_status status = path_set(&exchange, "/subjects/", topic, "/versions");

    if (hr_is_ok(status)) {
        status = exchange_run(&exchange);
    }
    if (hr_is_ok(status) && !versions_read(&exchange.answer, versions, capacity, n_versions)) {
        (void)snprintf(why, SCHEMA_WHY_CHARS, "GET %.100s: the answer is no list of versions", exchange.path);
        status = hr_status_of(HR_MALFORMED);
    }
    exchange_close(&exchange);
    return status;
}
