/* SPDX-License-Identifier: Apache-2.0
 *
 * The CoAP client against a real server over real DTLS and TLS on loopback. */
#include "firmware/net/client.h"
#include "firmware/ports/linux/resolve.h"
#include "tests/support/net_peer.h"
#include "tests/support/openssl_tool.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum {
    LARGEST_BYTES = WIRE_GATEWAY_ENVELOPE_MAX_BYTES,
    PATIENCE_MS = 120000,
    SILENCE_MS = 60000,
    EXCHANGE_MS = 600000,
    MAX_ANSWERS = 16
};

struct answer {
    uint32_t token;
    uint8_t code;
    uint8_t payload[64];
    size_t len_bytes;
    uint32_t max_age_s;
};

struct bench {
    struct pki_folder folder;
    char ca[160];
    char certificate[160];
    char key[160];
    struct net_peer peer;
    struct net_client client;
    struct net_parts parts;
    struct net_address address;
    struct net_config config;
    uint64_t skipped_ms; /* of the client's clock */
    struct port_clock clock;
    struct port_log log;

    uint32_t ups;
    uint32_t downs;
    enum port_net_down reason;
    uint32_t n_answers;
    struct answer answers[MAX_ANSWERS];
    uint32_t n_timeouts;
    uint32_t n_complaints; /* log lines of a session that could not be had */
    char last_reason[160];
};

static uint64_t real_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t bench_ms(void *ctx)
{
    return real_ms() + ((struct bench *)ctx)->skipped_ms;
}

static void on_up(void *ctx)
{
    ((struct bench *)ctx)->ups++;
}

static void on_down(void *ctx, enum port_net_down reason)
{
    struct bench *bench = ctx;
    bench->downs++;
    bench->reason = reason;
}

static void on_answer(void *ctx, uint32_t token, uint8_t code, struct hr_bytes payload, uint32_t max_age_s)
{
    struct bench *bench = ctx;
    assert_true(bench->n_answers < MAX_ANSWERS);
    struct answer *answer = &bench->answers[bench->n_answers++];
    *answer =
        (struct answer){.token = token, .code = code, .len_bytes = payload.len_bytes, .max_age_s = max_age_s};
    if (payload.len_bytes != 0) {
        memcpy(answer->payload, payload.data, payload.len_bytes);
    }
}

static void on_timeout(void *ctx, uint32_t token)
{
    (void)token;
    ((struct bench *)ctx)->n_timeouts++;
}

static void on_log(void *ctx, enum port_log_level level, const char *event,
                   const struct port_log_field *fields, uint32_t n_fields)
{
    struct bench *bench = ctx;
    (void)event;
    if (level < PORT_LOG_WARN) {
        return;
    }
    bench->n_complaints++;
    for (uint32_t i = 0; i < n_fields; i++) {
        if (strcmp(fields[i].key, "reason") == 0) {
            (void)snprintf(bench->last_reason, sizeof bench->last_reason, "%s", fields[i].text);
        }
    }
}

/* One turn of both ends; waits until there is something to do, for at most 20 ms. */
static void turn(struct bench *bench)
{
    struct pollfd fds[2] = {{.fd = net_client_fd(&bench->client), .events = POLLIN},
                            {.fd = -1, .events = POLLIN}};
    if (bench->peer.context != NULL) {
        fds[1].fd = coap_context_get_coap_fd(bench->peer.context);
    }
    assert_true(poll(fds, 2, 20) >= 0);
    net_peer_turn(&bench->peer);
    (void)net_client_step(&bench->client);
}

static void until_at_least(struct bench *bench, const uint32_t *count, uint32_t wanted)
{
    uint64_t deadline_ms = real_ms() + PATIENCE_MS;
    while (*count < wanted) {
        assert_true(real_ms() < deadline_ms);
        turn(bench);
    }
}

static void start_client(struct bench *bench, enum net_scheme scheme)
{
    bench->address.scheme = scheme;
    bench->address.port = scheme == NET_COAPS ? bench->peer.dtls_port : bench->peer.tls_port;
    const struct port_net_events events = {on_up, on_down, on_answer, on_timeout, bench};
    net_client_init(&bench->client, &bench->config, &events);
}

