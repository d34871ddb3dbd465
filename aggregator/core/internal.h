/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the core share. Memory is always "as if the open group had been committed"; the undo list
 * holds what each touched device was before it, and answers about a touched device wait for the settle. */
#ifndef AGG_INTERNAL_H
#define AGG_INTERNAL_H

#include "aggregator/core/admit.h"
#include "aggregator/core/scan.h"
#include "proto/base/assert.h"

#include <stdatomic.h>

enum {
    GROUP_MAX_ANSWERS = 1024,
    GROUP_MAX_DEVICES = LEDGER_COMMIT_MAX_BATCHES,
    GROUP_MAX_STREAMS = 2 * LEDGER_COMMIT_MAX_BATCHES,
    GROUP_MAX_LOSSES = 64,
    GROUP_MAX_CONFLICTS = 64,
    GROUP_MAX_ANCHORS = 512,
    GROUP_MAX_AUDITS = 512,
    GROUP_MAX_CERTIFICATES = 8, /* of one decision, which is a group by itself */
    GROUP_MAX_OLD_KEYS = 512,
    N_STATUSES = WIRE_ACK_STREAM_AHEAD + 1,
    SACK_BITS = 32,
};

/* Index + 1 into an array; 0 is "none". */
typedef uint32_t agg_ref;

/* A transport key of a device; its certificate stands in the ledger alone. */
struct agg_certificate {
    uint32_t number; /* 0: a free place */
    bool is_barred;
    uint8_t key[WIRE_DIGEST_BYTES];
    int64_t issued_utc_ms, used_utc_ms, ends_utc_ms;
};

/* The same for other threads. A place keeps its key until another takes it, so that what is read while it is
 * written is at worst no key at all. */
struct agg_pass_place {
    _Atomic uint64_t key[4];
    _Atomic int64_t ends_utc_ms; /* 0: no end */
    atomic_bool is_barred, is_used;
};

/* What a group may change of a device, and a rollback puts back. */
struct agg_device_state {
    struct ledger_device entry;
    bool is_known; /* false: the place is taken but its registration was not committed */
    uint32_t n_streams;
    struct ledger_stream streams[AGG_DEVICE_STREAMS_KEPT]; /* newest first */
    uint32_t last_number;                                  /* of its transport keys; 0: none is known */
    struct agg_certificate certificates[AGG_DEVICE_CERTIFICATES];
};

struct agg_device {
    uint64_t device_id; /* this and next are constant once the device is in its bucket */
    agg_ref next;
    atomic_bool may_connect;
    atomic_bool is_judged; /* by its transport key */
    struct agg_pass_place passes[AGG_DEVICE_CERTIFICATES];
    agg_ref undo;                          /* into group.undo: touched by the open group */
    agg_ref rows[AGG_DEVICE_STREAMS_KEPT]; /* into group.streams, beside state.streams */
    agg_ref held;                          /* its first held batch */
    uint32_t n_held;
    struct agg_device_state state;
};

struct agg_held {
    struct agg_batch *batch;
    struct agg_device *device; /* NULL: free */
    agg_ref next;              /* of the device, or of the free list */
    uint64_t since_ms;
    bool is_answered;
};

struct agg_waiting {
    struct agg_batch *batch; /* NULL: GET /h */
    struct agg_device *device;
    struct source_ticket ticket;
    uint32_t stream;
    enum wire_ack_status status;
    bool is_answered; /* nobody waits any more; the batch is only released */
};

struct agg_undo {
    struct agg_device *device;
    bool is_entry_changed;
    struct agg_device_state before;
};

struct agg_group {
    bool is_taken; /* between take and settle */
    struct ledger_commit change;
    uint64_t pending_counts[AGG_N_COUNTERS]; /* added when the group has committed */
    uint32_t n_undo, n_batches, n_streams, n_losses, n_conflicts, n_anchors, n_audits, n_enrolments,
        n_certificates, n_old_keys, n_waiting;
    struct agg_undo undo[GROUP_MAX_DEVICES];
    struct ledger_batch batches[LEDGER_COMMIT_MAX_BATCHES];
    struct ledger_stream streams[GROUP_MAX_STREAMS];
    struct ledger_device devices[GROUP_MAX_DEVICES];
    struct ledger_loss losses[GROUP_MAX_LOSSES];
    struct ledger_conflict conflicts[GROUP_MAX_CONFLICTS];
    struct ledger_anchor anchors[GROUP_MAX_ANCHORS];
    struct ledger_audit audits[GROUP_MAX_AUDITS];
    struct ledger_enrolment enrolments[1];
    struct ledger_certificate certificates[GROUP_MAX_CERTIFICATES];
    struct ledger_old_key old_keys[GROUP_MAX_OLD_KEYS];
    struct agg_waiting waiting[GROUP_MAX_ANSWERS];
};

