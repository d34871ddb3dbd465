/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector with everything around it simulated but its own code: time, chance, keys, a flash in RAM, and a
 * network of which the test sees each request and says what becomes of it. Every record is a batch of its own
 * (seal_max_bytes is 1), so batch 0 holds Boot and batch n the n-th record after it. */
#ifndef UPLINK_LAB_H
#define UPLINK_LAB_H

#include "firmware/core/collector.h"

#define LAB_DEVICE_ID UINT64_C(0x0102030405060708)

enum {
    LAB_SECTOR_BYTES = 4096,
    LAB_MAX_SECTORS = 64,
    LAB_MAX_REQUESTS = 8,
    LAB_ENVELOPE_MAX_BYTES = WIRE_MCU_ENVELOPE_MAX_BYTES,
    LAB_MAX_ADDRESSES = 3,
    LAB_MAX_SEEN = 1024,
};

struct lab_request {
    bool waiting;
    bool is_head;
    bool is_renewal; /* for a certificate; not counted as a post */
    uint32_t token;
    uint32_t stream;
    uint32_t seq;
    uint8_t digest[WIRE_DIGEST_BYTES];
    uint32_t len_bytes;
    uint8_t envelope[LAB_ENVELOPE_MAX_BYTES];
};

/* A change of flash that is about to be made; `data` NULL: an erase, or a sync when len_bytes is 0 too. */
struct lab_flash_change {
    uint32_t address;
    uint32_t len_bytes;
    const uint8_t *data;
};

struct uplink_lab {
    uint64_t device_id;
    struct port_keys *keys; /* NULL: one key for ever */
    const struct fw_renew *renew;
    /* Called before each change of flash; may make a part of it and not return. NULL: nobody is asked. */
    void (*on_flash)(void *ctx, const struct lab_flash_change *change);
    void *on_flash_ctx;
    uint64_t now_ms;
    uint64_t seed;
    uint32_t n_sectors;
    uint8_t flash_bytes[LAB_MAX_SECTORS * LAB_SECTOR_BYTES];
    uint64_t n_offered;        /* records; the number of each is its sample's value */
    bool signatures_are_sound; /* what the device's own check of a batch says */

    bool net_is_open;
    uint8_t address;
    uint32_t n_opens;
    struct lab_request requests[LAB_MAX_REQUESTS];
    uint32_t n_posts;
    uint32_t n_heads;
    uint32_t seen_stream; /* of the digests below, which were posted */
    uint8_t seen_digests[LAB_MAX_SEEN][WIRE_DIGEST_BYTES];

    struct port_clock clock;
    struct port_random random;
    struct port_log log;
    struct port_sign sign;
    struct port_verify verify;
    struct port_net net;
    struct port_flash flash;
    struct port_net_events events;
    struct fw_spool_sector sectors[LAB_MAX_SECTORS];
    uint8_t stage[512];
    uint8_t envelope[LAB_ENVELOPE_MAX_BYTES];
    struct fw_spool spool;
    struct fw_collector collector;
    uint32_t wait_ms; /* what the last step answered */
};

/* Blank flash of n_sectors and nothing started; device_id and keys may be set then. */
void lab_blank(struct uplink_lab *lab, uint64_t seed, uint32_t n_sectors);
/* Blank flash of n_sectors, a started collector, one step done: Boot is sealed as batch 0. */
void lab_start(struct uplink_lab *lab, uint64_t seed, uint32_t n_sectors);
/* The same over the flash as it is: a restart after a kill, or after fw_collector_end. */
void lab_restart(struct uplink_lab *lab);

void lab_step(struct uplink_lab *lab);
/* Lets time pass, stepping whenever the collector asked for it. */
void lab_pass(struct uplink_lab *lab, uint64_t ms);

/* Offers n records, each a batch. The record's number goes into its payload. */
void lab_offer(struct uplink_lab *lab, uint32_t n_records);

/* Steps until a session is being opened, and says that it is up; then answers GET /h with nothing known. */
void lab_connect(struct uplink_lab *lab);
void lab_up(struct uplink_lab *lab);
void lab_down(struct uplink_lab *lab, enum port_net_down reason);

/* The waiting request for the head, for a certificate, or for batch seq; NULL: none. */
struct lab_request *lab_head(struct uplink_lab *lab);
struct lab_request *lab_renewal(struct uplink_lab *lab);
struct lab_request *lab_post(struct uplink_lab *lab, uint32_t seq);
uint32_t lab_n_waiting(const struct uplink_lab *lab);

/* Answers a request, which must not be NULL, and steps. The digest of cum_seq is read from the spool's own
 * batch when ack->cum_digest is all zeros. */
void lab_answer(struct uplink_lab *lab, struct lab_request *request, const struct wire_ack *ack,
                uint32_t max_age_s);
void lab_answer_raw(struct uplink_lab *lab, struct lab_request *request, uint8_t coap_code,
                    struct hr_bytes payload);
void lab_time_out(struct uplink_lab *lab, struct lab_request *request);

struct fw_spool_state lab_spool(const struct uplink_lab *lab);
/* The digest of a batch of the newest stream that was posted. */
void lab_digest(struct uplink_lab *lab, uint32_t seq, uint8_t out[WIRE_DIGEST_BYTES]);
/* Looks for a record of that kind in the sealed batches from first_seq on; false: none. */
bool lab_find_record(struct uplink_lab *lab, uint32_t first_seq, enum edge_kind kind,
                     struct edge_record *out);

/* ---- uplink_lab_steps.c: what the tests of the uplink do again and again ---- */

/* The one lab of a test program. */
struct uplink_lab *lab_of_test(void);
/* That lab with a session that is up, an aggregator that knows nothing, and batches 0 (Boot) to n_batches - 1
 * in the spool. */
struct uplink_lab *lab_with(uint32_t n_batches);
struct wire_ack lab_ack_of(enum wire_ack_status status, uint32_t cum_seq);
/* Answer what must be waiting: the post of batch seq, the question for the head. */
void lab_answer_post(struct uplink_lab *lab, uint32_t seq, enum wire_ack_status status, uint32_t cum_seq);
void lab_answer_head(struct uplink_lab *lab, enum wire_ack_status status, uint32_t cum_seq);
/* Accepts one batch after the other until all are acknowledged. */
void lab_drain(struct uplink_lab *lab);
void lab_assert_waits(const struct uplink_lab *lab, uint64_t least_ms, uint64_t most_ms);
/* The first Event that was sealed has this code. */
void lab_assert_event(struct uplink_lab *lab, enum fw_event_code code);

#endif