static void open_session(struct bench *bench)
{
    assert_true(hr_is_ok(bench->client.port.open(bench->client.port.ctx, 0)));
}

static void connect_by(struct bench *bench, enum net_scheme scheme)
{
    start_client(bench, scheme);
    open_session(bench);
    until_at_least(bench, &bench->ups, 1);
    assert_int_equal(bench->downs, 0);
}

static void fill(uint8_t *out, size_t len_bytes, uint8_t seed)
{
    for (size_t i = 0; i < len_bytes; i++) {
        out[i] = (uint8_t)(seed + i * 31 + i / 251);
    }
}

static struct hr_status post(struct bench *bench, uint32_t token, size_t len_bytes)
{
    static uint8_t envelope[LARGEST_BYTES];
    fill(envelope, len_bytes, (uint8_t)token);
    struct hr_status status =
        bench->client.port.post_batch(bench->client.port.ctx, token, hr_bytes_of(envelope, len_bytes));
    memset(envelope, 0xEE, sizeof envelope); /* it was lent for the call only */
    return status;
}

static int set_up_files(void **state)
{
    static struct bench bench;
    pki_folder_make(&bench.folder);
    pki_make_ca(&bench.folder, "ca");
    pki_make_ca(&bench.folder, "stranger");
    pki_make_ca(&bench.folder, "other");
    pki_make_leaf(&bench.folder, "ca", "server", "aggregator.test", 30);
    pki_make_leaf(&bench.folder, "ca", "expired", "aggregator.test", -1);
    pki_make_leaf(&bench.folder, "ca", "client", "headrace-device-0000000000000001", 30);
    pki_make_leaf(&bench.folder, "stranger", "foreign", "headrace-device-0000000000000001", 30);
    *state = &bench;
    return 0;
}

static int remove_files(void **state)
{
    pki_folder_remove(&((struct bench *)*state)->folder);
    return 0;
}

static void serve_with(struct bench *bench, const char *ca, const char *name)
{
    char certificate[80];
    char key[80];
    (void)snprintf(certificate, sizeof certificate, "%s.pem", name);
    (void)snprintf(key, sizeof key, "%s.key", name);
    net_peer_open(&bench->peer, pki_path(&bench->folder, ca), pki_path(&bench->folder, certificate),
                  pki_path(&bench->folder, key));
    fill(bench->peer.answer, sizeof bench->peer.answer, 77);
}

static void identify_as(struct bench *bench, const char *ca, const char *name)
{
    (void)snprintf(bench->ca, sizeof bench->ca, "%s/%s", bench->folder.path, ca);
    (void)snprintf(bench->certificate, sizeof bench->certificate, "%s/%s.pem", bench->folder.path, name);
    (void)snprintf(bench->key, sizeof bench->key, "%s/%s.key", bench->folder.path, name);
}

static int set_up(void **state)
{
    struct bench *bench = *state;
    struct pki_folder folder = bench->folder;
    memset(bench, 0, sizeof *bench);
    bench->folder = folder;
    bench->clock = (struct port_clock){bench_ms, bench};
    bench->log = (struct port_log){on_log, bench};
    identify_as(bench, "ca.pem", "client");
    bench->address = (struct net_address){.host = "127.0.0.1"};
    bench->config = (struct net_config){
        .addresses = &bench->address,
        .n_addresses = 1,
        .window = 4,
        .server_name = "aggregator.test",
        .credentials = {.kind = NET_CREDENTIALS_FILES,
                        .of.files = {bench->ca, bench->certificate, bench->key}},
        .open_timeout_ms = 10000,
        .exchange_timeout_ms = EXCHANGE_MS,
        .silence_ms = SILENCE_MS,
        .ack_timeout_ms = 2000,
        .max_retransmit = 4,
        .parts = &bench->parts,
        .clock = &bench->clock,
        .log = &bench->log,
        .resolve = port_linux_resolve(),
    };
    coap_startup();
    serve_with(bench, "ca.pem", "server");
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    net_peer_close(&bench->peer);
    net_client_end(&bench->client);
    return 0;
}

