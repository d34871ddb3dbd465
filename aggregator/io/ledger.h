/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger: what is committed, in the order in which it was committed. One writer at a time, fenced by a
 * writer epoch; any number of readers. SQLite and PostgreSQL stand behind this header and one test suite runs
 * against each. PROTOCOL: leaf numbers are dense from 0 and given inside the transaction; a row, once
 * committed, never changes. */
#ifndef AGG_LEDGER_H
#define AGG_LEDGER_H

#include "aggregator/io/feed.h"
#include "proto/base/bytes.h"
#include "proto/base/status.h"
#include "proto/edge/record.h"
#include "proto/wire/batch.h"

enum {
    LEDGER_COMMIT_MAX_BATCHES = 256,
    LEDGER_SPKI_MAX_BYTES = 91,
    LEDGER_NAME_MAX_CHARS = 63,
    LEDGER_DEVICE_MAX_KEYS = 8,
    LEDGER_AUDIT_MAX_CHARS = 15, /* of an action */
    LEDGER_NONCE_BYTES = 16,
    LEDGER_CERTIFICATE_MAX_BYTES = 640,
};

struct ledger_batch {
    uint64_t leaf; /* given by commit, ascending in the order of the array */
    uint64_t device_id;
    uint32_t stream;
    uint32_t seq;
    int64_t received_utc_ms;
    uint8_t digest[WIRE_DIGEST_BYTES];
    struct hr_bytes envelope; /* header, signature, payload, as they came; borrowed */
};

/* Where a stream stands. cum_* is WIRE_SEQ_NONE / zeros before its first batch. */
struct ledger_stream {
    uint64_t device_id;
    uint32_t stream;
    uint32_t cum_seq;
    uint8_t cum_digest[WIRE_DIGEST_BYTES];
    uint64_t next_record_seq;
    uint32_t key_epoch;    /* of the newest committed batch */
    uint32_t boot_id;      /* likewise */
    uint64_t lost_batches; /* covered by Loss, never delivered */
    uint64_t lost_records;
};

enum ledger_device_state {
    LEDGER_DEVICE_ENROLLED = 0,
    LEDGER_DEVICE_ACTIVE = 1,
    LEDGER_DEVICE_QUARANTINED = 2,
    LEDGER_DEVICE_REVOKED = 3,
    LEDGER_DEVICE_RETIRED = 4,
    LEDGER_DEVICE_CLAIMED = 5,  /* its hardware is known, and has no identity yet */
    LEDGER_DEVICE_ROTATING = 6, /* active, and nothing has come under its newest record key yet */
};

#define LEDGER_DEVICE_STATE_LAST LEDGER_DEVICE_ROTATING

/* A record key is valid for batches (stream, seq) from `from` on and before `to`, compared as pairs. */
struct ledger_key {
    uint16_t epoch;
    uint16_t spki_len_bytes;
    uint8_t spki[LEDGER_SPKI_MAX_BYTES]; /* DER SubjectPublicKeyInfo */
    uint32_t from_stream, from_seq;
    uint32_t to_stream, to_seq; /* 0xFFFFFFFF both: no end */
    bool revoked;
    int64_t since_utc_ms; /* when it became known; 0: not told */
};

/* Of a device that is revoked: from a place on, or at once. */
enum ledger_cut {
    LEDGER_CUT_NONE = 0,   /* at once: nothing of it is taken */
    LEDGER_CUT_OPEN = 1,   /* what stands before the place is still taken */
    LEDGER_CUT_CLOSED = 2, /* all of that has come, or nothing more of it is taken */
};

/* Somebody asked for another transport key, and no certificate for one was given. */
enum ledger_transport_wish {
    LEDGER_TRANSPORT_NOT,
    LEDGER_TRANSPORT_OF_CURRENT, /* the session of a key that is not superseded may ask for it */
    LEDGER_TRANSPORT_OF_ANY,     /* so may that of a superseded one: the device was let in again */
};

