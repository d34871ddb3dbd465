/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/sources/coap/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { SPARE_PLACES = 64, SWEEP_MS = 250, CHAIN_DEPTH = 2 };

const struct source_coap_counter_info source_coap_counter_table[SOURCE_COAP_N_COUNTERS] = {
#define SOURCE_COAP_COUNTER_ROW(id, name, help) {name, help},
    SOURCE_COAP_COUNTERS(SOURCE_COAP_COUNTER_ROW)
#undef SOURCE_COAP_COUNTER_ROW
};

/* libcoap's log handler has no context; source_coap_open says that there is one source. */
static struct source_coap *log_target;

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t source_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

uint64_t source_utc_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

/* Whoever sends rubbish decides how often these are called: lines have a rate, counters don't. */
void source_emit(struct source_coap *source, enum source_event_kind kind, const char *peer,
                 uint64_t device_id, const char *text)
{
    uint64_t second = source_now_ms() / 1000;
    if (second != source->events_second) {
        source->events_second = second;
        source->events_in_second = 0;
    }
    if (++source->events_in_second > SOURCE_EVENTS_PER_S) {
        source_count(source, SOURCE_COAP_EVENTS_MUTED, 1);
        return;
    }
    const struct source_event event = {.kind = kind, .peer = peer, .device_id = device_id, .text = text};
    source->config.event(source->config.event_ctx, &event);
}

void source_peer_text(const coap_session_t *session, char out[SOURCE_COAP_PEER_CHARS])
{
    const coap_address_t *address = coap_session_get_addr_remote(session);
    unsigned char text[SOURCE_COAP_PEER_CHARS] = {0};
    if (address == NULL || coap_print_addr(address, text, sizeof(text)) == 0) {
        text[0] = '\0';
    }
    (void)snprintf(out, SOURCE_COAP_PEER_CHARS, "%s", (const char *)text);
}

static void on_library_log(coap_log_t level, const char *message)
{
    struct source_coap *source = log_target;
    if (source == NULL) {
        return;
    }
    char line[sizeof(source->last_warning)];
    size_t len = strcspn(message, "\r\n");
    (void)snprintf(line, sizeof(line), "%.*s", (int)len, message);
    /* Why a handshake failed is told with the address, by the event that follows. The second is the other
     * side's own reason. */
    static const char *const reasons[] = {"do_mbedtls_handshake: session establish returned ", ": Alert "};
    for (size_t i = 0; i < HR_ARRAY_LEN(reasons); i++) {
        const char *reason = strstr(line, reasons[i]);
        if (reason != NULL) {
            (void)snprintf(source->last_warning, sizeof(source->last_warning), "%s%s",
                           i == 1 ? "the client's alert " : "", reason + strlen(reasons[i]));
            return;
        }
    }
    if (level <= COAP_LOG_ERR) {
        source_emit(source, SOURCE_EVENT_LIBRARY, "", 0, line);
    }
}

static bool address_of(const struct source_coap_listen *listen, coap_address_t *out)
{
    coap_address_init(out);
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, listen->address, &v4) == 1) {
        out->addr.sin.sin_family = AF_INET;
        out->addr.sin.sin_addr = v4;
        out->addr.sin.sin_port = htons(listen->port);
        out->size = sizeof(out->addr.sin);
        return true;
    }
    if (inet_pton(AF_INET6, listen->address, &v6) == 1) {
        out->addr.sin6.sin6_family = AF_INET6;
        out->addr.sin6.sin6_addr = v6;
        out->addr.sin6.sin6_port = htons(listen->port);
        out->size = sizeof(out->addr.sin6);
        return true;
    }
    return false;
}

static struct hr_status bind_all(struct source_coap *source)
{
    for (size_t i = 0; i < source->config.n_listen; i++) {
        const struct source_coap_listen *listen = &source->config.listen[i];
        coap_address_t address;
        char text[SOURCE_COAP_PEER_CHARS + 32];
        coap_endpoint_t *endpoint =
            address_of(listen, &address)
                ? coap_new_endpoint(source->coap, &address, listen->tcp ? COAP_PROTO_TLS : COAP_PROTO_DTLS)
                : NULL;
        if (endpoint == NULL) {
            (void)snprintf(text, sizeof(text), "can't listen on %s port %u: %s", listen->address,
                           (unsigned)listen->port, errno != 0 ? strerror(errno) : "no such address");
            source_emit(source, SOURCE_EVENT_LIBRARY, "", 0, text);
            return hr_status_of(HR_IO);
        }
        /* libcoap's text is "ADDRESS:PORT PROTOCOL", the port being the one that it got. */
        const char *bound = coap_endpoint_str(endpoint);
        (void)snprintf(text, sizeof(text), "%s%.*s", listen->tcp ? "coaps+tcp://" : "coaps://",
                       (int)strcspn(bound, " "), bound);
        source_emit(source, SOURCE_EVENT_LISTENING, "", 0, text);
    }
    return hr_ok();
}