struct agg_core {
    struct agg_limits limits;
    struct agg_ports ports;
    _Atomic uint64_t counters[AGG_N_COUNTERS];
    _Atomic uint64_t answered[N_STATUSES];
    _Atomic uint32_t n_devices;
    _Atomic uint32_t n_held;
    struct hr_status load_status;
    bool is_fenced;
    bool has_undrained; /* the group was full while held batches had their turn */
    int64_t last_received_utc_ms;
    uint32_t bucket_mask;
    _Atomic agg_ref *buckets;
    struct agg_device *devices;
    struct agg_held *held;
    agg_ref free_held;
    struct agg_group group;
};

/* ---- device.c: the table of devices ---- */
struct agg_device *agg_find(const struct agg_core *core, uint64_t device_id);
/* As find, or a new place that is not known yet; NULL: max_devices are there. */
struct agg_device *agg_find_or_add(struct agg_core *core, uint64_t device_id);
/* The kept row of a stream, or NULL. */
const struct ledger_stream *agg_stream_of(const struct agg_device *device, uint32_t stream);
/* A row for a batch or Loss that is being staged: touches the device, makes the row when the stream is new.
 * The change made through it must be handed to agg_stage_row. */
struct ledger_stream *agg_stream_open(struct agg_core *core, struct agg_device *device, uint32_t stream);
/* The sequence number that comes next; 2^32 - 1 is never reached. */
uint32_t agg_next_seq(const struct ledger_stream *row);
void agg_refresh_session_state(struct agg_device *device);
/* OK, or why nothing of a device in this state is taken: REVOKED, QUARANTINED. */
enum wire_ack_status agg_device_stands(const struct ledger_device *entry);

/* ---- counters.c ---- */
void agg_count(struct agg_core *core, enum agg_counter counter, uint64_t n);
/* Counts when the open group has committed. */
void agg_count_staged(struct agg_core *core, enum agg_counter counter, uint64_t n);
void agg_emit(struct agg_core *core, enum agg_event_kind kind, const struct agg_batch *batch, uint64_t n,
              const char *text);

/* ---- group.c: the open group and the answers ---- */
void agg_touch(struct agg_core *core, struct agg_device *device);
void agg_touch_entry(struct agg_core *core, struct agg_device *device);
/* Puts the row into the group's change. */
void agg_stage_row(struct agg_core *core, struct agg_device *device, const struct ledger_stream *row);
/* Answers now, or at the settle when the device is touched, and releases. */
void agg_finish(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                enum wire_ack_status status);
/* Answers at the settle. */
void agg_finish_later(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                      enum wire_ack_status status, bool is_answered);
/* Sends an answer at once; state in memory must be durable. device may be NULL. */
void agg_answer(struct agg_core *core, const struct agg_device *device, struct source_ticket ticket,
                uint32_t stream, enum wire_ack_status status);
void agg_answer_head(struct agg_core *core, const struct agg_device *device, struct source_ticket ticket,
                     uint32_t stream);

/* ---- order.c: where a batch stands ---- */
/* Decides about a verified batch of a device that may send. */
void agg_order(struct agg_core *core, struct agg_device *device, struct agg_batch *batch);
/* Decides about a held batch that has become next in its stream. is_answered: nobody waits for it. */
void agg_order_held(struct agg_core *core, struct agg_device *device, struct agg_batch *batch,
                    bool is_answered);
/* Stores the evidence, puts the device in quarantine and answers everything of it that is held. */
void agg_conflict(struct agg_core *core, struct agg_device *device, struct agg_batch *batch, bool is_answered,
                  enum wire_ack_status status, const uint8_t known_digest[WIRE_DIGEST_BYTES]);

/* ---- hold.c: batches ahead of a gap ---- */
void agg_hold(struct agg_core *core, struct agg_device *device, struct agg_batch *batch);
/* Stages what is held and has become next. */
void agg_hold_drain(struct agg_core *core, struct agg_device *device);
/* Lets go, with `status`, of what is held of the stream up to `to_seq`. */
void agg_hold_drop(struct agg_core *core, struct agg_device *device, uint32_t stream, uint32_t to_seq,
                   enum wire_ack_status status);
void agg_hold_drop_all(struct agg_core *core, struct agg_device *device, enum wire_ack_status status);
uint32_t agg_hold_sack(const struct agg_core *core, const struct agg_device *device, uint32_t stream);
void agg_hold_drain_all(struct agg_core *core);

/* ---- loss.c ---- */
/* Moves the stream over the holes that the batch's Loss records state. True: it moved. */
bool agg_loss_apply(struct agg_core *core, struct agg_device *device, struct agg_batch *batch);

/* ---- audit.c ---- */
/* Who did what, and why; an actor or reason of 63 characters at most, an action of 15. */
struct agg_cause {
    const char *actor;
    const char *action;
    const char *reason;
};
/* Stages the audit entry of a change that is made: from `before` (NULL: the device was not known) to what the
 * device is now. */
void agg_audit(struct agg_core *core, const struct agg_device *device, const struct ledger_device *before,
               const struct agg_cause *cause);
/* The entry that was staged last marks this range, too. */
void agg_audit_suspect(struct agg_core *core, const struct ledger_suspect *suspect);

