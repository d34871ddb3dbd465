/* SPDX-License-Identifier: Apache-2.0
 *
 * The file that `headrace ledger export` writes and `rebuild` reads: frames behind a magic, linked by a chain
 * of SHA-256 whose last value ends the file. proto/SPEC.md section 11 has every byte. */
#ifndef CLI_ARCHIVE_H
#define CLI_ARCHIVE_H

#include "aggregator/io/ledger.h"
#include "proto/base/cursor.h"

#include <stdio.h>

enum {
    CLI_ARCHIVE_BODY_MAX_BYTES = 16 << 20,
    CLI_ARCHIVE_ORIGIN_CHARS = 32,
};

/* In the order in which they stand. */
enum cli_frame {
    CLI_FRAME_HEAD = 'H',
    CLI_FRAME_FEED_HEAD = 'F',
    CLI_FRAME_FEED_VERSION = 'V',
    CLI_FRAME_FEED_ENTRY = 'N',
    CLI_FRAME_FEED_POSITION = 'P',
    CLI_FRAME_FEED_REPLAY = 'R',
    CLI_FRAME_FEED_SPAN = 'T',
    CLI_FRAME_FEED_FACTS = 'O',
    CLI_FRAME_STREAM = 'S',
    CLI_FRAME_RANGE = 'G',
    CLI_FRAME_DEVICE = 'D',
    CLI_FRAME_DEVICE_MORE = 'W',
    CLI_FRAME_ENROLMENT = 'I',
    CLI_FRAME_CERTIFICATE = 'X',
    CLI_FRAME_KEY = 'K',
    CLI_FRAME_LOSS = 'L',
    CLI_FRAME_CONFLICT = 'C',
    CLI_FRAME_AUDIT = 'U',
    CLI_FRAME_ANCHOR = 'A',
    CLI_FRAME_BATCH = 'B',
    CLI_FRAME_END = 'E',
};

struct cli_archive_head {
    char origin[CLI_ARCHIVE_ORIGIN_CHARS + 1];
    uint64_t from_leaf;
};

struct cli_archive_range {
    uint64_t to_leaf; /* the first that is not in it */
    bool is_whole;    /* it was the log's end, and the state is in it */
};

/* ---- frames ---- */

struct cli_archive {
    FILE *file;
    uint8_t chain[WIRE_DIGEST_BYTES];
    uint8_t *body;
    size_t capacity_bytes;   /* of body, up to CLI_ARCHIVE_BODY_MAX_BYTES */
    uint64_t at;             /* bytes behind the last whole frame */
    struct hr_status failed; /* what a put said first; HR_OK: nothing did */
};

/* Takes the file over, opened for what follows. */
void cli_archive_open(struct cli_archive *archive, FILE *file);
/* HR_IO: the file could not be written to its end. Frees the archive. */
HR_MUST_USE struct hr_status cli_archive_close(struct cli_archive *archive);
/* The magic: written, or read. HR_CORRUPT: another file. HR_IO. */
HR_MUST_USE struct hr_status cli_archive_begin(struct cli_archive *archive);
HR_MUST_USE struct hr_status cli_archive_check_magic(struct cli_archive *archive);
/* Writes a frame whose body stands in archive->body, as `body` wrote it. HR_FULL: it did not fit, or there is
 * no memory. HR_IO. */
/* After one failed the others do nothing and say the same. */
HR_MUST_USE struct hr_status cli_archive_put(struct cli_archive *archive, enum cli_frame type,
                                             const struct hr_writer *body);
struct hr_writer cli_archive_body(struct cli_archive *archive);
/* Writes the end. */
HR_MUST_USE struct hr_status cli_archive_end(struct cli_archive *archive);
/* Reads the next frame, borrowed until the next call. HR_CLOSED: the end was read and the chain is right.
 * HR_CORRUPT: the file ends before its end, or is not as it was written. HR_IO: no memory. */
HR_MUST_USE struct hr_status cli_archive_next(struct cli_archive *archive, enum cli_frame *type,
                                              struct hr_bytes *body);

