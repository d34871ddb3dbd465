/* SPDX-License-Identifier: Apache-2.0
 *
 * The core: decides what is committed, in which order, and what each device is told. Pure: no thread, no
 * clock, no disk, no heap after it was placed. One thread, the core thread, drives it:
 *
 *     agg_core_load                                at start
 *     agg_submit / agg_head / agg_register / agg_tick     as things come; a full group is committed first
 *     change = agg_group_take(core)                when agg_group_is_full, or the window ends, or nothing
 * waits status = ledger->commit(change)              may block agg_group_settle(core, status) answers go out:
 * never before, never without
 *
 * Promises. I1: an answer's cum_seq is durable (or covered by a durable Loss) when it leaves. I2: a (device,
 * stream, seq) is committed once and its digest never changes. Whatever was staged in a group that could not
 * be committed is as if it had never come; its senders are told UNAVAILABLE. PROTOCOL 1.5, 1.6, 2.5, 4.3;
 * proto/SPEC.md section 4. */
#ifndef AGG_ADMIT_H
#define AGG_ADMIT_H

#include "aggregator/core/counters.h"
#include "aggregator/io/clock.h"
#include "aggregator/io/ledger.h"
#include "aggregator/io/source.h"

enum {
    AGG_HELD_PER_DEVICE = 8,   /* verified batches ahead of a gap, in memory; a device has one live stream */
    AGG_HOLD_ANSWER_MS = 2000, /* then a held batch is answered gap, with its sack bit */
    AGG_HOLD_DROP_MS = 30000,  /* then it is dropped; the device sends it again */
    AGG_DEVICE_STREAMS_KEPT =
        2, /* newest streams of a device in memory; the ledger is asked for older ones */
    AGG_DEVICE_CERTIFICATES = 4, /* transport keys of a device that may open a session at the same time */
};

/* An envelope that the verify room has judged. The struct and the envelope's bytes belong to the driver,
 * which lends them from agg_submit until `release`; nothing is copied. */
struct agg_batch {
    struct source_ticket ticket;
    uint64_t certified_device_id;
    int64_t received_utc_ms;
    enum wire_ack_status verdict; /* WIRE_ACK_OK: header, signature and root are right */
    bool has_parts;               /* parts and digest are filled; always with WIRE_ACK_OK */
    struct wire_envelope parts;
    struct hr_bytes envelope;
    uint8_t digest[WIRE_DIGEST_BYTES];
    void *owner; /* the driver's own; not looked at */
};

/* Things worth a line in the log. */
enum agg_event_kind {
    AGG_EVENT_STREAM_STARTED, /* text: how its anchor stands: "known", "zero" or "other" */
    AGG_EVENT_LOSS,           /* seq..to_seq moved over; n: records lost */
    AGG_EVENT_LOSS_REFUSED,
    AGG_EVENT_FORK,         /* evidence is stored and the device quarantined */
    AGG_EVENT_EQUIVOCATION, /* likewise */
    AGG_EVENT_RECORD_DISCONTINUITY,
    AGG_EVENT_KEY_SWITCHED, /* n: the new epoch */
    AGG_EVENT_KEY_SWITCH_REFUSED,
    AGG_EVENT_DEVICE_STATE, /* text: the new state; sessions of a revoked device are to be dropped */
    AGG_EVENT_REGISTRY_REFUSED,
    AGG_EVENT_REGISTRY_OUTDATED, /* an entry says otherwise (text: the state), but its revision is not above n
                                  */
    AGG_EVENT_LEDGER_FULL,
    AGG_EVENT_LEDGER_AWAY, /* the database can't be reached; nothing is lost, collectors wait */
    AGG_EVENT_FENCED,      /* another writer took over: nothing is accepted any more */
    AGG_EVENT_CLOCK_STEP,
};

struct agg_event {
    enum agg_event_kind kind;
    uint64_t device_id;
    uint32_t stream;
    uint32_t seq;
    uint32_t to_seq;
    uint64_t n;
    const char *text; /* static storage, or NULL */
};

/* What the core needs from outside. Functions are called on the core thread, from within the calls below. */
struct agg_ports {
    struct agg_clock clock;
    const struct wire_hash *hash;
    struct source_answers answers;
    const struct ledger *ledger; /* the core reads: find_digest, load_streams, load_devices */
    /* The driver has its batch back. */
    void (*release)(void *ctx, struct agg_batch *batch);
    /* A record key is (or was at start) registered: signatures under it can be verified from now on. */
    void (*key_added)(void *ctx, uint64_t device_id, const struct ledger_key *key);
    /* A record key can sign nothing any more, and need not be kept. NULL: nobody asks. */
    void (*key_dropped)(void *ctx, uint64_t device_id, uint16_t epoch);
    /* Does this ES256 signature over message hold under that key? Used for the proof in a KeySwitch. */
    bool (*proof_holds)(void *ctx, struct hr_bytes spki, struct hr_bytes message,
                        const uint8_t signature[WIRE_SIGNATURE_BYTES]);
    void (*event)(void *ctx, const struct agg_event *event);
    void *ctx;
};

