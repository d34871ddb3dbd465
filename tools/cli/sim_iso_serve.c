/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/sim_iso_serve.h"

#include "proto/base/assert.h"
#include "tools/cli/options.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { SECOND_MS = 1000, NEWEST_STEP_S = 300, DAY_AHEAD_S = 36 * 3600 };

static const char *const FAULT_NAMES[CLI_ISO_FAULT_KINDS] = {"429",  "503",  "401",  "hang",
                                                             "half", "type", "empty"};

static int64_t monotonic_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_MS + now.tv_nsec / 1000000;
}

/* ---- hosts and their limits ---- */

struct cli_iso_host *cli_iso_host_of(struct cli_iso_sim *sim, const char *name)
{
    for (size_t i = 0; i < sim->n_hosts; i++) {
        if (strcmp(sim->hosts[i].name, name) == 0) {
            return &sim->hosts[i];
        }
    }
    if (sim->n_hosts == CLI_ISO_HOSTS || strlen(name) > FEEDS_TEXT_MAX_CHARS) {
        return NULL;
    }
    struct cli_iso_host *host = &sim->hosts[sim->n_hosts++];
    memcpy(host->name, name, strlen(name) + 1);
    return host;
}

void cli_iso_sim_init(struct cli_iso_sim *sim)
{
    /* CAISO: OASIS' own words; ERCOT, PJM (without membership) and MISO: as their users tell. */
    static const struct {
        const char *name;
        uint32_t n_most;
        uint32_t period_ms;
    } LIMITS[] = {{"oasis.caiso.com", 1, 5000},
                  {"api.ercot.com", 30, 60000},
                  {"api.pjm.com", 6, 60000},
                  {"public-api.misoenergy.org", 100, 60000}};
    *sim = (struct cli_iso_sim){.speed = 1, .began_ms = monotonic_ms()};
    for (size_t i = 0; i < HR_ARRAY_LEN(LIMITS); i++) {
        struct cli_iso_host *host = cli_iso_host_of(sim, LIMITS[i].name);
        HR_ASSERT(host != NULL);
        host->n_most = LIMITS[i].n_most;
        host->period_ms = LIMITS[i].period_ms;
    }
}

/* 0: the request is within the limit, and is one of those that count. Else: how long to wait. */
static int64_t wait_ms_of(struct cli_iso_host *host, int64_t now_ms)
{
    host->n_requests++;
    if (host->n_most == 0) {
        return 0;
    }
    int64_t *oldest_ms = &host->taken_ms[host->n_taken % host->n_most];
    if (host->n_taken >= host->n_most && now_ms - *oldest_ms < host->period_ms) {
        host->n_over++;
        return host->period_ms - (now_ms - *oldest_ms);
    }
    *oldest_ms = now_ms;
    host->n_taken++;
    return 0;
}

/* ---- faults ---- */

static bool fault_add(struct cli_iso_sim *sim, const char *kind, const char *feed, uint64_t at, uint64_t n)
{
    if (sim->n_pending == CLI_ISO_FAULTS || strlen(feed) > FEEDS_NAME_MAX_CHARS || n == 0) {
        return false;
    }
    for (unsigned i = 0; i < CLI_ISO_FAULT_KINDS; i++) {
        if (strcmp(kind, FAULT_NAMES[i]) == 0) {
            struct cli_iso_fault *fault = &sim->pending[sim->n_pending++];
            *fault = (struct cli_iso_fault){.kind = (enum cli_iso_fault_kind)i, .at = at, .n_left = n};
            memcpy(fault->feed, feed, strlen(feed) + 1);
            return true;
        }
    }
    return false;
}

bool cli_iso_fault_parse(struct cli_iso_sim *sim, const char *text)
{
    char kind[16];
    uint64_t at = 0;
    const char *sign = strchr(text, '@');
    size_t len = sign != NULL ? (size_t)(sign - text) : sizeof kind;
    if (len >= sizeof kind || !cli_number(sign + 1, UINT32_MAX, &at) || at == 0) {
        return false;
    }
    memcpy(kind, text, len);
    kind[len] = '\0';
    return fault_add(sim, kind, "", at, 1);
}