/* ---- requests and answers ---- */

static void asks_for_the_head(struct bench *bench, enum net_scheme scheme)
{
    connect_by(bench, scheme);
    bench->peer.code = COAP_RESPONSE_CODE_CONTENT;
    bench->peer.max_age_s = 17;
    assert_true(hr_is_ok(bench->client.port.get_head(bench->client.port.ctx, 0xA1B2C3D4, 4000000007u)));
    until_at_least(bench, &bench->n_answers, 1);
    assert_string_equal(bench->peer.query, "s=4000000007");
    assert_int_equal(bench->answers[0].token, 0xA1B2C3D4);
    assert_int_equal(bench->answers[0].code, 2 * 32 + 5);
    assert_int_equal(bench->answers[0].max_age_s, 17);
    assert_int_equal(bench->answers[0].len_bytes, 29);
    assert_memory_equal(bench->answers[0].payload, bench->peer.answer, 29);
}

static void head_is_asked_and_answered_over_dtls(void **state)
{
    asks_for_the_head(*state, NET_COAPS);
}

static void head_is_asked_and_answered_over_tcp(void **state)
{
    asks_for_the_head(*state, NET_COAPS_TCP);
}

/* The credentials from memory, as a microcontroller has them. */
static void take_der(struct bench *bench)
{
    static uint8_t der[3][1024];
    const char *const paths[] = {bench->ca, bench->certificate, bench->key};
    struct hr_bytes *taken[] = {&bench->config.credentials.of.memory.ca,
                                &bench->config.credentials.of.memory.certificate,
                                &bench->config.credentials.of.memory.key};
    bench->config.credentials.kind = NET_CREDENTIALS_MEMORY;
    for (size_t i = 0; i < 3; i++) {
        *taken[i] = hr_bytes_of(der[i], pki_der(paths[i], i == 2, der[i], sizeof der[i]));
    }
}

static void credentials_may_stand_in_memory_as_der(void **state)
{
    take_der(*state);
    asks_for_the_head(*state, NET_COAPS);
}

static void credentials_may_stand_in_memory_as_der_over_tcp(void **state)
{
    take_der(*state);
    asks_for_the_head(*state, NET_COAPS_TCP);
}

static bool was_received(const struct net_peer *peer, uint8_t seed, size_t len_bytes)
{
    static uint8_t wanted[LARGEST_BYTES];
    fill(wanted, len_bytes, seed);
    for (uint32_t i = 0; i < peer->n_posts && i < PEER_MAX_BODIES; i++) {
        if (peer->body_len_bytes[i] == len_bytes && memcmp(peer->bodies[i], wanted, len_bytes) == 0) {
            return true;
        }
    }
    return false;
}

static void four_envelopes_at_once_arrive_whole(struct bench *bench, enum net_scheme scheme)
{
    static const size_t sizes[] = {LARGEST_BYTES, 172, LARGEST_BYTES - 1, 1024};
    connect_by(bench, scheme);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(hr_is_ok(post(bench, 100 + i, sizes[i])));
    }
    assert_true(hr_is(post(bench, 104, 172), HR_AGAIN));
    until_at_least(bench, &bench->n_answers, 4);
    assert_int_equal(bench->peer.n_posts, 4);
    assert_int_equal(bench->peer.content_format, 65001);
    uint32_t tokens_seen = 0;
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(was_received(&bench->peer, (uint8_t)(100 + i), sizes[i]));
        assert_int_equal(bench->answers[i].code, 2 * 32 + 4);
        assert_int_equal(bench->answers[i].len_bytes, 29);
        tokens_seen |= 1u << (bench->answers[i].token - 100);
    }
    assert_int_equal(tokens_seen, 0xF);
    assert_int_equal(bench->n_timeouts, 0);
}