static bool set_identity(struct source_coap *source)
{
    coap_dtls_pki_t pki = {
        .version = COAP_DTLS_PKI_SETUP_VERSION,
        .verify_peer_cert = 1,
        .allow_expired_certs = 1, /* no date may brick a fleet (PROTOCOL 2.4); counted when a session opens */
        .cert_chain_validation = 1,
        .cert_chain_verify_depth = CHAIN_DEPTH,
        .allow_no_crl = 1, /* the registry revokes (PROTOCOL D14) */
        .use_cid = 1,
        .validate_cn_call_back = source_check_certificate,
        .cn_call_back_arg = source,
    };
    pki.pki_key.key_type = COAP_PKI_KEY_PEM;
    pki.pki_key.key.pem.ca_file = source->config.client_ca;
    pki.pki_key.key.pem.public_cert = source->config.certificate;
    pki.pki_key.key.pem.private_key = source->config.key;
    return coap_context_set_pki(source->coap, &pki) == 1;
}

static void add_resource(struct source_coap *source, const char *path, coap_request_t method,
                         coap_method_handler_t handler)
{
    coap_resource_t *resource = coap_resource_init(coap_make_str_const(path), 0);
    HR_ASSERT(resource != NULL);
    coap_resource_set_userdata(resource, source);
    coap_register_request_handler(resource, method, handler);
    coap_add_resource(source->coap, resource);
}

static struct hr_status set_context(struct source_coap *source)
{
    coap_context_set_app_data(source->coap, source);
    /* These bound sessions that have no place in our table, which alone libcoap counts and ends. */
    coap_context_set_max_idle_sessions(source->coap,
                                       source->config.max_sessions + source->config.max_handshakes);
    coap_context_set_max_handshake_sessions(source->coap, source->config.max_handshakes);
    coap_context_set_session_timeout(source->coap, SOURCE_NOBODY_TIMEOUT_S);
    coap_context_set_max_token_size(source->coap, SOURCE_TOKEN_MAX_BYTES);
    coap_context_set_csm_max_message_size(source->coap, source->config.max_body_bytes + 1024);
    coap_register_event_handler(source->coap, source_on_event);
    add_resource(source, "b", COAP_REQUEST_POST, source_on_batch);
    add_resource(source, "h", COAP_REQUEST_GET, source_on_head);
    add_resource(source, "t", COAP_REQUEST_GET, source_on_trust);
    add_resource(source, "sren", COAP_REQUEST_POST, source_on_renewal);
    coap_resource_t *unknown =
        coap_resource_unknown_init2(source_on_unknown, COAP_RESOURCE_HANDLE_WELLKNOWN_CORE);
    HR_ASSERT(unknown != NULL);
    coap_register_request_handler(unknown, COAP_REQUEST_GET, source_on_unknown);
    coap_register_request_handler(unknown, COAP_REQUEST_POST, source_on_unknown);
    coap_register_request_handler(unknown, COAP_REQUEST_DELETE, source_on_unknown);
    coap_add_resource(source->coap, unknown);
    if (!set_identity(source)) {
        source_emit(source, SOURCE_EVENT_LIBRARY, "", 0, "certificate, key or client_ca can't be used");
        return hr_status_of(HR_IO);
    }
    return bind_all(source);
}

static void free_all(struct source_coap *source)
{
    log_target = NULL;
    if (source->wake >= 0) {
        (void)close(source->wake);
    }
    (void)pthread_mutex_destroy(&source->answers_lock);
    free(source->sessions);
    free(source->newcomers);
    free(source->waiting);
    free(source->bodies);
    free(source->body_memory);
    free(source->body_units);
    free(source->answers);
    free(source);
}

static bool allocate(struct source_coap *source)
{
    const struct source_coap_config *config = &source->config;
    source->n_session_places = config->max_sessions + SPARE_PLACES;
    source->sessions = calloc(source->n_session_places, sizeof(source->sessions[0]));
    source->newcomers = calloc(config->max_handshakes, sizeof(source->newcomers[0]));
    source->waiting = calloc(config->max_waiting, sizeof(source->waiting[0]));
    source->bodies = calloc(config->max_bodies, sizeof(source->bodies[0]));
    source->body_memory = calloc(config->max_bodies, config->max_body_bytes);
    source->units_len_bytes = config->max_body_bytes / SOURCE_BODY_UNIT_BYTES / 8 + 1;
    source->body_units = calloc(config->max_bodies, source->units_len_bytes);
    source->answers = calloc(config->max_waiting, sizeof(source->answers[0]));
    source->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return source->sessions != NULL && source->newcomers != NULL && source->waiting != NULL &&
           source->bodies != NULL && source->body_memory != NULL && source->body_units != NULL &&
           source->answers != NULL && source->wake >= 0;
}

