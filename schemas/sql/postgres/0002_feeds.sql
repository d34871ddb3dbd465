-- SPDX-License-Identifier: Apache-2.0
-- The feed ledger (aggregator/io/feed.h), and what retention needs. Comments on columns stand in the migration of the
-- same number for SQLite.

CREATE TABLE feed_head (
    sink      text PRIMARY KEY,
    next_leaf bigint NOT NULL
);

CREATE TABLE feed_version (
    sink        text NOT NULL,
    from_leaf   bigint NOT NULL,
    normalizers text NOT NULL,
    PRIMARY KEY (sink, from_leaf)
);

CREATE TABLE feed_entry (
    sink         text NOT NULL,
    feed         text NOT NULL,
    partition    text NOT NULL,
    first_leaf   bigint NOT NULL,
    last_leaf    bigint NOT NULL,
    from_ms      bigint NOT NULL,
    to_ms        bigint NOT NULL,
    content      bytea NOT NULL,
    state        bigint NOT NULL,
    revision     bigint NOT NULL,
    n_batches    bigint NOT NULL,
    n_records    bigint NOT NULL,
    n_events     bigint NOT NULL,
    n_late       bigint NOT NULL,
    n_revised    bigint NOT NULL,
    n_placed     bigint NOT NULL,
    watermark_ms bigint NOT NULL,
    PRIMARY KEY (sink, feed, partition, first_leaf),
    UNIQUE (sink, feed, partition, content)
) WITH (fillfactor = 50);

CREATE TABLE feed_position (
    sink           text NOT NULL,
    feed           text NOT NULL,
    partition      text NOT NULL,
    first_leaf     bigint NOT NULL,
    sink_partition bigint NOT NULL,
    first_offset   bigint NOT NULL,
    last_offset    bigint NOT NULL,
    PRIMARY KEY (sink, feed, partition, first_leaf, sink_partition)
) WITH (fillfactor = 50);

CREATE TABLE feed_span (
    first_leaf bigint NOT NULL,
    sink       text NOT NULL,
    n_leaves   bigint NOT NULL,
    notes      bytea NOT NULL,
    PRIMARY KEY (first_leaf, sink)
);
-- Hashes don't get smaller, so the server need not try.
ALTER TABLE feed_span ALTER COLUMN notes SET STORAGE EXTERNAL;

CREATE TABLE feed_replay (
    id          bigint NOT NULL,
    sink        text NOT NULL,
    feed        text NOT NULL,
    from_ms     bigint NOT NULL,
    to_ms       bigint NOT NULL,
    dry_run     bigint NOT NULL,
    state       bigint NOT NULL,
    asked_ms    bigint NOT NULL,
    first_leaf  bigint NOT NULL,
    next_leaf   bigint NOT NULL,
    end_leaf    bigint NOT NULL,
    n_events    bigint NOT NULL,
    n_changed   bigint NOT NULL,
    normalizers text NOT NULL,
    reason      text NOT NULL,
    PRIMARY KEY (id, sink)
);

CREATE INDEX anchor_leaf ON anchor (leaf);

-- Holds the head until the end of the transaction for the writer of this name, beside its commits. Errors as
-- advance_head.
CREATE FUNCTION hold_head(me text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    head log_head%ROWTYPE;
BEGIN
    SELECT * INTO head FROM log_head FOR SHARE;
    IF head.writer <> me THEN
        RAISE EXCEPTION 'taken over by %', head.writer USING ERRCODE = 'HR001';
    END IF;
END $$;

-- Moves the feed cursor of a sink, which stands at `expected`, or at `also`, where a write whose answer was lost may have
-- brought it. An error of code HR003 says that it stands elsewhere.
CREATE FUNCTION advance_feed(which text, expected bigint, also bigint, next bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    stored bigint;
BEGIN
    SELECT next_leaf INTO stored FROM feed_head WHERE sink = which FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO feed_head (sink, next_leaf) VALUES (which, next);
    ELSIF stored NOT IN (expected, also) THEN
        RAISE EXCEPTION 'the feed cursor of % is at %, not at %', which, stored, expected USING ERRCODE = 'HR003';
    ELSIF stored <> next THEN
        UPDATE feed_head SET next_leaf = next WHERE sink = which;
    END IF;
END $$;

-- The id of a new replay. An error of code HR004 says that as many as may wait are waiting.
CREATE FUNCTION next_replay(n_sinks bigint, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE feed_replay IN SHARE ROW EXCLUSIVE MODE;
    IF (SELECT count(*) FROM feed_replay WHERE state < 2) + n_sinks > most THEN
        RAISE EXCEPTION '% replays are waiting', most USING ERRCODE = 'HR004';
    END IF;
    RETURN (SELECT coalesce(max(id), 0) + 1 FROM feed_replay);
END $$;

-- Deletes the oldest batches up to the first that one of the limits keeps; the newest stays. Gives how many.
CREATE FUNCTION prune_batches(me text, below bigint, before bigint, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    head log_head%ROWTYPE;
    last bigint;
    kept bigint;
BEGIN
    SELECT * INTO head FROM log_head FOR UPDATE;
    IF head.writer <> me THEN
        RAISE EXCEPTION 'taken over by %', head.writer USING ERRCODE = 'HR001';
    END IF;
    last := least(head.first_leaf + most, below, head.size - 1);
    SELECT min(leaf) INTO kept FROM batch WHERE leaf >= head.first_leaf AND leaf < last AND received_ms >= before;
    kept := coalesce(kept, last);
    IF kept <= head.first_leaf THEN
        RETURN 0;
    END IF;
    UPDATE log_head SET first_leaf = kept;
    DELETE FROM anchor WHERE (device, boot_id, leaf) IN
        (SELECT old.device, old.boot_id, old.leaf FROM anchor AS new JOIN anchor AS old
         ON old.device = new.device AND old.boot_id = new.boot_id AND old.leaf < new.leaf
         WHERE new.leaf > head.first_leaf AND new.leaf <= kept);
    DELETE FROM feed_span WHERE first_leaf < kept AND first_leaf + n_leaves <= kept;
    DELETE FROM batch WHERE leaf < kept;
    RETURN kept - head.first_leaf;
END $$;