static void envelopes_of_15_kb_go_in_parts_over_dtls_four_at_once(void **state)
{
    four_envelopes_at_once_arrive_whole(*state, NET_COAPS);
}

static void envelopes_of_15_kb_go_in_one_message_over_tcp_four_at_once(void **state)
{
    four_envelopes_at_once_arrive_whole(*state, NET_COAPS_TCP);
}

static void without_room_for_parts_an_envelope_goes_in_one_confirmable_message(void **state)
{
    struct bench *bench = *state;
    bench->config.parts = NULL;
    connect_by(bench, NET_COAPS);
    assert_true(hr_is_ok(post(bench, 7, WIRE_MCU_ENVELOPE_MAX_BYTES)));
    until_at_least(bench, &bench->n_answers, 1);
    assert_true(was_received(&bench->peer, 7, WIRE_MCU_ENVELOPE_MAX_BYTES));
    assert_true(bench->peer.confirmable);
    assert_int_equal(bench->answers[0].token, 7);
}

static void a_hundred_windows_of_posts_leave_no_body_taken(void **state)
{
    struct bench *bench = *state;
    connect_by(bench, NET_COAPS);
    for (uint32_t round = 0; round < 100; round++) {
        bench->n_answers = 0;
        for (uint32_t i = 0; i < 4; i++) {
            assert_true(hr_is_ok(post(bench, round * 4 + i, round % 2 == 0 ? 5000 : 300)));
        }
        until_at_least(bench, &bench->n_answers, 4);
    }
    assert_int_equal(bench->peer.n_posts, 400);
}

static void a_separate_response_reaches_its_request(void **state)
{
    struct bench *bench = *state;
    connect_by(bench, NET_COAPS);
    bench->peer.manner = PEER_ANSWERS_LATE;
    assert_true(hr_is_ok(post(bench, 1, 900)));
    assert_true(hr_is_ok(post(bench, 2, 9000)));
    until_at_least(bench, &bench->n_answers, 2);
    assert_int_equal(bench->answers[0].token + bench->answers[1].token, 3);
    assert_int_equal(bench->n_timeouts, 0);
}

static void a_request_that_is_never_answered_times_out_and_the_session_stays(void **state)
{
    struct bench *bench = *state;
    connect_by(bench, NET_COAPS_TCP);
    bench->peer.manner = PEER_IS_SILENT;
    assert_true(hr_is_ok(post(bench, 1, 900)));
    until_at_least(bench, &bench->peer.n_posts, 1);
    bench->skipped_ms = EXCHANGE_MS + 1;
    until_at_least(bench, &bench->n_timeouts, 1);
    assert_int_equal(bench->downs, 0);
    bench->peer.manner = PEER_ANSWERS;
    assert_true(hr_is_ok(post(bench, 2, 900)));
    until_at_least(bench, &bench->n_answers, 1);
    assert_int_equal(bench->answers[0].token, 2);
}

/* Whatever TCP connections this process has: the client's and the peer's. */
static void messages_over_tcp_are_sent_without_delay(void **state)
{
    connect_by(*state, NET_COAPS_TCP);
    uint32_t n_connections = 0;
    for (int fd = 0; fd < 256; fd++) {
        int protocol = 0;
        int no_delay = 0;
        struct sockaddr_storage peer;
        socklen_t len_bytes = sizeof protocol;
        socklen_t peer_len_bytes = sizeof peer;
        if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len_bytes) == 0 && protocol == IPPROTO_TCP &&
            getpeername(fd, (struct sockaddr *)&peer, &peer_len_bytes) == 0) {
            assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &len_bytes), 0);
            assert_int_not_equal(no_delay, 0);
            n_connections++;
        }
    }
    assert_int_equal(n_connections, 2);
}

/* ---- sessions that can't be had ---- */