static void link_places(struct source_coap *source)
{
    for (uint32_t i = 0; i < source->config.max_waiting; i++) {
        source->waiting[i].next = i + 1 < source->config.max_waiting ? i + 1 : SOURCE_NONE;
    }
    for (uint32_t i = 0; i < source->config.max_bodies; i++) {
        source->bodies[i].session = SOURCE_NONE;
    }
    source->first_free = 0;
    source->first_unconfirmed = SOURCE_NONE;
    source->last_unconfirmed = SOURCE_NONE;
}

struct hr_status source_coap_open(const struct source_coap_config *config, struct source_coap **out)
{
    HR_ASSERT(config->n_listen >= 1 && config->n_listen <= SOURCE_COAP_MAX_LISTEN);
    HR_ASSERT(config->max_sessions > 0 && config->max_handshakes > 0 && config->max_waiting > 0);
    HR_ASSERT(config->max_bodies > 0 && config->max_body_bytes > 0 && log_target == NULL);
    struct source_coap *source = calloc(1, sizeof(*source));
    if (source == NULL) {
        return hr_status_of(HR_IO);
    }
    source->config = *config;
    (void)pthread_mutex_init(&source->answers_lock, NULL);
    if (!allocate(source)) {
        free_all(source);
        return hr_status_of(HR_IO);
    }
    link_places(source);
    coap_startup();
    coap_set_log_level(COAP_LOG_WARN);
    coap_dtls_set_log_level(COAP_LOG_WARN);
    coap_set_log_handler(on_library_log);
    log_target = source;
    source->coap = coap_new_context(NULL);
    struct hr_status status = source->coap != NULL ? set_context(source) : hr_status_of(HR_IO);
    if (!hr_is_ok(status)) {
        coap_free_context(source->coap);
        free_all(source);
        return status;
    }
    *out = source;
    return hr_ok();
}

/* A handshake that failed without an event still is one. TLS fails twice, at accept and at the first read,
 * and has its event then: so this waits for the sweep. */
static void tell_left_over_warning(struct source_coap *source)
{
    if (source->last_warning[0] != '\0') {
        source_count(source, SOURCE_COAP_HANDSHAKES_FAILED, 1);
        source_emit(source, SOURCE_EVENT_HANDSHAKE_FAILED, "", 0, source->last_warning);
        source->last_warning[0] = '\0';
    }
}

void source_coap_step(struct source_coap *source, uint32_t timeout_ms)
{
    uint64_t now_ms = source_now_ms();
    source_answers_send(source, now_ms);
    uint32_t wait_ms = timeout_ms < SWEEP_MS ? timeout_ms : SWEEP_MS;
    wait_ms = source_confirm_wait_ms(source, now_ms, wait_ms);
    struct pollfd ready[] = {{.fd = coap_context_get_coap_fd(source->coap), .events = POLLIN},
                             {.fd = source->wake, .events = POLLIN}};
    (void)poll(ready, HR_ARRAY_LEN(ready), (int)wait_ms);
    if ((ready[1].revents & POLLIN) != 0) {
        eventfd_t n;
        (void)eventfd_read(source->wake, &n);
    }
    now_ms = source_now_ms();
    source_answers_send(source, now_ms);
    (void)coap_io_process(source->coap, COAP_IO_NO_WAIT);
    if (source->n_doomed > 0 || now_ms >= source->next_sweep_ms || atomic_load(&source->recheck)) {
        tell_left_over_warning(source);
        source_sessions_sweep(source, now_ms);
        source->next_sweep_ms = now_ms + SWEEP_MS;
    }
}

void source_coap_refuse_new(struct source_coap *source)
{
    source->refusing = true;
}

void source_coap_recheck(struct source_coap *source)
{
    atomic_store(&source->recheck, true);
    source_coap_wake(source);
}

uint64_t source_coap_counter(const struct source_coap *source, enum source_coap_counter counter)
{
    return atomic_load_explicit(&source->counters[counter], memory_order_relaxed);
}

uint32_t source_coap_sessions(const struct source_coap *source)
{
    return atomic_load_explicit(&source->n_sessions, memory_order_relaxed);
}

uint32_t source_coap_waiting(const struct source_coap *source)
{
    return atomic_load_explicit(&source->n_waiting, memory_order_relaxed);
}

void source_coap_close(struct source_coap *source)
{
    source_sessions_end(source);
    coap_free_context(source->coap);
    coap_cleanup();
    free_all(source);
}
