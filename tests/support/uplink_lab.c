/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/uplink_lab.h"

#include "proto/base/assert.h"
#include "tests/support/test_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- ports ---- */

static uint64_t lab_uptime(void *ctx)
{
    return ((struct uplink_lab *)ctx)->now_ms;
}

static uint32_t lab_random(void *ctx)
{
    struct uplink_lab *lab = ctx;
    lab->seed += UINT64_C(0x9E3779B97F4A7C15); /* SplitMix64 */
    uint64_t z = lab->seed;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

static void lab_log(void *ctx, enum port_log_level level, const char *event,
                    const struct port_log_field *fields, uint32_t n_fields)
{
    const struct uplink_lab *lab = ctx;
    if (getenv("LAB_LOG") == NULL) {
        return;
    }
    (void)fprintf(stderr, "%8llu %d %s", (unsigned long long)lab->now_ms, (int)level, event);
    for (uint32_t i = 0; i < n_fields; i++) {
        (void)fprintf(stderr, " %s=%s%lld", fields[i].key, fields[i].text == NULL ? "" : fields[i].text,
                      fields[i].text == NULL ? (long long)fields[i].number : 0);
    }
    (void)fputc('\n', stderr);
}

/* Not a signature, but as bound to the message: nothing here checks one but the lab's own verify. */
static struct hr_status lab_sign(void *ctx, struct hr_bytes message, uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    (void)ctx;
    wire_sha256(test_hash(), &message, 1, signature);
    memcpy(signature + WIRE_DIGEST_BYTES, signature, WIRE_DIGEST_BYTES);
    return hr_ok();
}

static struct hr_status lab_verify(void *ctx, uint16_t key_epoch, const uint8_t header[WIRE_HEADER_BYTES],
                                   const uint8_t signature[WIRE_SIGNATURE_BYTES])
{
    const struct uplink_lab *lab = ctx;
    (void)key_epoch;
    (void)header;
    (void)signature;
    return lab->signatures_are_sound ? hr_ok() : hr_status_of(HR_DENIED);
}

static struct hr_status flash_read(void *ctx, uint32_t address, void *out, uint32_t len_bytes)
{
    const struct uplink_lab *lab = ctx;
    memcpy(out, lab->flash_bytes + address, len_bytes);
    return hr_ok();
}

static void tell_change(struct uplink_lab *lab, uint32_t address, uint32_t len_bytes, const void *data)
{
    const struct lab_flash_change change = {address, len_bytes, data};
    if (lab->on_flash != NULL) {
        lab->on_flash(lab->on_flash_ctx, &change);
    }
}

static struct hr_status flash_program(void *ctx, uint32_t address, const void *data, uint32_t len_bytes)
{
    struct uplink_lab *lab = ctx;
    tell_change(lab, address, len_bytes, data);
    memcpy(lab->flash_bytes + address, data, len_bytes);
    return hr_ok();
}

static struct hr_status flash_erase(void *ctx, uint32_t sector)
{
    struct uplink_lab *lab = ctx;
    tell_change(lab, sector * LAB_SECTOR_BYTES, LAB_SECTOR_BYTES, NULL);
    memset(lab->flash_bytes + (size_t)sector * LAB_SECTOR_BYTES, 0xFF, LAB_SECTOR_BYTES);
    return hr_ok();
}

static struct hr_status flash_sync(void *ctx)
{
    tell_change(ctx, 0, 0, NULL);
    return hr_ok();
}

/* ---- the network ---- */

static struct hr_status net_open(void *ctx, uint8_t index)
{
    struct uplink_lab *lab = ctx;
    assert_true(index < LAB_MAX_ADDRESSES);
    assert_false(lab->net_is_open);
    lab->net_is_open = true;
    lab->address = index;
    lab->n_opens++;
    return hr_ok();
}

static void net_close(void *ctx)
{
    struct uplink_lab *lab = ctx;
    lab->net_is_open = false;
    memset(lab->requests, 0, sizeof lab->requests);
}

static struct lab_request *take_request(struct uplink_lab *lab, uint32_t token)
{
    assert_true(lab->net_is_open);
    for (size_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        assert_false(lab->requests[i].waiting && lab->requests[i].token == token);
    }
    for (size_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        if (!lab->requests[i].waiting) {
            memset(&lab->requests[i], 0, sizeof lab->requests[i]);
            lab->requests[i].waiting = true;
            lab->requests[i].token = token;
            return &lab->requests[i];
        }
    }
    fail();
    return NULL;
}

static struct hr_status net_post(void *ctx, uint32_t token, struct hr_bytes envelope)
{
    struct uplink_lab *lab = ctx;
    uint32_t n_posts = 0;
    for (size_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        n_posts += lab->requests[i].waiting && !lab->requests[i].is_head && !lab->requests[i].is_renewal;
    }
    assert_true(n_posts < lab->net.window);
    struct lab_request *request = take_request(lab, token);
    struct wire_envelope split;
    assert_true(envelope.len_bytes <= sizeof request->envelope);
    memcpy(request->envelope, envelope.data, envelope.len_bytes);
    request->len_bytes = (uint32_t)envelope.len_bytes;
    assert_true(hr_is_ok(wire_envelope_split(hr_bytes_of(request->envelope, request->len_bytes), &split)));
    assert_true(
        hr_is_ok(wire_payload_check(test_hash(), split.payload, split.header.n_records, split.header.root)));
    request->stream = split.header.stream;
    request->seq = split.header.batch_seq;
    wire_batch_digest(test_hash(), split.header_bytes, request->digest);
    if (lab->seen_stream != request->stream) {
        memset(lab->seen_digests, 0, sizeof lab->seen_digests);
        lab->seen_stream = request->stream;
    }
    memcpy(lab->seen_digests[request->seq % LAB_MAX_SEEN], request->digest, WIRE_DIGEST_BYTES);
    lab->n_posts++;
    return hr_ok();
}

static struct hr_status net_head(void *ctx, uint32_t token, uint32_t stream)
{
    struct uplink_lab *lab = ctx;
    struct lab_request *request = take_request(lab, token);
    request->is_head = true;
    request->stream = stream;
    lab->n_heads++;
    return hr_ok();
}

static struct hr_status net_request(void *ctx, uint32_t token, struct hr_bytes request)
{
    struct lab_request *taken = take_request(ctx, token);
    assert_true(request.len_bytes <= sizeof taken->envelope);
    taken->is_renewal = true;
    taken->len_bytes = (uint32_t)request.len_bytes;
    memcpy(taken->envelope, request.data, request.len_bytes);
    return hr_ok();
}

/* ---- the collector ---- */

static void make_ports(struct uplink_lab *lab)
{
    lab->clock = (struct port_clock){lab_uptime, lab};
    lab->random = (struct port_random){lab_random, lab};
    lab->log = (struct port_log){lab_log, lab};
    lab->sign = (struct port_sign){.key_epoch = 1, .sign = lab_sign, .ctx = lab};
    lab->verify = (struct port_verify){lab_verify, lab};
    lab->net = (struct port_net){.n_addresses = LAB_MAX_ADDRESSES,
                                 .window = 4,
                                 .open = net_open,
                                 .close = net_close,
                                 .post_batch = net_post,
                                 .get_head = net_head,
                                 .post_request = net_request,
                                 .ctx = lab};
    lab->flash = (struct port_flash){.sector_bytes = LAB_SECTOR_BYTES,
                                     .n_sectors = lab->n_sectors,
                                     .program_unit_bytes = 8,
                                     .erased_reads_are_true = true,
                                     .read = flash_read,
                                     .program = flash_program,
                                     .erase = flash_erase,
                                     .sync = flash_sync,
                                     .ctx = lab};
}

void lab_restart(struct uplink_lab *lab)
{
    net_close(lab);
    const struct fw_spool_config spool = {
        .flash = &lab->flash,
        .hash = test_hash(),
        .device_id = lab->device_id,
        .envelope_max_bytes = LAB_ENVELOPE_MAX_BYTES,
        .sectors = lab->sectors,
        .stage = lab->stage,
        .stage_bytes = sizeof lab->stage,
        .first_stream = 0,
    };
    struct fw_spool_report report;
    assert_true(hr_is_ok(fw_spool_open(&lab->spool, &spool, &report)));
    const struct fw_collector_config config = {
        .clock = &lab->clock,
        .random = &lab->random,
        .log = &lab->log,
        .sign = &lab->sign,
        .keys = lab->keys,
        .renew = lab->renew,
        .verify = &lab->verify,
        .net = &lab->net,
        .hash = test_hash(),
        .spool = &lab->spool,
        .report = &report,
        .version = "test",
        .envelope = lab->envelope,
        .envelope_capacity_bytes = sizeof lab->envelope,
        .seal_max_age_ms = 1000,
        .seal_max_bytes = 1,
        .stats_interval_ms = UINT32_MAX,
        .anchor_interval_ms = 60000,
    };
    assert_true(hr_is_ok(fw_collector_start(&lab->collector, &config)));
    lab->events = fw_collector_net_events(&lab->collector);
    lab_step(lab);
}

void lab_blank(struct uplink_lab *lab, uint64_t seed, uint32_t n_sectors)
{
    memset(lab, 0, sizeof *lab);
    memset(lab->flash_bytes, 0xFF, sizeof lab->flash_bytes);
    lab->seed = seed;
    lab->n_sectors = n_sectors;
    lab->now_ms = 1000;
    lab->signatures_are_sound = true;
    lab->device_id = LAB_DEVICE_ID;
    make_ports(lab);
}

void lab_start(struct uplink_lab *lab, uint64_t seed, uint32_t n_sectors)
{
    lab_blank(lab, seed, n_sectors);
    lab_restart(lab);
}

void lab_step(struct uplink_lab *lab)
{
    /* A step that asks to be called again at once has more to do; it comes to rest. */
    for (uint32_t turn = 0; turn < 100; turn++) {
        assert_true(hr_is_ok(fw_collector_step(&lab->collector, &lab->wait_ms)));
        if (lab->wait_ms != 0) {
            return;
        }
    }
    fail_msg("the collector never comes to rest");
}

void lab_pass(struct uplink_lab *lab, uint64_t ms)
{
    uint64_t end_ms = lab->now_ms + ms;
    while (lab->now_ms < end_ms) {
        uint64_t left_ms = end_ms - lab->now_ms;
        lab->now_ms += lab->wait_ms < left_ms ? lab->wait_ms : left_ms;
        lab_step(lab);
    }
}

void lab_offer(struct uplink_lab *lab, uint32_t n_records)
{
    for (uint32_t i = 0; i < n_records; i++) {
        struct edge_record record = {.kind = EDGE_SAMPLE};
        record.as.sample.channel = 7;
        record.as.sample.value = (int64_t)lab->n_offered++;
        assert_true(hr_is_ok(fw_collector_offer(&lab->collector, &record, lab->now_ms)));
    }
    lab_step(lab);
}

void lab_up(struct uplink_lab *lab)
{
    for (uint32_t turn = 0; turn < 1000 && !lab->net_is_open; turn++) {
        lab_pass(lab, 100);
    }
    assert_true(lab->net_is_open);
    lab->events.up(lab->events.ctx);
    lab_step(lab);
}

void lab_down(struct uplink_lab *lab, enum port_net_down reason)
{
    net_close(lab);
    lab->events.down(lab->events.ctx, reason);
    lab_step(lab);
}

void lab_connect(struct uplink_lab *lab)
{
    lab_up(lab);
    struct lab_request *head = lab_head(lab);
    HR_ASSERT(head != NULL);
    const struct wire_ack ack = {.status = WIRE_ACK_OK, .stream = head->stream, .cum_seq = WIRE_SEQ_NONE};
    lab_answer(lab, head, &ack, 0);
}

struct lab_request *lab_head(struct uplink_lab *lab)
{
    for (size_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        if (lab->requests[i].waiting && lab->requests[i].is_head) {
            return &lab->requests[i];
        }
    }
    return NULL;
}

struct lab_request *lab_renewal(struct uplink_lab *lab)
{
    for (size_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        if (lab->requests[i].waiting && lab->requests[i].is_renewal) {
            return &lab->requests[i];
        }
    }
    return NULL;
}

struct lab_request *lab_post(struct uplink_lab *lab, uint32_t seq)
{
    for (size_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        const struct lab_request *request = &lab->requests[i];
        if (request->waiting && !request->is_head && !request->is_renewal && request->seq == seq) {
            return &lab->requests[i];
        }
    }
    return NULL;
}

uint32_t lab_n_waiting(const struct uplink_lab *lab)
{
    uint32_t n_waiting = 0;
    for (size_t i = 0; i < LAB_MAX_REQUESTS; i++) {
        n_waiting += lab->requests[i].waiting;
    }
    return n_waiting;
}

void lab_answer(struct uplink_lab *lab, struct lab_request *request, const struct wire_ack *ack,
                uint32_t max_age_s)
{
    HR_ASSERT(request != NULL);
    static const uint8_t zeros[WIRE_ACK_DIGEST_BYTES];
    struct wire_ack filled = *ack;
    if (ack->cum_seq != WIRE_SEQ_NONE && memcmp(ack->cum_digest, zeros, sizeof zeros) == 0) {
        uint8_t digest[WIRE_DIGEST_BYTES];
        lab_digest(lab, ack->cum_seq, digest);
        memcpy(filled.cum_digest, digest, sizeof filled.cum_digest);
    }
    uint8_t payload[WIRE_ACK_BYTES];
    wire_ack_encode(&filled, payload);
    uint8_t code = wire_ack_coap_code(filled.status);
    if (request->is_head && code == 2 * 32 + 4) {
        code = 2 * 32 + 5;
    }
    request->waiting = false;
    lab->events.answer(lab->events.ctx, request->token, code, hr_bytes_of(payload, sizeof payload),
                       max_age_s);
    lab_step(lab);
}

void lab_answer_raw(struct uplink_lab *lab, struct lab_request *request, uint8_t coap_code,
                    struct hr_bytes payload)
{
    HR_ASSERT(request != NULL);
    request->waiting = false;
    lab->events.answer(lab->events.ctx, request->token, coap_code, payload, 0);
    lab_step(lab);
}

void lab_time_out(struct uplink_lab *lab, struct lab_request *request)
{
    HR_ASSERT(request != NULL);
    request->waiting = false;
    lab->events.timeout(lab->events.ctx, request->token);
    lab_step(lab);
}

struct fw_spool_state lab_spool(const struct uplink_lab *lab)
{
    struct fw_spool_state state;
    fw_spool_state(&lab->spool, &state);
    return state;
}

void lab_digest(struct uplink_lab *lab, uint32_t seq, uint8_t out[WIRE_DIGEST_BYTES])
{
    assert_true(seq < LAB_MAX_SEEN);
    memcpy(out, lab->seen_digests[seq], WIRE_DIGEST_BYTES);
}

bool lab_find_record(struct uplink_lab *lab, uint32_t first_seq, enum edge_kind kind, struct edge_record *out)
{
    struct fw_spool_state spool = lab_spool(lab);
    for (uint32_t seq = first_seq; seq < spool.next_batch_seq; seq++) {
        uint8_t bytes[LAB_ENVELOPE_MAX_BYTES];
        uint32_t len_bytes = 0;
        struct wire_envelope envelope;
        if (!hr_is_ok(fw_spool_read(&lab->spool, seq, bytes, sizeof bytes, &len_bytes))) {
            continue;
        }
        assert_true(hr_is_ok(wire_envelope_split(hr_bytes_of(bytes, len_bytes), &envelope)));
        struct hr_reader payload = hr_reader_over(envelope.payload);
        struct hr_bytes record;
        while (hr_is_ok(wire_record_next(&payload, &record))) {
            if (hr_is_ok(edge_record_decode(record, out)) && out->kind == kind) {
                return true;
            }
        }
    }
    return false;
}
