/* SPDX-License-Identifier: Apache-2.0
 *
 * What a device asks for besides its batches: trust bundles and certificates (proto/SPEC.md 4.10, 4.11). */
#include "firmware/net/session.h"

#include "proto/base/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    TOKEN_BYTES = 4,
    FORMAT_PKCS10 = 286,
    SMALL_PIECE_BYTES = 512, /* for who has no room for parts: a long answer has it */
    HAS_ROOM_FOR_PARTS = NET_BODY_MAX_BYTES > NET_PART_BYTES,
};

static coap_pdu_t *begin(struct net_client *client, uint32_t token, coap_pdu_code_t code, const char *path)
{
    uint8_t bytes[TOKEN_BYTES];
    struct hr_writer writer = hr_writer_over(bytes, sizeof bytes);
    hr_write_u32(&writer, token);
    return net_session_request(client, COAP_MESSAGE_CON, hr_bytes_of(bytes, sizeof bytes), code, path);
}

static bool add_query(coap_pdu_t *pdu, const char *key, uint32_t number)
{
    char text[16];
    int chars = snprintf(text, sizeof text, "%s=%" PRIu32, key, number);
    return chars > 0 &&
           coap_add_option(pdu, COAP_OPTION_URI_QUERY, (size_t)chars, (const uint8_t *)text) != 0;
}

/* Takes the PDU, which may be NULL. */
static struct hr_status end(struct net_client *client, coap_pdu_t *pdu, bool is_complete)
{
    if (!is_complete) {
        coap_delete_pdu(pdu);
        return hr_status_of(HR_IO);
    }
    return hr_status_of(coap_send(client->session, pdu) == COAP_INVALID_MID ? HR_IO : HR_OK);
}

struct hr_status net_session_get_trust(struct net_client *client, uint32_t token, uint32_t version,
                                       uint32_t offset)
{
    coap_pdu_t *pdu = begin(client, token, COAP_REQUEST_CODE_GET, "t");
    return end(client, pdu,
               pdu != NULL && add_query(pdu, "v", version) && add_query(pdu, "o", offset) &&
                   (HAS_ROOM_FOR_PARTS || add_query(pdu, "n", SMALL_PIECE_BYTES)));
}

struct hr_status net_session_post_request(struct net_client *client, uint32_t token, struct hr_bytes request)
{
    static const uint8_t format[] = {FORMAT_PKCS10 >> 8, FORMAT_PKCS10 & 0xFF};
    coap_pdu_t *pdu = begin(client, token, COAP_REQUEST_CODE_POST, "sren");
    return end(client, pdu,
               pdu != NULL && coap_add_option(pdu, COAP_OPTION_CONTENT_FORMAT, sizeof format, format) != 0 &&
                   coap_add_data(pdu, request.len_bytes, request.data) != 0);
}