struct agg_limits {
    uint32_t max_devices;   /* 1 to 16,777,216 */
    uint32_t max_held;      /* batches ahead of gaps, of all streams together; 1 to 65,536 */
    uint32_t retry_after_s; /* Max-Age of UNAVAILABLE */
    int64_t key_max_age_ms; /* of a record key before its device is asked for another; 0: no age */
    /* How long a transport key is good from the first session with a newer one on; 0: 30 days. */
    int64_t certificate_overlap_ms;
};

struct agg_core;

/* Bytes that a core of these limits needs, and how it is placed in them (aligned as malloc aligns). Ports are
 * copied; what they point to is kept. */
size_t agg_core_bytes(const struct agg_limits *limits);
struct agg_core *agg_core_place(void *memory, const struct agg_limits *limits, const struct agg_ports *ports);

/* Reads devices and streams from the ledger. HR_FULL: more devices than max_devices. Else as the ledger says.
 */
HR_MUST_USE struct hr_status agg_core_load(struct agg_core *core);

/* Takes a judged batch. It is answered, exactly once, now or at a later settle or tick, and released. Asserts
 * that the group is not full. */
void agg_submit(struct agg_core *core, struct agg_batch *batch);
/* GET /h?s=stream: answered once, now or at the next settle. Asserts that the group is not full. */
void agg_head(struct agg_core *core, struct source_ticket ticket, uint64_t certified_device_id,
              uint32_t stream);

/* Takes over a registry entry into the open group. HR_OK: taken, or nothing new in it. HR_AGAIN: the group is
 * full. HR_DENIED: it gives an epoch another key than it has. HR_FULL: max_devices, or more than
 * LEDGER_DEVICE_MAX_KEYS keys that may still sign. After any but HR_OK the device is as before. A state is
 * taken over only with a higher revision: a device that the core put in quarantine stays there until somebody
 * decides. State ENROLLED and ACTIVE both mean "may send". */
HR_MUST_USE struct hr_status agg_register(struct agg_core *core, const struct ledger_device *entry);

/* What a person may decide about a device (PROTOCOL 2.2). */
enum agg_decision_kind {
    AGG_QUARANTINE, /* a device that may send */
    AGG_RELEASE,    /* one in quarantine */
    AGG_REVOKE,     /* any but a retired one; it comes back only by a registry entry of higher revision. Said
                     * again with an earlier place, it marks more */
    AGG_RETIRE,     /* any; likewise */
    AGG_ROTATE,     /* one that may send is asked for a new record key, in its acks, until that has come */
    AGG_ROTATE_TRANSPORT, /* likewise for another transport key, until it is certified */
    AGG_READMIT,          /* one whose transport key is over, or not known: the key opens sessions again */
    AGG_N_DECISIONS,
    AGG_RENEWAL,    /* none of these: agg_renewal, and agg_key_seen */
    AGG_FIRST_SEEN, /* a session was opened with a transport key for the first time */
};

/* The transport keys that are spoken of, by the SHA-256 of their SubjectPublicKeyInfo. */
struct agg_shown {
    uint8_t key[WIRE_DIGEST_BYTES]; /* AGG_RENEWAL: of the session; else the one that is meant */
    uint16_t certificate_len_bytes; /* of that key; 0: not known */
    uint8_t certificate[LEDGER_CERTIFICATE_MAX_BYTES];
    uint8_t next_key[WIRE_DIGEST_BYTES]; /* AGG_RENEWAL: the other one, and its certificate */
    uint16_t next_certificate_len_bytes;
    uint8_t next_certificate[LEDGER_CERTIFICATE_MAX_BYTES];
};

struct agg_decision {
    uint64_t device_id;
    enum agg_decision_kind kind;
    const char *actor;             /* who decides; 63 characters at most stand in the audit entry */
    const char *reason;            /* likewise */
    bool dry_run;                  /* tells what would come of it, and changes nothing */
    const struct agg_shown *shown; /* NULL but for AGG_RENEWAL, AGG_FIRST_SEEN, and AGG_READMIT of one key */
    /* AGG_REVOKE: it is not to be believed from this place on, which is when the compromise is known to have
     * been. What stands before is still taken. Without a place: revoked at once. */
    bool has_place;
    uint32_t stream, seq;
};

