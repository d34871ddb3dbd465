/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /sren (proto/SPEC.md 4.11). Whoever has to wait for a certificate is told to ask again, with the same
 * request: so nothing waits here, and a repeated request is one that is answered again. */
#include "aggregator/sources/coap/internal.h"

enum { FORMAT_PKCS10 = 286, FORMAT_PKIX_CERT = 287, COME_AGAIN_S = 1 }; /* RFC 9148, section 9.1 */

static bool is_format(const coap_pdu_t *request, unsigned format)
{
    coap_opt_iterator_t iterator;
    const coap_opt_t *option = coap_check_option(request, COAP_OPTION_CONTENT_FORMAT, &iterator);
    return option != NULL && coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option)) == format;
}

static void add_number(coap_pdu_t *response, coap_option_num_t option, unsigned number)
{
    uint8_t value[4];
    (void)coap_add_option(response, option, coap_encode_var_safe(value, sizeof value, number), value);
}

static void hand_out(coap_pdu_t *response, struct hr_bytes certificate)
{
    coap_pdu_set_code(response, COAP_RESPONSE_CODE_CHANGED);
    add_number(response, COAP_OPTION_CONTENT_FORMAT, FORMAT_PKIX_CERT);
    if (coap_add_data(response, certificate.len_bytes, certificate.data) == 0) {
        coap_pdu_set_code(response, COAP_RESPONSE_CODE(500));
    }
}

static void refuse(struct source_coap *source, const struct source_session *session, bool is_foreign,
                   coap_pdu_t *response)
{
    source_count(source, SOURCE_COAP_RENEWALS_REFUSED, 1);
    source_emit(source, SOURCE_EVENT_REQUEST_REFUSED, session->peer, session->device_id,
                is_foreign ? "no certificate for that device and key over this session"
                           : "what came to /sren is no request for a certificate");
    coap_pdu_set_code(response, is_foreign ? COAP_RESPONSE_CODE_FORBIDDEN : COAP_RESPONSE_CODE_BAD_REQUEST);
}

void source_renewal_answer(struct source_coap *source, struct source_session *session,
                           const coap_pdu_t *request, coap_pdu_t *response)
{
    const struct source_renewal *renewal = source->config.renewal;
    struct hr_bytes body = hr_bytes_of("", 0);
    struct hr_bytes certificate = hr_bytes_of("", 0);
    if (renewal == NULL) {
        coap_pdu_set_code(response, COAP_RESPONSE_CODE_NOT_FOUND);
        return;
    }
    if (!is_format(request, FORMAT_PKCS10)) {
        coap_pdu_set_code(response, COAP_RESPONSE_CODE(415));
        return;
    }
    if (coap_get_data(request, &body.len_bytes, &body.data) == 0) {
        body = hr_bytes_of("", 0);
    }
    const struct source_peer peer = {session->device_id, session->key, source_certificate_of(session->coap)};
    struct hr_status status = renewal->renew(renewal->ctx, &peer, body, &certificate);
    if (hr_is_ok(status)) {
        source_count(source, SOURCE_COAP_RENEWALS, 1);
        hand_out(response, certificate);
    } else if (hr_is(status, HR_AGAIN)) {
        coap_pdu_set_code(response, COAP_RESPONSE_CODE(503));
        add_number(response, COAP_OPTION_MAXAGE, COME_AGAIN_S);
    } else {
        refuse(source, session, hr_is(status, HR_DENIED), response);
    }
}
