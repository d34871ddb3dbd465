/* SPDX-License-Identifier: Apache-2.0
 *
 * Bodies in blocks, put together by hand: libcoap's own reassembly allocates whatever Size1 or the last block
 * number asks for, forgets the body when the last block is retransmitted, and can't be bounded over all
 * sessions. Blocks of a plain RFC 7959 client come in order; the parts of a collector (proto/SPEC.md 4.8) in
 * any, and any number of times. */
#include "aggregator/sources/coap/internal.h"

#include <string.h>

static uint8_t *memory_of(struct source_coap *source, const struct source_body *body)
{
    size_t index = (size_t)(body - source->bodies);
    return source->body_memory + index * source->config.max_body_bytes;
}

/* ---- which units are there ---- */

static uint8_t *units_of(struct source_coap *source, const struct source_body *body)
{
    size_t index = (size_t)(body - source->bodies);
    return source->body_units + index * source->units_len_bytes;
}

static uint32_t units_in(uint32_t len_bytes)
{
    return (len_bytes + SOURCE_BODY_UNIT_BYTES - 1) / SOURCE_BODY_UNIT_BYTES;
}

static bool has_unit(const uint8_t *units, uint32_t unit)
{
    return ((unsigned)units[unit / 8] >> (unit % 8) & 1u) != 0;
}

static bool has_units(const uint8_t *units, uint32_t from, uint32_t to)
{
    for (uint32_t unit = from; unit < to; unit++) {
        if (!has_unit(units, unit)) {
            return false;
        }
    }
    return true;
}

/* How many of them are new. */
static uint32_t add_units(uint8_t *units, uint32_t from, uint32_t to)
{
    uint32_t n_new = 0;
    for (uint32_t unit = from; unit < to; unit++) {
        n_new += !has_unit(units, unit);
        units[unit / 8] |= (uint8_t)(1u << (unit % 8));
    }
    return n_new;
}

static uint16_t parts_of(struct source_coap *source, const struct source_body *body)
{
    enum { UNITS_PER_PART = SOURCE_PART_BYTES / SOURCE_BODY_UNIT_BYTES };
    uint32_t end = units_in(body->end_is_known ? body->end_bytes : source->config.max_body_bytes);
    const uint8_t *units = units_of(source, body);
    uint16_t parts = 0;
    for (uint32_t i = 0; i < SOURCE_PARTS_TOLD && i * UNITS_PER_PART < end; i++) {
        uint32_t to = (i + 1) * UNITS_PER_PART < end ? (i + 1) * UNITS_PER_PART : end;
        if (has_units(units, i * UNITS_PER_PART, to)) {
            parts |= (uint16_t)(1u << i);
        }
    }
    return parts;
}

/* ---- places ---- */

static bool same_tag(const struct source_tag *a, const struct source_tag *b)
{
    return a->len_bytes == b->len_bytes && memcmp(a->bytes, b->bytes, a->len_bytes) == 0;
}

static struct source_body *find_body(struct source_coap *source, uint32_t session,
                                     const struct source_tag *tag)
{
    for (uint32_t i = 0; i < source->config.max_bodies; i++) {
        struct source_body *body = &source->bodies[i];
        if (body->session == session && same_tag(&body->tag, tag)) {
            return body;
        }
    }
    return NULL;
}

/* A free place; else the oldest of a session that has its share; else one that nobody touched for long. */
static struct source_body *new_place(struct source_coap *source, uint32_t session, uint64_t now_ms)
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

static struct source_body *start_body(struct source_coap *source, struct source_body *place, uint32_t session,
                                      const struct source_tag *tag)
{
    if (place == NULL) {
        place = new_place(source, session, source_now_ms());
    }
    if (place != NULL) {
        *place = (struct source_body){.session = session, .tag = *tag};
        memset(units_of(source, place), 0, source->units_len_bytes);
    }
    return place;
}

/* ---- blocks ---- */

bool source_block_read(const coap_pdu_t *request, const coap_block_b_t *block, struct source_block *out)
{
    enum { SZX_MAX = 6 };
    *out = (struct source_block){.is_last = block->m == 0};
    if (coap_get_data(request, &out->data.len_bytes, &out->data.data) == 0 || block->szx > SZX_MAX) {
        return false;
    }
    size_t block_bytes = (size_t)16 << block->szx;
    if (out->data.len_bytes > block_bytes || (block->m != 0 && out->data.len_bytes != block_bytes)) {
        return false;
    }
    out->offset_bytes = block->num << (block->szx + 4); /* 20 bits and 10: it fits */
    coap_opt_iterator_t iterator;
    const coap_opt_t *option = coap_check_option(request, COAP_OPTION_RTAG, &iterator);
    if (option != NULL && coap_opt_length(option) <= SOURCE_TAG_MAX_BYTES) {
        out->tag.len_bytes = (uint8_t)coap_opt_length(option);
        memcpy(out->tag.bytes, coap_opt_value(option), out->tag.len_bytes);
    }
    out->any_order = coap_pdu_get_type(request) == COAP_MESSAGE_NON && out->tag.len_bytes != 0;
    return true;
}

