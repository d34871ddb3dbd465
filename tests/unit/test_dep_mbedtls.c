/* SPDX-License-Identifier: Apache-2.0
 *
 * Our patches of mbedTLS (tools/cmake/DEPENDENCIES.md): each test fails on the release as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/coap_lab.h"

/* A whole handshake record of epoch 0, which is over, and bytes that are too few for another record. Nothing
 * in it is secret. */
static const uint8_t record_with_tail[] = {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 22, 0xfe};

static coap_session_t *session_with_an_answer(struct coap_lab *lab)
{
    coap_session_t *session = coap_lab_connect(lab, COAP_PROTO_DTLS, LAB_SERVER_NAME);
    coap_lab_put(session, COAP_MESSAGE_CON, 0, 16);
    coap_lab_until(lab, &lab->responses, 1);
    return session;
}

static void server_goes_on_after_a_record_with_a_tail(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = session_with_an_answer(lab);
    /* From the address that the server knows the client by. */
    coap_lab_send(lab, lab->back, record_with_tail, sizeof record_with_tail);
    coap_lab_turn(lab);
    coap_lab_put(session, COAP_MESSAGE_CON, 1, 16);
    coap_lab_until(lab, &lab->responses, 2);
    coap_session_release(session);
}

static void client_goes_on_after_a_record_with_a_tail(void **state)
{
    struct coap_lab *lab = *state;
    coap_session_t *session = session_with_an_answer(lab);
    /* From the address that the client knows the server by. */
    assert_int_equal(sendto(lab->front, record_with_tail, sizeof record_with_tail, 0,
                            (const struct sockaddr *)&lab->client_address, lab->client_address_bytes),
                     (ssize_t)sizeof record_with_tail);
    coap_lab_turn(lab);
    coap_lab_put(session, COAP_MESSAGE_CON, 1, 16);
    coap_lab_until(lab, &lab->responses, 2);
    coap_session_release(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(server_goes_on_after_a_record_with_a_tail, coap_lab_set_up,
                                        coap_lab_tear_down),
        cmocka_unit_test_setup_teardown(client_goes_on_after_a_record_with_a_tail, coap_lab_set_up,
                                        coap_lab_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