struct ledger_device {
    uint64_t device_id;
    struct ledger_key keys[LEDGER_DEVICE_MAX_KEYS]; /* the newest, by rising epoch when they were read */
    enum ledger_device_state state;
    uint32_t revision; /* of the registry entry; a lower or equal one never overwrites */
    uint16_t n_keys;
    uint16_t first_epoch; /* keys of lower epochs sign nothing any more and stand in the ledger alone; 0: none
                             do. Not stored: it follows from the keys that are */
    bool wants_key;       /* somebody asked for a new record key, and none has come */
    enum ledger_transport_wish wants_transport;
    enum ledger_cut cut;
    uint32_t cut_stream, cut_seq; /* the first place that is not believed; without a cut 0 */
    uint32_t bundle; /* newest version of the trust bundle that it is known to have; 0: unknown */
    char name[LEDGER_NAME_MAX_CHARS + 1];
    char tenant[LEDGER_NAME_MAX_CHARS + 1];
    char reason[LEDGER_NAME_MAX_CHARS + 1]; /* why the state is what it is */
};

/* What the ceremony of provisioning knows of a device (PROTOCOL 2.3). A serial is one device's, and a device
 * has one. */
struct ledger_enrolment {
    uint64_t device_id;
    char serial[LEDGER_NAME_MAX_CHARS + 1];
    char site[LEDGER_NAME_MAX_CHARS + 1];
    uint8_t nonce[LEDGER_NONCE_BYTES];
    uint16_t epoch;                      /* of the record key that this hardware makes */
    uint32_t first_stream;               /* of this hardware; 0: its own choice */
    uint16_t spki_len_bytes;             /* 0: not certified yet */
    uint8_t spki[LEDGER_SPKI_MAX_BYTES]; /* of its transport key */
    uint16_t certificate_len_bytes;
    uint8_t certificate[LEDGER_CERTIFICATE_MAX_BYTES]; /* DER */
};

/* A transport key of a device: only one that is not over opens a session (proto/SPEC.md 4.11). */
struct ledger_certificate {
    uint64_t device_id;
    int64_t issued_utc_ms;
    int64_t used_utc_ms;            /* its first session; 0: none yet */
    int64_t ends_utc_ms;            /* from then on it opens none; 0: no end */
    uint32_t number;                /* of the device's, from 1 on and rising: the highest is the newest */
    uint16_t certificate_len_bytes; /* 0 in a commit: what is stored stays; else it is not known */
    bool is_barred;                 /* of hardware that was replaced: never accepted again */
    uint8_t key[WIRE_DIGEST_BYTES]; /* SHA-256 of the SubjectPublicKeyInfo */
    uint8_t certificate[LEDGER_CERTIFICATE_MAX_BYTES]; /* DER */
};

/* Committed batches of a device that are not to be believed: whoever had its key then may not have been it.
 * Places (stream, seq) from `from` on and before `to`, compared as pairs; none when they are equal. The
 * batches stay. */
struct ledger_suspect {
    uint32_t from_stream, from_seq;
    uint32_t to_stream, to_seq;
};

/* A device was changed: by whom, when, from what to what, and why. Stored in the transaction that makes the
 * change, and never altered or deleted. */
struct ledger_audit {
    uint64_t id;   /* given by the ledger, rising in the order of commit */
    uint64_t leaf; /* likewise: as many leaves were committed with this entry and before it; 0 in an entry of
                    * an earlier version */
    uint64_t device_id;
    int64_t at_utc_ms;
    char actor[LEDGER_NAME_MAX_CHARS + 1]; /* who decided: an operator, "registry", "device", "aggregator" */
    char action[LEDGER_AUDIT_MAX_CHARS + 1];
    enum ledger_device_state old_state;
    enum ledger_device_state new_state;
    uint32_t revision; /* of the device, behind the change */
    /* SHA-256 of the SubjectPublicKeyInfo of the newest record key that is not revoked; zeros: none. */
    uint8_t old_key[WIRE_DIGEST_BYTES];
    uint8_t new_key[WIRE_DIGEST_BYTES];
    char reason[LEDGER_NAME_MAX_CHARS + 1];
    struct ledger_suspect suspect; /* with is_suspect */
    bool is_first;                 /* the device was not known before, old_state says nothing */
    bool has_leaf;                 /* to commit: leaf is told, since a log is made again */
    bool is_suspect;               /* the entry marks a range */
};

