/* SPDX-License-Identifier: Apache-2.0
 *
 * Our patches of libcoap for when memory runs out, and for handshakes that fail: every allocation that a
 * client makes for a session fails once. The linker puts the functions below in front of malloc and its
 * family. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/coap_lab.h"

void *__real_malloc(size_t len_bytes);
void *__real_calloc(size_t count, size_t each_bytes);
void *__real_realloc(void *memory, size_t len_bytes);
void __real_free(void *memory);
void *__wrap_malloc(size_t len_bytes);
void *__wrap_calloc(size_t count, size_t each_bytes);
void *__wrap_realloc(void *memory, size_t len_bytes);
void __wrap_free(void *memory);

/* ---- allocations ---- */

enum { TURNS = 20 }; /* a handshake takes six */

static struct {
    bool watched; /* the client is at work */
    unsigned count;
    unsigned failing; /* this one of them; 0: none */
    long live;        /* blocks taken less blocks freed, by whomever */
} allocations;

static bool refused(void)
{
    return allocations.watched && ++allocations.count == allocations.failing;
}

static void *counted(void *memory)
{
    allocations.live += memory != NULL;
    return memory;
}

void *__wrap_malloc(size_t len_bytes)
{
    return refused() ? NULL : counted(__real_malloc(len_bytes));
}

void *__wrap_calloc(size_t count, size_t each_bytes)
{
    return refused() ? NULL : counted(__real_calloc(count, each_bytes));
}

void *__wrap_realloc(void *memory, size_t len_bytes)
{
    if (refused()) {
        return NULL;
    }
    void *moved = __real_realloc(memory, len_bytes);
    allocations.live += memory == NULL && moved != NULL;
    return moved;
}

void __wrap_free(void *memory)
{
    allocations.live -= memory != NULL;
    __real_free(memory);
}

/* ---- a client that is short of memory ---- */

/* Without its terminating zero: libcoap has to make a copy that has it. */
static size_t text_bytes(const char *text)
{
    return strlen(text);
}

static coap_session_t *connect_trusting(struct coap_lab *lab, const struct lab_identity *authority,
                                        const char *expected_name)
{
    const struct lab_identity *own = &lab->client_identity;
    coap_dtls_pki_t pki = {
        .version = COAP_DTLS_PKI_SETUP_VERSION,
        .verify_peer_cert = 1,
        .check_common_ca = 1,
        .cert_chain_validation = 1,
        .cert_chain_verify_depth = 2,
        .use_cid = 1,
        .client_sni = (char *)(uintptr_t)expected_name,
        .pki_key = {.key_type = COAP_PKI_KEY_PEM_BUF,
                    .key.pem_buf = {.ca_cert = (const uint8_t *)authority->certificate_pem,
                                    .ca_cert_len = text_bytes(authority->certificate_pem),
                                    .public_cert = (const uint8_t *)own->certificate_pem,
                                    .public_cert_len = text_bytes(own->certificate_pem),
                                    .private_key = (const uint8_t *)own->key_pem,
                                    .private_key_len = text_bytes(own->key_pem)}},
    };
    coap_address_t address;
    coap_address_init(&address);
    address.size = sizeof address.addr.sin;
    address.addr.sin.sin_family = AF_INET;
    address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.addr.sin.sin_port = htons(coap_lab_port(lab->front));
    allocations.watched = true;
    coap_session_t *session = coap_new_client_session_pki(lab->client, NULL, &address, COAP_PROTO_DTLS, &pki);
    allocations.watched = false;
    return session;
}

/* True when a session came up though the given allocation failed; *reached: there was one of that number. */
static bool comes_up(struct coap_lab *lab, const struct lab_identity *authority, unsigned failing,
                     bool *reached)
{
    bool up = false;
    allocations.count = 0;
    allocations.failing = failing;
    coap_session_t *session = connect_trusting(lab, authority, LAB_SERVER_NAME);
    for (unsigned turn = 0; turn < TURNS && session != NULL && !up; turn++) {
        coap_lab_turn_client(lab, &allocations.watched);
        up = coap_session_get_state(session) == COAP_SESSION_STATE_ESTABLISHED;
    }
    if (session != NULL) {
        coap_session_release(session);
    }
    *reached = failing != 0 && allocations.count >= failing;
    allocations.failing = 0;
    return up;
}

static void a_stranger_is_never_believed_whatever_allocation_fails(void **state)
{
    struct coap_lab *lab = *state;
    static struct coap_lab elsewhere; /* whose authority did not sign the server's certificate */
    bool reached = false;
    coap_lab_open(&elsewhere);
    assert_true(comes_up(lab, &lab->authority, 0, &reached));
    assert_false(comes_up(lab, &elsewhere.authority, 0, &reached));
    unsigned failing = 0;
    do {
        failing++;
        if (comes_up(lab, &elsewhere.authority, failing, &reached)) {
            fail_msg("the stranger was believed when allocation %u failed", failing);
        }
    } while (reached);
    print_message("%u allocations failed, one at a time\n", failing - 1);
    assert_true(failing > 500);
    coap_lab_close(&elsewhere);
}

static void nothing_is_left_of_a_session_that_could_not_begin(void **state)
{
    struct coap_lab *lab = *state;
    bool reached = false;
    assert_true(comes_up(lab, &lab->authority, 0, &reached)); /* what libraries make once is made */
    unsigned failing = 0;
    do {
        failing++;
        allocations.count = 0;
        allocations.failing = failing;
        long live = allocations.live;
        coap_session_t *session = connect_trusting(lab, &lab->authority, LAB_SERVER_NAME);
        reached = allocations.count >= failing;
        allocations.failing = 0;
        if (session != NULL) {
            coap_session_release(session);
        }
        if (allocations.live != live) {
            fail_msg("%ld blocks are left when allocation %u fails", allocations.live - live, failing);
        }
    } while (reached);
    print_message("%u allocations failed, one at a time\n", failing - 1);
    assert_true(failing > 30);
}

/* mbedTLS refuses a handshake without an expected name with an error that libcoap does not know. */
static void a_handshake_that_failed_for_good_ends_its_session(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = connect_trusting(lab, &lab->authority, NULL);
    assert_non_null(session);
    coap_lab_until(lab, &lab->failed, 1);
    assert_int_equal(coap_session_get_state(session), COAP_SESSION_STATE_NONE);
    coap_session_release(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stranger_is_never_believed_whatever_allocation_fails,
                                        coap_lab_set_up, coap_lab_tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_left_of_a_session_that_could_not_begin, coap_lab_set_up,
                                        coap_lab_tear_down),
        cmocka_unit_test_setup_teardown(a_handshake_that_failed_for_good_ends_its_session, coap_lab_set_up,
                                        coap_lab_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