static void refuses(struct bench *bench, enum net_scheme scheme, const char *reason)
{
    start_client(bench, scheme);
    open_session(bench);
    until_at_least(bench, &bench->downs, 1);
    assert_int_equal(bench->ups, 0);
    assert_int_equal(bench->reason, PORT_NET_DOWN_REFUSED);
    assert_non_null(strstr(bench->last_reason, reason));
    assert_int_equal(bench->n_complaints, 1);
    open_session(bench);
    until_at_least(bench, &bench->downs, 2);
    assert_int_equal(bench->n_complaints, 1);
}

static void an_aggregator_of_another_authority_is_refused_and_logged_once(void **state)
{
    struct bench *bench = *state;
    identify_as(bench, "stranger.pem", "client");
    refuses(bench, NET_COAPS, "not correctly signed by the trusted CA");
}

static void an_aggregator_of_another_authority_is_refused_over_tcp(void **state)
{
    struct bench *bench = *state;
    identify_as(bench, "stranger.pem", "client");
    refuses(bench, NET_COAPS_TCP, "not correctly signed by the trusted CA");
}

static void an_aggregator_of_another_authority_is_refused_by_credentials_in_memory(void **state)
{
    struct bench *bench = *state;
    identify_as(bench, "stranger.pem", "client");
    take_der(bench);
    refuses(bench, NET_COAPS, "not correctly signed by the trusted CA");
}

/* Both authorities, in that order. */
static void take_two_authorities(struct bench *bench, const char *first, const char *second)
{
    static uint8_t der[2048];
    const char *const names[] = {first, second};
    size_t len_bytes = 0;
    take_der(bench);
    for (size_t i = 0; i < 2; i++) {
        char path[160]; /* those of pki_path are the server's */
        (void)snprintf(path, sizeof path, "%s/%s", bench->folder.path, names[i]);
        len_bytes += pki_der(path, false, der + len_bytes, sizeof der - len_bytes);
    }
    bench->config.credentials.of.memory.ca = hr_bytes_of(der, len_bytes);
}

static void an_aggregator_of_the_first_of_two_authorities_is_believed(void **state)
{
    take_two_authorities(*state, "ca.pem", "stranger.pem");
    asks_for_the_head(*state, NET_COAPS);
}

static void an_aggregator_of_the_second_of_two_authorities_is_believed(void **state)
{
    take_two_authorities(*state, "stranger.pem", "ca.pem");
    asks_for_the_head(*state, NET_COAPS);
}

static void an_aggregator_of_neither_of_two_authorities_is_refused(void **state)
{
    take_two_authorities(*state, "stranger.pem", "other.pem");
    refuses(*state, NET_COAPS, "not correctly signed by the trusted CA");
}

/* No date ends a fleet's way to its aggregator: the clock here may be wrong by years. */
static void an_aggregator_whose_certificate_has_expired_is_believed(void **state)
{
    struct bench *bench = *state;
    net_peer_close(&bench->peer);
    serve_with(bench, "ca.pem", "expired");
    connect_by(bench, NET_COAPS);
}

static void an_aggregator_of_another_name_is_refused(void **state)
{
    struct bench *bench = *state;
    bench->config.server_name = "other.test";
    refuses(bench, NET_COAPS, "does not match with the expected CN");
}

static void a_client_whose_certificate_the_aggregator_rejects_is_refused(void **state)
{
    struct bench *bench = *state;
    identify_as(bench, "ca.pem", "foreign");
    start_client(bench, NET_COAPS_TCP);
    open_session(bench);
    until_at_least(bench, &bench->downs, 1);
    assert_int_equal(bench->ups, 0);
    assert_int_equal(bench->reason, PORT_NET_DOWN_REFUSED);
}

static void is_unreachable(struct bench *bench, enum net_scheme scheme)
{
    start_client(bench, scheme);
    net_peer_close(&bench->peer);
    open_session(bench);
    until_at_least(bench, &bench->downs, 1);
    assert_int_equal(bench->ups, 0);
    assert_int_equal(bench->reason, PORT_NET_DOWN_UNREACHABLE);
    assert_int_equal(bench->n_complaints, 1);
}

static void a_port_where_nobody_listens_is_unreachable_over_dtls(void **state)
{
    is_unreachable(*state, NET_COAPS);
}