/* What stands in a range that is suspect, as far as retention left it. */
struct ledger_suspect_count {
    uint64_t n_batches, n_records;
    uint64_t first_leaf, last_leaf; /* without batches 0 */
};

/* A key that is not in its device's window any more. */
struct ledger_old_key {
    uint64_t device_id;
    struct ledger_key key;
};

/* A page of a list: at most max_rows rows, from the one behind `after` on; 0: from the first. */
struct ledger_page {
    uint64_t after;
    uint32_t max_rows;
};

/* Which devices are wanted of a list; zeroed: all. */
struct ledger_filter {
    const char *name_part; /* those that have this in their name, byte by byte; NULL: any */
    bool has_state;
    enum ledger_device_state state; /* those in it */
};

/* Two signed headers that can't both be true, or any other refusal worth keeping. */
struct ledger_conflict {
    uint64_t device_id;
    uint32_t stream;
    uint32_t seq;
    const char *kind; /* "fork" or "equivocation" */
    int64_t received_utc_ms;
    struct hr_bytes envelope; /* what came */
    uint8_t known_digest[WIRE_DIGEST_BYTES];
};

struct ledger_loss {
    uint64_t device_id;
    uint32_t stream;
    struct edge_loss loss;
    struct hr_bytes envelope; /* the signed batch that says so */
};

/* A time anchor of a device, so that the time of a record is a function of the ledger's content alone. */
struct ledger_anchor {
    uint64_t device_id;
    struct edge_time_anchor anchor;
    uint32_t batch_index; /* into ledger_commit.batches: the batch that holds it */
};

/* One transaction: all of it or nothing. Arrays are borrowed until the call returns. */
struct ledger_commit {
    struct ledger_batch *batches;
    size_t n_batches;
    const struct ledger_stream *streams; /* new state of each stream that changes */
    size_t n_streams;
    const struct ledger_device *devices; /* new state of each device that changes */
    size_t n_devices;
    const struct ledger_conflict *conflicts;
    size_t n_conflicts;
    const struct ledger_loss *losses;
    size_t n_losses;
    const struct ledger_anchor *anchors;
    size_t n_anchors;
    const struct ledger_audit *audits; /* their ids are not looked at */
    size_t n_audits;
    const struct ledger_enrolment *enrolments; /* new state of each that changes */
    size_t n_enrolments;
    const struct ledger_certificate *certificates; /* new ones, and new times of those that are there */
    size_t n_certificates;
    const struct ledger_old_key *old_keys; /* new state of keys that left the window of their device */
    size_t n_old_keys;
};

/* What retention may take: the oldest batches, up to the first that one of these keeps. */
struct ledger_prune {
    uint64_t below_leaf; /* later ones stay, whatever their age: they are not published everywhere */
    int64_t before_ms;   /* so do those that were received then or later */
    uint32_t max_batches;
    int64_t keep_facts_ms; /* facts (io/feed.h) that ended so long before the first batch that stays was
                              received go too, at most LEDGER_PRUNE_FACTS; 0: none */
};

enum { LEDGER_PRUNE_FACTS = 4096 };

/* How much room a log has. */
struct ledger_room {
    uint64_t used_bytes;  /* by rows, without what deleted ones left free */
    uint64_t max_bytes;   /* the bound; 0: the disk's alone */
    bool is_scarce;       /* near the end of it: time to delete what retention would keep */
    const char *why_full; /* static text; NULL: a commit finds room */
};

/* How a log that is made again begins: under its old name, behind what retention had deleted. */
struct ledger_birth {
    const char *origin; /* 32 lower-case hexadecimal digits */
    uint64_t first_leaf;
};

/* Batches from_seq .. to_seq of one stream. */
struct ledger_range {
    uint64_t device_id;
    uint32_t stream;
    uint32_t from_seq, to_seq;
};