/* What was told of the body's end stays true. */
static bool fits(struct source_coap *source, const struct source_body *body, const struct source_block *block)
{
    uint32_t end_bytes = block->offset_bytes + (uint32_t)block->data.len_bytes;
    if (body->end_is_known && (block->is_last ? end_bytes != body->end_bytes : end_bytes > body->end_bytes)) {
        return false;
    }
    if (!block->is_last || body->end_is_known) {
        return true;
    }
    const uint8_t *units = units_of(source, body);
    for (uint32_t unit = units_in(end_bytes); unit < units_in(source->config.max_body_bytes); unit++) {
        if (has_unit(units, unit)) {
            return false;
        }
    }
    return true;
}

/* The body that the block belongs to. In order, block 0 begins anew, since without a tag nothing else tells
 * one body from the next. */
static struct source_body *body_of(struct source_coap *source, uint32_t session,
                                   const struct source_block *block, enum source_body_verdict *why_not)
{
    struct source_body *body = find_body(source, session, &block->tag);
    if (block->any_order ? body == NULL : block->offset_bytes == 0) {
        body = start_body(source, body, session, &block->tag);
        *why_not = SOURCE_BODY_NO_ROOM;
        return body;
    }
    *why_not = SOURCE_BODY_MISSING;
    if (body != NULL && !block->any_order &&
        !has_unit(units_of(source, body), block->offset_bytes / SOURCE_BODY_UNIT_BYTES - 1)) {
        return NULL;
    }
    return body;
}

enum source_body_verdict source_body_add(struct source_coap *source, uint32_t session,
                                         const struct source_block *block, struct hr_bytes *out,
                                         uint16_t *parts)
{
    if (block->offset_bytes + block->data.len_bytes > source->config.max_body_bytes) {
        struct source_body *body = find_body(source, session, &block->tag);
        if (body != NULL) {
            body->session = SOURCE_NONE;
        }
        return SOURCE_BODY_TOO_LARGE;
    }
    enum source_body_verdict why_not = SOURCE_BODY_MISSING;
    struct source_body *body = body_of(source, session, block, &why_not);
    if (body == NULL) {
        return why_not;
    }
    if (!fits(source, body, block)) {
        body->session = SOURCE_NONE;
        source_count(source, SOURCE_COAP_BODIES_ABANDONED, 1);
        return SOURCE_BODY_MISSING;
    }
    uint32_t end_bytes = block->offset_bytes + (uint32_t)block->data.len_bytes;
    uint32_t n_new =
        add_units(units_of(source, body), block->offset_bytes / SOURCE_BODY_UNIT_BYTES, units_in(end_bytes));
    body->touched_ms = source_now_ms();
    body->n_units += n_new;
    if (n_new != 0) {
        memcpy(memory_of(source, body) + block->offset_bytes, block->data.data, block->data.len_bytes);
        source_count(source, SOURCE_COAP_BLOCKS, 1);
    }
    if (block->is_last) {
        body->end_is_known = true;
        body->end_bytes = end_bytes;
    }
    *parts = parts_of(source, body);
    if (!body->end_is_known || body->n_units < units_in(body->end_bytes)) {
        return SOURCE_BODY_MORE;
    }
    *out = hr_bytes_of(memory_of(source, body), body->end_bytes);
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

/* ---- bodies that came whole ---- */

struct source_finished *source_finished_find(struct source_session *session, const struct source_tag *tag)
{
    for (uint32_t i = 0; i < SOURCE_FINISHED; i++) {
        if (session->finished[i].used && same_tag(&session->finished[i].tag, tag)) {
            return &session->finished[i];
        }
    }
    return NULL;
}

uint32_t source_finished_new(struct source_session *session, const struct source_tag *tag)
{
    for (uint32_t i = 0; i < SOURCE_FINISHED; i++) {
        uint32_t index = (session->next_finished + i) % SOURCE_FINISHED;
        struct source_finished *finished = &session->finished[index];
        if (!finished->used || finished->answered) {
            *finished = (struct source_finished){.used = true, .tag = *tag};
            session->next_finished = (index + 1) % SOURCE_FINISHED;
            return index;
        }
    }
    HR_ASSERT(false); /* no more requests wait than there are places */
    return SOURCE_NONE;
}
