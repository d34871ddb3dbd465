/* SPDX-License-Identifier: Apache-2.0
 *
 * Block1 by hand: libcoap's own reassembly allocates whatever Size1 or the last block number asks for,
 * forgets the body when the last block is retransmitted, and can't be bounded over all sessions. Blocks are
 * taken in order only; a client sends them so, because it waits for each 2.31. */
#include "aggregator/sources/coap/internal.h"

#include <string.h>

static uint8_t *memory_of(struct source_coap *source, const struct source_body *body)
{
    size_t index = (size_t)(body - source->bodies);
    return source->body_memory + index * source->config.max_body_bytes;
}

static void read_tag(const coap_pdu_t *request, struct source_body *out)
{
    coap_opt_iterator_t iterator;
    const coap_opt_t *option = coap_check_option(request, COAP_OPTION_RTAG, &iterator);
    out->tag_len_bytes = 0;
    if (option != NULL && coap_opt_length(option) <= SOURCE_TAG_MAX_BYTES) {
        out->tag_len_bytes = (uint8_t)coap_opt_length(option);
        memcpy(out->tag, coap_opt_value(option), out->tag_len_bytes);
    }
}

static struct source_body *find_body(struct source_coap *source, uint32_t session,
                                     const struct source_body *tag)
{
    for (uint32_t i = 0; i < source->config.max_bodies; i++) {
        struct source_body *body = &source->bodies[i];
        if (body->session == session && body->tag_len_bytes == tag->tag_len_bytes &&
            memcmp(body->tag, tag->tag, tag->tag_len_bytes) == 0) {
            return body;
        }
    }
    return NULL;
}

/* A free place; else the oldest of a session that has its share; else one that nobody touched for long. */
static struct source_body *new_body(struct source_coap *source, uint32_t session, uint64_t now_ms)
{
    struct source_body *free_one = NULL;
    struct source_body *oldest = NULL;
    struct source_body *oldest_own = NULL;
    uint32_t n_own = 0;
    for (uint32_t i = 0; i < source->config.max_bodies; i++) {
        struct source_body *body = &source->bodies[i];
        if (body->session == SOURCE_NONE) {
            free_one = body;
            continue;
        }
        if (oldest == NULL || body->touched_ms < oldest->touched_ms) {
            oldest = body;
        }
        if (body->session == session) {
            n_own++;
            oldest_own = oldest_own == NULL || body->touched_ms < oldest_own->touched_ms ? body : oldest_own;
        }
    }
    if (n_own < SOURCE_BODIES_PER_SESSION && free_one != NULL) {
        return free_one;
    }
    struct source_body *victim = oldest_own;
    if (n_own < SOURCE_BODIES_PER_SESSION) {
        victim = oldest != NULL && now_ms - oldest->touched_ms >= SOURCE_BODY_STALE_MS ? oldest : NULL;
    }
    if (victim != NULL) {
        source_count(source, SOURCE_COAP_BODIES_ABANDONED, 1);
    }
    return victim;
}

static struct source_body *start_body(struct source_coap *source, uint32_t session,
                                      const struct source_body *tag)
{
    uint64_t now_ms = source_now_ms();
    struct source_body *body = find_body(source, session, tag);
    if (body == NULL) {
        body = new_body(source, session, now_ms);
    }
    if (body != NULL) {
        *body = *tag;
        body->session = session;
        body->len_bytes = 0;
        body->touched_ms = now_ms;
    }
    return body;
}

enum source_body_verdict source_body_add(struct source_coap *source, uint32_t session,
                                         const coap_pdu_t *request, const coap_block_b_t *block,
                                         struct hr_bytes *out)
{
    const uint8_t *data = NULL;
    size_t len_bytes = 0;
    size_t offset = (size_t)block->num << (block->szx + 4);
    if (coap_get_data(request, &len_bytes, &data) == 0 || block->szx > 6 ||
        (block->m != 0 && len_bytes != (size_t)16 << block->szx) || len_bytes > (size_t)16 << block->szx) {
        return SOURCE_BODY_MALFORMED;
    }
    struct source_body tag = {.session = session};
    read_tag(request, &tag);
    struct source_body *body =
        block->num == 0 ? start_body(source, session, &tag) : find_body(source, session, &tag);
    if (body == NULL) {
        return block->num == 0 ? SOURCE_BODY_NO_ROOM : SOURCE_BODY_MISSING;
    }
    if (offset + len_bytes > source->config.max_body_bytes) {
        body->session = SOURCE_NONE;
        return SOURCE_BODY_TOO_LARGE;
    }
    body->touched_ms = source_now_ms();
    if (block->m != 0 && offset + len_bytes == body->len_bytes) {
        return SOURCE_BODY_MORE; /* the block before, once more, under a new message id */
    }
    if (offset != body->len_bytes) {
        return SOURCE_BODY_MISSING;
    }
    memcpy(memory_of(source, body) + offset, data, len_bytes);
    body->len_bytes += (uint32_t)len_bytes;
    source_count(source, SOURCE_COAP_BLOCKS, 1);
    if (block->m != 0) {
        return SOURCE_BODY_MORE;
    }
    *out = hr_bytes_of(memory_of(source, body), body->len_bytes);
    body->session = SOURCE_NONE;
    return SOURCE_BODY_WHOLE;
}

void source_bodies_drop(struct source_coap *source, uint32_t session)
{
    for (uint32_t i = 0; i < source->config.max_bodies; i++) {
        if (source->bodies[i].session == session) {
            source->bodies[i].session = SOURCE_NONE;
            source_count(source, SOURCE_COAP_BODIES_ABANDONED, 1);
        }
    }
}