/* ---- cut.c: revoked from a place on ---- */
/* Below, equal, above: less than, or 0, or more than 0. */
int agg_compare_places(uint32_t stream_a, uint32_t seq_a, uint32_t stream_b, uint32_t seq_b);
/* What comes next of the device: behind the newest batch of its newest stream. */
void agg_head_place(const struct agg_device *device, uint32_t *stream, uint32_t *seq);
/* Does the batch stand at or behind the cut of a revoked device? */
bool agg_is_cut_off(const struct ledger_device *entry, const struct wire_header *header);
/* Why a revocation can't be from that place; NULL: it can. Static text. */
const char *agg_cut_objection(const struct agg_device *device, const struct agg_decision *decision);
/* What a revocation would bring: fills cut, head and suspect. */
void agg_cut_plan(const struct agg_device *device, const struct agg_decision *decision,
                  struct agg_decided *out);
/* A batch is staged: the last one before an open cut closes it. */
void agg_cut_reached(struct agg_core *core, struct agg_device *device);
/* Closes an open cut because of what the batch proves. */
void agg_cut_refuse(struct agg_core *core, struct agg_device *device, const struct agg_batch *batch,
                    const char *why);

/* ---- transport.c: transport keys ---- */
/* At start. */
HR_MUST_USE struct hr_status agg_certificates_load(struct agg_core *core);
/* Shows the other threads what the device's keys are. */
void agg_certificates_publish(struct agg_device *device);
/* The place of a key in memory; NULL: it has none. */
struct agg_certificate *agg_certificate_of(struct agg_device *device, const uint8_t key[WIRE_DIGEST_BYTES]);
/* Stages another key as the newest, with its certificate (empty: not known). The device was touched. A key
 * that can be spared makes room; `spared_not` (NULL: none) can't. */
struct agg_certificate *agg_certificate_add(struct agg_core *core, struct agg_device *device,
                                            const uint8_t key[WIRE_DIGEST_BYTES], struct hr_bytes certificate,
                                            const struct agg_certificate *spared_not);
/* Stages the times of a key, which were changed. */
void agg_certificate_stage(struct agg_core *core, const struct agg_device *device,
                           const struct agg_certificate *certificate);
/* The row of a key in the ledger. HR_NOT_FOUND: none. HR_AGAIN: it can't be read now. */
HR_MUST_USE struct hr_status agg_certificate_find(const struct agg_core *core, uint64_t device_id,
                                                  const uint8_t key[WIRE_DIGEST_BYTES],
                                                  struct ledger_certificate *out);
/* As add, of hardware that is certified: it may be hardware that was replaced and has come back, which is
 * good again. Touches the device. HR_AGAIN: nothing was changed. */
HR_MUST_USE struct hr_status agg_certificate_enrol(struct agg_core *core, struct agg_device *device,
                                                   const uint8_t key[WIRE_DIGEST_BYTES],
                                                   struct hr_bytes certificate);
/* Bars all that the device has; it was touched. */
void agg_certificates_bar(struct agg_core *core, struct agg_device *device);
bool agg_certificate_is_over(const struct agg_certificate *certificate, int64_t now_utc_ms);
int64_t agg_overlap_end(const struct agg_core *core);
/* Decisions of a person; codes and out as agg_decide, which checked the device. */
HR_MUST_USE struct hr_status agg_ask_transport(struct agg_core *core, struct agg_device *device,
                                               const struct agg_decision *decision, struct agg_decided *out);
HR_MUST_USE struct hr_status agg_readmit(struct agg_core *core, struct agg_device *device,
                                         const struct agg_decision *decision, struct agg_decided *out);

/* ---- registry.c ---- */
/* Tells the device's state and revision. */
void agg_announce(struct agg_core *core, const struct agg_device *device, enum agg_event_kind kind);

/* ---- keys.c ---- */
/* OK, or why the batch's key may not sign there: UNKNOWN_KEY, REVOKED, BAD_SIGNATURE. A key of which only the
 * ledger knows can sign nothing new: BAD_SIGNATURE. */
enum wire_ack_status agg_key_stands(const struct ledger_device *entry, const struct wire_header *header);
/* Has `entry`, which is or becomes that of the device, room for one more key? Of the keys before it the
 * newest stays, and every one that may still sign; others leave memory for the ledger. */
bool agg_key_room(struct agg_core *core, const struct agg_device *device, struct ledger_device *entry);
/* As that, and changes nothing. */
bool agg_key_has_room(const struct agg_device *device, const struct ledger_device *entry);
/* Was it ever a record key of the device? */
bool agg_key_is_used(const struct agg_core *core, const struct ledger_device *entry,
                     const uint8_t spki[LEDGER_SPKI_MAX_BYTES]);
/* Leaves out of a device that was loaded what need not be in memory. */
void agg_keys_trim(struct agg_device *device);
void agg_key_switch(struct agg_core *core, struct agg_device *device, const struct agg_batch *batch,
                    const struct edge_key_switch *key_switch);
/* A batch is staged: the first one under the newest key ends the rotation. */
void agg_key_used(struct agg_core *core, struct agg_device *device, const struct agg_batch *batch);
/* enum wire_hint for an ack to the device. */
uint8_t agg_hints(const struct agg_core *core, const struct agg_device *device);

#endif