static void a_port_where_nobody_listens_is_unreachable_over_tcp(void **state)
{
    is_unreachable(*state, NET_COAPS_TCP);
}

static void a_host_that_never_answers_is_unreachable_after_the_deadline(void **state)
{
    struct bench *bench = *state;
    start_client(bench, NET_COAPS);
    struct net_peer silent = bench->peer;
    bench->peer.context = NULL; /* bound, and nobody reads */
    open_session(bench);
    for (uint32_t i = 0; i < 5; i++) {
        turn(bench);
    }
    assert_int_equal(bench->downs, 0);
    bench->skipped_ms = 10001;
    until_at_least(bench, &bench->downs, 1);
    assert_int_equal(bench->reason, PORT_NET_DOWN_UNREACHABLE);
    bench->peer = silent;
}

static void a_name_that_does_not_resolve_is_unreachable(void **state)
{
    struct bench *bench = *state;
    bench->address = (struct net_address){.host = "no-such-host.invalid"};
    is_unreachable(bench, NET_COAPS);
}

/* ---- sessions that end ---- */

static void a_session_whose_aggregator_dies_is_lost_with_what_was_in_flight(void **state)
{
    struct bench *bench = *state;
    connect_by(bench, NET_COAPS_TCP);
    bench->peer.manner = PEER_IS_SILENT;
    assert_true(hr_is_ok(post(bench, 1, 900)));
    until_at_least(bench, &bench->peer.n_posts, 1);
    net_peer_close(&bench->peer);
    until_at_least(bench, &bench->downs, 1);
    assert_int_equal(bench->reason, PORT_NET_DOWN_LOST);
    assert_true(hr_is(post(bench, 2, 900), HR_IO));
}

static void a_dtls_session_is_lost_when_the_host_says_that_nobody_listens(void **state)
{
    struct bench *bench = *state;
    connect_by(bench, NET_COAPS);
    bench->peer.manner = PEER_IS_SILENT;
    coap_context_t *dying = bench->peer.context;
    bench->peer.context = NULL;
    coap_free_context(dying); /* tells the client goodbye, as far as it can */
    (void)post(bench, 1, 900);
    until_at_least(bench, &bench->downs, 1);
    assert_int_equal(bench->reason, PORT_NET_DOWN_LOST);
}

static void a_slow_answer_keeps_its_session_when_the_aggregator_answers_the_ping(struct bench *bench,
                                                                                 enum net_scheme scheme)
{
    connect_by(bench, scheme);
    bench->peer.manner = PEER_IS_SILENT;
    assert_true(hr_is_ok(post(bench, 1, 900)));
    until_at_least(bench, &bench->peer.n_posts, 1);
    for (uint32_t round = 0; round < 4; round++) {
        bench->skipped_ms += SILENCE_MS + 1;
        uint64_t heard_ms = bench->client.heard_ms;
        uint64_t deadline_ms = real_ms() + PATIENCE_MS;
        while (bench->client.heard_ms == heard_ms) {
            assert_true(real_ms() < deadline_ms);
            turn(bench);
        }
    }
    assert_int_equal(bench->downs + bench->n_timeouts, 0);
}

static void a_slow_answer_over_dtls_keeps_its_session(void **state)
{
    a_slow_answer_keeps_its_session_when_the_aggregator_answers_the_ping(*state, NET_COAPS);
}

static void a_slow_answer_over_tcp_keeps_its_session(void **state)
{
    a_slow_answer_keeps_its_session_when_the_aggregator_answers_the_ping(*state, NET_COAPS_TCP);
}