struct agg_decided {
    enum ledger_device_state before;
    enum ledger_device_state after;
    uint32_t revision; /* behind the decision */
    bool is_new;       /* false: the device was there already, nothing is staged and no entry written */
    const char *why;   /* with HR_DENIED: a sentence, static storage; NULL: it is the state */
    /* Of AGG_REVOKE that is new: */
    enum ledger_cut cut;            /* OPEN: what stands between head and place is awaited */
    uint32_t head_stream, head_seq; /* with a place: what comes next of the device */
    struct ledger_suspect suspect;  /* with a place: what is committed from there on */
};

/* Takes a decision into the open group, with its audit entry: the device's next batch is judged by it. HR_OK:
 * *out is filled. HR_AGAIN: the group is full. HR_NOT_FOUND: no such device. HR_DENIED: not from the state
 * that the device is in, out->before. HR_FULL: its revision is the highest there is. After any but HR_OK the
 * device is as before. */
HR_MUST_USE struct hr_status agg_decide(struct agg_core *core, const struct agg_decision *decision,
                                        struct agg_decided *out);

/* Stages the certificate of another transport key for the device of a session, with its audit entry; from
 * the commit on the key opens sessions, and a request for one is answered. A device that had no key here gets
 * the one of its session too. decision->kind is AGG_RENEWAL. Codes and *out as agg_decide; HR_OK with is_new
 * false: the ledger has a certificate for that key, which is the one to hand out. HR_DENIED: not over this
 * session, out->why tells. [core thread] */
HR_MUST_USE struct hr_status agg_renewal(struct agg_core *core, const struct agg_decision *decision,
                                         struct agg_decided *out);

/* Stages that a session was opened with a key for the first time: the older ones end an overlap later.
 * decision->kind is AGG_FIRST_SEEN. Codes and *out as agg_decide. [core thread] */
HR_MUST_USE struct hr_status agg_key_seen(struct agg_core *core, const struct agg_decision *decision,
                                          struct agg_decided *out);
/* Notes in the open group which version of the trust bundle the device has. No audit entry: it changes
 * nothing of what it may. Asserts that the group is not full. */
void agg_has_bundle(struct agg_core *core, uint64_t device_id, uint32_t version);

/* Answers and drops held batches whose time has come. Call about every 100 ms. */
void agg_tick(struct agg_core *core);

/* True when the group must be committed before the next submit, head or register. */
bool agg_group_is_full(const struct agg_core *core);
/* Answers that wait for the open group; 0: nothing is staged (a registry entry counts as one). */
uint32_t agg_group_waiting(const struct agg_core *core);
/* The change to commit, or NULL when there is nothing to. Lives until settle, which must be the next call. A
 * group may hold answers but no change: settle it with HR_OK (agg_group_take returned NULL and waiting is not
 * 0). */
const struct ledger_commit *agg_group_take(struct agg_core *core);
/* Ends the group. HR_OK: all is durable; answers go out. HR_FULL: nothing was; memory is as before the group
 * and answers are UNAVAILABLE. HR_AGAIN: the same. HR_DENIED: as HR_FULL, and from now on every batch is
 * answered UNAVAILABLE. Any other status is a bug of the driver (after HR_IO the process ends without
 * answering). */
void agg_group_settle(struct agg_core *core, struct hr_status result);

/* At shutdown, with no open group: answers everything held and releases it. */
void agg_core_drain(struct agg_core *core);

/* May a device with this certificate have a session? Known, and neither revoked nor retired. [any thread] */
bool agg_admits(const struct agg_core *core, uint64_t device_id);
/* What a transport key is to a device that is admitted. One that has no key here is not judged by it: it was
 * enrolled before there were such rows, or by files. [any thread] */
enum agg_pass {
    AGG_PASS_GOOD,
    AGG_PASS_FIRST,      /* good, and no session is known of it: agg_key_seen */
    AGG_PASS_SUPERSEDED, /* good until its end; a newer one has been used */
    AGG_PASS_ENDED,
    AGG_PASS_REPLACED, /* of hardware that was replaced */
    AGG_PASS_UNKNOWN,
};
enum agg_pass agg_judge_key(const struct agg_core *core, uint64_t device_id,
                            const uint8_t key[WIRE_DIGEST_BYTES], int64_t now_utc_ms);

/* A counter's value; and how many answers of a status went out. [any thread] */
uint64_t agg_counter(const struct agg_core *core, enum agg_counter counter);
uint64_t agg_answered(const struct agg_core *core, enum wire_ack_status status);
/* Gauges. [any thread] */
uint64_t agg_devices_known(const struct agg_core *core);
uint64_t agg_batches_held_now(const struct agg_core *core);

/* The registry's view of a device, or NULL; borrowed until the next call. [core thread] */
const struct ledger_device *agg_device_find(const struct agg_core *core, uint64_t device_id);

#endif