/* ---- rows, archive_rows.c: each `get` says false when the bytes are not such a row ---- */
void cli_put_head(struct hr_writer *out, const struct cli_archive_head *head);
bool cli_get_head(struct hr_bytes body, struct cli_archive_head *out);
void cli_put_range(struct hr_writer *out, const struct cli_archive_range *range);
bool cli_get_range(struct hr_bytes body, struct cli_archive_range *out);
void cli_put_stream(struct hr_writer *out, const struct ledger_stream *stream);
bool cli_get_stream(struct hr_bytes body, struct ledger_stream *out);
void cli_put_device(struct hr_writer *out, const struct ledger_device *device);
bool cli_get_device(struct hr_bytes body, struct ledger_device *out);
/* archive_device.c. What else is known of a device: get changes nothing but that. */
void cli_put_device_more(struct hr_writer *out, const struct ledger_device *device);
/* *device_id names it; NULL in `out`: it is only read. Keys that the device has not got are passed over. */
bool cli_get_device_more(struct hr_bytes body, uint64_t *device_id, struct ledger_device *out);
void cli_put_enrolment(struct hr_writer *out, const struct ledger_enrolment *row);
bool cli_get_enrolment(struct hr_bytes body, struct ledger_enrolment *out);
void cli_put_certificate(struct hr_writer *out, const struct ledger_certificate *row);
bool cli_get_certificate(struct hr_bytes body, struct ledger_certificate *out);
/* archive_keys.c: any key that a device ever had. */
void cli_put_old_key(struct hr_writer *out, const struct ledger_old_key *row);
bool cli_get_old_key(struct hr_bytes body, struct ledger_old_key *out);
void cli_put_loss(struct hr_writer *out, const struct ledger_loss *row);
bool cli_get_loss(struct hr_bytes body, struct ledger_loss *out);
/* kind: borrowed from static text. */
void cli_put_conflict(struct hr_writer *out, const struct ledger_conflict *row);
bool cli_get_conflict(struct hr_bytes body, struct ledger_conflict *out);
/* archive_audit.c. Its id is not written; the order is. */
void cli_put_audit(struct hr_writer *out, const struct ledger_audit *row);
bool cli_get_audit(struct hr_bytes body, struct ledger_audit *out);
void cli_put_anchor(struct hr_writer *out, const struct ledger_anchor *row);
bool cli_get_anchor(struct hr_bytes body, struct ledger_anchor *out);
/* Place and digest are those in the envelope's header; get finds them there. */
void cli_put_batch(struct hr_writer *out, const struct ledger_batch *batch);
bool cli_get_batch(struct hr_bytes body, struct ledger_batch *out);
void cli_put_feed_head(struct hr_writer *out, const struct feed_head *head);
bool cli_get_feed_head(struct hr_bytes body, struct feed_head *out);
/* These belong to the sink of the feed head before them. */
void cli_put_version(struct hr_writer *out, const struct feed_version *version);
bool cli_get_version(struct hr_bytes body, struct feed_version *out);
void cli_put_entry(struct hr_writer *out, const struct feed_entry *entry);
bool cli_get_entry(struct hr_bytes body, struct feed_entry *out);
/* Of the entry before it. */
void cli_put_position(struct hr_writer *out, const struct feed_position *position);
bool cli_get_position(struct hr_bytes body, struct feed_position *out);
void cli_put_replay(struct hr_writer *out, const struct feed_replay *replay);
bool cli_get_replay(struct hr_bytes body, struct feed_replay *out);
void cli_put_span(struct hr_writer *out, const struct feed_span *span);
bool cli_get_span(struct hr_bytes body, struct feed_span *out);
void cli_put_facts(struct hr_writer *out, const struct feed_facts *facts);
bool cli_get_facts(struct hr_bytes body, struct feed_facts *out);

/* ---- the same as `each` of a ledger's readers: ctx is the archive, a failure stands in it ---- */
void cli_keep_stream(void *ctx, const struct ledger_stream *row);
void cli_keep_device(void *ctx, const struct ledger_device *row);
void cli_keep_device_more(void *ctx, const struct ledger_device *row);
void cli_keep_enrolment(void *ctx, const struct ledger_enrolment *row);
void cli_keep_certificate(void *ctx, const struct ledger_certificate *row);
void cli_keep_old_key(void *ctx, const struct ledger_old_key *row);
void cli_keep_loss(void *ctx, const struct ledger_loss *row);
void cli_keep_conflict(void *ctx, const struct ledger_conflict *row);
void cli_keep_audit(void *ctx, const struct ledger_audit *row);
void cli_keep_anchor(void *ctx, const struct ledger_anchor *row);
void cli_keep_batch(void *ctx, const struct ledger_batch *row);
void cli_keep_feed_head(void *ctx, const struct feed_head *row);
void cli_keep_version(void *ctx, const struct feed_version *row);
void cli_keep_entry(void *ctx, const struct feed_entry *row);
void cli_keep_position(void *ctx, const struct feed_position *row);
void cli_keep_replay(void *ctx, const struct feed_replay *row);
void cli_keep_span(void *ctx, const struct feed_span *row);
void cli_keep_facts(void *ctx, const struct feed_facts *row);
void cli_keep_head(void *ctx, const struct cli_archive_head *row);
void cli_keep_range(void *ctx, const struct cli_archive_range *row);

/* archive_audit.c: all audit entries of the ledger; none when its schema is older than they. Errors as of the
 * ledger and the archive. */
HR_MUST_USE struct hr_status cli_archive_audits(struct cli_archive *archive, const struct ledger *ledger);

/* archive_facts.c: what leaves before the sink's feed cursor said of observations. Errors likewise. */
HR_MUST_USE struct hr_status cli_archive_facts(struct cli_archive *archive, const struct ledger *ledger,
                                               const struct feed_head *head);

/* export_feeds.c: the feed ledger, with its entries as of one moment. HR_AGAIN: no such moment was found.
 * HR_NOT_FOUND: the ledger has none. Others as of the ledger and the archive. */
HR_MUST_USE struct hr_status cli_archive_feeds(struct cli_archive *archive, const struct ledger *ledger);

#endif