/* The aggregator was restarted on its port: it drops records of a session that it doesn't know. */
static void a_session_that_the_aggregator_forgot_is_lost_after_an_unanswered_ping(void **state)
{
    struct bench *bench = *state;
    connect_by(bench, NET_COAPS);
    struct net_peer forgetful = bench->peer;
    bench->peer.context = NULL; /* bound, and nobody reads */
    assert_true(hr_is_ok(post(bench, 1, 900)));
    turn(bench);
    bench->skipped_ms += SILENCE_MS + 1;
    turn(bench);
    assert_int_equal(bench->downs, 0);
    bench->skipped_ms += SILENCE_MS;
    turn(bench);
    assert_int_equal(bench->downs, 0);
    bench->skipped_ms += SILENCE_MS + 1;
    until_at_least(bench, &bench->downs, 1);
    assert_int_equal(bench->reason, PORT_NET_DOWN_LOST);
    assert_non_null(strstr(bench->last_reason, "hears this session no more"));
    bench->peer = forgetful;
}

static void closing_with_requests_in_flight_says_nothing_more_and_opens_again(void **state)
{
    struct bench *bench = *state;
    start_client(bench, NET_COAPS);
    bench->peer.manner = PEER_IS_SILENT;
    for (uint32_t round = 1; round <= 20; round++) {
        open_session(bench);
        until_at_least(bench, &bench->ups, round);
        for (uint32_t i = 0; i < 4; i++) {
            assert_true(hr_is_ok(post(bench, i, LARGEST_BYTES)));
        }
        turn(bench);
        bench->client.port.close(bench->client.port.ctx);
        turn(bench);
    }
    assert_int_equal(bench->downs + bench->n_timeouts + bench->n_answers, 0);
    assert_int_equal(net_client_fd(&bench->client), -1);
}

#define NET_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(head_is_asked_and_answered_over_dtls),
        NET_TEST(head_is_asked_and_answered_over_tcp),
        NET_TEST(credentials_may_stand_in_memory_as_der),
        NET_TEST(credentials_may_stand_in_memory_as_der_over_tcp),
        NET_TEST(envelopes_of_15_kb_go_in_parts_over_dtls_four_at_once),
        NET_TEST(envelopes_of_15_kb_go_in_one_message_over_tcp_four_at_once),
        NET_TEST(without_room_for_parts_an_envelope_goes_in_one_confirmable_message),
        NET_TEST(a_hundred_windows_of_posts_leave_no_body_taken),
        NET_TEST(a_separate_response_reaches_its_request),
        NET_TEST(a_request_that_is_never_answered_times_out_and_the_session_stays),
        NET_TEST(messages_over_tcp_are_sent_without_delay),
        NET_TEST(an_aggregator_of_another_authority_is_refused_and_logged_once),
        NET_TEST(an_aggregator_of_another_authority_is_refused_over_tcp),
        NET_TEST(an_aggregator_of_another_authority_is_refused_by_credentials_in_memory),
        NET_TEST(an_aggregator_of_the_first_of_two_authorities_is_believed),
        NET_TEST(an_aggregator_of_the_second_of_two_authorities_is_believed),
        NET_TEST(an_aggregator_of_neither_of_two_authorities_is_refused),
        NET_TEST(an_aggregator_whose_certificate_has_expired_is_believed),
        NET_TEST(an_aggregator_of_another_name_is_refused),
        NET_TEST(a_client_whose_certificate_the_aggregator_rejects_is_refused),
        NET_TEST(a_port_where_nobody_listens_is_unreachable_over_dtls),
        NET_TEST(a_port_where_nobody_listens_is_unreachable_over_tcp),
        NET_TEST(a_host_that_never_answers_is_unreachable_after_the_deadline),
        NET_TEST(a_name_that_does_not_resolve_is_unreachable),
        NET_TEST(a_session_whose_aggregator_dies_is_lost_with_what_was_in_flight),
        NET_TEST(a_dtls_session_is_lost_when_the_host_says_that_nobody_listens),
        NET_TEST(a_slow_answer_over_dtls_keeps_its_session),
        NET_TEST(a_slow_answer_over_tcp_keeps_its_session),
        NET_TEST(a_session_that_the_aggregator_forgot_is_lost_after_an_unanswered_ping),
        NET_TEST(closing_with_requests_in_flight_says_nothing_more_and_opens_again),
    };
    return cmocka_run_group_tests(tests, set_up_files, remove_files);
}