struct ledger {
    /* Makes the change durable. HR_OK: it survives a power cut, and leaves are filled in. HR_FULL: no space
     * on the disk; nothing changed, a later call may succeed. HR_AGAIN: the database is away; the same.
     * HR_DENIED: another writer took over; this process acknowledges nothing of it and accepts nothing any
     * more. HR_IO: the outcome is unknown; the process must end without acknowledging (it learns the truth
     * when it starts again). [writer thread] */
    HR_MUST_USE struct hr_status (*commit)(void *ctx, const struct ledger_commit *change);
    /* Does this process still write the log? HR_OK: yes. HR_DENIED: another writer took over, or it was
     * opened for reading. HR_CORRUPT: the log lacks leaves that this writer committed, as a promoted standby
     * may; the process must end. HR_IO: it can't be told now. [any] */
    HR_MUST_USE struct hr_status (*is_writer)(void *ctx);
    /* Number of committed leaves. [any] */
    HR_MUST_USE struct hr_status (*size)(void *ctx, uint64_t *n_leaves);
    /* Hands the committed batches from leaf `from` on, at most max_batches and about max_bytes, to `each`, in
     * leaf order; slices are borrowed during the call of `each`. HR_NOT_FOUND: none at or after `from`.
     * [reader thread: one at a time] */
    HR_MUST_USE struct hr_status (*read)(void *ctx, uint64_t from, uint32_t max_batches, size_t max_bytes,
                                         void (*each)(void *each_ctx, const struct ledger_batch *batch),
                                         void *each_ctx);
    /* The newest anchor of this device and boot in batches up to leaf `leaf`, the batch at `leaf` included.
     * HR_NOT_FOUND: none. [reader thread] */
    HR_MUST_USE struct hr_status (*anchor_at)(void *ctx, uint64_t device_id, uint32_t boot_id, uint64_t leaf,
                                              struct edge_time_anchor *out);
    /* Hands the committed batches of a range of a stream to `each`, in the order of seq; slices are borrowed
     * during its call. HR_OK also when some or all of them are not there: never committed, lost, or deleted
     * by retention. NULL: this ledger can't; nothing that spans batches is normalized. [reader thread, also
     * while `each` of a read runs] */
    HR_MUST_USE struct hr_status (*read_stream)(void *ctx, const struct ledger_range *range,
                                                void (*each)(void *each_ctx,
                                                             const struct ledger_batch *batch),
                                                void *each_ctx);
    /* Calls `each` for every stream, and for every device. At start, before the first commit. [writer thread]
     */
    HR_MUST_USE struct hr_status (*load_streams)(
        void *ctx, void (*each)(void *each_ctx, const struct ledger_stream *stream), void *each_ctx);
    HR_MUST_USE struct hr_status (*load_devices)(
        void *ctx, void (*each)(void *each_ctx, const struct ledger_device *device), void *each_ctx);
    /* Digest of a committed batch. HR_NOT_FOUND: no such row (not committed, or covered by a Loss).
     * HR_CLOSED: the stream has passed that place and retention may have deleted the row. [writer thread] */
    HR_MUST_USE struct hr_status (*find_digest)(void *ctx, uint64_t device_id, uint32_t stream, uint32_t seq,
                                                uint8_t digest[WIRE_DIGEST_BYTES]);
    /* For inspection: calls each for every conflict, and every loss, of a device (0: all), in the order of
     * storing. [reader thread] */
    HR_MUST_USE struct hr_status (*conflicts)(void *ctx, uint64_t device_id,
                                              void (*each)(void *each_ctx, const struct ledger_conflict *row),
                                              void *each_ctx);
    HR_MUST_USE struct hr_status (*losses)(void *ctx, uint64_t device_id,
                                           void (*each)(void *each_ctx, const struct ledger_loss *row),
                                           void *each_ctx);
    /* The registry as it is committed: calls each for a page of devices, by id (those above 2^63 - 1 are not
     * listed), and of the audit entries of one device (0: all), by entry. HR_OK also when the page is empty.
     * HR_NOT_FOUND: a ledger of an older schema without audit entries, opened for reading. HR_IO: it can't be
     * read now. [any thread; one at a time with the calls for the reader thread, for which it waits] */
    HR_MUST_USE struct hr_status (*list_devices)(void *ctx, const struct ledger_page *page,
                                                 void (*each)(void *each_ctx,
                                                              const struct ledger_device *device),
                                                 void *each_ctx);
    HR_MUST_USE struct hr_status (*list_audits)(void *ctx, uint64_t device_id, const struct ledger_page *page,
                                                void (*each)(void *each_ctx, const struct ledger_audit *row),
                                                void *each_ctx);
    /* As list_devices, of those that pass the filter: the ledger looks through all names, and hands out the
     * page alone. */
    HR_MUST_USE struct hr_status (*find_devices)(
        void *ctx, const struct ledger_page *page, const struct ledger_filter *filter,
        void (*each)(void *each_ctx, const struct ledger_device *device), void *each_ctx);
    /* Calls each for every key that a device ever had (0: all devices), by device and epoch: those too that
     * are not in struct ledger_device any more. Codes as of the lists. [any thread; as the lists] */
    HR_MUST_USE struct hr_status (*list_keys)(void *ctx, uint64_t device_id,
                                              void (*each)(void *each_ctx, const struct ledger_old_key *row),
                                              void *each_ctx);
    /* What stands in this range of a device. Reads every batch in it. HR_IO: it can't be read now. [any
     * thread; as the lists] */
    HR_MUST_USE struct hr_status (*count_suspect)(void *ctx, uint64_t device_id,
                                                  const struct ledger_suspect *range,
                                                  struct ledger_suspect_count *out);
    /* What was committed about a serial, or (serial is NULL) about a device. HR_NOT_FOUND: nothing, or a
     * ledger of an older schema. HR_IO: it can't be read now. NULL: this ledger keeps none. [any thread; as
     * the lists] */
    HR_MUST_USE struct hr_status (*find_enrolment)(void *ctx, const char *serial, uint64_t device_id,
                                                   struct ledger_enrolment *out);
    /* All enrolments, by device. Otherwise as the transport keys. */
    HR_MUST_USE struct hr_status (*enrolments)(
        void *ctx, void (*each)(void *each_ctx, const struct ledger_enrolment *row), void *each_ctx);
    /* The transport keys of a device (0: of all), by device and number; and the one of this key.
     * HR_NOT_FOUND: there is no such key. A ledger of an older schema has none. HR_IO: it can't be read now.
     * NULL: this ledger keeps none. [any thread; as the lists] */
    HR_MUST_USE struct hr_status (*certificates)(void *ctx, uint64_t device_id,
                                                 void (*each)(void *each_ctx,
                                                              const struct ledger_certificate *row),
                                                 void *each_ctx);
    HR_MUST_USE struct hr_status (*find_certificate)(void *ctx, uint64_t device_id,
                                                     const uint8_t key[WIRE_DIGEST_BYTES],
                                                     struct ledger_certificate *out);
    /* A hint of how far publishing got, per sink name; may be behind, is never trusted. [reader thread] */
    HR_MUST_USE struct hr_status (*set_hint)(void *ctx, const char *sink, uint64_t next_leaf);
    HR_MUST_USE struct hr_status (*get_hint)(void *ctx, const char *sink, uint64_t *next_leaf);
    /* The first leaf that is still there, 0 before retention deleted any. [reader thread] */
    HR_MUST_USE struct hr_status (*first_leaf)(void *ctx, uint64_t *first_leaf);
    /* Deletes old batches, and with them what was noted of their publishing and the anchors that only they
     * needed, in one short transaction; the newest batch stays. Codes as commit. [any thread] */
    HR_MUST_USE struct hr_status (*prune)(void *ctx, const struct ledger_prune *limits, uint64_t *n_deleted);
    /* NULL when room is the database server's business. HR_DENIED: opened for reading. HR_IO: as of commit.
     * [any thread] */
    HR_MUST_USE struct hr_status (*room)(void *ctx, struct ledger_room *out);
    const struct ledger_feeds *feeds;
    /* Identity of this log, 32 hex characters made once when it is created; NUL-terminated. [any] */
    const char *(*origin)(void *ctx);
    void (*close)(void *ctx);
    void *ctx;
};

#endif