/* Takes the fault that this request is to meet. */
static bool fault_take(struct cli_iso_sim *sim, const char *feed, enum cli_iso_fault_kind *kind)
{
    for (size_t i = 0; i < sim->n_pending; i++) {
        struct cli_iso_fault *fault = &sim->pending[i];
        if ((fault->at != 0 && fault->at != sim->n_requests) ||
            (fault->feed[0] != '\0' && strcmp(fault->feed, feed) != 0)) {
            continue;
        }
        *kind = fault->kind;
        sim->n_faults[fault->kind]++;
        if (--fault->n_left == 0) {
            sim->n_pending--;
            memmove(fault, fault + 1, (sim->n_pending - i) * sizeof *fault);
        }
        return true;
    }
    return false;
}

/* What is done instead of, or to, the answer. True: there is nothing left to do. */
static bool fault_before(enum cli_iso_fault_kind kind, const struct cli_iso_route *route,
                         struct cli_sim_answer *answer)
{
    switch (kind) {
    case CLI_ISO_FAULT_429:
        cli_iso_write_refusal(route, 429, 1, answer);
        return true;
    case CLI_ISO_FAULT_401:
        cli_iso_write_refusal(route, 401, 0, answer);
        return true;
    case CLI_ISO_FAULT_503:
        answer->status = 503;
        answer->type = "text/html";
        return true;
    case CLI_ISO_FAULT_HANG:
        answer->status = 503;
        answer->is_mute = true;
        return true;
    case CLI_ISO_FAULT_TYPE:
        answer->status = 200;
        answer->type = "text/html";
        cli_sim_text_add(&answer->body, "<html><body>Scheduled maintenance</body></html>");
        return true;
    case CLI_ISO_FAULT_EMPTY:
        cli_iso_write_nothing(route, answer);
        return true;
    case CLI_ISO_FAULT_HALF:
    case CLI_ISO_FAULT_KINDS:
        break;
    }
    return false;
}

/* ---- documents ---- */

static int64_t now_s(const struct cli_iso_sim *sim, enum feeds_iso iso)
{
    double gone_s = (double)(monotonic_ms() - sim->began_ms) / 1e3;
    return sim->start_s[iso] + (int64_t)(gone_s * sim->speed);
}

static void write_document(struct cli_iso_sim *sim, const struct cli_iso_route *route, const char *target,
                           struct cli_sim_answer *answer)
{
    size_t index = (size_t)(route - cli_iso_routes());
    struct cli_iso_ask ask = {.route = route, .known_until_s = INT64_MAX};
    if (sim->speed > 0) {
        ask.known_until_s = now_s(sim, route->iso) + (route->is_day_ahead ? DAY_AHEAD_S : 0);
    }
    if (route->is_newest && sim->speed > 0) {
        ask.to_s = ask.known_until_s - ask.known_until_s % NEWEST_STEP_S;
        ask.from_s = ask.to_s - NEWEST_STEP_S;
    } else if (route->is_newest) {
        ask.from_s = sim->start_s[route->iso] + (int64_t)sim->n_steps[index]++ * NEWEST_STEP_S;
        ask.to_s = ask.from_s + NEWEST_STEP_S;
    }
    if (!cli_iso_ask_read(target, &ask)) {
        answer->status = 400;
        answer->type = "text/plain";
        cli_sim_text_add(&answer->body, "%s: not a request of %s\n", route->feed, route->host);
        return;
    }
    route->write(&sim->market, &ask, answer);
}

/* ---- counts ---- */

static void put_count(struct cli_sim_text *out, const char *feed, const struct cli_iso_count *count)
{
    if (count->n_requests > 0) {
        cli_sim_text_add(out,
                         "%s\"%s\":{\"requests\":%" PRIu64 ",\"documents\":%" PRIu64 ",\"rows\":%" PRIu64 "}",
                         out->data[out->len_bytes - 1] == '{' ? "" : ",", feed, count->n_requests,
                         count->n_documents, count->n_rows);
    }
}

