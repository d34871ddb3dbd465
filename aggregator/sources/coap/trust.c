/* SPDX-License-Identifier: Apache-2.0
 *
 * Trust bundles in pieces (proto/SPEC.md 4.10). A piece is an answer of its own, so that nothing has to be
 * kept between two requests, and a repeated one is answered again. */
#include "aggregator/sources/coap/internal.h"

#include "proto/base/cursor.h"

#include <string.h>

enum { PIECE_MAX_BYTES = 960, PIECE_HEAD_BYTES = 8, BUNDLE_MAX_BYTES = 65535 };

bool source_trust_is_behind(const struct source_coap *source, const struct source_session *session)
{
    const struct source_trust *trust = source->config.trust;
    return trust != NULL && trust->newest(trust->ctx) > session->trust_version;
}

/* A number of up to ten digits at *at, behind `key`. */
static bool take(const uint8_t **at, const uint8_t *end, const char *key, uint32_t *out)
{
    size_t key_len = strlen(key);
    uint64_t number = 0;
    if ((size_t)(end - *at) <= key_len || memcmp(*at, key, key_len) != 0) {
        return false;
    }
    const uint8_t *begin = *at + key_len;
    const uint8_t *next = begin;
    while (next < end && next - begin < 10 && *next >= '0' && *next <= '9') {
        number = number * 10 + (uint64_t)(*next++ - '0');
    }
    *at = next;
    *out = (uint32_t)number;
    return next > begin && number <= UINT32_MAX;
}

/* "v=VERSION&o=OFFSET", perhaps "&n=BYTES", and nothing else. */
static bool read_query(const coap_string_t *query, uint32_t *version, uint32_t *offset, uint32_t *most_bytes)
{
    *most_bytes = PIECE_MAX_BYTES;
    if (query == NULL) {
        return false;
    }
    const uint8_t *at = query->s;
    const uint8_t *end = query->s + query->length;
    return take(&at, end, "v=", version) && take(&at, end, "&o=", offset) &&
           (at == end || take(&at, end, "&n=", most_bytes)) && at == end && *version > 0 && *most_bytes > 0;
}

static bool write_piece(struct hr_bytes bundle, uint32_t version, uint32_t offset, uint32_t most_bytes,
                        coap_pdu_t *response)
{
    uint8_t piece[PIECE_HEAD_BYTES + PIECE_MAX_BYTES];
    size_t left_bytes = bundle.len_bytes - offset;
    const size_t piece_bytes = most_bytes < PIECE_MAX_BYTES ? most_bytes : PIECE_MAX_BYTES;
    struct hr_writer writer = hr_writer_over(piece, sizeof piece);
    hr_write_u32(&writer, version);
    hr_write_u16(&writer, (uint16_t)bundle.len_bytes);
    hr_write_u16(&writer, (uint16_t)offset);
    hr_write_raw(&writer, bundle.data + offset, left_bytes < piece_bytes ? left_bytes : piece_bytes);
    coap_pdu_set_code(response, COAP_RESPONSE_CODE_CONTENT);
    return coap_add_data(response, writer.at, piece) != 0;
}

void source_trust_answer(struct source_coap *source, struct source_session *session,
                         const coap_string_t *query, coap_pdu_t *response)
{
    const struct source_trust *trust = source->config.trust;
    uint32_t version = 0;
    uint32_t offset = 0;
    uint32_t most_bytes = 0;
    if (!read_query(query, &version, &offset, &most_bytes)) {
        source_count(source, SOURCE_COAP_BAD_QUERY, 1);
        coap_pdu_set_code(response, COAP_RESPONSE_CODE_BAD_REQUEST);
        return;
    }
    if (session->is_expired) {
        source_count(source, SOURCE_COAP_EXPIRED_REFUSED, 1);
        coap_pdu_set_code(response, COAP_RESPONSE_CODE_FORBIDDEN);
        return;
    }
    const struct source_handler *handler = &source->config.handler;
    bool is_news = session->trust_version != version - 1;
    session->trust_version = version - 1; /* who asks for one has the one before it */
    if (is_news && handler->has_bundle != NULL) {
        handler->has_bundle(handler->ctx, session->device_id, session->trust_version);
    }
    struct hr_bytes bundle = trust != NULL ? trust->bundle(trust->ctx, version) : hr_bytes_of("", 0);
    if (offset >= bundle.len_bytes || bundle.len_bytes > BUNDLE_MAX_BYTES) {
        coap_pdu_set_code(response, COAP_RESPONSE_CODE_NOT_FOUND);
        return;
    }
    source_count(source, SOURCE_COAP_TRUST_PIECES, 1);
    if (!write_piece(bundle, version, offset, most_bytes, response)) {
        coap_pdu_set_code(response, COAP_RESPONSE_CODE(500));
    }
}
