/* SPDX-License-Identifier: Apache-2.0
 *
 * The core on a bench: the real core over the real SQLite ledger, driven by hand. Its clock is set by the
 * test, its disk fails on order (fault_vfs.h), and what it answers is kept. Checks on its own that every
 * batch it lent is released once and every request answered once. */
#ifndef CORE_LAB_H
#define CORE_LAB_H

#include "aggregator/core/admit.h"
#include "tests/support/batch_maker.h"
#include "tests/support/temp_folder.h"

enum { LAB_MAX_SLOTS = 1024, LAB_MAX_EVENTS = 64, LAB_MAX_TICKETS = 1 << 20 };

struct lab_slot {
    bool is_lent;
    struct agg_batch batch;
    uint8_t bytes[MAKER_ENVELOPE_MAX_BYTES];
};

struct verify_keyring;

struct core_lab {
    struct verify_keyring *keyring; /* gets every key that is added; NULL: they are only counted */
    struct temp_folder folder;
    char path[2 * TEMP_PATH_CHARS];
    struct ledger ledger;
    bool fails_find_digest; /* the ledger can't be read */
    struct agg_limits limits;
    void *memory;
    struct agg_core *core;
    uint64_t now_ms; /* both clocks */
    uint64_t n_tickets;
    uint64_t n_answers;
    struct source_answer *answers; /* by ticket; LAB_MAX_TICKETS */
    bool *is_answered;
    uint32_t n_events;
    struct agg_event events[LAB_MAX_EVENTS]; /* the last ones, as a ring */
    uint32_t n_keys_added, n_keys_dropped;
    struct lab_slot *slots;
};

void core_lab_open(struct core_lab *lab, const struct agg_limits *limits);
/* Ends the process, so to speak, and starts it again: memory is gone, requests are never answered. */
void core_lab_crash(struct core_lab *lab);
/* Starts it over an empty ledger, at the first moment. What it had is forgotten; limits of the same sizes may
 * be set before. */
void core_lab_blank(struct core_lab *lab);
/* Fails the test when something is lent or unanswered; then cleans up. */
void core_lab_close(struct core_lab *lab);

/* Registers a device with key epoch 1, valid from the start, and commits that. */
void core_lab_enrol(struct core_lab *lab, uint64_t device_id);
struct ledger_device core_lab_entry(uint64_t device_id, enum ledger_device_state state, uint32_t revision);

/* Submits a batch as verified, or with another verdict; gives its ticket. Flushes first when the group is
 * full. */
uint64_t core_lab_post(struct core_lab *lab, const struct made_batch *batch);
uint64_t core_lab_post_verdict(struct core_lab *lab, const struct made_batch *batch,
                               enum wire_ack_status verdict);
uint64_t core_lab_head(struct core_lab *lab, uint64_t device_id, uint32_t stream);
/* Commits and settles the group; gives what the ledger said. */
struct hr_status core_lab_flush(struct core_lab *lab);
/* Posts, flushes and gives the answer, which must be there. */
struct wire_ack core_lab_ask(struct core_lab *lab, const struct made_batch *batch);
/* The answer to a ticket, or NULL. */
const struct source_answer *core_lab_answer(const struct core_lab *lab, uint64_t ticket);
/* The answer has this status and tells that `cum` is the newest of its stream; NULL: nothing is. */
void core_lab_assert_ack(struct wire_ack ack, enum wire_ack_status status, const struct made_batch *cum);
/* How often an event of this kind came among the last ones. */
uint32_t core_lab_events(const struct core_lab *lab, enum agg_event_kind kind);

uint64_t core_lab_size(const struct core_lab *lab);
/* The stored row of a stream; false: none. */
bool core_lab_stream(const struct core_lab *lab, uint64_t device_id, uint32_t stream,
                     struct ledger_stream *out);
/* The stored device; fails the test when there is none. */
struct ledger_device core_lab_device(const struct core_lab *lab, uint64_t device_id);
uint32_t core_lab_n_conflicts(const struct core_lab *lab, uint64_t device_id);
uint32_t core_lab_n_losses(const struct core_lab *lab, uint64_t device_id);

#endif