static void write_counts(const struct cli_iso_sim *sim, struct cli_sim_answer *answer)
{
    struct cli_sim_text *out = &answer->body;
    answer->status = 200;
    answer->type = "application/json";
    cli_sim_text_add(out, "{\"requests\":%" PRIu64 ",\"unknown\":%" PRIu64 ",\"feeds\":{", sim->n_requests,
                     sim->n_unknown);
    for (size_t i = 0; i < CLI_ISO_ROUTES; i++) {
        put_count(out, cli_iso_routes()[i].feed, &sim->counts[i]);
    }
    for (size_t i = 0; i < sim->n_payloads; i++) {
        put_count(out, sim->payloads[i].feed, &sim->payloads[i].count);
    }
    cli_sim_text_add(out, "},\"hosts\":{");
    for (size_t i = 0; i < sim->n_hosts; i++) {
        cli_sim_text_add(out, "%s\"%s\":{\"requests\":%" PRIu64 ",\"over_limit\":%" PRIu64 "}",
                         i > 0 ? "," : "", sim->hosts[i].name, sim->hosts[i].n_requests,
                         sim->hosts[i].n_over);
    }
    cli_sim_text_add(out, "},\"faults\":{");
    for (size_t i = 0; i < CLI_ISO_FAULT_KINDS; i++) {
        cli_sim_text_add(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", FAULT_NAMES[i], sim->n_faults[i]);
    }
    cli_sim_text_add(out, "}}\n");
}

/* POST /_fault?kind=503&feed=caiso_rt_lmp&count=3 */
static void take_fault(struct cli_iso_sim *sim, const struct cli_sim_request *request,
                       struct cli_sim_answer *answer)
{
    char kind[16] = "";
    char feed[FEEDS_NAME_MAX_CHARS + 1] = "";
    char count[16] = "1";
    uint64_t n = 0;
    (void)cli_sim_parameter(request->target, "kind", kind, sizeof kind);
    (void)cli_sim_parameter(request->target, "feed", feed, sizeof feed);
    (void)cli_sim_parameter(request->target, "count", count, sizeof count);
    bool is_good = strcmp(request->method, "POST") == 0 && cli_number(count, UINT32_MAX, &n) &&
                   fault_add(sim, kind, feed, 0, n);
    answer->status = is_good ? 200 : 400;
    answer->type = "application/json";
    cli_sim_text_add(&answer->body,
                     is_good ? "{}\n" : "{\"error\":\"POST /_fault?kind=KIND&feed=FEED&count=N\"}\n");
}

/* ---- requests ---- */

static void answer_feed(struct cli_iso_sim *sim, const struct cli_iso_route *route,
                        struct cli_iso_payload *payload, const char *target, struct cli_sim_answer *answer)
{
    enum cli_iso_fault_kind fault = CLI_ISO_FAULT_KINDS;
    struct cli_iso_host *host = cli_iso_host_of(sim, route->host);
    int64_t wait_ms = host != NULL ? wait_ms_of(host, monotonic_ms()) : 0;
    struct cli_iso_count *count =
        payload != NULL ? &payload->count : &sim->counts[(size_t)(route - cli_iso_routes())];
    count->n_requests++;
    if (wait_ms > 0) {
        cli_iso_write_refusal(route, 429, (uint32_t)((wait_ms + SECOND_MS - 1) / SECOND_MS), answer);
        return;
    }
    if (fault_take(sim, route->feed, &fault) && fault_before(fault, route, answer)) {
        return;
    }
    if (payload != NULL) {
        cli_iso_payload_write(sim, payload, answer);
    } else {
        write_document(sim, route, target, answer);
    }
    answer->is_cut = fault == CLI_ISO_FAULT_HALF;
    answer->count = count;
}

void cli_iso_handle(void *ctx, const struct cli_sim_request *request, struct cli_sim_answer *answer)
{
    struct cli_iso_sim *sim = ctx;
    if (strcmp(request->target, "/_counts") == 0) {
        write_counts(sim, answer);
        return;
    }
    if (strncmp(request->target, "/_fault", 7) == 0) {
        take_fault(sim, request, answer);
        return;
    }
    sim->n_requests++;
    if (strcmp(request->method, "GET") != 0) {
        answer->status = 405;
        return;
    }
    struct cli_iso_payload *payload = cli_iso_payload_of(sim, request->target);
    const struct cli_iso_route *route = payload != NULL ? &payload->route : cli_iso_route_of(request->target);
    if (route == NULL) {
        sim->n_unknown++;
        answer->status = 404;
        return;
    }
    answer_feed(sim, route, payload, request->target, answer);
}

void cli_iso_sent(void *ctx, const struct cli_sim_answer *answer)
{
    struct cli_iso_sim *sim = ctx;
    struct cli_iso_count *count = answer->count;
    if (count == NULL || answer->status != 200) {
        return;
    }
    count->n_documents++;
    count->n_rows += answer->n_rows;
    if (sim->expect != NULL && answer->note.len_bytes > 0) {
        (void)fwrite(answer->note.data, 1, answer->note.len_bytes, sim->expect);
        (void)fflush(sim->expect);
    }
}
