-- SPDX-License-Identifier: Apache-2.0
-- The ledger. Unsigned 64-bit numbers are stored as the signed number with the same bits.

-- One row: the head of the log.
CREATE TABLE log_head (
    only         INTEGER PRIMARY KEY CHECK (only = 0),
    origin       TEXT NOT NULL,              -- identity of this log, made once
    size         INTEGER NOT NULL,           -- leaves 0 .. size - 1 are committed
    first_leaf   INTEGER NOT NULL DEFAULT 0, -- retention may delete batches below this one
    writer_epoch INTEGER NOT NULL            -- of the one writer that may commit
) STRICT;

-- What is committed, in the order in which it was. The leaf is the rowid, so rows are appended and never sorted in.
-- digest stands before the envelope, so that finding one reads no overflow page.
CREATE TABLE batch (
    leaf        INTEGER PRIMARY KEY,
    device      INTEGER NOT NULL,
    stream      INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    digest      BLOB NOT NULL,
    envelope    BLOB NOT NULL -- header, signature, payload, as they came
) STRICT;
CREATE UNIQUE INDEX batch_place ON batch (device, stream, seq);

-- A committed batch never changes, whoever asks; and only retention may delete it.
CREATE TRIGGER batch_is_constant BEFORE UPDATE ON batch
BEGIN
    SELECT RAISE(ABORT, 'a committed batch never changes');
END;
CREATE TRIGGER batch_stays BEFORE DELETE ON batch WHEN OLD.leaf >= (SELECT first_leaf FROM log_head)
BEGIN
    SELECT RAISE(ABORT, 'a batch is deleted only below log_head.first_leaf');
END;

CREATE TABLE stream_state (
    device          INTEGER NOT NULL,
    stream          INTEGER NOT NULL,
    cum_seq         INTEGER NOT NULL, -- 4294967295: none
    cum_digest      BLOB NOT NULL,
    next_record_seq INTEGER NOT NULL,
    key_epoch       INTEGER NOT NULL,
    boot_id         INTEGER NOT NULL,
    lost_batches    INTEGER NOT NULL,
    lost_records    INTEGER NOT NULL,
    PRIMARY KEY (device, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    device   INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    state    INTEGER NOT NULL, -- 0 enrolled, 1 active, 2 quarantined, 3 revoked, 4 retired
    revision INTEGER NOT NULL,
    reason   TEXT NOT NULL
) STRICT;

-- A record key is valid from (from_stream, from_seq) on and before (to_stream, to_seq).
CREATE TABLE device_key (
    device      INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    spki        BLOB NOT NULL,
    from_stream INTEGER NOT NULL,
    from_seq    INTEGER NOT NULL,
    to_stream   INTEGER NOT NULL,
    to_seq      INTEGER NOT NULL,
    revoked     INTEGER NOT NULL,
    PRIMARY KEY (device, epoch)
) STRICT, WITHOUT ROWID;

-- Signed contradictions: what came, and the digest that stood there.
CREATE TABLE conflict (
    id           INTEGER PRIMARY KEY,
    device       INTEGER NOT NULL,
    stream       INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    kind         TEXT NOT NULL, -- fork, equivocation
    received_ms  INTEGER NOT NULL,
    known_digest BLOB NOT NULL,
    envelope     BLOB NOT NULL
) STRICT;

-- Holes that a stream was moved over, with the signed batch that said so.
CREATE TABLE loss (
    id               INTEGER PRIMARY KEY,
    device           INTEGER NOT NULL,
    stream           INTEGER NOT NULL,
    from_seq         INTEGER NOT NULL,
    to_seq           INTEGER NOT NULL,
    first_record_seq INTEGER NOT NULL,
    n_records        INTEGER NOT NULL,
    reason           INTEGER NOT NULL,
    last_digest      BLOB NOT NULL,
    envelope         BLOB NOT NULL
) STRICT;

CREATE TABLE anchor (
    device    INTEGER NOT NULL,
    boot_id   INTEGER NOT NULL,
    leaf      INTEGER NOT NULL, -- the batch that holds it
    uptime_ms INTEGER NOT NULL,
    utc_ms    INTEGER NOT NULL,
    err_ms    INTEGER NOT NULL,
    source    INTEGER NOT NULL,
    PRIMARY KEY (device, boot_id, leaf)
) STRICT, WITHOUT ROWID;

-- How far publishing got; never trusted.
CREATE TABLE hint (
    sink      TEXT PRIMARY KEY,
    next_leaf INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
