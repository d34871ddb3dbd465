-- SPDX-License-Identifier: Apache-2.0
-- The feed ledger (aggregator/io/feed.h), and what retention needs.

-- How far entries were folded, for each sink; written with them.
CREATE TABLE feed_head (
    sink      TEXT PRIMARY KEY,
    next_leaf INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which normalizers published leaves from from_leaf on.
CREATE TABLE feed_version (
    sink        TEXT NOT NULL,
    from_leaf   INTEGER NOT NULL,
    normalizers TEXT NOT NULL,
    PRIMARY KEY (sink, from_leaf)
) STRICT, WITHOUT ROWID;

-- Entries stay when their batches are deleted.
CREATE TABLE feed_entry (
    sink         TEXT NOT NULL,
    feed         TEXT NOT NULL,
    partition    TEXT NOT NULL,
    first_leaf   INTEGER NOT NULL,
    last_leaf    INTEGER NOT NULL,
    from_ms      INTEGER NOT NULL,
    to_ms        INTEGER NOT NULL,
    content      BLOB NOT NULL,
    state        INTEGER NOT NULL, -- 0 pending, 1 running, 2 completed, 3 failed
    revision     INTEGER NOT NULL,
    n_batches    INTEGER NOT NULL,
    n_records    INTEGER NOT NULL,
    n_events     INTEGER NOT NULL,
    n_late       INTEGER NOT NULL,
    n_revised    INTEGER NOT NULL,
    n_placed     INTEGER NOT NULL,
    watermark_ms INTEGER NOT NULL,
    PRIMARY KEY (sink, feed, partition, first_leaf),
    UNIQUE (sink, feed, partition, content)
) STRICT, WITHOUT ROWID;

CREATE TABLE feed_position (
    sink           TEXT NOT NULL,
    feed           TEXT NOT NULL,
    partition      TEXT NOT NULL,
    first_leaf     INTEGER NOT NULL, -- with the three before it: the entry
    sink_partition INTEGER NOT NULL,
    first_offset   INTEGER NOT NULL,
    last_offset    INTEGER NOT NULL,
    PRIMARY KEY (sink, feed, partition, first_leaf, sink_partition)
) STRICT, WITHOUT ROWID;

-- What was published of consecutive leaves; retention deletes it with their batches.
CREATE TABLE feed_span (
    id         INTEGER PRIMARY KEY,
    sink       TEXT NOT NULL,
    first_leaf INTEGER NOT NULL,
    n_leaves   INTEGER NOT NULL,
    notes      BLOB NOT NULL,
    UNIQUE (first_leaf, sink)
) STRICT;

CREATE TABLE feed_replay (
    id          INTEGER NOT NULL,
    sink        TEXT NOT NULL,
    feed        TEXT NOT NULL,
    from_ms     INTEGER NOT NULL,
    to_ms       INTEGER NOT NULL,
    dry_run     INTEGER NOT NULL,
    state       INTEGER NOT NULL, -- as of an entry
    asked_ms    INTEGER NOT NULL,
    first_leaf  INTEGER NOT NULL,
    next_leaf   INTEGER NOT NULL,
    end_leaf    INTEGER NOT NULL,
    n_events    INTEGER NOT NULL,
    n_changed   INTEGER NOT NULL,
    normalizers TEXT NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (id, sink)
) STRICT, WITHOUT ROWID;

-- Retention finds the anchors that newer ones have made useless.
CREATE INDEX anchor_leaf ON anchor (leaf);
